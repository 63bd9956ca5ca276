"""KuaiRand (Gao et al., CIKM 2022): impressions of short videos with what viewers did.

Reads a folder with the interactions (`interactions.parquet`, or the data set's own `log_*.csv`) and, if there, user
features (`user_features.parquet`, `user_features*.csv`). A video stands as a room of a streamer of its own, open from
its first impression to its last, or to the end of the last visit; one shown in the log's last day stays open, as the
log was cut there. Each impression is a request of its own.

Impression at `time_ms`; enter where `is_click`, and then leave after `play_time_ms`; comment, follow and share where
`is_comment`, `is_follow`, `is_forward`; like where `is_like_not_hate` is 1 (or `is_like`), not interested where it is 0
(or `is_hate`). The duration is a room attribute, `duration_s`. `long_view` has no event: it is 1 where the play time
reaches the duration or 18 s, whichever is less (18 s where no duration is known), for all but 1.3 % of the rows of
KuaiRand-27K, so a label of that kind comes from `leave` and `duration_s`. What was played without a click, visits to a
profile and time among the comments have no event either.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_service.features.events import Event, EventKind
from training.data.errors import DataError
from training.data.importers.merge import Block, merge
from training.data.importers.rooms import DAY_MS, OpenRooms, room_blocks
from training.data.importers.tables import Ints, categories, ints, need, need_rows, read_csv, read_parquet

NAME = "kuairand"
LACKS = (
    "live rooms: a video stands as a room, open from its first to its last impression",
    "authors: each video stands as a streamer of its own",
    "slates and positions: each impression is a request of its own",
    "gifts",
    "long_view as an event: it follows from the watched time and the room's duration_s",
    "in the reduced file, an unselected feed: every row is a like or an explicit hate",
)
HEADS = ("enter", "long_watch", "watch_time", "like", "comment", "follow", "share")

_COLUMNS = (
    "user_id",
    "video_id",
    "time_ms",
    "is_click",
    "is_follow",
    "is_comment",
    "is_forward",
    "play_time_ms",
    "duration_ms",
)
_USER_CATEGORIES = (
    "user_active_degree",
    "is_lowactive_period",
    "is_live_streamer",
    "is_video_author",
    "follow_user_num_range",
    "fans_user_num_range",
    "friend_user_num_range",
    "register_days_range",
    *(f"onehot_feat{number}" for number in range(18)),
)


def events(source: Path) -> Iterator[Event]:
    """The impressions and what followed as events in order of time.

    Args:
        source: The folder.

    Raises:
        DataError: A file is not there or not as expected.
    """
    table = _interactions(source)
    time_ms, video = ints(table, "time_ms"), ints(table, "video_id")
    clicked = ints(table, "is_click") == 1
    until_ms = time_ms + np.where(clicked, ints(table, "play_time_ms"), 0)
    rooms = _videos(video, time_ms, until_ms, ints(table, "duration_ms"))
    started, ended = room_blocks(rooms, int(time_ms.max()) - DAY_MS)
    profiles = _profiles(source, ints(table, "user_id"), int(time_ms.min()))
    return merge([profiles, started, *_viewer_blocks(table, clicked, time_ms, until_ms), ended])


def _interactions(source: Path) -> pa.Table:
    if (source / "interactions.parquet").is_file():
        table = read_parquet(source / "interactions.parquet", ())
    else:
        logs = sorted(source.glob("log_*.csv"))
        if not logs:
            raise DataError(f"{source}: expected interactions.parquet or log_*.csv, found none")
        table = pa.concat_tables([read_csv(path, ()) for path in logs])
    need(need_rows(table, source), _COLUMNS, source)
    return table.take(np.argsort(ints(table, "time_ms"), kind="stable"))


def _videos(video: Ints, time_ms: Ints, until_ms: Ints, duration_ms: Ints) -> OpenRooms:
    """The videos as rooms, in order of the first impression; a room is open for a millisecond at least."""
    found, first, room = np.unique(video, return_index=True, return_inverse=True)
    end_ms = np.zeros(len(found), np.int64)
    np.maximum.at(end_ms, room, until_ms + 1)
    order = np.argsort(first, kind="stable")
    names = found[order].tolist()
    return OpenRooms(
        room_id=[f"room-{name}" for name in names],
        streamer_id=[f"streamer-{name}" for name in names],
        start_ms=time_ms[first][order],
        end_ms=end_ms[order],
        attributes=[{"duration_s": ms / 1000} if ms else {} for ms in duration_ms[first][order].tolist()],
    )


def _viewer_blocks(table: pa.Table, clicked: np.ndarray, time_ms: Ints, until_ms: Ints) -> Iterator[Block]:
    user, video = ints(table, "user_id"), ints(table, "video_id")

    def block(kind: EventKind, happened: np.ndarray, when_ms: Ints, *, watched: bool = False) -> Block:
        rows = np.flatnonzero(happened)
        name = kind.name.lower()

        def event(place: int) -> Event:
            row = int(rows[place])
            return Event(
                f"{name}-{row}",
                kind,
                int(when_ms[row]),
                f"user-{user[row]}",
                f"room-{video[row]}",
                f"streamer-{video[row]}",
                f"request-{row}",
                watch_ms=int(until_ms[row] - time_ms[row]) if watched else 0,
            )

        return Block(when_ms[rows], event)

    yield block(EventKind.IMPRESSION, np.ones(len(user), bool), time_ms)
    yield block(EventKind.ENTER, clicked, time_ms)
    liked, hated = _likes(table)
    yield block(EventKind.LIKE, liked, time_ms)
    yield block(EventKind.NOT_INTERESTED, hated, time_ms)
    for kind, name in (
        (EventKind.COMMENT, "is_comment"),
        (EventKind.FOLLOW, "is_follow"),
        (EventKind.SHARE, "is_forward"),
    ):
        yield block(kind, ints(table, name) == 1, time_ms)
    yield block(EventKind.LEAVE, clicked, until_ms, watched=True)


def _likes(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    if "is_like_not_hate" in table.column_names:
        liked = ints(table, "is_like_not_hate") == 1
        return liked, ~liked
    need(table, ("is_like", "is_hate"), NAME)
    return ints(table, "is_like") == 1, ints(table, "is_hate") == 1


def _profiles(source: Path, seen: Ints, time_ms: int) -> Block:
    """The features of the users that occur, told before anything else."""
    files = [source / "user_features.parquet", *sorted(source.glob("user_features*.csv"))]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        return Block(np.zeros(0, np.int64), lambda row: Event(str(row), EventKind.USER_UPDATED, time_ms))
    table = read_parquet(path, ()) if path.suffix == ".parquet" else read_csv(path, ())
    need(table, ("user_id", "register_days"), path)
    table = table.filter(pa.array(np.isin(ints(table, "user_id"), seen)))
    user, days = ints(table, "user_id"), ints(table, "register_days")
    attributes = categories(table, [name for name in _USER_CATEGORIES if name in table.column_names])

    def profile(row: int) -> Event:
        values = {**attributes[row], "register_days": float(days[row])}
        return Event(f"user-{row}", EventKind.USER_UPDATED, time_ms, f"user-{user[row]}", attributes=values)

    return Block(np.full(len(user), time_ms), profile)
