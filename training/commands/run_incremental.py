"""What `run --incremental` does with its arguments."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from math import inf

from serving.commands.arguments import tls_of
from serving.verbs import UserError
from training.commands.erasures_argument import erased_by
from training.commands.progress import epochs
from training.data.errors import DataError
from training.incremental import Step, go_on
from training.run import Places
from training.run_config import RunConfig

_MINUTE_S = 60.0
_TOLD_DRIFTS = 3


def add_incremental_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what only incremental runs have."""
    parser.add_argument(
        "--incremental", action="store_true", help="go on from the last step in --work, or at first from --since"
    )
    parser.add_argument(
        "--most-drift",
        type=float,
        default=inf,
        metavar="PSI",
        help="incremental: refuse what has drifted more; no limit",
    )
    parser.add_argument("--every", type=float, metavar="MINUTES", help="take a step so often, until it is stopped")


def run_incremental(arguments: argparse.Namespace, configs: Sequence[RunConfig]) -> int:
    """Takes steps; the exit status is 1 if a model was refused or is not available."""
    if arguments.every is not None and not arguments.every > 0:
        raise UserError(f"--every: expected minutes above 0, received {arguments.every}")
    if arguments.every is None:
        went_well = [_step(arguments, config) for config in configs]
        return int(not all(went_well))
    while True:
        started_s = time.monotonic()
        for config in configs:
            try:
                _step(arguments, config)
            except DataError as error:  # The next round finds more, or reaches what could not be reached.
                sys.stderr.write(f"{config.model}: {error}\n")
        time.sleep(max(0.0, arguments.every * _MINUTE_S - (time.monotonic() - started_s)))


def _step(arguments: argparse.Namespace, config: RunConfig) -> bool:
    """Takes one step of a model; whether nothing went wrong."""
    places = Places(arguments.work, arguments.models, arguments.server, tls_of(arguments))
    since = arguments.since / config.model if arguments.since else None
    with epochs(config.model, quiet=arguments.json) as progress:
        step = go_on(config, arguments.samples, places, since, progress, arguments.most_drift, erased_by(arguments))
    lines = [json.dumps(_record(config, step))] if arguments.json else _lines(config, step)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    published = step.run.published if step else None
    return step is None or (step.run.decision.accepted and (published is None or published.available))


def _lines(config: RunConfig, step: Step | None) -> list[str]:
    if step is None:
        return [f"{config.model}: nothing new to learn from"]
    decision = step.run.decision
    said = [
        f"{step.model}: {step.slates:,} new slates in {step.folder}, {'accepted' if decision.accepted else 'refused'}"
    ]
    if step.before:
        gauc = {name: head.metrics["gauc"].value for name, head in step.before.heads.items() if "gauc" in head.metrics}
        told = ", ".join(f"{name} {value:.3f}" for name, value in gauc.items() if value is not None)
        said.append(f"  the model before, on slates new to it: GAUC {told or 'undefined'}")
    if step.drift:
        drifts = ", ".join(f"{each.spec.partition('@')[0]} {each.drift:.2f}" for each in step.drift[:_TOLD_DRIFTS])
        said.append(f"  drifted most: {drifts}")
    said += [f"  {line}" for line in (*decision.reasons, *decision.notes)]
    return said + [f"  {line}" for line in (step.run.published.lines() if step.run.published else [])]


def _record(config: RunConfig, step: Step | None) -> dict[str, object]:
    if step is None:
        return {"model": config.model, "slates": 0}
    published, before = step.run.published, step.before
    metrics = {name: head.metrics for name, head in before.heads.items()} if before else {}
    return {
        "model": step.model,
        "folder": str(step.folder),
        "slates": step.slates,
        "since_ms": step.since_ms,
        "accepted": step.run.decision.accepted,
        "reasons": step.run.decision.reasons,
        "version": published.manifest.version if published else None,
        "before": {name: {metric: each.value for metric, each in found.items()} for name, found in metrics.items()},
        "drift": {each.spec: each.drift for each in step.drift},
    }
