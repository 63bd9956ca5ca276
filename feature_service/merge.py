"""Merges what the channels found: each fills its quota, and a room remembers all channels that found it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_service.live.table import Rows
from feature_service.stages import Candidates, Recalled


def merge(recalled: Sequence[Recalled], quotas: Mapping[str, int], limit: int) -> Candidates:
    """Takes the rooms in the order of rank / quota, each once.

    So every channel's best room comes first, channels advance in proportion to their quotas, and ties go to the channel
    that stands first in `quotas`. What has a rank within its channel's quota precedes all that has not; what a channel
    leaves unfilled goes to the others in the same order. A room that several channels found takes its best place.

    Args:
        recalled: What the channels found; one that failed or came late is left out.
        quotas: Quota by channel, in order of preference; a channel without one (a fallback) comes last, with 1.
        limit: Candidates at most.

    Returns:
        The candidates; their columns are the channels of `quotas`, and those without a quota behind.
    """
    channels = (*quotas, *(each.channel for each in recalled if each.channel not in quotas))
    found = sorted(recalled, key=lambda each: channels.index(each.channel))
    if not found:
        return _candidates(channels)
    rows = np.concatenate([each.rows for each in found])
    ranks = np.concatenate([np.arange(len(each.rows), dtype=np.int32) for each in found])
    scores = np.concatenate([each.scores for each in found])
    columns = np.repeat([channels.index(each.channel) for each in found], [len(each.rows) for each in found])
    turn = ranks / np.array([max(quotas.get(name, 1), 1) for name in channels])[columns]
    order = np.argsort(turn, kind="stable")
    rows, columns = rows[order], columns[order]
    best = _first_places(rows)
    leads = best == np.arange(len(rows))
    merged = _candidates(channels, int(leads.sum()))
    merged.rows[:] = rows[leads]
    places = (np.cumsum(leads) - 1)[best]
    merged.ranks[places, columns] = ranks[order]
    merged.scores[places, columns] = scores[order]
    return merged.take(np.arange(min(limit, len(merged.rows))))


def _first_places(rows: Rows) -> NDArray[np.intp]:
    """Where each room stands first, intp [n]; by a table over the rows, which is faster than to sort them."""
    places = np.empty(int(rows.max(initial=0)) + 1, np.intp)
    places[rows[::-1]] = np.arange(len(rows))[::-1]  # Of repeated indices numpy keeps the last.
    return places[rows]


def _candidates(channels: tuple[str, ...], count: int = 0) -> Candidates:
    shape = (count, len(channels))
    return Candidates(
        np.zeros(count, np.intp), channels, np.full(shape, -1, np.int32), np.full(shape, np.nan, np.float32)
    )
