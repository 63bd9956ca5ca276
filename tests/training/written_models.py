"""A folder that looks like a SavedModel, as far as publishing looks."""

from pathlib import Path


def written_model(directory: Path) -> Path:
    """Writes a graph and an index of variables into a new folder, and returns it."""
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(b"graph")
    (directory / "variables" / "variables.index").write_bytes(b"index")
    return directory
