"""The job's operators: elements wait in a shard's state until an hour is due, then the shard says what it has of it."""

# PyFlink lives in an environment of its own.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
from collections.abc import Iterator
from typing import Any

from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, OutputTag, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor, ValueStateDescriptor

from training.streaming.flink.elements import Element, Kind, packed, unpacked
from training.streaming.flink.plan import Plan
from training.streaming.flink.shards import Shards
from training.streaming.schedule import BUCKET_MS

BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
ELEMENT = Types.TUPLE([Types.INT(), Types.LONG(), Types.LONG(), Types.INT(), Types.LONG(), BYTES])
"""An `Element` on its way."""
RECORD = Types.TUPLE([Types.LONG(), BYTES])
"""A record of a log: its position and payload."""
RECORDS = OutputTag("records", Types.STRING())
"""Beside the parts of hours: the records that have changed."""


_BLOCK = 512
"""So many records that are early wait together: each look at what is not in memory takes a call to another process."""


class Hours(KeyedProcessFunction):
    """Elements wait, and each moment at which hours are due has its timer; keyed by shard.

    They wait in buckets by the stream's time, since one log may be read far ahead of the other, and what waits for a
    later moment is not touched.
    """

    def __init__(self, plan: Plan, *, final: bool) -> None:
        """Takes what the job makes; with `final`, each hour's last revision alone."""
        self._text, self._final, self._schedule = plan.text(), final, plan.schedule()

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called in the process that runs it."""
        self._shards = Shards(Plan.from_text(self._text), final=self._final)
        self._waiting = runtime_context.get_map_state(MapStateDescriptor("waiting", Types.LONG(), BYTES))
        self._history = runtime_context.get_state(ValueStateDescriptor("history", BYTES))

    def process_element(self, value: tuple[Any, ...], ctx: KeyedProcessFunction.Context) -> None:
        """Takes an element in."""
        element = Element(*value)
        if element.kind != Kind.TICK:
            bucket = element.at_ms // BUCKET_MS
            self._waiting.put(bucket, (self._waiting.get(bucket) or b"") + packed(element))
            return
        for moment_ms in self._schedule.due_ms(element.at_ms):
            ctx.timer_service().register_event_time_timer(moment_ms)

    def on_timer(
        self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext
    ) -> Iterator[str | tuple[OutputTag, str]]:
        """Says what the shard has of the hours that are due."""
        buckets = sorted(self._waiting.keys())
        over = (self._waiting.get(bucket) for bucket in buckets if bucket * BUCKET_MS < timestamp)
        held = [element for data in over for element in unpacked(data)]
        spoken = self._shards.speak(ctx.get_current_key(), timestamp, held, self._history.value())
        for bucket in buckets:
            if (bucket + 1) * BUCKET_MS <= spoken.needed_from_ms:
                self._waiting.remove(bucket)
        self._history.update(spoken.history)
        yield RECORDS, spoken.records
        yield from spoken.parts


class InOrder(KeyedProcessFunction):
    """Puts the records of one log in the order of their positions, as files come in any order; with one key."""

    def __init__(self, first: int) -> None:
        """Takes the position of the first record."""
        self._first = first

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called in the process that runs it."""
        self._next = runtime_context.get_state(ValueStateDescriptor("next", Types.LONG()))
        self._early = runtime_context.get_map_state(MapStateDescriptor("early", Types.LONG(), Types.LIST(RECORD)))

    def process_element(
        self,
        value: tuple[int, bytes],
        ctx: KeyedProcessFunction.Context,  # noqa: ARG002
    ) -> Iterator[tuple[int, bytes]]:
        """Lets a record pass when all before it have passed."""
        expected = self._next.value()
        expected = self._first if expected is None else expected
        if value[0] != expected:
            block = value[0] // _BLOCK
            self._early.put(block, [*(self._early.get(block) or ()), value])
            return
        yield value
        expected += 1
        for record in self._early_from(expected):
            yield record
            expected += 1
        self._next.update(expected)

    def _early_from(self, position: int) -> Iterator[tuple[int, bytes]]:
        """The records that have come early and follow each other from a position on; they are let go of."""
        while held := self._early.get(position // _BLOCK):
            block, waiting = position // _BLOCK, dict(held)
            while position in waiting:
                yield position, waiting.pop(position)
                position += 1
            if waiting:
                self._early.put(block, list(waiting.items()))
                return
            self._early.remove(block)
