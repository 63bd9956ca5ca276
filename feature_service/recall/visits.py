"""The visits of a user to streamers, decayed: what the channels of known streamers start from."""

import numpy as np
from numpy.typing import NDArray

from feature_service.features import decay
from feature_service.features.records import Table
from feature_service.features.reducers import Entity


def recent_visits(pairs: Table, pair_rows: NDArray[np.intp], now_ms: int) -> NDArray[np.float32]:
    """Visits, decayed at the longest half-life of pairs (7 days), float32 [n].

    Args:
        pairs: The user's streamers.
        pair_rows: Rows of `pairs`, [n].
        now_ms: The request's clock, Unix milliseconds.
    """
    sums = pairs.fields[f"{decay.sums_field(Entity.PAIR)}.enter"][pair_rows, None]
    epochs = pairs.fields[decay.epochs_field(Entity.PAIR)][pair_rows]
    return decay.read(sums, epochs, Entity.PAIR, now_ms)[:, 0, -1]
