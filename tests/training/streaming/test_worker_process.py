"""The worker as a process: killed in the middle, ended politely, and followed line by line."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.training.streaming.same_samples import assert_same, batch
from tests.training.streaming.service_logs import ServiceLogs, made_up

TIMEOUT_S = 60
SETTINGS = "[service]\ncontent_width = 2\n"


@contextmanager
def working(logs: ServiceLogs, *more: str) -> Generator[subprocess.Popen[str]]:
    """A worker on the logs, with the settings of their catalogue."""
    settings = logs.data / "settings.toml"
    settings.write_text(SETTINGS)
    places = ["--log", logs.log, "--served", logs.served, "--samples", logs.data / "hours", "--settings", settings]
    command = [sys.executable, "-m", "training", "worker", *map(str, places), "--json", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> dict[str, object]:
    """The next line that it prints."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_a_worker_that_is_killed_in_the_middle_goes_on_to_the_same_samples(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, seed=20, hours=8)
    logs.append(events[: len(events) // 2])
    with working(logs) as process:
        assert line(process)["revision"] == 1
        process.send_signal(signal.SIGKILL)  # The next hour is under way.
        assert process.wait(TIMEOUT_S) == -signal.SIGKILL
    logs.append(events[len(events) // 2 :])
    with working(logs) as process:
        line(process)
        process.send_signal(signal.SIGKILL)
        process.wait(TIMEOUT_S)
    with working(logs, "--once") as process:
        assert process.wait(TIMEOUT_S) == 0
    assert_same(tmp_path / "hours", batch(logs))


def test_a_line_tells_what_a_revision_holds(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, seed=21)
    logs.append(events)
    with working(logs, "--once") as process:
        told, _ = process.communicate(timeout=TIMEOUT_S)
    lines = [json.loads(each) for each in told.splitlines()]
    assert [each["hour"] for each in lines] == sorted(each["hour"] for each in lines)
    assert {each["revision"] for each in lines} == {1}
    assert sum(each["slates"] for each in lines) > 0
    assert all(each["positives"]["enter"] <= each["impressions"] for each in lines if "enter" in each["positives"])
    assert [each["final"] for each in lines] == sorted((each["final"] for each in lines), reverse=True)


def test_a_worker_ends_politely_when_it_is_asked_to(tmp_path: Path) -> None:
    logs, events = made_up(tmp_path, seed=22)
    logs.append(events)
    with working(logs) as process:
        line(process)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, said) == (0, "")
