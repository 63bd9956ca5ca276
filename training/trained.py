"""A trained model: how it is built from a run's files, and kept so that another process finds it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from feature_service.features.layout import Layout
from feature_service.features.schema import Encoding
from training.data.examples import blank_batch
from training.layers.blueprint import Blueprint
from training.layers.fitted import Encodings, Fitted
from training.models import MODELS
from training.models.ranking.base import Ranker
from training.models.recall.base import LearntRecall, Solution, SolvedRecall
from training.run_config import RunConfig, parse_config

LearntModel = Ranker | LearntRecall
Model = LearntModel | SolvedRecall

RUN_FILE = "run.json"
FITTED_FILE = "fitted.npz"
HISTORY_FILE = "history.json"
SOLUTION_FILE = "solution.npz"
BEST = "checkpoints/best"

History = list[dict[str, float]]
"""A dict an epoch: `epoch` (from 1), `seconds`, `loss`, `validation_loss`, and `<head>/loss` of both; of a solved
model one, with `seconds` and what it was solved from."""


class TrainedError(ValueError):
    """A directory that does not hold the trained model that was asked for."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted model.

    Attributes:
        model: The model, with the weights of its best epoch.
        config: The run.
        history: What each epoch reached.
        seen_until_ms: Time of the latest slate that it was trained or chosen with, Unix milliseconds.
    """

    model: Model
    config: RunConfig
    history: History
    seen_until_ms: int


@dataclass(frozen=True, slots=True)
class RunFiles:
    """What a run writes before its first step, enough to build its model again.

    Attributes:
        config: The run.
        blueprint: What the data told the model.
        seen_until_ms: Time of the latest slate of training and validation, Unix milliseconds; 0 = none was seen.
        learnt_until_ms: Labels that were decided later were not learnt from: when the validation slates begin.
    """

    config: RunConfig
    blueprint: Blueprint
    seen_until_ms: int = 0
    learnt_until_ms: int = 0

    def write(self, directory: Path) -> None:
        """Writes `run.json` and `fitted.npz`."""
        directory.mkdir(parents=True, exist_ok=True)
        fitted = self.blueprint.fitted
        np.savez(
            directory / FITTED_FILE,
            allow_pickle=False,
            **{f"vocabularies/{name}": keys for name, keys in fitted.vocabularies.items()},
            **{f"means/{name}": values for name, values in fitted.means.items()},
            **{f"scales/{name}": values for name, values in fitted.scales.items()},
            **{f"priors/{name}": values for name, values in fitted.priors.items()},
        )
        (directory / RUN_FILE).write_text(json.dumps(self._description(), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def remove(directory: Path) -> None:
        """Removes what `write` wrote."""
        (directory / RUN_FILE).unlink(missing_ok=True)
        (directory / FITTED_FILE).unlink(missing_ok=True)

    @classmethod
    def read(cls, directory: Path) -> "RunFiles":
        """Reads what `write` wrote.

        Raises:
            TrainedError: The directory holds no run.
        """
        try:
            table = json.loads((directory / RUN_FILE).read_text(encoding="utf-8"))
            with np.load(directory / FITTED_FILE) as arrays:
                fitted = _fitted({name: arrays[name] for name in arrays.files})
        except OSError as error:
            raise TrainedError(f"{directory}: expected a training run's directory, received {error}") from None
        config = parse_config(table["config"], str(directory / RUN_FILE))
        encodings: Encodings = {name: (Encoding(e), vocabulary) for name, (e, vocabulary) in table["encodings"].items()}
        blueprint = blueprint_of(config, Layout.from_strings(table["layout"]), encodings, fitted)
        try:
            return cls(config, blueprint, table["seen_until_ms"], table["learnt_until_ms"])
        except KeyError as error:
            raise TrainedError(f"{directory / RUN_FILE}: expected {error}, as runs have it now; train again") from None

    def same_as(self, other: "RunFiles") -> bool:
        """Whether the other run would train the same model on the same samples."""
        mine, theirs = self.blueprint.fitted, other.blueprint.fitted
        return self._description() == other._description() and all(
            one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)
            for one, two in (
                (mine.vocabularies, theirs.vocabularies),
                (mine.means, theirs.means),
                (mine.scales, theirs.scales),
                (mine.priors, theirs.priors),
            )
        )

    def _description(self) -> dict[str, Any]:
        names = [column.name for tensor in self.blueprint.layout.tensors for column in tensor.columns]
        encodings = {name: list(self.blueprint.encodings[name]) for name in names}
        description = {
            "config": self.config.to_dict(),
            "layout": self.blueprint.layout.to_strings(),
            "encodings": encodings,
            "seen_until_ms": self.seen_until_ms,
            "learnt_until_ms": self.learnt_until_ms,
        }
        return json.loads(json.dumps(description))


def _fitted(arrays: dict[str, np.ndarray]) -> Fitted:
    def part(prefix: str) -> dict[str, np.ndarray]:
        return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}

    return Fitted(part("vocabularies/"), part("means/"), part("scales/"), part("priors/"))


def blueprint_of(config: RunConfig, layout: Layout, encodings: Encodings, fitted: Fitted) -> Blueprint:
    """The blueprint of a run's model."""
    return Blueprint(
        layout=layout,
        encodings=encodings,
        fitted=fitted,
        sizes=config.inputs,
        head_weights={head: config.heads[head] for head in layout.heads},
        balance=config.training.balance,
    )


def build(files: RunFiles) -> LearntModel:
    """The model of a run by gradient with all its variables, not yet trained."""
    kind: Any = MODELS[files.config.model]
    model = kind(files.blueprint, files.config.options)
    blank: Any = {name: tf.constant(values) for name, values in blank_batch(files.blueprint.layout).items()}
    model.compute_loss(blank, training=False)  # Creates the variables.
    model.reset_metrics()
    return model


def load_trained(directory: Path) -> TrainedModel:
    """The model of a finished run: its solution, or the weights of its best epoch.

    Raises:
        TrainedError: The directory holds no finished run.
    """
    files = RunFiles.read(directory)
    try:
        history = json.loads((directory / HISTORY_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainedError(f"{directory}: expected a finished run, received one that was interrupted") from None
    kind: Any = MODELS[files.config.model]
    if issubclass(kind, SolvedRecall):
        model = kind(files.blueprint, files.config.options, _solution(directory))
    else:
        model = build(files)
        tf.train.Checkpoint(model=model).read(str(directory / BEST)).assert_existing_objects_matched().expect_partial()
    return TrainedModel(model, files.config, history, files.seen_until_ms)


def _solution(directory: Path) -> Solution:
    with np.load(directory / SOLUTION_FILE) as arrays:
        return {name: arrays[name] for name in arrays.files}
