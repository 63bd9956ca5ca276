"""Finding, starting and stopping a model server process."""

import os
import socket
import sys
from pathlib import Path

import pytest

from serving import launch
from serving.errors import LaunchError
from tests.serving.model_servers import EMBEDDED


def program(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "server"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_variable_names_the_server(monkeypatch, tmp_path):
    path = program(tmp_path, "")
    monkeypatch.setenv("TF_MODEL_SERVER", str(path))

    assert launch.server_command({"port": 1, "enable_batching": False}) == [
        str(path),
        "--port=1",
        "--enable_batching=false",
    ]


def test_the_variable_must_name_a_program(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_MODEL_SERVER", str(tmp_path / "none"))

    with pytest.raises(LaunchError, match=r"TF_MODEL_SERVER names .*none, which is no executable file"):
        launch.server_program()


def test_the_stock_server_on_the_path_comes_before_the_embedded_one(monkeypatch, tmp_path):
    monkeypatch.delenv("TF_MODEL_SERVER", raising=False)
    stock = program(tmp_path, "").rename(tmp_path / "tensorflow_model_server")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert launch.server_program() == [str(stock)]


def test_without_another_the_embedded_server_is_started(monkeypatch, tmp_path):
    monkeypatch.delenv("TF_MODEL_SERVER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert launch.server_program() == [sys.executable, "-m", "serving.local"] == EMBEDDED


def test_a_server_that_dies_is_told_with_its_last_words(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_MODEL_SERVER", str(program(tmp_path, "echo out of luck >&2; exit 3")))

    with pytest.raises(LaunchError, match="the model server ended with status 3: out of luck"):
        launch.start_model_server({}, log_path=tmp_path / "log")


def test_a_server_that_never_serves_is_stopped(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_MODEL_SERVER", str(program(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 600")))

    with pytest.raises(LaunchError, match=r"no model server after 0\.5 s: it said nothing"):
        launch.start_model_server({}, log_path=tmp_path / "log", timeout_s=0.5)

    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


LISTENER = """import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1].removeprefix("--port=")))):
    time.sleep(600)"""


def test_a_started_server_is_stopped_at_the_end_of_the_block(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_MODEL_SERVER", str(program(tmp_path, f"exec '{sys.executable}' -c '{LISTENER}' $*")))

    with launch.start_model_server({}, log_path=tmp_path / "log") as started:
        assert started.target == f"127.0.0.1:{started.port}"

    assert started.stop() == -15  # a second time is harmless: it ended by SIGTERM


def test_a_port_that_another_process_serves_is_refused(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(LaunchError, match="another process serves there"),
    ):
        launch.start_model_server({"port": taken.getsockname()[1]})
