"""Measures Predict with ready bytes, at several numbers of clients.

Example: python -m serving bench --model mmoe --clients 1,8,32 --candidates 500
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from serving import contract
from serving.bench import Level, measure, synthetic_request
from serving.client import ModelServerClient
from serving.commands.arguments import add_target, positive, tls_of, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_target(parser)
    parser.add_argument("--model", required=True, help="name of the model")
    parser.add_argument("--signature", default=contract.SERVING_DEFAULT, help="default serving_default")
    parser.add_argument("--candidates", type=whole, default=500, help="rows of the candidate tensors (default 500)")
    parser.add_argument("--clients", type=_numbers, default=[1, 8, 32], help="asking at once (default 1,8,32)")
    parser.add_argument("--seconds", type=positive, default=5, help="per number of clients (default 5)")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(arguments: argparse.Namespace) -> int:
    """Prints latency and rate per number of clients."""
    version, request_bytes, levels = asyncio.run(_measure(arguments))
    if arguments.json:
        result = {"model": arguments.model, "version": version, "request_bytes": request_bytes}
        sys.stdout.write(json.dumps({**result, "levels": [asdict(level) for level in levels]}, indent=2) + "\n")
        return 0
    sys.stdout.write(f"{arguments.model} version {version}, {request_bytes:,} bytes a request\n")
    sys.stdout.write("clients     p50 ms     p99 ms   requests/s\n")
    for level in levels:
        sys.stdout.write(f"{level.clients:>7} {level.p50_ms:>10.2f} {level.p99_ms:>10.2f} {level.rate:>12.0f}\n")
    return 0


async def _measure(arguments: argparse.Namespace) -> tuple[int, int, list[Level]]:
    credentials = tls_of(arguments)
    async with ModelServerClient(arguments.target, credentials=credentials) as client:
        metadata = await client.metadata(arguments.model)
    request = synthetic_request(metadata, arguments.signature, arguments.candidates).SerializeToString()
    levels = [
        await measure(arguments.target, [request], clients=clients, seconds=arguments.seconds, credentials=credentials)
        for clients in arguments.clients
    ]
    return metadata.version, len(request), levels


def _numbers(text: str) -> list[int]:
    numbers = [int(part) if part.isdecimal() else 0 for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of clients such as 1,8,32, received {text!r}")
    return numbers
