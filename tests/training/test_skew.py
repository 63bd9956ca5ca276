"""Skew: a replay finds what was served to the last bit, and says so where something differs."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_service.boot import LOG_FOLDER, SERVED_FOLDER
from feature_service.features.catalog import build_catalog
from feature_service.log.reader import read_log, read_records
from feature_service.log.record_log import RecordLog
from feature_service.served.slate import SLATES, ServedSlate
from feature_service.stores.protocol import StoreError
from tests.feature_service.served.showing import CATALOG, SLATE, Showing, full_ranker, showing
from training.__main__ import main
from training.data.errors import DataError
from training.data.sources import write_log
from training.seed import seed
from training.skew import Skew, measure_skew

REQUESTS = 40
VIEWERS = 7


async def serve_a_crowd(shown: Showing) -> None:
    """Viewers come back, and each does something between two requests, so that every slate has another position."""
    for number in range(REQUESTS):
        user = f"viewer-{number % VIEWERS}"
        answer = await shown.show(user)
        await shown.see(user, answer, rooms=1 + number % SLATE)


async def serve_twice(data: Path) -> None:
    """A service shows slates to a crowd, and is started again in the middle."""
    async with showing(data) as shown:
        await serve_a_crowd(shown)
    async with showing(data, clock=shown.clock) as again:
        again.number = shown.number
        await serve_a_crowd(again)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of `serve_twice`."""
    data = tmp_path_factory.mktemp("crowd")
    asyncio.run(serve_twice(data))
    return data


def skew_of(data: Path, **options: Any) -> Skew:
    """The skew of a service's logs."""
    return measure_skew(data / LOG_FOLDER, data / SERVED_FOLDER, CATALOG, **options)


def changed(data: Path, target: Path, change: Callable[[ServedSlate], ServedSlate]) -> Skew:
    """The skew of the same event log and a changed served log."""
    (target / SERVED_FOLDER).mkdir()
    (target / SERVED_FOLDER / "layouts").symlink_to(data / SERVED_FOLDER / "layouts")
    log = RecordLog[ServedSlate].opened(target / SERVED_FOLDER, SLATES)
    log.append([change(slate) for _, slate in read_records(data / SERVED_FOLDER, 0, SLATES)])
    log.close()
    return measure_skew(data / LOG_FOLDER, target / SERVED_FOLDER, CATALOG)


def test_nothing_differs(crowd: Path) -> None:
    found = skew_of(crowd)
    assert (found.slates, found.impressions, found.skipped) == (2 * REQUESTS, 2 * REQUESTS * SLATE, {})
    assert found.differing == 0
    layout = CATALOG.layout()
    assert set(found.features) == {column.spec for tensor in layout.tensors for column in tensor.columns}
    # A number a slate, a number a shown room, 50 numbers a slate of a sequence, two a room of the content vector.
    assert found.features["user.id@1:int64:1"].values == 2 * REQUESTS
    assert found.features["room.viewers@1:float32:1"].values == 2 * REQUESTS * SLATE
    assert found.features["user.watched.dwell_s@1:float32:1:50"].values == 2 * REQUESTS * 50
    assert found.features["room.content@1:float32:2"].values == 2 * REQUESTS * SLATE * 2


def test_a_position_that_is_one_event_off_is_found(crowd: Path, tmp_path: Path) -> None:
    found = changed(crowd, tmp_path, lambda slate: replace(slate, log_position=slate.log_position - 1))
    # The last event before a slate was the leave of the one before: 90 s watched in its room.
    assert found.features["room.watch_s.total@1:float32:1"].differing > 0
    assert found.features["room.watch_s.total@1:float32:1"].greatest == 90
    # The first slate came right after the last room had started, which has as many viewers as its number says.
    assert found.features["room.viewers@1:float32:1"].differing == 1


def test_a_clock_that_is_a_second_off_is_found(crowd: Path, tmp_path: Path) -> None:
    found = changed(crowd, tmp_path, lambda slate: replace(slate, served_ms=slate.served_ms + 1_000))
    on_air = found.features["room.minutes_on_air@1:float32:1"]
    assert on_air.differing == on_air.values
    assert on_air.greatest == pytest.approx(1 / 60, rel=1e-3)


def test_another_context_is_found(crowd: Path, tmp_path: Path) -> None:
    found = changed(crowd, tmp_path, lambda slate: replace(slate, context=replace(slate.context, device="tv")))
    assert [each.spec for each in found.features.values() if each.differing] == ["context.device@1:int64:1"]
    assert found.features["context.device@1:int64:1"].differing == 2 * REQUESTS


def test_the_rows_of_other_rooms_are_found(crowd: Path, tmp_path: Path) -> None:
    found = changed(crowd, tmp_path, lambda slate: replace(slate, rooms=slate.rooms[1:] + slate.rooms[:1]))
    assert found.features["streamer.id@1:int64:1"].differing == found.impressions
    assert found.features["user.id@1:int64:1"].differing == 0


def test_a_single_bit_is_found_and_named(crowd: Path, tmp_path: Path) -> None:
    viewers = CATALOG.layout()["candidate_floats"].slices()["room.viewers"].start
    first = next(slate for _, slate in read_records(crowd / SERVED_FOLDER, 0, SLATES))

    def flip(slate: ServedSlate) -> ServedSlate:
        if slate.request_id != first.request_id:
            return slate
        floats = slate.tensors["candidate_floats"].copy()
        floats[3, viewers] = np.nextafter(floats[3, viewers], np.float32(1e9))
        return replace(slate, tensors={**slate.tensors, "candidate_floats": floats})

    found = changed(crowd, tmp_path, flip)
    assert found.differing == 1
    room = first.rooms[3].room_id
    number = room.partition("-")[2]  # Which is how many viewers it has.
    feature = found.features["room.viewers@1:float32:1"]
    assert feature.example.startswith(f"request {first.request_id} room {room}: {number}.0000")
    assert feature.example.endswith(f"served, {number}.0 replayed")


def test_a_position_that_the_log_does_not_reach_is_counted(crowd: Path, tmp_path: Path) -> None:
    beyond = sum(1 for _ in read_log(crowd / LOG_FOLDER, 0)) + 1
    last = [slate for _, slate in read_records(crowd / SERVED_FOLDER, 0, SLATES)][-1].request_id
    found = changed(
        crowd, tmp_path, lambda slate: replace(slate, log_position=beyond) if slate.request_id == last else slate
    )
    assert found.skipped == {"position not in the log": 1}
    assert (found.slates, found.differing) == (2 * REQUESTS - 1, 0)


def test_the_order_of_the_records_does_not_matter(crowd: Path, tmp_path: Path) -> None:
    slates = [slate for _, slate in read_records(crowd / SERVED_FOLDER, 0, SLATES)]
    backwards = iter(slates[::-1])
    found = changed(crowd, tmp_path, lambda _: next(backwards))
    assert (found.slates, found.differing, found.skipped) == (2 * REQUESTS, 0, {})


async def test_a_user_who_was_served_without_the_store_is_counted_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(key: int) -> None:
        raise StoreError("the store is away")

    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
        with monkeypatch.context() as broken:
            broken.setattr(shown.stack.service.keeper, "ensure_user", fail)
            await shown.show("stranger")
    found = skew_of(tmp_path)
    assert found.skipped == {"built without the store": 1}
    assert (found.slates, found.differing) == (1, 0)


async def test_slates_of_two_rankers_are_each_compared_by_their_own_columns(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
    async with showing(tmp_path, model=full_ranker(patterns=("user.id", "room.viewers")), clock=shown.clock) as again:
        await again.show("one")
    found = skew_of(tmp_path)
    assert (found.slates, found.differing) == (2, 0)
    assert found.features["user.id@1:int64:1"].values == 2
    assert found.features["streamer.id@1:int64:1"].values == SLATE


def test_columns_that_this_catalogue_lacks_are_counted(crowd: Path) -> None:
    with pytest.raises(DataError, match=r"found none; skipped: .*columns that this catalogue lacks': 80"):
        measure_skew(crowd / LOG_FOLDER, crowd / SERVED_FOLDER, build_catalog(3))


async def test_a_service_that_was_seeded_is_compared_with_its_history(tmp_path: Path) -> None:
    async with showing(tmp_path / "first") as shown:
        await serve_a_crowd(shown)
        await shown.pass_hours(3)
    history, data = tmp_path / "history", tmp_path / "seeded"
    write_log(history, (event for _, event in read_log(tmp_path / "first" / LOG_FOLDER, 0)))
    seeded = seed(history, shown.clock.now_ms, data, CATALOG)
    assert seeded.position > REQUESTS  # There is something in the store, and the log begins behind it.
    async with showing(data, clock=shown.clock, rooms=0) as again:
        again.number = shown.number
        await serve_a_crowd(again)
    found = skew_of(data, history=history)
    assert (found.slates, found.differing, found.skipped) == (REQUESTS, 0, {})
    with pytest.raises(DataError, match=f"expected a log from position 0, received one from {seeded.position}"):
        skew_of(data)
    short = tmp_path / "short"
    write_log(short, (event for _, event in list(read_log(tmp_path / "first" / LOG_FOLDER, 0))[:9]))
    with pytest.raises(DataError, match=f"short: expected the {seeded.position} events before .* log, found 9"):
        skew_of(data, history=short)


SETTINGS = "[service]\ncontent_width = 2\n"


def test_the_verb_prints_both_tables_and_ends_with_0(
    crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    places = ["--log", str(crowd / LOG_FOLDER), "--served", str(crowd / SERVED_FOLDER)]
    given = [*places, "--settings", str(tmp_path / "settings.toml"), "--json", str(tmp_path / "skew.json")]
    assert main(["skew", *given]) == 0
    printed = capsys.readouterr().out
    assert f"{2 * REQUESTS * SLATE:,} served impressions in {2 * REQUESTS} slates" in printed
    assert " 0 differ." in printed
    found = json.loads((tmp_path / "skew.json").read_text())
    assert (found["differing"], found["slates"], sum(found["drift"]["slates"])) == (0, 2 * REQUESTS, 2 * REQUESTS)


def test_the_verb_ends_with_1_if_anything_differs(
    crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(crowd, tmp_path, lambda slate: replace(slate, served_ms=slate.served_ms + 1))
    (tmp_path / "settings.toml").write_text(SETTINGS)
    places = ["--log", str(crowd / LOG_FOLDER), "--served", str(tmp_path / SERVED_FOLDER)]
    assert main(["skew", *places, "--settings", str(tmp_path / "settings.toml")]) == 1


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (("yesterday", "2027-01-16/2027-01-17"), "--windows: expected FROM/TO in ISO 8601, received 'yesterday'"),
        (("2027-01-15/2027-01-14", "2027-01-16/2027-01-17"), "--windows: expected FROM before TO"),
        (("2027-01-15/2027-01-16", "2020-01-01/2020-01-02"), "found none in 2020-01-01/2020-01-02"),
    ],
)
def test_windows_that_cannot_be_are_refused(
    crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], windows: tuple[str, str], said: str
) -> None:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    places = ["--log", str(crowd / LOG_FOLDER), "--served", str(crowd / SERVED_FOLDER)]
    assert main(["skew", *places, "--settings", str(tmp_path / "settings.toml"), "--windows", *windows]) != 0
    assert said in capsys.readouterr().err
