"""The metrics of slates: rungs, channels, what was missing, and rooms that went off air meanwhile. Real parts."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from feature_service.features.catalog import build_catalog
from feature_service.features.events import EventKind
from tests.feature_service.observe.observed_service import Observed, event, observed
from tests.feature_service.scripted_model_server import Hold, ranker, serving

ONLY_HOT = """
[scene]
ranker = ""
[scene.channels]
hot = 10
"""
RANKED = """
[scene]
ranker = "mmoe"
rerank = []
[scene.channels]
hot = 10
fresh = 10
[scene.fusion]
enter = 1.0
"""


async def go_live(stack: Observed, *streamers: str) -> None:
    await stack.client.report([event(f"{each} starts", room_id=f"{each}/1", streamer_id=each) for each in streamers])


async def test_a_slate_is_counted_by_its_scene_and_rung(tmp_path: Path) -> None:
    async with (
        serving({"mmoe": ranker(build_catalog(2))}) as models,
        observed(tmp_path, [models.target], more=RANKED) as stack,
    ):
        await go_live(stack, "anna")
        await stack.client.recommend("viewer")
        models.models.clear()
        await stack.client.recommend("viewer")
    assert stack.value("onair_answers_total", scene="home", rung="full") == 1
    assert stack.value("onair_answers_total", scene="home", rung="recall_order") == 1
    assert stack.value("onair_degradations_total", stage="rank", cause="failed") == 1


async def test_places_are_counted_by_every_channel_that_had_found_their_room(tmp_path: Path) -> None:
    async with observed(tmp_path, more=RANKED.replace('"mmoe"', '""')) as stack:
        await go_live(stack, "anna", "ben")
        await stack.client.report([event("a visit", EventKind.ENTER, user_id="somebody")])
        await stack.client.recommend("viewer")
    assert stack.value("onair_slate_places_total") == 2
    # Both rooms have just started; only the one that somebody has entered is hot.
    for channel, found in (("hot", 1), ("fresh", 2)):
        assert stack.value("onair_channel_slate_places_total", channel=channel) == found
        assert stack.value("onair_channel_candidates_sum", channel=channel) == found
        assert stack.value("onair_stage_duration_seconds_count", stage=f"recall.{channel}") == 1


async def test_a_missing_model_is_counted_by_its_stage_and_kind(tmp_path: Path) -> None:
    async with observed(tmp_path, more=RANKED) as stack:
        await go_live(stack, "anna")
        await stack.client.recommend("viewer")
    assert stack.value("onair_degradations_total", stage="rank", cause="unserved") == 1


async def test_a_slate_without_a_room_is_counted_as_empty(tmp_path: Path) -> None:
    async with observed(tmp_path, more=ONLY_HOT) as stack:
        await stack.client.recommend("viewer")
    assert stack.value("onair_empty_answers_total") == 1


async def test_an_explanation_is_no_slate_of_a_viewer(tmp_path: Path) -> None:
    async with observed(tmp_path, more=ONLY_HOT) as stack:
        await go_live(stack, "anna")
        await stack.client.explain("viewer")
    assert stack.value("onair_slate_places_total") == 0
    assert stack.value("onair_rpc_duration_seconds_count", method="Explain", status="OK") == 1


async def test_a_place_whose_room_went_off_air_meanwhile_is_counted_and_given_to_another(tmp_path: Path) -> None:
    async with (
        serving({"mmoe": ranker(build_catalog(2))}) as models,
        observed(tmp_path, [models.target], more=RANKED) as stack,
    ):
        await go_live(stack, "anna", "ben")
        await stack.client.report([event("full", EventKind.ROOM_UPDATED, viewers=100)])
        held = models.holds["mmoe"] = Hold()
        asked = asyncio.create_task(stack.client.recommend("viewer", 1))
        await asyncio.wait_for(held.arrived.wait(), 30)
        await stack.client.report([event("ends", EventKind.ROOM_ENDED)])
        held.released.set()
        answer = await asked
    # The ranker puts the fuller room first, which is gone by then.
    assert [room.room_id for room in answer.rooms] == ["ben/1"]
    assert stack.value("onair_slate_places_ended_total") == 1
    assert stack.value("onair_slate_places_total") == 1


@pytest.mark.parametrize("told", ["viewer-of-a-name", "anna/1", "anna", "a title", "my-request", "tab-of-nobody"])
async def test_no_metric_tells_who_asked_what(tmp_path: Path, told: str) -> None:
    async with observed(tmp_path) as stack:
        await stack.client.report([event("start", title="a title"), event("x", EventKind.LIKE, user_id=told)])
        await stack.client.recommend("viewer-of-a-name", request_id="my-request")
        with pytest.raises(Exception, match="scene"):
            await stack.client.recommend("viewer-of-a-name", scene="tab-of-nobody")
    assert f'"{told}"' not in generate_latest(stack.observer.metrics.registry).decode()
