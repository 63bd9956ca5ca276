"""Publish and rollback on a real SavedModel."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving.history import EntryKind, read_history
from serving.manifest import Provenance, read_manifest
from serving.versions import PublishError, versions
from training import publish as publishing
from training.data.erased import Erased
from training.publish import KEEP, Published, publish, rollback
from training.revision import git_revision
from training.rollout import Outcome, ServerState

PROVENANCE = Provenance(
    data_from_ms=1_000, data_until_ms=2_000, metrics={"enter.auc": 0.75, "gift.auc": None}, catalogue_hash="c0ffee",
    git_revision="abc",
)  # fmt: skip


@pytest.fixture
def base_path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "tiny"


def publish_times(count: int, tiny_model: Path, base_path: Path, keep: int = KEEP) -> Published:
    *_, last = [publish(tiny_model, base_path, "tiny", PROVENANCE, keep=keep) for _ in range(count)]
    return last


def served(*available: int, outcome: Outcome = Outcome.AVAILABLE) -> ServerState:
    return ServerState("server:8500", outcome, "", 0.0, available)


def test_a_published_version_loads_and_answers(tiny_model: Path, base_path: Path) -> None:
    published = publish(tiny_model, base_path, "tiny", PROVENANCE)
    assert published.path == base_path / "1"
    model = tf.saved_model.load(str(published.path))
    answer = model.signatures["user"](user_floats=tf.constant([[1.0, 3.0]]))
    assert answer["vector"].numpy().tolist() == [[2.0, 6.0]]


def test_the_manifest_says_where_the_version_comes_from(tiny_model: Path, base_path: Path) -> None:
    published = publish_times(2, tiny_model, base_path)
    values = json.loads((base_path / "2" / "assets.extra" / "manifest.json").read_text())
    assert values.pop("created").endswith("+00:00")
    assert values == {
        "name": "tiny",
        "version": 2,
        "parent": 1,
        "rollback_of": None,
        "tensorflow": tf.__version__,
        "provenance": {
            "data_from_ms": 1_000,
            "data_until_ms": 2_000,
            "metrics": {"enter.auc": 0.75, "gift.auc": None},
            "catalogue_hash": "c0ffee",
            "git_revision": "abc",
        },
    }
    assert read_manifest(base_path / "2") == published.manifest


def test_retention_keeps_the_newest_versions(tiny_model: Path, base_path: Path) -> None:
    published = publish_times(4, tiny_model, base_path, keep=2)
    assert published.removed == (2,)
    assert versions(base_path) == [3, 4]


def test_retention_spares_what_a_server_still_answers_with(
    tiny_model: Path, base_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_times(4, tiny_model, base_path)
    stuck = served(2, 1, outcome=Outcome.FAILED)
    monkeypatch.setattr(publishing, "await_version", lambda *_: (stuck, served(5, 4)))
    published = publish(tiny_model, base_path, "tiny", PROVENANCE, keep=2)
    assert published.removed == (3,)
    assert versions(base_path) == [1, 2, 4, 5]
    assert not published.available


def test_versions_that_know_an_erased_user_go_but_for_the_newest_two(
    tiny_model: Path, base_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_times(5, tiny_model, base_path)
    for version in (1, 2, 4, 5):
        (base_path / str(version) / "variables" / "keys").write_bytes(b"-" + np.int64(77).tobytes())
    monkeypatch.setattr(publishing, "await_version", lambda *_: (served(6, 1),))
    published = publish(tiny_model, base_path, "tiny", PROVENANCE, keep=6, erased=Erased.of({77: 0}))
    assert published.removed == (2, 4)
    assert versions(base_path) == [1, 3, 5, 6]  # A server answers with 1, and 5 is what services come from.


def test_retention_removes_nothing_while_a_server_is_silent(tiny_model: Path, base_path: Path) -> None:
    publish_times(2, tiny_model, base_path)
    published = publish(tiny_model, base_path, "tiny", PROVENANCE, keep=2, servers=["127.0.0.1:1"], timeout_s=0.2)
    assert versions(base_path) == [1, 2, 3]
    assert published.notes == ("no version was removed: 127.0.0.1:1 did not say what it serves",)
    assert published.lines()[1].startswith("127.0.0.1:1: late after ")


def test_services_need_two_versions(tiny_model: Path, base_path: Path) -> None:
    with pytest.raises(PublishError, match="keep: expected at least 2, received 1"):
        publish(tiny_model, base_path, "tiny", PROVENANCE, keep=1)
    assert not base_path.exists()


def test_concurrent_publishers_do_not_collide(tiny_model: Path, base_path: Path) -> None:
    with ThreadPoolExecutor(4) as publishers:
        done = list(publishers.map(lambda _: publish(tiny_model, base_path, "tiny", PROVENANCE, keep=9), range(8)))
    assert sorted(published.manifest.version for published in done) == list(range(1, 9))
    assert [read_manifest(base_path / str(version)).version for version in versions(base_path)] == list(range(1, 9))


def test_a_crash_leaves_no_version_and_its_number_is_not_used_again(tiny_model: Path, base_path: Path) -> None:
    def copy(origin: str, target: str) -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(PublishError, match="Input/output error"):
        publish(tiny_model, base_path, "tiny", PROVENANCE, copy=copy)
    assert versions(base_path) == []
    assert publish(tiny_model, base_path, "tiny", PROVENANCE).manifest.version == 2


def test_rollback_goes_to_the_parent_under_a_higher_number(tiny_model: Path, base_path: Path) -> None:
    publish_times(2, tiny_model, base_path)
    published = rollback(base_path, "tiny")
    assert (published.manifest.version, published.manifest.rollback_of) == (3, 1)
    assert versions(base_path) == [1, 2, 3]
    assert (base_path / "3" / "saved_model.pb").read_bytes() == (base_path / "1" / "saved_model.pb").read_bytes()
    assert published.lines()[0].startswith("tiny version 3 (content of version 1) is in ")


def test_a_second_rollback_goes_one_further_and_not_back_to_the_bad_version(tiny_model: Path, base_path: Path) -> None:
    publish_times(3, tiny_model, base_path)
    assert rollback(base_path, "tiny").manifest.rollback_of == 2
    assert rollback(base_path, "tiny").manifest.rollback_of == 1
    with pytest.raises(PublishError, match="its content is the first; there is nothing to go back to"):
        rollback(base_path, "tiny")


def test_rollback_to_a_named_version(tiny_model: Path, base_path: Path) -> None:
    publish_times(3, tiny_model, base_path)
    assert rollback(base_path, "tiny", to=1).manifest.rollback_of == 1


def test_publishing_after_a_rollback_takes_a_higher_number(tiny_model: Path, base_path: Path) -> None:
    publish_times(2, tiny_model, base_path)
    rollback(base_path, "tiny")
    published = publish(tiny_model, base_path, "tiny", PROVENANCE)
    assert (published.manifest.version, published.manifest.parent) == (4, 3)


def test_rollback_to_a_version_that_is_not_there_names_those_that_are(tiny_model: Path, base_path: Path) -> None:
    publish_times(2, tiny_model, base_path)
    with pytest.raises(PublishError, match="expected one of the versions 1, 2, received 7"):
        rollback(base_path, "tiny", to=7)


def test_rollback_without_a_version_is_refused(base_path: Path) -> None:
    with pytest.raises(PublishError, match="expected a version to roll back from, received none"):
        rollback(base_path, "tiny")


def test_rollback_under_another_models_name_is_refused(tiny_model: Path, base_path: Path) -> None:
    publish_times(2, tiny_model, base_path)
    with pytest.raises(PublishError, match="expected a version of mmoe, received one of tiny"):
        rollback(base_path, "mmoe")


def test_a_missing_model_directory_is_named(tmp_path: Path, base_path: Path) -> None:
    with pytest.raises(PublishError, match="nowhere: no such directory; expected a SavedModel"):
        publish(tmp_path / "nowhere", base_path, "tiny", PROVENANCE)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "not a SavedModel, saved_model.pb is missing"),
        ({"saved_model.pb": b""}, "not a SavedModel, variables/variables.index is missing"),
        ({"saved_model.pb": b"\xff", "variables/variables.index": b""}, "saved_model.pb: not a SavedModel"),
        ({"saved_model.pb": b"", "variables/variables.index": b""}, "expected a graph tagged 'serve', received none"),
    ],
)
def test_a_directory_that_is_no_saved_model_is_refused(
    tmp_path: Path, base_path: Path, files: dict[str, bytes], message: str
) -> None:
    (tmp_path / "broken" / "variables").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "broken" / name).write_bytes(content)
    with pytest.raises(PublishError, match=message):
        publish(tmp_path / "broken", base_path, "tiny", PROVENANCE)
    assert not base_path.exists()


def test_a_manifest_that_cannot_be_read_is_named(tiny_model: Path, base_path: Path) -> None:
    publish(tiny_model, base_path, "tiny", PROVENANCE)
    path = base_path / "1"
    (path / "assets.extra" / "manifest.json").write_text('{"name": "tiny"}')
    with pytest.raises(PublishError, match=r"manifest.json: expected a manifest \(name, version, .*\), received "):
        read_manifest(path)


def test_the_git_revision_is_a_commit_or_unknown() -> None:
    revision = git_revision().removesuffix("-dirty")
    assert revision == "unknown" or len(revision) == 40


def test_publishes_and_rollbacks_stand_in_the_history(tiny_model: Path, base_path: Path) -> None:
    publish_times(2, tiny_model, base_path)
    rollback(base_path, "tiny")
    assert [(entry.kind, entry.version) for entry in read_history(base_path)] == [
        (EntryKind.ROLLED_BACK, 3),
        (EntryKind.PUBLISHED, 2),
        (EntryKind.PUBLISHED, 1),
    ]
