"""The model servers behind the service: calls go to them in turn, and past one that is away."""

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from numpy.typing import NDArray

from serving.client import ModelServerClient, Prediction, Watch, unwatched
from serving.credentials import PLAIN, Credentials
from serving.errors import ModelNotFoundError, ServerUnavailableError, ServingError

AWAY_S = 1.0
"""A server that could not be reached is asked last for so long."""


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
        self._clients = [ModelServerClient(target, credentials=credentials, watch=watch) for target in targets]
        self._back_s = [0.0] * len(targets)
        self._turns = itertools.cycle(range(len(targets)))

    def next(self) -> ModelServerClient:
        """The server whose turn it is; none that is away, unless all are.

        Raises:
            ServingError: There is no model server.
        """
        return self._clients[self._in_turn()[0]]

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

        A Predict changes nothing, so it may well run twice.

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

        async def ask(number: int) -> Prediction:
            left_s = max(deadline_s - time.perf_counter(), 0.0)
            return await self._clients[number].predict(
                model, inputs, signature=signature, version=version, outputs=outputs, timeout_s=left_s
            )

        *others, last = self._in_turn()
        for number in others:
            try:
                return await ask(number)
            except (ServerUnavailableError, ModelNotFoundError):
                self._back_s[number] = time.perf_counter() + AWAY_S
        return await ask(last)

    async def available(self, model: str, timeout_s: float) -> set[int]:
        """The versions of a model that every server has; of those that can be reached, if one can be.

        A server that comes back has loaded the newest versions before it answers.

        Raises:
            ServingError: A server fails, or none can be reached.
        """
        held: list[set[int]] = []
        away: ServingError | None = None
        for client in self._clients:
            try:
                statuses = await client.model_status(model, timeout_s=timeout_s)
            except ServerUnavailableError as error:
                away = error
            else:
                held.append({status.version for status in statuses if status.available})
        if away and not held:
            raise away
        return held[0].intersection(*held[1:]) if held else set()

    async def states(self, model: str, timeout_s: float) -> dict[str, dict[int, str]]:
        """What each server says of the versions of a model, by its address; nothing if it does not answer."""
        found: dict[str, dict[int, str]] = {}
        for client in self._clients:
            try:
                statuses = await client.model_status(model, timeout_s=timeout_s)
            except ServingError:
                statuses = []
            found[client.target] = {status.version: status.state for status in statuses}
        return found

    async def close(self) -> None:
        """Closes the channels."""
        for client in self._clients:
            await client.close()

    def _in_turn(self) -> list[int]:
        """The servers in the order in which a call tries them."""
        if not self._clients:
            raise ServerUnavailableError(grpc.StatusCode.UNAVAILABLE, "expected a model server, there is none")
        first, now_s = next(self._turns), time.perf_counter()
        numbers = [*range(first, len(self._clients)), *range(first)]
        return sorted(numbers, key=lambda number: self._back_s[number] > now_s)
