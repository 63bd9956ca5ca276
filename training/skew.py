"""Skew: what the ranker was sent beside what a replay of the event log computes, feature by feature; none is expected.

Each served slate names the log position that its features included, its clock and its context. The log is led up to
there once more, by the catalogue of this process, and the shown rooms' tensors are built anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.layout import CANDIDATE_TENSORS, Layout, TensorLayout
from feature_service.features.schema import key_of
from feature_service.features.tensors import TensorBuilder
from feature_service.served.slate import ServedSlate
from training.data.captured import CapturedRequests
from training.data.errors import DataError
from training.data.service_log import (
    EVENTS_PER_REPORT,
    FollowedState,
    LogPlace,
    first_position,
    in_order,
    layout_of,
    read_events,
    read_served,
)

_BLOCK_SLATES = 64
_BITS: Mapping[int, str] = MappingProxyType({4: "uint32", 8: "uint64"})
"""Values are the same when their bits are, so that one that is no number equals itself."""

OnProgress = Callable[[int], None]
OnSlate = Callable[[ServedSlate, Layout], None]


@dataclass(slots=True)
class FeatureSkew:
    """One feature's difference between what was served and what replay computes.

    Attributes:
        spec: The feature, `name@version:dtype:width`.
        values: Numbers compared.
        differing: Of those, how many differ, be it by the last bit.
        greatest: The greatest difference; of keys, which have none, 0.
        example: The first that differs: request, room, and both values.
    """

    spec: str
    values: int = 0
    differing: int = 0
    greatest: float = 0.0
    example: str = ""


@dataclass(slots=True)
class Skew:
    """All that was compared.

    Attributes:
        slates: Slates compared.
        impressions: Rooms that they show.
        features: By spec.
        skipped: How many slates were not compared, by why.
    """

    slates: int = 0
    impressions: int = 0
    features: dict[str, FeatureSkew] = field(default_factory=dict[str, FeatureSkew])
    skipped: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def differing(self) -> int:
        """Values that differ, of all features."""
        return sum(each.differing for each in self.features.values())


def measure_skew(
    log: LogPlace,
    served: Path,
    catalog: Catalog,
    history: str | Path | None = None,
    *,
    on_slate: OnSlate = lambda *_: None,
    on_progress: OnProgress = lambda _: None,
) -> Skew:
    """Compares every served slate that has tensors with a replay.

    Slates are skipped, and counted, that were built without the store (their user was served as an unknown one), whose
    columns this catalogue does not have, or whose position the log does not reach.

    Args:
        log: The service's event log.
        served: Its served log.
        catalog: The catalogue that computes anew.
        history: URI of the log from which the service was seeded, if it was.
        on_slate: Is given every slate that is compared, and its layout.
        on_progress: Is called now and then with the number of events read.

    Raises:
        DataError: A log cannot be read, the log begins later than 0 without a history, or nothing can be compared.
    """
    return _Comparison(log, served, catalog, on_slate).run(history, on_progress)


class _Comparison:
    """One pass through both logs."""

    def __init__(self, log: LogPlace, served: Path, catalog: Catalog, on_slate: OnSlate) -> None:
        self._log = log
        self._served = served
        self._catalog = catalog
        self._on_slate = on_slate
        self._followed = FollowedState(catalog)
        self._blocks: dict[str, _Block | None] = {}
        self._found = Skew()

    def run(self, history: str | Path | None, on_progress: OnProgress) -> Skew:
        first = first_position(self._log)
        if history is not None:
            self._followed.seed(history, first)
        elif first:
            raise DataError(
                f"{self._log}: expected a log from position 0, received one from {first}: what was before is needed "
                "too (--history, the log that the service was seeded from)"
            )
        slates = in_order(read_served(self._served), lambda slate: slate.log_position)
        waiting = next(slates, None)
        for number, (position, event) in enumerate(read_events(self._log)):
            while waiting is not None and waiting.log_position <= position:
                self._take(waiting)
                waiting = next(slates, None)
            self._followed.apply(event)
            if number % EVENTS_PER_REPORT == 0:
                on_progress(number)
        while waiting is not None:
            self._take(waiting)
            waiting = next(slates, None)
        for block in self._blocks.values():
            if block is not None:
                block.compare(self._found)
        if not self._found.slates:
            raise DataError(f"{self._served}: expected slates to compare, found none; skipped: {self._found.skipped}")
        return self._found

    def _take(self, slate: ServedSlate) -> None:
        """Captures the records that a slate was built of, as they stand now."""
        if slate.tensors and slate.layout not in self._blocks:
            layout = layout_of(self._served, slate)
            self._blocks[slate.layout] = (
                None if self._catalog.check(layout) else _Block(self._catalog, layout, self._followed)
            )
        if problem := self._problem(slate):
            self._found.skipped[problem] = self._found.skipped.get(problem, 0) + 1
        elif block := self._blocks[slate.layout]:
            block.take(slate, self._found)
            self._on_slate(slate, block.layout)

    def _problem(self, slate: ServedSlate) -> str:
        """Why a slate cannot be compared; an empty text when it can."""
        if not slate.tensors:
            return "no ranker answered"
        if "store" in slate.degraded:
            return "built without the store"
        if self._blocks[slate.layout] is None:
            return "columns that this catalogue lacks"
        if slate.log_position != self._followed.state.position:
            return "position not in the log" if slate.log_position > self._followed.state.position else "out of order"
        return ""


class _Block:
    """Slates of one layout whose tensors are built anew together."""

    def __init__(self, catalog: Catalog, layout: Layout, followed: FollowedState) -> None:
        self.layout = layout
        self._builder = TensorBuilder(catalog, layout)
        self._followed = followed
        self._captured = CapturedRequests(followed.state)
        self._slates: list[ServedSlate] = []

    def take(self, slate: ServedSlate, found: Skew) -> None:
        """Captures a slate's records; a full block is compared."""
        state, live = self._followed.state, self._followed.live
        rows = np.array([state.rooms.find(key_of("room", room.room_id)) for room in slate.rooms], np.intp)
        user_key = key_of("user", slate.user_id)
        self._captured.add(user_key, rows, live.streamer_rows(rows), slate.context, slate.served_ms)
        self._slates.append(slate)
        if len(self._slates) == _BLOCK_SLATES:
            self.compare(found)

    def compare(self, found: Skew) -> None:
        """Builds what was captured, and compares it with what was served."""
        if not self._slates:
            return
        rebuilt = self._builder.build(self._captured.take())
        found.slates += len(self._slates)
        found.impressions += sum(len(slate.rooms) for slate in self._slates)
        for tensor in self.layout.tensors:
            served = np.concatenate([slate.tensors[tensor.name] for slate in self._slates])
            if served.shape != rebuilt[tensor.name].shape:
                raise DataError(
                    f"{tensor.name}: expected {list(rebuilt[tensor.name].shape)} numbers for {len(self._slates)} "
                    f"slates, received {list(served.shape)}"
                )
            self._compare_tensor(tensor, served, rebuilt[tensor.name], found)
        self._slates = []

    def _compare_tensor(self, tensor: TensorLayout, served: NDArray[Any], rebuilt: NDArray[Any], found: Skew) -> None:
        differs = served.view(_BITS[served.itemsize]) != rebuilt.view(_BITS[served.itemsize])
        any_differs = bool(differs.any())
        for column, part in zip(tensor.columns, tensor.slices().values(), strict=True):
            feature = found.features.setdefault(column.spec, FeatureSkew(column.spec))
            feature.values += served[..., part].size
            if any_differs and (count := int(differs[..., part].sum())):
                self._note(feature, tensor.name, count, served[..., part], rebuilt[..., part])

    def _note(self, feature: FeatureSkew, tensor: str, count: int, served: NDArray[Any], rebuilt: NDArray[Any]) -> None:
        feature.differing += count
        if served.dtype.kind == "f":
            apart = np.abs(served.astype(np.float64) - rebuilt)
            feature.greatest = max(feature.greatest, float(np.nan_to_num(apart, nan=np.inf).max()))
        if not feature.example:
            place = tuple(np.argwhere(served != rebuilt)[0].tolist())
            feature.example = f"{self._whose(tensor, place[0])}: {served[place]} served, {rebuilt[place]} replayed"

    def _whose(self, tensor: str, row: int) -> str:
        """The request, and for a candidate tensor the room, of a row."""
        if tensor not in CANDIDATE_TENSORS:
            return f"request {self._slates[row].request_id}"
        for slate in self._slates:
            if row < len(slate.rooms):
                return f"request {slate.request_id} room {slate.rooms[row].room_id}"
            row -= len(slate.rooms)
        raise IndexError(row)
