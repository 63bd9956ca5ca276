"""Erasure in a sample set that is one whole: the set without some users, in the place of the one with them."""

import json
from pathlib import Path

import numpy as np
import pytest

from feature_service.features.schema import key_of
from tests.training.streaming.same_samples import batch
from tests.training.streaming.service_logs import START_MS, closed, made_up
from training.__main__ import main
from training.data.erased import NOBODY, Erased
from training.data.errors import DataError
from training.data.hours import HOUR_MS
from training.data.sample_erasing import erase_from_set
from training.data.sample_reader import ABOUT
from training.data.samples_io import read_enters, read_sample_about, read_samples

USER = key_of("user", "user-1")
LATER_MS = START_MS + 100 * HOUR_MS


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """The join of a small service's logs."""
    logs, events = made_up(tmp_path, 41, hours=3)
    logs.append(closed(events), at_once=100)
    return batch(logs)


def test_the_set_is_the_same_without_the_user(samples: Path) -> None:
    before, visits = read_samples(samples), read_enters(samples)
    assert erase_from_set(samples, Erased.of({USER: LATER_MS}))
    after, expected = read_samples(samples), before.of_slates(before.slates.user != USER)
    assert 0 < len(after.slates.user) < len(before.slates.user)
    assert after.slates.user.tolist() == expected.slates.user.tolist()
    for name in ("slate", "room", "labels", "mask"):
        assert np.array_equal(getattr(after.candidates, name), getattr(expected.candidates, name)), name
    assert read_enters(samples).time_ms.tolist() == visits.time_ms[visits.user != USER].tolist()
    about = read_sample_about(samples)
    assert (about.slates, about.candidates) == (len(expected.slates.user), len(expected.candidates.room))
    assert [path.name for path in samples.parent.glob(".*")] == []


def test_what_a_user_does_who_came_back_stays(samples: Path) -> None:
    middle_ms = START_MS + HOUR_MS
    before = read_samples(samples).slates
    erase_from_set(samples, Erased.of({USER: middle_ms}))
    after = read_samples(samples).slates
    gone = (before.user == USER) & (before.time_ms <= middle_ms)
    assert gone.any()
    assert ((before.user == USER) & ~gone).any()
    assert after.time_ms.tolist() == before.time_ms[~gone].tolist()


def test_a_set_that_tells_of_nobody_stays_as_it_is(samples: Path) -> None:
    before = {path: path.read_bytes() for path in samples.iterdir()}
    assert not erase_from_set(samples, NOBODY)
    assert not erase_from_set(samples, Erased.of({key_of("user", "nobody"): LATER_MS}))
    assert {path: path.read_bytes() for path in samples.iterdir()} == before


def test_an_exchange_that_broke_off_is_done_the_next_time(samples: Path) -> None:
    """As after the end of the process between the two renames: the set is missing, and the new one is whole."""
    samples.rename(samples.with_name(".erasing-batch"))
    assert erase_from_set(samples, Erased.of({USER: LATER_MS}))
    assert USER not in read_samples(samples).slates.user


def test_a_copy_that_broke_off_is_begun_anew(samples: Path) -> None:
    unfinished = samples.with_name(".erasing-batch")
    unfinished.mkdir()
    (unfinished / "slates-00007.parquet").write_text("half a shard")
    assert erase_from_set(samples, Erased.of({USER: LATER_MS}))
    assert not unfinished.exists()
    assert "slates-00007.parquet" not in {path.name for path in samples.iterdir()}


def test_what_is_no_finished_set_is_refused(samples: Path) -> None:
    (samples / ABOUT).unlink()
    with pytest.raises(DataError, match="batch: expected a finished sample set, found no about"):
        erase_from_set(samples, NOBODY)


def test_the_verb_erases_whom_the_service_has_noted(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noted = samples.parent / "erasures.jsonl"
    words = ["erase", "--erasures", str(noted), "--samples", str(samples)]
    assert main(words) == 0  # Nobody was erased so far.
    noted.write_text(json.dumps({"key": USER, "time_ms": LATER_MS, "position": 5, "user_id": ""}) + "\n")
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{samples}: tells of nobody who was erased",
        f"{samples}: written anew",
    ]
    assert USER not in read_samples(samples).slates.user


def test_a_folder_of_erasures_that_is_not_there_is_refused(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--erasures", "nowhere/erasures.jsonl", "--samples", str(samples)]) == 2
    assert "nowhere/erasures.jsonl: expected the erasures of a service, found no such folder" in capsys.readouterr().err
