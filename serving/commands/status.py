"""Shows every version of the models and its state; the exit status is 1 where a model has none available."""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from serving import model_list
from serving.client import ModelServerClient, VersionStatus
from serving.commands.arguments import add_config, add_target, tls_of
from serving.credentials import Credentials
from serving.errors import ModelNotFoundError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the verb's arguments."""
    add_target(parser)
    add_config(parser)
    parser.add_argument("--model", action="append", help="may be repeated (default: the models of the config)")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(arguments: argparse.Namespace) -> int:
    """Prints the states."""
    names = arguments.model or model_list.model_names(model_list.read_model_list(arguments.config))
    models = asyncio.run(_statuses(arguments.target, tls_of(arguments), names))
    sys.stdout.write(_as_json(models) if arguments.json else _as_text(models))
    return 0 if all(any(version.available for version in versions) for versions in models.values()) else 1


async def _statuses(target: str, credentials: Credentials, names: Sequence[str]) -> dict[str, list[VersionStatus]]:
    models: dict[str, list[VersionStatus]] = {}
    async with ModelServerClient(target, credentials=credentials) as client:
        for name in names:
            try:
                models[name] = await client.model_status(name)
            except ModelNotFoundError:
                models[name] = []
    return models


def _as_json(models: Mapping[str, Sequence[VersionStatus]]) -> str:
    listed = {
        name: [{**asdict(version), "code": version.code.name} for version in versions]
        for name, versions in models.items()
    }
    return json.dumps(listed, indent=2) + "\n"


def _as_text(models: Mapping[str, Sequence[VersionStatus]]) -> str:
    lines: list[str] = []
    for name, versions in models.items():
        for version in versions:
            reason = f"  {version.code.name}: {' '.join(version.message.split())}" if version.message else ""
            lines.append(f"{name:<16} {version.version:>12}  {version.state}{reason}\n")
        if not versions:
            lines.append(f"{name:<16} {'-':>12}  unknown to the server\n")
    return "".join(lines)
