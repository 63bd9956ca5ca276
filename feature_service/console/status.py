"""The page Health: what the service answered in the last minutes, what serves, and how far its records are."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import render_template

from feature_service.console.charts import shares
from feature_service.console.client import ConsoleClient
from feature_service.console.page import Bar, Count
from protos.onair.v1 import recommendation_pb2 as pb


@dataclass(frozen=True, slots=True)
class Column:
    """One minute of a chart: what it holds, and its bars as shares of the chart's height."""

    minute: pb.Minute
    ago: int
    calls: float
    failed: float
    p99: float


def show(client: ConsoleClient) -> str:
    """The page."""
    status = client.status()
    return render_template(
        "status.html",
        status=status,
        columns=columns(status),
        rungs=counts(status.rungs),
        degraded=counts(status.degraded),
        behind=status.log_position - status.stored_position if status.stored_position >= 0 else None,
    )


def columns(status: pb.GetStatusResponse) -> list[Column]:
    """The minutes as columns, oldest first."""
    minutes = status.minutes
    calls, slowest = shares([each.calls for each in minutes]), shares([each.p99_ms for each in minutes])
    return [
        Column(
            minute=each,
            ago=len(minutes) - 1 - i,
            calls=calls[i],
            failed=calls[i] * each.failed / each.calls if each.calls else 0.0,
            p99=slowest[i],
        )
        for i, each in enumerate(minutes)
    ]


def counts(found: Mapping[str, int]) -> list[Count]:
    """Counts with bars, most first."""
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    widths = shares([count for _, count in ordered])
    return [Count(name, count, Bar(0.0, width, name)) for (name, count), width in zip(ordered, widths, strict=True)]
