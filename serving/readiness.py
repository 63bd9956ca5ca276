"""Waits until a model server has a version of a model."""

import asyncio

import grpc

from serving.client import ModelServerClient, VersionStatus
from serving.errors import DeadlineExceededError, ModelNotFoundError, ServerUnavailableError, serving_error

POLL_INTERVAL_S = 0.1


async def wait_until_available(
    client: ModelServerClient, model: str, version: int | None = None, *, timeout_s: float
) -> int:
    """Waits until a version answers Predict.

    Args:
        client: Of the server to ask; it may still be starting.
        model: The model's name.
        version: Exactly this version; None: any.
        timeout_s: How long to wait.

    Returns:
        The version that is available: the one asked for, else the highest.

    Raises:
        ServerFailedError: The version failed to load; with the server's reason.
        DeadlineExceededError: It was not available in time; with what was last seen.
    """
    wanted = f"model {model}" if version is None else f"model {model} version {version}"
    seen = "nothing was answered"
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    statuses = await client.model_status(model, version)
                except (ModelNotFoundError, ServerUnavailableError, DeadlineExceededError) as error:
                    seen = error.message
                else:
                    available = [status.version for status in statuses if status.available]
                    if available:
                        return max(available)
                    seen = _describe(statuses)
                    if version is not None and statuses[0].code != grpc.StatusCode.OK:
                        raise serving_error(grpc.StatusCode.UNKNOWN, f"{wanted} failed to load: {seen}")
                await asyncio.sleep(POLL_INTERVAL_S)
    except TimeoutError as error:
        reason = f"{wanted} is not available after {timeout_s:g} s: {seen}"
        raise serving_error(grpc.StatusCode.DEADLINE_EXCEEDED, reason) from error


def _describe(statuses: list[VersionStatus]) -> str:
    return ", ".join(
        " ".join(f"version {status.version} {status.state} {status.message}".split()) for status in statuses
    )
