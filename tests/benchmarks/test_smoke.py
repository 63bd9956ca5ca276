"""The benchmarks run, at toy size: their numbers mean nothing here, but each of them is there and is finite."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import (
    beside,
    channels,
    index,
    logs,
    observed,
    overload,
    recommend,
    replay,
    served,
    start,
    stores,
    visible,
)
from tests.benchmarks.table import lines
from tests.benchmarks.world import Size
from tests.feature_service.redis_process import needs_redis

TOY = Size(rooms=300, viewers=20, known_users=40)


def _numbers(found: Any) -> Iterator[float]:
    if isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from _numbers(each)
    elif not isinstance(found, str):
        yield found


def _check(part: str, found: Any) -> None:
    """Every number is finite, survives JSON, and the part has a table."""
    numbers = list(_numbers(json.loads(json.dumps(found))))
    assert numbers
    assert all(map(math.isfinite, numbers))
    assert len(list(lines({"machine": benchmarks.machine(), part: found}))) > 2


def _quiet(text: str) -> None:
    """Tells nobody."""


@pytest.mark.slow
def test_recommend_is_measured_beside_bare_predicts(tmp_path: Path) -> None:
    plan = recommend.Plan(size=TOY, clients=(1, 2), rounds=1, seconds=0.3)
    found = recommend.measure(plan, tmp_path, _quiet)
    _check("recommend", found)
    assert [level["recommend"]["clients"] for level in found["levels"]] == [1, 2]
    assert set(found["own"]["stages_ms"]) == {"recall", "merge", "filter", "rank", "rerank", "compose"}


@pytest.mark.slow
def test_overload_is_measured_by_rates(tmp_path: Path) -> None:
    plan = overload.Plan(size=TOY, clients=2, multiples=(0.5, 2.0), seconds=0.6, deadline_s=20.0)
    found = overload.measure(plan, tmp_path, _quiet)
    _check("overload", found)
    assert [level["multiple"] for level in found["levels"]] == [0.5, 2.0]
    assert all(level["failed"] == 0 and level["goodput"] > 0 for level in found["levels"])


@pytest.mark.slow
def test_recommend_is_measured_with_and_without_the_served_log(tmp_path: Path) -> None:
    found = served.measure(beside.Plan(size=TOY, clients=(2,), rounds=1, seconds=0.3), tmp_path, _quiet)
    _check("served", found)
    assert found["logged"] == found["answers"] > 0


@pytest.mark.slow
def test_recommend_is_measured_with_and_without_metrics(tmp_path: Path) -> None:
    found = observed.measure(beside.Plan(size=TOY, clients=(2,), rounds=1, seconds=0.3), tmp_path, _quiet)
    _check("observed", found)
    assert found["samples"] > 100


@pytest.mark.slow
def test_every_channel_is_measured_with_and_without_it(tmp_path: Path) -> None:
    found = channels.measure(channels.Plan(size=TOY, rounds=1, seconds=0.2), tmp_path, _quiet)
    _check("channels", found)
    assert {"followed", "two_tower", "item_cf", "mf", "neumf", "hot"} <= {each["channel"] for each in found["channels"]}


def test_the_live_index_is_measured_beside_a_memory_pass() -> None:
    plan = index.Plan(sizes=(300,), approximate=(500,), width=8, k=20, rounds=2, writes=20, probe=1.0)
    found = index.measure(plan, _quiet)
    _check("index", found)
    assert [each["rooms"] for each in found["exact"]] == [300]
    assert [each["recall"] for each in found["approximate"]] == [1.0, 1.0]


def test_replay_is_measured_in_slates_of_about_ten() -> None:
    found = replay.measure(replay.Plan(users=50, streamers=40, days=0.05, warm_up_events=200), _quiet)
    _check("replay", found)
    assert 8 < found["slate_size"] <= 10


def test_start_is_measured_with_rooms_and_known_users(tmp_path: Path) -> None:
    found = start.measure(start.Plan((Size(rooms=0, viewers=0, known_users=0), TOY)), tmp_path, _quiet)
    _check("start", found)
    assert [each["rooms"] for each in found] == [0, 300]


@needs_redis
def test_both_stores_are_measured_with_the_same_records(tmp_path: Path) -> None:
    found = stores.measure(stores.Plan(TOY, reads=10, changed=15, rounds=1), tmp_path, _quiet)
    _check("stores", found)
    assert [each["store"] for each in found] == ["SQLite", "Redis"]
    assert all(each["changed"] == 15 for each in found)


@pytest.mark.slow
@needs_redis
def test_what_viewers_do_is_timed_until_one_process_and_two_replicas_show_it(tmp_path: Path) -> None:
    plan = visible.Plan(rooms=10, viewers=20, rate=100, seconds=0.5)
    found = visible.measure(plan, tmp_path, _quiet)
    _check("visible", found)
    assert [(each["store"], each["answering"]) for each in found["stores"]] == [("SQLite", 1), ("Redis", 2)]


@pytest.mark.slow
def test_reports_are_measured_with_each_log(tmp_path: Path) -> None:
    found = logs.measure(logs.Plan(clients=(1, 2), rounds=1, seconds=0.3), tmp_path, _quiet)
    _check("logs", found)
    assert [each["clients"] for each in found if each["log"] == "local"] == [1, 2]


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        benchmarks.main(["recomend"])
    assert (
        "part: expected one of recommend, overload, served, observed, index, channels, replay, start, stores, logs, "
        "visible, received 'recomend'" in capsys.readouterr().err
    )
