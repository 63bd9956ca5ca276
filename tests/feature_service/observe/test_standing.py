"""How a service stands, as its gauges show it: rooms, models, log and checkpoints; and the endpoint that shows it."""

import asyncio
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from feature_service.features.catalog import build_catalog
from feature_service.features.events import EventKind
from feature_service.log.opening import LOG_FOLDER
from feature_service.observe.exposition import MetricsAddressError, exposed
from feature_service.observe.observer import Observer, observer_of
from feature_service.observe.sampling import Sampler
from feature_service.observe.settings import TracingSettings
from feature_service.settings import load
from serving.launch import free_port
from tests.feature_service.observe.observed_service import Observed, event, observed
from tests.feature_service.scripted_model_server import ranker, serving

NO_TRACES = TracingSettings("", 0.0)
RANKED = """
[scene]
ranker = "mmoe"
[scene.channels]
hot = 10
"""


LIMITS = load().overload


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def sampler_of(stack: Observed, folder: Path) -> Sampler:
    return Sampler(stack.service, stack.observer.metrics, folder / LOG_FOLDER)


def scraped(address: str) -> dict[str, float]:
    """What the endpoint shows, samples by name; of several with one name the last."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {each.name: each.value for family in text_string_to_metric_families(text) for each in family.samples}


async def test_gauges_show_what_is_in_memory_and_where_the_log_is(tmp_path: Path) -> None:
    async with observed(tmp_path) as stack:
        ben = event("ben starts", room_id="ben/1", streamer_id="ben")
        await stack.client.report([event("start"), ben, event("visit", EventKind.ENTER, user_id="viewer")])
        await stack.client.report([event("ends", EventKind.ROOM_ENDED)])
        sampler_of(stack, tmp_path).sample()
    assert stack.value("onair_live_rooms") == 1
    assert stack.value("onair_resident_users") == 1
    assert stack.value("onair_resident_streamers") == 2
    assert stack.value("onair_log_position") == 4


async def test_gauges_show_how_many_calls_run_and_how_many_may(tmp_path: Path) -> None:
    async with observed(tmp_path) as stack:
        with stack.service.limiters.asking.admitted():
            sampler_of(stack, tmp_path).sample()
    names = ("onair_requests_in_flight", "onair_requests_limit")
    assert [stack.value(name, kind="asking") for name in names] == [1, LIMITS.most_in_flight]
    assert [stack.value(name, kind="reporting") for name in names] == [0, LIMITS.reports_in_flight]


async def test_a_model_shows_the_version_that_serves_and_no_other(tmp_path: Path) -> None:
    name = "onair_model_serving_since_timestamp_seconds"
    async with (
        serving({"mmoe": ranker(build_catalog(2))}) as models,
        observed(tmp_path, [models.target], more=RANKED) as stack,
    ):
        sampler = sampler_of(stack, tmp_path)
        sampler.sample()
        first_s = stack.value(name, model="mmoe", version="1")
        models.models["mmoe"].versions = {1, 2}
        await until(lambda: stack.service.rollout.current.versions == {"mmoe": 2})
        sampler.sample()
    assert first_s > 0
    assert stack.value(name, model="mmoe", version="2") >= first_s
    assert not stack.value(name, model="mmoe", version="1")


async def test_a_model_whose_servers_do_not_answer_shows_a_problem_until_they_do(tmp_path: Path) -> None:
    async with (
        serving({}) as models,
        observed(tmp_path, [models.target], more=RANKED) as stack,
    ):
        sampler = sampler_of(stack, tmp_path)
        sampler.sample()
        before = stack.value("onair_model_problem", model="mmoe")
        models.models["mmoe"] = ranker(build_catalog(2))
        await until(lambda: not stack.service.rollout.problems)
        sampler.sample()
    assert (before, stack.value("onair_model_problem", model="mmoe")) == (1, 0)


async def test_a_checkpoint_shows_its_position_and_time(tmp_path: Path) -> None:
    async with observed(tmp_path, more="checkpoint_s = 0.05") as stack:
        await stack.client.report([event("start")])
        await until(lambda: stack.value("onair_checkpoint_position") == 1)
    assert stack.value("onair_checkpoint_timestamp_seconds") > 1_700_000_000


async def test_the_endpoint_shows_the_metrics_with_the_size_of_the_log(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with observed(tmp_path) as stack:
        await stack.client.report([event("start")])
        async with exposed(stack.observer, stack.service, address, tmp_path / LOG_FOLDER):
            await until(lambda: stack.value("onair_log_bytes") > 0)
            shown = await asyncio.to_thread(scraped, address)
        size = sum(path.stat().st_size for path in (tmp_path / LOG_FOLDER).glob("*.log"))
    assert shown["onair_live_rooms"] == 1
    assert shown["onair_log_bytes"] == size
    assert shown["process_resident_memory_bytes"] > 10_000_000


async def test_the_endpoint_is_gone_with_its_service(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with observed(tmp_path) as stack:
        for _ in range(2):  # The port is free again.
            async with exposed(stack.observer, stack.service, address, tmp_path / LOG_FOLDER):
                pass


@pytest.mark.parametrize("address", ["here", "127.0.0.1:port", "127.0.0.1:99999"])
async def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    async with observed(tmp_path) as stack:
        with pytest.raises(MetricsAddressError, match=f"{address}: expected host:port to show metrics on"):
            async with exposed(stack.observer, stack.service, address, tmp_path / LOG_FOLDER):
                pass


async def test_two_services_of_one_process_have_metrics_of_their_own(tmp_path: Path) -> None:
    async with observed(tmp_path / "one") as one, observed(tmp_path / "two") as two:
        await one.client.recommend("viewer")
    assert one.value("onair_empty_answers_total") == 1
    assert two.value("onair_empty_answers_total") == 0


def test_nobody_observes_a_service_whose_metrics_and_traces_nobody_wants() -> None:
    assert observer_of(NO_TRACES, "", forwards=False) is None
    assert isinstance(observer_of(NO_TRACES, "127.0.0.1:9464", forwards=False), Observer)
