"""Problems: what a reader is told, and by which HTTP status, when the service gives no answer."""

from dataclasses import dataclass

import grpc

from feature_service.console.client import ApiError
from feature_service.console.texts import Texts

_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
"""HTTP status by gRPC status; any other is a service that failed: 502."""

_TARGET_SAYS = {
    grpc.StatusCode.UNAUTHENTICATED: "denied",
    grpc.StatusCode.PERMISSION_DENIED: "denied",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "busy",
    grpc.StatusCode.DEADLINE_EXCEEDED: "too_slow",
    grpc.StatusCode.UNAVAILABLE: "away",
}
"""The words for what is wrong with the service rather than with the question."""

_OWN_WORDS = {grpc.StatusCode.INVALID_ARGUMENT: "refused", grpc.StatusCode.FAILED_PRECONDITION: "not_done"}
"""The headlines above the service's own words."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no answer: a headline, and the line that says what happened."""

    headline: str
    line: str


def problem_of(error: ApiError, target: str, t: Texts) -> Problem:
    """What a reader is told of a call that was not answered."""
    if headline := _OWN_WORDS.get(error.code):
        return Problem(t(f"problem.{headline}"), str(error))
    name = _TARGET_SAYS.get(error.code, "failed")
    line = t(f"problem.{name}_says", target=target, code=error.code.name, detail=error)
    return Problem(t(f"problem.{name}"), line)


def status_of(error: ApiError) -> int:
    """The HTTP status of a call that was not answered."""
    return _STATUS.get(error.code, 502)
