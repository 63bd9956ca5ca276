"""Held keys: a folder's files are searched for numbers wherever they stand."""

from pathlib import Path

import numpy as np
import pytest

from training import held_keys
from training.held_keys import holds_keys

KEY = -(2**62) + 12_345
KEYS = np.array([KEY, 7], np.int64)


@pytest.mark.parametrize("before", range(9))
def test_a_key_is_found_at_any_place(tmp_path: Path, before: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_keys, "_PIECE_BYTES", 10)  # The key lies across two pieces, or behind the first.
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "data").write_bytes(b"x" * before + np.int64(KEY).tobytes() + b"y")
    assert holds_keys(tmp_path, KEYS)


def test_other_numbers_are_not_the_key(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(np.array([KEY + 1, KEY - 1, 0], np.int64).tobytes())
    (tmp_path / "short").write_bytes(b"x")
    assert not holds_keys(tmp_path, KEYS)
    assert not holds_keys(tmp_path, KEYS[:0])
    assert not holds_keys(tmp_path / "missing", KEYS)
