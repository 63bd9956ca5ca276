"""The load: a number of clients in a closed loop, each asking again as soon as it has its answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

Ask = Callable[[int], Awaitable[None]]
"""Asks once, and waits for the answer; the number tells requests apart."""

_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Latency:
    """What one number of clients met.

    Attributes:
        clients: How many asked at once.
        requests: How many answers there were, in all rounds.
        p50_ms: Median of the rounds' median latencies.
        p99_ms: Median of the rounds' 99th percentiles.
        rate: Median of the rounds' answers per second.
    """

    clients: int
    requests: int
    p50_ms: float
    p99_ms: float
    rate: float


async def alternated(asks: Sequence[Ask], *, clients: int, rounds: int, seconds: float) -> list[Latency]:
    """Measures several things in turns, so that whatever else the machine does meets all of them.

    Args:
        asks: What to measure.
        clients: How many ask at once.
        rounds: Turns of each.
        seconds: Length of a turn.

    Returns:
        What each of them showed.
    """
    turns: list[list[list[float]]] = [[] for _ in asks]
    for ask in asks:
        for number in range(_WARM_UP):
            await ask(number)
    for turn in range(rounds):
        for ask, taken in zip(asks, turns, strict=True):
            taken.append(await _turn(ask, clients, seconds, first=turn * 10_000))
    return [_latency(taken, clients, seconds) for taken in turns]


async def _turn(ask: Ask, clients: int, seconds: float, *, first: int) -> list[float]:
    """The latencies of one turn, seconds."""
    latencies_s: list[float] = []
    end_s = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while (sent_s := time.perf_counter()) < end_s:
            await ask(number)
            latencies_s.append(time.perf_counter() - sent_s)
            number += clients

    await asyncio.gather(*(client(first + place) for place in range(clients)))
    return latencies_s


def _latency(turns: list[list[float]], clients: int, seconds: float) -> Latency:
    p50_ms, p99_ms = (float(np.median([np.percentile(turn, q) for turn in turns])) * 1000 for q in (50, 99))
    rate = float(np.median([len(turn) for turn in turns])) / seconds
    return Latency(clients, sum(map(len, turns)), p50_ms, p99_ms, rate)
