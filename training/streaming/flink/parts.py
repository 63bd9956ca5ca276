"""Parts: what one shard has of an hour, as a line of text."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, fields
from io import BytesIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.data.errors import DataError

Arrays = Mapping[str, NDArray[Any]]
Side = Literal["viewers", "rooms"]


@dataclass(frozen=True, slots=True)
class PartKey:
    """Which part it is.

    Attributes:
        hour: Hours since the Unix epoch.
        revision: Of the hour, counting from 1.
        side: Whose shard it is from.
        shard: Which one.
    """

    hour: int
    revision: int
    side: Side
    shard: int


@dataclass(frozen=True, slots=True)
class RecordsKey:
    """Which records: those of a shard that have changed.

    Attributes:
        moment_ms: As of when, Unix milliseconds.
        side: Whose shard it is.
        shard: Which one.
    """

    moment_ms: int
    side: Side
    shard: int


def to_line(key: PartKey | RecordsKey, arrays: Arrays) -> str:
    """A line of text without its end: the key, a tab, and the arrays in base64."""
    data = BytesIO()
    np.savez_compressed(data, allow_pickle=False, **arrays)
    head = " ".join(str(getattr(key, each.name)) for each in fields(key))
    return f"{head}\t{base64.b64encode(data.getvalue()).decode()}"


def key_of_line(line: str) -> PartKey:
    """The key of a line, without its arrays.

    Raises:
        DataError: It is none of `to_line`.
    """
    hour, revision, side, shard, *rest = [*line.partition("\t")[0].split(" "), *[""] * 4][:5]
    if rest != [""] or side not in ("viewers", "rooms") or not all(map(str.isdecimal, (hour, revision, shard))):
        raise DataError(f"expected a part of an hour, received {line[:80]!r}")
    return PartKey(int(hour), int(revision), side, int(shard))


def arrays_of_line(line: str) -> dict[str, NDArray[Any]]:
    """The arrays of a line.

    Raises:
        DataError: It is cut off or damaged.
    """
    try:
        with np.load(BytesIO(base64.b64decode(line.partition("\t")[2], validate=True))) as held:
            return dict(held)
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise DataError(f"expected the arrays of part {line.partition(chr(9))[0]!r} ({error})") from error
