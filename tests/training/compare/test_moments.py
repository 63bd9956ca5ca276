"""Features at moments of a log: what the service would have computed then."""

from pathlib import Path

import numpy as np

from feature_service.features.catalog import build_catalog
from feature_service.features.events import Event, EventKind
from feature_service.features.layout import CANDIDATE_FLOATS
from feature_service.features.schema import key_of
from training.compare.moments import Moment, features_at
from training.data.sources import write_log

VISITS = [
    Event("s1", EventKind.ROOM_STARTED, 1_000, room_id="r1", streamer_id="ann"),
    Event("e1", EventKind.ENTER, 10_000, "kim", "r1", "ann"),
    Event("e2", EventKind.ENTER, 20_000, "kim", "r1", "ann"),
    Event("e2", EventKind.ENTER, 20_000, "kim", "r1", "ann"),
    Event("e3", EventKind.ENTER, 30_000, "lee", "r1", "ann"),
]


def moment(time_ms: int, *streamers: str) -> Moment:
    keys = np.array([key_of("streamer", name) for name in streamers])
    return Moment(time_ms, key_of("user", "kim"), np.zeros(len(keys), np.int64), keys)


def test_a_moment_knows_the_events_before_it_and_each_once(tmp_path: Path) -> None:
    write_log(tmp_path, VISITS)
    catalog = build_catalog(0)
    layout = catalog.layout(("pair.enter.total", "streamer.enter.total"))
    moments = [moment(10_000, "ann"), moment(20_000, "ann", "bob"), moment(40_000, "ann")]
    found = features_at(str(tmp_path), catalog, layout, moments)[CANDIDATE_FLOATS]
    # Columns: enters of the streamer, enters of kim there. The event at a moment's own time is not known yet.
    assert found.tolist() == [[0, 0], [1, 1], [0, 0], [3, 2]]
