"""Metrics: every number that a service tells Prometheus, with its name, labels and buckets.

Labels are bounded: methods and statuses of the API, channels and stages of the settings, kinds of events and causes,
served models and the versions that serve now. No label ever holds a user, a room or a text of a caller.
"""

from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics import MetricWrapperBase

CALL_SECONDS = (0.001, 0.002, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)
STAGE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
CANDIDATES = (0, 1, 5, 10, 20, 50, 100, 200, 500)
AGE_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)

Metric = TypeVar("Metric", bound=MetricWrapperBase)


class Children(dict[tuple[str, ...], Metric], Generic[Metric]):
    """The series of a metric by their label values, each looked up in the metric once: that takes a microsecond."""

    def __init__(self, metric: Metric) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, values: tuple[str, ...]) -> Metric:
        child = self[values] = self._metric.labels(*values)
        return child


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        """Starts all of them at nothing."""
        self.registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        self._declare_calls(registry)
        self._declare_slates(registry)
        self._declare_events(registry)
        self._declare_models(registry)
        self._declare_state(registry)

    def _declare_calls(self, registry: CollectorRegistry) -> None:
        self.calls = Children(
            Histogram(
                "onair_rpc_duration_seconds",
                "How long calls took, from their arrival to their answer, by the status they ended with.",
                ("method", "status"),
                buckets=CALL_SECONDS,
                registry=registry,
            )
        )
        self.stages = Children(
            Histogram(
                "onair_stage_duration_seconds",
                "How long each stage of an answer took; a channel, recall.hot, runs within recall.",
                ("stage",),
                buckets=STAGE_SECONDS,
                registry=registry,
            )
        )
        self.in_flight = Gauge(
            "onair_requests_in_flight", "Calls that run now: asking, or reporting.", ("kind",), registry=registry
        )
        self.limit = Gauge(
            "onair_requests_limit",
            "How many may run at once, as it is learnt from how long answers take; more are refused.",
            ("kind",),
            registry=registry,
        )
        self.degradations = Children(
            Counter(
                "onair_degradations_total",
                "What answers had to do without: the stage, and the kind of cause.",
                ("stage", "cause"),
                registry=registry,
            )
        )

    def _declare_slates(self, registry: CollectorRegistry) -> None:
        self.answers = Children(
            Counter(
                "onair_answers_total",
                "Slates for viewers, by scene and by the rung of the quality ladder.",
                ("scene", "rung"),
                registry=registry,
            )
        )
        self.empty_answers = Counter("onair_empty_answers_total", "Slates without a room.", registry=registry)
        self.places = Counter("onair_slate_places_total", "Places of slates.", registry=registry)
        self.ended_places = Counter(
            "onair_slate_places_ended_total",
            "Rooms that had a place in a slate and went off air while it was made; another room took the place.",
            registry=registry,
        )
        self.channel_candidates = Children(
            Histogram(
                "onair_channel_candidates",
                "Rooms that a channel found for a slate.",
                ("channel",),
                buckets=CANDIDATES,
                registry=registry,
            )
        )
        self.channel_places = Children(
            Counter(
                "onair_channel_slate_places_total",
                "Places of slates whose room the channel had found; other channels may have found it too.",
                ("channel",),
                registry=registry,
            )
        )

    def _declare_events(self, registry: CollectorRegistry) -> None:
        self.events = Children(
            Counter(
                "onair_events_total",
                "Reported events by what became of them; counted where the log is written.",
                ("kind", "acceptance"),
                registry=registry,
            )
        )
        self.event_lag = Histogram(
            "onair_event_lag_seconds",
            "From when an event happened until it was received.",
            buckets=AGE_SECONDS,
            registry=registry,
        )
        self.impressions = Children(
            Counter(
                "onair_impressions_total",
                "Impressions, by whether their room was on air when it was seen; counted where the log is written.",
                ("room",),
                registry=registry,
            )
        )
        self.feature_age = Histogram(
            "onair_impression_feature_age_seconds",
            "From the clock of the features of an answer of this process until a room of it was seen.",
            buckets=AGE_SECONDS,
            registry=registry,
        )

    def _declare_models(self, registry: CollectorRegistry) -> None:
        self.model_since = Gauge(
            "onair_model_serving_since_timestamp_seconds",
            "The versions that serve, each with the time since when it does in this process.",
            ("model", "version"),
            registry=registry,
        )
        self.model_problem = Gauge(
            "onair_model_problem",
            "1 while something keeps the newest version of a model from serving.",
            ("model",),
            registry=registry,
        )

    def _declare_state(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(name, meaning, registry=registry)

        self.log_position = gauge("onair_log_position", "Events of the log that the records include.")
        self.log_bytes = gauge("onair_log_bytes", "Size of the event log in the data folder.")
        self.checkpoint_position = gauge("onair_checkpoint_position", "Log position of the store's last checkpoint.")
        self.checkpoint_time = gauge("onair_checkpoint_timestamp_seconds", "When the last checkpoint was taken.")
        self.records_lag = gauge(
            "onair_records_lag_seconds",
            "Of a replica: since when its records may not be the newest; 0 = they are.",
        )
        self.live_rooms = gauge("onair_live_rooms", "Rooms on air.")
        self.resident_users = gauge("onair_resident_users", "Users in memory.")
        self.resident_streamers = gauge("onair_resident_streamers", "Streamers in memory.")
        self.served_dropped = Counter(
            "onair_served_slates_dropped_total", "Slates that the served log should hold, and lacks.", registry=registry
        )
