"""Layouts of served slates: a file for each beside the segments, so that no slate repeats the names of its columns."""

import hashlib
import json
import os
from pathlib import Path

from feature_service.features.layout import Layout, LayoutError
from feature_service.log.protocol import LogError

_FOLDER = "layouts"


def name_of(layout: Layout) -> str:
    """A hash of the columns and heads."""
    return hashlib.blake2b(_text(layout).encode(), digest_size=8).hexdigest()


def write_layout(folder: Path, layout: Layout) -> None:
    """Writes a layout under its name, durably, unless it is there.

    Args:
        folder: Of the served log.
        layout: The layout.

    Raises:
        OSError: It could not be written.
    """
    path = _path(folder, name_of(layout))
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(_text(layout))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def read_layout(folder: Path, name: str) -> Layout:
    """The layout of a name.

    Raises:
        LogError: There is none, or it is no layout.
    """
    path = _path(folder, name)
    try:
        return Layout.from_strings(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LogError(f"{path}: expected the layout that served slates name: {error.strerror}") from None
    except (ValueError, LayoutError) as error:
        raise LogError(f"{path}: expected a layout: {error}") from None


def _path(folder: Path, name: str) -> Path:
    return folder / _FOLDER / f"{name}.json"


def _text(layout: Layout) -> str:
    return json.dumps(layout.to_strings(), indent=1) + "\n"
