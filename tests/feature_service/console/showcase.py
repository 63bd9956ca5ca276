"""A small platform to look at: a real service and console in threads of the test, and a scripted model server.

Its clock stands still at the end of ten minutes in which viewers came and went: every page looks alike each time.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from werkzeug.serving import make_server

from feature_service.console.app import create_app
from feature_service.console.client import ConsoleClient
from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import CANDIDATE_FLOATS, CANDIDATE_IDS
from serving import contract
from serving.history import Entry, EntryKind, note
from serving.manifest import Manifest, Provenance
from serving.versions import place
from tests.feature_service.live_platform import CONTENT_WIDTH, NOON_MS
from tests.feature_service.running_service import Running, running
from tests.feature_service.scripted_model_server import Inputs, ScriptedModel, ScriptedServer, serving
from tests.training.written_models import written_model

HEADS = ("enter", "long_watch", "watch_time", "like", "comment", "gift", "follow", "share", "not_interested")
STEPS, STEP_MS = 60, 10_000
USER = "user-00012"
PATIENCE_S = 60.0

ROOMS = (
    ("vera", "Chess with Vera: endgames for tea time", "games", "game"),
    ("milo", "Milo paints a harbour", "art", "chatting"),
    ("晓月", "晓月弹唱：老歌点播", "music", "singing"),
    ("otto", "Otto repairs a 1962 radio", "craft", "chatting"),
    ("阿强", "阿强 PK 连麦之夜", "music", "pk"),
    ("nora", "Morning songs by the window", "music", "singing"),
    ("ivan", "Speedrun: any % in under two hours", "games", "game"),
    ("luna", "Luna dances: requests are open", "dance", "dancing"),
    ("小南", "小南学做川菜", "food", "chatting"),
    ("ella", "Knitting and gossip", "craft", "chatting"),
    ("hugo", "First stream! Come and say hello", "chat", "chatting"),
    ("mina", "Street dance battle, round 3", "dance", "pk"),
)
"""Streamer, title, category and activity of each room; those from `ella` on are new to the platform."""

NEWCOMERS_FROM = 9


@dataclass(frozen=True, slots=True)
class Showcase:
    """What runs.

    Attributes:
        url: The console's address.
        models: The model store.
        server: The model server.
        running: The service.
        clock_ms: Its clock, the only entry.
    """

    url: str
    models: Path
    server: ScriptedServer
    running: Running
    clock_ms: list[int]
    _loop: asyncio.AbstractEventLoop = field(repr=False)

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Runs a call of the service's client to its end."""
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(PATIENCE_S)

    def report(self, *events: Event) -> None:
        """Reports events."""
        self.run(self.running.client.report(list(events)))


@contextmanager
def showcase(folder: Path) -> Iterator[Showcase]:
    """Serves the platform and its console on free ports."""
    models = folder / "models"
    publish(models, folder)
    started: list[tuple[ScriptedServer, Running, list[int], asyncio.AbstractEventLoop]] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        clock_ms = [NOON_MS - STEPS * STEP_MS]
        more = f'[models]\nfolder = "{models}"\n{SCENE}'
        async with (
            serving({"mmoe": ranker(), "esmm": ranker(1)}) as server,
            running(folder / "data", [server.target], more=more, now_ms=lambda: clock_ms[0]) as running_service,
        ):
            server.models["mmoe"].versions.add(2)
            await live_through(running_service, clock_ms)
            started.append((server, running_service, clock_ms, asyncio.get_running_loop()))
            ready.set()
            await asyncio.to_thread(over.wait)

    service = threading.Thread(target=lambda: asyncio.run(serve()))
    service.start()
    try:
        assert ready.wait(PATIENCE_S), "the service did not start"
        server, running_service, clock_ms, loop = started[0]
        with console(running_service.target) as url:
            yield Showcase(url, models, server, running_service, clock_ms, loop)
    finally:
        over.set()
        service.join(PATIENCE_S)


@contextmanager
def console(target: str) -> Iterator[str]:
    """A console in front of a service; yields its address."""
    client = ConsoleClient(target, PATIENCE_S)
    server = make_server("127.0.0.1", 0, create_app(client), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(PATIENCE_S)
        server.server_close()
        client.close()


SCENE = """
[scene]
explore_rate = 0.0
[scene.channels]
followed = 50
watched = 50
hot = 60
fresh = 40
[scene.fusion]
enter = 1.0
long_watch = 2.0
watch_time = 0.002
like = 1.0
gift = 3.0
follow = 2.0
not_interested = -1.0
"""


def ranker(seed: int = 0) -> ScriptedModel:
    """Nine heads that follow from the viewers and from who broadcasts."""
    layout = build_catalog(CONTENT_WIDTH).layout(
        ["user.*", "streamer.id", "room.viewers", "room.minutes_on_air", "room.category", "room.activity", "*.decayed"],
        heads=HEADS,
    )

    def predictions(version: int, inputs: Inputs) -> np.ndarray[Any, np.dtype[np.float32]]:
        viewers = layout[CANDIDATE_FLOATS].slices()["room.viewers"].start
        streamer = layout[CANDIDATE_IDS].slices()["streamer.id"].start
        crowd = np.log1p(inputs[CANDIDATE_FLOATS][:, viewers]) / 10
        taste = (inputs[CANDIDATE_IDS][:, streamer] % 997 + 101 * (seed + version)) % 997 / 997
        probabilities = [crowd, taste * 0.6, 400 * taste * crowd, 0.3 * taste, 0.1 * crowd, 0.12 * (1 - taste)]
        probabilities += [0.15 * taste * crowd, 0.04 * crowd, 0.2 * (1 - taste)]
        return np.stack(probabilities, axis=1).astype(np.float32)

    signature = contract.SERVING_DEFAULT
    inputs = tuple(tensor.name for tensor in layout.tensors)
    return ScriptedModel(layout, {signature: inputs}, {signature: predictions})


async def live_through(stack: Running, clock_ms: list[int]) -> None:
    """Ten minutes of visits, sampled as the service does it; Luna's room heats up in the last one."""
    await stack.client.report(beginnings(clock_ms[0]))
    draw = np.random.default_rng(7)
    busy = draw.dirichlet(np.full(len(ROOMS), 0.8)) * 40
    for step in range(STEPS):
        clock_ms[0] += STEP_MS
        busy *= np.exp(draw.normal(0, 0.12, len(ROOMS)))
        visits = draw.poisson(busy + (60 * (step > STEPS - 6) * (np.arange(len(ROOMS)) == 7))).tolist()
        stack.service.series.sample(stack.service.state, stack.service.live, clock_ms[0])
        await stack.client.report(
            [each for i, count in enumerate(visits) for each in seen(step, i, count, clock_ms[0])]
        )
    changed = event("pk-now", EventKind.ROOM_UPDATED, clock_ms[0] - 40_000, 4, activity="pk", viewers=1800)
    await stack.client.report([changed])
    for _ in range(3):
        await stack.client.recommend(USER, 5)


def beginnings(now_ms: int) -> list[Event]:
    """Rooms that go on air one after the other, and what the user did before."""
    started = [
        event(
            f"start-{i}",
            EventKind.ROOM_STARTED,
            now_ms - 240_000 * (len(ROOMS) - i) + 100,
            i,
            title=title,
            category=category,
            activity=activity,
            viewers=2400 // (i + 1),
            lease_ms=36_000_000,
        )
        for i, (_, title, category, activity) in enumerate(ROOMS)
    ]
    known = [
        event(f"known-{i}-{n}", EventKind.ENTER, now_ms - 60_000, i, user_id=f"fan-{n}")
        for i in range(NEWCOMERS_FROM)
        for n in range(120)
    ]
    earlier = [
        Event(f"earlier-{i}-{n}", EventKind.ROOM_STARTED, now_ms - 3_000_000 + n, room_id=f"{who}/{n}", streamer_id=who)
        for i, (who, *_) in enumerate(ROOMS[:NEWCOMERS_FROM])
        for n in range(2, 6)
    ]
    ended = [each._replace(event_id=f"over-{each.event_id}", kind=EventKind.ROOM_ENDED) for each in earlier]
    past = [
        event("follow", EventKind.FOLLOW, now_ms - 50_000, 2, user_id=USER),
        event("came", EventKind.ENTER, now_ms - 40_000, 0, user_id=USER),
        event("left", EventKind.LEAVE, now_ms - 10_000, 0, user_id=USER, watch_ms=30_000),
    ]
    return [*earlier, *ended, *started, *known, *past]


def seen(step: int, i: int, visits: int, now_ms: int) -> list[Event]:
    """Impressions of a room, a third of which lead to visits."""
    return [
        event(f"{kind.name}-{step}-{i}-{n}", kind, now_ms - 50 * n - 1, i, user_id=f"viewer-{n}")
        for n in range(visits)
        for kind in ((EventKind.IMPRESSION, EventKind.ENTER) if n % 3 == 0 else (EventKind.IMPRESSION,))
    ]


def event(event_id: str, kind: EventKind, time_ms: int, i: int, **fields: Any) -> Event:
    """An event of a room of `ROOMS`."""
    return Event(event_id, kind, time_ms, room_id=f"{ROOMS[i][0]}/1", streamer_id=ROOMS[i][0], **fields)


def publish(models: Path, folder: Path) -> None:
    """Four versions of two models, with manifests and a history."""
    day_ms = 24 * 3_600_000
    for name, base in (("esmm", 0.70), ("mmoe", 0.74)):
        for version in range(1, 5 if name == "mmoe" else 2):
            until_ms = NOON_MS - (5 - version) * day_ms
            metrics = {f"{head}.gauc": base + 0.01 * version - 0.03 * i for i, head in enumerate(HEADS[:4])}
            provenance = Provenance(until_ms - 7 * day_ms, until_ms, metrics, "c0ffee", "4be91c2d07")
            created = f"2027-01-{10 + version}T04:1{version}:00+00:00"
            manifest = Manifest(name, version, created, version - 1 or None, None, "2.21.0", provenance)
            place(written_model(folder / f"{name}-{version}"), models / name, version, manifest.write)
            note(models / name, Entry(until_ms, EntryKind.ACCEPTED, 0, ("gift: not compared, too few positives",)))
            note(models / name, Entry(until_ms + 60_000, EntryKind.PUBLISHED, version))
    worse = "enter.gauc: 0.7012 of the candidate, 0.7800 of the serving model (worse by 0.0788, tolerance 0.0100)"
    note(models / "mmoe", Entry(NOON_MS - 3_600_000, EntryKind.REFUSED, 0, (worse,)))
