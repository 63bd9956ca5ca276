"""Training's command line: from the event log to published models, a verb a step."""

import sys
from collections.abc import Sequence

from serving.verbs import Verb, run_verb

VERBS = {
    "simulate": Verb("training.commands.simulate", "write the event log of a simulated platform"),
    "import": Verb("training.commands.import_log", "write the event log of a public data set or of your own tables"),
    "validate": Verb("training.commands.validate", "name every bad row of an event log"),
    "replay": Verb("training.commands.replay", "turn an event log into point-in-time samples with labels"),
    "join": Verb("training.commands.join", "turn what a service served, and what viewers did, into samples"),
    "worker": Verb("training.commands.worker", "keep the samples of what a service serves up to date, hour by hour"),
    "land": Verb("training.commands.land", "put a service's local logs down for a Flink job"),
    "commit": Verb("training.commands.commit", "make samples of what a Flink job has put down"),
    "erase": Verb(
        "training.commands.erase", "take erased users out of whole sample sets and logs, and remove runs that know them"
    ),
    "scan": Verb("training.commands.scan", "look for a user in all that a service and its training keep"),
    "skew": Verb("training.commands.skew", "compare what a service served with a replay of its log"),
    "train": Verb("training.commands.train", "train one model of a sample set"),
    "evaluate": Verb("training.commands.evaluate", "evaluate trained models beside popularity and random"),
    "compare": Verb("training.commands.compare", "compare recall channels and models, or rankers, on one split"),
    "cold-start": Verb("training.commands.cold_start", "compare recall on streamers whom nobody has met"),
    "tune": Verb("training.commands.tune", "search the weights of the fusion on logged requests"),
    "closed-loop": Verb("training.commands.closed_loop", "let the running stack serve simulated viewers who react"),
    "export": Verb("training.commands.export", "write a trained model as a SavedModel"),
    "publish": Verb("training.commands.publish", "publish a SavedModel as the next version of a served model"),
    "rollback": Verb("training.commands.rollback", "publish an older version again under a higher number"),
    "mirror": Verb("training.commands.mirror", "bring published versions to a model server's own folder"),
    "run": Verb("training.commands.run", "train, evaluate, gate, export and publish in one go"),
    "demo": Verb("training.commands.demo", "run all of it on this machine, to slates of a running stack"),
    "seed": Verb("training.commands.seed", "write a feature service's data folder from an event log"),
}
"""All verbs, in the order of a run; a new one is one line here and one module."""

SUMMARY = "OnAir's training: from the event log to published models, a verb a step."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb."""
    return run_verb("python -m training", SUMMARY, VERBS, argv)


if __name__ == "__main__":
    sys.exit(main())
