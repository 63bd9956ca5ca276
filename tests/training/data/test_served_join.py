"""The sample join: what was served and seen becomes samples, with the tensors as they were sent and their labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feature_service.boot import LOG_FOLDER, SERVED_FOLDER
from feature_service.features.catalog import build_catalog
from feature_service.features.events import EventKind
from feature_service.features.layout import CANDIDATE_TENSORS
from feature_service.features.schema import key_of
from feature_service.log.reader import read_records
from feature_service.log.record_log import RecordLog
from feature_service.served.slate import SLATES, ServedSlate
from tests.feature_service.served.showing import CATALOG, SLATE, full_ranker, showing
from training.data.dataset import catalog_of_set
from training.data.errors import DataError
from training.data.samples import Samples
from training.data.samples_io import SampleAbout, read_enters, read_rooms, read_samples
from training.data.served_join import JoinCounts, join_served
from training.heads import HEAD_NAMES

ENTER, LIKE, WATCH_TIME = (HEAD_NAMES.index(name) for name in ("enter", "like", "watch_time"))


def slates(data: Path) -> list[ServedSlate]:
    """All that a closed service has logged."""
    return [slate for _, slate in read_records(data / SERVED_FOLDER, 0, SLATES)]


def log_again(data: Path, some: list[ServedSlate]) -> None:
    """Writes slates behind what is in the served log."""
    log = RecordLog[ServedSlate].opened(data / SERVED_FOLDER, SLATES)
    log.append(some)
    log.close()


def joined(data: Path, **options: Any) -> tuple[Samples, SampleAbout, JoinCounts]:
    """The samples of a service's logs."""
    about, counts = join_served(data / LOG_FOLDER, data / SERVED_FOLDER, data / "samples", CATALOG, **options)
    return read_samples(data / "samples"), about, counts


async def test_what_was_seen_becomes_samples_with_the_tensors_as_they_were_sent(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        for user in ("one", "two"):
            await shown.see(user, await shown.show(user))
        await shown.pass_hours(3)
    samples, about, counts = joined(tmp_path)
    served = slates(tmp_path)
    assert (about.slates, about.candidates, counts.served, counts.impressions) == (2, 4, 2, 4)
    assert samples.slates.time_ms.tolist() == [slate.served_ms for slate in served]
    assert samples.slates.user.tolist() == [key_of("user", "one"), key_of("user", "two")]
    assert samples.candidates.slate.tolist() == [0, 0, 1, 1]
    assert samples.candidates.position.tolist() == [0, 1, 0, 1]
    assert samples.candidates.room.tolist() == [key_of("room", r.room_id) for s in served for r in s.rooms[:2]]
    for name in samples.slates.tensors:
        expected = np.concatenate([slate.tensors[name] for slate in served])
        assert samples.slates.tensors[name].tobytes() == expected.tobytes()
    for name in CANDIDATE_TENSORS:
        expected = np.concatenate([slate.tensors[name][:2] for slate in served])
        assert samples.candidates.tensors[name].tobytes() == expected.tobytes()


async def test_what_was_seen_further_down_has_the_row_of_its_own_room(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        answer = await shown.show("one")
        seen = [shown.event(EventKind.IMPRESSION, "one", answer.rooms[place], answer.request_id) for place in (3, 1, 3)]
        await shown.stack.client.report(seen)
        await shown.pass_hours(3)
    samples, _, _ = joined(tmp_path)
    (slate,) = slates(tmp_path)
    # In the order of the slate; a room that was seen twice is two impressions.
    assert samples.candidates.position.tolist() == [1, 3, 3]
    for name in CANDIDATE_TENSORS:
        assert samples.candidates.tensors[name].tobytes() == slate.tensors[name][[1, 3, 3]].tobytes()


async def test_labels_are_what_followed_within_the_heads_windows(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        answer = await shown.show("one")
        await shown.see("one", answer)
        shown.clock.now_ms += 7_200_000  # A like of the second room, two hours and 90 s after it was seen, is no label.
        late = shown.event(EventKind.LIKE, "one", answer.rooms[1], answer.request_id)
        await shown.stack.client.report([late])
        await shown.pass_hours(1)
    samples, about, _ = joined(tmp_path)
    candidates = samples.candidates
    assert about.heads == ("enter", "long_watch", "watch_time", "like")
    assert candidates.mask[:, [ENTER, LIKE]].all()
    assert candidates.labels[:, ENTER].tolist() == [1, 0]
    assert candidates.labels[:, LIKE].tolist() == [1, 0]
    assert candidates.labels[0, WATCH_TIME] == 90


async def test_a_label_whose_window_is_not_over_is_masked(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
        await shown.pass_hours(1)
    candidates = joined(tmp_path)[0].candidates
    # Ten minutes decide on the enter, two hours on the like.
    assert candidates.mask[:, ENTER].all()
    assert not candidates.mask[:, LIKE].any()


async def test_served_but_unseen_is_no_sample(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.show("nobody looks")
        await shown.see("one", await shown.show("one"), rooms=3)
        await shown.pass_hours(3)
    samples, _, counts = joined(tmp_path)
    assert len(samples.candidates.room) == 3 < SLATE
    assert (counts.served, counts.unseen) == (2, 1)


async def test_an_impression_whose_slate_was_not_logged_is_no_sample(tmp_path: Path) -> None:
    async with showing(tmp_path, share=0.5) as shown:
        for number in range(12):
            await shown.see("one", await shown.show("one", f"request-{number}"), rooms=1)
        await shown.pass_hours(3)
    samples, _, counts = joined(tmp_path)
    assert counts.impressions == 12
    assert len(samples.candidates.room) == counts.served == len(slates(tmp_path)) < 12


async def test_a_slate_that_was_logged_twice_counts_once(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
        await shown.pass_hours(3)
    log_again(tmp_path, slates(tmp_path))
    samples, _, counts = joined(tmp_path)
    assert len(samples.candidates.room) == 2
    assert (counts.served, counts.repeated) == (2, 1)


async def test_another_viewers_request_of_the_same_id_is_another_request(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.show("one", "request")
        await shown.see("two", await shown.show("two", "request"))
        await shown.pass_hours(3)
    samples, _, counts = joined(tmp_path)
    assert samples.slates.user.tolist() == [key_of("user", "two")]
    assert counts.unseen == 1


async def test_pages_of_one_request_all_count(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        first = await shown.show("one", "request")
        second = await shown.stack.client.recommend(
            "one", SLATE, request_id="request", page_token=first.next_page_token
        )
        for page in (first, second):
            await shown.see("one", page)
        await shown.pass_hours(3)
    samples, _, counts = joined(tmp_path)
    seen = [card.room_id for page in (first, second) for card in page.rooms[:2]]
    assert samples.candidates.room.tolist() == [key_of("room", room) for room in seen]
    assert counts.repeated == 0


async def test_slates_are_in_order_of_their_clocks(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        for _ in range(3):
            await shown.see("one", await shown.show("one"), rooms=1)
        await shown.pass_hours(3)
    held = slates(tmp_path)
    (tmp_path / SERVED_FOLDER / "00000000000000000000.log").unlink()
    log_again(tmp_path, held[::-1])
    samples = joined(tmp_path)[0]
    assert samples.slates.time_ms.tolist() == [slate.served_ms for slate in held]


async def test_slates_in_recalls_order_have_no_features_and_are_counted(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
        del shown.server.models["mmoe"].compute["serving_default"]  # The ranker fails from now on.
        await shown.see("two", await shown.show("two"))
        await shown.pass_hours(3)
    samples, _, counts = joined(tmp_path)
    assert samples.slates.user.tolist() == [key_of("user", "one")]
    assert counts.without_tensors == 1


async def test_slates_with_other_columns_than_the_newest_are_left_out_and_counted(tmp_path: Path) -> None:
    model = full_ranker()
    async with showing(tmp_path, model=model) as shown:
        await shown.see("one", await shown.show("one"))
    narrow = full_ranker(patterns=("user.id", "room.viewers", "streamer.id"))
    async with showing(tmp_path, model=narrow, clock=shown.clock) as again:
        again.number = shown.number
        await again.see("two", await again.show("two"))
        await again.pass_hours(3)
    samples, _, counts = joined(tmp_path)
    assert samples.slates.user.tolist() == [key_of("user", "two")]
    assert counts.other_layout == 1
    assert [column.name for tensor in samples.layout.tensors for column in tensor.columns] == [
        "user.id",
        "room.viewers",
        "streamer.id",
    ]


async def test_columns_that_the_catalogue_lacks_are_named(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
    other = build_catalog(3)
    with pytest.raises(DataError, match=r"room\.content.*catalogue has room\.content@1:float32:3"):
        join_served(tmp_path / LOG_FOLDER, tmp_path / SERVED_FOLDER, tmp_path / "samples", other)


async def test_the_set_holds_what_training_needs_beside_the_samples(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
        await shown.pass_hours(3)
    joined(tmp_path)
    assert catalog_of_set(tmp_path / "samples").fingerprint == CATALOG.fingerprint
    assert read_enters(tmp_path / "samples").user.tolist() == [key_of("user", "one")]
    rooms = read_rooms(tmp_path / "samples")
    assert {*rooms.room.tolist()} == {key_of("room", f"room-{number}") for number in range(30)}
    assert set(rooms.tensors) == set(CANDIDATE_TENSORS)


async def test_a_log_without_slates_is_refused(tmp_path: Path) -> None:
    async with showing(tmp_path, share=0.0) as shown:
        await shown.see("one", await shown.show("one"))
    with pytest.raises(DataError, match="served: expected served slates that a ranker ordered"):
        joined(tmp_path)


async def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    async with showing(tmp_path) as shown:
        await shown.see("one", await shown.show("one"))
    with pytest.raises(DataError, match=r"nowhere: expected the log of a feature service \(<data>/log\)"):
        join_served(tmp_path / "nowhere", tmp_path / SERVED_FOLDER, tmp_path / "samples", CATALOG)
