"""Compare recall, ranking, or steps of training, judged on the same questions or impressions.

Recall: every channel alone, all merged and ranked, and the models of a well-kept library.

Models are fitted on the training part. The merge is the service's own, with its quotas and weights; every channel and
the merge have the same number of candidates. The ranker behind the merge is trained on what the channels found in the
validation part. Protocols:

  live     a sample set of your own: every entered room of the test part, among the rooms on air then
  liverec  LiveRec's, given its Twitch file: a viewer's last visit among the streamers available then, and among all
  ncf      that of Neural Collaborative Filtering, given a MovieLens 1M folder: the last rating among 99 negatives

Ranking: every ranker, and variants (dnn:single is a net a head, dnn:cvr learns from what was entered alone, din:mean
pools the history), with paired differences where a paper claims one. --drop-group trains all once more without a group
of features. Protocols:

  samples  a sample set of your own, split by time
  kuairand KuaiRand-27K, given its folder: 19 and 20 April 2022 are the test
  census   Census-Income, given its folder: two tasks of a table

Incremental: a ranker that goes on with every hour (`run --incremental`) beside one that was trained before the first of
them, on the last hours of a sample set; each hour is judged by models that have seen none of it.

Figures are means over seeds, with half their range. Runs that are finished in the work folder are not trained again.

Examples:
  python -m training compare recall --data run/samples --work run/compare
  python -m training compare recall --data interactions.parquet --protocol liverec --work twitch --plots twitch/plots
  python -m training compare recall --data ml-1m --protocol ncf --json ncf.json
  python -m training compare ranking --data run/samples --model mmoe --model dnn:single
  python -m training compare ranking --data run/samples --model mmoe --drop-group realtime
  python -m training compare incremental --data run/samples --model mmoe --hours 24
  python -m training compare ranking --data kuairand --protocol kuairand --work kuairand-runs --json kuairand.json
"""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from serving.verbs import UserError
from training.commands.compare_incremental import add_incremental_arguments, run_incremental_comparison
from training.commands.compare_ranking import add_ranking_arguments, run_ranking
from training.commands.fractions import add_fractions
from training.commands.local_paths import local_paths
from training.commands.progress import steps
from training.compare.live import live_protocol
from training.compare.liverec import liverec_protocols
from training.compare.ncf_data import read_ncf
from training.compare.ncf_table import ncf_table
from training.compare.plots import draw_comparison
from training.compare.protocol import Protocol
from training.compare.recall import CONFIGS, Comparison, OnStep, compare
from training.compare.tables import cost_table, ncf_json, ncf_report, notes, quality_tables, to_json
from training.data.dataset import Dataset
from training.models.recall import RECALL
from training.report import print_tables, table_console
from training.storage import place, stored

PROTOCOLS = {
    "recall": ("live", "liverec", "ncf"),
    "ranking": ("samples", "kuairand", "census"),
    "incremental": ("samples",),
}
"""By what is compared; the first is the default."""
FIRST_SEED = 17


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("what", choices=tuple(PROTOCOLS), help="what is compared")
    parser.add_argument("--data", type=place, required=True, help="sample set (live, samples), or the raw data")
    every = [protocol for protocols in PROTOCOLS.values() for protocol in protocols]
    parser.add_argument("--protocol", choices=every, help="default live for recall, samples for ranking")
    parser.add_argument("--work", type=place, help="folder of the training runs; default a temporary one")
    parser.add_argument("--model", action="append", help="may be repeated; default all")
    parser.add_argument("--budget", type=int, default=100, help="recall: candidates of the merge and each channel; 100")
    add_ranking_arguments(parser)
    add_incremental_arguments(parser)
    parser.add_argument("--seeds", type=int, default=3, help="how many times all is trained; default 3")
    add_fractions(parser)
    parser.add_argument("--json", type=place, metavar="FILE", help="write all numbers there")
    parser.add_argument("--plots", type=place, metavar="DIR", help="draw what is measured")


@local_paths(read=("data",), write=("json",), keep=("work",))
def run(arguments: argparse.Namespace) -> int:
    """Compares, and prints the tables."""
    _check(arguments)
    if arguments.what == "ranking":
        return run_ranking(arguments, FIRST_SEED)
    if arguments.what == "incremental":
        return run_incremental_comparison(arguments, FIRST_SEED)
    return _run_recall(arguments)


def _check(arguments: argparse.Namespace) -> None:
    """Refuses arguments that make no sense, and chooses the protocol."""
    for name in ("budget", "seeds"):
        if getattr(arguments, name) < 1:
            raise UserError(f"--{name}: expected a number above 0, received {getattr(arguments, name)}")
    if not arguments.data.exists():
        raise UserError(f"--data: expected a file or folder, found none at {arguments.data}")
    protocols = PROTOCOLS[arguments.what]
    arguments.protocol = arguments.protocol or protocols[0]
    if arguments.protocol not in protocols:
        known = ", ".join(protocols)
        raise UserError(f"--protocol: expected one of {known} with {arguments.what}, received {arguments.protocol}")


def _run_recall(arguments: argparse.Namespace) -> int:
    """Compares the recall channels, protocol by protocol."""
    _check_recall(arguments)
    if arguments.protocol == "ncf":
        return _ncf(arguments)
    with TemporaryDirectory() as temporary, steps() as on_step:
        work = arguments.work or Path(temporary)
        found = [_compared(arguments, protocol, work, on_step) for protocol in _protocols(arguments, work, on_step)]
    console = table_console()
    for comparison in found:
        print_tables(console, [*quality_tables(comparison), cost_table(comparison)], notes(comparison))
        if arguments.plots:
            with stored(arguments.plots) as folder:
                names = [path.name for path in draw_comparison(comparison, folder)]
            for name in names:
                console.print(f"plot: {arguments.plots / name}", highlight=False)
    _write(arguments.json, [to_json(comparison) for comparison in found])
    return 0


def _check_recall(arguments: argparse.Namespace) -> None:
    """Refuses a model that is not there, and what only rankers have."""
    for name in arguments.model or ():
        if name not in _models():
            raise UserError(f"--model: expected one of {', '.join(_models())}, received {name!r}")
    if arguments.drop_group:
        raise UserError(f"--drop-group: expected none with recall, received {arguments.drop_group}")


def _models() -> list[str]:
    return [name for name in RECALL if (CONFIGS / f"{name}.toml").exists()]


def _ncf(arguments: argparse.Namespace) -> int:
    """The protocol of single ratings: other data and other models, of the same methods."""
    for name in ("model", "plots"):
        if getattr(arguments, name):
            raise UserError(f"--{name}: expected none with --protocol ncf, received {getattr(arguments, name)}")
    data = read_ncf(arguments.data)
    with steps() as on_step:
        found = ncf_table(
            data,
            seeds=range(FIRST_SEED, FIRST_SEED + arguments.seeds),
            on_progress=lambda model, done, of: on_step(f"{model}, epoch {done} of {of}"),
        )
    print_tables(table_console(), [ncf_report(found)], [f"Data: {data.source}. Means of seeds, ± half their range."])
    _write(arguments.json, ncf_json(found))
    return 0


def _write(path: Path | None, numbers: object) -> None:
    if path:
        path.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


def _protocols(arguments: argparse.Namespace, work: Path, on_step: OnStep) -> list[Protocol]:
    if arguments.protocol == "liverec":
        return liverec_protocols(arguments.data, work, lambda what, done: on_step(f"{what}, {done:,} events"))
    return [live_protocol(Dataset.read(arguments.data, tuple(arguments.fractions)))]


def _compared(arguments: argparse.Namespace, protocol: Protocol, work: Path, on_step: OnStep) -> Comparison:
    return compare(
        protocol,
        work=work,
        budget=arguments.budget,
        seeds=range(FIRST_SEED, FIRST_SEED + arguments.seeds),
        models=arguments.model or _models(),
        on_step=on_step,
    )
