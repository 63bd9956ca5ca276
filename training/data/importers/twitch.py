"""Twitch viewing of LiveRec (Rappaz et al., RecSys 2021), sampled every ten minutes.

Reads LiveRec's own files (`100k_a.csv`, `full_a.csv.gz`: user, stream, streamer, start step, stop step, no header),
whose streams are the rooms, open from their first viewer's start to their last viewer's stop; and a reduced Parquet
file with `user_id`, `streamer_id`, `start_step` and optionally `src_row` (order within a step), where a room is a
maximal run of steps within which somebody started to watch the streamer not more than 18 steps (three hours) away.

What it lacks: see `LACKS`. Viewers are `user-43`, streamers `streamer-7`, rooms `room-7-0` or `room-<stream id>`.
Step 0 is put at 1 July 2019, midnight UTC: the files count steps only.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_service.features.events import Event
from training.data.importers.merge import merge
from training.data.importers.rooms import OpenRooms, room_blocks
from training.data.importers.tables import Ints, ints, need, need_rows, read_csv, read_parquet, texts
from training.data.importers.unseen import Entries, entry_blocks, order_entries

NAME = "twitch"
LACKS = (
    "impressions: rooms that were not entered are drawn among those live then and marked as sampled",
    "reactions: no like, comment, gift, follow or share",
    "profiles, titles, categories and what happens in rooms",
    "true availability in the reduced file: a streamer counts as live within three hours of any start",
    "stop times in the reduced file: no leave, so no watch time; elsewhere watch time is in steps of ten minutes",
)
HEADS = ("enter", "watch_time")

STEP_MS = 600_000
REACH_STEPS = 18
START_MS = 1_561_939_200_000

_COLUMNS = ("user_id", "stream_id", "streamer", "start_step", "stop_step")


def events(source: Path, *, sampled: int = 4, seed: int = 7) -> Iterator[Event]:
    """The viewing history as events in order of time.

    Args:
        source: The file, or a folder with `interactions.parquet`.
        sampled: Rooms drawn beside each that was entered.
        seed: Of the draw.

    Raises:
        DataError: The file is not there or not as expected.
    """
    path = source / "interactions.parquet" if source.is_dir() else source
    rooms, entries = _reduced(path) if path.suffix == ".parquet" else _liverec(path)
    last_ms = int(entries.time_ms.max())
    started, ended = room_blocks(rooms, last_ms)
    impressions, enters, leaves = entry_blocks(rooms, entries, sampled=sampled, seed=seed)
    return merge((started, impressions, enters, leaves, ended))


def proxy_runs(streamer: Ints, step: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Joins starts into rooms by proxy availability.

    Args:
        streamer: int64 [N].
        step: int64 [N], when somebody started to watch the streamer.

    Returns:
        int64 [N]: the row of each start's room; and for the rooms, by streamer and time, int64 [R] each: the streamer,
        the first step available and the first step not available any more.
    """
    order = np.lexsort((step, streamer))
    who, when = streamer[order], step[order]
    # Two starts 37 steps apart leave no step between their reaches of 18.
    new = (np.diff(who, prepend=-1) != 0) | (np.diff(when, prepend=0) > 2 * REACH_STEPS + 1)
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(who)) - 1
    room = np.empty(len(who), np.int64)
    room[order] = np.cumsum(new) - 1
    return room, who[first], when[first] - REACH_STEPS, when[last] + REACH_STEPS + 1


def _reduced(path: Path) -> tuple[OpenRooms, Entries]:
    table = need_rows(read_parquet(path, ()), path)
    need(table, ("user_id", "streamer_id", "start_step"), path)
    turn = ints(table, "src_row") if "src_row" in table.column_names else np.arange(len(table))
    order, time_ms = order_entries(ints(table, "user_id"), START_MS + ints(table, "start_step") * STEP_MS, turn)
    table = table.take(order)
    user, streamer, step = (ints(table, name) for name in ("user_id", "streamer_id", "start_step"))
    room, owner, first, stop = proxy_runs(streamer, step)
    number = np.arange(len(owner)) - np.searchsorted(owner, owner)
    rooms = OpenRooms(
        room_id=[f"room-{who}-{n}" for who, n in zip(owner.tolist(), number.tolist(), strict=True)],
        streamer_id=[f"streamer-{who}" for who in owner.tolist()],
        start_ms=START_MS + np.maximum(first, 0) * STEP_MS,
        end_ms=START_MS + stop * STEP_MS,
    )
    users = [f"user-{who}" for who in user.tolist()]
    return rooms, Entries(users, room, time_ms, np.full(len(step), -1))


def _liverec(path: Path) -> tuple[OpenRooms, Entries]:
    types = {"user_id": pa.string(), "stream_id": pa.string(), "streamer": pa.string()}
    table = read_csv(path, _COLUMNS, types=types, header=_COLUMNS)
    viewer = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    order, time_ms = order_entries(viewer, START_MS + ints(table, "start_step") * STEP_MS, np.arange(len(table)))
    table = table.take(order)
    start, stop = ints(table, "start_step"), ints(table, "stop_step")
    encoded = table["stream_id"].combine_chunks().dictionary_encode()
    room = encoded.indices.to_numpy().astype(np.int64)
    count = len(encoded.dictionary)
    opened, closed = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
    np.minimum.at(opened, room, start)
    np.maximum.at(closed, room, np.maximum(stop, start + 1))
    names = texts(table, "streamer")
    _, first = np.unique(room, return_index=True)
    rooms = OpenRooms(
        room_id=[f"room-{stream}" for stream in encoded.dictionary.to_pylist()],
        streamer_id=[f"streamer-{names[row]}" for row in first.tolist()],
        start_ms=START_MS + opened * STEP_MS,
        end_ms=START_MS + closed * STEP_MS,
    )
    users = [f"user-{who}" for who in texts(table, "user_id")]
    return rooms, Entries(users, room, time_ms, np.maximum(stop - start, 0) * STEP_MS)
