"""The model servers behind the service: calls go to them in turn, and past one that is away or hangs."""

import itertools
import math
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from numpy.typing import NDArray

from serving.client import ModelServerClient, Prediction, Watch, unwatched
from serving.credentials import PLAIN, Credentials
from serving.errors import DeadlineExceededError, ModelNotFoundError, ServerUnavailableError, ServingError

AWAY_S = 1.0
"""A server that could not be reached, or was silent, is asked last for so long."""

SILENT_S = 0.3
"""A server that says nothing at all for so long hangs; one that is busy says something to others meanwhile."""


@dataclass(slots=True)
class _Server:
    """A server, and what became of the calls of late.

    Attributes:
        client: Its channel.
        away_s: Until then it is asked last; 0 = it has answered since.
        waiting_s: Since then it has been asked, and has said nothing.
    """

    client: ModelServerClient
    away_s: float = 0.0
    waiting_s: float = math.inf

    @property
    def is_doubted(self) -> bool:
        """Whether it has been away and has not answered since."""
        return self.away_s > 0

    def leave_out(self) -> None:
        """It is asked last for a while."""
        self.away_s = time.perf_counter() + AWAY_S

    @contextmanager
    def watched(self) -> Generator[None]:
        """A call to it; learns from how that ends."""
        self.waiting_s = min(self.waiting_s, time.perf_counter())
        try:
            yield
        except DeadlineExceededError:
            if time.perf_counter() - self.waiting_s >= SILENT_S:
                self.leave_out()
            raise
        except ServingError as error:
            self.waiting_s = math.inf
            if isinstance(error, ServerUnavailableError | ModelNotFoundError):
                self.leave_out()
            raise
        self.away_s, self.waiting_s = 0.0, math.inf


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
        self._turns = itertools.cycle(range(len(targets)))

    def next(self) -> ModelServerClient:
        """The server whose turn it is; none that is away, unless all are.

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

        A Predict changes nothing, so it may well run twice. A server that hangs costs some answers for `SILENT_S`; from
        then on one call a second tries it, for half of its time.

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

        async def ask(server: _Server, until_s: float) -> Prediction:
            left_s = max(until_s - time.perf_counter(), 0.0)
            with server.watched():
                return await server.client.predict(
                    model, inputs, signature=signature, version=version, outputs=outputs, timeout_s=left_s
                )

        *others, last = self._in_turn()
        for server in others:
            until_s = (time.perf_counter() + deadline_s) / 2 if server.is_doubted else deadline_s
            try:
                return await ask(server, until_s)
            except (ServerUnavailableError, ModelNotFoundError):
                continue
            except DeadlineExceededError:
                if until_s == deadline_s:
                    raise
        return await ask(last, deadline_s)

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
        for server in self._servers:
            await server.client.close()

    def _in_turn(self) -> list[_Server]:
        """The servers in the order in which a call tries them."""
        if not self._servers:
            raise ServerUnavailableError(grpc.StatusCode.UNAVAILABLE, "expected a model server, there is none")
        first, now_s = next(self._turns), time.perf_counter()
        servers = sorted((*self._servers[first:], *self._servers[:first]), key=lambda server: server.away_s > now_s)
        if servers[0].is_doubted:
            servers[0].leave_out()  # This call tries it; until more is known, the others do not.
        return servers
