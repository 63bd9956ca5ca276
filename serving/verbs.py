"""Command lines of verbs: `python -m PACKAGE VERB …`; a user's own mistake is one line, never a traceback."""

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

MISTAKE = 2
"""Exit status of a user's mistake."""

INTERRUPTED = 130

_OURS = ("feature_service", "serving", "training")


class UserError(Exception):
    """A mistake of the user's that no other error type says: one line with what was expected and received."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: the module that does it, imported when it is asked for, and one line of help."""

    module: str
    help: str


class Command(Protocol):
    """What a verb's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the verb's arguments."""
        ...

    def run(self, arguments: argparse.Namespace) -> int:
        """Does it, and returns the exit status."""
        ...


def run_verb(
    program: str,
    summary: str,
    verbs: Mapping[str, Verb],
    argv: Sequence[str] | None = None,
) -> int:
    """Runs the verb that the arguments name.

    Args:
        program: How the program is called, for the help.
        summary: What it is for, one line or a few.
        verbs: The verbs by name.
        argv: The arguments; None = the process's.

    Returns:
        The exit status: 0 = done, 1 = done and the answer is no, `MISTAKE` after a user's mistake.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] not in verbs:
        return _no_verb(program, summary, verbs, arguments)
    name, verb = arguments[0], verbs[arguments[0]]
    command = cast(Command, importlib.import_module(verb.module))
    parser = argparse.ArgumentParser(
        prog=f"{program} {name}", description=command.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args(arguments[1:]))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _closed_early()
    except Exception as error:
        if not _is_mistake(error):
            raise
        sys.stderr.write(f"{name}: {_told(error)}\n")
        return MISTAKE


def _is_mistake(error: Exception) -> bool:
    """Whether an error is the user's: an error class of this project is a message, any other one is a bug of ours."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _OURS


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _closed_early() -> int:
    """Ends in peace when the reader of our output, such as `head`, has enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _no_verb(program: str, summary: str, verbs: Mapping[str, Verb], arguments: list[str]) -> int:
    width = max(map(len, verbs))
    listing = "\n".join(f"  {name:<{width}}  {verb.help}" for name, verb in verbs.items())
    usage = f"usage: {program} VERB [--help] …\n\n{summary}\n\nverbs:\n{listing}\n\n`{program} VERB --help` says more."
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"{usage}\n")
        return 0
    received = repr(arguments[0]) if arguments else "none"
    sys.stderr.write(f"verb: expected one of {', '.join(verbs)}, received {received}\n")
    return MISTAKE
