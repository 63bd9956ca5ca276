"""The answer of a verb on standard output, for people or for machines."""

import json
import sys
from collections.abc import Mapping


def answer(record: Mapping[str, object], *, as_json: bool) -> None:
    """Writes a record: one JSON object, or a line a field without the empty ones."""
    if as_json:
        sys.stdout.write(json.dumps(record) + "\n")
        return
    width = max(map(len, record), default=0)
    for name, value in record.items():
        if text := _spoken(value):
            sys.stdout.write(f"{name.replace('_', ' '):<{width}}  {text}\n")


def _spoken(value: object) -> str:
    """A value in words: a list by commas, a mapping of mappings by names with what they hold in brackets."""
    if isinstance(value, Mapping):
        named = [
            f"{name} ({text})" for name, held in value.items() if isinstance(held, Mapping) and (text := _spoken(held))
        ]
        return ", ".join([*named, *(str(held) for held in value.values() if not isinstance(held, Mapping))])
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
