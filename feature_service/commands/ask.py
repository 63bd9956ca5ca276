"""Ask a running service for a user's slate, and print it with its reasons.

Examples:
  python -m feature_service ask --user user-00012
  python -m feature_service ask --user user-00012 --explain
  python -m feature_service ask --user user-00012 --json
"""

import argparse
import asyncio
import sys

from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from feature_service.commands.calling import add_service_arguments, service_client
from feature_service.features.view import Context
from protos.onair.v1 import recommendation_pb2 as pb

MOST_CANDIDATES = 20
"""Candidates that --explain prints; --json prints all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--user", required=True, help="the viewer's id")
    parser.add_argument("-k", type=int, default=10, help="length of the slate (default %(default)s)")
    parser.add_argument("--scene", default="", help="where in the app; default: the settings' default scene")
    parser.add_argument("--device", default="", help="the viewer's device")
    parser.add_argument("--network", default="", help="the viewer's network")
    parser.add_argument("--region", default="", help="the viewer's region")
    parser.add_argument("--page-token", default="", help="next_page_token of the page before")
    parser.add_argument("--explain", action="store_true", help="print how the answer came about")
    parser.add_argument("--json", action="store_true", help="print the API's answer as JSON")
    add_service_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Asks and prints."""
    answer = asyncio.run(_ask(arguments))
    if arguments.json:
        message = answer if arguments.explain else answer.answer
        sys.stdout.write(MessageToJson(message, preserving_proto_field_name=True) + "\n")
        return 0
    console = Console(markup=False, emoji=False)
    console.print(slate_table(arguments.user, answer.answer))
    for each in answer.answer.degraded:
        console.print(f"degraded {each.stage}: {each.cause}; instead: {each.fallback}", style="yellow")
    if arguments.explain:
        _print_trace(console, answer.trace)
    return 0


def slate_table(user_id: str, answer: pb.RecommendResponse) -> Table:
    """The slate as a table for people."""
    versions = ", ".join(f"{name} v{version}" for name, version in sorted(answer.model_versions.items()))
    title = Text(f"{user_id}: {len(answer.rooms)} rooms ({versions or 'no model'})", "table.title")
    table = Table(title=title, title_justify="left")
    for column in ("#", "room", "category", "title", "score", "reason", "recalled by"):
        table.add_column(column, overflow="fold")
    for room in answer.rooms:
        channels = ", ".join(room.channels)
        place, score = str(room.position + 1), f"{room.score:.3f}"
        cells = (place, room.room_id, room.category, room.title, score, room.reason, channels)
        table.add_row(*map(Text, cells))  # as it is: a title may look like mark-up
    return table


async def _ask(arguments: argparse.Namespace) -> pb.ExplainResponse:
    where = Context(device=arguments.device, network=arguments.network, region=arguments.region)
    async with service_client(arguments) as client:
        return await client.explain(
            arguments.user, arguments.k, scene=arguments.scene, context=where, page_token=arguments.page_token
        )


def _print_trace(console: Console, trace: pb.Trace) -> None:
    console.print(f"scene {trace.scene}, ranker {trace.ranker or 'none (recall order)'}")
    console.print("retrieved: " + ", ".join(f"{name} {count}" for name, count in trace.retrieved.items()))
    console.print("filtered:  " + ", ".join(f"{name} {count}" for name, count in trace.filtered.items()))
    console.print("stages:    " + ", ".join(f"{each.stage} {each.duration_ms:.2f} ms" for each in trace.stages))
    table = Table(title=f"the best {MOST_CANDIDATES} of {len(trace.candidates)} candidates", title_justify="left")
    for column in ("rank", "slate", "room", "channels", "terms", "moves or filter"):
        table.add_column(column, overflow="fold")
    ranked = sorted(trace.candidates, key=lambda each: (each.rank_position < 0, each.rank_position))
    for each in ranked[:MOST_CANDIDATES]:
        table.add_row(
            str(each.rank_position + 1) if each.rank_position >= 0 else "",
            str(each.final_position + 1) if each.final_position >= 0 else "",
            each.room_id,
            ", ".join(f"{hit.channel} #{hit.rank + 1}" for hit in each.channels),
            ", ".join(f"{term.head} {term.prediction:.3g}×{term.weight:g}" for term in each.terms if term.weight),
            "; ".join(each.moves) or each.dropped_by,
        )
    console.print(table)
