"""`python -m feature_service health` against a running service, in this process."""

from argparse import ArgumentParser, Namespace
from asyncio import to_thread
from pathlib import Path

import pytest

from feature_service.access.tls import ServerTls
from feature_service.commands import health
from feature_service.server import start_server
from serving.launch import free_port
from serving.verbs import UserError
from tests.feature_service.running_service import running
from tests.feature_service.scripted_model_server import serving
from tests.serving.tls_files import Authority


def arguments(*given: object) -> Namespace:
    parser = ArgumentParser()
    health.add_arguments(parser)
    return parser.parse_args([str(each) for each in given])


async def test_a_service_that_serves_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with running(tmp_path) as stack:
        assert await to_thread(health.run, arguments("--address", stack.target)) == 0
    assert capsys.readouterr().out == "SERVING\n"


async def test_one_whose_models_are_still_to_come_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving({}) as server, running(tmp_path, [server.target]) as stack:
        assert await to_thread(health.run, arguments("--address", stack.target)) == 1
    assert capsys.readouterr().out == "NOT_SERVING\n"


async def test_one_that_demands_a_certificate_is_shown_its_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    own = authority.issue("service")
    files = ServerTls(own.certificate, own.key, authority.certificate)
    shown = ("--tls-ca", authority.certificate, "--tls-cert", own.certificate, "--tls-key", own.key)
    async with running(tmp_path / "data") as stack:
        server, port = await start_server(stack.service, "127.0.0.1:0", credentials=files.grpc_credentials())
        try:
            assert await to_thread(health.run, arguments("--address", f"localhost:{port}", *shown)) == 0
            with pytest.raises(UserError, match="UNAVAILABLE"):
                await to_thread(health.run, arguments("--address", f"localhost:{port}", *shown[:2]))
        finally:
            await server.stop(None)


def test_nobody_who_answers_is_one_line() -> None:
    with pytest.raises(UserError, match=r"^127\.0\.0\.1:\d+: UNAVAILABLE: "):
        health.run(arguments("--address", f"127.0.0.1:{free_port()}", "--timeout", 2))
