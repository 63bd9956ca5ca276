"""`python -m serving`: runs a model server, waits for models, shows their states, measures Predict."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from serving import contract, model_list
from serving.bench import Level, measure, synthetic_request
from serving.client import ModelServerClient, VersionStatus
from serving.errors import LaunchError, ModelNotFoundError, ServingError
from serving.launch import Flag, exec_model_server
from serving.readiness import wait_until_available

DEFAULT_TARGET = "127.0.0.1:8500"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status: 0, 1 for a failure (one line on stderr), 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ServingError, LaunchError, ValueError, OSError) as error:
        sys.stderr.write(" ".join(str(error).split()) + "\n")
        return 1
    except KeyboardInterrupt:
        return 130


def up(options: argparse.Namespace) -> int:
    """Becomes a model server in the foreground."""
    config = options.config
    if options.models:
        config = model_list.write_model_list(options.models, source=config)
    model_list.read_model_list(config)
    flags: dict[str, Flag] = {"port": options.port, "model_config_file": config.resolve()}
    if options.rest_port:
        flags["rest_api_port"] = options.rest_port
    for flag in options.flag:
        name, equals, value = flag.lstrip("-").partition("=")
        if not name or not equals:
            raise ValueError(f"--flag {flag}: expected NAME=VALUE")
        flags[name] = value
    exec_model_server(flags)
    return 0


def wait(options: argparse.Namespace) -> int:
    """Waits until the models named are available."""

    async def run() -> list[str]:
        async with ModelServerClient(options.target) as client, asyncio.TaskGroup() as group:
            waits = [
                group.create_task(_wait_for(client, name, version, options.timeout)) for name, version in options.model
            ]
        return [wait.result() for wait in waits]

    try:
        sys.stdout.write("".join(f"{line}\n" for line in asyncio.run(run())))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return 0


def status(options: argparse.Namespace) -> int:
    """Prints every version of the models; 1 where a model has none available."""
    names = options.model or model_list.model_names(model_list.read_model_list(options.config))

    async def run() -> dict[str, list[VersionStatus]]:
        async with ModelServerClient(options.target) as client:
            return {name: await _versions(client, name) for name in names}

    models = asyncio.run(run())
    if options.json:
        listed = {
            name: [{**asdict(version), "code": version.code.name} for version in versions]
            for name, versions in models.items()
        }
        sys.stdout.write(json.dumps(listed, indent=2) + "\n")
    else:
        for name, versions in models.items():
            for version in versions:
                reason = f"  {version.code.name}: {version.message}" if version.message else ""
                sys.stdout.write(f"{name:<16} {version.version:>12}  {version.state}{reason}\n")
            if not versions:
                sys.stdout.write(f"{name:<16} {'-':>12}  unknown to the server\n")
    return 0 if all(any(version.available for version in versions) for versions in models.values()) else 1


def bench(options: argparse.Namespace) -> int:
    """Measures Predict with ready bytes at several numbers of clients."""

    async def run() -> tuple[int, int, list[Level]]:
        async with ModelServerClient(options.target) as client:
            metadata = await client.metadata(options.model)
        request = synthetic_request(metadata, options.signature, options.candidates).SerializeToString()
        levels = [
            await measure(options.target, [request], clients=clients, seconds=options.seconds)
            for clients in options.clients
        ]
        return metadata.version, len(request), levels

    version, request_bytes, levels = asyncio.run(run())
    if options.json:
        result = {"model": options.model, "version": version, "request_bytes": request_bytes}
        sys.stdout.write(json.dumps({**result, "levels": [asdict(level) for level in levels]}, indent=2) + "\n")
        return 0
    sys.stdout.write(f"{options.model} version {version}, {request_bytes:,} bytes a request\n")
    sys.stdout.write("clients     p50 ms     p99 ms   requests/s\n")
    for level in levels:
        sys.stdout.write(f"{level.clients:>7} {level.p50_ms:>10.2f} {level.p99_ms:>10.2f} {level.rate:>12.0f}\n")
    return 0


async def _wait_for(client: ModelServerClient, name: str, version: int | None, timeout_s: float) -> str:
    available = await wait_until_available(client, name, version, timeout_s=timeout_s)
    return f"{name} {available} AVAILABLE"


async def _versions(client: ModelServerClient, name: str) -> list[VersionStatus]:
    try:
        return await client.model_status(name)
    except ModelNotFoundError:
        return []


def _model_version(text: str) -> tuple[str, int | None]:
    name, equals, version = text.partition("=")
    if not name or (equals and not version.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected NAME or NAME=VERSION, received {text!r}")
    return name, int(version) if equals else None


def _numbers(text: str) -> list[int]:
    numbers = [int(part) if part.isdecimal() else 0 for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of clients such as 1,8,32, received {text!r}")
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    target = argparse.ArgumentParser(add_help=False)
    target.add_argument("--target", default=DEFAULT_TARGET, help=f"gRPC address (default {DEFAULT_TARGET})")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "--config", type=Path, default=model_list.CONFIG_PATH, help="model list (default serving/config/models.config)"
    )
    _add_up(
        verbs.add_parser(
            "up",
            parents=[config],
            help="run a model server in the foreground",
            description="Becomes tensorflow_model_server where TF_MODEL_SERVER or PATH has one, else the embedded one.",
            epilog="Example: python -m serving up --models /srv/models --port 8500 --rest-port 8501",
        )
    )
    _add_wait(
        verbs.add_parser(
            "wait",
            parents=[target],
            help="wait until models are available",
            epilog="Example: python -m serving wait --model two_tower=3 --model mmoe --timeout 60",
        )
    )
    _add_status(verbs.add_parser("status", parents=[target, config], help="show the models' versions and states"))
    _add_bench(
        verbs.add_parser(
            "bench",
            parents=[target],
            help="measure Predict with ready bytes",
            epilog="Example: python -m serving bench --model mmoe --clients 1,8,32 --candidates 500",
        )
    )
    return parser


def _add_up(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(run=up)
    verb.add_argument("--models", type=Path, help="models directory: the config's /models paths are moved there")
    verb.add_argument("--port", type=int, default=8500, help="gRPC port (default 8500)")
    verb.add_argument("--rest-port", type=int, help="REST port (default: no REST API)")
    verb.add_argument("--flag", action="append", default=[], metavar="NAME=VALUE", help="a further flag of the server")


def _add_wait(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(run=wait)
    verb.add_argument(
        "--model", type=_model_version, action="append", required=True, metavar="NAME[=VERSION]", help="may be repeated"
    )
    verb.add_argument("--timeout", type=float, default=60, help="seconds (default 60)")


def _add_status(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(run=status)
    verb.add_argument("--model", action="append", help="may be repeated (default: the models of the config)")
    verb.add_argument("--json", action="store_true", help="for machines")


def _add_bench(verb: argparse.ArgumentParser) -> None:
    verb.set_defaults(run=bench)
    verb.add_argument("--model", required=True, help="name of the model")
    verb.add_argument("--signature", default=contract.SERVING_DEFAULT, help="default serving_default")
    verb.add_argument("--candidates", type=int, default=500, help="rows of the candidate tensors (default 500)")
    verb.add_argument("--clients", type=_numbers, default=[1, 8, 32], help="asking at once (default 1,8,32)")
    verb.add_argument("--seconds", type=float, default=5, help="per number of clients (default 5)")
    verb.add_argument("--json", action="store_true", help="for machines")


if __name__ == "__main__":
    sys.exit(main())
