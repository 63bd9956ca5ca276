"""Tables of settings: values that are checked against the fields of a record, errors that name the key."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast


class SettingsError(ValueError):
    """A settings file that cannot be used: names the key, what was expected and received."""


def only_keys(table: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuses a table with other keys.

    Raises:
        SettingsError: Names the first of them.
    """
    unknown = sorted(set(table) - known)
    if unknown:
        raise SettingsError(f"{where}.{unknown[0]}: unknown key; expected one of {', '.join(sorted(known))}")


def table_of(value: object, where: str) -> dict[str, Any]:
    """The value, which must be a table.

    Raises:
        SettingsError: It is none.
    """
    if not isinstance(value, dict):
        raise SettingsError(f"{where}: expected a table, received {value!r}")
    return cast(dict[str, Any], value)


def record_of(kind: type[Any], table: Mapping[str, Any], where: str) -> Any:
    """Makes a record of settings from a table that must name each of its fields.

    Raises:
        SettingsError: A key is unknown, missing, or of another kind.
    """
    expected = {each.name: each.type for each in fields(kind)}
    only_keys(table, set(expected), where)
    missing = sorted(set(expected) - set(table))
    if missing:
        raise SettingsError(f"{where}.{missing[0]}: expected a value, received none")
    return kind(**{name: value_of(table[name], expected[name], f"{where}.{name}") for name in expected})


def value_of(value: Any, kind: Any, where: str) -> Any:
    """Checks a value against a field's type: a scalar, a list of texts or places, or a mapping to numbers.

    Raises:
        SettingsError: It is of another kind.
    """
    if kind in (int, float, str):
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if fits and not isinstance(value, bool):
            return kind(value)
        raise SettingsError(f"{where}: expected {kind.__name__}, received {value!r}")
    if kind == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in cast(list[object], value)):
            return tuple(cast(list[str], value))
        raise SettingsError(f"{where}: expected a list of names, received {value!r}")
    if kind == tuple[int, ...]:
        if isinstance(value, list):
            return tuple(value_of(item, int, where) for item in cast(list[object], value))
        raise SettingsError(f"{where}: expected a list of places, received {value!r}")
    inner: Any = int if kind == Mapping[str, int] else float
    return {name: value_of(item, inner, f"{where}.{name}") for name, item in table_of(value, where).items()}
