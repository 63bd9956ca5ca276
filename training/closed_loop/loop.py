"""The loop: each viewer belongs to an arm, whose policy makes all slates that the viewer sees."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import numpy as np

from feature_service.features.events import Event, EventKind
from training.closed_loop.policies import Policy, Popularity, worth
from training.closed_loop.stack import Stack
from training.data.simulation.crowd import Asking
from training.data.simulation.people import Floats, Ints
from training.data.simulator import Simulation

OnStep = Callable[[int], Awaitable[None]]
"""Takes the minutes of the loop that are over; the next step waits for it."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What each viewer did, float64 [users] each.

    Attributes:
        slates: Slates asked for.
        worth: What they were worth in all, see `worth`.
        watch_s: Seconds watched of visits that ended.
        gifts: What gifts were worth.
        last_slate_ms: When the last slate was asked for, since the log's start; −1 = none was.
    """

    slates: Floats
    worth: Floats
    watch_s: Floats
    gifts: Floats
    last_slate_ms: Floats

    @classmethod
    def none(cls, users: int) -> "Outcomes":
        """Nothing yet."""
        return cls(np.zeros(users), np.zeros(users), np.zeros(users), np.zeros(users), np.full(users, -1.0))

    def learn(self, event: Event) -> None:
        """Adds what a viewer did."""
        if event.kind is EventKind.LEAVE:
            self.watch_s[_row(event)] += event.watch_ms / 1000
        elif event.kind is EventKind.GIFT:
            self.gifts[_row(event)] += event.gift_value

    def shown(self, asking: Asking, columns: Ints) -> None:
        """Counts slates, as columns of `Asking.live`, int64 [N, k]."""
        self.slates[asking.users] += 1
        self.worth[asking.users] += worth(asking, columns)
        self.last_slate_ms[asking.users] = asking.from_ms


class Loop:
    """A simulation whose viewers are served by the policies of their arms."""

    def __init__(self, simulation: Simulation, policies: Mapping[str, Policy], arm: Ints, outcomes: Outcomes) -> None:
        """Takes the parts.

        Args:
            simulation: As far as the history went.
            policies: By the name of the arm, in the order of `arm`.
            arm: Number of each viewer's arm, int64 [users].
            outcomes: Is filled in.
        """
        self._simulation = simulation
        self._policies = policies
        self._arm = arm
        self._outcomes = outcomes

    async def run(self, minutes: int, stack: Stack, popularity: Popularity, on_step: OnStep) -> None:
        """Goes on for so many minutes; the service learns of all that happens, whichever arm it comes from.

        Raises:
            StackError: The service refused an event.
            grpc.aio.AioRpcError: It did not answer.
        """
        started_ms, start_ms = self._simulation.now_ms, self._simulation.world.settings.start_ms
        while self._simulation.now_ms < started_ms + minutes * 60_000:
            events = await asyncio.to_thread(self._simulation.step, self._choose)
            await stack.report(events, start_ms + self._simulation.now_ms)
            for event in events:
                popularity.learn(event)
                self._outcomes.learn(event)
            await on_step((self._simulation.now_ms - started_ms) // 60_000)

    def _choose(self, asking: Asking) -> tuple[Ints, Floats]:
        """Slates of all viewers, each by the policy of the own arm; see `Chooser`."""
        k = min(asking.world.settings.slate_size, len(asking.live))
        columns = np.zeros((len(asking.users), k), np.int64)
        for number, policy in enumerate(self._policies.values()):
            rows = np.flatnonzero(self._arm[asking.users] == number)
            if len(rows):
                columns[rows] = policy(_part(asking, rows), k)
        self._outcomes.shown(asking, columns)
        return columns, np.zeros(columns.shape)


def _part(asking: Asking, rows: Ints) -> Asking:
    names = [asking.request_ids[row] for row in rows.tolist()]
    return Asking(
        asking.world, asking.users[rows], asking.live, asking.loyalty[rows], asking.from_ms, names, asking.rng
    )


def _row(event: Event) -> int:
    return int(event.user_id.rpartition("-")[2])
