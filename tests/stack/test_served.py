"""What services of their own processes served, before a trained ranker: no skew, whatever events and kill -9 do."""

import asyncio
from pathlib import Path

import pytest

from feature_service.boot import LOG_FOLDER, SERVED_FOLDER
from feature_service.client import FeatureServiceClient
from feature_service.clock import wall_clock
from feature_service.features.catalog import build_catalog
from serving.launch import ModelServer
from tests.feature_service.redis_process import RedisProcess, made, needs_redis
from tests.stack.running_stack import PATIENCE_S
from tests.stack.service_process import ServiceProcess
from tests.stack.test_parity import CONTEXT, SLATE, VIEWERS, Crowd, ready
from tests.stack.toy_platform import CATEGORIES, SETTINGS, started
from training.skew import measure_skew

pytestmark = pytest.mark.slow

REQUESTS = 60
AT_ONCE = 4


async def asked_at_once(service: ServiceProcess, crowd: Crowd) -> int:
    """Slates for several viewers at a time while events come; then the service is killed. Returns how many came."""
    answered = 0
    async with FeatureServiceClient(service.target, PATIENCE_S) as client:
        await client.report([started(room, room.partition("-")[0], wall_clock() - 600_000) for room in crowd.rooms])
        await ready(client)
        reporting = asyncio.create_task(crowd.report(client))
        for number in range(0, REQUESTS, AT_ONCE):
            users = [f"viewer-{n % VIEWERS}" for n in range(number, number + AT_ONCE)]
            answers = await asyncio.gather(*(client.recommend(user, SLATE, context=CONTEXT) for user in users))
            answered += sum(not answer.degraded for answer in answers)
        service.kill()
        await reporting
    return answered


def test_what_a_killed_service_has_served_is_what_a_replay_computes(model_server: ModelServer, tmp_path: Path) -> None:
    answered, crowd = 0, Crowd()
    for _ in range(2):
        with ServiceProcess(tmp_path, targets=[model_server.target], settings=SETTINGS) as service:
            answered += asyncio.run(asked_at_once(service, crowd))
    data = tmp_path / "data"
    found = measure_skew(data / LOG_FOLDER, data / SERVED_FOLDER, build_catalog(len(CATEGORIES)))
    assert found.differing == 0
    assert set(found.skipped) <= {"no ranker answered"}  # Before the models were found.
    # What was under way when the service was killed, and no more, may be missing.
    assert found.slates >= answered - 2 * AT_ONCE
    assert answered == 2 * REQUESTS


@needs_redis
def test_what_a_replica_has_served_is_what_a_replay_of_the_writers_log_computes(
    model_server: ModelServer, tmp_path: Path
) -> None:
    with RedisProcess(tmp_path / "redis") as redis:
        settings = f'{SETTINGS}[store]\naddress = "{redis.address}"\n'
        with ServiceProcess(tmp_path / "writer", settings=settings) as writer:
            asyncio.run(made(redis))
            follow, targets = ("--replica-of", writer.target), [model_server.target]
            with ServiceProcess(tmp_path / "replica", *follow, targets=targets, settings=settings) as replica:
                answered = asyncio.run(asked_at_once(replica, Crowd()))
    log, served = tmp_path / "writer" / "data" / LOG_FOLDER, tmp_path / "replica" / "data" / SERVED_FOLDER
    found = measure_skew(log, served, build_catalog(len(CATEGORIES)))
    assert found.differing == 0
    assert set(found.skipped) <= {"no ranker answered"}
    assert found.slates >= answered - 2 * AT_ONCE
    assert answered == REQUESTS
