"""Replay: turns an event log into point-in-time samples, with the service's own state and features."""

from collections.abc import Iterable, Iterator

from feature_service.features.catalog import Catalog
from feature_service.features.events import Event
from feature_service.features.layout import Layout
from feature_service.features.room import DEFAULT_LEASE_MS
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.features.view import Context
from feature_service.live.table import LiveTable
from training.data.chunks import Chunk, ChunkBuffer, Slate
from training.data.requests import Counts, Numbered, with_slates
from training.data.room_versions import VersionBuilder, VersionCollector
from training.data.samples import RoomVersions

CHUNK_SLATES = 8_192

_SWEEP_MS = 600_000


class Replay:
    """One pass through a log.

    The features of a slate come from the state before any event of its request was applied, with `now_ms` = the time
    of its first impression. Memory holds the state, a chunk, and the rooms on air.

    Attributes:
        state: As after the events so far; after the whole log, what a service would start from.
        live: The rooms on air, over the state.
        counts: What was met so far.
    """

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        *,
        lease_ms: int = DEFAULT_LEASE_MS,
        chunk_slates: int = CHUNK_SLATES,
    ) -> None:
        """Prepares a replay from nothing.

        Args:
            catalog: The features and what they remember.
            layout: The columns of the samples.
            lease_ms: The lease of rooms whose events name none.
            chunk_slates: Slates of a chunk, at most.

        Raises:
            LayoutError: The catalogue cannot fill the layout.
        """
        self.state = State(catalog.memories)
        self.live = LiveTable(self.state)
        self.counts = Counts()
        self._buffer = ChunkBuffer(catalog, layout, self.state, chunk_slates)
        self._versions = VersionCollector(catalog, self.state, self.live)
        self._rooms = VersionBuilder(catalog, layout, self.state)
        self._lease_ms = lease_ms
        self._sweep_ms = 0

    def chunks(self, events: Iterable[Event]) -> Iterator[Chunk]:
        """Samples the slates of a log, in order of their requests.

        Args:
            events: In the log's order.
        """
        for event, slate in with_slates(events, self.counts):
            if slate:
                if self._buffer.full and (chunk := self._buffer.take()):
                    yield chunk
                self._sample(slate)
            self._apply(event)
        self._versions.close_all()
        if chunk := self._buffer.take():
            yield chunk

    def room_versions(self) -> RoomVersions:
        """The versions of rooms that ended since the last call; after the whole log, all that remain."""
        return self._rooms.build(self._versions.take())

    def _sample(self, slate: list[Numbered]) -> None:
        first = min((event for _, event in slate), key=lambda event: event.time_ms)
        self._buffer.add(
            Slate(
                impressions=slate,
                time_ms=first.time_ms,
                context=Context(first.scene, first.device, first.network, first.region),
                user=key_of("user", first.user_id),
                rooms=[key_of("room", event.room_id) for _, event in slate],
                streamers=[key_of("streamer", event.streamer_id) for _, event in slate],
            )
        )
        self.counts.slates += 1
        self.counts.candidates += len(slate)
        self.counts.sampled += sum(event.sampled for _, event in slate)

    def _apply(self, event: Event) -> None:
        event = self.state.facts.complete(event, self._lease_ms)
        self.state.apply(event)
        row = self.live.learn(event)
        if row is not None:
            self._versions.learn(event, row)
        if event.time_ms >= self._sweep_ms:
            self._sweep(event.time_ms)

    def _sweep(self, now_ms: int) -> None:
        """Forgets rooms that are off air for good; their records would otherwise grow with the log."""
        keys = self.state.rooms.fields["key"]
        for row in self.live.sweep(now_ms):
            self._versions.close(int(keys[row]), now_ms)
        self._sweep_ms = now_ms + _SWEEP_MS
