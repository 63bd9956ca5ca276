"""The command line of training: its verbs of data, and what it says to a user's mistake."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from training.__main__ import VERBS, main
from training.data.sources import read_log

SMALL = ["--users", "30", "--streamers", "10", "--days", "0.5", "--seed", "3"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated log."""
    log = tmp_path_factory.mktemp("commands") / "log"
    assert main(["simulate", "--log", str(log), *SMALL, "--json"]) == 0
    return log


def told(capsys: pytest.CaptureFixture[str]) -> dict:
    """The JSON object on stdout, with nothing on stderr."""
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def mistake(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line on stderr, with nothing on stdout."""
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_help_lists_every_verb_with_what_it_does(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown and verb.help in shown for name, verb in VERBS.items())


def test_help_and_the_verbs_of_data_import_no_tensorflow():
    verbs = ["simulate", "import", "validate", "replay"]
    script = (
        "import sys, importlib; from training.__main__ import VERBS;"
        f"[importlib.import_module(VERBS[verb].module) for verb in {verbs}];"
        "sys.exit('tensorflow' in sys.modules or 'tf_keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("name", ["simulate", "import", "validate", "replay"])
def test_every_verb_teaches_with_examples(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert f"python -m training {name} " in shown
    assert "--json" in shown
    assert import_module(VERBS[name].module).run


@pytest.mark.parametrize("arguments", [[], ["reply"]])
def test_what_is_no_verb_is_refused_in_a_line(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    assert mistake(capsys).startswith("verb: expected one of simulate, import")


def test_simulate_writes_the_log_and_describes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["simulate", "--log", str(tmp_path / "log"), *SMALL, "--without", "newcomers", "--json"]) == 0
    about = told(capsys)
    assert about["importer"] == "simulator"
    assert about["events"] == sum(1 for _ in read_log(tmp_path / "log")) > 0


def test_replay_turns_the_log_into_samples(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    samples = tmp_path / "samples"
    assert main(["replay", "--log", str(log), "--samples", str(samples), "--heads", "enter", "--json"]) == 0
    about = told(capsys)
    assert about["heads"] == ["enter"]
    assert about["candidates"] >= about["slates"] > 0
    assert json.loads((samples / "about.json").read_text())["slates"] == about["slates"]


def test_an_answer_for_people_has_a_line_a_field(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["replay", "--log", str(log), "--samples", str(tmp_path / "samples")]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line)
    assert lines["importer"] == "simulator"
    assert lines["heads"].startswith("enter, long_watch")


def test_a_good_log_validates(log: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["validate", "--log", str(log), "--json"]) == 0
    assert told(capsys)["findings"] == 0


def test_a_corrupt_shard_is_a_finding_and_the_exit_status_is_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "part-00000.parquet").write_bytes(b"PAR1 no more")
    assert main(["validate", "--log", str(tmp_path)]) == 1
    first, *_ = capsys.readouterr().out.splitlines()
    assert "part-00000.parquet: not readable as Parquet" in first


def test_import_writes_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = tmp_path / "100k_a.csv"
    source.write_text("1,10,ann,0,3\n2,10,ann,1,2\n1,11,bob,5,7\n")
    assert main(["import", "twitch", str(source), "--log", str(tmp_path / "log"), "--sampled", "1", "--json"]) == 0
    assert told(capsys)["importer"] == "twitch"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["simulate", "--log", "LOG"], "simulate: LOG: expected a folder without a log"),
        (["simulate", "--log", "NEW", "--users", "0"], "simulate: users: expected more than 0, received 0"),
        (["import", "twitch", "NONE", "--log", "NEW"], "import: NONE: expected a file or folder to import"),
        (["validate", "--log", "NONE"], "validate: NONE: expected an event log"),
        (["replay", "--log", "NONE", "--samples", "NEW"], "replay: NONE: expected an event log"),
        (["replay", "--log", "LOG", "--samples", "NEW", "--features", "x"], "replay: features: expected a pattern"),
        (["replay", "--log", "LOG", "--samples", "NEW", "--heads", "x"], "replay: heads: expected some of"),
        (["replay", "--log", "LOG", "--samples", "NEW", "--settings", "NONE"], "replay: NONE: expected a readable"),
        (["replay", "--log", "LOG", "--samples", "LOG"], "replay: LOG: expected a directory without data"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    arguments: list[str], line: str, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    places = {"LOG": str(log), "NEW": str(tmp_path / "new"), "NONE": str(tmp_path / "none")}
    assert main([places.get(argument, argument) for argument in arguments]) == 2
    for name, path in places.items():
        line = line.replace(name, path)
    assert mistake(capsys).startswith(line)
    assert not (tmp_path / "new").exists()


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, log: Path):
    monkeypatch.setattr("training.commands.validate.validate", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["validate", "--log", str(log)])
