"""Gauges: how things stand, read once a second on the event loop, so that no scrape ever touches the state."""

import asyncio
import time
from pathlib import Path

from feature_service.observe.metrics import Metrics
from feature_service.service import FeatureService

EVERY_S = 1.0
SIZE_EVERY = 30
"""The log's size is read at one look in so many: a long log has many files."""


class Sampler:
    """Reads the standing of a service into its gauges."""

    def __init__(self, service: FeatureService, metrics: Metrics, log_folder: Path) -> None:
        """Has read nothing yet.

        Args:
            service: The service.
            metrics: Its metrics.
            log_folder: Where its event log is, if it is in a folder.
        """
        self._service = service
        self._metrics = metrics
        self._log_folder = log_folder
        self._newest_s = time.monotonic()
        self._since: dict[tuple[str, str], float] = {}
        self._models: set[str] = set()
        self._dropped = 0

    async def keep_sampling(self) -> None:
        """Reads again and again, until cancelled."""
        look = 0
        while True:
            self.sample()
            if look % SIZE_EVERY == 0:
                self._metrics.log_bytes.set(await asyncio.to_thread(_bytes_in, self._log_folder))
            look += 1
            await asyncio.sleep(EVERY_S)

    def sample(self) -> None:
        """Reads all but the log's size."""
        service, metrics, state = self._service, self._metrics, self._service.state
        metrics.log_position.set(state.position)
        metrics.live_rooms.set(len(service.live.rows(service.now_ms())))
        metrics.resident_users.set(len(state.users))
        metrics.resident_streamers.set(len(state.streamers))
        for kind, limiter in (("asking", service.limiters.asking), ("reporting", service.limiters.reporting)):
            metrics.in_flight.labels(kind).set(limiter.in_flight)
            metrics.limit.labels(kind).set(limiter.limit)
        now_s = time.monotonic()
        if not service.keeper.lag:
            self._newest_s = now_s
        metrics.records_lag.set(now_s - self._newest_s)
        if service.served is not None:
            dropped = service.served.dropped
            metrics.served_dropped.inc(dropped - self._dropped)
            self._dropped = dropped
        self._sample_models()

    def _sample_models(self) -> None:
        metrics, rollout = self._metrics, self._service.rollout
        serving = {(name, str(version)) for name, version in rollout.current.versions.items()}
        for each in serving.difference(self._since):
            self._since[each] = time.time()
            metrics.model_since.labels(*each).set(self._since[each])
        for each in set(self._since).difference(serving):
            del self._since[each]
            metrics.model_since.remove(*each)
        self._models.update(rollout.current.models, rollout.problems)
        for name in self._models:
            metrics.model_problem.labels(name).set(name in rollout.problems)


def _bytes_in(folder: Path) -> int:
    """Size of the files of a folder; one that goes meanwhile counts as nothing."""
    total = 0
    for path in folder.glob("*.log"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total
