"""`python -m feature_service console` as a process."""

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

COMMAND = [sys.executable, "-m", "feature_service", "console"]


@contextmanager
def console(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def address_of(process: "subprocess.Popen[str]") -> str:
    """The address that the console prints once it listens."""
    assert process.stdout
    return process.stdout.readline().split()[-1]


def test_it_prints_its_address_serves_there_and_ends_on_sigterm() -> None:
    with console("--port", "0") as process:
        address = address_of(process)
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=10) as page:  # noqa: S310
            assert b"Who is watching?" in page.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_the_users_who_were_looked_at_are_not_logged() -> None:
    with console("--port", "0", "--address", "127.0.0.1:1", "--timeout", "0.2") as process:
        address = address_of(process)
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"{address}?user=secret-user", timeout=10)  # noqa: S310
        answer.value.close()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert "secret-user" not in out + err


def test_a_port_in_use_is_one_line_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(port) in done.stderr
