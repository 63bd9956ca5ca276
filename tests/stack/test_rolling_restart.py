"""A rolling restart of both services and both model servers, and a publish, under load: no request fails."""

import asyncio
from pathlib import Path

import pytest

from feature_service.client import FeatureServiceClient
from tests.feature_service.redis_process import needs_redis
from tests.stack.fleet import Fleet, under_load
from tests.stack.running_stack import PATIENCE_S, eventually
from tests.stack.trained import PROVENANCE
from training.publish import publish

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), needs_redis]


async def test_no_request_fails_while_everything_restarts_in_turn_and_a_model_is_published(
    published: Path, tmp_path: Path
) -> None:
    async with under_load(tmp_path, published, PATIENCE_S) as (fleet, load):
        for number in range(2):
            await asyncio.to_thread(fleet.restart_model_server, number)
            await load.goes_on()
        for name in ("writer", "replica"):
            await asyncio.to_thread(fleet.restart_service, name)
            await load.goes_on()
        done = await asyncio.to_thread(publish, published / "mmoe", published / "models" / "mmoe", "mmoe", PROVENANCE)
        await eventually(lambda: _serve(fleet, done.manifest.version), timeout_s=2 * PATIENCE_S)
        await load.goes_on()
    assert load.failures == []


async def _serve(fleet: Fleet, version: int) -> bool:
    """Whether every service serves that version of the ranker."""
    for service in fleet.services.values():
        async with FeatureServiceClient(service.target, PATIENCE_S) as client:
            if (await client.recommend("viewer-0", 5)).model_versions["mmoe"] != version:
                return False
    return True
