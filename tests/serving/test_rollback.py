"""Rollback without TensorFlow: old content under a new number, and a history that says so."""

from pathlib import Path

import pytest

from serving.history import Entry, EntryKind, happened, note, read_history
from serving.manifest import Manifest, Provenance, read_manifest
from serving.rollback import roll_back
from serving.versions import PublishError, place, versions
from tests.training.written_models import written_model

NOTHING = Provenance(data_from_ms=0, data_until_ms=0, metrics={}, catalogue_hash="", git_revision="")


def publish(base_path: Path, source: Path, version: int, name: str = "mmoe") -> None:
    """Places a version as the trainer does."""
    manifest = Manifest(name, version, "2026-01-01T00:00:00+00:00", version - 1 or None, None, "2.21", NOTHING)
    place(source, base_path, version, manifest.write)


@pytest.fixture
def base_path(tmp_path: Path) -> Path:
    """Versions 1 and 2 of `mmoe`."""
    for version in (1, 2):
        publish(tmp_path / "mmoe", written_model(tmp_path / f"model-{version}"), version)
    return tmp_path / "mmoe"


def test_old_content_serves_again_under_the_next_number(base_path: Path) -> None:
    manifest = roll_back(base_path, "mmoe", 1)
    assert (manifest.version, manifest.rollback_of) == (3, 1)
    assert versions(base_path) == [1, 2, 3]
    assert read_manifest(base_path / "3") == manifest
    graphs = [(base_path / number / "saved_model.pb").read_bytes() for number in ("1", "3")]
    assert graphs[0] == graphs[1]


def test_a_rollback_stands_in_the_history(base_path: Path) -> None:
    roll_back(base_path, "mmoe", 1)
    (entry,) = read_history(base_path)
    assert (entry.kind, entry.version, entry.lines) == (EntryKind.ROLLED_BACK, 3, ("content of version 1",))


def test_a_version_that_is_gone_cannot_come_back(base_path: Path) -> None:
    with pytest.raises(PublishError, match="expected one of the versions 1, 2, received 7"):
        roll_back(base_path, "mmoe", 7)


def test_another_models_version_is_not_published(base_path: Path, tmp_path: Path) -> None:
    publish(base_path, written_model(tmp_path / "other"), 4, name="esmm")
    with pytest.raises(PublishError, match="expected a version of mmoe, received one of esmm"):
        roll_back(base_path, "mmoe", 4)
    assert versions(base_path) == [1, 2, 4]


def test_the_history_is_read_newest_first_and_only_so_far(base_path: Path) -> None:
    for time_ms in (3, 1, 2):
        note(base_path, Entry(time_ms, EntryKind.PUBLISHED, time_ms))
    assert [entry.time_ms for entry in read_history(base_path, most=2)] == [3, 2]


def test_a_file_that_is_no_entry_hides_no_other(base_path: Path) -> None:
    note(base_path, happened(EntryKind.REFUSED, lines=["enter.auc: 0.6 of the candidate, 0.7 of the serving model"]))
    (base_path / ".history" / "999999999999999-x.json").write_text('{"kind": "danced"}')
    assert [entry.kind for entry in read_history(base_path)] == [EntryKind.REFUSED]


def test_a_model_without_a_history_has_an_empty_one(tmp_path: Path) -> None:
    assert read_history(tmp_path / "mmoe") == []
