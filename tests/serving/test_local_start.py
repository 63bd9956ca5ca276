"""How the embedded server fails to start: one line on stderr and status 255, before TensorFlow is imported."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from serving.local.__main__ import main, repeat_every
from serving.local.flags import parse_flags


def config_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "models.config"
    path.write_text(text)
    return str(path)


def failure(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    assert main(flags) == 255
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("Failed to start server. Error: ")
    return error.removeprefix("Failed to start server. Error: ").strip()


def test_without_a_model_there_is_nothing_to_serve(capsys):
    assert failure(capsys) == (
        "INVALID_ARGUMENT: Both server_options.model_base_path and server_options.model_config_file are empty!"
    )


def test_a_port_in_use_is_told_at_once(capsys, tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104
        port = taken.getsockname()[1]

        error = failure(capsys, f"--port={port}", f"--model_base_path={tmp_path}")

    assert error == f"UNAVAILABLE: cannot listen on port {port}: Address already in use"


def test_a_rest_port_in_use_is_told_at_once(capsys, tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as taken:  # noqa: S104
        port = taken.getsockname()[1]

        error = failure(capsys, "--port=0", "--rest_api_port", str(port), f"--model_base_path={tmp_path}")

    assert error.startswith(f"UNAVAILABLE: cannot listen on port {port}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "INVALID_ARGUMENT: {path}; Invalid argument"),
        ("nonsense", "INVALID_ARGUMENT: Invalid protobuf file: '{path}'"),
        (
            'model_config_list { config { name: "rel" base_path: "foo" model_platform: "tensorflow" } }',
            "INVALID_ARGUMENT: Expected model rel to have an absolute path or URI; got base_path()=foo",
        ),
    ],
)
def test_a_bad_config_file_is_refused(capsys, tmp_path, text, message):
    path = config_file(tmp_path, text)

    assert failure(capsys, f"--model_config_file={path}").startswith(message.format(path=path))


def test_a_missing_config_file_is_named(capsys, tmp_path):
    path = tmp_path / "none.config"

    assert failure(capsys, f"--model_config_file={path}") == f"NOT_FOUND: {path}; No such file or directory"


def test_a_server_needs_a_thread(capsys):
    with pytest.raises(SystemExit):
        parse_flags(["--grpc_max_threads=0"], cpus=2)

    assert "--grpc_max_threads: expected 1 or more, received '0'" in capsys.readouterr().err


def test_a_poll_that_fails_is_not_the_last():
    again = threading.Event()
    outcomes = iter([RuntimeError("a surprise"), None])

    def poll() -> None:
        if (outcome := next(outcomes)) is not None:
            raise outcome
        again.set()
        threading.Event().wait()  # no third poll

    repeat_every(0.001, poll)

    assert again.wait(10)


def test_batching_is_refused_rather_than_ignored(capsys):
    assert "start it without --enable_batching" in failure(capsys, "--enable_batching=true")


def test_batching_parameters_need_batching(capsys):
    assert failure(capsys, "--batching_parameters_file=/x", "--model_base_path=/m") == (
        "INVALID_ARGUMENT: server_options.batching_parameters_file is set without setting"
        " server_options.enable_batching to true."
    )


def test_flags_are_read_in_both_forms(capsys):
    flags = parse_flags(
        ["--port=1", "--rest_api_port", "2", "--enable_grpc_healthcheck_service", "--model_name", "x"], cpus=2
    )

    assert (flags.port, flags.rest_api_port, flags.model_name) == (1, 2, "x")
    assert flags.enable_grpc_healthcheck_service
    assert not parse_flags(["--enable_grpc_healthcheck_service=false"], cpus=2).enable_grpc_healthcheck_service


def test_defaults_follow_the_processors():
    flags = parse_flags([], cpus=2)

    assert (flags.grpc_max_threads, flags.tensorflow_intra_op_parallelism) == (8, 1)
    assert flags.tensorflow_inter_op_parallelism == 2


def test_an_unknown_flag_is_named_and_ignored(capsys):
    parse_flags(["--foo=1"], cpus=2)

    assert capsys.readouterr().err == "unknown argument: --foo=1\n"


@pytest.mark.parametrize("module", ["serving.client", "serving.__main__", "serving.launch", "serving.local.__main__"])
def test_importing_the_online_code_imports_no_tensorflow(module):
    program = f"import sys, {module}; sys.exit(any('tensorflow' in name for name in sys.modules))"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
