"""Columns: dataclasses of arrays under flat names, as the parts of an hour hold them."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.streaming.flink.parts import Arrays

_TENSORS = "tensors"


def columns_of(name: str, held: Sequence[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """The columns of equal dataclasses, one behind the other; those of a field `tensors` by their own names."""
    for each in fields(held[0]):
        values = [getattr(part, each.name) for part in held]
        if each.name == _TENSORS:
            for tensor in values[0]:
                yield f"{name}.{_TENSORS}.{tensor}", np.concatenate([tensors[tensor] for tensors in values])
        else:
            yield f"{name}.{each.name}", np.concatenate(values)


def read_columns(name: str, parts: Sequence[Arrays]) -> dict[str, Any]:
    """The fields of the dataclass that `columns_of` has written into each part, one behind the other."""
    names = [held.removeprefix(f"{name}.") for held in parts[0] if held.startswith(f"{name}.")]
    columns = {each: np.concatenate([part[f"{name}.{each}"] for part in parts]) for each in names}
    tensors = {each.removeprefix(f"{_TENSORS}."): columns.pop(each) for each in names if each.startswith(_TENSORS)}
    return columns | ({_TENSORS: tensors} if tensors else {})
