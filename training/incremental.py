"""Incremental training: models go on, step by step, with what has been decided since the step before.

A step is a numbered folder of the work folder, with a training run a model in it. It learns from every label that was
decided since the last accepted step, each label once and at the end of its window; the newest slates are held out, to
choose, calibrate and judge, and are learnt from in the next step. Before that the earlier model is asked about the
slates that it has not seen (progressive validation), and the features of the new slates are compared with those of an
equal stretch before them.

References:
    Blum et al., "Beating the Hold-Out: Bounds for K-fold and Progressive Cross-Validation" (COLT 1999): the mean over
    such predictions is an unbiased estimate of how the sequence of models does.
"""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from math import inf

from pyarrow import fs

from training.data.dataset import Dataset
from training.data.erased import NOBODY, Erased
from training.data.locations import locate, reachable
from training.data.samples import Samples
from training.data.split import known_at
from training.drift import FeatureDrift, sample_drift
from training.evaluate import RankingReport, evaluate_ranking
from training.held_keys import holds_keys
from training.models.ranking import Ranker
from training.predict import predict
from training.run import ModelRun, Places, run_model
from training.run_config import RunConfig
from training.storage import Place, fetched, stored
from training.train import Progress
from training.trained import RunFiles, TrainedModel, load_trained

LEAST_SLATES = 200
"""New slates with which a step is worth its while."""

KEPT_STEPS = 5

_STEP_FILE = "step.json"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one model.

    Attributes:
        model: Its name.
        folder: The step's folder.
        since_ms: Labels decided until then were learnt before, Unix milliseconds; 0 = none was.
        slates: New slates.
        before: What the earlier model said of slates that it had not seen; None = there was none, or no ranker.
        drift: Of the features, most drifted first.
        run: What became of the model.
    """

    model: str
    folder: Place
    since_ms: int
    slates: int
    before: RankingReport | None
    drift: tuple[FeatureDrift, ...]
    run: ModelRun


def go_on(
    config: RunConfig,
    samples: str,
    places: Places,
    since: Place | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    most_drift: float = inf,
    erased: Erased = NOBODY,
) -> Step | None:
    """Takes a model's next step, if there is enough to learn from.

    Args:
        config: Of the model; a step is one epoch of it. Without an earlier run it is trained on all there is.
        samples: URI of the sample set, as it is now.
        places: Where steps and versions go.
        since: Run of the model to go on from at first; of later steps the last accepted one.
        on_progress: As of `train`.
        most_drift: The greatest stability index of a feature that does not forbid the step.
        erased: Users of whom the step is to know nothing, whatever the samples and the earlier run tell. Once it is
            accepted, earlier steps that know them are removed.

    Raises:
        ConfigError: The model cannot go on, or the data lack what the configuration needs.
        DataError: The samples or the work folder cannot be read.
        PublishError: The model could not be published.
    """
    number, accepted = _steps_of(places.work, config.model)
    earlier = accepted or since
    with fetched(earlier) if earlier else nullcontext() as run:
        since_ms = RunFiles.read(run).learnt_until_ms if run else 0
        new = Dataset.new(samples, since_ms, LEAST_SLATES, erased)
        if new is None:
            return None
        dataset, whole = new
        before = _progressive(load_trained(run), whole) if run else None
        drift = _drift(whole, since_ms) if run else ()
    step = replace(config, training=replace(config.training, epochs=1)) if earlier else config
    folder = places.work / f"{number:05d}"
    _remove(folder / config.model)  # What a step that broke off has left: its samples were others.
    found = run_model(step, dataset, replace(places, work=folder), on_progress, earlier, _problems(drift, most_drift))
    _finish(folder / config.model, found)
    _keep_newest(places.work, config.model, number, earlier)
    if found.decision.accepted:
        _remove_knowing(places.work, config.model, number, erased)
    slates = int((whole.slates.time_ms > since_ms).sum())
    return Step(config.model, folder, since_ms, slates, before, drift, found)


def _progressive(earlier: TrainedModel, samples: Samples) -> RankingReport | None:
    """The earlier model on the slates after all that it has seen, with the labels that are known by now."""
    if not isinstance(earlier.model, Ranker):
        return None
    now_ms = int(samples.slates.time_ms.max())
    unseen = known_at(samples.between(earlier.seen_until_ms + 1, now_ms + 1), now_ms)
    if not len(unseen.slates.user):
        return None
    predictions = predict(earlier.model, unseen)
    return evaluate_ranking(
        predictions, unseen, model=earlier.config.model, heads=earlier.model.layout.heads, replicates=0
    )


def _drift(samples: Samples, since_ms: int) -> tuple[FeatureDrift, ...]:
    """From the stretch before a time to all after it; what the clock says is left out, as it is another hour."""
    end_ms = int(samples.slates.time_ms.max()) + 1
    found = sample_drift(samples.between(2 * since_ms - end_ms, since_ms), samples.between(since_ms, end_ms))
    return tuple(each for each in found if not each.spec.startswith("context."))


def _problems(drift: tuple[FeatureDrift, ...], most_drift: float) -> list[str]:
    """Why features forbid a step: a drift may be a change of the world, but a number that is stuck is broken."""
    stuck = [
        f"{each.spec}: its values varied until the last step, and are all the same since"
        for each in drift
        if each.stuck
    ]
    return stuck + [
        f"{each.spec}: expected a stability index of at most {most_drift:g} against the time before the last step, "
        f"received {each.drift:.2f}"
        for each in drift
        if each.measure == "psi" and each.drift > most_drift
    ]


def _steps_of(work: Place, model: str) -> tuple[int, Place | None]:
    """The number of the next step, and the last accepted run of the model."""
    number, accepted = 1, None
    for name in _numbers(work):
        path = work / name / model
        with fetched(path / _STEP_FILE) as file:
            if file.exists():
                number = int(name) + 1
                if json.loads(file.read_text(encoding="utf-8"))["accepted"]:
                    accepted = path
    return number, accepted


def _numbers(work: Place) -> list[str]:
    filesystem, path = locate(str(work))
    with reachable(str(work)):
        found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
    return sorted(each.base_name for each in found if each.base_name.isdecimal())


def _finish(run: Place, found: ModelRun) -> None:
    with stored(run / _STEP_FILE) as file:
        file.write_text(json.dumps({"accepted": found.decision.accepted, "reasons": found.decision.reasons}) + "\n")


def _keep_newest(work: Place, model: str, number: int, earlier: Place | None) -> None:
    for name in _numbers(work):
        run = work / name / model
        if int(name) <= number - KEPT_STEPS and run != earlier:
            _remove(run)


def _remove_knowing(work: Place, model: str, number: int, erased: Erased) -> None:
    """Removes the earlier steps that know an erased user."""
    for name in _numbers(work):
        if int(name) < number and holds_keys(work / name / model, erased.keys):
            _remove(work / name / model)


def _remove(folder: Place) -> None:
    filesystem, path = locate(str(folder))
    with reachable(str(folder)):
        if filesystem.get_file_info(path).type == fs.FileType.Directory:
            filesystem.delete_dir(path)
