"""The API stays compatible with what was released last: old callers, and records at rest, go on as they were."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
API = "recommendation.proto"
EVENT = "event.proto"
SERVED = "served.proto"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The contracts, to be changed."""
    for path in (ROOT / "protos").rglob("*.proto"):
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def buf(tree: Path, *arguments: str) -> str:
    """What buf finds in a tree; empty = nothing. It reaches for no network."""
    program = Path(sys.executable).parent / "buf"
    environment = {"BUF_CACHE_DIR": str(tree / "cache"), "PATH": "/usr/bin:/bin", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run([program, *arguments], cwd=tree, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 100), done.stderr  # 100: it has found something.
    return done.stdout


def broken(tree: Path) -> str:
    """What an old caller, or an old record, would meet."""
    return buf(tree, "breaking", "--against", str(ROOT / "protos" / "released.binpb"))


def change(tree: Path, file: str, pattern: str, replacement: str) -> None:
    """Changes the one place of a contract."""
    path = tree / "protos" / "onair" / "v1" / file
    text, places = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
    assert places == 1, pattern
    path.write_text(text)


def test_nothing_that_was_released_is_broken(tree: Path) -> None:
    assert broken(tree) == ""


def test_the_contracts_have_one_style(tree: Path) -> None:
    assert buf(tree, "lint") == ""


def test_new_fields_and_calls_break_nobody(tree: Path) -> None:
    change(tree, API, r"^message RoomCard \{$", r"\g<0>\n  string colour = 1000;")
    change(tree, API, r"^service RecommendationService \{$", r"\g<0>\n  rpc Colour(Context) returns (Context);")
    assert broken(tree) == ""


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "found"),
    [
        (API, r"^  string room_id = 1;$", "", r'field "1" with name "room_id" .* was deleted'),
        (API, r"^  int32 k = 3;", "  int64 k = 3;", r'field "3" with name "k" .* changed type'),
        (API, r"^  string user_id = 1;$", "  string viewer_id = 1;", "changed name"),
        (API, r"^  rpc GetFeatures\(.*$", "", r'RPC "GetFeatures" .* was deleted'),
        (EVENT, r"^  string user_id = 4;$", "  string user_id = 99;", r'field "4" with name "user_id" .* was deleted'),
        (EVENT, r"^  LIKE = 4;$", "", r'enum value "4" .* was deleted'),
        (SERVED, r"^  string ranker = 20;", "  bytes ranker = 20;", r'field "20" with name "ranker" .* changed type'),
    ],
)
def test_what_would_break_callers_or_records_is_found(
    tree: Path, file: str, pattern: str, replacement: str, found: str
) -> None:
    change(tree, file, pattern, replacement)
    assert re.search(found, broken(tree), re.IGNORECASE)
