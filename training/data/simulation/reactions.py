"""What simulated viewers do during and after a visit: like, comment, give, follow, share."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from feature_service.features.events import EventKind
from training.data.simulation.people import Floats, Ints
from training.data.simulation.visits import SHORT_MS
from training.data.simulation.world import World

_KINDS = MappingProxyType(
    {
        "like": EventKind.LIKE,
        "comment": EventKind.COMMENT,
        "gift": EventKind.GIFT,
        "follow": EventKind.FOLLOW,
        "share": EventKind.SHARE,
    }
)
_EARLY_GIFTS = 0.9
_FOLLOWS_AFTER = 0.5
_FOLLOW_DELAY_MS = 15 * 60_000
_AT_ONCE_MS = 1_000


@dataclass(frozen=True, slots=True)
class Reaction:
    """One reaction to a visit.

    Attributes:
        kind: What the viewer did.
        delay_ms: How long after entering.
        gift_value: What a gift is worth, else 0.
    """

    kind: EventKind
    delay_ms: int
    gift_value: float


def react(
    world: World, affinity: Floats, heat: Floats, watch_ms: Ints, rng: np.random.Generator
) -> dict[int, list[Reaction]]:
    """Draws the reactions to visits.

    Args:
        world: The truth.
        affinity: float64 [V].
        heat: float64 [V].
        watch_ms: int64 [V].
        rng: The source of chance.

    Returns:
        Reactions by row of the visit, in order of time; visits without any are absent.
    """
    numbers, effects = world.settings.calibration, world.settings.effects
    found: dict[int, list[Reaction]] = {}
    for name, kind in _KINDS.items():
        lift = numbers.reaction_affinity * affinity
        if name == "gift" and effects.realtime:
            lift = lift + numbers.gift_heat * heat
        chance = numbers.reactions[name] * np.exp(lift)
        draw, late = rng.random(len(affinity)), _delay(name, watch_ms, effects.delays, rng)
        value = np.ceil(rng.lognormal(2.0, 1.5, len(affinity)))
        for row in np.flatnonzero((draw < chance) & (watch_ms >= SHORT_MS)).tolist():
            gift_value = float(value[row]) if name == "gift" else 0.0
            found.setdefault(row, []).append(Reaction(kind, int(late[row]), gift_value))
    for reactions in found.values():
        reactions.sort(key=lambda reaction: reaction.delay_ms)
    return found


def _delay(name: str, watch_ms: Ints, delays: bool, rng: np.random.Generator) -> Ints:
    """Milliseconds after entering, int64 [V]."""
    share, late, wait = rng.random(len(watch_ms)), rng.random(len(watch_ms)), rng.exponential(size=len(watch_ms))
    if name not in ("gift", "follow"):
        return (share * watch_ms).astype(np.int64)
    if not delays:
        return np.minimum(watch_ms, _AT_ONCE_MS)
    if name == "gift":
        return (np.where(late < _EARLY_GIFTS, 0.1 * share, share) * watch_ms).astype(np.int64)
    after_ms = watch_ms + wait * _FOLLOW_DELAY_MS
    return np.where(late < _FOLLOWS_AFTER, after_ms, share * watch_ms).astype(np.int64)
