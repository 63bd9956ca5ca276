"""Report events to a running service: JSON lines from standard input, one onair.v1.Event a line.

Example:
  echo '{"event_id": "e1", "kind": "ENTER", "user_id": "u1", "room_id": "r1", "streamer_id": "s1"}' |
    python -m feature_service report

An event without time_ms gets the present time. Prints what became of each; the exit status is 1 when one was refused.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator

from google.protobuf.json_format import MessageToJson, Parse, ParseError

from feature_service.clock import wall_clock
from feature_service.commands.calling import add_service_arguments, service_client
from feature_service.convert import ConvertError, event_from_proto
from feature_service.features.events import Event
from protos.onair.v1 import event_pb2
from protos.onair.v1 import recommendation_pb2 as pb
from serving.verbs import UserError

BATCH = 500
"""Events in one call."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    add_service_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON lines")


def run(arguments: argparse.Namespace) -> int:
    """Reports standard input."""
    results = asyncio.run(_report(list(_events()), arguments))
    for each in results:
        if arguments.json:
            sys.stdout.write(MessageToJson(each, preserving_proto_field_name=True, indent=None) + "\n")
        else:
            name = pb.Acceptance.Name(each.acceptance).lower()
            sys.stdout.write(f"{each.event_id}: {name}{' ' + each.reason if each.reason else ''}\n")
    return int(any(each.acceptance == pb.REFUSED for each in results))


def _events() -> Iterator[Event]:
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        try:
            message = Parse(line, event_pb2.Event())
            if not message.time_ms:
                message.time_ms = wall_clock()
            yield event_from_proto(message)
        except ParseError as error:
            raise UserError(f"line {number}: expected an event as JSON: {error}") from None
        except ConvertError as error:
            raise UserError(f"line {number}: {error}") from None


async def _report(events: list[Event], arguments: argparse.Namespace) -> list[pb.EventResult]:
    results: list[pb.EventResult] = []
    async with service_client(arguments) as client:
        for start in range(0, len(events), BATCH):
            results += await client.report(events[start : start + BATCH])
    return results
