"""Two slates of one user beside each other, and the sliders between them. No Flask, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

from feature_service.fusion import UNWANTED_HEADS
from protos.onair.v1 import recommendation_pb2 as pb

REACH = 4
"""A slider reaches so many times as far as the weight that the settings have,"""

STEPS = 40
"""in so many steps."""


@dataclass(frozen=True, slots=True)
class Side:
    """One room of one of the slates.

    Attributes:
        card: The room.
        moved: Places up (> 0) or down against the other slate; None = the other has it not.
    """

    card: pb.RoomCard
    moved: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both slates.

    Attributes:
        now: As it is.
        then: As it would be.
        stay: Rooms that stand in both.
        moved: Those of them that stand elsewhere.
        come: Rooms that come in.
        go: Rooms that go.
        rankers: Name and version of the rankers that answered, now and then; an empty name = none did.
        degraded: What the second answer had to do without.
    """

    now: tuple[Side, ...]
    then: tuple[Side, ...]
    stay: int
    moved: int
    come: int
    go: int
    rankers: tuple[tuple[str, int], tuple[str, int]]
    degraded: tuple[pb.Degradation, ...]


@dataclass(frozen=True, slots=True)
class Slider:
    """The weight of one head.

    Attributes:
        head: The head.
        value: Where it stands.
        settings: What the settings have.
        low: The least value.
        high: The greatest one.
        step: From one value to the next.
    """

    head: str
    value: float
    settings: float
    low: float
    high: float
    step: float


def compare(now: pb.ExplainResponse, then: pb.ExplainResponse) -> Comparison:
    """Sets two answers beside each other."""
    before = {card.room_id: card.position for card in now.answer.rooms}
    after = {card.room_id: card.position for card in then.answer.rooms}
    moves = {room: before[room] - after[room] for room in before.keys() & after.keys()}
    return Comparison(
        now=tuple(Side(card, moves.get(card.room_id)) for card in now.answer.rooms),
        then=tuple(Side(card, moves.get(card.room_id)) for card in then.answer.rooms),
        stay=len(moves),
        moved=sum(move != 0 for move in moves.values()),
        come=len(after) - len(moves),
        go=len(before) - len(moves),
        rankers=((now.trace.ranker, now.trace.ranker_version), (then.trace.ranker, then.trace.ranker_version)),
        degraded=tuple(then.answer.degraded),
    )


def sliders(now: pb.ExplainResponse, then: pb.ExplainResponse, wished: Mapping[str, float]) -> tuple[Slider, ...]:
    """A slider for each head of either ranker, in their order.

    Args:
        now: The answer as it is: its weights are the settings'.
        then: The answer as it would be.
        wished: The weights that were asked for; none = the settings'.
    """
    settings = _weights(now)
    heads = dict.fromkeys([*settings, *_weights(then)])
    return tuple(_slider(head, settings.get(head, 0.0), wished) for head in heads)


def _weights(response: pb.ExplainResponse) -> dict[str, float]:
    """The weight of each head of the ranker that answered."""
    ranked = next((each for each in response.trace.candidates if each.terms), pb.CandidateTrace())
    return {term.head: term.weight for term in ranked.terms}


def _slider(head: str, settings: float, wished: Mapping[str, float]) -> Slider:
    value = wished.get(head, 0.0) if wished else settings
    reach = max(REACH * abs(settings) or REACH, abs(value))
    low, high = (-reach, 0.0) if head in UNWANTED_HEADS else (0.0, reach)
    return Slider(head, value, settings, low, high, reach / STEPS)
