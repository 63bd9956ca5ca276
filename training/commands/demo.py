"""Run the main job on this machine: event log → samples → models → TensorFlow Serving → feature service → slates.

Without --log a platform is simulated. The log's last rooms are on air when it ends: the service starts with its clock
at that moment, so that an imported history of another year is served as it was then. Prints the slates of viewers with
different tastes, with reasons, and the evaluation beside popularity and random.

With --serve, what an earlier demo has made is served again, with its console, until Ctrl-C. Rooms go off air as their
leases end, within minutes of a simulated log: started again, it is the same moment again.

Examples:
  python -m training demo --out demo
  python -m training demo --out demo-twitch --log twitch/log
  python -m training demo --out demo --serve
"""

import argparse
import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from feature_service.client import FeatureServiceClient
from feature_service.commands.ask import slate_table
from protos.onair.v1 import recommendation_pb2 as pb
from serving.commands.arguments import local_path
from serving.verbs import UserError
from training.commands.fractions import add_fractions
from training.data.samples_io import read_sample_about
from training.demo import DemoFolders, models_for, running_stack, serve_console, typical_viewers

VIEWERS = 3
ASK_TIMEOUT_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "--out", type=local_path, required=True, help="the demo's folder; must not exist, but for --serve"
    )
    parser.add_argument("--log", help="URI of an event log of yours; default: a simulated one")
    add_fractions(parser)
    parser.add_argument("--serve", action="store_true", help="serve what an earlier demo made, with its console")
    parser.add_argument("--port", type=int, default=8080, help="of the console (default %(default)s)")
    parser.add_argument("-k", type=int, default=8, help="length of the slates (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Runs the demo, or serves an earlier one."""
    if arguments.serve:
        return _serve(DemoFolders(arguments.out), arguments.port)
    if arguments.out.exists():
        raise UserError(f"{arguments.out}: expected a folder that does not exist yet; remove it, or choose another")
    arguments.out.mkdir(parents=True)
    started_s = time.monotonic()
    folders = DemoFolders(arguments.out)
    log = arguments.log or str(folders.log)
    if not arguments.log:
        verb("simulate", "--log", log)
    verb("replay", "--log", log, "--samples", str(folders.samples))
    models = models_for(read_sample_about(folders.samples).heads)
    options = [*(f"--model={name}" for name in models), "--fractions", *map(str, arguments.fractions)]
    verb(
        "run",
        "--samples",
        str(folders.samples),
        "--work",
        str(folders.training),
        "--models",
        str(folders.models),
        *options,
    )
    verb("seed", "--log", log, "--samples", str(folders.samples), "--data", str(folders.service))
    _say("serve the models and the feature service, and ask for slates")
    with running_stack(folders, models) as address:
        for answer in asyncio.run(_ask(address, typical_viewers(log, VIEWERS), arguments.k)):
            Console(width=120).print(slate_table(answer[0], answer[1]))
    _say(f"done in {time.monotonic() - started_s:.0f} s; report: {folders.training / 'report' / 'report.md'}")
    command = f"{sys.executable} -m training demo --out {shlex.quote(str(arguments.out))} --serve"
    _say(f"look at it: {command}\nand then the console is at http://127.0.0.1:{arguments.port}/")
    return 0


def _serve(folders: DemoFolders, port: int) -> int:
    """Serves what a demo has made, until it is interrupted."""
    if not folders.service.is_dir():
        raise UserError(f"{folders.root}: expected the folder of a demo that ran to its end")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with running_stack(folders, models_for(read_sample_about(folders.samples).heads)) as address:
        serve_console(address, port)
    return 0


def verb(*arguments: str) -> None:
    """Runs a verb as its own command would, in this process."""
    from training.__main__ import main

    _say(f"$ python -m training {shlex.join(arguments)}")
    status = main(arguments)
    if status:
        raise UserError(f"{arguments[0]} ended with status {status}")


async def _ask(address: str, viewers: Sequence[str], k: int) -> list[tuple[str, pb.RecommendResponse]]:
    async with FeatureServiceClient(address, ASK_TIMEOUT_S) as client:
        return [(viewer, await client.recommend(viewer, k)) for viewer in viewers]


def _say(text: str) -> None:
    sys.stdout.write(f"\n── {text}\n")
    sys.stdout.flush()
