"""JSON ⇄ arrays in the two forms of TF Serving's REST API: by row (`instances`) and by column (`inputs`)."""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import grpc
import numpy as np

from protos.onair.v1.tfserving_pb2 import DataType
from serving.errors import ServingError, serving_error
from serving.local.servable import Input, RunnableSignature
from serving.tensors import Array, numpy_dtype, type_label

_RAPIDJSON_WORDS = {  # Python's words for what is wrong → those of the parser that TF Serving uses
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting value": "Invalid value.",
    "Extra data": "The document root must not be followed by other values.",
}
MOST_DIMENSIONS = 63  # numpy's 64, less the rows
_TYPE_NAMES = {type(None): "Null", bool: "Boolean", str: "String", dict: "Object", list: "Array"}


def parse_body(body: bytes) -> dict[str, Any]:
    """The object of a Predict body.

    Raises:
        RequestRefusedError: It is no JSON object, or has not exactly one of `instances` and `inputs`.
    """
    if not body.strip():
        raise _refused("JSON Parse error: The document is empty")
    try:
        document: Any = json.loads(body)
    except UnicodeDecodeError as error:
        raise _refused("JSON Parse error: Invalid encoding in string.") from error
    except json.JSONDecodeError as error:
        words = _RAPIDJSON_WORDS.get(error.msg, error.msg)
        raise _refused(f"JSON Parse error: {words} at offset: {error.pos}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _refused("JSON Parse error: Number too big to be stored in double.") from error
    except RecursionError as error:
        raise _refused("JSON Parse error: The document is nested too deeply") from error
    if not isinstance(document, dict):
        raise _refused(f"JSON Value: {json.dumps(document)} Not formatted correctly expecting a JSON object")
    document = cast("dict[str, Any]", document)
    if "instances" in document and "inputs" in document:
        raise _refused(
            f"JSON Value: {_pretty(document)} Not formatted correctly"
            " expecting only one of 'inputs' or 'instances' keys to exist "
        )
    if "instances" not in document and "inputs" not in document:
        raise _refused("Missing 'inputs' or 'instances' key")
    return document


def rows_to_arrays(signature: RunnableSignature, document: Mapping[str, Any]) -> list[Array]:
    """The inputs' arrays of `instances`, each element of which is one row of every input.

    Raises:
        RequestRefusedError: An element does not fit; the message has its number.
    """
    instances = document["instances"]
    if not isinstance(instances, list):
        raise _refused(f"JSON Value: {_pretty(document)} Excepting 'instances' to be an list/array")
    if not instances:
        raise _refused(f"JSON Value: {_pretty(document)} No values in 'instances' array")
    columns: dict[str, list[Array]] = {feed.alias: [] for feed in signature.inputs}
    for index, instance in enumerate(cast("list[Any]", instances)):
        try:
            for feed, value in _named_values(signature, instance, "instances"):
                row = _array(feed, value)
                first = columns[feed.alias][0] if columns[feed.alias] else row
                if row.size != first.size:
                    raise _refused(f"Expecting tensor size: {first.size} but got: {row.size}")
                columns[feed.alias].append(row.reshape(first.shape))
        except ServingError as error:
            reason = f"{error.code.name}: {error.message}"
            raise _refused(f"Failed to process element: {index} of 'instances' list. Error: {reason}") from error
    return [np.stack(columns[feed.alias]) for feed in signature.inputs]


def columns_to_arrays(signature: RunnableSignature, document: Mapping[str, Any]) -> list[Array]:
    """The inputs' arrays of `inputs`: an object of whole tensors, or the one input's tensor.

    Raises:
        RequestRefusedError: An input is missing, or a value does not fit.
    """
    values = {feed.alias: _array(feed, value) for feed, value in _named_values(signature, document["inputs"], "inputs")}
    return [values[feed.alias] for feed in signature.inputs]


def arrays_to_rows(outputs: Mapping[str, Array]) -> list[Any]:
    """The `predictions` of the row form: per row an object of the outputs, or the value of the only one.

    Raises:
        RequestRefusedError: An output has no first dimension, or they differ.
    """
    sizes = {alias: array.shape[0] if array.ndim else None for alias, array in outputs.items()}
    if len(set(sizes.values())) != 1 or None in sizes.values():
        raise _refused(f"Outputs have no common batch size: {sizes}; ask by column ('inputs')")
    columns = {alias: _values(alias, array) for alias, array in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def arrays_to_columns(outputs: Mapping[str, Array]) -> Any:
    """The `outputs` of the columnar form: an object of tensors, or the only one."""
    columns = {alias: _values(alias, array) for alias, array in outputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def _named_values(signature: RunnableSignature, value: Any, key: str) -> list[tuple[Input, Any]]:
    """Which value goes to which input; further names are ignored, as TF Serving does."""
    if not isinstance(value, dict) or set(cast("dict[str, Any]", value)) == {"b64"}:
        if len(signature.inputs) != 1:
            raise _refused(
                f"{key} is a plain value/list, but expecting an object as multiple input tensors required"
                " as per tensorinfo_map"
            )
        return [(signature.inputs[0], value)]
    for feed in sorted(signature.inputs, key=lambda item: item.alias):
        if feed.alias not in value:
            raise _refused(f"Missing named input: {feed.alias} in '{key}' object.")
    return [(feed, value[feed.alias]) for feed in signature.inputs]


def _array(feed: Input, value: Any) -> Array:
    shape = _shape(value)
    flat: list[Any] = []
    _flatten(feed, value, len(shape), flat)
    if len(flat) != math.prod(shape):
        raise _refused(f"Expecting tensor size: {math.prod(shape)} but got: {len(flat)}")
    array = np.empty(len(flat), numpy_dtype(feed.data_type))
    try:
        array[:] = flat
    except OverflowError as error:
        raise _refused(f"JSON Value out of range for type: {type_label(feed.data_type)}") from error
    return array.reshape(shape)


def _shape(value: Any) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list):
        if len(shape) == MOST_DIMENSIONS:
            raise _refused(f"JSON Value has more than {MOST_DIMENSIONS} dimensions")
        items = cast("list[Any]", value)
        shape.append(len(items))
        value = items[0] if items else None
    return tuple(shape)


def _flatten(feed: Input, value: Any, depth: int, flat: list[Any]) -> None:
    if depth and isinstance(value, list):
        for item in cast("list[Any]", value):
            _flatten(feed, item, depth - 1, flat)
    else:
        flat.append(_leaf(feed, value))


def _leaf(feed: Input, value: Any) -> Any:
    if feed.data_type == DataType.DT_STRING:
        text = _text(value)
        if text is not None:
            return text
    elif feed.data_type == DataType.DT_BOOL:
        if isinstance(value, bool):
            return value
    elif type(value) in ((int, float) if numpy_dtype(feed.data_type).kind == "f" else (int,)):
        return value
    name = _TYPE_NAMES.get(cast("type[Any]", type(value)), "Number")
    expected = type_label(feed.data_type)
    raise _refused(f"JSON Value: {json.dumps(value)} Type: {name} is not of expected type: {expected}")


def _text(value: Any) -> bytes | None:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise _refused("JSON Parse error: The surrogate pair in string is invalid.") from error
    if isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"b64"}:
        try:
            return base64.b64decode(cast("dict[str, str]", value)["b64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise _refused(f"JSON Value: {json.dumps(value)} is not valid base64") from error
    return None


def _values(alias: str, array: Array) -> Any:
    """An array as nested lists; float32 by its shortest digits, bytes as text or, for `*_bytes`, as base64."""
    if array.dtype == np.float32:
        return array.astype(str).astype(np.float64).tolist()
    if array.dtype.kind == "O":
        encode = _as_base64 if alias.endswith("_bytes") else _as_text
        encoded = np.empty(array.size, object)
        encoded[:] = [encode(item) for item in array.ravel().tolist()]
        return encoded.reshape(array.shape).tolist()
    return array.tolist()


def _as_text(item: bytes) -> str:
    return item.decode(errors="replace")


def _as_base64(item: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode()}


def _pretty(document: Mapping[str, Any]) -> str:
    members: Sequence[str] = [f' "{key}": {json.dumps(value)}' for key, value in document.items()]
    return "{\n" + ",\n".join(members) + "\n}"


def _refused(message: str) -> ServingError:
    return serving_error(grpc.StatusCode.INVALID_ARGUMENT, message)
