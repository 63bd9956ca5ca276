"""Write the event log of a simulated platform with known ground truth.

Viewers with tastes that drift, streamers with schedules, moments that heat a room up, position bias, delayed gifts and
follows. The same arguments give the same events. An effect can be turned off: a world where a claim must find nothing.

Examples:
  python -m training simulate --log run/log
  python -m training simulate --log big/log --users 100000 --streamers 20000 --days 7 --update-minutes 10
  python -m training simulate --log null/log --without content --without realtime
"""

import argparse
from dataclasses import asdict, fields, replace

from training.commands.answer import answer
from training.commands.progress import counter
from training.data.simulation.settings import DAY_MS, Effects, SimulationSettings
from training.data.simulator import simulate_log

_DEFAULTS = SimulationSettings()
_EFFECTS = tuple(field.name for field in fields(Effects))
_HOUR_MS = DAY_MS // 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--log", required=True, help="URI of a directory without a log: a path, hdfs:// or s3://")
    for name, kind, text in (
        ("users", int, "viewers"),
        ("streamers", int, "streamers, newcomers included"),
        ("days", float, "length of the log"),
        ("seed", int, "same seed, same events"),
        ("update_minutes", int, "how often a room renews its lease; more for large worlds"),
        ("slate_size", int, "rooms in a slate"),
        ("content_width", int, "length of the content vectors"),
    ):
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=getattr(_DEFAULTS, name), help=f"{text} (default %(default)s)")
    parser.add_argument(
        "--without", action="append", default=[], choices=_EFFECTS, help="turn an effect off; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, and no progress")


def run(arguments: argparse.Namespace) -> int:
    """Simulates."""
    settings = SimulationSettings(
        users=arguments.users,
        streamers=arguments.streamers,
        days=arguments.days,
        seed=arguments.seed,
        update_minutes=arguments.update_minutes,
        slate_size=arguments.slate_size,
        content_width=arguments.content_width,
        effects=replace(Effects(), **dict.fromkeys(arguments.without, False)),
    )
    with counter("simulated hours", int(settings.days * 24), quiet=arguments.json) as count:
        about = simulate_log(
            settings, arguments.log, on_time=lambda now_ms: count((now_ms - settings.start_ms) // _HOUR_MS)
        )
    answer({"log": arguments.log, **asdict(about)}, as_json=arguments.json)
    return 0
