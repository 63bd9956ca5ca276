"""Room vectors: keeps the live index in step with the rooms on air, for one version of a vector model."""

import numpy as np

from feature_service.features.state import State
from feature_service.features.view import Context
from feature_service.live.approximate import EXACT, Approximation
from feature_service.live.index import LiveIndex
from feature_service.live.table import LiveTable, Rows
from feature_service.model_servers import ModelServers
from feature_service.models import VECTOR, ServedModel
from serving import contract

BATCH = 512
"""Rooms in one call of the room tower."""

TIMEOUT_S = 5.0

_NO_CONTEXT = Context()


class RoomVectors:
    """The live index of one version of a vector model, and the rooms whose vector is out of date."""

    def __init__(
        self,
        model: ServedModel,
        servers: ModelServers,
        state: State,
        live: LiveTable,
        approximation: Approximation = EXACT,
    ) -> None:
        self.model = model
        self.index: LiveIndex | None = None
        self._servers = servers
        self._state = state
        self._live = live
        self._approximation = approximation
        self._stale: set[int] = set()
        columns = [column.name for tensor in model.builders[contract.ROOM].layout.tensors for column in tensor.columns]
        self._reads_streamer_alone = columns == ["streamer.id"]

    def mark(self, rows: Rows) -> None:
        """These rooms started or changed; a vector of the streamer alone stays as it is while the room is on air."""
        stale: list[int] = rows.tolist()
        if self._reads_streamer_alone and (index := self.index) is not None:
            stale = [row for row in stale if row not in index]
        self._stale.update(stale)

    def drop(self, row: int) -> None:
        """A room is off air: it leaves the index at once."""
        self._stale.discard(row)
        if self.index is not None:
            self.index.remove(row)

    async def refresh(self, now_ms: int) -> None:
        """Embeds what is out of date, in batches, until nothing is.

        Raises:
            ServingError: The model server failed; what was not embedded stays out of date.
        """
        while self._stale:
            batch = np.array(sorted(self._stale)[:BATCH], np.intp)
            self._stale.difference_update(batch.tolist())
            try:
                await self._embed(batch, now_ms)
            except Exception:
                self.mark(batch)
                raise

    async def _embed(self, rows: Rows, now_ms: int) -> None:
        rows = rows[self._live.mask(rows, now_ms)]
        if not len(rows):
            return
        view = self._state.view(0, rows, self._live.streamer_rows(rows), _NO_CONTEXT, now_ms)
        vectors = await self.model.call(self._servers, contract.ROOM, VECTOR, view, TIMEOUT_S)
        if self.index is None:
            self.index = LiveIndex(vectors.shape[1], self._approximation)
        on_air = self._live.mask(rows, now_ms)  # A room may have ended while its vector was computed.
        self.index.put(rows[on_air], vectors[on_air])
