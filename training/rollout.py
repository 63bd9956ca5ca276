"""Rollout: waits until model servers answer with a published version, and says what happened where they do not."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import grpc

from serving.client import ADMIN_TIMEOUT_S, ModelServerClient, VersionStatus
from serving.credentials import PLAIN, Credentials
from serving.errors import ServingError

_POLL_S = 0.2


class Outcome(StrEnum):
    """What a model server made of a version."""

    AVAILABLE = "available"
    FAILED = "failed"  # It tried to load the version and gave up.
    SUPERSEDED = "superseded"  # It serves a higher version and has let this one go.
    LATE = "late"  # Nothing final was heard in time.


@dataclass(frozen=True, slots=True)
class ServerState:
    """One model server at the end of the wait.

    Attributes:
        server: Its gRPC address.
        outcome: What it made of the version.
        detail: The server's error, or what was last heard of it; empty if the version is available.
        waited_s: Seconds until the outcome.
        available: Versions that it answers with, highest first; None if it never answered.
    """

    server: str
    outcome: Outcome
    detail: str
    waited_s: float
    available: tuple[int, ...] | None


def await_version(
    servers: Sequence[str], name: str, version: int, timeout_s: float, credentials: Credentials = PLAIN
) -> tuple[ServerState, ...]:
    """Asks all servers side by side until each has the version, failed to load it, or the time is up.

    Args:
        servers: gRPC addresses, `host:port`.
        name: The model.
        version: Its version.
        timeout_s: Seconds for all of it.
        credentials: By what the servers are known, and what they know us by.
    """

    async def all_servers() -> list[ServerState]:
        return await asyncio.gather(*(_await_on(server, name, version, timeout_s, credentials) for server in servers))

    return tuple(asyncio.run(all_servers()))


async def _await_on(server: str, name: str, version: int, timeout_s: float, credentials: Credentials) -> ServerState:
    started = time.monotonic()
    available: tuple[int, ...] | None = None
    outcome, detail = Outcome.LATE, "not asked"
    async with ModelServerClient(server, credentials=credentials) as client:
        while outcome is Outcome.LATE and (left := started + timeout_s - time.monotonic()) > 0:
            try:
                statuses = await client.model_status(name, timeout_s=min(left, ADMIN_TIMEOUT_S))
            except ServingError as error:
                detail = error.message
            else:
                available = tuple(sorted((status.version for status in statuses if status.available), reverse=True))
                outcome, detail = _judge(statuses, version)
            if outcome is Outcome.LATE:
                await asyncio.sleep(min(_POLL_S, max(left, 0)))
    return ServerState(server, outcome, detail, time.monotonic() - started, available)


def _judge(statuses: Sequence[VersionStatus], version: int) -> tuple[Outcome, str]:
    """What the states of a model's versions say of one of them."""
    own = next((status for status in statuses if status.version == version), None)
    if own is not None and own.available:
        return Outcome.AVAILABLE, ""
    if own is not None and own.state == "END" and own.code is not grpc.StatusCode.OK:
        return Outcome.FAILED, f"{own.code.name}: {own.message}"
    higher = [status.version for status in statuses if status.available and status.version > version]
    if higher and (own is None or own.state == "END"):
        return Outcome.SUPERSEDED, f"version {max(higher)} is available"
    return Outcome.LATE, "the server has not seen it yet" if own is None else f"its state is {own.state}"
