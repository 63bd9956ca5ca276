"""Shards: what each says of the hours that are due, of what it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.data.sources import order_ms
from training.streaming.flink.elements import Element
from training.streaming.flink.parts import PartKey, RecordsKey, to_line
from training.streaming.flink.plan import Plan
from training.streaming.flink.records import ViewerRecords, from_state, to_state
from training.streaming.flink.rooms import RoomShard
from training.streaming.flink.viewers import Known, ViewerShard, needed_from_ms
from training.streaming.schedule import Due

_AS_OF = "as_of_ms"


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a shard leaves behind a moment.

    Attributes:
        parts: Lines: its parts of the hours that are due.
        records: A line: the records that have changed since the moment before.
        needed_from_ms: Elements of before are not needed any more.
        history: Its records, and of streamers' rooms what they were like.
    """

    parts: list[str]
    records: str
    needed_from_ms: int
    history: bytes


class Shards:
    """All shards of a job; what one of them knows is handed in and out."""

    def __init__(self, plan: Plan, *, final: bool) -> None:
        """Takes what the job makes; with `final`, each hour's last revision alone."""
        self._shards, self._final, self._schedule = plan.shards, final, plan.schedule()
        self._catalog, self._layout = plan.catalog(), plan.columns()
        self._viewers = ViewerShard(self._layout)

    def speak(self, shard: int, now_ms: int, held: Sequence[Element], history: bytes | None) -> Spoken:
        """What a shard says at a moment at which hours are due.

        Args:
            shard: Which one, as in `Element`.
            now_ms: The moment: what was received later is left for the next.
            held: Its elements.
            history: As of the moment before; None = there was none.
        """
        due = list(self._schedule.revisions_at(now_ms, final=self._final))
        held = sorted(held, key=lambda each: each.number)
        if shard < self._shards:
            return self._of_viewers(shard, now_ms, held, due, history)
        return self._of_rooms(shard - self._shards, now_ms, held, due, history)

    def _of_viewers(
        self, shard: int, now_ms: int, held: Sequence[Element], due: Sequence[Due], history: bytes | None
    ) -> Spoken:
        before = from_state(history) if history is not None else None
        as_of_ms = int(before[_AS_OF]) if before else 0
        known, records = Known(held, now_ms), ViewerRecords(self._catalog, before)
        records.lead(each for each in known.events if order_ms(each) >= as_of_ms)
        return Spoken(
            [
                to_line(PartKey(hour, revision, "viewers", shard), self._viewers.arrays(known, hour))
                for hour, revision in due
            ],
            to_line(RecordsKey(now_ms, "viewers", shard), records.changed()),
            needed_from_ms(self._schedule.oldest_open(now_ms)),
            to_state({**records.all(), _AS_OF: np.array(now_ms, np.int64)}),
        )

    def _of_rooms(
        self, shard: int, now_ms: int, held: Sequence[Element], due: Sequence[Due], history: bytes | None
    ) -> Spoken:
        rooms = RoomShard(self._catalog, self._layout, history)
        rooms.lead(each for each in held if each.at_ms < now_ms)
        parts = [to_line(PartKey(hour, revision, "rooms", shard), rooms.arrays(hour)) for hour, revision in due]
        rooms.forget(self._schedule.oldest_open(now_ms))
        records = to_line(RecordsKey(now_ms, "rooms", shard), rooms.records())
        return Spoken(parts, records, now_ms, rooms.state())
