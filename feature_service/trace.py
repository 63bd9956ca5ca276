"""The trace of an answer: how it came about, filled in stage by stage; the console draws it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feature_service.compose import Card
from feature_service.degraded import Degraded
from feature_service.overload.ladder import Rung
from feature_service.rank import RankerCall
from feature_service.stages import Candidates, Order, Ranked, Recalled, Request


@dataclass(frozen=True, slots=True)
class StageTime:
    """When a stage ran: milliseconds since the request's arrival; a channel, `recall.hot`, runs within `recall`."""

    stage: str
    start_ms: float
    duration_ms: float


@dataclass(slots=True)
class Trace:
    """How an answer came about; filled in as the stages run.

    Attributes:
        recalled: What each channel found.
        candidates: The merged candidates, before the filters.
        dropped_by: The filter that dropped each of them, by its number in the scene; -1 = none did. int8 [n].
        ranked: What the filters left, by descending score.
        ranker_call: What the ranker was called with; None = none answered.
        orders: What each re-ranker decided, by its name.
        slate: Places in `ranked`, in the answer's order.
        ended: How many more would stand there, had their rooms not gone off air meanwhile.
        stages: The stages' times.
        degraded: What the answer had to do without.
        log_position: The log position that the features included.
        rung: How much was done for it.
    """

    recalled: list[Recalled] = field(default_factory=list[Recalled])
    candidates: Candidates | None = None
    dropped_by: NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    ranked: Ranked | None = None
    ranker_call: RankerCall | None = None
    orders: dict[str, Order] = field(default_factory=dict[str, Order])
    slate: list[int] = field(default_factory=list[int])
    ended: int = 0
    stages: list[StageTime] = field(default_factory=list[StageTime])
    degraded: list[Degraded] = field(default_factory=list[Degraded])
    log_position: int = 0
    rung: Rung = Rung.FULL


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer and its explanation.

    Attributes:
        request: What was asked.
        cards: The slate.
        versions: The version of each model that the request ran on.
        trace: How it came about.
    """

    request: Request
    cards: tuple[Card, ...]
    versions: Mapping[str, int]
    trace: Trace
