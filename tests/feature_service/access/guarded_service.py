"""A feature service behind its guard: on a free port, with tokens, TLS and an audit file, and calls of any bytes."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from feature_service.access.interceptor import access_interceptor
from feature_service.access.settings import AccessSettings
from feature_service.access.tls import ServerTls
from feature_service.access.tokens import digest_of
from feature_service.boot import booted
from feature_service.client import FeatureServiceClient
from feature_service.server import SERVICE, start_server
from serving.credentials import PLAIN, Credentials
from tests.feature_service.running_service import PATIENCE_S, lean_settings

Metadata = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Guarded:
    """The service's port, and its data folder."""

    port: int
    data: Path

    @property
    def target(self) -> str:
        return f"localhost:{self.port}"

    def client(self, credentials: Credentials = PLAIN) -> FeatureServiceClient:
        return FeatureServiceClient(self.target, PATIENCE_S, credentials)

    def audit(self) -> list[dict[str, str]]:
        """The lines of the audit file."""
        path = self.data / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@asynccontextmanager
async def guarded(
    data: Path, *, tokens: Path | None = None, rate: float = 0.0, tls: ServerTls | None = None, more: str = ""
) -> AsyncGenerator[Guarded]:
    """Boots a service without model servers, with `more` TOML behind its settings, and serves it as `serve` does."""
    async with booted(lean_settings(more), data, ()) as service:
        server, port = await start_server(
            service,
            "127.0.0.1:0",
            credentials=tls.grpc_credentials() if tls else None,
            interceptors=[access_interceptor(AccessSettings(str(tokens or ""), rate), data)],
        )
        try:
            yield Guarded(port, data)
        finally:
            await server.stop(None)


def write_tokens(path: Path, *callers: tuple[str, str, Sequence[str]], more: str = "") -> Path:
    """Writes a tokens file of names, tokens and scopes; `more` goes into the last table."""
    tables = [
        f'[[token]]\nname = "{name}"\nsha256 = "{digest_of(token).hex()}"\nscopes = {json.dumps(list(scopes))}\n'
        for name, token, scopes in callers
    ]
    path.write_text("\n".join(tables) + more)
    return path


def token_file(path: Path, token: str) -> Credentials:
    """What a client calls with that has this token."""
    path.write_text(f"{token}\n")
    return Credentials(token=path)


@asynccontextmanager
async def channel(target: str, credentials: Credentials = PLAIN) -> AsyncGenerator[grpc.aio.Channel]:
    """A channel with a connection of its own."""
    async with credentials.aio_channel(target, (("grpc.use_local_subchannel_pool", 1),)) as opened:
        yield opened


async def send(
    opened: grpc.aio.Channel, method: str, message: bytes, metadata: Metadata = (), service: str = SERVICE
) -> tuple[grpc.StatusCode, str]:
    """Sends bytes as a message, and returns the status and its words."""
    call: Any = opened.unary_unary(f"/{service}/{method}")
    try:
        await call(message, timeout=PATIENCE_S, metadata=tuple(metadata))
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""
