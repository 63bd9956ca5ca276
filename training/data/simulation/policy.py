"""The behaviour policy: which slates the simulated platform shows, and with what probability."""

import numpy as np

from training.data.simulation.people import FACTORS, Floats, Ints
from training.data.simulation.world import World


def choose_slates(
    world: World, users: Ints, live: Ints, loyalty: Floats, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Draws a slate for each viewer, position by position without repeats.

    A room's weight mixes a softmax over what the policy knows (charisma, a stale and noisy estimate of taste, whom the
    viewer has watched) with a uniform share. Drawing with these weights (Plackett-Luce) is done by Gumbel noise.

    Args:
        world: The truth; the policy reads only its estimates.
        users: int64 [N], rows of viewers.
        live: int64 [L], rows of the rooms on air.
        loyalty: float64 [N, L], 0 to 1.
        rng: The source of chance.

    Returns:
        int64 [N, K]: columns of `live`, K = the slate's size or L where that is less; and float64 [N, K]: the
        propensity of each, which is its probability at that position given the ones above it.
    """
    numbers = world.settings.calibration
    streamer = world.rooms.streamer[live]
    score = (
        numbers.policy_affinity
        * np.sqrt(FACTORS)
        * (world.viewers.estimate[users] @ world.streamers.factors[streamer].T)
        + numbers.policy_charisma * world.streamers.charisma[streamer]
        + numbers.policy_loyalty * loyalty
    )
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    weight = (1 - numbers.explore_share) * weight / weight.sum(axis=1, keepdims=True) + numbers.explore_share / len(
        live
    )
    size = min(world.settings.slate_size, len(live))
    noisy = -(np.log(weight) + rng.gumbel(size=weight.shape))
    columns = np.argpartition(noisy, size - 1, axis=1)[:, :size]
    order = np.argsort(np.take_along_axis(noisy, columns, axis=1), axis=1)
    columns = np.take_along_axis(columns, order, axis=1)
    chosen = np.take_along_axis(weight, columns, axis=1)
    above = np.cumsum(chosen, axis=1) - chosen
    return columns, np.minimum(chosen / np.maximum(1 - above, 1e-12), 1.0)
