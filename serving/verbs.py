"""Command lines of verbs: `python -m PACKAGE VERB …`; a user's own mistake is one line, never a traceback."""

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

MISTAKE = 2
"""Exit status of a user's mistake."""


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
    mistakes: tuple[type[Exception], ...] = (),
    argv: Sequence[str] | None = None,
) -> int:
    """Runs the verb that the arguments name.

    Args:
        program: How the program is called, for the help.
        summary: What it is for, one line or a few.
        verbs: The verbs by name.
        mistakes: Errors that are the user's and speak for themselves; `OSError` and `UserError` always are.
        argv: The arguments; None = the process's.

    Returns:
        The exit status; `MISTAKE` after a user's mistake.
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
        return 130
    except (OSError, UserError, *mistakes) as error:
        print(f"{program} {name}: {error}", file=sys.stderr)  # noqa: T201
        return MISTAKE


def _no_verb(program: str, summary: str, verbs: Mapping[str, Verb], arguments: list[str]) -> int:
    width = max(map(len, verbs))
    listing = "\n".join(f"  {name:<{width}}  {verb.help}" for name, verb in verbs.items())
    usage = f"usage: {program} VERB [--help] …\n\n{summary}\n\nverbs:\n{listing}"
    if arguments and arguments[0] in ("-h", "--help"):
        print(usage)  # noqa: T201
        return 0
    received = repr(arguments[0]) if arguments else "none"
    print(f"{program}: expected a verb ({', '.join(verbs)}), received {received}", file=sys.stderr)  # noqa: T201
    return MISTAKE
