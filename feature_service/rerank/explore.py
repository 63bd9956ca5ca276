"""The re-ranker `explore`: now and then a place goes to a new room, by chance, and its probability is told.

At each place of `Scene.explore_places` (from 0), with probability `Scene.explore_rate`, a room is drawn uniformly from
those that the channel `fresh` found and that the slate does not hold. What was there leaves the slate; all other places
stay. The probability of what a place shows, given the places above it, goes out with the slate: for its own room
1 − ε, for each of the n others ε / n. Events report it back (`Event.propensity`), and off-policy estimates rest on it.

The draws follow from the request id alone, so that an answer can be repeated.
"""

import numpy as np
from numpy.typing import NDArray

from feature_service.features.schema import key_of
from feature_service.recall import fresh
from feature_service.stages import Candidates, Order, Ranked, Request, World


class Explore:
    """Comes last of a scene's re-rankers: what moves rooms after it would make its probabilities wrong."""

    def order(self, request: Request, world: World, ranked: Ranked, places: NDArray[np.intp]) -> Order:  # noqa: ARG002
        """The slate's k places, some of them given to new rooms, with the probability of each."""
        slate, rest = places[: request.k].copy(), places[request.k :]
        pool = rest[_fresh(ranked.candidates, rest)].tolist()
        rate, told = request.scene.explore_rate, dict[int, str]()
        propensities = np.ones(len(slate))
        draws = np.random.default_rng(key_of("request", request.request_id) & (2**63 - 1))
        for place in request.scene.explore_places:
            if place >= len(slate) or not pool:
                continue
            if draws.random() >= rate:
                propensities[place] = 1 - rate
                continue
            propensities[place] = rate / len(pool)
            told[int(slate[place])] = f"left place {place + 1} to a new room"
            slate[place] = pool.pop(int(draws.integers(len(pool))))
            told[int(slate[place])] = f"new at place {place + 1}, by chance"
        return Order(slate, lambda: told, propensities)


def _fresh(candidates: Candidates, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which places the channel `fresh` found, bool [n]; none when the scene does not ask it."""
    if fresh.NAME not in candidates.channels:
        return np.zeros(len(places), np.bool_)
    return candidates.ranks[places, candidates.channels.index(fresh.NAME)] >= 0
