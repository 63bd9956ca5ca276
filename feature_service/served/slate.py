"""Served slates: what one request was shown, and their form in the served log."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_TENSORS, DTYPES
from feature_service.features.tensors import Tensors
from feature_service.features.view import Context
from feature_service.log.codec import Codec
from feature_service.trace import Outcome
from protos.onair.v1 import served_pb2 as pb


@dataclass(frozen=True, slots=True)
class ServedRoom:
    """One room of a slate.

    Attributes:
        room_id: The platform's id.
        streamer_id: Who broadcasts.
        position: 0-based place in the slate.
        propensity: Probability of being shown there, given the places above.
        score: The fusion's score.
        predictions: One a head, as float32 has them; empty when no ranker answered.
    """

    room_id: str
    streamer_id: str
    position: int
    propensity: float
    score: float
    predictions: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedSlate:
    """What one request was shown.

    Attributes:
        request_id: Names the answer; events that follow carry it.
        user_id: Who asked.
        context: Where and how, as the features had it.
        arm: The arm of the experiment; empty = none.
        served_ms: The clock of the features, Unix milliseconds.
        log_position: The position in the event log that they included.
        fingerprint: Of the catalogue that computed them.
        ranker: Served name of the ranker; empty = none answered, the slate is in recall's order.
        ranker_version: Its version.
        layout: Names the columns of the tensors, see `feature_service.served.layouts`; empty = there are none.
        heads: What the predictions are of.
        rooms: The slate.
        tensors: What the ranker was called with: user and history tensors [1, …], candidate tensors [rooms, width].
        degraded: The stages that did without something.
    """

    request_id: str
    user_id: str
    context: Context
    arm: str
    served_ms: int
    log_position: int
    fingerprint: str
    ranker: str
    ranker_version: int
    layout: str
    heads: tuple[str, ...]
    rooms: tuple[ServedRoom, ...]
    tensors: Tensors
    degraded: tuple[str, ...] = ()


def slate_of(outcome: Outcome, fingerprint: str, layout: str) -> ServedSlate:
    """The slate of an answer; copies the rows of the shown rooms, so that nothing holds the answer's candidates."""
    request, trace = outcome.request, outcome.trace
    called, ranked = trace.ranker_call, trace.ranked
    places = np.array(trace.slate, np.intp)
    predictions: list[list[float]] = [[]] * len(places) if ranked is None else ranked.predictions[places].tolist()
    return ServedSlate(
        request_id=request.request_id,
        user_id=request.user_id,
        context=request.context,
        arm=request.scene.arm,
        served_ms=request.now_ms,
        log_position=trace.log_position,
        fingerprint=fingerprint,
        ranker=called.model.name if called else "",
        ranker_version=called.model.version if called else 0,
        layout=layout,
        heads=ranked.heads if ranked else (),
        rooms=tuple(
            ServedRoom(card.room_id, card.streamer_id, card.position, card.propensity, card.score, tuple(predicted))
            for card, predicted in zip(outcome.cards, predictions, strict=True)
        ),
        tensors=_rows(called.tensors, called.rows[places]) if called else {},
        degraded=tuple(each.stage for each in trace.degraded),
    )


def _rows(tensors: Tensors, rows: NDArray[np.intp]) -> Tensors:
    return {name: tensor[rows] if name in CANDIDATE_TENSORS else tensor for name, tensor in tensors.items()}


def to_bytes(slate: ServedSlate) -> bytes:
    """The message of a slate, serialised."""
    message = pb.ServedSlate(
        request_id=slate.request_id,
        user_id=slate.user_id,
        scene=slate.context.scene,
        device=slate.context.device,
        network=slate.context.network,
        region=slate.context.region,
        arm=slate.arm,
        served_ms=slate.served_ms,
        log_position=slate.log_position,
        fingerprint=slate.fingerprint,
        ranker=slate.ranker,
        ranker_version=slate.ranker_version,
        heads=slate.heads,
        layout=slate.layout,
        tensors=[
            pb.ServedTensor(name=name, shape=tensor.shape, content=tensor.astype(_wire(name), copy=False).tobytes())
            for name, tensor in slate.tensors.items()
        ],
        rooms=[
            pb.ServedRoom(
                room_id=room.room_id,
                streamer_id=room.streamer_id,
                position=room.position,
                propensity=room.propensity,
                score=room.score,
                predictions=room.predictions,
            )
            for room in slate.rooms
        ],
        degraded=slate.degraded,
    )
    return message.SerializeToString()


def from_bytes(payload: bytes) -> ServedSlate:
    """The slate of a serialised message.

    Raises:
        ValueError: A tensor is not one that rankers have, or has another size than its shape says.
    """
    message = pb.ServedSlate.FromString(payload)
    return ServedSlate(
        request_id=message.request_id,
        user_id=message.user_id,
        context=Context(message.scene, message.device, message.network, message.region),
        arm=message.arm,
        served_ms=message.served_ms,
        log_position=message.log_position,
        fingerprint=message.fingerprint,
        ranker=message.ranker,
        ranker_version=message.ranker_version,
        layout=message.layout,
        heads=tuple(message.heads),
        rooms=tuple(
            ServedRoom(
                room.room_id, room.streamer_id, room.position, room.propensity, room.score, tuple(room.predictions)
            )
            for room in message.rooms
        ),
        tensors={each.name: _tensor(each) for each in message.tensors},
        degraded=tuple(message.degraded),
    )


def _tensor(message: pb.ServedTensor) -> NDArray[np.generic]:
    if message.name not in DTYPES:
        raise ValueError(f"tensor: expected one of {sorted(DTYPES)}, received {message.name!r}")
    values = np.frombuffer(message.content, _wire(message.name))
    if len(values) != math.prod(message.shape):
        raise ValueError(f"{message.name}: expected {list(message.shape)} numbers, received {len(values)}")
    return values.astype(DTYPES[message.name], copy=False).reshape(tuple(message.shape))


def _wire(name: str) -> np.dtype[np.generic]:
    return np.dtype(DTYPES[name]).newbyteorder("<")


SLATES: Codec[ServedSlate] = Codec(to_bytes, from_bytes, lambda slate: f"slate of request {slate.request_id!r}")
"""Served slates, as `onair.v1.ServedSlate`."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When a slate was served, and with which columns.

    Attributes:
        served_ms: The clock of its features, Unix milliseconds.
        layout: Names the columns of its tensors; empty = there are none.
    """

    served_ms: int
    layout: str


def stamp_from_bytes(payload: bytes) -> Stamp:
    """The stamp of a serialised slate: a fifth of the time that its tensors take."""
    message = pb.ServedSlate.FromString(payload)
    return Stamp(message.served_ms, message.layout if message.tensors else "")


def _never(stamp: Stamp) -> bytes:
    raise TypeError(f"{stamp}: expected a slate to write, received its stamp")


STAMPS: Codec[Stamp] = Codec(_never, stamp_from_bytes, lambda stamp: f"slate of {stamp.served_ms}")
"""The stamps of served slates, to be read only."""
