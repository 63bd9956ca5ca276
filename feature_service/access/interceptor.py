"""The guard of the gRPC server: who calls, whether they may, how often, and what is recorded of it.

It reads messages only of those who may send them, and says what is wrong with one that cannot be parsed. A failure of
the service's own is logged by its kind and place: the words of an error may quote a user's data.
"""

import logging
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from feature_service.access.audit import AUDIT_FILE, Audit, AuditError
from feature_service.access.rates import Rates
from feature_service.access.scopes import AUDITED, HEALTH, REFLECTION, SCOPES
from feature_service.access.settings import AccessSettings
from feature_service.access.tokens import Caller, find, read_callers
from feature_service.calls import Answer, Context, Continuation, Handler
from feature_service.clock import wall_clock
from feature_service.overload.hint import abort_with_hint
from serving.watched import Watched

BEARER = "Bearer "

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not be made."""

    code: grpc.StatusCode
    message: str


def access_interceptor(access: AccessSettings, data: Path) -> "AccessInterceptor":
    """The guard of a service.

    Args:
        access: Who may call, and how often.
        data: The folder of the audit file.

    Raises:
        OSError: The tokens' file cannot be read.
        SettingsError: It cannot be used.
    """
    path = Path(access.tokens)
    tokens = Watched([path], lambda: read_callers(path)) if access.tokens else None
    return AccessInterceptor(tokens, access.rate, Audit(data / AUDIT_FILE, wall_clock), time.monotonic)


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Lets calls through or refuses them; belongs to one event loop."""

    def __init__(
        self, tokens: Watched[dict[str, Caller]] | None, rate: float, audit: Audit, timer: Callable[[], float]
    ) -> None:
        """Knows no caller yet.

        Args:
            tokens: Who may call, by name; None = whoever reaches the service.
            rate: Calls a second of a caller whose token says nothing else; 0 = as many as it likes.
            audit: Takes the lines of what is recorded.
            timer: Seconds on a steady clock.
        """
        self._tokens = tokens
        self._rate = rate
        self._audit = audit
        self._timer = timer
        self._rates = Rates()

    async def intercept_service(
        self,
        continuation: Continuation,
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Answers a call that may be made by its handler, guarded, and any other by a refusal."""
        handler = await continuation(handler_call_details)
        details: Any = handler_call_details
        method: str = details.method
        if handler is None or method.startswith(HEALTH):
            return handler
        caller = self._caller(method, details.invocation_metadata or ())
        if isinstance(caller, Refusal):
            return _refusing(caller, handler)
        return handler if method.startswith(REFLECTION) else self._guarded(handler, method, caller)

    def _caller(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Caller | Refusal | None:
        """Who calls; None = anybody may."""
        if self._tokens is None:
            return None
        headers = [value for key, value in metadata if key == "authorization"]
        if len(headers) != 1 or not isinstance(headers[0], str) or not headers[0].startswith(BEARER):
            return Refusal(grpc.StatusCode.UNAUTHENTICATED, "authorization: expected a bearer token, received none")
        caller = find(self._tokens.now(), headers[0].removeprefix(BEARER))
        if caller is None:
            return Refusal(grpc.StatusCode.UNAUTHENTICATED, "authorization: expected a token that is known here")
        scope = SCOPES.get(method)
        if scope not in caller.scopes and not method.startswith(REFLECTION):
            received = ", ".join(sorted(caller.scopes))
            message = f"authorization: expected a token for {scope or 'this method'}, received one for {received}"
            return Refusal(grpc.StatusCode.PERMISSION_DENIED, message)
        return caller

    def _guarded(self, handler: Handler, method: str, caller: Caller | None) -> Handler:
        answer: Answer = handler.unary_unary

        async def call(received: Any, context: Context) -> Any:
            name = caller.name if caller else context.peer().rpartition(":")[0]
            await self._keep_rate(name, caller, context)
            request = await _parsed(handler, received, context)
            await self._record(name, method, request, context)
            try:
                return await answer(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                await _fail(error, method, context)

        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=bytes, response_serializer=handler.response_serializer
        )

    async def _keep_rate(self, name: str, caller: Caller | None, context: Context) -> None:
        rate = self._rate if caller is None or caller.rate is None else caller.rate
        if rate and (wait_s := self._rates.wait_s(name, rate, self._timer())):
            await abort_with_hint(context, f"expected at most {rate:g} calls a second of a caller", wait_s)

    async def _record(self, name: str, method: str, request: Any, context: Context) -> None:
        if (subject_of := AUDITED.get(method)) is None:
            return
        try:
            self._audit.record(name, method.rpartition("/")[2], subject_of(request))
        except AuditError as error:
            log.error("%s", error)
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))


def _refusing(refusal: Refusal, handler: Handler) -> Handler:
    """A handler that refuses; no message is parsed for it."""

    async def refuse(_: Any, context: Context) -> Any:
        await context.abort(refusal.code, refusal.message)

    if handler.request_streaming:
        return grpc.stream_stream_rpc_method_handler(refuse, bytes, bytes)
    return grpc.unary_unary_rpc_method_handler(refuse, bytes, bytes)


async def _parsed(handler: Handler, received: bytes, context: Context) -> Any:
    try:
        return handler.request_deserializer(received)
    except DecodeError:
        message = f"expected the method's message, received {len(received)} bytes that are none"
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)


async def _fail(error: Exception, method: str, context: Context) -> NoReturn:
    place = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s failed: %s at\n%s", method, type(error).__name__, place)
    await context.abort(grpc.StatusCode.INTERNAL, f"the service failed: {type(error).__name__}")
