"""Landing: a service's local logs as files of lines that Flink reads as they come.

A line is a record's position, a tab, and its payload in base64. A file appears whole, and is named by the position of
its first record and that behind its last, so that whoever goes on knows where.
"""

import base64
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path

from pyarrow import fs

from feature_service.log.codec import Codec
from feature_service.log.reader import read_records
from feature_service.log.segment import first_positions
from training.data.locations import locate, reachable
from training.streaming.flink.plan import SUFFIX, whole_files

EVENTS_FOLDER, SLATES_FOLDER = "events", "slates"
"""Where the two logs of a service land, in one folder."""

_RECORDS_PER_FILE = 20_000

_PAYLOADS: Codec[bytes] = Codec(bytes, bytes, lambda _: "record")
"""Records as they are."""


def land(log: Path, target: str) -> Iterator[tuple[int, int]]:
    """Puts down what a log has by now and the target has not.

    Args:
        log: The folder of an event log or a served log.
        target: URI of a folder, of which this is the only writer.

    Yields:
        The positions of the first record of each file and behind its last.

    Raises:
        LogError: The log is damaged, or what comes next has been removed from it.
        DataError: The target cannot be written.
    """
    filesystem, folder = locate(target)
    with reachable(target):
        filesystem.create_dir(folder, recursive=True)
        ends = [end for _, end in landed(filesystem, folder)]
    first = max(ends) if ends else min(first_positions(log), default=0)
    records = read_records(log, first, _PAYLOADS)
    while lines := [f"{line_of(*record)}\n" for record in islice(records, _RECORDS_PER_FILE)]:
        end = first + len(lines)
        with reachable(target):
            _put(filesystem, f"{folder}/.{first:020d}", f"{folder}/{first:020d}-{end:020d}{SUFFIX}", "".join(lines))
        yield first, end
        first = end


def _put(filesystem: fs.FileSystem, unfinished: str, path: str, text: str) -> None:
    """Writes a file that appears whole."""
    with filesystem.open_output_stream(unfinished) as file:
        file.write(text.encode())
    filesystem.move(unfinished, path)


def landed(filesystem: fs.FileSystem, folder: str) -> list[tuple[int, int]]:
    """The positions of the first record of each file that has landed, and behind its last, ascending."""
    names = [item.base_name.removesuffix(SUFFIX).split("-") for item in whole_files(filesystem, folder)]
    return [(int(first), int(end)) for first, end in names]


def forget_landed(target: str, before: datetime) -> int:
    """Removes files that were put down before some time, but never the newest, which tells where to go on.

    What is left has no gap: with a file goes what lies before it, though that may have been rewritten since. A job that
    starts anew, or has not come so far, cannot read what is gone.

    Returns:
        How many.

    Raises:
        DataError: They cannot be removed.
    """
    filesystem, folder = locate(target)
    with reachable(target):
        files = whole_files(filesystem, folder)
        gone = max((number for number, item in enumerate(files[:-1], start=1) if item.mtime < before), default=0)
        for item in files[:gone]:
            filesystem.delete_file(item.path)
    return gone


def record_of(line: str) -> tuple[int, bytes]:
    """The position and payload of a line."""
    position, _, payload = line.partition("\t")
    return int(position), base64.b64decode(payload)


def line_of(position: int, payload: bytes) -> str:
    """The inverse of `record_of`; without the line's end."""
    return f"{position}\t{base64.b64encode(payload).decode()}"
