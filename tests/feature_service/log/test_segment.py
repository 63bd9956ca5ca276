"""Records on disk: good ones are read, and the trace of a crash is told from damage."""

import struct
import zlib
from pathlib import Path

import pytest

from feature_service.features.events import EventKind
from feature_service.log.codec import EVENTS
from feature_service.log.protocol import LogError
from feature_service.log.segment import MAX_PAYLOAD_BYTES, decode, encode, first_positions, is_torn
from tests.feature_service.event_streams import event


def _record(payload: bytes) -> bytes:
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


GOOD = _record(b"first") + _record(b"second")


def test_a_record_is_length_checksum_and_payload() -> None:
    count, data = encode([event(EventKind.ENTER), event(EventKind.LIKE)], EVENTS)
    payloads = [payload for _, payload in decode(data)]
    assert count == 2
    assert data == b"".join(map(_record, payloads))


def test_each_payload_comes_with_the_offset_behind_it() -> None:
    assert list(decode(GOOD)) == [(13, b"first"), (27, b"second")]
    assert list(decode(GOOD, 13)) == [(27, b"second")]


@pytest.mark.parametrize("size", range(14, 27))
def test_reading_stops_before_a_record_that_is_cut_anywhere(size: int) -> None:
    assert list(decode(GOOD[:size])) == [(13, b"first")]
    assert is_torn(GOOD[13:size])


def test_reading_stops_before_a_flipped_bit() -> None:
    flipped = GOOD[:-1] + b"D"
    assert list(decode(flipped)) == [(13, b"first")]


def test_zeros_behind_the_last_record_are_a_torn_write() -> None:
    # A file system that has grown the file but not yet written the data leaves zeros after a loss of power.
    assert list(decode(GOOD + bytes(4_096))) == list(decode(GOOD))
    assert is_torn(bytes(4_096))


def test_a_damaged_record_before_a_good_one_is_no_torn_write() -> None:
    assert not is_torn(b"x" * 13 + _record(b"good"))
    # A damaged length that points behind the end hides nothing either.
    assert not is_torn(struct.pack("<II", 1 << 20, 0) + _record(b"good"))


def test_a_good_record_far_behind_the_damage_is_found() -> None:
    far = MAX_PAYLOAD_BYTES + 8
    for distance in (far - 5, far, far + 3):
        assert not is_torn(bytes(distance) + _record(b"good"))


def test_an_event_larger_than_a_record_is_refused() -> None:
    large = event(EventKind.ROOM_UPDATED, event_id="big", title="x" * MAX_PAYLOAD_BYTES)
    with pytest.raises(LogError, match=r"event 'big': expected at most 4194304 bytes, received 41943\d\d"):
        encode([large], EVENTS)


def test_segments_are_listed_by_position(tmp_path: Path) -> None:
    for name in ("00000000000000000100.log", "00000000000000000020.log", "lock"):
        (tmp_path / name).touch()
    assert first_positions(tmp_path) == [20, 100]


def test_a_strange_file_among_the_segments_is_named(tmp_path: Path) -> None:
    (tmp_path / "copy.log").touch()
    with pytest.raises(LogError, match=r"copy\.log: expected a segment named by a position"):
        first_positions(tmp_path)
