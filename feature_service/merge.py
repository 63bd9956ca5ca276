"""Merges what the channels found: quotas say who gets in, and the ranks in all channels say in which order.

A quota makes room for what only one channel can find, as a streamer whom nobody has met. It says nothing of how good
that is, so the order is another matter: a room that several channels place high stands before one that a single channel
places first. It is what viewers get when no ranker answers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_service.live.table import Rows
from feature_service.stages import Candidates, Recalled

RANK_CONSTANT = 10.0
"""k of reciprocal rank fusion. The paper has 60, for lists of a thousand of which many are wanted; of our lists, of
which a viewer sees the first ten, k = 10 was best on the validation steps of LiveRec's Twitch file: with equal weights
NDCG@10 is .549, .552, .551 and .528 at 5, 10, 20 and 60; by rank / quota, the rule of who gets in, it is .495."""


def merge(
    recalled: Sequence[Recalled], quotas: Mapping[str, int], weights: Mapping[str, float], limit: int
) -> Candidates:
    """Takes rooms by rank / quota up to the limit, each once, and orders them by weighted reciprocal rank fusion.

    Who gets in: every channel's best room comes first, channels advance in proportion to their quotas, and ties go to
    the channel that stands first in `quotas`. What has a rank within its channel's quota precedes all that has not;
    what a channel leaves unfilled goes to the others in the same order. A room that several channels found takes its
    best place. In which order: by descending

        Σ_c weight_c / (k + rank_c)

    over the channels that found the room, rank from 1, k = `RANK_CONSTANT` (Cormack, Clarke and Buettcher, "Reciprocal
    Rank Fusion", SIGIR 2009, there without weights); equal ones as they got in.

    Args:
        recalled: What the channels found; one that failed or came late is left out.
        quotas: Quota by channel, in order of preference; a channel without one (a fallback) comes last, with 1.
        weights: Weight by channel; a channel without one has 1.
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
    rows, ranks, scores, columns = rows[order], ranks[order], scores[order], columns[order]
    best = _first_places(rows)
    leads = best == np.arange(len(rows))
    entered = (np.cumsum(leads) - 1)[best]
    terms = np.array([weights.get(name, 1.0) for name in channels])[columns] / (RANK_CONSTANT + 1.0 + ranks)
    ordered = np.argsort(-np.bincount(entered, terms)[:limit], kind="stable")
    merged = _candidates(channels, len(ordered))
    merged.rows[:] = rows[leads][ordered]
    kept = np.flatnonzero(entered < len(ordered))
    places, columns = _inverse(ordered)[entered[kept]], columns[kept]
    merged.ranks[places, columns] = ranks[kept]
    merged.scores[places, columns] = scores[kept]
    return merged


def _inverse(order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each element stands in an order, intp [n]."""
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order))
    return places


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
