"""Rewriting: exchanges records of a local log after the fact, and removes its oldest segments. Positions stay."""

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from feature_service.log.codec import Codec, Record
from feature_service.log.protocol import LogError
from feature_service.log.record_log import sync_folder
from feature_service.log.segment import decode, encode, first_positions, segment_path


def rewrite(
    folder: Path, codec: Codec[Record], change: Callable[[int, Record], Record], marks: Sequence[bytes], before: int
) -> int:
    """Exchanges records in the segments that end at or before a position.

    A segment that holds one of the marks is written anew, durably, and takes the old one's place in one step: whoever
    reads it meanwhile reads the old one to its end. The last segment is the writer's and stays as it is.

    Args:
        folder: The log's folder.
        codec: What its records are.
        change: Gives the record for the one at a position; the same object where nothing is to change.
        marks: Bytes, one of which the payload of every record that is to change holds.
        before: Position.

    Returns:
        How many records were exchanged.

    Raises:
        LogError: A segment is damaged, or could not be written.
    """
    changed = 0
    for first, stop in pairwise(first_positions(folder)):
        if stop <= before:
            changed += _rewrite_segment(segment_path(folder, first), first, codec, change, marks)
    return changed


def remove(folder: Path, before: int) -> int:
    """Removes the segments that end at or before a position, but never the last; returns how many."""
    ended = [first for first, stop in pairwise(first_positions(folder)) if stop <= before]
    for first in ended:  # The oldest first: what is left has no gap, whenever this ends.
        segment_path(folder, first).unlink()
    return len(ended)


def _rewrite_segment(
    path: Path, first: int, codec: Codec[Record], change: Callable[[int, Record], Record], marks: Sequence[bytes]
) -> int:
    data = path.read_bytes()
    if not any(mark in data for mark in marks):
        return 0
    parts: list[bytes] = []
    changed, start = 0, 0
    for position, (end, payload) in enumerate(decode(data), start=first):
        record = codec.from_bytes(payload)
        given = change(position, record)
        changed += given is not record
        parts.append(data[start:end] if given is record else encode([given], codec)[1])
        start = end
    if start != len(data):
        raise LogError(f"{path}: damaged record at offset {start}, not at the log's end")
    if changed:
        exchange(path, b"".join(parts))
    return changed


def exchange(path: Path, data: bytes) -> None:
    """Writes a file anew, durably, in one step.

    Raises:
        LogError: It could not be written; the old one is as before.
    """
    unfinished = path.with_suffix(".new")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise LogError(f"{path}: could not be written anew: {error.strerror}") from None
