"""Continuation: a ranker goes on from an earlier run, on new samples, and has rows for keys that are new."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from feature_service.features.layout import Layout
from training.data.erased import Erased
from training.layers.embeddings import Embeddings
from training.layers.fitted import Fitted
from training.models import MODELS
from training.models.ranking import Ranker
from training.models.ranking.gbdt_lr import GbdtLr
from training.models.recall.base import SolvedRecall
from training.run_config import ConfigError, RunConfig
from training.trained import RunFiles, load_trained


def can_go_on(config: RunConfig) -> bool:
    """Whether a model of this kind can go on from an earlier run."""
    kind = MODELS[config.model]
    return issubclass(kind, SolvedRecall) or (issubclass(kind, Ranker) and not issubclass(kind, GbdtLr))


def earlier_ranker(since: Path, config: RunConfig) -> Ranker:
    """The ranker to go on from, with the weights of its best epoch.

    Args:
        since: Directory of its run.
        config: The run that is to go on; all but its seed and `training` must be as of the earlier one.

    Raises:
        ConfigError: The model does not learn by gradient alone, or the configurations differ.
        TrainedError: The directory holds no finished run.
    """
    if not can_go_on(config):
        raise ConfigError(
            f"model {config.model}: expected a ranker that learns by gradient alone, or a model that is solved from "
            f"visits, to go on from {since}"
        )
    earlier = load_trained(since)
    same = replace(earlier.config, training=config.training, seed=config.seed) == config
    if not (same and isinstance(earlier.model, Ranker)):
        raise ConfigError(
            f"{since}: expected a run of this configuration to go on from, but for its seed and [training]; "
            f"received another of {earlier.config.model}"
        )
    return earlier.model


def grown(since: Path, fresh: Fitted, layout: Layout, erased: Erased) -> Fitted:
    """What an earlier run knew, with the keys that are frequent by now; moments and base rates stay what weights know.

    Args:
        since: The earlier run's directory.
        fresh: Fitted on the new samples.
        layout: The columns and heads of the new samples.
        erased: Users whose keys are left out, and their rows with them: who has come back is known again to a run that
            goes on from none.

    Raises:
        ConfigError: The earlier run read other columns.
    """
    blueprint = RunFiles.read(since).blueprint
    if blueprint.layout != layout:
        raise ConfigError(f"{since}: expected a run on the columns of these samples to go on from, received another")
    earlier = blueprint.fitted
    both = {name: np.union1d(keys, fresh.vocabularies[name]) for name, keys in earlier.vocabularies.items()}
    vocabularies = {name: np.setdiff1d(keys, erased.keys) for name, keys in both.items()}
    return replace(earlier, vocabularies=vocabularies)


def take_over(model: Ranker, earlier: Ranker) -> None:
    """Sets the weights to those of an earlier model of the same configuration, which may know fewer keys."""
    ours, theirs = _tables(model), _tables(earlier)
    for table, held in zip(ours, theirs, strict=True):
        table.take_over(held)
    for variable, held in zip(_others(model, ours), _others(earlier, theirs), strict=True):
        variable.assign(held)


def _tables(model: Ranker) -> list[Embeddings]:
    return [module for module in model.submodules if isinstance(module, Embeddings)]


def _others(model: Ranker, tables: list[Embeddings]) -> list[tf.Variable]:
    """The variables that are of no table, those of metrics apart."""
    left_out = {id(variable) for part in (*tables, *model.metrics) for variable in part.variables}
    return [variable for variable in model.variables if id(variable) not in left_out]
