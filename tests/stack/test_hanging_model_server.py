"""A model server that hangs: its process stands still, and neither ends nor refuses."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from feature_service.client import FeatureServiceClient
from serving.launch import ModelServer
from tests.feature_service.redis_process import needs_redis
from tests.stack.fleet import Fleet, Load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_redis]

DEADLINE_S = 1.0
SOME, MANY = 20, 200
MOST = 0.9
"""All but those that the other has no time for on a busy machine; half, if nobody noticed that one hangs."""


async def test_answers_are_ranked_by_the_other(published: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        fleet = await asyncio.to_thread(Fleet, tmp_path, published, stack)
        await fleet.start()
        async with FeatureServiceClient(fleet.addresses, DEADLINE_S) as client:
            load = Load(client)
            async with load.running():
                await load.goes_on(SOME)
                with _standing_still(fleet.model_servers[0]):
                    await load.goes_on(SOME)
                    answered, ranked = load.answered, load.ranked
                    await load.goes_on(MANY)
                    assert load.ranked - ranked > MOST * (load.answered - answered)
    assert load.failures == []


@contextmanager
def _standing_still(server: ModelServer) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)
