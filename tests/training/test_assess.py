"""A candidate beside the version that serves."""

from pathlib import Path
from typing import Any

import pytest

from tests.training.worlds import ENCODINGS, toy_world
from training.assess import Assessment, assess, gate
from training.data.dataset import Dataset
from training.data.examples import repacked
from training.data.samples import Samples
from training.data.split import Split
from training.export import export
from training.layers.fitted import fit
from training.run_config import choose, parse_config
from training.trained import RunFiles, TrainedError, TrainedModel, blueprint_of, build

SAMPLES = toy_world(60, seed=1).samples


class AnyCatalog:
    """A catalogue that fills every layout."""

    def check(self, _layout: object) -> list[str]:
        """No problem."""
        return []


def dataset(samples: Samples) -> Dataset:
    """A data set of which a ranker's assessment reads the test part alone."""
    nothing: Any = None
    catalog: Any = AnyCatalog()
    parts = Split(samples, samples, samples)
    return Dataset(about=nothing, catalog=catalog, at=nothing, split=parts, rooms=nothing, enters=nothing)


def untrained(samples: Samples, candidate: str, seen_until_ms: int = -1) -> TrainedModel:
    """A ranker with the weights that it starts from."""
    table = {
        "model": "mmoe",
        "features": {"user": ["user.id"], "candidate": [candidate]},
        "heads": {"enter": 1.0},
        "options": {"experts": 2, "expert": [8], "tower": [4]},
    }
    config = parse_config(table, "test")
    layout = choose(samples.layout, config.features, ("enter",))
    fitted = fit(repacked(samples, layout), layout, ENCODINGS, min_count=1)
    return TrainedModel(
        build(RunFiles(config, blueprint_of(config, layout, ENCODINGS, fitted))), config, [], seen_until_ms
    )


def judged(trained: TrainedModel, samples: Samples, base_path: Path) -> tuple[Assessment, Any]:
    """What a model is worth, and the gate's answer."""
    found = assess(trained, dataset(samples))
    return found, gate(trained, found, dataset(samples), base_path)


def test_the_model_that_serves_passes_as_its_own_candidate(tmp_path: Path) -> None:
    trained = untrained(SAMPLES, "streamer.id")
    _, first = judged(trained, SAMPLES, tmp_path / "mmoe")
    assert (first.accepted, first.notes) == (True, ("no model serves: nothing to compare with",))
    (tmp_path / "mmoe").mkdir()
    export(trained.model, tmp_path / "mmoe" / "1")
    assert judged(trained, SAMPLES, tmp_path / "mmoe")[1].accepted


def test_a_candidate_is_refused_where_the_samples_lack_what_the_serving_model_reads(tmp_path: Path) -> None:
    export(untrained(SAMPLES, "streamer.id").model, tmp_path / "1")
    choice = parse_config({"model": "mmoe", "features": {"user": ["*"], "candidate": ["room.*"]}}, "test").features
    fewer = repacked(SAMPLES, choose(SAMPLES.layout, choice, SAMPLES.layout.heads))
    _, decision = judged(untrained(fewer, "room.category"), fewer, tmp_path)
    assert not decision.accepted
    (reason,) = decision.reasons
    assert reason.startswith("version 1, which serves, cannot be compared on these samples: candidate_ids: expected")
    assert decision.notes == ()


def test_a_model_is_not_judged_on_what_it_was_trained_with() -> None:
    # The first slate of the toy world is at 0 ms.
    with pytest.raises(TrainedError, match=r"mmoe: expected a test part after all .*, until 0, received one from 0 on"):
        assess(untrained(SAMPLES, "streamer.id", seen_until_ms=0), dataset(SAMPLES))
