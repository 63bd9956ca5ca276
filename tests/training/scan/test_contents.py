"""Contents: a user is found in every kind of file that the project writes, and nobody else is taken for them."""

import base64
import bz2
import gzip
import json
import lzma
import sqlite3
import zlib
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_service.access.audit import user_key
from feature_service.features.events import Event, EventKind
from feature_service.features.schema import key_of
from feature_service.log.codec import EVENTS
from feature_service.log.segment import encode
from feature_service.served.slate import SLATES
from tests.training.streaming.service_logs import LAYOUT, slate
from training.scan.contents import KEPT, ClosedError, look_into
from training.scan.marks import ID, KEY, Marks
from training.streaming.flink.parts import PartKey, to_line

USER = "user-1"
MARKS = Marks(USER)
NUMBER = np.array([MARKS.key], np.int64)


def holding(user: str) -> dict[str, bytes]:
    """Files of every kind that hold a user's id, or the key, by name."""
    key = key_of("user", user)
    keys = np.array([5, key, 7], np.int64)
    event = Event("like", EventKind.LIKE, 1, user_id=user, room_id="room", streamer_id="streamer")
    shown = slate(np.random.default_rng(1), "request", user, ["room"], 1, LAYOUT)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.array([1, 2, key, 3], np.int64)), 2)
    named = pa.array(["other", user]).dictionary_encode()
    return {
        "00000000000000000000.log": encode([event], EVENTS)[1],
        "00000000000000000001.log": encode([shown], SLATES)[1],
        "ids.parquet": parquet(user=named),
        "keys.parquet": parquet(user=pa.array(keys)),
        "tensors.parquet": parquet(user_ids=lists),
        "fitted.npz": arrays(compressed=False, keys=keys),
        "state.npz": arrays(compressed=True, keys=keys),
        "records.npy": plain(np.array([(1, key)], [("a", "u1"), ("key", "<i8")])),
        "rows.sqlite": database(key, user),
        "packed.sqlite": database(0, zlib.compress(b"xyz" + keys.tobytes())),
        "events.lines": b"0\t" + base64.b64encode(EVENTS.to_bytes(event)) + b"\n",
        "parts.lines": to_line(PartKey(1, 1, "viewers", 0), {"user": keys}).encode() + b"\n",
        "report.json": json.dumps({"best": [user]}).encode(),
        "report.md": f"| {key} |".encode(),
        "bundle.data-00000-of-00001": b"abc" + keys.tobytes(),
        "values.gz": gzip.compress(keys.tobytes()),
        "values.bz2": bz2.compress(keys.tobytes()),
        "values.xz": lzma.compress(keys.tobytes()),
        "big-endian": keys.astype(">i8").tobytes(),
    }


def parquet(**columns: pa.Array) -> bytes:
    pq.write_table(pa.table(columns), data := BytesIO(), compression="zstd")
    return data.getvalue()


def arrays(*, compressed: bool, **held: np.ndarray) -> bytes:
    (np.savez_compressed if compressed else np.savez)(data := BytesIO(), allow_pickle=False, **held)
    return data.getvalue()


def plain(values: np.ndarray) -> bytes:
    np.save(data := BytesIO(), values)
    return data.getvalue()


def database(key: int, value: str | bytes) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE users (key INTEGER PRIMARY KEY, held)")
    connection.execute("INSERT INTO users VALUES (?, ?)", (key, value))
    connection.commit()
    return connection.serialize()


@pytest.mark.parametrize("name", holding(USER))
def test_the_user_is_found_in_every_kind_of_file(name: str) -> None:
    assert look_into(MARKS, name, holding(USER)[name])


@pytest.mark.parametrize("name", holding("user-10"))
def test_a_user_whose_id_begins_alike_is_another(name: str) -> None:
    assert look_into(MARKS, name, holding("user-10")[name]) == set()


@pytest.mark.parametrize("text", ["benutzer-ü", 'quoted "user"'])
def test_an_id_is_found_however_json_writes_it(text: str) -> None:
    for ascii_alone in (True, False):
        data = json.dumps({"user": text}, ensure_ascii=ascii_alone).encode()
        assert look_into(Marks(text), "a.json", data) == {ID}


def test_the_key_among_the_erasures_is_kept_and_the_id_is_not() -> None:
    erasure = {"key": MARKS.key, "time_ms": 5, "position": 7, "user_id": ""}
    other = {**erasure, "key": 3}
    lines = [json.dumps(each) for each in (other, erasure)]
    assert look_into(MARKS, "erasures.jsonl", "\n".join(lines).encode()) == {KEPT}
    assert look_into(MARKS, "erasures.jsonl", json.dumps({**erasure, "user_id": USER}).encode()) == {KEPT, ID}
    assert look_into(MARKS, "erasures.jsonl", json.dumps(other).encode()) == set()


def test_the_key_in_an_audit_file_is_kept_and_the_id_is_not() -> None:
    line = json.dumps({"caller": "console", "method": "Explain", "user": user_key(USER)})
    assert look_into(MARKS, "audit.jsonl", line.encode()) == {KEPT}
    assert look_into(MARKS, "audit.jsonl", line.replace("console", USER).encode()) == {KEPT, ID}
    assert look_into(MARKS, "audit.jsonl", line.replace(user_key(USER), user_key("other")).encode()) == set()


def test_what_follows_a_torn_record_is_looked_into_too() -> None:
    whole = encode([Event("like", EventKind.LIKE, 1, user_id="other")], EVENTS)[1]
    torn = encode([Event("like", EventKind.LIKE, 1, user_id=USER, room_id="room")], EVENTS)[1][:-1]
    assert look_into(MARKS, "00000000000000000000.log", whole + torn) == {ID}


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.zst", b"\x28\xb5\x2f\xfd....", "zstd"),
        ("a.png", b"\x89PNG....", "PNG"),
        ("dump.rdb", b"REDIS0011....", "a dump of Redis"),
        ("000012.sst", b"....", "a table of RocksDB"),
        ("a.parquet", b"PAR1....", "damaged"),
        ("a.npz", b"PK\x03\x04....", "damaged"),
        ("a.lines", b"1\tno base64\n", "no base64"),
        ("a.gz", b"\x1f\x8b....", "damaged"),
    ],
)
def test_what_nobody_can_look_into_says_why(name: str, data: bytes, why: str) -> None:
    with pytest.raises(ClosedError, match=why):
        look_into(MARKS, name, data)


def test_the_key_is_told_from_the_id() -> None:
    assert look_into(MARKS, "a.bin", NUMBER.tobytes()) == {KEY}
    assert look_into(MARKS, "a.txt", b"viewer user-1, again") == {ID}
