"""Measures how fast we train beside the peers, on the same arrays, in turns; run it on a quiet machine.

Examples:
  python -m tests.benchmarks.training
  python -m tests.benchmarks.training mmoe --rounds 5 --json mmoe.json
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.benchmarks.__main__ import machine
from tests.benchmarks.training.arrays import Task, write
from tests.benchmarks.training.turns import PEERS, TrainerError, lines, measure, peers_of

_DIN: dict[str, Any] = {"model": "din", "sparse": 2, "length": 50, "layers": (256, 128), "attention": (80, 40)}

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "deepfm": Task(model="deepfm", sparse=26, dense=13, layers=(400, 400, 400), batches=16),
        "mmoe": Task(model="mmoe", sparse=40, tasks=8, experts=8, layers=(256, 128), tower=(64,)),
        "din": Task(**_DIN, real=(50, 50)),
        "din_half": Task(**_DIN, real=(1, 50)),
    }
)
"""What is trained. In `din` no history has padding, in `din_half` half of the steps are."""


def main(arguments: Sequence[str]) -> int:
    """Measures the tasks that were asked for, prints a table, and writes JSON."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"any of {', '.join(TASKS)}; default: all")
    parser.add_argument("--environments", type=Path, default=Path(".peers"), metavar="DIR", help="the peers' (.peers)")
    parser.add_argument("--peer", action="append", choices=PEERS, help="only this one; may be repeated")
    parser.add_argument("--rounds", type=int, default=9, help="pairs of blocks with each peer (9)")
    parser.add_argument("--seed", type=int, default=1, help="of the arrays (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    given = parser.parse_args(arguments)
    for name in given.tasks:
        if name not in TASKS:
            parser.error(f"task: expected one of {', '.join(TASKS)}, received {name!r}")
    found: dict[str, Any] = {}
    for name in given.tasks or TASKS:
        task = TASKS[name]
        peers = [peer for peer in peers_of(task) if not given.peer or peer in given.peer]
        with tempfile.TemporaryDirectory(prefix=f"onair-{name}-") as folder:
            write(Path(folder), task, given.seed)
            try:
                found[name] = measure(
                    task, Path(folder), given.environments, rounds=given.rounds, peers=peers, tell=_tell
                )
            except TrainerError as error:
                parser.exit(1, f"{error}\n")
    about = machine()
    if given.json:
        given.json.write_text(json.dumps({"machine": about, "tasks": found}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join([", ".join(f"{key} {value}" for key, value in about.items()), "", *lines(found)]) + "\n")
    return 0


def _tell(text: str) -> None:
    sys.stderr.write(f"{text} …\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
