"""Shards: what each says of the hours that are due, of what it holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from training.streaming.flink.elements import Element
from training.streaming.flink.parts import PartKey, to_line
from training.streaming.flink.plan import Plan
from training.streaming.flink.rooms import RoomShard
from training.streaming.flink.schedule import Due, oldest_open, revisions_at
from training.streaming.flink.viewers import ViewerShard, is_needed


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a shard leaves behind a moment.

    Attributes:
        lines: Its parts of the hours that are due.
        kept: The elements that later hours need too.
        history: The history of its rooms, of a streamers' shard.
    """

    lines: list[str]
    kept: list[Element]
    history: bytes | None = None


class Shards:
    """All shards of a job; what one of them knows is handed in and out."""

    def __init__(self, plan: Plan, *, final: bool) -> None:
        """Takes what the job makes; with `final`, each hour's last revision alone."""
        self._shards, self._final = plan.shards, final
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
        due = list(revisions_at(now_ms, final=self._final))
        if shard < self._shards:
            return self._of_viewers(shard, now_ms, held, due)
        return self._of_rooms(shard - self._shards, now_ms, held, due, history)

    def _of_viewers(self, shard: int, now_ms: int, held: Sequence[Element], due: Sequence[Due]) -> Spoken:
        lines = [
            to_line(PartKey(hour, revision, "viewers", shard), self._viewers.arrays(held, hour, now_ms))
            for hour, revision in due
        ]
        return Spoken(lines, [each for each in held if is_needed(each, oldest_open(now_ms))])

    def _of_rooms(
        self, shard: int, now_ms: int, held: Sequence[Element], due: Sequence[Due], history: bytes | None
    ) -> Spoken:
        rooms = RoomShard(self._catalog, self._layout, history)
        rooms.lead(each for each in held if each.at_ms < now_ms)
        lines = [to_line(PartKey(hour, revision, "rooms", shard), rooms.arrays(hour)) for hour, revision in due]
        rooms.forget(oldest_open(now_ms))
        return Spoken(lines, [each for each in held if each.at_ms >= now_ms], rooms.state())
