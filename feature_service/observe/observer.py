"""The observer: what a service tells of its work, as metrics and as traces."""

from collections.abc import Sequence

import grpc.aio

from feature_service.features.events import Event
from feature_service.features.state import State
from feature_service.observe.events import count_events, count_impressions, impressions_in
from feature_service.observe.interceptor import ObservingInterceptor
from feature_service.observe.metrics import Metrics
from feature_service.observe.settings import TracingSettings
from feature_service.observe.slates import SlateMetrics
from feature_service.observe.tracing import Tracing
from feature_service.tables import SettingsError
from feature_service.trace import Outcome
from feature_service.writer import Result
from serving.client import Watch, unwatched


class Observer:
    """Watches one service. The service says what has happened; what is made of it is known here alone.

    Attributes:
        metrics: The numbers.
        interceptors: For the server: see every call.
        watch: For the clients of model servers: sees every Predict.
    """

    def __init__(self, tracing: TracingSettings, *, forwards: bool = False) -> None:
        """Connects to nothing yet.

        Args:
            tracing: Where traces go.
            forwards: Whether reports are only forwarded: events are counted where the log is written.

        Raises:
            ImportError: Traces are wanted, and OpenTelemetry is not installed.
        """
        self.metrics = Metrics()
        self._tracing = Tracing(tracing) if tracing.endpoint else None
        self._forwards = forwards
        self._slates = SlateMetrics(self.metrics)
        self.interceptors: Sequence[grpc.aio.ServerInterceptor] = [ObservingInterceptor(self.metrics, self._tracing)]
        self.watch: Watch = self._tracing.watch if self._tracing else unwatched

    def answered(self, outcome: Outcome) -> None:
        """A request has its answer, whoever asked."""
        if self._tracing:
            self._tracing.stages(outcome)

    def shown(self, outcome: Outcome) -> None:
        """An answer goes to a viewer."""
        self._slates.shown(outcome)

    def reported(self, events: Sequence[Event], results: Sequence[Result], now_ms: int, state: State) -> None:
        """Reported events have their fate."""
        impressions = impressions_in(events, results)
        for each in impressions:
            self._slates.seen(each.request_id, each.time_ms)
        if not self._forwards:
            count_events(self.metrics, events, results, now_ms)
            count_impressions(self.metrics, impressions, state)

    def checkpointed(self, position: int, time_s: float) -> None:
        """A checkpoint is in the store.

        Args:
            position: The log position that it includes.
            time_s: When, Unix seconds.
        """
        self.metrics.checkpoint_position.set(position)
        self.metrics.checkpoint_time.set(time_s)

    def close(self) -> None:
        """Sends the traces that wait; blocks for some seconds at most."""
        if self._tracing:
            self._tracing.close()


def observer_of(tracing: TracingSettings, metrics_address: str, *, forwards: bool) -> Observer | None:
    """The observer of a service; None when nobody wants to look, neither at metrics nor at traces.

    Args:
        tracing: Where traces go.
        metrics_address: Where metrics are shown; empty = nowhere.
        forwards: Whether reports are only forwarded.

    Raises:
        SettingsError: Traces are wanted, and OpenTelemetry is not installed.
    """
    if not metrics_address and not tracing.endpoint:
        return None
    try:
        return Observer(tracing, forwards=forwards)
    except ImportError as error:
        raise SettingsError(f"tracing.endpoint: {error}") from None
