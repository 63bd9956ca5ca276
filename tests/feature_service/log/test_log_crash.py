"""A writer that is killed: what it has acknowledged is in the log, in order, once."""

import subprocess
import sys
from pathlib import Path

import pytest

from feature_service.log.local import LocalLog

_ACKNOWLEDGED = 200
_WAITERS = 8

_WRITER = """
import asyncio, itertools, sys
from pathlib import Path
from feature_service.features.events import Event, EventKind
from feature_service.log.local import LocalLog

async def write(log, numbers):
    for number in numbers:
        await log.durable(log.append([Event(str(number), EventKind.LIKE, 1)]))
        print(number, flush=True)

async def main():
    log, numbers = LocalLog.open(Path(sys.argv[1]), segment_bytes=1000), itertools.count()
    await asyncio.gather(*(write(log, numbers) for _ in range(int(sys.argv[2]))))

asyncio.run(main())
"""


@pytest.mark.parametrize("torn_bytes", [0, 11])
def test_every_acknowledged_event_survives_a_kill(tmp_path: Path, torn_bytes: int) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path), str(_WAITERS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = {int(next(writer.stdout)) for _ in range(_ACKNOWLEDGED)}
        writer.kill()
        # The last line may be cut short by the kill.
        acknowledged |= {int(line) for line in writer.stdout if line.endswith("\n")}
    last = max(tmp_path.glob("*.log"))
    last.write_bytes(last.read_bytes() + b"\x20" * torn_bytes)

    log = LocalLog.open(tmp_path)
    written = [int(event.event_id) for _, event in log.read(0)]
    log.close()
    assert acknowledged <= set(written)
    # Written in the order of their numbers, none twice; beyond the acknowledged ones only those in flight.
    assert written == list(range(len(written)))
    assert len(written) <= len(acknowledged) + _WAITERS
