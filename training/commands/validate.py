"""Check an event log: ids, times, amounts, order, repeated event ids, shards that cannot be read.

Every finding names the file, the row, the field and the reason; the rest is still checked. The exit status is 1 when
there is one.

Examples:
  python -m training validate --log run/log
  python -m training validate --log s3://bucket/log --json
"""

import argparse
import sys
import time
from dataclasses import asdict

from training.commands.answer import answer
from training.commands.progress import counter
from training.data.about import read_about
from training.data.validate import Finding, validate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--log", required=True, help="URI of the event log")
    parser.add_argument("--limit", type=int, default=100, help="findings shown; all are counted (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object, and no progress")


def run(arguments: argparse.Namespace) -> int:
    """Validates."""
    shown: list[Finding] = []
    findings = 0
    about = read_about(arguments.log)
    with counter("events", about.events if about else None, quiet=arguments.json) as count:
        checked = validate(arguments.log, now_ms=int(time.time() * 1000), on_rows=count)
        for finding in checked:
            findings += 1
            if findings <= arguments.limit:
                shown.append(finding)
    totals: dict[str, object] = {"files": checked.files, "rows": checked.rows, "findings": findings}
    if arguments.json:
        answer({**totals, "shown": [asdict(finding) for finding in shown]}, as_json=True)
    else:
        sys.stdout.writelines(f"{finding}\n" for finding in shown)
        answer(totals, as_json=False)
    return int(findings > 0)
