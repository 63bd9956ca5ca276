"""Traces by OpenTelemetry: a span for each call of the service, and below it one for each stage and each Predict.

Trace ids come and go as W3C `traceparent` headers (https://www.w3.org/TR/trace-context/): the caller's trace goes on
here, and from here to the model server. The library is an optional one; who wants no traces does not load it.
"""

import importlib
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

from feature_service.observe.requests import TRACE_ID
from feature_service.observe.settings import TracingSettings
from feature_service.trace import Outcome
from protos.onair.v1.tfserving_pb2 import ModelSpec
from serving.client import Metadata
from serving.errors import ServingError

SERVICE_NAME = "onair-feature-service"
EXPORT_S = 5.0
"""For the collector's answer; spans that it does not take in time are lost."""

_MODULES = (
    "context",
    "trace.propagation.tracecontext",
    "sdk.resources",
    "sdk.trace.export",
    "sdk.trace.sampling",
    "exporter.otlp.proto.grpc.trace_exporter",
)
_HEADERS = ("traceparent", "tracestate")


def load_opentelemetry() -> Any:
    """The library; it takes half a second, and only who wants traces needs it.

    Raises:
        ImportError: It is not installed; says how to.
    """
    try:
        for name in _MODULES:
            importlib.import_module(f"opentelemetry.{name}")
        return importlib.import_module("opentelemetry")
    except ImportError:
        raise ImportError("expected the OpenTelemetry packages (pip install 'onair[tracing]'), found none") from None


class CallSpan:
    """The span of a call that is being answered; while it is open, it is the current one."""

    def __init__(self, library: Any, span: Any) -> None:
        self._library = library
        self._span = span
        self._token = library.context.attach(library.trace.set_span_in_context(span))
        TRACE_ID.set(library.trace.format_trace_id(span.get_span_context().trace_id))

    def end(self, status: str) -> None:
        """Ends it with the name of a gRPC status."""
        self._span.set_attribute("rpc.response.status_code", status)
        if status != "OK":
            self._span.set_status(self._library.trace.StatusCode.ERROR, status)
        self._span.end()
        self._library.context.detach(self._token)


class Tracing:
    """Makes spans, and sends those of the share by a thread of its own."""

    def __init__(self, settings: TracingSettings) -> None:
        """Connects when the first spans are sent.

        Raises:
            ImportError: The library is not installed.
        """
        library = self._library = load_opentelemetry()
        sdk = library.sdk.trace
        self._provider = sdk.TracerProvider(
            sampler=sdk.sampling.ParentBased(sdk.sampling.TraceIdRatioBased(settings.share)),
            resource=library.sdk.resources.Resource.create({"service.name": SERVICE_NAME}),
            shutdown_on_exit=False,
        )
        exporter = library.exporter.otlp.proto.grpc.trace_exporter.OTLPSpanExporter(settings.endpoint, timeout=EXPORT_S)
        self._provider.add_span_processor(sdk.export.BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(SERVICE_NAME)
        self._headers = library.trace.propagation.tracecontext.TraceContextTextMapPropagator()

    def call(self, method: str, metadata: Iterable[tuple[str, str | bytes]] | None) -> CallSpan:
        """Begins the span of a call, within the trace of its caller if there is one."""
        carrier = {key: value for key, value in metadata or () if key in _HEADERS}
        attributes = {"rpc.system.name": "grpc", "rpc.method": f"onair.v1.RecommendationService/{method}"}
        span = self._tracer.start_span(
            method, self._headers.extract(carrier), self._library.trace.SpanKind.SERVER, attributes
        )
        return CallSpan(self._library, span)

    @contextmanager
    def watch(self, spec: ModelSpec) -> Generator[Metadata]:
        """The span of a Predict within a call, and the headers that go with it; one of no call has none."""
        trace = self._library.trace
        if not trace.get_current_span().get_span_context().is_valid:
            yield ()
            return
        attributes = {
            "onair.model": spec.name,
            "onair.model.version": spec.version.value,
            "onair.model.signature": spec.signature_name,
        }
        span = self._tracer.start_span(f"Predict {spec.name}", kind=trace.SpanKind.CLIENT, attributes=attributes)
        headers: dict[str, str] = {}
        self._headers.inject(headers, trace.set_span_in_context(span))
        try:
            yield tuple(headers.items())
        except ServingError as error:
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
        finally:
            span.end()

    def stages(self, outcome: Outcome) -> None:
        """Writes the stages of an answer that is just done as spans of its call, and what it is like to the call's."""
        call = self._library.trace.get_current_span()
        if not call.is_recording():
            return
        call.set_attributes(_attributes(outcome))
        for each in outcome.trace.degraded:
            call.add_event("degraded", {"stage": each.stage, "cause": each.kind, "fallback": each.fallback})
        stages = outcome.trace.stages
        # Stages have times since the request's arrival; the last one has ended just now.
        arrival_ns = time.time_ns() - _ns(max((each.start_ms + each.duration_ms for each in stages), default=0.0))
        contexts: dict[str, Any] = {}
        for each in sorted(stages, key=lambda each: each.stage.count(".")):
            within = contexts.get(each.stage.partition(".")[0])
            start_ns = arrival_ns + _ns(each.start_ms)
            span = self._tracer.start_span(each.stage, within, start_time=start_ns)
            contexts[each.stage] = self._library.trace.set_span_in_context(span)
            span.end(start_ns + _ns(each.duration_ms))

    def close(self) -> None:
        """Sends what waits, and ends the thread."""
        self._provider.shutdown()


def _attributes(outcome: Outcome) -> Mapping[str, Any]:
    """What a span tells of an answer; nothing of its user."""
    return {
        "onair.request_id": outcome.request.request_id,
        "onair.scene": outcome.request.scene.name,
        "onair.arm": outcome.request.scene.arm,
        "onair.rung": outcome.trace.rung.name.lower(),
        "onair.rooms": len(outcome.cards),
        "onair.log_position": outcome.trace.log_position,
    }


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1e6)
