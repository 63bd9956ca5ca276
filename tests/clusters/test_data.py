"""Logs and sample sets are the same wherever they lie."""

import numpy as np
import pytest

from tests.training.data.test_sources import FULL, an_event
from training.data.errors import DataError
from training.data.locations import locate, shards
from training.data.sample_set import build_samples
from training.data.samples_io import read_enters, read_rooms, read_samples
from training.data.simulation.settings import SimulationSettings
from training.data.simulator import simulate_log
from training.data.sources import read_columns, read_log, write_log
from training.storage import Place

WORLD = SimulationSettings(users=20, streamers=8, days=0.5, seed=3)


def test_events_come_back_as_they_were_in_their_order(root: Place) -> None:
    events = [FULL, *(FULL._replace(event_id=f"event-{number}") for number in range(25))]
    assert write_log(str(root / "log"), events, rows_per_file=10).files == 3
    assert list(read_log(str(root / "log"))) == events
    assert read_columns(str(root / "log"), ["user_id"])["user_id"].to_pylist() == ["user-1"] * 26


def test_a_log_is_not_written_over_another(root: Place) -> None:
    write_log(str(root / "log"), [an_event(1)])
    with pytest.raises(DataError, match="expected a folder without a log, found Parquet files in it"):
        write_log(str(root / "log"), [an_event(2)])


def test_a_log_that_is_not_there_is_named(root: Place) -> None:
    with pytest.raises(DataError, match=r"/log: expected an event log, found no such file or directory"):
        list(read_log(str(root / "log")))


def test_unfinished_shards_are_no_part_of_a_log(root: Place) -> None:
    write_log(str(root / "log"), [an_event(1)])
    filesystem, path = locate(str(root / "log"))
    with filesystem.open_output_stream(f"{path}/_part-00001.parquet") as file:
        file.write(b"half")
    assert len(shards(str(root / "log"))[1]) == 1


def test_samples_are_those_of_a_local_log(root: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    local = tmp_path_factory.mktemp("local")
    found = []
    for place in (local, root):
        simulate_log(WORLD, str(place / "log"))
        build_samples(str(place / "log"), str(place / "samples"))
        found.append((read_samples(str(place / "samples")), read_rooms(str(place / "samples"))))
    (here, rooms_here), (there, rooms_there) = found
    assert len(there.slates.user) > 0
    np.testing.assert_array_equal(there.slates.user, here.slates.user)
    np.testing.assert_array_equal(there.candidates.labels, here.candidates.labels)
    np.testing.assert_array_equal(rooms_there.room, rooms_here.room)
    for name, values in here.candidates.tensors.items():
        np.testing.assert_array_equal(there.candidates.tensors[name], values)
    enters = read_enters(str(root / "samples"))
    np.testing.assert_array_equal(enters.user, read_enters(str(local / "samples")).user)


def test_samples_are_not_written_over_others(root: Place) -> None:
    simulate_log(WORLD, str(root / "log"))
    build_samples(str(root / "log"), str(root / "samples"))
    with pytest.raises(DataError, match=r"expected a directory without data, found about\.json in it"):
        build_samples(str(root / "log"), str(root / "samples"))
