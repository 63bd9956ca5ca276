"""What a service does beside its topic: its store, those who were erased, and a new host that takes over."""

from contextlib import closing
from pathlib import Path

import pytest

from feature_service.erasures import SETTLED_MS
from feature_service.features.catalog import build_catalog
from feature_service.features.state import State
from feature_service.log.kafka_topic import KafkaTopic
from feature_service.rebuild import rebuild
from feature_service.stores.opening import STORE_FILE, open_store
from tests.faults.reporters import ROOMS, Reporters
from tests.feature_service.redis_process import RedisProcess, needs_redis
from tests.feature_service.running_service import lean_settings, running
from tests.feature_service.test_retention import ERASED, clock, files_with, gone, visited


@pytest.fixture
def more(address: str) -> str:
    """The settings of a service whose log is a topic."""
    return f'[log]\naddress = "{address}"\n'


async def test_an_erased_user_leaves_the_folder_and_stays_in_the_topic(tmp_path: Path, more: str, address: str) -> None:
    async with running(tmp_path, more=more) as onair:
        await visited(onair)
    assert any(name.startswith("served/") for name in files_with(tmp_path, ERASED))
    async with running(tmp_path, more=more, now_ms=lambda: clock(SETTLED_MS)):
        await gone(tmp_path, ERASED)
    # Until the topic drops its oldest events: nobody can write them anew.
    assert ERASED in {event.user_id for _, event in KafkaTopic(address).read(0)}


async def test_a_store_is_made_again_from_the_topic(tmp_path: Path, more: str) -> None:
    events = [Reporters.event(number) for number in range(3 * ROOMS)]
    async with running(tmp_path, more=more) as onair:
        await onair.client.report(events)
    (tmp_path / STORE_FILE).unlink()
    assert rebuild(tmp_path, lean_settings(more), build_catalog(2), lambda _: None) == len(events)
    state = State(build_catalog(2).memories)
    with closing(open_store(lean_settings(more).store, tmp_path, state.dtypes)) as store:
        assert (store.position, len(store.load_live().rooms)) == (len(events), ROOMS)


@needs_redis
async def test_a_new_host_takes_over_with_the_topic_and_the_redis_alone(tmp_path: Path, more: str) -> None:
    with RedisProcess(tmp_path / "redis") as server:
        more += f'[store]\naddress = "{server.address}"\n'
        async with running(tmp_path / "one", more=more) as onair:
            await onair.client.report([Reporters.event(number) for number in range(ROOMS)])
        async with running(tmp_path / "two", more=more) as onair:
            assert onair.service.state.position == ROOMS
            again = await onair.service.report([Reporters.event(number) for number in range(ROOMS + 1)])
            assert [each.acceptance for each in again] == ["duplicate"] * ROOMS + ["accepted"]
