"""Ask how recall treats streamers whom nobody has met, and what the contents of their rooms have to do with it.

Simulates worlds, a seed a world, and ranks the rooms of streamers whom nobody had entered before the test part began:
by the two-tower, by one that cannot see titles and content vectors, and by hot, fresh and popularity. With --without
content the contents of a world are noise: none may then be found to help. What is finished in the work folder is taken
as it is.

Examples:
  python -m training cold-start --work run/cold
  python -m training cold-start --work run/cold-null --without content
"""

import argparse
import json
from dataclasses import asdict, fields, replace
from pathlib import Path

from serving.verbs import UserError
from training.commands.local_paths import local_paths
from training.commands.progress import steps
from training.compare.cold_start_worlds import cold_start, cold_start_tables
from training.data.simulation.settings import Effects, SimulationSettings
from training.report import print_tables, table_console
from training.run_config import load_config
from training.storage import place

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "two_tower.toml"
_DEFAULTS = SimulationSettings()
_EFFECTS = tuple(field.name for field in fields(Effects))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--work", type=place, required=True, help="folder of logs, samples and training runs")
    parser.add_argument("--config", type=place, default=CONFIG, help="the two-tower's run, TOML; default the demo's")
    parser.add_argument("--worlds", type=int, default=6, help="how many, a seed each (default %(default)s)")
    for name, text in (
        ("users", "viewers"),
        ("streamers", "streamers, newcomers included"),
        ("days", "length of logs"),
    ):
        default = getattr(_DEFAULTS, name)
        flag, kind = f"--{name}", type(default)
        parser.add_argument(flag, type=kind, default=default, help=f"{text} of a world (default %(default)s)")
    parser.add_argument("--without", action="append", default=[], choices=_EFFECTS, help="an effect to turn off")
    parser.add_argument("--json", type=place, metavar="FILE", help="write all numbers there")


@local_paths(read=("config",), write=("json",), keep=("work",))
def run(arguments: argparse.Namespace) -> int:
    """Compares, and prints the tables."""
    if arguments.worlds < 1:
        raise UserError(f"--worlds: expected a number above 0, received {arguments.worlds}")
    effects = replace(Effects(), **dict.fromkeys(arguments.without, False))
    worlds = [
        SimulationSettings(
            users=arguments.users, streamers=arguments.streamers, days=arguments.days, seed=seed, effects=effects
        )
        for seed in range(1, 1 + arguments.worlds)
    ]
    with steps() as on_step:
        found = cold_start(worlds, load_config(arguments.config), arguments.work, on_step)
    cases, streamers = sum(found.cases), sum(found.streamers)
    note = f"{cases} cases of {streamers} streamers in {len(worlds)} worlds; 95 % intervals, streamers resampled."
    print_tables(table_console(), cold_start_tables(found), [note])
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    return 0
