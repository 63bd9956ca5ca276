"""The model server's command line."""

import sys
from collections.abc import Sequence

from serving.verbs import Verb, run_verb

VERBS = {
    "up": Verb("serving.commands.up", "run a model server in the foreground"),
    "ssl-config": Verb("serving.commands.ssl_config", "write the file that a model server serves TLS by"),
    "wait": Verb("serving.commands.wait", "wait until models are available"),
    "status": Verb("serving.commands.status", "show the models' versions and states"),
    "bench": Verb("serving.commands.bench", "measure Predict with ready bytes"),
}

SUMMARY = "The model server: TensorFlow Serving, or the embedded server that speaks its API."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb."""
    return run_verb("python -m serving", SUMMARY, VERBS, argv)


if __name__ == "__main__":
    sys.exit(main())
