"""The layout: what stands in which column of a model's packed tensors; the contract of model and service."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

USER_FLOATS = "user_floats"
USER_IDS = "user_ids"
HISTORY_FLOATS = "history_floats"
HISTORY_IDS = "history_ids"
CANDIDATE_FLOATS = "candidate_floats"
CANDIDATE_IDS = "candidate_ids"
CANDIDATE_VECTORS = "candidate_vectors"

DTYPES = {
    USER_FLOATS: "float32",
    USER_IDS: "int64",
    HISTORY_FLOATS: "float32",
    HISTORY_IDS: "int64",
    CANDIDATE_FLOATS: "float32",
    CANDIDATE_IDS: "int64",
    CANDIDATE_VECTORS: "float32",
}
"""The packed tensors and their dtypes. User and history tensors have leading dimension 1, candidate tensors N."""

CANDIDATE_TENSORS = (CANDIDATE_FLOATS, CANDIDATE_IDS, CANDIDATE_VECTORS)
"""The packed tensors with a row a candidate; the others have one row a user."""

HEADS = "heads"
"""The output of the `layout` signature that lists the ranker's heads (empty for recall models)."""


class LayoutError(ValueError):
    """A layout that cannot be read, or that the catalogue cannot fill."""


@dataclass(frozen=True, slots=True)
class Column:
    """One feature's place in a packed tensor.

    Attributes:
        name: The feature's name in the catalogue.
        version: Its version: another meaning has another number.
        dtype: "float32" or "int64".
        width: Numbers an item; a sequence has `width` numbers a step.
        length: Steps of a sequence; 0 = no sequence. Shorter sequences are padded behind with zeros.
    """

    name: str
    version: int
    dtype: str
    width: int
    length: int = 0

    @property
    def spec(self) -> str:
        """`name@version:dtype:width` or, of a sequence, `name@version:dtype:width:length`."""
        tail = f":{self.length}" if self.length else ""
        return f"{self.name}@{self.version}:{self.dtype}:{self.width}{tail}"

    @classmethod
    def parse(cls, spec: str) -> "Column":
        """Reads what `spec` wrote.

        Raises:
            LayoutError: The text is no column.
        """
        try:
            reference, dtype, width, *length = spec.split(":")
            name, version = reference.split("@")
            return cls(name, int(version), dtype, int(width), *map(int, length))
        except (ValueError, TypeError):
            raise LayoutError(f"column: expected name@version:dtype:width[:length], received {spec!r}") from None


@dataclass(frozen=True, slots=True)
class TensorLayout:
    """One packed tensor: float32 or int64, [1 or N, width], of sequences [1, length, width].

    Attributes:
        name: One of `DTYPES`.
        columns: Its features from left to right. All columns of a history tensor have one length.
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def width(self) -> int:
        """Numbers in the last dimension."""
        return sum(column.width for column in self.columns)

    @property
    def length(self) -> int:
        """Steps of a history tensor; 0 for the others."""
        return self.columns[0].length

    def slices(self) -> dict[str, slice]:
        """Each feature's columns in the last dimension, by name."""
        stops: dict[str, slice] = {}
        start = 0
        for column in self.columns:
            stops[column.name] = slice(start, start + column.width)
            start += column.width
        return stops


@dataclass(frozen=True, slots=True)
class Layout:
    """All packed tensors of a model, and its heads.

    Attributes:
        tensors: The tensors that the model reads; a signature reads a subset of them.
        heads: Names of the columns of the ranker's output `predictions`, float32 [N, heads].
    """

    tensors: tuple[TensorLayout, ...]
    heads: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> TensorLayout:
        """The tensor of that name.

        Raises:
            KeyError: The model does not read it.
        """
        for tensor in self.tensors:
            if tensor.name == name:
                return tensor
        raise KeyError(f"{name}: expected one of {[tensor.name for tensor in self.tensors]}")

    def __contains__(self, name: object) -> bool:
        """Whether the model reads a tensor of that name."""
        return any(tensor.name == name for tensor in self.tensors)

    def select(self, names: Iterable[str]) -> "Layout":
        """The same layout with only these tensors, for instance those of one signature."""
        wanted = set(names)
        return Layout(tuple(tensor for tensor in self.tensors if tensor.name in wanted), self.heads)

    def to_strings(self) -> dict[str, list[str]]:
        """What the `layout` signature answers: column specs by tensor, and the heads under `heads`."""
        specs = {tensor.name: [column.spec for column in tensor.columns] for tensor in self.tensors}
        return specs | {HEADS: list(self.heads)}

    @classmethod
    def from_strings(cls, outputs: dict[str, Sequence[str]]) -> "Layout":
        """Reads what `to_strings` wrote.

        Raises:
            LayoutError: A tensor or column is not one that a service can build.
        """
        heads = tuple(outputs.get(HEADS, ()))
        tensors = [_tensor(name, specs) for name, specs in outputs.items() if name != HEADS]
        order = list(DTYPES)
        return cls(tuple(sorted(tensors, key=lambda tensor: order.index(tensor.name))), heads)


def _tensor(name: str, specs: Sequence[str]) -> TensorLayout:
    if name not in DTYPES:
        raise LayoutError(f"tensor: expected one of {sorted(DTYPES)}, received {name!r}")
    columns = tuple(map(Column.parse, specs))
    if not columns:
        raise LayoutError(f"{name}: expected at least one column, received none")
    for column in columns:
        if column.dtype != DTYPES[name]:
            raise LayoutError(f"{name}: expected {DTYPES[name]} columns, received {column.spec}")
        if column.length != columns[0].length:
            raise LayoutError(f"{name}: expected columns of one length, received {columns[0].spec} and {column.spec}")
    return TensorLayout(name, columns)
