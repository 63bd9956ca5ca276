"""Rollout: which versions serve.

A new one takes over in one switch, when every model server has it, its layout is accepted and the rooms on air are
embedded by it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from feature_service.features.catalog import Catalog
from feature_service.features.state import State
from feature_service.live.approximate import EXACT, Approximation
from feature_service.live.index import LiveIndex
from feature_service.live.table import LiveTable
from feature_service.model_servers import ModelServers
from feature_service.models import ServedModel, bind
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
        room_vectors: The vectors of the rooms on air, by the name of the vector model.
    """

    models: Mapping[str, ServedModel] = field(default_factory=lambda: MappingProxyType({}))
    room_vectors: Mapping[str, RoomVectors] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def indexes(self) -> dict[str, LiveIndex]:
        """The live indexes, by the name of the vector model; one without a room that is embedded is left out."""
        return {name: vectors.index for name, vectors in self.room_vectors.items() if vectors.index is not None}

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
        signatures: Mapping[str, tuple[str, ...]],
        now_ms: Callable[[], int],
        approximation: Approximation = EXACT,
    ) -> None:
        """Starts with no model.

        `current` is what serves, `problems` says by name what keeps a newer version from it.

        Args:
            servers: The model servers.
            catalog: What a layout may name.
            state: Where the rooms' features come from.
            live: The rooms on air.
            signatures: The signatures that each model must have, by its served name; those with `room` are vector
                models, and each has an index of its own.
            now_ms: The service's clock.
            approximation: When the indexes approximate.
        """
        self.current = Generation()
        self.problems: dict[str, str] = {}
        self._servers = servers
        self._catalog = catalog
        self._state = state
        self._live = live
        self._signatures = signatures
        self._now_ms = now_ms
        self._approximation = approximation
        self._coming: dict[str, RoomVectors] = {}
        self._refused: dict[tuple[str, int], str] = {}
        self._marked = {name: asyncio.Event() for name in signatures if self._is_vector_model(name)}

    @property
    def names(self) -> frozenset[str]:
        """The models that are followed."""
        return frozenset(self._signatures)

    def room_changed(self, row: int) -> None:
        """A room started, changed or went off air; its vector follows in every generation at hand."""
        on_air = self._live.on_air(row, self._now_ms())
        for vectors in (*self.current.room_vectors.values(), *self._coming.values()):
            if on_air:
                vectors.mark(np.array([row], np.intp))
                self._marked[vectors.model.name].set()
            else:
                vectors.drop(row)

    async def keep_embedding(self) -> None:
        """Embeds rooms as they change, until cancelled; no vector model waits for another."""
        await asyncio.gather(*map(self._keep_embedding, self._marked))

    async def keep_following(self, poll_s: float) -> None:
        """Asks the model servers for new versions, until cancelled; no model waits for another."""

        async def keep(name: str) -> None:
            while True:
                await self._follow(name)
                await asyncio.sleep(poll_s)

        await asyncio.gather(*map(keep, self._signatures))

    async def follow(self) -> None:
        """Looks once, and switches to what is new and ready; a failure leaves the current versions as they are."""
        await asyncio.gather(*map(self._follow, self._signatures))

    async def _keep_embedding(self, name: str) -> None:
        marked = self._marked[name]
        while True:
            await marked.wait()
            marked.clear()
            vectors = self.current.room_vectors.get(name)
            if vectors is None:
                continue
            try:
                await vectors.refresh(self._now_ms())
            except ServingError as error:
                log.warning("rooms wait for their vectors: %s", error)
                await asyncio.sleep(_RETRY_S)
                marked.set()

    async def _follow(self, name: str) -> None:
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
        try:
            return await bind(self._servers, self._catalog, name, version, self._signatures[name], ADMIN_TIMEOUT_S)
        except (ValueError, RequestRefusedError) as error:
            self._refused[name, version] = str(error)
            return None

    async def _switch(self, model: ServedModel) -> None:
        embedded = {model.name: await self._embed_all(model)} if self._is_vector_model(model.name) else {}
        # What serves is read now: another model may have switched meanwhile.
        models = {**self.current.models, model.name: model}
        self.current = Generation(models, {**self.current.room_vectors, **embedded})
        log.info("model %s: version %d serves", model.name, model.version)

    async def _embed_all(self, model: ServedModel) -> RoomVectors:
        """Embeds all rooms on air by a new version, while events go on; the switch follows without a gap."""
        coming = RoomVectors(model, self._servers, self._state, self._live, self._approximation)
        self._coming[model.name] = coming
        try:
            coming.mark(self._live.rows(self._now_ms()))
            await coming.refresh(self._now_ms())
            return coming
        finally:
            del self._coming[model.name]

    def _is_vector_model(self, name: str) -> bool:
        return contract.ROOM in self._signatures[name]


_RETRY_S = 0.2
