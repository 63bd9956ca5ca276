"""The label join: credits the events that follow impressions to them, over columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_service.features.events import EventKind
from training.data.id_columns import Ints, codes, encoded, is_nobody, keys_in, pairs, repeats
from training.heads import HEAD_NAMES, HEADS, LONG_WATCH_MS, Form, Head

JOIN_COLUMNS = (
    "event_id",
    "kind",
    "time_ms",
    "user_id",
    "room_id",
    "streamer_id",
    "request_id",
    "watch_ms",
    "gift_value",
    "sampled",
)
"""The columns of the log that the join reads."""

CUT_MS = 1_000
"""A visit that ended at most this long before its room, or after it, was cut off by the room's end."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of all impressions of a log.

    Attributes:
        event: Position of each impression in the log, int64 [M], ascending.
        labels: A column a head of `training.heads.HEADS`, float32 [M, heads]; 0 where masked.
        mask: Whether the label exists, bool [M, heads].
        censored: Whether the visit ended with its room, so that it could have lasted longer, bool [M].
        delay_s: How long after the impression a head's first positive event came, masked or not, float32 [M, heads];
            infinite where none did, or where the head is no probability.
    """

    event: Ints
    labels: NDArray[np.float32]
    mask: NDArray[np.bool_]
    censored: NDArray[np.bool_]
    delay_s: NDArray[np.float32]

    def of(self, event: Ints) -> "Labels":
        """The labels of the impressions at these positions, int64 [N]."""
        rows = np.searchsorted(self.event, event)
        return Labels(event, self.labels[rows], self.mask[rows], self.censored[rows], self.delay_s[rows])


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a log reaches of which a table holds all that matters to some impressions.

    Attributes:
        known_ms: Until when it is known what happened, Unix milliseconds.
        kinds: The kinds of events that occur in it.
    """

    known_ms: int
    kinds: frozenset[int]

    @classmethod
    def of(cls, table: pa.Table) -> "Extent":
        """That of a table that holds the whole log."""
        times_ms = table["time_ms"].to_numpy()
        return cls(int(times_ms.max(initial=0)), frozenset(np.unique(table["kind"].to_numpy()).tolist()))


@dataclass(frozen=True, slots=True)
class EnterColumns:
    """All visits of a log that began, in its order.

    Attributes:
        time_ms: Unix milliseconds, int64 [E].
        user: User key, int64 [E].
        streamer: Streamer key, int64 [E].
        room: Room key, int64 [E].
        watch_ms: How long the visit lasted, milliseconds, int64 [E]; −1 = not known, as it has no leave.
    """

    time_ms: Ints
    user: Ints
    streamer: Ints
    room: Ints
    watch_ms: Ints


def join(table: pa.Table, heads: Sequence[str] | None = None, extent: Extent | None = None) -> Labels:
    """Labels every impression of a log.

    An event counts for one impression: the latest one not after it, of the same request, user and room where the event
    carries a request id, else of the same user and room that was truly shown. A follow goes by streamer in place of
    room. It counts for a head within the head's window.

    * A head is masked where its window reaches beyond the end of the log, whatever happened until then: to keep only
      the early positives would bias the last hours.
    * Of several visits after one impression the longest counts. A visit that has no leave within the window (it goes
      on, or the leave was lost) has no watch time and no long watch. One that ended with its room counts as it is, and
      is told as censored. One whose enter came after its own window is not the impression's; in a log without enters a
      leave tells of both.
    * What gifts were worth adds up.
    * An impression whose event id was there before, or whose user has been erased, has no label and takes no event.

    Args:
        table: `JOIN_COLUMNS` of a log, in its order; late events count too.
        heads: Heads that have labels in this log; None = those whose events occur in it.
        extent: Of the log, where the table is a part of it; None = it is the log.
    """
    log, extent = _Log.of(table), extent or Extent.of(table)
    impressions = np.flatnonzero(log.kind == EventKind.IMPRESSION)
    if heads is None:
        heads = [name for name, head in HEADS.items() if head.kind in extent.kinds]
    credited = _Credits(log, impressions)
    remaining_ms = extent.known_ms - log.time_ms[impressions]
    labels = np.zeros((len(impressions), len(HEADS)), np.float32)
    mask = np.zeros(labels.shape, np.bool_)
    delay_s = np.full(labels.shape, np.inf, np.float32)
    entered = credited.happened(HEADS["enter"])
    has_enters = EventKind.ENTER in extent.kinds
    for column, name in enumerate(HEAD_NAMES):
        if name not in heads:
            continue
        head = HEADS[name]
        mature = remaining_ms >= head.window_s * 1000
        if head.form is Form.AMOUNT:
            labels[:, column] = credited.total(head, log.gift_value)
            mask[:, column] = mature
        elif head.kind is EventKind.LEAVE:
            left = credited.happened(head) & (entered | (not has_enters))
            watch_ms = np.where(left, credited.longest(head, log.watch_ms), 0)
            labels[:, column] = watch_ms >= LONG_WATCH_MS if head.binary else watch_ms / 1000
            mask[:, column] = mature & (left | (~entered & (not head.given_enter)))
            if head.binary:
                delay_s[left, column] = credited.delay_s(head, log.watch_ms >= LONG_WATCH_MS)[left]
        else:
            labels[:, column] = credited.happened(head)
            mask[:, column] = mature
            delay_s[:, column] = credited.delay_s(head, np.ones(len(log.kind), np.bool_))
    mask[log.left_out[impressions]] = False
    labels[~mask] = 0
    censored = credited.cut_off(HEADS["watch_time"]) & mask[:, HEAD_NAMES.index("watch_time")]
    return Labels(impressions, labels, mask, censored, delay_s)


def enters_of(table: pa.Table) -> EnterColumns:
    """The visits that began, each event id once, with the longest watch of the leaves until the viewer enters again.

    Those of a user who has been erased are left out.

    Args:
        table: `JOIN_COLUMNS` of a log.
    """
    kind = table["kind"].to_numpy()
    entering = (kind == EventKind.ENTER) & ~is_nobody(table)
    rows = np.flatnonzero(entering & ~repeats(table["event_id"], entering))
    visit = pairs(codes(table["user_id"]), codes(table["room_id"]))
    entered, left = _latest_before(visit, table["time_ms"].to_numpy(), rows, np.flatnonzero(kind == EventKind.LEAVE))
    watch_ms = np.full(len(rows), -1, np.int64)
    np.maximum.at(watch_ms, entered, table["watch_ms"].to_numpy()[left])
    visits = table.take(pa.array(rows))
    return EnterColumns(
        visits["time_ms"].to_numpy(),
        keys_in("user", visits["user_id"]),
        keys_in("streamer", visits["streamer_id"]),
        keys_in("room", visits["room_id"]),
        watch_ms,
    )


@dataclass(frozen=True, slots=True)
class _Log:
    """The columns of a log as numbers.

    `by_*` say which events belong together, -1 = by another rule; `left_out` which impressions were there before, and
    what is nobody's, as the user was erased; `room_end_ms` when the room of each event went off air, at the end of time
    where it is not known.
    """

    kind: NDArray[np.int8]
    left_out: NDArray[np.bool_]
    time_ms: Ints
    watch_ms: Ints
    gift_value: NDArray[np.float64]
    room_end_ms: Ints
    by_request: Ints
    by_room: Ints
    follow_by_request: Ints
    follow_by_streamer: Ints

    @classmethod
    def of(cls, table: pa.Table) -> "_Log":
        user, room, streamer = (codes(table[name]) for name in ("user_id", "room_id", "streamer_id"))
        encoded_requests = encoded(table["request_id"])
        requests = encoded_requests.indices.to_numpy().astype(np.int64)
        no_request = requests == encoded_requests.dictionary.index("").as_py()
        request = pairs(user, requests)
        kind = table["kind"].to_numpy()
        left_out = repeats(table["event_id"], kind == EventKind.IMPRESSION) | is_nobody(table)
        apart = no_request | left_out
        shown = ~table["sampled"].to_numpy() & ~left_out & (no_request | (kind == EventKind.IMPRESSION))
        return cls(
            kind=kind,
            left_out=left_out,
            time_ms=table["time_ms"].to_numpy(),
            watch_ms=table["watch_ms"].to_numpy(),
            gift_value=table["gift_value"].to_numpy(),
            room_end_ms=_ends(kind, room, table["time_ms"].to_numpy()),
            by_request=np.where(apart, -1, pairs(request, room)),
            by_room=np.where(shown, pairs(user, room), -1),
            follow_by_request=np.where(apart, -1, pairs(request, streamer)),
            follow_by_streamer=np.where(shown, pairs(user, streamer), -1),
        )


class _Credits:
    """Which impression each event is credited to."""

    def __init__(self, log: _Log, impressions: Ints) -> None:
        self._log = log
        self._impressions = impressions
        self._found: dict[EventKind, tuple[Ints, Ints]] = {}

    def happened(self, head: Head) -> NDArray[np.bool_]:
        """Whether each impression was followed by an event of the head, bool [M]."""
        rows, _ = self._within(head)
        hit = np.zeros(len(self._impressions), np.bool_)
        hit[rows] = True
        return hit

    def delay_s(self, head: Head, counts: NDArray[np.bool_]) -> NDArray[np.float32]:
        """How long after each impression its first event of the head came, of those that count, float32 [M]."""
        rows, events = self._within(head)
        rows, events = rows[counts[events]], events[counts[events]]
        found = np.full(len(self._impressions), np.inf, np.float32)
        after_ms = self._log.time_ms[events] - self._log.time_ms[self._impressions[rows]]
        np.minimum.at(found, rows, (after_ms / 1000).astype(np.float32))
        return found

    def longest(self, head: Head, amounts: Ints) -> Ints:
        """The greatest amount of the head's events after each impression, int64 [M]; 0 without any."""
        rows, events = self._within(head)
        greatest = np.zeros(len(self._impressions), np.int64)
        np.maximum.at(greatest, rows, amounts[events])
        return greatest

    def total(self, head: Head, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of the amounts of the head's events after each impression, float64 [M]."""
        rows, events = self._within(head)
        return np.bincount(rows, amounts[events], minlength=len(self._impressions)).astype(np.float64)

    def cut_off(self, head: Head) -> NDArray[np.bool_]:
        """Whether the longest visit after each impression ended with its room, bool [M]."""
        rows, events = self._within(head)
        log, longest = self._log, self.longest(head, self._log.watch_ms)
        ended = log.time_ms[events] >= log.room_end_ms[events] - CUT_MS
        found = np.zeros(len(self._impressions), np.bool_)
        found[rows[ended & (log.watch_ms[events] == longest[rows])]] = True
        return found

    def _within(self, head: Head) -> tuple[Ints, Ints]:
        """Impression row and log position of each event that counts for the head."""
        if head.kind not in self._found:
            self._found[head.kind] = self._credited(head.kind)
        rows, events = self._found[head.kind]
        time_ms = self._log.time_ms
        soon = time_ms[events] - time_ms[self._impressions[rows]] <= head.window_s * 1000
        return rows[soon], events[soon]

    def _credited(self, kind: EventKind) -> tuple[Ints, Ints]:
        log = self._log
        follow = kind is EventKind.FOLLOW
        groups = (log.follow_by_request, log.follow_by_streamer) if follow else (log.by_request, log.by_room)
        events = np.flatnonzero(log.kind == kind)
        found = [_latest_before(group, log.time_ms, self._impressions, events) for group in groups]
        rows, credited = (np.concatenate(each) for each in zip(*found, strict=True))
        return rows, credited


def _latest_before(group: Ints, time_ms: Ints, impressions: Ints, events: Ints) -> tuple[Ints, Ints]:
    """The latest impression of its group not after each event.

    Args:
        group: Which events of the log belong together, int64 [L]; -1 = with none.
        time_ms: int64 [L].
        impressions: Log positions, int64 [M].
        events: Log positions, int64 [E].

    Returns:
        Rows of `impressions` and log positions of the events that have one, int64 [C] each.
    """
    both = np.concatenate([impressions, events])
    is_event = np.arange(len(both)) >= len(impressions)
    order = np.lexsort((is_event, time_ms[both], group[both]))
    # Sorted by group, then time, then impressions first: the one to credit is the last impression passed.
    passed = np.maximum.accumulate(np.where(is_event[order], -1, np.arange(len(order))))
    places = np.flatnonzero(is_event[order] & (passed >= 0))
    rows, found = order[passed[places]], both[order[places]]
    same = (group[both[rows]] == group[found]) & (group[found] >= 0)
    return rows[same], found[same]


def _ends(kind: NDArray[np.int8], room: Ints, time_ms: Ints) -> Ints:
    """When the room of each event went off air for the first time, int64 [L]."""
    ends = np.full(int(room.max(initial=-1)) + 1, np.iinfo(np.int64).max, np.int64)
    off = np.isin(kind, (EventKind.ROOM_ENDED, EventKind.ROOM_BLOCKED))
    np.minimum.at(ends, room[off], time_ms[off])
    return ends[room]
