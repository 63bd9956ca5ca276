"""Policies of the closed loop that need no stack: what it is compared with, and the bound above it."""

from collections.abc import Callable

import numpy as np

from feature_service.features.events import Event, EventKind
from training.data.simulation.crowd import Asking
from training.data.simulation.people import Floats, Ints
from training.data.simulation.world import sigmoid

Policy = Callable[[Asking, int], Ints]
"""The slates of viewers who ask, as columns of `Asking.live`, int64 [N, k], best first."""


def random_order(asking: Asking, k: int) -> Ints:
    """Rooms on air in random order."""
    return best(asking.rng.random(asking.loyalty.shape), k)


def expected_watch(asking: Asking) -> Floats:
    """The watch time to expect of each room, which only the simulator knows, in a unit of its own, float64 [N, L].

    P(enter) · E[watch | enter], with the viewer's taste, loyalty and the room's heat as they truly are now.
    """
    world, numbers = asking.world, asking.world.settings.calibration
    rooms = np.broadcast_to(asking.live, asking.loyalty.shape)
    heat = world.heat(asking.live, np.full(len(asking.live), asking.from_ms))
    logit = world.standing_logit(asking.users, rooms, asking.from_ms, asking.loyalty) + world.heat_logit(heat)
    stretch = world.affinity(asking.users, rooms, asking.from_ms) + 0.5 * heat * world.settings.effects.realtime
    return sigmoid(logit) * np.exp(numbers.watch_affinity * stretch)


def oracle(asking: Asking, k: int) -> Ints:
    """By the watch time to expect.

    It looks no further than this slate, so that what pays later (a habit that forms) is not in the bound.
    """
    return best(expected_watch(asking), k)


def worth(asking: Asking, columns: Ints) -> Floats:
    """What each slate is worth: the watch time to expect of its rooms, as a share of what the oracle's have.

    Args:
        asking: Who asked.
        columns: The slates, int64 [N, k].

    Returns:
        float64 [N], 0 to 1.
    """
    expected = expected_watch(asking)
    most = np.take_along_axis(expected, best(expected, columns.shape[1]), axis=1).sum(axis=1)
    return np.take_along_axis(expected, columns, axis=1).sum(axis=1) / most


class Popularity:
    """By how often each streamer was entered so far: the same list for all."""

    def __init__(self, streamers: int) -> None:
        """Starts from nothing; `streamers` is how many there are."""
        self._enters = np.zeros(streamers)

    def learn(self, event: Event) -> None:
        """Counts an enter."""
        if event.kind is EventKind.ENTER:
            self._enters[int(event.streamer_id.rpartition("-")[2])] += 1

    def __call__(self, asking: Asking, k: int) -> Ints:
        """See `Policy`."""
        enters = self._enters[asking.world.rooms.streamer[asking.live]]
        return best(np.broadcast_to(enters, asking.loyalty.shape), k)


def best(scores: Floats, k: int) -> Ints:
    """The k columns of the highest scores, float64 [N, L] → int64 [N, k]; of equal ones the first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]
