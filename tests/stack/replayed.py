"""Another process that replays a service's log, and says which tensors the service must have sent.

Reads from standard input, pickled: the log's folder, the content vectors' width, and the answers to look at. It has the
catalogue and the log, and nothing of the service's memory.
"""

import pickle
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from feature_service.features.catalog import build_catalog
from feature_service.features.layout import Layout
from feature_service.features.schema import key_of
from feature_service.features.state import State
from feature_service.features.tensors import TensorBuilder
from feature_service.features.view import Context
from feature_service.live.table import LiveTable
from feature_service.log.reader import read_log

TensorBytes = dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Served:
    """What an answer says of the features behind it.

    Attributes:
        position: `log_position` of the answer.
        now_ms: Its clock.
        user_id: Who asked.
        room_ids: The ranked candidates, in the order of the trace.
        context: Where and how the user asked.
        layout: What the model reads.
    """

    position: int
    now_ms: int
    user_id: str
    room_ids: tuple[str, ...]
    context: Context
    layout: dict[str, list[str]]


def replay(log: Path, content_width: int, served: list[Served]) -> list[TensorBytes]:
    """The bytes of each answer's tensors, computed in another process."""
    question = pickle.dumps((log, content_width, served))
    command = [sys.executable, "-m", "tests.stack.replayed"]
    answer = subprocess.run(command, input=question, capture_output=True, check=True, timeout=120)
    return pickle.loads(answer.stdout)  # noqa: S301


def _tensors(log: Path, content_width: int, served: list[Served]) -> list[TensorBytes]:
    catalog = build_catalog(content_width)
    state = State(catalog.memories)
    live = LiveTable(state)
    due: defaultdict[int, list[int]] = defaultdict(list)
    for place, each in enumerate(served):
        due[max(each.position, 0)].append(place)
    found: list[TensorBytes] = [{} for _ in served]

    builders = {str(each.layout): TensorBuilder(catalog, Layout.from_strings(dict(each.layout))) for each in served}

    def look(position: int) -> None:
        for place in due[position]:
            found[place] = _build(builders[str(served[place].layout)], state, live, served[place])

    look(0)
    for position, event in read_log(log, 0):
        state.apply(event)
        live.learn(event)
        look(position + 1)
    return found


def _build(builder: TensorBuilder, state: State, live: LiveTable, served: Served) -> TensorBytes:
    rows = np.array([state.rooms.find(key_of("room", room)) for room in served.room_ids], np.intp)
    view = state.view(key_of("user", served.user_id), rows, live.streamer_rows(rows), served.context, served.now_ms)
    return {name: tensor.tobytes() for name, tensor in builder.build(view).items()}


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(_tensors(*pickle.load(sys.stdin.buffer))))  # noqa: S301
