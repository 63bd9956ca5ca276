"""The Explain page as data: an answer with its trace, laid out for reading. No Flask, no I/O."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from protos.onair.v1 import recommendation_pb2 as pb

HUES = 10
"""Colours of heads in the style sheet; further heads start again with the first."""

MOST_DROPPED = 50
"""Rooms that are listed of those a filter dropped; the rest is counted."""

MOST_NEXT = 20
"""Rooms that are listed of those next in line."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a bar: where it starts and how wide it is, shares 0 to 1 of the width; `hue` names its colour."""

    start: float
    width: float
    label: str
    hue: int = 0


@dataclass(frozen=True, slots=True)
class Term:
    """What one head adds to a room's score."""

    head: str
    prediction: float
    weight: float
    contribution: float
    bar: Bar


@dataclass(frozen=True, slots=True)
class Room:
    """One room of the slate with how it got there.

    Attributes:
        card: As app services get it.
        trace: How it came about; empty if the service sent none.
        terms: What each head adds.
        score_bar: The same as one stacked bar; all rooms of the slate share its scale.
    """

    card: pb.RoomCard
    trace: pb.CandidateTrace
    terms: tuple[Term, ...]
    score_bar: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many rooms a channel found or a stage left, with a bar."""

    name: str
    count: int
    bar: Bar


@dataclass(frozen=True, slots=True)
class Stage:
    """When a stage ran."""

    name: str
    duration_ms: float
    bar: Bar


@dataclass(frozen=True, slots=True)
class Dropped:
    """What one filter dropped: how many rooms, and the first of them."""

    name: str
    count: int
    rooms: tuple[pb.CandidateTrace, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that the page shows of one answer.

    Attributes:
        answer: As app services get it.
        trace: As the service sent it.
        rooms: The slate.
        heads: The colour of each head that adds to a score.
        channels: Rooms found by channel, most first.
        funnel: Rooms left after each step, by the names of the texts `funnel`.
        stages: The waterfall.
        dropped: By filter, in the order of their names.
        next_in_line: The best ranked rooms that are not in the slate.
        rung: How much was done for it, as the API names it; empty = an older service does not say.
        total_ms: From arrival to the end of the last stage, milliseconds.
        now: The service's clock.
    """

    answer: pb.RecommendResponse
    trace: pb.Trace
    rooms: tuple[Room, ...]
    heads: dict[str, int]
    channels: tuple[Count, ...]
    funnel: tuple[Count, ...]
    stages: tuple[Stage, ...]
    dropped: tuple[Dropped, ...]
    next_in_line: tuple[pb.CandidateTrace, ...]
    rung: str
    total_ms: float
    now: datetime


def lay_out(response: pb.ExplainResponse) -> Explanation:
    """Lays an answer out."""
    answer, trace = response.answer, response.trace
    total_ms = max((each.start_ms + each.duration_ms for each in trace.stages), default=0.0)
    heads = _heads(trace.candidates)
    return Explanation(
        answer=answer,
        trace=trace,
        rooms=_rooms(answer, trace, heads),
        heads=heads,
        channels=_counts(sorted(trace.retrieved.items(), key=lambda item: (-item[1], item[0]))),
        funnel=_funnel(answer, trace),
        stages=tuple(_stage(each, total_ms) for each in trace.stages),
        dropped=_dropped(trace),
        next_in_line=_next_in_line(trace),
        rung=pb.Rung.Name(answer.rung) if answer.rung else "",
        total_ms=total_ms,
        now=datetime.fromtimestamp(answer.now_ms / 1000, UTC),
    )


def _heads(candidates: Iterable[pb.CandidateTrace]) -> dict[str, int]:
    """A colour for each head that has a weight, in the ranker's order."""
    ranked = next((each for each in candidates if each.terms), None)
    weighed = [term.head for term in ranked.terms if term.weight] if ranked else []
    return {head: i % HUES for i, head in enumerate(weighed)}


def _rooms(answer: pb.RecommendResponse, trace: pb.Trace, heads: dict[str, int]) -> tuple[Room, ...]:
    traces = {each.room_id: each for each in trace.candidates}
    found = [traces.get(card.room_id, pb.CandidateTrace(rank_position=-1)) for card in answer.rooms]
    largest_term = max((_size(term) for each in found for term in each.terms), default=0.0)
    largest_sum = max((sum(map(_size, each.terms)) for each in found), default=0.0)
    return tuple(
        Room(
            card=card,
            trace=each,
            terms=tuple(
                Term(
                    head=term.head,
                    prediction=term.prediction,
                    weight=term.weight,
                    contribution=term.contribution,
                    bar=Bar(0.0, _share(_size(term), largest_term), term.head, heads.get(term.head, 0)),
                )
                for term in each.terms
            ),
            score_bar=_stack(each.terms, largest_sum, heads),
        )
        for card, each in zip(answer.rooms, found, strict=True)
    )


def _stack(terms: Sequence[pb.FusionTerm], largest_sum: float, heads: dict[str, int]) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    start = 0.0
    for term in terms:
        width = _share(_size(term), largest_sum)
        if width:
            bars.append(Bar(start, width, f"{term.head} {term.contribution:+.3g}", heads.get(term.head, 0)))
        start += width
    return tuple(bars)


def _size(term: pb.FusionTerm) -> float:
    """The length of a term's bar: what it adds or takes away; nothing if that is not a number."""
    return abs(term.contribution) if math.isfinite(term.contribution) else 0.0


def _funnel(answer: pb.RecommendResponse, trace: pb.Trace) -> tuple[Count, ...]:
    candidates = trace.candidates
    return _counts(
        [
            ("recalled", sum(trace.retrieved.values())),
            ("merged", len(candidates)),
            ("passed", sum(not each.dropped_by for each in candidates)),
            ("ranked" if trace.ranker else "recall_order", sum(each.rank_position >= 0 for each in candidates)),
            ("slate", len(answer.rooms)),
        ]
    )


def _counts(named: Sequence[tuple[str, int]]) -> tuple[Count, ...]:
    largest = max((count for _, count in named), default=0)
    return tuple(Count(name, count, Bar(0.0, _share(count, largest), name)) for name, count in named)


def _stage(stage: pb.StageTime, total_ms: float) -> Stage:
    bar = Bar(_share(stage.start_ms, total_ms), _share(stage.duration_ms, total_ms), stage.stage)
    return Stage(stage.stage, stage.duration_ms, bar)


def _dropped(trace: pb.Trace) -> tuple[Dropped, ...]:
    rooms: dict[str, list[pb.CandidateTrace]] = {name: [] for name in sorted(trace.filtered)}
    for each in trace.candidates:
        if each.dropped_by:
            rooms.setdefault(each.dropped_by, []).append(each)
    return tuple(
        Dropped(name, trace.filtered.get(name, len(found)), tuple(found[:MOST_DROPPED]))
        for name, found in rooms.items()
    )


def _next_in_line(trace: pb.Trace) -> tuple[pb.CandidateTrace, ...]:
    left = [each for each in trace.candidates if each.rank_position >= 0 and each.final_position < 0]
    return tuple(sorted(left, key=lambda each: each.rank_position)[:MOST_NEXT])


def _share(part: float, whole: float) -> float:
    """A share of a bar, 0 to 1."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0
