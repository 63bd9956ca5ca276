"""numpy arrays ⇄ `TensorProto`.

Encoding writes `tensor_content` (strings have no such form and go to `string_val`). Decoding also reads the typed
fields (`float_val`, …), which is what a stock TF Serving answers with, by TensorFlow's rules: the last value is
repeated up to the shape's size, no value at all means zeros, surplus values are ignored.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from protos.onair.v1.tfserving_pb2 import DataType, TensorProto, TensorShapeProto

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Encoding:
    """How one dtype travels.

    Attributes:
        dtype: The numpy dtype, little-endian.
        label: TensorFlow's name of the dtype.
        field: The typed field of `TensorProto` that holds its values.
        stored: The numpy dtype of that field's values, viewed as `dtype` (half floats travel as their bits).
    """

    dtype: np.dtype[Any]
    label: str
    field: str
    stored: np.dtype[Any]


def _encoding(dtype: str, label: str, field: str, stored: str | None = None) -> _Encoding:
    return _Encoding(np.dtype(dtype), label, field, np.dtype(stored or dtype))


_ENCODINGS: dict[int, _Encoding] = {
    DataType.DT_FLOAT: _encoding("<f4", "float", "float_val"),
    DataType.DT_DOUBLE: _encoding("<f8", "double", "double_val"),
    DataType.DT_HALF: _encoding("<f2", "half", "half_val", "<u2"),
    DataType.DT_INT8: _encoding("i1", "int8", "int_val"),
    DataType.DT_INT16: _encoding("<i2", "int16", "int_val"),
    DataType.DT_INT32: _encoding("<i4", "int32", "int_val"),
    DataType.DT_INT64: _encoding("<i8", "int64", "int64_val"),
    DataType.DT_UINT8: _encoding("u1", "uint8", "int_val"),
    DataType.DT_UINT16: _encoding("<u2", "uint16", "int_val"),
    DataType.DT_UINT32: _encoding("<u4", "uint32", "uint32_val"),
    DataType.DT_UINT64: _encoding("<u8", "uint64", "uint64_val"),
    DataType.DT_BOOL: _encoding("?", "bool", "bool_val"),
    DataType.DT_COMPLEX64: _encoding("<c8", "complex64", "scomplex_val", "<f4"),
    DataType.DT_COMPLEX128: _encoding("<c16", "complex128", "dcomplex_val", "<f8"),
    DataType.DT_STRING: _encoding("O", "string", "string_val"),
}
_WIRE_DTYPES = {"int_val": np.int32, "half_val": np.int32}  # wider than what some dtypes store there
_DATA_TYPES: dict[np.dtype[Any], int] = {encoding.dtype: number for number, encoding in _ENCODINGS.items()}


def data_type(dtype: np.dtype[Any]) -> DataType:
    """The wire's number of a numpy dtype; byte strings, unicode and objects are DT_STRING.

    Raises:
        ValueError: The dtype cannot travel.
    """
    if dtype.kind in "SUO":
        return DataType.DT_STRING
    number = _DATA_TYPES.get(dtype.newbyteorder("<"))
    if number is None:
        raise ValueError(
            f"tensors of dtype {dtype} cannot be sent; expected a float, int, bool, complex or string dtype"
        )
    return cast(DataType, number)


def numpy_dtype(number: int) -> np.dtype[Any]:
    """The numpy dtype of a wire dtype (`object`, holding bytes, for DT_STRING).

    Raises:
        ValueError: The dtype is none that we can hold.
    """
    encoding = _ENCODINGS.get(number)
    if encoding is None:
        raise ValueError(f"dtype number {number} is not supported")
    return encoding.dtype


def type_label(number: int) -> str:
    """TensorFlow's name of a wire dtype (`float`, `int64`, `string`), as its messages and REST API write it."""
    encoding = _ENCODINGS.get(number)
    return encoding.label if encoding else DataType.Name(cast(DataType, number))


def fill(proto: TensorProto, array: Array) -> None:
    """Writes an array into an empty `TensorProto`, in place (a map's entry needs no second message).

    Args:
        proto: The message to fill.
        array: Any shape; numeric, bool, or strings (bytes, or str which is encoded as UTF-8).

    Raises:
        ValueError: The array's dtype cannot travel.
    """
    number = data_type(array.dtype)
    proto.dtype = number
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if number == DataType.DT_STRING:
        proto.string_val.extend(_as_bytes(value) for value in array.ravel().tolist())
        return
    proto.tensor_content = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def to_proto(array: Array) -> TensorProto:
    """A new `TensorProto` of an array (see `fill`)."""
    proto = TensorProto()
    fill(proto, array)
    return proto


def to_array(proto: TensorProto) -> Array:
    """The array of a `TensorProto`; of `tensor_content` a read-only view without a copy.

    Returns:
        The array; strings as an object array of bytes. A shape of unknown rank counts as a scalar's, as in TF Serving.

    Raises:
        ValueError: The dtype is invalid or unsupported, a dimension is negative, or the content's length does not fit.
    """
    encoding = _ENCODINGS.get(proto.dtype)
    if encoding is None:
        raise ValueError(f"dtype {DataType.Name(proto.dtype)} cannot be read")
    shape = tuple([dim.size for dim in proto.tensor_shape.dim])
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {list(shape)} has a negative dimension")
    if encoding.dtype.kind == "O":
        return _strings(proto.string_val, shape)
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, encoding.dtype).reshape(shape)
    return _typed_values(proto, encoding, shape)


def spec_shape(shape: TensorShapeProto) -> tuple[int | None, ...] | None:
    """A signature's shape: None for an unknown dimension, or for the whole where the rank is unknown."""
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)


def _as_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    raise ValueError(f"a string tensor holds bytes or str; received {type(value).__name__}")


def _strings(values: Sequence[bytes], shape: tuple[int, ...]) -> Array:
    size = math.prod(shape)
    given = list(values[:size])
    padding = given[-1] if given else b""
    flat = np.empty(size, dtype=object)
    flat[:] = given + [padding] * (size - len(given))
    return flat.reshape(shape)


def _typed_values(proto: TensorProto, encoding: _Encoding, shape: tuple[int, ...]) -> Array:
    size = math.prod(shape)
    # Values beyond the dtype wrap around, as in TensorFlow.
    wire = _WIRE_DTYPES.get(encoding.field, encoding.stored)
    stored = np.array(getattr(proto, encoding.field), wire).astype(encoding.stored, copy=False)
    per_value = encoding.dtype.itemsize // encoding.stored.itemsize
    values = stored[: len(stored) // per_value * per_value].view(encoding.dtype)[:size]
    if len(values) == size:
        return values.reshape(shape)
    flat = np.zeros(size, encoding.dtype)
    flat[: len(values)] = values
    if len(values):
        flat[len(values) :] = values[-1]
    return flat.reshape(shape)
