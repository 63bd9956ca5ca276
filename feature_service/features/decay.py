"""Decayed counters: forward decay in integers, so that events in any order leave the same bytes.

Of each half-life h a ring of four epochs of 4h is kept. An event at t adds amount × LUT[(t − epoch start)·64 // h],
where LUT[i] = round(2^12 · 2^(i/64)). Reading sums S_epoch · 2^(−(now − epoch start)/h) / 2^12, by a table too, so that
the result does not depend on a CPU's exp2. Within 1 % of exact decay. Forward decay: Cormode et al., ICDE 2009.
"""

from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from feature_service.features.events import Event, EventKind
from feature_service.features.reducers import Entity, Fields, FieldSpec, Keys, Signal, Update

SLOTS = 4
"""Epochs in a ring, and half-lives in an epoch."""

STEPS = 64
"""Steps of the table within a half-life."""

_EPOCH_STEPS = SLOTS * STEPS

SCALE = 1 << 12

WEIGHTS: tuple[int, ...] = tuple(round(SCALE * 2 ** (i / STEPS)) for i in range(_EPOCH_STEPS))

_READ_STEPS = 40 * STEPS
_FACTORS: NDArray[np.float64] = np.append(1 / SCALE * 2.0 ** (-np.arange(_READ_STEPS) / STEPS), 0.0)
"""2^(−i/64) / 2^12; what is older than forty half-lives counts nothing."""

HALF_LIVES_S = MappingProxyType(
    {
        Entity.ROOM: (60, 600, 3_600),
        Entity.STREAMER: (86_400, 604_800),
        Entity.USER: (600, 86_400),
        Entity.PAIR: (86_400, 604_800),
    }
)
"""Half-lives by entity, seconds."""
_HALF_LIVES_MS = {entity: np.array(seconds, np.int64) * 1000 for entity, seconds in HALF_LIVES_S.items()}


def _suffix(entity: Entity) -> str:
    return "_".join(map(str, HALF_LIVES_S[entity]))


@cache
def sums_field(entity: Entity) -> str:
    """The prefix of the fields of sums; it names the half-lives, so that other ones are another field."""
    return f"decayed_{_suffix(entity)}"


@cache
def epochs_field(entity: Entity) -> str:
    """The field of the epochs that the slots hold; all signals of a record share it."""
    return f"epochs_{_suffix(entity)}"


@dataclass(frozen=True, slots=True)
class Decayed:
    """Exponentially decayed sums of a signal, one for each half-life of the entity: int64 [half-lives, 4]."""

    entity: Entity
    signal: Signal

    def fields(self) -> list[FieldSpec]:
        """The signal's sums, and the epochs of the record."""
        shape = (len(HALF_LIVES_S[self.entity]), SLOTS)
        return [
            (f"{sums_field(self.entity)}.{self.signal.name}", "<i8", shape),
            (epochs_field(self.entity), "<i8", shape),
        ]

    def updates(self) -> list[tuple[EventKind, Update]]:
        """Adds the weighted amount to the slot of the event's epoch.

        An epoch newer than the slot's clears the slot for all signals; an older one is out of reach.
        """
        block, epochs_name, amount = sums_field(self.entity), epochs_field(self.entity), self.signal.amount
        name = f"{block}.{self.signal.name}"
        half_lives_ms = tuple(enumerate(seconds * 1000 for seconds in HALF_LIVES_S[self.entity]))

        def add(columns: Fields, row: int, event: Event, keys: Keys) -> None:  # noqa: ARG001
            given = amount(event)
            if not given:
                return
            sums, epochs, scaled_ms = columns[name], columns[epochs_name], event.time_ms * STEPS
            for i, half_life_ms in half_lives_ms:
                epoch, step = divmod(scaled_ms // half_life_ms, _EPOCH_STEPS)
                at, added = (row, i, epoch % SLOTS), given * WEIGHTS[step]
                # `item` gives Python integers, with which arithmetic is faster than with numpy's scalars.
                held = epochs.item(at)
                if held == epoch:
                    sums[at] = sums.item(at) + added
                elif held < epoch:
                    epochs[at] = epoch
                    columns[block][row, :, i, epoch % SLOTS] = 0
                    sums[at] = added

        return [(self.signal.kind, add)]


def read(
    sums: NDArray[np.int64], epochs: NDArray[np.int64], entity: Entity, now_ms: int | NDArray[np.int64]
) -> NDArray[np.float32]:
    """The decayed values at `now_ms`.

    Args:
        sums: int64 [n, signals, half-lives, 4].
        epochs: int64 [n, half-lives, 4].
        entity: Whose records; says the half-lives.
        now_ms: Unix milliseconds, of all rows or of each, int64 [n].

    Returns:
        float32 [n, signals, half-lives], in each signal's unit.
    """
    now_steps = np.reshape(now_ms, (-1, 1)) * STEPS // _HALF_LIVES_MS[entity]
    steps = now_steps[..., None] - epochs * _EPOCH_STEPS
    factors = _FACTORS.take(steps, mode="clip")
    weighted = sums.astype(np.float64)  # First, all at once: to convert within the product takes longer.
    weighted *= factors[:, None]
    total = weighted[..., 0] + weighted[..., 1]
    total += weighted[..., 2]
    total += weighted[..., 3]
    return total.astype(np.float32)
