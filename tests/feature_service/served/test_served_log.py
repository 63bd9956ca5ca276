"""The served log: what it holds of an answer, of which answers, and what becomes of it when the disk is full."""

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_service import boot, settings
from feature_service.admin.what_if import Wish
from feature_service.checks import Asked
from feature_service.features.layout import CANDIDATE_TENSORS
from feature_service.log.protocol import LogError
from feature_service.log.reader import read_records
from feature_service.log.record_log import RecordLog
from feature_service.served.layouts import read_layout
from feature_service.served.log import ServedLog, is_sampled
from feature_service.served.slate import SLATES, ServedSlate
from feature_service.settings import SettingsError
from tests.feature_service.running_service import PATIENCE_S
from tests.feature_service.served.showing import CATALOG, CONTEXT, SLATE, full_ranker, showing


def served(data: Path) -> list[ServedSlate]:
    """All that a closed service has logged."""
    return [slate for _, slate in read_records(data / boot.SERVED_FOLDER, 0, SLATES)]


async def test_a_slate_is_logged_as_it_was_answered(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        answer = await shown.show("viewer")
    (slate,) = served(tmp_path)
    assert (slate.request_id, slate.user_id, slate.arm) == (answer.request_id, "viewer", "")
    assert (slate.served_ms, slate.log_position) == (answer.now_ms, answer.log_position)
    assert (slate.ranker, slate.ranker_version, slate.heads) == ("mmoe", 1, ("enter", "like"))
    assert (slate.context.scene, slate.context.device) == ("home", CONTEXT.device)
    assert slate.fingerprint == CATALOG.fingerprint
    logged = [(each.room_id, each.streamer_id, each.position, each.score, each.propensity) for each in slate.rooms]
    assert logged == [
        (card.room_id, card.streamer_id, card.position, card.score, card.propensity) for card in answer.rooms
    ]


async def test_the_logged_tensors_are_the_rows_of_the_shown_rooms_that_the_ranker_was_called_with(
    tmp_path: Path,
) -> None:
    model, called = full_ranker(), []
    compute = model.compute["serving_default"]

    def remember(version: int, inputs: dict[str, np.ndarray]) -> np.ndarray:
        called.append(inputs)
        return compute(version, inputs)  # pyright: ignore[reportReturnType]

    model.compute["serving_default"] = remember  # pyright: ignore[reportArgumentType]
    async with showing(tmp_path, model=model) as shown:
        await shown.show("viewer")
    (slate,), (inputs,) = served(tmp_path), called
    assert read_layout(tmp_path / boot.SERVED_FOLDER, slate.layout) == model.layout
    assert set(slate.tensors) == set(inputs)
    # Which row is a room's: the ranker was told the key of its streamer, who has one room.
    ids = model.layout["candidate_ids"].slices()["streamer.id"].start
    keys = inputs["candidate_ids"][:, ids].tolist()
    rows = [keys.index(key) for key in slate.tensors["candidate_ids"][:, ids].tolist()]
    assert len(set(rows)) == SLATE
    for name, tensor in inputs.items():
        expected = tensor[rows] if name in CANDIDATE_TENSORS else tensor
        assert slate.tensors[name].tobytes() == expected.tobytes()
        assert slate.tensors[name].dtype == expected.dtype
    # The fullest room comes first: of viewers / 1000 as float32, and half of it.
    viewers = model.layout["candidate_floats"].slices()["room.viewers"].start
    for room, row in zip(slate.rooms, rows, strict=True):
        full = np.float32(inputs["candidate_floats"][row, viewers] / 1000)
        assert room.predictions == (float(full), float(full / 2))


async def test_without_a_ranker_the_rest_is_logged(tmp_path: Path) -> None:
    async with showing(tmp_path, more='[scene]\nranker = ""\n') as shown:
        answer = await shown.show("viewer")
    (slate,) = served(tmp_path)
    assert (slate.ranker, slate.layout, slate.heads, slate.tensors) == ("", "", (), {})
    assert [room.room_id for room in slate.rooms] == [card.room_id for card in answer.rooms]
    assert {room.predictions for room in slate.rooms} == {()}


async def test_a_ranker_that_fails_leaves_no_tensors_and_the_slate_says_so(tmp_path: Path) -> None:
    model = full_ranker()
    model.compute["serving_default"] = lambda *_: np.zeros((1, 7), np.float32)  # Of another shape.
    async with showing(tmp_path, model=model) as shown:
        await shown.show("viewer")
    (slate,) = served(tmp_path)
    assert (slate.ranker, slate.tensors) == ("", {})
    assert "rank" in slate.degraded


async def test_an_answer_that_people_only_look_at_is_not_logged(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.stack.client.explain("viewer", SLATE)
        asked = Asked("viewer", "", SLATE, CONTEXT)
        await shown.stack.service.what_if(asked, Wish({"enter": 2.0}, "", 0), PATIENCE_S, shown.stack.service.world())
    assert served(tmp_path) == []


async def test_an_answer_without_rooms_is_not_logged(tmp_path: Path) -> None:
    async with showing(tmp_path, rooms=0) as shown:
        assert not (await shown.show("viewer")).rooms
    assert served(tmp_path) == []


async def test_a_share_of_the_requests_is_logged_by_their_ids(tmp_path: Path) -> None:
    async with showing(tmp_path, share=0.5) as shown:
        for number in range(20):
            await shown.show("viewer", f"request-{number}")
    wanted = [f"request-{number}" for number in range(20) if is_sampled(f"request-{number}", 0.5)]
    assert [slate.request_id for slate in served(tmp_path)] == wanted
    assert 0 < len(wanted) < 20


def test_shares_grow_into_each_other() -> None:
    ids = [f"request-{number}" for number in range(4_000)]
    few, more = ({each for each in ids if is_sampled(each, share)} for share in (0.1, 0.3))
    assert few < more
    # Four standard deviations of a binomial: √(4000 · 0.1 · 0.9) = 19.
    assert abs(len(few) - 400) < 76
    assert all(is_sampled(each, 1.0) for each in ids)


async def test_a_share_of_0_makes_no_log(tmp_path: Path) -> None:
    async with showing(tmp_path, share=0.0) as shown:
        await shown.show("viewer")
        assert shown.stack.service.served is None
    assert not (tmp_path / boot.SERVED_FOLDER).exists()


@pytest.mark.parametrize("share", ["-0.1", "1.5"])
def test_a_share_that_is_none_is_refused(share: str) -> None:
    with pytest.raises(SettingsError, match=rf"served.share: expected 0 to 1, received {share}"):
        settings.parse(f"[served]\nshare = {share}\n", "the test")


async def test_a_new_process_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    for _ in range(2):
        async with showing(tmp_path) as shown:
            await shown.show("viewer")
    slates = served(tmp_path)
    assert [slate.request_id for slate in slates] == list(dict.fromkeys(slate.request_id for slate in slates))
    assert len(slates) == 2
    assert slates[0].layout == slates[1].layout


async def test_a_disk_that_takes_nothing_costs_slates_and_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    append = RecordLog.append

    def full(log: RecordLog[Any], records: list[Any]) -> int:
        if isinstance(records[0], ServedSlate):
            raise LogError("no space left on device")
        return append(log, records)

    async with showing(tmp_path) as shown:
        monkeypatch.setattr(RecordLog, "append", full)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                assert len((await shown.show("viewer")).rooms) == SLATE
        log = shown.stack.service.served
    assert log is not None
    assert log.dropped == 3
    assert [record.message for record in caplog.records if "no space left" in record.message] == [
        f"{tmp_path / 'served'}: slates are dropped: LogError: no space left on device"
    ]


async def test_what_finds_no_place_in_the_queue_is_dropped_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    append = RecordLog.append

    def slow(log: RecordLog[Any], records: list[Any]) -> int:
        if isinstance(records[0], ServedSlate):
            begun.set()
            assert go_on.wait(30)
        return append(log, records)

    monkeypatch.setattr(RecordLog, "append", slow)
    async with showing(tmp_path / "one") as shown:
        outcomes = []
        monkeypatch.setattr(shown.stack.service.served, "offer", outcomes.append)
        await shown.show("viewer")
    log = ServedLog(tmp_path / "served", 1.0, CATALOG.fingerprint, max_waiting=2)
    log.offer(outcomes[0])
    assert begun.wait(30)  # The writer holds the first one; two more may wait.
    for _ in range(5):
        log.offer(outcomes[0])
    assert log.dropped == 3
    go_on.set()
    log.close()
    assert len([*read_records(tmp_path / "served", 0, SLATES)]) == 3


_ENDLESS = """
import asyncio, sys
from pathlib import Path
from tests.feature_service.running_service import PATIENCE_S
from tests.feature_service.served.showing import showing

async def serve():
    async with showing(Path(sys.argv[1])) as shown:
        while True:
            print((await shown.show("viewer")).request_id, flush=True)

asyncio.run(serve())
"""


def test_what_was_written_survives_the_end_of_the_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        answered = [process.stdout.readline().strip() for _ in range(20)]
        process.kill()
        answered += process.stdout.read().split()
    kept = [slate.request_id for slate in served(tmp_path)]
    # One request after the other: when an answer comes, the slates before it had all of its time to be written.
    assert kept[: len(answered)] == answered[: len(kept)]
    assert len(kept) >= 15


def test_a_segment_is_ended_while_the_log_is_open_and_nobody_waits_for_a_closed_one(tmp_path: Path) -> None:
    log = ServedLog(tmp_path, 1.0, CATALOG.fingerprint)
    assert log.roll() == 0
    log.close()
    with pytest.raises(LogError, match="expected a log that is open to begin a segment"):
        log.roll()
