"""From an event log to published versions and back, every path of it on one storage: this machine, HDFS, S3."""

import json
import signal
import subprocess
import sys

import pytest

from training import train
from training.__main__ import main
from training.base_path import versions
from training.storage import Place, fetched, stored

CONFIG = """
model = "lr"
seed = 1
[features]
user = ["user.id", "context.hour"]
candidate = ["room.category", "room.viewers"]
[heads]
enter = 1.0
[training]
learning_rate = 1e-2
batch_slates = 64
epochs = 3
patience = 3
"""


@pytest.fixture
def samples(root: Place) -> str:
    """A sample set of a simulated log, which lies beside it."""
    log, made = str(root / "log"), str(root / "samples")
    assert main(["simulate", "--log", log, "--users", "40", "--streamers", "10", "--days", "1", "--json"]) == 0
    assert main(["replay", "--log", log, "--samples", made, "--heads", "enter", "--json"]) == 0
    with stored(root / "lr.toml") as file:
        file.write_text(CONFIG)
    return made


def do(verb: str, root: Place, **paths: str) -> int:
    """Runs a verb; `paths` lie below the root."""
    arguments = [f"--{name.replace('_', '-')}={root / path}" for name, path in paths.items()]
    return main([verb, *arguments, *(["--name=lr"] if "saved_model" in paths or verb == "rollback" else []), "--json"])


def test_a_model_is_trained_exported_published_and_judged_there(root: Place, samples: str) -> None:
    assert do("train", root, samples="samples", config="lr.toml", out="lr") == 0
    assert do("train", root, samples="samples", config="lr.toml", out="lr") == 2  # The run is found to be finished.
    assert do("evaluate", root, samples="samples", run="lr", out="report") == 0
    assert do("export", root, samples="samples", run="lr", out="saved") == 0
    assert do("publish", root, saved_model="saved", models="models") == 0
    assert do("run", root, samples="samples", config="lr.toml", work="work", models="models") == 0
    assert do("rollback", root, models="models") == 0
    assert versions(root / "models" / "lr") == [1, 2, 3]
    with fetched(root / "report") as report, fetched(root / "work" / "report") as again:
        assert (report / "report.md").exists()
        assert json.loads((again / "report.json").read_text()).keys() == {"about", "rankings", "recall"}
    with fetched(root / "models" / "lr") as base_path:
        graphs = [(base_path / str(version) / "saved_model.pb").read_bytes() for version in (1, 2, 3)]
    assert graphs[0] == graphs[2]  # The rollback went from the second to the first.


@pytest.mark.parametrize("root", ["hdfs", "s3"], indirect=True)
def test_a_killed_training_goes_on_from_the_last_epoch_that_was_stored(
    root: Place, samples: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch is stored as the next one begins: killed before its third, the run goes on with its second."""
    script = f"""
import os, signal
from training.__main__ import main
from training import train
whole = train._Run._epoch
train._Run._epoch = lambda run, epoch: os.kill(os.getpid(), signal.SIGKILL) if epoch == 3 else whole(run, epoch)
main(["train", "--samples={samples}", "--config={root / "lr.toml"}", "--out={root / "lr"}"])
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    epochs: list[int] = []
    whole = train._Run._epoch
    monkeypatch.setattr(train._Run, "_epoch", lambda run, epoch: epochs.append(epoch) or whole(run, epoch))
    assert do("train", root, samples="samples", config="lr.toml", out="lr") == 0
    assert epochs == [2, 3]
