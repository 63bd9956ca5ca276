"""The rollout: a version serves when every server has it, its layout can be filled, and the rooms have its vectors."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from feature_service import room_vectors
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import EventKind
from feature_service.model_servers import ModelServers
from feature_service.rollout import Rollout
from serving import contract
from serving.launch import free_port
from tests.feature_service.live_platform import CONTENT_WIDTH, NOON_MS, LivePlatform
from tests.feature_service.recall.served_channels import vector_model
from tests.feature_service.scripted_model_server import Hold, ScriptedModel, ScriptedServer, ranker, serving, two_tower

PATIENCE_S = 30
SIGNATURES: dict[str, tuple[str, ...]] = dict.fromkeys(("two_tower", "mf"), (contract.USER, contract.ROOM))
"""Of the vector models; the others have `serving_default`."""


@pytest.fixture
def catalog() -> Catalog:
    return build_catalog(CONTENT_WIDTH)


@pytest.fixture
def platform() -> LivePlatform:
    """One room on air."""
    platform = LivePlatform()
    platform.start("anna/1")
    return platform


@asynccontextmanager
async def following(
    catalog: Catalog, platform: LivePlatform, *models: dict[str, ScriptedModel]
) -> AsyncGenerator[tuple[Rollout, list[ScriptedServer]]]:
    """A rollout that follows the first server's models on all servers, each with models of its own."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(each)) for each in models]
        clients = ModelServers([server.target for server in servers])
        stack.push_async_callback(clients.close)
        yield rollout_of(catalog, platform, clients, *models[0]), servers


def rollout_of(catalog: Catalog, platform: LivePlatform, servers: ModelServers, *names: str) -> Rollout:
    return Rollout(
        servers=servers,
        catalog=catalog,
        state=platform.state,
        live=platform.live,
        signatures={name: SIGNATURES.get(name, (contract.SERVING_DEFAULT,)) for name in names},
        now_ms=lambda: NOON_MS,
    )


def without_meaning(model: ScriptedModel, version: int) -> None:
    """The model gets a version whose layout names a feature that no catalogue has."""
    model.versions.add(version)
    strings = model.layout.to_strings()
    model.layouts[version] = strings | {"candidate_floats": ["room.aura@1:float32:1"]}


async def test_version_serves_only_when_every_server_has_it(catalog: Catalog, platform: LivePlatform) -> None:
    slow, fast = ranker(catalog), ranker(catalog)
    fast.versions = {1, 2}
    async with following(catalog, platform, {"mmoe": slow}, {"mmoe": fast}) as (rollout, _):
        await rollout.follow()
        assert rollout.current.versions == {"mmoe": 1}
        slow.versions = {1, 2}
        await rollout.follow()
        assert rollout.current.versions == {"mmoe": 2}


async def test_layout_that_the_catalogue_cannot_fill_is_refused_and_the_old_version_goes_on(
    catalog: Catalog, platform: LivePlatform
) -> None:
    model = ranker(catalog)
    async with following(catalog, platform, {"mmoe": model}) as (rollout, _):
        await rollout.follow()
        without_meaning(model, 2)
        for _ in range(2):  # It is not forgotten at the next look.
            await rollout.follow()
            assert rollout.current.versions == {"mmoe": 1}
            assert "room.aura@1" in rollout.problems["mmoe"]
        model.versions.add(3)
        await rollout.follow()
    assert rollout.current.versions == {"mmoe": 3}
    assert not rollout.problems


async def test_service_that_starts_beside_a_refused_version_takes_the_one_before(
    catalog: Catalog, platform: LivePlatform
) -> None:
    model = ranker(catalog)
    without_meaning(model, 2)
    async with following(catalog, platform, {"mmoe": model}) as (rollout, _):
        await rollout.follow()
        await rollout.follow()
    assert rollout.current.versions == {"mmoe": 1}
    assert "room.aura@1" in rollout.problems["mmoe"]


@pytest.mark.parametrize("missing", [contract.USER, contract.ROOM])
async def test_two_tower_without_one_of_its_towers_is_refused(
    catalog: Catalog, platform: LivePlatform, missing: str
) -> None:
    model = two_tower(catalog)
    del model.signatures[missing]
    async with following(catalog, platform, {"two_tower": model}) as (rollout, _):
        await rollout.follow()
    assert rollout.current.versions == {}
    assert f"two_tower version 1: expected a signature {missing}" in rollout.problems["two_tower"]


async def test_version_that_reads_more_than_its_layout_names_is_refused(
    catalog: Catalog, platform: LivePlatform
) -> None:
    model = ranker(catalog)
    model.signatures[contract.SERVING_DEFAULT] += ("candidate_vectors",)
    async with following(catalog, platform, {"mmoe": model}) as (rollout, _):
        await rollout.follow()
    assert rollout.current.versions == {}
    assert "candidate_vectors" in rollout.problems["mmoe"]


async def test_rooms_that_start_while_the_others_are_embedded_are_in_the_new_index(
    catalog: Catalog, platform: LivePlatform
) -> None:
    async with following(catalog, platform, {"two_tower": two_tower(catalog)}) as (rollout, (server,)):
        hold = server.holds[contract.ROOM] = Hold()
        follow = asyncio.create_task(rollout.follow())
        await asyncio.wait_for(hold.arrived.wait(), PATIENCE_S)
        platform.start("ben/1")
        rollout.room_changed(int(platform.rows("ben/1")[0]))
        assert rollout.current.indexes == {}  # Nothing has switched yet.
        hold.released.set()
        await follow
    index = rollout.current.indexes["two_tower"]
    assert [row in index for row in platform.rows("anna/1", "ben/1")] == [True, True]


async def test_room_that_ends_while_it_is_embedded_is_not_in_the_new_index(
    catalog: Catalog, platform: LivePlatform
) -> None:
    platform.start("ben/1")
    row = int(platform.rows("ben/1")[0])
    async with following(catalog, platform, {"two_tower": two_tower(catalog)}) as (rollout, (server,)):
        hold = server.holds[contract.ROOM] = Hold()
        follow = asyncio.create_task(rollout.follow())
        await asyncio.wait_for(hold.arrived.wait(), PATIENCE_S)
        platform.report(EventKind.ROOM_ENDED, room_id="ben/1")
        rollout.room_changed(row)
        hold.released.set()
        await follow
    index = rollout.current.indexes["two_tower"]
    assert len(index) == 1
    assert row not in index


async def test_old_version_serves_with_its_own_vectors_until_the_switch(
    catalog: Catalog, platform: LivePlatform
) -> None:
    model = two_tower(catalog)
    async with following(catalog, platform, {"two_tower": model}) as (rollout, (server,)):
        await rollout.follow()
        before = rollout.current
        model.versions.add(2)
        hold = server.holds[contract.ROOM] = Hold()
        follow = asyncio.create_task(rollout.follow())
        await asyncio.wait_for(hold.arrived.wait(), PATIENCE_S)
        assert rollout.current is before
        hold.released.set()
        await follow
    after = rollout.current
    assert (before.versions, after.versions) == ({"two_tower": 1}, {"two_tower": 2})
    assert [each.room_vectors["two_tower"].model.version for each in (before, after)] == [1, 2]
    assert before.indexes["two_tower"] is not after.indexes["two_tower"]


async def test_switching_one_vector_model_leaves_the_vectors_of_the_other(
    catalog: Catalog, platform: LivePlatform
) -> None:
    models = {"two_tower": two_tower(catalog), "mf": two_tower(catalog)}
    async with following(catalog, platform, models) as (rollout, _):
        await rollout.follow()
        before = rollout.current
        models["mf"].versions.add(2)
        await rollout.follow()
    after = rollout.current
    assert after.versions == {"two_tower": 1, "mf": 2}
    assert after.indexes["two_tower"] is before.indexes["two_tower"]
    assert after.indexes["mf"] is not before.indexes["mf"]


async def test_vector_model_that_hangs_keeps_no_room_from_the_index_of_the_other(
    catalog: Catalog, platform: LivePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_vectors, "TIMEOUT_S", 2 * PATIENCE_S)
    models = {"two_tower": two_tower(catalog), "mf": two_tower(catalog)}
    async with following(catalog, platform, models) as (rollout, (server,)):
        await rollout.follow()
        embedding = asyncio.create_task(rollout.keep_embedding())
        hold = server.holds["mf"] = Hold()
        platform.start("ben/1")
        row = int(platform.rows("ben/1")[0])
        rollout.room_changed(row)
        await asyncio.wait_for(hold.arrived.wait(), PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S):
            while row not in rollout.current.indexes["two_tower"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert row not in rollout.current.indexes["mf"]
        embedding.cancel()


async def test_model_that_hangs_keeps_no_other_from_its_new_version(
    catalog: Catalog, platform: LivePlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_vectors, "TIMEOUT_S", 2 * PATIENCE_S)
    models = {"mf": two_tower(catalog), "mmoe": ranker(catalog)}
    async with following(catalog, platform, models) as (rollout, (server,)):
        server.holds["mf"] = Hold()
        following_all = asyncio.create_task(rollout.keep_following(0.01))
        for version in (1, 2):
            models["mmoe"].versions.add(version)
            async with asyncio.timeout(PATIENCE_S):
                while rollout.current.versions != {"mmoe": version}:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        following_all.cancel()


async def test_change_of_a_room_is_not_embedded_by_a_model_that_reads_its_streamer_alone(
    catalog: Catalog, platform: LivePlatform
) -> None:
    models = {"two_tower": two_tower(catalog), "mf": vector_model(catalog, (1, 0))}
    async with following(catalog, platform, models) as (rollout, (server,)):
        await rollout.follow()

        async def embedded_anew() -> list[str]:
            server.asked.clear()
            for room in ("anna/1", "ben/1"):
                rollout.room_changed(int(platform.rows(room)[0]))
            for vectors in rollout.current.room_vectors.values():
                await vectors.refresh(NOON_MS)
            return sorted(name for name, _, _ in server.asked)

        platform.start("ben/1")
        assert await embedded_anew() == ["mf", "two_tower"]  # ben's room is new to both.
        assert await embedded_anew() == ["two_tower"]


async def test_room_is_embedded_when_it_starts(catalog: Catalog, platform: LivePlatform) -> None:
    async with following(catalog, platform, {"two_tower": two_tower(catalog)}) as (rollout, (server,)):
        await rollout.follow()
        embedding = asyncio.create_task(rollout.keep_embedding())
        hold = server.holds[contract.ROOM] = Hold()
        platform.start("ben/1")
        row = int(platform.rows("ben/1")[0])
        rollout.room_changed(row)
        await asyncio.wait_for(hold.arrived.wait(), PATIENCE_S)
        hold.released.set()
        async with asyncio.timeout(PATIENCE_S):
            while row not in rollout.current.indexes["two_tower"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        embedding.cancel()


async def test_server_that_does_not_answer_leaves_the_versions_as_they_are(
    catalog: Catalog, platform: LivePlatform
) -> None:
    async with following(catalog, platform, {"mmoe": ranker(catalog)}) as (rollout, (server,)):
        await rollout.follow()
        name, model = server.models.popitem()
        await rollout.follow()
        assert rollout.current.versions == {"mmoe": 1}
        assert "no model mmoe" in rollout.problems["mmoe"]
        server.models[name] = model
        await rollout.follow()
    assert not rollout.problems


async def test_without_any_server_nothing_serves_and_the_reason_is_kept(
    catalog: Catalog, platform: LivePlatform
) -> None:
    servers = ModelServers([f"127.0.0.1:{free_port()}"])
    rollout = rollout_of(catalog, platform, servers, "mmoe")
    await rollout.follow()
    await servers.close()
    assert rollout.current.versions == {}
    assert "UNAVAILABLE" in rollout.problems["mmoe"]
