"""What a model's base path holds: its numeric children are its versions."""

import logging
import re
from pathlib import Path

log = logging.getLogger(__name__)

_VERSION = re.compile(r"0*[0-9]{1,18}")  # what surely fits the API's int64


def versions_on_disk(name: str, base_path: Path) -> dict[int, Path] | None:
    """The versions under a base path.

    As in TF Serving, leading zeros are parsed, a numeric file counts (and then fails to load), other names do not.

    Returns:
        Version → path; None where the base path cannot be read (which changes nothing about what is loaded).
    """
    try:
        children = sorted(base_path.iterdir())
    except FileNotFoundError:
        log.error(
            "FileSystemStoragePathSource encountered a filesystem access error:"
            " Could not find base path %s for servable %s with error NOT_FOUND: %s not found",
            *(base_path, name, base_path),
        )
        return None
    except OSError as error:
        log.error(
            "FileSystemStoragePathSource encountered a filesystem access error: %s: %s", base_path, error.strerror
        )
        return None
    versions = {int(child.name): child for child in children if _VERSION.fullmatch(child.name)}
    if not versions:
        log.warning(
            "No versions of servable %s found under base path %s."
            " Did you forget to name your leaf directory as a number (eg. '/1/')?",
            *(name, base_path),
        )
    return versions
