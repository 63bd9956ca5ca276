"""Solving: a recall model computed from who watched whom, anew or from an earlier run and the visits since."""

import json
import time
from pathlib import Path

import numpy as np

from training.collaborative.interactions import Interactions
from training.data.erased import NOBODY, Erased
from training.models.recall.base import SolvedRecall
from training.recall_baselines import Enters
from training.run_config import ConfigError
from training.trained import HISTORY_FILE, SOLUTION_FILE, RunFiles, TrainedError, TrainedModel, load_trained

INTERACTIONS_FILE = "interactions.npz"


def solve(
    kind: type[SolvedRecall],
    files: RunFiles,
    visits: Enters,
    until_ms: int,
    directory: Path,
    since: Path | None = None,
    erased: Erased = NOBODY,
) -> TrainedModel:
    """Solves a model and keeps it, and what it was solved from.

    Args:
        kind: The model.
        files: The run; written already.
        visits: Some may begin after `until_ms`: these are left out.
        until_ms: Where training ends, Unix milliseconds.
        directory: Of the run. Gets `interactions.npz`, `solution.npz` and, at the end, `history.json`.
        since: Directory of an earlier run: its visits count too, and of `visits` only those after them.
        erased: Users whose visits in the earlier run do not count.

    Raises:
        ConfigError: There is no visit, or the layout lacks what the model reads.
        TrainedError: The earlier run is none of a solved model, or has seen later visits.
    """
    started = time.perf_counter()
    interactions = _earlier(since, erased, visits, until_ms) if since else Interactions.of(visits, until_ms)
    if not len(interactions.user):
        raise ConfigError(f"model {files.config.model}: expected visits to solve it from, received none in training")
    solution = kind.solve(interactions, files.config.options, files.config.seed)
    try:
        kind(files.blueprint, files.config.options, solution)
    except ValueError as error:
        raise ConfigError(f"model {files.config.model}: {error}") from None
    interactions.write(directory / INTERACTIONS_FILE)
    np.savez(directory / SOLUTION_FILE, allow_pickle=False, **solution)
    history = [{"epoch": 1, "seconds": time.perf_counter() - started} | _sizes(interactions)]
    (directory / HISTORY_FILE).write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    return load_trained(directory)


def _earlier(since: Path, erased: Erased, visits: Enters, until_ms: int) -> Interactions:
    """The interactions of an earlier run, without those of some users, with the visits after them.

    Raises:
        TrainedError: There are none, or they reach further.
    """
    try:
        earlier = Interactions.read(since / INTERACTIONS_FILE).without(erased)
    except OSError:
        raise TrainedError(f"{since}: expected the run of a model solved from visits, received none") from None
    try:
        return earlier.plus(visits, until_ms)
    except ValueError as error:
        raise TrainedError(f"{since}: {error}") from None


def _sizes(interactions: Interactions) -> dict[str, float]:
    return {
        "viewers": len(np.unique(interactions.user)),
        "streamers": len(np.unique(interactions.streamer)),
        "visits": int(interactions.visits.sum()),
    }
