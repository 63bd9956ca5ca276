"""How a client knows whom it calls, and shows who it is: TLS, a certificate of its own, a bearer token.

Without a CA, calls go in plain text: on one machine, or where a service mesh encrypts them. Certificates are read when
a client is made; a token is read again when its file changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from serving.bearer import AioSigningStream, AioSigningUnary, Signing, watched_token

Options = Sequence[tuple[str, Any]]

RECONNECT_MS = 200
"""Servers are looked for again so soon. By itself, gRPC waits for a second at first and for two minutes at last, and
half a minute before it resolves a name again, which may stand for other servers by then."""

PING_TIMEOUT_MS = 5_000
"""Calls leave a server that stands still, or is gone without a word, as with its node, when it has not answered a ping
for so long; by itself, gRPC waits for a minute. Pings go with calls, every ten seconds or oftener, and else every half
minute."""

_AVAILABILITY: Options = (
    ("grpc.initial_reconnect_backoff_ms", RECONNECT_MS),
    ("grpc.max_reconnect_backoff_ms", RECONNECT_MS),
    ("grpc.dns_min_time_between_resolutions_ms", RECONNECT_MS),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_MS),
)


class CredentialsError(ValueError):
    """Files that do not fit together: one line with what was expected and received."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client calls with; nothing = in plain text, as nobody.

    Attributes:
        ca: PEM file of the authorities that may vouch for servers; None = plain text.
        certificate: PEM file of the client's own certificate and its chain, for servers that demand one.
        key: PEM file of its private key.
        token: File that holds a bearer token.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    token: Path | None = None

    def __post_init__(self) -> None:
        """Checks that the files go together.

        Raises:
            CredentialsError: A certificate without its key, a key without its certificate, or a pair without a CA.
        """
        if (self.certificate is None) != (self.key is None):
            raise CredentialsError("TLS: expected a certificate and its key, received one of them")
        if self.certificate and self.ca is None:
            raise CredentialsError("TLS: expected a CA beside the client's certificate, received none")

    def aio_channel(self, target: str, options: Options) -> grpc.aio.Channel:
        """A channel of the running event loop.

        Raises:
            OSError: A file cannot be read.
            TokenFileError: The token's file holds none.
        """
        options = (*_AVAILABILITY, *options)
        token = watched_token(self.token) if self.token else None
        signing = [AioSigningUnary(token), AioSigningStream(token)] if token else []
        if (secured := self._secured()) is None:
            return grpc.aio.insecure_channel(target, options=options, interceptors=signing)
        return grpc.aio.secure_channel(target, secured, options=options, interceptors=signing)

    def channel(self, target: str, options: Options) -> grpc.Channel:
        """A blocking channel.

        Raises:
            OSError: A file cannot be read.
            TokenFileError: The token's file holds none.
        """
        options, secured = (*_AVAILABILITY, *options), self._secured()
        channel = grpc.secure_channel(target, secured, options) if secured else grpc.insecure_channel(target, options)
        return grpc.intercept_channel(channel, Signing(watched_token(self.token))) if self.token else channel

    def _secured(self) -> grpc.ChannelCredentials | None:
        if self.ca is None:
            return None
        own = (self.key.read_bytes(), self.certificate.read_bytes()) if self.key and self.certificate else (None, None)
        return grpc.ssl_channel_credentials(self.ca.read_bytes(), *own)


PLAIN = Credentials()
"""In plain text, as nobody."""
