"""Tests of calls to several model servers, some of which are away."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import numpy as np
import pytest

from feature_service.features.catalog import build_catalog
from feature_service.features.layout import CANDIDATE_FLOATS
from feature_service.model_servers import MOST_MISSED, PATIENCE_S, TRY_S, ModelServers
from serving import contract
from serving.errors import DeadlineExceededError, ModelNotFoundError, ServerUnavailableError
from serving.launch import free_port
from tests.feature_service.live_platform import CONTENT_WIDTH
from tests.feature_service.scripted_model_server import Hold, ScriptedServer, ranker, serving

TIMEOUT_S = 30.0
SHORT_S = 0.2
CALLS = 60


@dataclass(frozen=True, slots=True)
class Two:
    """Two model servers, and what calls them."""

    first: ScriptedServer
    second: ScriptedServer
    servers: ModelServers

    async def ask(self, version: int = 1, *, model: str = "mmoe", timeout_s: float = TIMEOUT_S) -> None:
        inputs = {CANDIDATE_FLOATS: np.ones((1, 1), np.float32)}
        signature, outputs = contract.SERVING_DEFAULT, ("predictions",)
        await self.servers.predict(
            model, inputs, signature=signature, version=version, outputs=outputs, timeout_s=timeout_s
        )


@asynccontextmanager
async def two() -> AsyncGenerator[Two]:
    catalog = build_catalog(CONTENT_WIDTH)
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(serving({"mmoe": ranker(catalog)})) for _ in range(2)]
        servers = ModelServers([first.target, second.target])
        stack.push_async_callback(servers.close)
        yield Two(first, second, servers)


async def test_calls_go_to_the_servers_in_turn() -> None:
    async with two() as stack:
        for _ in range(4):
            await stack.ask()
        assert (len(stack.first.asked), len(stack.second.asked)) == (2, 2)


async def test_every_call_is_answered_while_one_server_is_away_and_that_one_is_asked_once() -> None:
    async with serving({"mmoe": ranker(build_catalog(CONTENT_WIDTH))}) as there:
        servers = ModelServers([f"127.0.0.1:{free_port()}", there.target])
        stack = Two(there, there, servers)
        for _ in range(6):
            await stack.ask()
        assert len(there.asked) == 6
        assert servers.next() is servers.next(), "until it is asked again, all turns are the other's"
        await servers.close()


async def test_calls_that_a_server_cancels_as_it_ends_are_answered_by_the_other() -> None:
    """It takes one call a round of its loop; those that have arrived and wait are cancelled."""
    catalog = build_catalog(CONTENT_WIDTH)
    async with serving({"mmoe": ranker(catalog)}) as stays:
        async with serving({"mmoe": ranker(catalog)}) as ends:
            stack = Two(ends, stays, ModelServers([ends.target, stays.target]))
            for _ in range(2):
                await stack.ask()  # Until it is connected with both.
            asking = asyncio.gather(*(stack.ask() for _ in range(CALLS)))
            while len(ends.asked) == 1:  # noqa: ASYNC110 - calls come in round by round
                await asyncio.sleep(0)
        await asking
        await stack.servers.close()
    assert len(ends.asked) < CALLS // 2 < len(stays.asked)


async def test_a_server_that_hangs_is_left_out_until_it_answers_again() -> None:
    async with two() as stack:
        for _ in range(2):
            await stack.ask()
        stack.first.holds["mmoe"] = hold = Hold()
        failed = 0
        while stack.servers.next() is not stack.servers.next():
            try:
                await stack.ask(timeout_s=SHORT_S)
            except DeadlineExceededError:
                failed += 1
        assert failed == MOST_MISSED
        asked, began_s = len(stack.first.asked), time.perf_counter()
        while len(stack.first.asked) < asked + 2:
            await stack.ask()  # It is tried beside them.
        assert time.perf_counter() - began_s > TRY_S
        del stack.first.holds["mmoe"]
        hold.released.set()
        while stack.servers.next() is stack.servers.next():
            await stack.ask()


async def test_a_server_that_is_late_but_answers_others_is_not_left_out() -> None:
    async with two() as stack:
        stack.first.models["slow"] = stack.second.models["slow"] = stack.first.models["mmoe"]
        stack.first.holds["slow"] = Hold()
        slow = [asyncio.create_task(stack.ask(model="slow", timeout_s=2 * SHORT_S)) for _ in range(2 * MOST_MISSED)]
        for _ in range(4):
            await asyncio.sleep(SHORT_S / 4)
            await stack.ask()
        late = await asyncio.gather(*slow, return_exceptions=True)
        assert sum(isinstance(each, DeadlineExceededError) for each in late) >= MOST_MISSED
        assert stack.servers.next() is not stack.servers.next()


async def test_a_call_that_has_no_time_left_tells_nothing_of_a_server() -> None:
    async with two() as stack:
        stack.first.holds["mmoe"] = Hold()
        for _ in range(4 * MOST_MISSED):
            with suppress(DeadlineExceededError):
                await stack.ask(timeout_s=PATIENCE_S / 2)
        assert stack.servers.next() is not stack.servers.next()


async def test_version_that_one_server_lacks_is_asked_of_the_other() -> None:
    async with two() as stack:
        stack.first.models["mmoe"].versions = {2}
        for _ in range(3):
            await stack.ask(version=1)
        assert {version for _, version, _ in stack.second.asked} == {1}
        assert len(stack.second.asked) == 3


async def test_version_that_no_server_has_is_the_last_ones_error() -> None:
    async with two() as stack:
        with pytest.raises(ModelNotFoundError, match="no version 7 of mmoe"):
            await stack.ask(version=7)


async def test_when_all_are_away_the_error_says_so() -> None:
    servers = ModelServers([f"127.0.0.1:{free_port()}" for _ in range(2)])
    with pytest.raises(ServerUnavailableError):
        await Two(ScriptedServer({}), ScriptedServer({}), servers).ask()
    with pytest.raises(ServerUnavailableError):
        await servers.available("mmoe", TIMEOUT_S)
    await servers.close()


async def test_without_a_model_server_a_call_says_so() -> None:
    with pytest.raises(ServerUnavailableError, match="expected a model server, there is none"):
        ModelServers([]).next()


async def test_version_is_available_when_every_server_that_can_be_reached_has_it() -> None:
    async with two() as stack:
        stack.first.models["mmoe"].versions = {1, 2}
        assert await stack.servers.available("mmoe", TIMEOUT_S) == {1}
        servers = ModelServers([f"127.0.0.1:{free_port()}", stack.first.target])
        assert await servers.available("mmoe", TIMEOUT_S) == {1, 2}
        await servers.close()
