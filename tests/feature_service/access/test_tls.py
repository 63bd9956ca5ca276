"""TLS of the service: who reaches it, certificates that change while it serves, and files that cannot be used."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from feature_service.access.tls import ServerTls, add_access, outgoing, server_tls
from serving.credentials import PLAIN, Credentials, CredentialsError
from serving.pem import PemError
from serving.verbs import UserError
from tests.feature_service.access.guarded_service import Guarded, guarded
from tests.serving.tls_files import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "others")


def tls_of(authority: Authority, *, client_ca: Path | None = None) -> ServerTls:
    issued = authority.issue("server")
    return ServerTls(issued.certificate, issued.key, client_ca)


async def status(service: Guarded, credentials: Credentials) -> grpc.StatusCode:
    """How a call over a new connection ends."""
    async with service.client(credentials) as client:
        try:
            await client.recommend("viewer")
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_a_caller_reaches_only_a_service_that_its_authority_vouches_for(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    async with guarded(tmp_path / "data", tls=tls_of(authority)) as service:
        assert await status(service, Credentials(authority.certificate)) is grpc.StatusCode.OK
        assert await status(service, Credentials(stranger.certificate)) is grpc.StatusCode.UNAVAILABLE
        assert await status(service, PLAIN) is grpc.StatusCode.UNAVAILABLE


async def test_mutual_tls_lets_nobody_in_whom_its_authority_does_not_vouch_for(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    ours, theirs = authority.issue("client", "app"), stranger.issue("client", "app")
    known = Credentials(authority.certificate)
    async with guarded(tmp_path / "data", tls=tls_of(authority, client_ca=authority.certificate)) as service:
        assert await status(service, replace(known, certificate=ours.certificate, key=ours.key)) is grpc.StatusCode.OK
        wrong = replace(known, certificate=theirs.certificate, key=theirs.key)
        assert await status(service, wrong) is grpc.StatusCode.UNAVAILABLE
        assert await status(service, known) is grpc.StatusCode.UNAVAILABLE


async def test_new_certificates_hold_without_a_restart_and_broken_ones_do_not(
    authority: Authority, stranger: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tls = tls_of(authority)
    ours, theirs = Credentials(authority.certificate), Credentials(stranger.certificate)
    async with guarded(tmp_path / "data", tls=tls) as service:
        tls.key.write_text("half a key")
        assert await status(service, ours) is grpc.StatusCode.OK
        renewed = stranger.issue("server")
        tls.certificate.write_bytes(renewed.certificate.read_bytes())
        tls.key.write_bytes(renewed.key.read_bytes())
        assert await status(service, theirs) is grpc.StatusCode.OK
        assert await status(service, ours) is grpc.StatusCode.UNAVAILABLE
    kept = [line.getMessage() for line in caplog.records if line.name == "serving.watched"]
    assert len(kept) == 1
    assert "what was read before stays in use" in kept[0]
    assert "half a key" not in kept[0]


def test_files_that_do_not_go_together_are_told_at_the_start(authority: Authority, stranger: Authority) -> None:
    ours, theirs = authority.issue("server"), stranger.issue("server")
    with pytest.raises(PemError, match="expected a PEM certificate and its private key without a password"):
        ServerTls(ours.certificate, theirs.key).grpc_credentials()
    with pytest.raises(PemError, match="expected PEM certificates of authorities"):
        ServerTls(ours.certificate, ours.key, ours.key).grpc_credentials()
    with pytest.raises(FileNotFoundError):
        ServerTls(ours.certificate.with_name("none"), ours.key).grpc_credentials()
    with pytest.raises(CredentialsError, match="expected a certificate and its key"):
        Credentials(authority.certificate, ours.certificate)
    with pytest.raises(CredentialsError, match="expected a CA"):
        Credentials(certificate=ours.certificate, key=ours.key)


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_access(parser)
    return parser.parse_args(given)


def test_half_of_a_servers_files_is_refused() -> None:
    with pytest.raises(UserError, match="--tls-key"):
        server_tls(arguments("--tls-cert", "a.pem"), "127.0.0.1")
    with pytest.raises(UserError, match="--tls-client-ca"):
        server_tls(arguments("--tls-client-ca", "a.pem"), "127.0.0.1")


def test_a_server_shows_its_certificate_to_those_whom_it_calls_by_tls() -> None:
    pair = ("--tls-cert", "a.pem", "--tls-key", "a.key")
    assert outgoing(arguments(*pair)) == PLAIN
    assert outgoing(arguments(*pair, "--tls-ca", "ca.pem")) == Credentials(Path("ca.pem"), Path("a.pem"), Path("a.key"))


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", 0), ("[::1]", 0), ("localhost", 0), ("192.0.2.1", 1), ("onair", 1)]
)
def test_plain_text_that_others_can_hear_is_warned_of(host: str, warned: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert server_tls(arguments(), host) is None
    assert len(caplog.records) == warned
