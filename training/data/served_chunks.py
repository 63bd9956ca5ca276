"""Served slates with what was seen of them, as samples in the making."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_TENSORS, Layout
from feature_service.features.schema import key_of
from feature_service.served.slate import ServedSlate
from training.data.chunks import Chunk
from training.data.id_columns import Ints
from training.data.samples import Candidates, Slates
from training.data.served_impressions import Claim, Impressions
from training.heads import HEAD_NAMES

CHUNK_CANDIDATES = 40_000
"""Impressions of a shard: some 30 MB in memory."""


@dataclass(slots=True)
class JoinCounts:
    """What became of the served slates, and of the impressions.

    Attributes:
        served: Slates of the served log.
        unseen: Slates of which nothing was seen so far.
        repeated: Slates that were there before: their impressions belong to the first.
        without_tensors: Slates in recall's order, as no ranker answered.
        other_layout: Slates with other columns than the newest has.
        impressions: Impressions of the log that carry a request, each event once.
    """

    served: int = 0
    unseen: int = 0
    repeated: int = 0
    without_tensors: int = 0
    other_layout: int = 0
    impressions: int = 0


@dataclass(frozen=True, slots=True)
class Claimed:
    """A slate with what was seen of it: places in it, intp [n], and the impressions' positions, int64 [n]."""

    slate: ServedSlate
    places: np.ndarray
    event: Ints


def claimed(
    slates: Iterator[ServedSlate], layout: str, impressions: Impressions, counts: JoinCounts
) -> Iterator[Claimed]:
    """The slates that make samples; the others are counted.

    Args:
        slates: In the order of their clocks.
        layout: Name of the layout that the samples have.
        impressions: What was seen.
        counts: Is kept up to date.
    """
    for slate in slates:
        counts.served += 1
        if not slate.tensors:
            counts.without_tensors += 1
        elif slate.layout != layout:
            counts.other_layout += 1
        elif (claim := _claim(impressions, slate)) is Claim.UNSEEN:
            counts.unseen += 1
        elif claim is Claim.REPEATED:
            counts.repeated += 1
        else:
            yield Claimed(slate, *claim)


def _claim(impressions: Impressions, slate: ServedSlate) -> tuple[NDArray[np.intp], Ints] | Claim:
    room_ids = [room.room_id for room in slate.rooms]
    return impressions.claim(slate.user_id, slate.request_id, room_ids, slate.served_ms)


@dataclass(slots=True)
class _Part:
    """Slates on their way into a chunk."""

    slates: list[Claimed] = field(default_factory=list[Claimed])
    candidates: int = 0


def chunks(slates: Iterable[Claimed], layout: Layout) -> Iterator[Chunk]:
    """Slates as samples without labels, so many at a time that they fill a shard."""
    first, part = 0, _Part()
    for each in slates:
        part.slates.append(each)
        part.candidates += len(each.places)
        if part.candidates >= CHUNK_CANDIDATES:
            yield _chunk(part.slates, layout, first)
            first, part = first + len(part.slates), _Part()
    if part.slates:
        yield _chunk(part.slates, layout, first)


def _chunk(claimed: list[Claimed], layout: Layout, first: int) -> Chunk:
    """Samples of slates, `first` being the number of the first one; labels are 0 and masked."""
    names = [tensor.name for tensor in layout.tensors]
    tensors = {
        name: np.concatenate(
            [
                each.slate.tensors[name][each.places] if name in CANDIDATE_TENSORS else each.slate.tensors[name]
                for each in claimed
            ]
        )
        for name in names
    }
    rooms = [each.slate.rooms[place] for each in claimed for place in each.places.tolist()]
    none = np.zeros((len(rooms), len(HEAD_NAMES)))
    return Chunk(
        Slates(
            {name: values for name, values in tensors.items() if name not in CANDIDATE_TENSORS},
            np.array([each.slate.served_ms for each in claimed], np.int64),
            np.array([key_of("user", each.slate.user_id) for each in claimed], np.int64),
        ),
        Candidates(
            tensors={name: values for name, values in tensors.items() if name in CANDIDATE_TENSORS},
            slate=np.repeat(
                np.arange(first, first + len(claimed), dtype=np.int32), [len(each.places) for each in claimed]
            ),
            room=np.array([key_of("room", room.room_id) for room in rooms], np.int64),
            streamer=np.array([key_of("streamer", room.streamer_id) for room in rooms], np.int64),
            position=np.array([room.position for room in rooms], np.int16),
            propensity=np.array([room.propensity for room in rooms], np.float32),
            sampled=np.zeros(len(rooms), np.bool_),
            censored=np.zeros(len(rooms), np.bool_),
            labels=none.astype(np.float32),
            mask=none.astype(np.bool_),
        ),
        np.concatenate([each.event for each in claimed]),
    )
