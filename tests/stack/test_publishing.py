"""Publishing and rollback while clients ask without a pause: no request fails, none mixes versions."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest

from protos.onair.v1 import recommendation_pb2 as pb
from serving import contract
from serving.launch import ModelServer
from tests.stack.proxy import proxying
from tests.stack.running_stack import Stack, eventually, running_stack
from tests.stack.toy_platform import CATEGORIES, started, visits
from tests.stack.trained import PROVENANCE
from training.publish import Published, publish, rollback

pytestmark = pytest.mark.slow

CLIENTS = 16
USER = "viewer-0"


async def rooms_on_air(stack: Stack) -> None:
    now_ms = stack.clock()
    rooms = [started(f"{category}-{n}/now", category, now_ms) for category in CATEGORIES for n in range(8)]
    await stack.client.report([*rooms, *visits(USER, "music", now_ms)])

    async def all_embedded() -> bool:
        return len(scores_of(await stack.client.explain(USER))) == len(rooms)

    await eventually(all_embedded)


def scores_of(explained: pb.ExplainResponse) -> dict[str, float]:
    """The two-tower's score of each room."""
    return {
        each.room_id: hit.score
        for each in explained.trace.candidates
        for hit in each.channels
        if hit.channel == "two_tower"
    }


def agreement(explained: pb.ExplainResponse, first: dict[str, float]) -> float:
    """Correlation with the first answer's scores: near 1, or near -1 when vectors of two versions were mixed."""
    scores = scores_of(explained)
    return float(np.corrcoef([scores[room] for room in first], list(first.values()))[0, 1])


async def ask_until(stop: asyncio.Event, stack: Stack) -> list[pb.ExplainResponse]:
    """One client's answers, the last to a request that was sent after the stop."""
    answers: list[pb.ExplainResponse] = []
    while True:
        last = stop.is_set()
        answers.append(await stack.client.explain(USER))
        if last:
            return answers


async def answers_while(stack: Stack, change: Callable[[], Awaitable[None]]) -> list[pb.ExplainResponse]:
    """What all clients are answered from before a change until after it."""
    stop = asyncio.Event()
    clients = [asyncio.create_task(ask_until(stop, stack)) for _ in range(CLIENTS)]
    await change()
    stop.set()
    return [answer for answers in await asyncio.gather(*clients) for answer in answers]


async def test_no_request_fails_or_mixes_versions_while_models_are_published_and_rolled_back(
    published: Path, model_server: ModelServer, tmp_path: Path
) -> None:
    with proxying(model_server.target) as proxy:
        async with running_stack(tmp_path, [proxy.address]) as stack:
            await rooms_on_air(stack)
            first = scores_of(await stack.client.explain(USER))
            proxy.take()

            async def change() -> None:
                turned, base = published / "turned", published / "models"
                await switch(stack, publish, turned, base / "two_tower", "two_tower", PROVENANCE)
                await switch(stack, publish, published / "mmoe", base / "mmoe", "mmoe", PROVENANCE)
                await switch(stack, rollback, base / "two_tower", "two_tower")

            answers = await answers_while(stack, change)
            called = proxy.take(contract.USER, contract.SERVING_DEFAULT)

    versions = Counter((name, version) for each in answers for name, version in each.answer.model_versions.items())
    assert {name for name, _ in versions} == {"two_tower", "mmoe"}
    two_tower = sorted(version for name, version in versions if name == "two_tower")
    assert two_tower == [two_tower[0], two_tower[0] + 1, two_tower[0] + 2]
    assert [list(each.answer.degraded) for each in answers if each.answer.degraded] == []
    # What the model server was asked for is what the answers say, request by request.
    assert Counter((each.model_spec.name, each.model_spec.version.value) for each in called) == versions
    # Vectors of two versions have opposite signs: a mixed pair would rank the other way round.
    assert min(agreement(each, first) for each in answers) > 0.9


async def switch(stack: Stack, make: Callable[..., Published], *arguments: object) -> None:
    """Publishes in a thread, as another process would, and waits until the service has switched."""
    done = await asyncio.to_thread(make, *arguments)
    name, version = done.manifest.name, done.manifest.version

    async def switched() -> bool:
        return stack.service.rollout.current.versions[name] == version

    await eventually(switched)
