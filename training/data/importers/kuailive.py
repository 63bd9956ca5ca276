"""KuaiLive (21 days of live streaming on Kuaishou, May 2025, CC BY-NC-SA 4.0): its nine files.

Reads a folder with `room.csv`, `click.csv`, `negative.csv`, `comment.csv`, `like.csv`, `gift.csv`, and if they are
there `user.csv`, `streamer.csv` and the title embeddings (`title_embeddings.npy` or `.npz`), which become content
vectors.

A click is an impression that was entered and left after `watch_live_time`; a row of `negative.csv` is an impression
that was not. A reaction carries the request of the viewer's last click on the room before it. A room that stands under
two dates, as it spans midnight, is one room: the earliest start to the latest end. Where the columns say `author_id`,
as in some code of the field, it is read as `streamer_id`.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_service.features.events import Event, EventKind
from training.data.importers.merge import Block, merge
from training.data.importers.rooms import OpenRooms, room_blocks
from training.data.importers.tables import Ints, Named, categories, ints, need, need_rows, read_csv, words

NAME = "kuailive"
LACKS = (
    "follows and shares",
    "slates, positions and propensities: each impression is a request of its own",
    "context of the request: scene, device, network, region",
    "what happens in rooms, and how many viewers they have",
)
HEADS = ("enter", "long_watch", "watch_time", "like", "comment", "gift")

_KEYS = ("user_id", "live_id", "streamer_id", "timestamp")
_USER = (
    "age",
    "gender",
    "country",
    "device_brand",
    "device_price",
    "fans_num",
    "follow_num",
    "accu_watch_live_cnt",
    "accu_watch_live_duration",
    "is_live_streamer",
    "is_photo_author",
    *(f"onehot_feat{number}" for number in range(7)),
)
_STREAMER = (
    "gender",
    "age",
    "country",
    "device_brand",
    "device_price",
    "fans_user_num",
    "fans_group_fans_num",
    "follow_user_num",
    "accu_live_cnt",
    "accu_live_duration",
    "accu_play_cnt",
    "accu_play_duration",
    *(f"onehot_feat{number}" for number in range(7)),
)


def events(source: Path) -> Iterator[Event]:
    """All events in order of time.

    Args:
        source: The folder.

    Raises:
        DataError: A file is not there or not as expected.
    """
    clicks = _read(source, "click.csv", (*_KEYS, "watch_live_time"))
    negatives = _read(source, "negative.csv", _KEYS)
    clicked_ms, shown_ms = ints(clicks, "timestamp"), ints(negatives, "timestamp")
    rooms = _rooms(source, max(int(clicked_ms.max(initial=0)), int(shown_ms.max(initial=0))))
    started, ended = room_blocks(rooms, int(np.max(np.concatenate([clicked_ms, shown_ms]), initial=0)))
    first_ms = int(min(rooms.start_ms.min(), clicked_ms.min(initial=2**62), shown_ms.min(initial=2**62)))
    watched_ms = np.maximum(ints(clicks, "watch_live_time"), 0)
    own, others = np.arange(len(clicks)), np.arange(len(clicks), len(clicks) + len(negatives))
    return merge(
        [
            _profiles(source, "user.csv", _USER, first_ms),
            _profiles(source, "streamer.csv", _STREAMER, first_ms),
            started,
            _viewers(clicks, EventKind.IMPRESSION, "click", clicked_ms, own),
            _viewers(negatives, EventKind.IMPRESSION, "negative", shown_ms, others),
            _viewers(clicks, EventKind.ENTER, "enter", clicked_ms, own),
            _reactions(source, "comment.csv", EventKind.COMMENT, clicks),
            _reactions(source, "like.csv", EventKind.LIKE, clicks),
            _reactions(source, "gift.csv", EventKind.GIFT, clicks),
            _viewers(clicks, EventKind.LEAVE, "leave", clicked_ms + watched_ms, own, watch_ms=watched_ms),
            ended,
        ]
    )


def last_before(key: Ints, time_ms: Ints, asked_key: Ints, asked_ms: Ints) -> Ints:
    """The row of the last entry of the same key at or before a time.

    Args:
        key: int64 [N].
        time_ms: int64 [N].
        asked_key: int64 [M].
        asked_ms: int64 [M].

    Returns:
        int64 [M]: rows of the N; -1 where there is none.
    """
    keys, count = np.concatenate([key, asked_key]), len(key)
    asks = np.arange(len(keys)) >= count
    order = np.lexsort((asks, np.concatenate([time_ms, asked_ms]), keys))
    entry = np.maximum.accumulate(np.where(order < count, np.arange(len(order)), -1))
    row = np.where((entry >= 0) & (keys[order[entry]] == keys[order]), order[entry], -1)
    found = np.empty(len(keys), np.int64)
    found[order] = row
    return found[count:]


def _read(source: Path, file: str, columns: Sequence[str]) -> pa.Table:
    """A whole file, in which the named columns must be there."""
    table = read_csv(source / file, ())
    if "streamer_id" not in table.column_names and "author_id" in table.column_names:
        names = ["streamer_id" if name == "author_id" else name for name in table.column_names]
        table = table.rename_columns(names)
    need(table, columns, source / file)
    return table


def _rooms(source: Path, last_ms: int) -> OpenRooms:
    """One row a room; one without a sound end stays open."""
    table = _read(source, "room.csv", ("live_id", "streamer_id", "start_timestamp", "end_timestamp"))
    need_rows(table, source / "room.csv")
    room, start_ms, end_ms = (ints(table, name) for name in ("live_id", "start_timestamp", "end_timestamp"))
    end_ms = np.where(end_ms > start_ms, end_ms, last_ms + 1)
    found, first, group = np.unique(room, return_index=True, return_inverse=True)
    opened, closed = np.full(len(found), np.iinfo(np.int64).max), np.zeros(len(found), np.int64)
    np.minimum.at(opened, group, start_ms)
    np.maximum.at(closed, group, end_ms)
    table = table.take(first)
    has = set(table.column_names)
    return OpenRooms(
        room_id=Named("room-", found),
        streamer_id=Named("streamer-", ints(table, "streamer_id")),
        start_ms=opened,
        end_ms=closed,
        category=words(table, "live_content_category") if "live_content_category" in has else None,
        attributes=categories(table, ("live_type",)) if "live_type" in has else None,
        content=_titles(source, ints(table, "live_name_id")) if "live_name_id" in has else None,
    )


def _titles(source: Path, title: Ints) -> Callable[[int], tuple[float, ...]] | None:
    """A function from a room's row to the embedding of its title; None without the file."""
    paths = [source / f"title_embeddings.{end}" for end in ("npy", "npz")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    loaded = np.load(path, mmap_mode="r")
    vectors = loaded[loaded.files[0]] if path.suffix == ".npz" else loaded

    def content(row: int) -> tuple[float, ...]:
        place = int(title[row])
        return tuple(vectors[place].astype(np.float32).tolist()) if 0 <= place < len(vectors) else ()

    return content


def _viewers(
    table: pa.Table, kind: EventKind, label: str, time_ms: Ints, request: Ints, *, watch_ms: Ints | None = None
) -> Block:
    """Events of one kind, a row each; `label` starts their ids, `request` numbers the requests, -1 = none known."""
    user, room, streamer = (ints(table, name) for name in ("user_id", "live_id", "streamer_id"))
    gift = ints(table, "gift_price") if kind is EventKind.GIFT else None

    def event(row: int) -> Event:
        number = int(request[row])
        return Event(
            f"{label}-{row}",
            kind,
            int(time_ms[row]),
            f"user-{user[row]}",
            f"room-{room[row]}",
            f"streamer-{streamer[row]}",
            f"request-{number}" if number >= 0 else "",
            watch_ms=int(watch_ms[row]) if watch_ms is not None else 0,
            gift_value=float(gift[row]) if gift is not None else 0.0,
        )

    return Block(time_ms, event)


def _reactions(source: Path, file: str, kind: EventKind, clicks: pa.Table) -> Block:
    extra = ("gift_price",) if kind is EventKind.GIFT else ()
    table = _read(source, file, (*_KEYS, *extra))
    time_ms = ints(table, "timestamp")
    request = last_before(_visit(clicks), ints(clicks, "timestamp"), _visit(table), time_ms)
    return _viewers(table, kind, kind.name.lower(), time_ms, request)


def _visit(table: pa.Table) -> Ints:
    """One number for viewer and room, int64 [N]."""
    return ints(table, "user_id") * 2**32 + ints(table, "live_id")


def _profiles(source: Path, file: str, columns: Sequence[str], time_ms: int) -> Block:
    """What is known of viewers or streamers, told before anything else; nothing without the file."""
    of_user = file == "user.csv"
    key = "user_id" if of_user else "streamer_id"
    is_there = (source / file).is_file()
    table = _read(source, file, (key,)) if is_there else pa.table({key: pa.array([], pa.int64())})
    names, has = Named(f"{key.removesuffix('_id')}-", ints(table, key)), set(table.column_names)
    attributes = categories(table, [name for name in columns if name in has])
    tags = words(table, "live_operation_tag") if "live_operation_tag" in has else None

    def profile(row: int) -> Event:
        return Event(
            f"profile-of-{names[row]}",
            EventKind.USER_UPDATED if of_user else EventKind.STREAMER_UPDATED,
            time_ms,
            user_id=names[row] if of_user else "",
            streamer_id="" if of_user else names[row],
            category=tags[row] if tags else "",
            attributes=attributes[row],
        )

    return Block(np.full(len(table), time_ms), profile)
