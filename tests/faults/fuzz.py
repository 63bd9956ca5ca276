"""Sends requests that nobody should send to a real service, and watches what it answers and what they cost.

Example:
  python -m tests.faults.fuzz --requests 100000 --seed 0

Prints how many calls ended by each status, and the memory of the service on the way; the exit status is 1 when a call
ended in a way that is the service's own failure, its log holds what it must not, or it does not answer any more.
"""

import argparse
import asyncio
import json
import random
import socket
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from feature_service.access.scopes import Scope
from feature_service.access.tokens import digest_of, new_token
from protos.onair.v1 import recommendation_pb2 as pb
from tests.faults.hostile_requests import MARK, hostile_request
from tests.stack.service_process import ServiceProcess

CALLERS = 16
PATIENCE_S = 60.0
CONNECTIONS = 50
"""Raw connections that send noise instead of HTTP/2, at the beginning."""

EXPECTED = frozenset(
    {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""How such calls may end: the caller's mistake, or an answer. Any other is the service's failure."""


@dataclass(slots=True)
class Outcome:
    """What came of the requests.

    Attributes:
        statuses: Calls by kind of request and status.
        unexpected: The first requests that ended as none may, as method, kind and words.
        resident_mb: Memory of the service after each tenth of the requests.
        answers: Whether a usual request is answered afterwards.
        spilled: What of tokens and ids the log holds.
        seconds: How long the requests took.
    """

    statuses: Counter[tuple[str, str]] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)
    answers: bool = False
    spilled: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the service held."""
        return self.answers and not self.unexpected and not self.spilled


async def fuzz(folder: Path, requests: int, seed: int) -> Outcome:
    """Starts a service with tokens, and sends it hostile requests, some without a token or with a wrong one."""
    token, looker = new_token(), new_token()
    tokens = folder / "tokens.toml"
    tokens.write_text(_entry("all", token, list(Scope)) + _entry("looker", looker, ["explain"]))
    settings = f'[access]\ntokens = "{tokens}"\n[service]\ncontent_width = 2\n'
    outcome, chance = Outcome(), random.Random(seed)  # noqa: S311 (no secret comes of it)
    with ServiceProcess(folder, settings=settings) as process:
        _connect_and_babble(process.target, chance)
        signed = {token: 0.9, looker: 0.05, "onair_wrong": 0.025, "": 0.025}
        started_s = time.perf_counter()
        for part in range(10):
            share = requests * (part + 1) // 10 - requests * part // 10
            await _send(process.target, share, list(signed), list(signed.values()), chance, outcome)
            outcome.resident_mb.append(_resident_mb(process.pid))
        outcome.seconds = time.perf_counter() - started_s
        outcome.answers = await _answers(process.target, token)
        outcome.spilled = [word for word in (token, looker, MARK) if word in process.log]
    return outcome


async def _send(
    target: str, requests: int, tokens: list[str], weights: list[float], chance: random.Random, outcome: Outcome
) -> None:
    left = iter(range(requests))

    async def call_on() -> None:
        async with grpc.aio.insecure_channel(target) as channel:
            for _ in left:
                sent, token = hostile_request(chance), chance.choices(tokens, weights)[0]
                code, words = await _call(channel, sent.method, sent.message, token)
                outcome.statuses[sent.kind, code.name] += 1
                if code not in EXPECTED and len(outcome.unexpected) < 10:
                    outcome.unexpected.append(
                        f"{sent.method} ({sent.kind}): {code.name}: {words}: {sent.message[:200]}"
                    )

    await asyncio.gather(*(call_on() for _ in range(CALLERS)))


async def _call(channel: grpc.aio.Channel, method: str, message: bytes, token: str) -> tuple[grpc.StatusCode, str]:
    call: Any = channel.unary_unary(f"/onair.v1.RecommendationService/{method}")
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    try:
        await call(message, timeout=PATIENCE_S, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


async def _answers(target: str, token: str) -> bool:
    async with grpc.aio.insecure_channel(target) as channel:
        usual = pb.RecommendRequest(user_id="viewer", k=5).SerializeToString()
        return await _call(channel, "Recommend", usual, token) == (grpc.StatusCode.OK, "")


def _connect_and_babble(target: str, chance: random.Random) -> None:
    """Sends what is no HTTP/2, or stops being it after the preface."""
    host, _, port = target.rpartition(":")
    for place in range(CONNECTIONS):
        preface = (b"", b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")[place % 3]
        with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
            connection.sendall(preface + chance.randbytes(chance.randrange(1_000)))


def _entry(name: str, token: str, scopes: list[str]) -> str:
    return f'[[token]]\nname = "{name}"\nsha256 = "{digest_of(token).hex()}"\nscopes = {json.dumps(scopes)}\n'


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(fuzz(Path(folder), arguments.requests, arguments.seed))
    lines = [f"{arguments.requests:,} requests in {outcome.seconds:.0f} s"]
    lines += [f"  {kind:<8} {status:<20} {count:>8,}" for (kind, status), count in sorted(outcome.statuses.items())]
    lines += ["resident, MB, after each tenth: " + " ".join(f"{each:.0f}" for each in outcome.resident_mb)]
    lines += [f"a usual request is answered: {'yes' if outcome.answers else 'NO'}"]
    lines += [f"tokens and ids in the log: {', '.join(outcome.spilled) or 'none'}"]
    lines += [f"UNEXPECTED {each}" for each in outcome.unexpected]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
