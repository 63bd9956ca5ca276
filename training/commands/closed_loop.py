"""Let the running stack serve simulated viewers, who react, and compare it with popularity and with an oracle.

Simulates a history by the platform's own policy, trains and publishes on it the models that the settings use, and
starts the stack. From then on each viewer belongs to an arm: popularity, the oracle (the watch time to expect, which
only the simulator knows), or the stack; arms of the settings (`[arms]`) are told apart. Whom slates leave content asks
more often. What is finished in the work folder is taken as it is, but the loop itself.

With --hourly, half of the stack's viewers are an arm whose ranker goes on every simulated hour: `worker` makes samples
of the service's logs, `run --incremental` takes a step, and the service takes up the version. The others keep the
ranker that was trained before the loop.

Examples:
  python -m training closed-loop --work run/loop
  python -m training closed-loop --work run/loop --hours 12 --settings more-gifts.toml --json loop.json
  python -m training closed-loop --work run/loop --hourly --users 4000
"""

import argparse
import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from feature_service import settings
from feature_service.scenes import arm_of
from serving.commands.arguments import local_path
from serving.launch import start_model_server
from serving.verbs import UserError
from training.closed_loop.history import History, assign, fresh_service_data, live_through, loop_world
from training.closed_loop.hourly import ARM, HourlyRanker, served_name, with_hourly_arm
from training.closed_loop.loop import Loop, Outcomes
from training.closed_loop.measures import MEASURES, ArmMeasure, Comparison, compare_measures, values_of
from training.closed_loop.policies import oracle
from training.closed_loop.stack import Clock, served
from training.commands.demo import verb
from training.commands.local_paths import local_paths
from training.commands.progress import counter
from training.compare.recall import CONFIGS
from training.data.samples_io import read_sample_about
from training.data.simulation.identity import user_id
from training.data.simulation.people import Ints
from training.data.simulation.settings import DAY_MS, Effects, SimulationSettings
from training.demo import DemoFolders, models_for, write_models_config
from training.report import print_tables, table_console
from training.report_tables import ReportTable
from training.run_config import load_config
from training.storage import place
from training.trained import RUN_FILE

POPULARITY, ORACLE, STACK = "popularity", "oracle", "onair"
_HOURLY = f"{STACK} {ARM}"
_DEFAULTS = SimulationSettings(days=2.0)
_EFFECTS = tuple(field.name for field in fields(Effects))
_TITLES: dict[str, str] = dict(
    zip(MEASURES, ("watched, s", "worth", "gifts, coins", "slates", "came back"), strict=True)
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--work", type=local_path, required=True, help="folder of the log, models and runs")
    parser.add_argument("--hours", type=float, default=24.0, help="length of the loop (default %(default)s)")
    parser.add_argument("--settings", type=place, help="settings of the service; default those of the sample set")
    for name, kind, text in (
        ("users", int, "viewers"),
        ("streamers", int, "streamers, newcomers included"),
        ("days", float, "length of the history"),
        ("seed", int, "same seed, same world"),
    ):
        default = getattr(_DEFAULTS, name)
        parser.add_argument(f"--{name}", type=kind, default=default, help=f"{text} (default %(default)s)")
    parser.add_argument("--hourly", action="store_true", help="an arm whose ranker goes on every simulated hour")
    parser.add_argument("--without", action="append", default=[], choices=_EFFECTS, help="an effect to turn off")
    parser.add_argument("--json", type=place, metavar="FILE", help="write all numbers there")


@local_paths(read=("settings",), write=("json",))
def run(arguments: argparse.Namespace) -> int:
    """Runs the loop, and prints the table."""
    if not arguments.hours > 0:
        raise UserError(f"--hours: expected a number above 0, received {arguments.hours}")
    minutes = round(arguments.hours * 60)
    effects = replace(Effects(), **dict.fromkeys(arguments.without, False))
    base = SimulationSettings(arguments.users, arguments.streamers, arguments.days, arguments.seed, effects=effects)
    world, folders = loop_world(base, minutes), DemoFolders(arguments.work)
    folders.root.mkdir(parents=True, exist_ok=True)
    with counter("simulated hours", round(24 * arguments.days)) as count:
        told = _hours(count, world.start_ms)
        history = live_through(world, arguments.days, folders, told)
    if not (folders.samples / "about.json").exists():
        verb("replay", "--log", str(folders.log), "--samples", str(folders.samples))
    settings_file, hourly = arguments.settings or folders.samples / "settings.toml", None
    base_paths = {name: folders.models / name for name in _train(folders, settings.load(settings_file))}
    fresh_service_data(folders)
    if arguments.hourly:
        settings_file, hourly = _hourly(settings_file, folders, world.start_ms + history.simulation.now_ms)
        base_paths[served_name(hourly.base_path.name)] = hourly.base_path
    write_models_config(base_paths, folders.root / "models.config")
    with counter("minutes of the loop", minutes) as count:
        found = asyncio.run(_loop(history, minutes, folders, settings_file, hourly, count))
    print_tables(table_console(), [_table(found)], _notes(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
    return 0


def _hours(count: Callable[[int], None], start_ms: int) -> Callable[[int], None]:
    return lambda now_ms: count((now_ms - start_ms) * 24 // DAY_MS)


def _train(folders: DemoFolders, found: settings.Settings) -> list[str]:
    """Trains and publishes what some scene uses and is not published yet; returns the models' names."""
    used = {name for scene in found.all_scenes for name in (*scene.channels, scene.ranker)}
    models = [name for name in models_for(read_sample_about(folders.samples).heads) if name in used]
    missing = [name for name in models if not (folders.models / name).exists()]
    if missing:
        places = ["--samples", str(folders.samples), "--work", str(folders.training), "--models", str(folders.models)]
        verb("run", *places, *(f"--model={name}" for name in missing))
    return models


def _hourly(settings_file: Path, folders: DemoFolders, now_ms: int) -> tuple[Path, HourlyRanker]:
    """The settings with the arm, and its ranker."""
    path = folders.root / f"{ARM}.toml"
    ranker = with_hourly_arm(settings_file, path).scene("").ranker
    if not (folders.training / ranker / RUN_FILE).exists():
        raise UserError(f"--hourly: expected a ranker of the default scene in {folders.training}, received {ranker!r}")
    return path, HourlyRanker(load_config(CONFIGS / f"{ranker}.toml"), folders, now_ms)


async def _loop(
    history: History,
    minutes: int,
    folders: DemoFolders,
    settings_file: Path,
    hourly: HourlyRanker | None,
    count: Callable[[int], None],
) -> Comparison:
    simulation, config = history.simulation, folders.root / "models.config"
    world = simulation.world.settings
    names, arm = _arms(world, settings_file)
    outcomes = Outcomes.none(world.users)
    began_ms = simulation.now_ms
    with start_model_server({"model_config_file": config}, log_path=folders.root / "model_server.log") as server:
        clock = Clock(world.start_ms + began_ms)
        async with served(settings_file, folders.service, server.target, clock, simulation.room_ids) as stack:
            policies = dict.fromkeys(names, stack) | {POPULARITY: history.popularity, ORACLE: oracle}

            async def after_step(done: int) -> None:
                count(done)
                if hourly:
                    await hourly.keep_up(world.start_ms + simulation.now_ms, server.target, stack)

            await Loop(simulation, policies, arm, outcomes).run(minutes, stack, history.popularity, after_step)
    values, before = values_of(outcomes, began_ms + minutes * 45_000), values_of(history.before, 0)
    compared = partial(compare_measures, names, arm, values, before, bound=ORACLE)
    return Comparison(
        viewers={name: int((arm == number).sum()) for number, name in enumerate(names)},
        measures=compared(baseline=POPULARITY),
        short=stack.short,
        degraded=stack.degraded,
        hourly={name: arms[_HOURLY] for name, arms in compared(baseline=STACK).items()} if hourly else {},
        versions=tuple(hourly.versions) if hourly else (),
        refused=hourly.refused if hourly else 0,
    )


def _arms(world: SimulationSettings, settings_file: Path) -> tuple[list[str], Ints]:
    """The names of the arms, and the number of each viewer's; the settings' own arms part the stack's viewers.

    With an arm of the settings the stack has as many more viewers as popularity has.
    """
    declared = settings.load(settings_file).arms
    names = [POPULARITY, ORACLE, STACK, *(f"{STACK} {arm.name}" for arm in declared)]
    arm = np.minimum(assign(world.users, len(names), world.seed), names.index(STACK))
    for user in np.flatnonzero(arm == names.index(STACK)).tolist():
        if found := arm_of(declared, user_id(user)):
            arm[user] = names.index(f"{STACK} {found.name}")
    return names, arm


def _table(found: Comparison) -> ReportTable:
    arms = tuple(f"{name} ({viewers:,} viewers)" for name, viewers in found.viewers.items())
    header = ("", *arms, f"{_HOURLY} over {STACK}") if found.hourly else ("", *arms)
    rows: list[tuple[str, ...]] = []
    for measure, title in _TITLES.items():
        told = [f"{each.mean:.2f} {_gain(each)}" for each in found.measures[measure].values()]
        rows.append((title, *told, *([_gain(found.hourly[measure])] if found.hourly else [])))
    return ReportTable("Closed loop: means per viewer, and gains over popularity", (), header, tuple(rows), labels=1)


def _gain(measure: ArmMeasure) -> str:
    if measure.interval is None:
        return ""
    return f"{measure.gain:+.1%} [{measure.interval.low:+.1%}, {measure.interval.high:+.1%}]"


def _notes(found: Comparison) -> list[str]:
    reached = {name: each.reached for name, each in found.measures["watch_s"].items() if name.startswith(STACK)}
    way = ", ".join(f"{name} {share:.0%}" for name, share in reached.items())
    notes = [
        "95 % intervals, viewers resampled; what viewers did before the loop is taken off (CUPED).",
        f"Of the way from popularity to the oracle in watch time: {way}.",
        "Came back: asked for a slate in the last quarter of the loop. Slates: how often they asked in all.",
        "Worth: the watch time to expect of a slate's rooms, as a share of what the oracle's rooms have.",
        f"Slates of the stack that were short: {found.short}; that did without something: {found.degraded}.",
    ]
    if found.hourly:
        served = f"{STACK} {ARM} was served by versions {found.versions[0]} to {found.versions[-1]}"
        notes.append(f"{served} ({found.refused} steps refused), {STACK} by the first alone.")
    return notes
