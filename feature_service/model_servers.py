"""The model servers behind the service: calls go to them in turn, and past one that is away or hangs."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc
from numpy.typing import NDArray

from serving.client import ModelServerClient, Prediction, Watch, unwatched
from serving.credentials import PLAIN, Credentials
from serving.errors import DeadlineExceededError, ModelNotFoundError, ServerUnavailableError, ServingError

MOST_MISSED = 3
"""A server that lets so many calls in a row pass hangs; one that is busy answers others meanwhile."""

PATIENCE_S = 0.05
"""A call that had less time tells nothing."""

TRY_S = 1.0
"""So often a server that is left out is tried."""


@dataclass(slots=True)
class _Server:
    """A server, and what became of the calls of late.

    Attributes:
        client: Its channel.
        left_out: Whether it is asked last, until it answers.
        tried_s: When it was left out, or tried after that, by the clock of `time.perf_counter`.
        heard_s: When it said something last.
        missed: Calls in a row that passed, and during which it said nothing to anybody.
    """

    client: ModelServerClient
    left_out: bool = False
    tried_s: float = 0.0
    heard_s: float = 0.0
    missed: int = 0

    @contextmanager
    def watched(self, time_s: float) -> Generator[None]:
        """A call to it, which has so much time; learns from how that ends."""
        began_s = time.perf_counter()
        try:
            yield
        except DeadlineExceededError:
            self.missed += time_s >= PATIENCE_S and self.heard_s < began_s
            if self.missed >= MOST_MISSED:
                self._leave_out()
            raise
        except (ServerUnavailableError, ModelNotFoundError):
            self._leave_out()
            raise
        except ServingError:
            self._heard()
            raise
        self._heard()
        self.left_out = False

    def is_to_be_tried(self) -> bool:
        """Whether it is time to see if it is back; then not again for a while."""
        now_s = time.perf_counter()
        if not self.left_out or now_s < self.tried_s + TRY_S:
            return False
        self.tried_s = now_s
        return True

    def _heard(self) -> None:
        self.heard_s, self.missed = time.perf_counter(), 0

    def _leave_out(self) -> None:
        if not self.left_out:
            self.left_out, self.tried_s = True, time.perf_counter()


class ModelServers:
    """One channel to each server, for all models."""

    def __init__(self, targets: Sequence[str], *, credentials: Credentials = PLAIN, watch: Watch = unwatched) -> None:
        """Opens one channel a server; `targets` remembers where they are.

        Args:
            targets: gRPC addresses, `host:port`.
            credentials: By what they are known, and what they know us by.
            watch: Sees each Predict.
        """
        self.targets = tuple(targets)
        self._servers = [_Server(ModelServerClient(each, credentials=credentials, watch=watch)) for each in targets]
        self._tries = set[asyncio.Task[None]]()
        self._turns = itertools.cycle(range(len(targets)))

    def next(self) -> ModelServerClient:
        """The server whose turn it is; none that is left out, unless all are.

        Raises:
            ServingError: There is no model server.
        """
        return self._in_turn()[0].client

    async def predict(
        self,
        model: str,
        inputs: Mapping[str, NDArray[Any]],
        *,
        signature: str,
        version: int,
        outputs: Sequence[str],
        timeout_s: float,
    ) -> Prediction:
        """Runs a signature on the server whose turn it is, or on another when that one is away or without the version.

        A server that was away, or hangs, is left out until it answers: a call a second is sent to it too, which does
        not wait for it. A Predict changes nothing, so it may well run twice.

        Args:
            model: The model's name.
            inputs: The signature's inputs by name.
            signature: The signature's name.
            version: Exactly this version.
            outputs: Names of the outputs wanted.
            timeout_s: Deadline of all tries together, seconds from now.

        Raises:
            ServingError: No server answered; that of the last one that was asked.
        """
        deadline_s = time.perf_counter() + timeout_s

        async def ask(server: _Server) -> Prediction:
            left_s = max(deadline_s - time.perf_counter(), 0.0)
            with server.watched(left_s):
                return await server.client.predict(
                    model, inputs, signature=signature, version=version, outputs=outputs, timeout_s=left_s
                )

        *others, last = in_turn = self._in_turn()
        if not in_turn[0].left_out:
            for server in filter(_Server.is_to_be_tried, in_turn):
                self._try(ask(server))
        for server in others:
            try:
                return await ask(server)
            except (ServerUnavailableError, ModelNotFoundError):
                continue
        return await ask(last)

    async def available(self, model: str, timeout_s: float) -> set[int]:
        """The versions of a model that every server has; of those that can be reached, if one can be.

        A server that comes back has loaded the newest versions before it answers.

        Raises:
            ServingError: A server fails, or none can be reached.
        """
        held: list[set[int]] = []
        away: ServingError | None = None
        for server in self._servers:
            try:
                statuses = await server.client.model_status(model, timeout_s=timeout_s)
            except (ServerUnavailableError, DeadlineExceededError) as error:
                away = error
            else:
                held.append({status.version for status in statuses if status.available})
        if away and not held:
            raise away
        return held[0].intersection(*held[1:]) if held else set()

    async def states(self, model: str, timeout_s: float) -> dict[str, dict[int, str]]:
        """What each server says of the versions of a model, by its address; nothing if it does not answer."""
        found: dict[str, dict[int, str]] = {}
        for server in self._servers:
            try:
                statuses = await server.client.model_status(model, timeout_s=timeout_s)
            except ServingError:
                statuses = []
            found[server.client.target] = {status.version: status.state for status in statuses}
        return found

    async def close(self) -> None:
        """Closes the channels."""
        for task in self._tries:
            task.cancel()
        for server in self._servers:
            await server.client.close()

    def _try(self, call: Awaitable[Prediction]) -> None:
        """Sees whether a server is back, beside other calls, which do not wait for it."""

        async def heedless() -> None:
            with suppress(ServingError):
                await call

        task = asyncio.create_task(heedless())
        self._tries.add(task)
        task.add_done_callback(self._tries.discard)

    def _in_turn(self) -> list[_Server]:
        """The servers in the order in which a call tries them."""
        if not self._servers:
            raise ServerUnavailableError(grpc.StatusCode.UNAVAILABLE, "expected a model server, there is none")
        first = next(self._turns)
        return sorted((*self._servers[first:], *self._servers[:first]), key=lambda server: server.left_out)
