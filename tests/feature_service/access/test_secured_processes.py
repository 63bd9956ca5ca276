"""The commands with TLS, certificates of callers and tokens, as processes; and that their logs tell nothing."""

import html
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.feature_service.access.guarded_service import write_tokens
from tests.serving.tls_files import Authority, Pem
from tests.stack.service_process import ServiceProcess

pytestmark = pytest.mark.slow

TITLE, USER = "a title of nobody's business", "secret-viewer"
STARTED = f'{{"event_id": "e1", "kind": "ROOM_STARTED", "room_id": "r1", "streamer_id": "s1", "title": "{TITLE}"}}'
MINE = "onair_mine"


@dataclass(frozen=True, slots=True)
class Secured:
    """A service that is called by mutual TLS with a token and knows one room, and the arguments of those who may."""

    process: ServiceProcess
    authority: Authority
    ours: Pem
    token: Path

    def arguments(self, pem: Pem | None = None) -> list[str]:
        """Where it is, and what to call it with; the certificate is ours, or another."""
        address, shown = f"localhost:{self.process.target.rpartition(':')[2]}", pem or self.ours
        pair = ["--tls-cert", str(shown.certificate), "--tls-key", str(shown.key)]
        vouching = ["--tls-ca", str(self.authority.certificate)]
        return ["--address", address, *vouching, *pair, "--token-file", str(self.token)]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder)
    server, token = authority.issue("server"), folder / "mine.token"
    token.write_text(MINE)
    tokens = write_tokens(folder / "tokens.toml", ("mine", MINE, ["report", "explain"]))
    settings = f'[access]\ntokens = "{tokens}"\n'
    files = ("--tls-cert", server.certificate, "--tls-key", server.key, "--tls-client-ca", authority.certificate)
    with ServiceProcess(folder, *map(str, files), settings=settings) as process:
        running = Secured(process, authority, authority.issue("client", "app"), token)
        assert run("report", *running.arguments(), entered=STARTED).stdout == "e1: accepted\n"
        yield running


def run(*arguments: str, entered: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "feature_service", *arguments]
    return subprocess.run(command, input=entered, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_line_asks_by_mutual_tls_with_a_token(secured: Secured) -> None:
    asked = run("ask", "--json", "--user", USER, *secured.arguments())
    assert TITLE in asked.stdout, asked.stderr


def test_without_a_token_the_command_line_says_what_is_missing(secured: Secured) -> None:
    asked = run("ask", "--user", USER, *secured.arguments()[:-2])
    assert asked.returncode == 2
    assert asked.stderr.endswith("UNAUTHENTICATED: authorization: expected a bearer token, received none\n")


def test_the_console_speaks_tls_and_calls_the_service_by_it(secured: Secured) -> None:
    arguments = secured.arguments(secured.authority.issue("console"))
    command = [sys.executable, "-m", "feature_service", "console", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().split()[-1]
            assert address.startswith("https://127.0.0.1:")
            with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
                urllib.request.urlopen(address, timeout=30)  # noqa: S310
            trusting = ssl.create_default_context(cafile=secured.authority.certificate)
            with (
                socket.create_connection(("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]))),  # Says nothing.
                urllib.request.urlopen(f"{address}?user={USER}", timeout=30, context=trusting) as page,  # noqa: S310
            ):
                assert TITLE in html.unescape(page.read().decode())
        finally:
            process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert [word for word in (USER, TITLE, MINE) if word in out + err] == []


def test_the_log_holds_no_token_no_user_and_no_title(secured: Secured) -> None:
    run("ask", "--user", USER, "-k", "-1", *secured.arguments())
    log = secured.process.log
    assert "serving on port" in log
    assert [word for word in (MINE, USER, TITLE) if word in log] == []
