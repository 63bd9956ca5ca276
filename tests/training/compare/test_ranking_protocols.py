"""The protocols of the comparison of rankers: their splits and labels, on small tables of the same columns."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.compare.census_tables import write_census
from training.compare.ranking.census import census_data
from training.compare.ranking.data import RankingData
from training.compare.ranking.kuairand import kuairand_data
from training.compare.ranking.rows import nets_of
from training.compare.ranking.settings import Settings, config_of
from training.data.samples import Samples
from training.heads import HEAD_NAMES
from training.layers.fitted import fit
from training.models import MODELS
from training.run_config import choose
from training.trained import blueprint_of

BEIJING = timedelta(hours=8)


def label(samples: Samples, head: str) -> list[float]:
    column = HEAD_NAMES.index(head)
    assert samples.candidates.mask[:, column].all()
    return samples.candidates.labels[:, column].tolist()


@pytest.fixture
def kuairand(tmp_path: Path) -> Path:
    """Six impressions, two a part; the last one a minute before the log ends."""
    whens = [datetime(2022, 4, day, 12, tzinfo=UTC) - BEIJING for day in (16, 17, 18, 18, 19, 20)]
    columns = {
        "user_id": [1, 2, 1, 2, 1, 2],
        "video_id": [1, 2, 3, 1, 2, 3],
        "time_ms": [int((when + timedelta(seconds=row)).timestamp() * 1000) for row, when in enumerate(whens)],
        "date": [20220416, 20220417, 20220418, 20220418, 20220419, 20220420],
        "is_click": [1, 0, 1, 1, 0, 1],
        "long_view": [1, 1, 0, 1, 0, 1],
        "play_time_ms": [20_000, 20_000, 1_000, 30_000, 0, 20_000],
        "duration_ms": [0] * 6,
        "is_like_not_hate": [1] * 6,
        **dict.fromkeys(("is_follow", "is_comment", "is_forward"), [0] * 6),
    }
    order = [4, 5, 0, 2, 1, 3]  # A file need not be in order of time.
    source = tmp_path / "kuairand"
    source.mkdir()
    pq.write_table(pa.table(columns).take(order), source / "interactions.parquet")
    return source


def test_kuairand_is_split_by_the_days_of_the_file(kuairand: Path, tmp_path: Path) -> None:
    parts = kuairand_data(kuairand, tmp_path / "work").split
    assert [len(part.slates.user) for part in (parts.training, parts.validation, parts.test)] == [2, 2, 2]


def test_kuairands_labels_are_the_files_even_at_the_end_of_the_log(kuairand: Path, tmp_path: Path) -> None:
    parts = kuairand_data(kuairand, tmp_path / "work").split
    assert label(parts.training, "enter") == [1, 0]
    assert label(parts.training, "long_watch") == [1, 0]  # A long view without a click is no conversion.
    assert label(parts.validation, "long_watch") == [0, 1]
    assert label(parts.test, "enter") == [0, 1]
    assert label(parts.test, "long_watch") == [0, 1]


@pytest.fixture
def census(tmp_path: Path) -> Path:
    write_census(tmp_path)
    return tmp_path


def test_census_maps_its_two_tasks_to_heads(census: Path) -> None:
    test = census_data(census).split.test
    assert label(test, "enter") == [0.0] * 30 + [1.0] * 10
    assert label(test, "long_watch") == [1.0, 0.0] * 20


def test_census_reads_neither_its_tasks_nor_the_surveys_weight(census: Path) -> None:
    layout = census_data(census).split.test.layout
    names = {column.name for tensor in layout.tensors for column in tensor.columns}
    assert not names & {"income", "marital_stat", "instance_weight"}
    assert {"age", "sex", "capital_gains", "det_occ_code"} <= names


def test_census_keeps_a_tenth_of_the_training_file_for_validation(census: Path) -> None:
    parts = census_data(census).split
    assert len(parts.training.slates.user) + len(parts.validation.slates.user) == len(parts.test.slates.user) == 40
    assert 0 < len(parts.validation.slates.user) < 12
    assert not set(parts.training.slates.user) & set(parts.validation.slates.user)


def models_of(row: str, settings: Settings, data: RankingData) -> list[object]:
    """The models of a row's nets, made for the columns and heads of the data."""
    training = data.split.training
    models: list[object] = []
    for net in nets_of(row, training.layout.heads):
        config = config_of(net, settings, seed=1)
        layout = choose(training.layout, config.features, net.heads)
        fitted = fit(training, layout, data.encodings, min_count=1)
        kind: Any = MODELS[net.ranker]
        models.append(kind(blueprint_of(config, layout, data.encodings, fitted), config.options))
    return models


@pytest.mark.parametrize("row", Settings.load("census").rows)
def test_every_row_of_census_can_be_made_of_its_columns(row: str, census: Path) -> None:
    assert models_of(row, Settings.load("census"), census_data(census))


@pytest.mark.skipif("ONAIR_DATA" not in os.environ, reason="ONAIR_DATA names the folder of the data sets")
def test_the_parts_of_the_real_kuairand_are_as_published_beside_it(tmp_path: Path) -> None:
    parts = kuairand_data(Path(os.environ["ONAIR_DATA"]) / "kuairand_27k_like_hate", tmp_path).split
    assert [len(part.slates.user) for part in (parts.training, parts.validation, parts.test)] == [33_485, 2_231, 4_367]


@pytest.mark.skipif("ONAIR_DATA" not in os.environ, reason="ONAIR_DATA names the folder of the data sets")
def test_the_real_census_has_the_published_rates() -> None:
    test = census_data(Path(os.environ["ONAIR_DATA"]) / "census_income_kdd").split.test
    # 6.2 % of 99,762 earn more than 50K, 43.2 % were never married; the file is a random half of that test.
    assert np.mean(label(test, "enter")) == pytest.approx(0.062, abs=0.002)
    assert np.mean(label(test, "long_watch")) == pytest.approx(0.432, abs=0.01)
