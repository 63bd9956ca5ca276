"""The service's channels that need no model, asked at the moments of questions while their log is replayed."""

import asyncio
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.state import State
from feature_service.features.view import Context
from feature_service.live.table import LiveTable
from feature_service.recall.followed import Followed
from feature_service.recall.fresh import Fresh
from feature_service.recall.hot import Hot
from feature_service.recall.watched import Watched
from feature_service.settings import load as load_settings
from feature_service.stages import Channel, Request, World
from training.compare.found import Found
from training.compare.moments import at_moments
from training.compare.questions import Places, Questions
from training.data.samples import RoomVersions


def memory_channels() -> dict[str, Channel]:
    """The channels by name, with nothing remembered yet."""
    return {"followed": Followed(), "watched": Watched(), "hot": Hot(), "fresh": Fresh()}


def ask_channels(
    questions: Questions,
    channels: Mapping[str, Channel],
    rooms: RoomVersions,
    *,
    log: str,
    catalog: Catalog,
    most: int,
) -> dict[str, Found]:
    """What channels find for questions of rooms on air, by name.

    Args:
        questions: In order of time.
        channels: By name.
        rooms: The rooms.
        log: URI of the event log.
        catalog: Says what the state remembers.
        most: Rooms kept of a question.

    Raises:
        DataError: The log is not readable.
    """
    lists: dict[str, list[tuple[Places, NDArray[np.float32]]]] = {name: [] for name in channels}
    seconds = dict.fromkeys(channels, 0.0)
    scene = load_settings().scene("")

    def ask(number: int, state: State, live: LiveTable) -> None:
        case = questions.case(number)
        request = Request(
            f"question-{number}", "", case.user, most, scene, Context(), case.time_ms, np.zeros(0, np.int64)
        )
        world = World(state, live, {}, {})
        offered = rooms.room[questions.offered[number]]
        order = np.argsort(offered)
        for name, channel in channels.items():
            started = time.process_time()
            recalled = loop.run_until_complete(channel.recall(request, world, most))
            seconds[name] += time.process_time() - started
            keys = state.rooms.fields["key"][recalled.rows]
            places = order[np.minimum(np.searchsorted(offered[order], keys), len(offered) - 1)]
            known = offered[places] == keys
            lists[name].append((places[known], recalled.scores[known].astype(np.float32)))

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        at_moments(log, catalog, questions.cases.time_ms.tolist(), ask)
    return {
        name: Found(
            tuple(places for places, _ in found),
            tuple(scores for _, scores in found),
            seconds[name] / max(len(questions), 1) * 1e6,
        )
        for name, found in lists.items()
    }
