"""Measures OnAir on this machine: Recommend, overload, logs, live index, replay's rate, start-up and memory.

Run it on a quiet machine. Each part also runs alone; all of them take about ten minutes.

Examples:
  python -m tests.benchmarks
  python -m tests.benchmarks recommend --json recommend.json
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.benchmarks import (
    beside,
    channels,
    index,
    logs,
    observed,
    overload,
    recommend,
    replay,
    served,
    start,
    stores,
    visible,
)
from tests.benchmarks.table import lines

Part = Callable[[Path, Callable[[str], None]], Any]

PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "recommend": lambda folder, tell: recommend.measure(recommend.Plan(), folder, tell),
        "overload": lambda folder, tell: overload.measure(overload.Plan(), folder, tell),
        "served": lambda folder, tell: served.measure(beside.Plan(), folder, tell),
        "observed": lambda folder, tell: observed.measure(beside.Plan(), folder, tell),
        "index": lambda _, tell: index.measure(index.Plan(), tell),
        "channels": lambda folder, tell: channels.measure(channels.Plan(), folder, tell),
        "replay": lambda _, tell: replay.measure(replay.Plan(), tell),
        "start": lambda folder, tell: start.measure(start.Plan(), folder, tell),
        "stores": lambda folder, tell: stores.measure(stores.Plan(), folder, tell),
        "logs": lambda folder, tell: logs.measure(logs.Plan(), folder, tell),
        "visible": lambda folder, tell: visible.measure(visible.Plan(), folder, tell),
    }
)
"""The parts by name; each answers with numbers for JSON."""

PACKAGES = ("numpy", "grpcio", "protobuf", "tensorflow-cpu", "tensorflow")


def main(arguments: Sequence[str]) -> int:
    """Measures the parts that were asked for, prints a table, and writes JSON."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers here")
    given = parser.parse_args(arguments)
    for name in given.parts:
        if name not in PARTS:
            parser.error(f"part: expected one of {', '.join(PARTS)}, received {name!r}")
    numbers: dict[str, Any] = {"machine": machine()}
    for name in given.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix=f"onair-{name}-") as folder:
            numbers[name] = PARTS[name](Path(folder), _tell)
    if given.json:
        given.json.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(lines(numbers)) + "\n")
    return 0


def machine() -> dict[str, Any]:
    """What the numbers depend on; the load average says whether the machine was quiet."""
    return {
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "processor": _processor(),
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str:
    try:
        return version(package)
    except ModuleNotFoundError:
        return ""


def _tell(text: str) -> None:
    sys.stderr.write(f"{text} …\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
