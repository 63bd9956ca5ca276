"""LiveRec's protocol on its Twitch file: a viewer's last visit of the test steps, all before it as history.

Rappaz et al., "Recommendation on Live-Streaming Platforms" (RecSys 2021), section 6: the file's last 250 steps of ten
minutes are the test, the 250 before them the validation. In the reduced file the last step is 5,897. Candidates are
the streamers available then, as far as the file tells (`training.data.importers.twitch`), or all of its streamers.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.compare.protocol import Protocol
from training.compare.questions import among_all, among_live
from training.data.dataset import Dataset, catalog_of_set
from training.data.importers import import_log
from training.data.importers.twitch import START_MS, STEP_MS
from training.data.sample_set import build_samples
from training.data.samples import Slates
from training.data.samples_io import ABOUT, read_enters, read_rooms, read_sample_about, read_samples
from training.data.split import Boundaries, split
from training.evaluate_recall import RecallCases
from training.recall_baselines import Enters

PART_STEPS = 250
"""Steps of the test part, and of the validation part before it."""

FEATURES = ("user.*", "context.*", "room.*", "streamer.*", "pair.*", "!room.*.decayed", "!*.total")
"""What recall models may read. Heat and lifetime counts are left to the rankers, who compute them on their own."""

OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType({"two_tower": {"hidden": 0.0}})
"""The file has nothing of a room but who streams, so that a room whose streamer is hidden has nothing to teach."""

OnCount = Callable[[str, int], None]
"""Takes what is being done, and how many events are."""


def twitch_dataset(source: Path, work: Path, on_count: OnCount = lambda *_: None) -> Dataset:
    """The data set of a Twitch file, split as the protocol says.

    Args:
        source: LiveRec's file, or the reduced one.
        work: Folder of the log and the samples; what is finished there is read again.
        on_count: Is called from time to time.

    Raises:
        DataError: The file is not as expected, or has too few steps.
    """
    log, samples = work / "log", work / "samples"
    if not (log / "about.json").exists():
        import_log("twitch", source, log, on_count=lambda done: on_count("import", done))
    if not (samples / ABOUT).exists():
        build_samples(
            log, samples, features=FEATURES, heads=("enter",), on_progress=lambda done: on_count("replay", done.events)
        )
    found, enters = read_samples(samples), read_enters(samples)
    last = (int(enters.time_ms.max()) - START_MS) // STEP_MS
    at = Boundaries(_step_ms(last + 1 - 2 * PART_STEPS), _step_ms(last + 1 - PART_STEPS))
    return Dataset(
        about=read_sample_about(samples),
        catalog=catalog_of_set(samples),
        at=at,
        split=split(found, at),
        rooms=read_rooms(samples),
        enters=Enters.of(enters.time_ms, enters.user, enters.streamer, enters.watch_ms),
    )


def liverec_protocols(source: Path, work: Path, on_count: OnCount = lambda *_: None) -> list[Protocol]:
    """Both candidate sets of the protocol: the streamers available then, and all; arguments as of `twitch_dataset`."""
    dataset = twitch_dataset(source, work, on_count)
    at, split_at = dataset.at, dataset.split
    validation = visits(work, split_at.validation.slates, at.validation_ms, at.test_ms)
    test = last_visits(visits(work, split_at.test.slates, at.test_ms, int(np.iinfo(np.int64).max)))
    return [
        Protocol(
            title,
            dataset,
            offer(validation, dataset.rooms, dataset.enters),
            offer(test, dataset.rooms, dataset.enters),
            by_room,
            OPTIONS,
        )
        for title, offer, by_room in (
            ("streamers available then", among_live, True),
            ("all streamers", among_all, False),
        )
    ]


def visits(work: Path, slates: Slates, start_ms: int, stop_ms: int) -> RecallCases:
    """The visits in [start_ms, stop_ms) of viewers who were seen before, as cases of these slates, in order of time."""
    enters = read_enters(work / "samples")
    order = np.argsort(enters.time_ms, kind="stable")
    time_ms, user = enters.time_ms[order], enters.user[order]
    earlier = _is_repeated(user)
    rows = np.flatnonzero((time_ms >= start_ms) & (time_ms < stop_ms) & earlier)
    wanted = {(int(u), int(t)): row for row, (u, t) in enumerate(zip(slates.user, slates.time_ms, strict=True))}
    row = np.array([wanted[int(user[at]), int(time_ms[at])] for at in rows], np.intp)
    return RecallCases(time_ms[rows], user[rows], row, enters.room[order][rows], enters.streamer[order][rows])


def last_visits(cases: RecallCases) -> RecallCases:
    """The last case of each viewer; cases are in order of time."""
    _, from_end = np.unique(cases.user[::-1], return_index=True)
    return cases.take(np.sort(len(cases) - 1 - from_end))


def _is_repeated(keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which keys stood before, bool [N]."""
    repeated = np.ones(len(keys), np.bool_)
    repeated[np.unique(keys, return_index=True)[1]] = False
    return repeated


def _step_ms(step: int) -> int:
    return START_MS + step * STEP_MS
