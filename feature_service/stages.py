"""The stages of the pipeline: what they are given, what they answer, and the protocols they follow."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from feature_service.features.state import State
from feature_service.features.view import Context
from feature_service.live.index import LiveIndex
from feature_service.live.table import LiveTable, Rows
from feature_service.models import ServedModel
from feature_service.scenes import Scene


@dataclass(frozen=True, slots=True)
class Request:
    """One request, checked.

    Attributes:
        request_id: Names the answer; events that follow carry it.
        user_id: The platform's id.
        user_key: Its key.
        k: Length of the slate.
        scene: The settings of the scene.
        context: Where and how the user asks.
        now_ms: The request's clock, Unix milliseconds.
        excluded: Room keys of earlier pages, int64 [n].
    """

    request_id: str
    user_id: str
    user_key: int
    k: int
    scene: Scene
    context: Context
    now_ms: int
    excluded: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class World:
    """What stages read of the state; none of them writes.

    Attributes:
        state: Records and facts.
        live: The rooms on air.
        indexes: Their vectors by the name of the vector model, of the version that serves.
        models: The models that serve, by name.
    """

    state: State
    live: LiveTable
    indexes: Mapping[str, LiveIndex]
    models: Mapping[str, ServedModel]


@dataclass(frozen=True, slots=True)
class Recalled:
    """What one channel found, best first.

    Attributes:
        channel: The channel's name.
        rows: Rows of rooms, intp [n].
        scores: The channel's own scores, float32 [n], descending.
        because: Key of the watched streamer that brought each room, int64 [n], 0 = none; None = the channel names none.
    """

    channel: str
    rows: Rows
    scores: NDArray[np.float32]
    because: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """The merged candidates, best first.

    Attributes:
        rows: Rows of rooms, each once, intp [n].
        channels: The channels that were asked, in the order of the columns below.
        ranks: 0-based rank within each channel, int32 [n, channels]; -1 = not found by it.
        scores: The channels' scores, float32 [n, channels]; nan = not found by it.
    """

    rows: Rows
    channels: tuple[str, ...]
    ranks: NDArray[np.int32]
    scores: NDArray[np.float32]

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "Candidates":
        """The chosen candidates, in that order."""
        return Candidates(self.rows[chosen], self.channels, self.ranks[chosen], self.scores[chosen])


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates with their heads and the fusion's score, by descending score.

    Attributes:
        candidates: The candidates.
        heads: Names of the prediction columns.
        predictions: float32 [n, heads].
        contributions: What each head adds to the score, float64 [n, heads].
        scores: float64 [n], descending; a non-finite one stands last.
    """

    candidates: Candidates
    heads: tuple[str, ...]
    predictions: NDArray[np.float32]
    contributions: NDArray[np.float64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Order:
    """What a re-ranker decided.

    Attributes:
        chosen: Places in `Ranked`, in the new order, intp [≤ n]; what is not named follows in the old order.
        tell: Makes `moves`; only an explained answer asks.
        propensities: The probability with which each of `chosen` stands where it does, given the places above it,
            float64; None = nothing was left to chance.
    """

    chosen: NDArray[np.intp]
    tell: Callable[[], dict[int, str]] = dict[int, str]
    propensities: NDArray[np.float64] | None = None

    @property
    def moves(self) -> dict[int, str]:
        """A few words by place in `Ranked`, for those that it moved."""
        return self.tell()


class Channel(Protocol):
    """Recalls rooms. A channel finds; it neither filters for others nor ranks.

    Attributes:
        waits: Whether it waits for a server or a store. Such channels are asked first, and the others work meanwhile.
    """

    waits: ClassVar[bool]

    async def recall(self, request: Request, world: World, limit: int) -> Recalled:
        """At most `limit` rooms on air, best first."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A channel that cannot search: it scores rooms on air, all of them when they are few, else what the others found.

    It is asked with the other channels and within the same time. What it awaits of the others comes when all of them
    have answered, or when a part of that time is over, so that one that hangs does not take the scorer along.
    """

    async def score(
        self, request: Request, world: World, others: Awaitable[Sequence[Recalled]], limit: int
    ) -> Recalled:
        """At most `limit` rooms on air, best first; `others` are what the other channels found."""
        ...


@runtime_checkable
class Served(Protocol):
    """A channel or scorer that asks the served model of its own name.

    Attributes:
        signatures: The signatures that the model must have; with `room` among them, its vectors get a live index.
    """

    signatures: ClassVar[tuple[str, ...]]


class Filter(Protocol):
    """Drops candidates. A filter never scores."""

    def keep(self, request: Request, world: World, rows: Rows) -> NDArray[np.bool_]:
        """Which candidates stay, bool [n]."""
        ...


class ReRanker(Protocol):
    """Orders the head of the ranked list anew, for the slate as a whole."""

    def order(self, request: Request, world: World, ranked: Ranked, places: NDArray[np.intp]) -> Order:
        """The new order of `places` (places in `ranked`, as the re-ranker before left them)."""
        ...
