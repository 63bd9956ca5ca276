"""The settings of traces: where they go, and how many."""

import re
from dataclasses import dataclass

_ENDPOINT = re.compile(r"https?://[^/@?#\s]+:\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """Where traces go.

    Attributes:
        endpoint: An OpenTelemetry collector that takes OTLP over gRPC, `http://host:port`, `https://` with TLS; empty =
            no traces.
        share: Share of the calls that are traced, 0 to 1, unless their caller has decided it (W3C `traceparent`).
    """

    endpoint: str
    share: float


def tracing_problem(tracing: TracingSettings) -> str | None:
    """What is wrong with the settings, None when nothing is."""
    if tracing.endpoint and not _ENDPOINT.fullmatch(tracing.endpoint):
        return f"endpoint: expected http://host:port, https://host:port or nothing, received {tracing.endpoint!r}"
    if not 0 <= tracing.share <= 1:
        return f"share: expected 0 to 1, received {tracing.share!r}"
    return None
