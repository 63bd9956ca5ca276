"""The registry of importers."""

from pathlib import Path

import pytest

from training.data.errors import DataError
from training.data.importers import IMPORTERS, import_log
from training.heads import HEAD_NAMES


@pytest.mark.parametrize("name", IMPORTERS)
def test_an_importer_states_its_name_its_gaps_and_its_heads(name: str) -> None:
    importer = IMPORTERS[name]
    assert name == importer.NAME
    assert importer.LACKS
    assert importer.HEADS
    assert set(importer.HEADS) <= set(HEAD_NAMES)


def test_an_unknown_importer_option_or_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"importer: expected one of columns, .*, received twich"):
        import_log("twich", tmp_path, tmp_path / "log")
    with pytest.raises(DataError, match="sampeld: the importer twitch has sampled, seed"):
        import_log("twitch", tmp_path, tmp_path / "log", sampeld=3)
    with pytest.raises(DataError, match="nowhere: expected a file or folder to import, found none"):
        import_log("twitch", tmp_path / "nowhere", tmp_path / "log")
