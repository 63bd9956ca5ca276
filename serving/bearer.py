"""A bearer token in the metadata of each call, read again when its file changes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from serving.watched import Watched

MOST_CHARACTERS = 4096
"""What surely fits into the headers of a call."""


class TokenFileError(ValueError):
    """A file that holds no token."""


def watched_token(path: Path) -> Watched[str]:
    """The token of a file, as it is now.

    Raises:
        OSError: The file cannot be read.
        TokenFileError: It holds no token.
    """
    return Watched([path], partial(_read, path))


class Signing(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Signs the calls of a blocking channel."""

    def __init__(self, token: Watched[str]) -> None:
        self._token = token

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Passes a call on with the token."""
        return continuation(_signed(client_call_details, self._token), request)

    def intercept_unary_stream(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Passes a call on with the token."""
        return continuation(_signed(client_call_details, self._token), request)


class AioSigningUnary(grpc.aio.UnaryUnaryClientInterceptor):
    """Signs the unary calls of a channel of an event loop."""

    def __init__(self, token: Watched[str]) -> None:
        self._token = token

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Passes a call on with the token."""
        return await continuation(_signed(client_call_details, self._token), request)


class AioSigningStream(grpc.aio.UnaryStreamClientInterceptor):
    """Signs the calls of a channel of an event loop that are answered by a stream."""

    def __init__(self, token: Watched[str]) -> None:
        self._token = token

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        """Passes a call on with the token."""
        return await continuation(_signed(client_call_details, self._token), request)


def _read(path: Path) -> str:
    """The token; errors name the file, never what it holds."""
    try:
        token = path.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token.isprintable() or not 0 < len(token) <= MOST_CHARACTERS or " " in token:
        raise TokenFileError(f"{path}: expected a bearer token, one line of ASCII without spaces, received none")
    return token


def _signed(details: Any, token: Watched[str]) -> grpc.aio.ClientCallDetails:
    """A call's details with the token in its metadata."""
    metadata = grpc.aio.Metadata(*(details.metadata or ()), ("authorization", f"Bearer {token.now()}"))
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )
