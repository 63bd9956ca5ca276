"""Scorers of recall models, trained or published: what their signatures answer, as scores of live rooms."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from feature_service.features.layout import CANDIDATE_TENSORS, Layout
from training.callable_model import CallableModel
from training.data.examples import Batch, repack
from training.data.samples import RoomVersions, Slates
from training.recall_baselines import Case

_SLATES, _ROOMS = 4_096, 8_192
"""Rows of one call."""

_CHECKED = 200
"""So many viewers of models that are asked case by case are asked for the check that outputs are finite."""


class ModelScorer(Protocol):
    """Scores live rooms for a case, as `training.recall_baselines.Scorer`, by a model."""

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """Scores [C] of the rooms in these rows [C] of the `RoomVersions`; −inf where the model finds none."""
        ...

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """What the model answers for (some of) the slates, by name, for the check that it is finite."""
        ...


def recall_scorer(model: CallableModel, slates: Slates, rooms: RoomVersions, layout: Layout) -> ModelScorer:
    """The scorer of a recall model of any form (`training.models.recall.base`).

    Args:
        model: The model.
        slates: The viewers; a case names the row.
        rooms: The rooms.
        layout: How the tensors of both are packed; they may hold more columns than the model reads.

    Raises:
        LayoutMismatchError: A column is missing that the model reads.
        ValueError: The model's signatures are of none of the forms.
    """
    viewers = repack(slates.tensors, layout, model.layout)
    candidates = {name: values for name, values in rooms.tensors.items() if name in CANDIDATE_TENSORS}
    live = repack(candidates, layout, model.layout)
    if "user" in model and "room" in model:
        users = model.ask_rows("user", viewers, _SLATES)["vector"]
        return VectorScorer(users, model.ask_rows("room", live, _ROOMS)["vector"])
    found = model.answers("serving_default") if "serving_default" in model else frozenset[str]()
    if {"streamer", "score"} <= found:
        return NeighbourScorer(model, viewers, rooms.streamer)
    if found == {"score"}:
        return PairScorer(model, viewers, live)
    raise ValueError(
        f"recall model: expected signatures user and room, or serving_default with score, received {sorted(found)}"
    )


@dataclass(frozen=True, slots=True)
class VectorScorer:
    """The inner product of a viewer's and a room's vector.

    Attributes:
        users: float32 [U, D], a row a slate.
        rooms: float32 [R, D], a row a room version.
    """

    users: NDArray[np.float32]
    rooms: NDArray[np.float32]

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `ModelScorer`."""
        return self.rooms[rows] @ self.users[case.user_row]

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """The vectors of all slates and rooms."""
        return {"user": self.users, "room": self.rooms}


@dataclass(frozen=True, slots=True)
class NeighbourScorer:
    """The score of a room's streamer among those that the model finds for the viewer.

    Attributes:
        model: Its `serving_default` reads user tensors alone.
        viewers: Their packed tensors, a row a slate.
        streamer: Streamer key of each room version, int64 [R].
    """

    model: CallableModel
    viewers: Batch
    streamer: NDArray[np.int64]

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `ModelScorer`."""
        answer = self.model.ask("serving_default", _row(self.viewers, case.user_row))
        keys, scores = answer["streamer"][0], answer["score"][0]
        order = np.argsort(keys, kind="stable")
        wanted = self.streamer[rows]
        place = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)]
        return np.where((keys[place] == wanted) & (wanted != 0), scores[place], -np.inf)

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """The scores that the first slates' viewers get."""
        first = {name: values[:_CHECKED] for name, values in self.viewers.items()}
        return {"score": self.model.ask_rows("serving_default", first, _CHECKED)["score"]}


@dataclass(frozen=True, slots=True)
class PairScorer:
    """What the model answers for a viewer with the rooms.

    Attributes:
        model: Its `serving_default` reads tensors of one viewer and of N rooms.
        viewers: Packed user tensors, a row a slate.
        rooms: Packed candidate tensors, a row a room version.
    """

    model: CallableModel
    viewers: Batch
    rooms: Batch

    def __call__(self, case: Case, rows: NDArray[np.intp], /) -> NDArray[np.floating]:
        """See `ModelScorer`."""
        live = {name: values[rows] for name, values in self.rooms.items()}
        return self.model.ask("serving_default", _row(self.viewers, case.user_row) | live)["score"]

    def outputs(self) -> dict[str, NDArray[np.floating]]:
        """The scores of the first rooms for the first slates' viewers."""
        slates = range(min(_CHECKED, len(next(iter(self.viewers.values())))))
        rows = np.arange(min(_CHECKED, len(next(iter(self.rooms.values())))))
        return {"score": np.concatenate([self(Case(slate, 0, 0, slate), rows) for slate in slates])}


def _row(tensors: Batch, row: int) -> dict[str, NDArray[Any]]:
    return {name: values[row : row + 1] for name, values in tensors.items()}
