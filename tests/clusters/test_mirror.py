"""A local folder follows the base paths of any storage."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.versions import versions
from tests.clusters.test_base_paths import nothing
from training.__main__ import main
from training.base_path import claim, place, remove
from training.data.locations import locate
from training.mirror import mirror
from training.storage import Place


@pytest.fixture
def models(root: Place, tmp_path: Path) -> Place:
    """A folder of base paths: `mmoe` has the versions 1 and 2, `ple` the version 1."""
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"graph")
    (model / "variables" / "variables.index").write_bytes(b"index")
    for name in ("mmoe", "mmoe", "ple"):
        place(model, root / name, claim(root / name), nothing)
    return root


def test_all_versions_of_all_models_are_brought_whole(
    models: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "served"
    assert main(["mirror", f"--source={models}", f"--target={target}"]) == 0
    assert capsys.readouterr().out == "mmoe: brought 1, 2\nple: brought 1\n"
    assert (versions(target / "mmoe"), versions(target / "ple")) == ([1, 2], [1])
    assert (target / "mmoe" / "2" / "saved_model.pb").read_bytes() == b"graph"
    assert (target / "mmoe" / "2" / "variables" / "variables.index").read_bytes() == b"index"
    assert main(["mirror", f"--source={models}", f"--target={target}"]) == 0
    assert capsys.readouterr().out == ""


def test_what_retention_removed_goes_here_too(models: Place, tmp_path: Path) -> None:
    mirror(models / "mmoe", tmp_path / "served")
    remove(models / "mmoe", 1)
    assert mirror(models / "mmoe", tmp_path / "served").removed == (1,)
    assert versions(tmp_path / "served") == [2]


def test_a_version_that_is_not_all_there_is_not_brought(models: Place, tmp_path: Path) -> None:
    if isinstance(models, Path):
        pytest.skip("a local version appears by a rename")
    filesystem, path = locate(str(models / "mmoe" / "2" / "saved_model.pb"))
    filesystem.delete_file(path)
    assert mirror(models / "mmoe", tmp_path / "served").added == (1,)


@pytest.mark.parametrize("root", ["s3"], indirect=True)
def test_it_goes_on_until_it_is_ended(models: Place, tmp_path: Path) -> None:
    target, saved = tmp_path / "served", tmp_path / "model"
    command = [sys.executable, "-m", "training", "mirror", f"--source={models}", f"--target={target}", "--every=0.1"]
    with subprocess.Popen(command) as process:
        try:
            await_versions(target / "mmoe", [1, 2])
            place(saved, models / "mmoe", claim(models / "mmoe"), nothing)
            await_versions(target / "mmoe", [1, 2, 3])
        finally:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == 130


def await_versions(base_path: Path, expected: list[int]) -> None:
    deadline_s = time.monotonic() + 60
    while versions(base_path) != expected:
        assert time.monotonic() < deadline_s, versions(base_path)
        time.sleep(0.05)
