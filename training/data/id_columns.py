"""Columns of ids as numbers: a number for each text or pair, or the key that stands for an id everywhere."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_service.features.schema import key_of

Ints = NDArray[np.int64]


def encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Texts as numbers of a dictionary that all chunks share."""
    if not pa.types.is_dictionary(column.type):
        # In one chunk: to unify those of many takes far longer than to make one.
        column = pa.table({"texts": column}).combine_chunks()["texts"].dictionary_encode()
    return column.unify_dictionaries().combine_chunks()


def codes(column: pa.ChunkedArray) -> Ints:
    """A number for each distinct text, int64 [L]."""
    return encoded(column).indices.to_numpy().astype(np.int64)


def pairs(first: Ints, second: Ints) -> Ints:
    """A number for each distinct pair of numbers, int64 [L]."""
    width = int(second.max()) + 1 if len(second) else 1
    return np.unique(first * width + second, return_inverse=True)[1].astype(np.int64)


def keys_in(kind: str, column: pa.ChunkedArray) -> Ints:
    """The int64 key of each id; each distinct id is hashed once."""
    texts = encoded(column)
    keys = np.array([key_of(kind, text) for text in texts.dictionary.to_pylist()], np.int64)
    return keys[texts.indices.to_numpy()]


def repeats(event_id: pa.ChunkedArray, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which events among these have an id that an earlier one of them has, bool [L]."""
    repeated = among.copy()
    _, first = np.unique(codes(event_id.filter(pa.array(among))), return_index=True)
    repeated[np.flatnonzero(among)[first]] = False
    return repeated


def is_nobody(table: pa.Table) -> NDArray[np.bool_]:
    """Which events have no user, bool [L]."""
    users = encoded(table["user_id"])
    return users.indices.to_numpy() == users.dictionary.index("").as_py()
