"""A model server by TLS: one file for the embedded server and TensorFlow Serving, and who reaches them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serving.__main__ import main
from serving.client import ModelServerClient
from serving.credentials import PLAIN, Credentials
from serving.errors import ServerUnavailableError
from serving.local.__main__ import main as start_embedded
from tests.serving.model_servers import KINDS, Server, start
from tests.serving.tls_files import Authority
from training.rollout import Outcome, await_version


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=KINDS)
def secured(request: pytest.FixtureRequest, authority: Authority, toys: Path, tmp_path_factory) -> Iterator[Server]:
    """A server of the toy model that speaks mutual TLS, by the file that our verb writes."""
    issued = authority.issue("server")
    out = tmp_path_factory.mktemp("config") / "ssl.config"
    files = ("--tls-cert", issued.certificate, "--tls-key", issued.key, "--tls-client-ca", authority.certificate)
    assert main(["ssl-config", *map(str, files), "--out", str(out)]) == 0
    assert out.stat().st_mode & 0o077 == 0
    yield from start(request.param, {"model_name": "m", "model_base_path": toys / "good", "ssl_config_file": out})


async def status(server: Server, credentials: Credentials) -> str:
    """How the server answers a client with these credentials: the state of its model's newest version."""
    async with ModelServerClient(f"localhost:{server.process.port}", credentials=credentials) as client:
        try:
            return (await client.model_status("m"))[0].state
        except ServerUnavailableError:
            return "unavailable"


async def test_only_a_client_that_both_authorities_vouch_for_reaches_a_model_server(
    secured: Server, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    ours, theirs = authority.issue("client", "service"), stranger.issue("client", "service")
    known = Credentials(authority.certificate, ours.certificate, ours.key)
    assert await status(secured, known) == "AVAILABLE"
    assert await status(secured, replace(known, certificate=theirs.certificate, key=theirs.key)) == "unavailable"
    assert await status(secured, replace(known, ca=stranger.certificate)) == "unavailable"
    assert await status(secured, PLAIN) == "unavailable"


def test_the_command_line_reaches_it_too(secured: Server, authority: Authority, capsys) -> None:
    ours = authority.issue("client", "service")
    files = ("--tls-ca", authority.certificate, "--tls-cert", ours.certificate, "--tls-key", ours.key)
    asked = ["--target", f"localhost:{secured.process.port}", "--model", "m", *map(str, files)]
    assert main(["wait", *asked, "--timeout", "10"]) == 0
    assert main(["status", *asked]) == 0
    assert "AVAILABLE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('server_key: "secret', "expected an SSLConfig in text form"),
        ('server_cert: "x"', "expected server_key and server_cert"),
        ('server_key: "x" server_cert: "x" client_verify: true', "expected custom_ca beside client_verify"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_at_the_start_without_its_secrets(text, said, tmp_path, capsys) -> None:
    path = tmp_path / "ssl.config"
    path.write_text(text)
    assert start_embedded([f"--model_base_path={tmp_path}", f"--ssl_config_file={path}"]) == 255
    assert capsys.readouterr().err == f"Failed to start server. Error: INVALID_ARGUMENT: {path}: {said}\n"


def test_a_published_version_is_waited_for_by_tls(secured: Server, authority: Authority) -> None:
    ours, server = authority.issue("client", "trainer"), f"localhost:{secured.process.port}"
    known = Credentials(authority.certificate, ours.certificate, ours.key)
    states = [await_version([server], "m", 3, 5.0, known), await_version([server], "m", 3, 0.2)]
    assert [each.outcome for (each,) in states] == [Outcome.AVAILABLE, Outcome.LATE]
