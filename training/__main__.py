"""`python -m training <verb>`: from the event log to published models, a verb a step."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple


class Verb(NamedTuple):
    """A verb of the command line.

    Attributes:
        module: Has a docstring that teaches, `add_arguments(parser)` and `run(arguments) -> exit code`. It is imported
            only when the verb is used, so that the data verbs start without TensorFlow.
        line: What it does.
    """

    module: str
    line: str


VERBS = MappingProxyType(
    {
        "simulate": Verb("training.commands.simulate", "write the event log of a simulated platform"),
        "import": Verb(
            "training.commands.import_log", "write the event log of a public data set or of your own tables"
        ),
        "validate": Verb("training.commands.validate", "name every bad row of an event log"),
        "replay": Verb("training.commands.replay", "turn an event log into point-in-time samples with labels"),
        "train": Verb("training.commands.train", "train one model of a sample set"),
        "evaluate": Verb("training.commands.evaluate", "evaluate trained models beside popularity and random"),
        "export": Verb("training.commands.export", "write a trained model as a SavedModel"),
        "publish": Verb("training.commands.publish", "publish a SavedModel as the next version of a served model"),
        "rollback": Verb("training.commands.rollback", "publish an older version again under a higher number"),
        "run": Verb("training.commands.run", "train, evaluate, gate, export and publish in one go"),
        "seed": Verb("training.commands.seed", "write a feature service's data folder from an event log"),
    }
)
"""All verbs, in the order of a run; a new one is one line here and one module."""

USER_MISTAKE = 2
INTERRUPTED = 130

_OURS = ("training", "feature_service", "serving")


def main(arguments: Sequence[str]) -> int:
    """Runs one verb.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit code: 0 = done, 1 = done and the answer is no, 2 = a mistake of the user, told in one line.
    """
    name = arguments[0] if arguments else ""
    if name not in VERBS:
        return _without_verb(arguments)
    verb = import_module(VERBS[name].module)
    parser = argparse.ArgumentParser(
        prog=f"python -m training {name}",
        description=verb.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.add_arguments(parser)
    try:
        return verb.run(parser.parse_args(arguments[1:]))
    except BrokenPipeError:
        return _closed_early()
    except Exception as error:
        if not _is_mistake(error):
            raise
        sys.stderr.write(f"{name}: {error}\n")
        return USER_MISTAKE
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted\n")
        return INTERRUPTED


def _is_mistake(error: Exception) -> bool:
    """Whether an error is the user's: an error class of this project is a message, any other one is a bug of ours."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _OURS


def _closed_early() -> int:
    """Ends in peace when the reader of our output, such as `head`, has enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _without_verb(arguments: Sequence[str]) -> int:
    """Answers `--help`; refuses all else that is no verb."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.line}" for name, verb in VERBS.items())
    text = (
        f"usage: python -m training <verb> …\n\n{__doc__}\n\n{verbs}\n\n`python -m training <verb> --help` says more.\n"
    )
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(text)
        return 0
    received = repr(arguments[0]) if arguments else "none"
    sys.stderr.write(f"verb: expected one of {', '.join(VERBS)}, received {received}\n")
    return USER_MISTAKE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
