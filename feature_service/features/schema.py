"""The schema of features: what a feature declares, and how an id becomes a number."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from feature_service.features import layout

if TYPE_CHECKING:
    from feature_service.features.reducers import Entity, Memory
    from feature_service.features.view import View


class Side(StrEnum):
    """Which side of a rank call carries a feature."""

    USER = "user"  # Leading dimension 1.
    CANDIDATE = "candidate"  # Leading dimension N.


class Encoding(StrEnum):
    """How a model should take the raw value in; what is fitted for it lives in the SavedModel."""

    LOG = "log"  # Heavy-tailed and non-negative: log1p, then normalised.
    LINEAR = "linear"  # Normalised as it is.
    FLAG = "flag"  # 0 or 1, taken as it is.
    ID = "id"  # A key of `Feature.vocabulary`, embedded; 0 = none.
    VECTOR = "vector"  # A dense vector of another model, projected.


@dataclass(frozen=True, slots=True)
class Part:
    """Where a feature lies in a block that a family shares; neighbours in a tensor are then copied in one go.

    Attributes:
        block: The family's block over columns, [n, fields, …]; the same function for the whole family.
        entity: Whose record it is of.
        field: The record field behind the feature.
    """

    block: "Callable[[View], NDArray[Any]]"
    entity: "Entity"
    field: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature of the catalogue: its declaration, what it needs remembered, and its value.

    Attributes:
        name: Dotted, `group.what`; names a column together with `version`.
        version: A changed meaning is a new version.
        side: User or candidate.
        doc: What it means, one line.
        unit: Unit of the value.
        encoding: How a model should take it in.
        width: Numbers an item (a step, of a sequence).
        length: Steps of a sequence; 0 = no sequence.
        vocabulary: What the keys of an ID feature name ("streamer", "category", …); features that share one share an
            embedding table.
        memories: What the records must hold for it.
        value: The value over columns: [1 or N], [1 or N, width] or, of a sequence, [1, length] or [1, length, width].
        part: Where the same value lies in a family's block, if there is one.
    """

    name: str
    side: Side
    doc: str
    unit: str
    encoding: Encoding
    value: "Callable[[View], NDArray[Any]]"
    version: int = 1
    width: int = 1
    length: int = 0
    vocabulary: str = ""
    memories: "tuple[Memory, ...]" = ()
    part: Part | None = None

    @property
    def group(self) -> str:
        """The part of the name before the first dot: user, context, room, streamer or pair."""
        return self.name.partition(".")[0]

    @property
    def dtype(self) -> str:
        """Keys are "int64", all else "float32"."""
        return "int64" if self.encoding is Encoding.ID else "float32"

    @property
    def column(self) -> layout.Column:
        """Its place in a layout."""
        return layout.Column(self.name, self.version, self.dtype, self.width, self.length)

    @property
    def tensor(self) -> str:
        """The packed tensor that carries it."""
        if self.length:
            return layout.HISTORY_IDS if self.encoding is Encoding.ID else layout.HISTORY_FLOATS
        if self.side is Side.USER:
            return layout.USER_IDS if self.encoding is Encoding.ID else layout.USER_FLOATS
        if self.encoding is Encoding.VECTOR:
            return layout.CANDIDATE_VECTORS
        return layout.CANDIDATE_IDS if self.encoding is Encoding.ID else layout.CANDIDATE_FLOATS


@lru_cache(maxsize=1 << 18)
def key_of(kind: str, text: str) -> int:
    """The int64 key of an id: the first eight bytes of BLAKE2b over kind and id; 0 = padding, for an empty id.

    Args:
        kind: What the id names: user, room, streamer, category, …
        text: The platform's id.
    """
    if not text:
        return 0
    digest = hashlib.blake2b(text.encode(), digest_size=8, person=kind.encode()[:16]).digest()
    return int.from_bytes(digest, "little", signed=True) or 1
