"""A model server that hangs: its process stands still, and neither ends nor refuses."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serving.launch import ModelServer
from tests.feature_service.redis_process import needs_redis
from tests.stack.fleet import under_load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_redis]

DEADLINE_S = 1.0
SOME, MANY = 20, 200
MOST = 0.9
"""All but those that the other has no time for on a busy machine; half, if nobody noticed that one hangs."""


async def test_answers_are_ranked_by_the_other(published: Path, tmp_path: Path) -> None:
    async with under_load(tmp_path, published, DEADLINE_S) as (fleet, load):
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
