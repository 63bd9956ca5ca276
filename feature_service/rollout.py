"""Rollout: which versions serve.

A new one takes over in one switch, when every model server has it, its layout is accepted and the rooms on air are
embedded by it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from feature_service.features.catalog import Catalog
from feature_service.features.layout import LayoutError
from feature_service.features.state import State
from feature_service.live.index import LiveIndex
from feature_service.live.table import LiveTable
from feature_service.models import ModelServers, ServedModel, bind
from feature_service.room_vectors import RoomVectors
from serving.errors import ServingError

ADMIN_TIMEOUT_S = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Generation:
    """The versions that serve together; a request keeps the one that it started with.

    Attributes:
        models: The served models by name.
        room_vectors: The live index of the two-tower among them; None while there is none.
    """

    models: Mapping[str, ServedModel] = field(default_factory=lambda: MappingProxyType({}))
    room_vectors: RoomVectors | None = None

    @property
    def index(self) -> LiveIndex | None:
        """The live index; None while no two-tower serves or no room is embedded."""
        return None if self.room_vectors is None else self.room_vectors.index

    @property
    def versions(self) -> dict[str, int]:
        """The version of each model."""
        return {name: model.version for name, model in self.models.items()}


class Rollout:
    """Follows the model servers and switches generations."""

    def __init__(
        self,
        *,
        servers: ModelServers,
        catalog: Catalog,
        state: State,
        live: LiveTable,
        names: Sequence[str],
        recall_model: str,
        now_ms: Callable[[], int],
    ) -> None:
        """Starts with no model.

        Args:
            servers: The model servers.
            catalog: What a layout may name.
            state: Where the rooms' features come from.
            live: The rooms on air.
            names: Served names to follow.
            recall_model: The one among them that has the signatures `user` and `room`.
            now_ms: The service's clock.
        """
        self.current = Generation()
        self.problems: dict[str, str] = {}
        self._servers = servers
        self._catalog = catalog
        self._state = state
        self._live = live
        self._names = names
        self._recall_model = recall_model
        self._now_ms = now_ms
        self._coming: RoomVectors | None = None
        self._refused: dict[str, int] = {}
        self._marked = asyncio.Event()

    def room_changed(self, row: int) -> None:
        """A room started, changed or went off air; its vector follows in every generation at hand."""
        on_air = self._live.on_air(row, self._now_ms())
        for vectors in self._all_vectors():
            if on_air:
                vectors.mark(np.array([row], np.intp))
                self._marked.set()
            else:
                vectors.drop(row)

    async def keep_embedding(self) -> None:
        """Embeds rooms as they change, until cancelled."""
        while True:
            await self._marked.wait()
            self._marked.clear()
            vectors = self.current.room_vectors
            if vectors is None:
                continue
            try:
                await vectors.refresh(self._now_ms())
            except ServingError as error:
                log.warning("rooms wait for their vectors: %s", error)
                await asyncio.sleep(_RETRY_S)
                self._marked.set()

    async def keep_following(self, poll_s: float) -> None:
        """Asks the model servers for new versions, until cancelled."""
        while True:
            await self.follow()
            await asyncio.sleep(poll_s)

    async def follow(self) -> None:
        """Looks once, and switches to what is new and ready; a failure leaves the current versions as they are."""
        for name in self._names:
            try:
                await self._follow_one(name)
                self.problems.pop(name, None)
            except (ServingError, LayoutError, ValueError) as error:
                if self.problems.get(name) != str(error):
                    log.warning("model %s: %s", name, error)
                self.problems[name] = str(error)

    async def _follow_one(self, name: str) -> None:
        available = await self._servers.available(name, ADMIN_TIMEOUT_S)
        held = self.current.models.get(name)
        newest = max(available, default=0)
        if not newest or newest == self._refused.get(name) or (held is not None and held.version == newest):
            return
        try:
            model = await bind(self._servers, self._catalog, name, newest, ADMIN_TIMEOUT_S)
        except LayoutError:
            self._refused[name] = newest
            raise
        vectors = await self._embed_all(model) if name == self._recall_model else self.current.room_vectors
        self.current = replace(self.current, models={**self.current.models, name: model}, room_vectors=vectors)
        log.info("model %s: version %d serves", name, newest)

    async def _embed_all(self, model: ServedModel) -> RoomVectors:
        """Embeds all rooms on air by a new version, while events go on; the switch follows without a gap."""
        self._coming = RoomVectors(model, self._servers, self._state, self._live)
        try:
            self._coming.mark(self._live.rows(self._now_ms()))
            await self._coming.refresh(self._now_ms())
            return self._coming
        finally:
            self._coming = None

    def _all_vectors(self) -> list[RoomVectors]:
        return [vectors for vectors in (self.current.room_vectors, self._coming) if vectors is not None]


_RETRY_S = 0.2
