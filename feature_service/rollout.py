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
from feature_service.features.state import State
from feature_service.live.index import LiveIndex
from feature_service.live.table import LiveTable
from feature_service.models import ModelServers, ServedModel, bind
from feature_service.room_vectors import RoomVectors
from serving import contract
from serving.errors import RequestRefusedError, ServingError

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

        `current` is what serves, `problems` says by name what keeps a newer version from it.

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
        self._refused: dict[tuple[str, int], str] = {}
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
                problem = await self._follow_one(name)
            except ServingError as error:
                problem = str(error)
            if problem and self.problems.get(name) != problem:
                log.warning("model %s: %s", name, problem)
            self.problems.pop(name, None)
            if problem:
                self.problems[name] = problem

    async def _follow_one(self, name: str) -> str:
        """Switches to the newest version that can serve.

        Returns:
            Why a newer one was refused, or an empty text.
        """
        problem = ""
        held = self.current.models.get(name)
        for version in sorted(await self._servers.available(name, ADMIN_TIMEOUT_S), reverse=True):
            if held is not None and held.version == version:
                break
            if (name, version) not in self._refused and (model := await self._bound(name, version)):
                await self._switch(model)
                break
            problem = problem or self._refused[name, version]
        return problem

    async def _bound(self, name: str, version: int) -> ServedModel | None:
        """The version, bound to the catalogue; None when it is refused for good."""
        signatures = (contract.USER, contract.ROOM) if name == self._recall_model else (contract.SERVING_DEFAULT,)
        try:
            return await bind(self._servers, self._catalog, name, version, signatures, ADMIN_TIMEOUT_S)
        except (ValueError, RequestRefusedError) as error:
            self._refused[name, version] = str(error)
            return None

    async def _switch(self, model: ServedModel) -> None:
        vectors = await self._embed_all(model) if model.name == self._recall_model else self.current.room_vectors
        models = {**self.current.models, model.name: model}
        self.current = replace(self.current, models=models, room_vectors=vectors)
        log.info("model %s: version %d serves", model.name, model.version)

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
