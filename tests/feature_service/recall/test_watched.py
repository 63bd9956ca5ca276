"""The channel `watched`."""

import pytest

from feature_service.features.events import EventKind
from feature_service.recall.watched import Watched
from feature_service.stages import Recalled
from tests.feature_service.live_platform import LivePlatform, request


async def _recall(platform: LivePlatform, user_id: str = "viewer") -> Recalled:
    return await Watched().recall(request(user_id, 600), platform.world, 10)


async def test_score_is_the_memory_rule() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.start("ben/1")
    platform.enter("anna/1", 10, user_id="viewer", times=4)
    platform.enter("ben/1", 20, user_id="viewer")
    platform.enter("ben/1", 30, user_id="other", times=4)
    found = await _recall(platform)
    # anna: the visit before the last (0.8 of the newest), 4 of 4 visits, log 5 of log 6 entries by all.
    # ben: the last visit, 1 of 4 visits, most entries.
    anna = 0.45 * 0.8 + 0.45 + 0.10 * 1.6094379 / 1.7917595
    ben = 0.45 + 0.45 / 4 + 0.10
    assert platform.rooms(found.rows) == ["anna/1", "ben/1"]
    assert found.scores.tolist() == pytest.approx([anna, ben])


async def test_known_streamer_is_found_in_her_new_room() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.enter("anna/1", 10, user_id="viewer")
    platform.report(EventKind.ROOM_ENDED, 20, room_id="anna/1")
    platform.start("anna/2", 30)
    assert platform.rooms((await _recall(platform)).rows) == ["anna/2"]


async def test_follow_alone_is_no_visit() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.follow("viewer", "anna")
    assert (await _recall(platform)).rows.tolist() == []


async def test_new_user_has_watched_nothing() -> None:
    platform = LivePlatform()
    platform.start("anna/1")
    platform.enter("anna/1", user_id="other")
    assert (await _recall(platform)).rows.tolist() == []
