"""What a run says of several models at once."""

from dataclasses import replace
from typing import Any

from tests.training.test_assess import SAMPLES, dataset
from training.assess import Assessment
from training.data.samples_io import SampleAbout
from training.evaluate import Estimate
from training.evaluate_recall import RecallReport, Segment
from training.run import evaluation

ABOUT = SampleAbout("log", "", (), (), "", 0, 1, 2, 3, 4, 5, 6, 7, 8)


def recall(**values: float) -> RecallReport:
    """A report in which each scorer has a recall@1."""
    metrics: Any = {name: {"all": {"recall@1": Estimate(value)}} for name, value in values.items()}
    segments = {name: Segment(1, comparable=False) for name in ("all", "new", "repeat")}
    return RecallReport(1, 1, 1, 0, 0, 10.0, 10, (1,), (), segments, metrics)


def test_all_recall_models_stand_in_the_report_before_the_baselines() -> None:
    one = Assessment("one", None, recall(one=0.4, random=0.1), {})
    two = Assessment("two", None, recall(two=0.5, random=0.1), {})
    data = replace(dataset(SAMPLES), about=ABOUT)
    found = evaluation(data, [one, two]).recall
    assert found is not None
    assert {name: parts["all"]["recall@1"].value for name, parts in found.metrics.items()} == {
        "one": 0.4,
        "two": 0.5,
        "random": 0.1,
    }
    assert list(found.metrics) == ["one", "two", "random"]
