"""Ask a running service for the streamers whom those watch that watch another one.

Examples:
  python -m feature_service similar --streamer streamer-0012
  python -m feature_service similar --streamer streamer-0012 -k 5 --live-only
  python -m feature_service similar --streamer streamer-0012 --json
"""

import argparse
import asyncio
import sys

from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from feature_service.commands.calling import add_service_arguments, service_client
from protos.onair.v1 import recommendation_pb2 as pb


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--streamer", required=True, help="the streamer's id")
    parser.add_argument("-k", type=int, default=10, help="how many at most (default %(default)s)")
    parser.add_argument("--live-only", action="store_true", help="only streamers who are on air now")
    parser.add_argument("--json", action="store_true", help="print the API's answer as JSON")
    add_service_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Asks and prints."""
    answer = asyncio.run(_ask(arguments))
    if arguments.json:
        sys.stdout.write(MessageToJson(answer, preserving_proto_field_name=True) + "\n")
        return 0
    Console(markup=False, emoji=False).print(_table(arguments.streamer, answer))
    return 0


async def _ask(arguments: argparse.Namespace) -> pb.SimilarStreamersResponse:
    async with service_client(arguments) as client:
        return await client.similar(arguments.streamer, arguments.k, live_only=arguments.live_only)


def _table(streamer_id: str, answer: pb.SimilarStreamersResponse) -> Table:
    title = Text(f"{streamer_id}: {len(answer.streamers)} similar (item_cf v{answer.model_version})", "table.title")
    table = Table(title=title, title_justify="left")
    for column in ("#", "streamer", "score", "on air in"):
        table.add_column(column, overflow="fold")
    for place, each in enumerate(answer.streamers, 1):
        table.add_row(*map(Text, (str(place), each.streamer_id, f"{each.score:.3f}", each.room_id)))
    return table
