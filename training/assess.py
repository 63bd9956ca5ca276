"""Assess: a model on the test part, beside its baselines, and against the version that serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import base_path as base_paths
from training.callable_model import CallableModel
from training.data.dataset import Dataset
from training.data.examples import LayoutMismatchError
from training.data.samples import Samples
from training.evaluate import RankingReport, evaluate_ranking
from training.evaluate_recall import MOST_CASES, RecallCases, RecallReport, evaluate_recall
from training.gate import Decision, Measure, decide, output_problems, ranking_measures, recall_measures
from training.models.ranking.base import Ranker
from training.predict import predict
from training.ranking_baselines import ranking_baselines
from training.recall_baselines import Scorer, recall_baselines
from training.recall_scorers import ModelScorer, recall_scorer
from training.served import PublishedRanker
from training.storage import Place, fetched
from training.trained import TrainedError, TrainedModel

GATE_SLATES = 1_500
"""Test slates on which candidate and serving model are compared; the serving one is asked a slate at a time."""

CANDIDATE = "candidate"
SERVING = "serving"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a model is worth.

    Attributes:
        name: The model's name.
        ranking: Its report, of a ranker.
        recall: Its report with the baselines, of a recall model.
        outputs: Its outputs on the test part, by name, for the check that they are finite.
    """

    name: str
    ranking: RankingReport | None
    recall: RecallReport | None
    outputs: Mapping[str, NDArray[np.floating]]

    @property
    def measures(self) -> dict[str, Measure]:
        """The numbers that the gate and the manifest speak of."""
        if self.recall is not None:
            return recall_measures(self.recall, self.name)
        return ranking_measures(self.ranking) if self.ranking is not None else {}


def assess(trained: TrainedModel, dataset: Dataset, name: str = "") -> Assessment:
    """A trained model on the test part.

    Args:
        trained: The model.
        dataset: Its test part must lie after all that the model has seen.
        name: In the report; the model's own if not given.

    Raises:
        TrainedError: The model has seen a part of the test.
    """
    name, model = name or trained.config.model, trained.model
    first_ms = int(dataset.split.test.slates.time_ms.min())
    if first_ms <= trained.seen_until_ms:
        raise TrainedError(
            f"{name}: expected a test part after all that it was trained with, until {trained.seen_until_ms}, "
            f"received one from {first_ms} on: give the fractions of its run"
        )
    if not isinstance(model, Ranker):
        scorer = model_scorer(CallableModel.of(model), dataset)
        return Assessment(name, None, _recall(dataset, {name: scorer}), scorer.outputs())
    predictions = predict(model, dataset.split.test)
    report = evaluate_ranking(predictions, dataset.split.test, model=name, heads=model.layout.heads)
    return Assessment(name, report, None, {"predictions": predictions})


def baseline_reports(dataset: Dataset) -> list[RankingReport]:
    """Popularity and random on the test part, for all heads that have labels."""
    heads = dataset.split.test.layout.heads
    found = ranking_baselines(dataset.split.training, dataset.split.test, heads)
    return [evaluate_ranking(values, dataset.split.test, model=name, heads=heads) for name, values in found.items()]


def gate(
    trained: TrainedModel, assessment: Assessment, dataset: Dataset, base_path: Place, problems: Sequence[str] = ()
) -> Decision:
    """Whether a model may replace the version that stands in `base_path`; both see the same test slates.

    A version that these samples cannot be shown to, as they lack a column that it reads, forbids the candidate: nobody
    knows whether it is worse. `problems` are further reasons to refuse it.
    """
    problems = [*problems, *output_problems(assessment.outputs), *dataset.catalog.check(trained.model.layout)]
    existing = base_paths.versions(base_path)
    if not existing or problems:
        return decide(assessment.measures, None, problems=problems)
    try:
        with fetched(base_path / str(existing[-1])) as published:
            return _compared(trained, dataset, published)
    except LayoutMismatchError as error:
        problem = f"version {existing[-1]}, which serves, cannot be compared on these samples: {error}"
        return decide(assessment.measures, None, problems=[problem])


def model_scorer(model: CallableModel, dataset: Dataset) -> ModelScorer:
    """The scorer of a recall model for the viewers of the test part and the rooms of the data set.

    Raises:
        LayoutMismatchError: The samples lack a column that the model reads.
    """
    test = dataset.split.test
    return recall_scorer(model, test.slates, dataset.rooms, test.layout)


def _compared(trained: TrainedModel, dataset: Dataset, published: Path) -> Decision:
    """The gate's answer on the test slates, of which a ranker sees the first.

    Raises:
        LayoutMismatchError: The samples lack a column that the published model reads.
    """
    model = trained.model
    if not isinstance(model, Ranker):
        theirs = model_scorer(CallableModel.load(published), dataset)
        ours = model_scorer(CallableModel.of(model), dataset)
        report = _recall(dataset, {CANDIDATE: ours, SERVING: theirs})
        return decide(recall_measures(report, CANDIDATE), recall_measures(report, SERVING))
    few, serving = _first_slates(dataset.split.test, GATE_SLATES), PublishedRanker(published)
    ours = evaluate_ranking(predict(model, few), few, model=CANDIDATE, heads=model.layout.heads)
    theirs = evaluate_ranking(serving.predictions(few), few, model=SERVING, heads=serving.layout.heads)
    return decide(ranking_measures(ours), ranking_measures(theirs))


def _recall(dataset: Dataset, models: Mapping[str, Scorer]) -> RecallReport:
    scorers = {**models, **recall_baselines(dataset.enters, dataset.rooms, dataset.at.validation_ms)}
    return evaluate_recall(
        RecallCases.of(dataset.split.test), dataset.rooms, scorers, dataset.enters, most_cases=MOST_CASES
    )


def _first_slates(samples: Samples, count: int) -> Samples:
    keep = np.zeros(len(samples.slates.user), np.bool_)
    keep[:count] = True
    return samples.of_slates(keep)
