"""A user's mistakes on the command line: one line that names what is wrong, status 2, and no traceback."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feature_service.features.events import Event, EventKind
from feature_service.log.local import LocalLog
from training.data.sources import write_log

BANNER = ("WARNING: All log messages before absl", "I0000 ")
"""How TensorFlow greets; nothing turns that off."""


def mistake(*arguments: str | Path, entered: str = "") -> str:
    """What a command says on its way out; it must be one line, with status 2."""
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, input=entered, capture_output=True, text=True, timeout=120, check=False)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(BANNER) and " INFO " not in line]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[service]\nmax_kk = 3\n", "service.max_kk: unknown key"),
        ("[scenes.home]\nrankr = 'mmoe'\n", "scenes.home.rankr: unknown key"),
        ("[service]\nmax_k = 'many'\n", "service.max_k: expected int, received 'many'"),
        ("[scenes.home.channels]\nhott = 3\n", "scenes.home.channels: expected "),
        ("[scenes.home.channel_weights]\nhott = 3\n", "scenes.home.channel_weights: expected "),
        ("[scenes.home]\nfilters = ['blockd']\n", "scenes.home.filters: expected "),
        ("[service\n", "expected TOML"),
    ],
)
def test_misspelt_settings_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    command = ["feature_service", "serve", "--data", tmp_path / "data", "--settings", tmp_path / "settings.toml"]
    assert said in mistake(*command)


def test_port_in_use_is_named(tmp_path: Path, taken_port: int) -> None:
    address = f"127.0.0.1:{taken_port}"
    assert address in mistake("feature_service", "serve", "--data", tmp_path, "--address", address)


def test_data_of_another_writer_is_named(tmp_path: Path) -> None:
    log = LocalLog.open(tmp_path / "log")
    said = mistake("feature_service", "serve", "--data", tmp_path, "--address", "127.0.0.1:0")
    log.close()
    assert "expected to be the only writer" in said


def test_data_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert str(tmp_path / "data") in mistake("feature_service", "serve", "--data", tmp_path / "data")


def test_token_for_nobody_is_named(tmp_path: Path) -> None:
    said = mistake("feature_service", "serve", "--data", tmp_path, "--token-file", tmp_path / "token")
    assert "--token-file: expected --replica-of beside it" in said


def test_tokens_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokens.toml").write_text('[[token]]\nname = "app"\nsha256 = "onair_plain"\nscopes = ["ask"]\n')
    (tmp_path / "settings.toml").write_text(f'[access]\ntokens = "{tmp_path / "tokens.toml"}"\n')
    said = mistake("feature_service", "serve", "--data", tmp_path / "data", "--settings", tmp_path / "settings.toml")
    assert "token 1.sha256: expected 64 hexadecimal digits, the SHA-256 of the token" in said
    assert "onair_plain" not in said


def test_store_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("this is no database, however long one looks at it" * 20)
    assert "store.sqlite" in mistake("feature_service", "serve", "--data", tmp_path)


def test_store_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = f"redis://127.0.0.1:{held.getsockname()[1]}/0"
    (tmp_path / "settings.toml").write_text(f'[store]\naddress = "{address}"\n')
    said = mistake("feature_service", "serve", "--data", tmp_path / "data", "--settings", tmp_path / "settings.toml")
    assert f"{address}: expected a readable and writable store: " in said


def test_log_without_an_end_has_no_clock(tmp_path: Path) -> None:
    said = mistake("feature_service", "serve", "--data", tmp_path, "--as-of", "log", "--address", "127.0.0.1:0")
    assert "--as-of log: expected a log with at least one event" in said


def test_service_that_does_not_answer_is_named(taken_port: int) -> None:
    said = mistake("feature_service", "ask", "--user", "u", "--address", f"127.0.0.1:{taken_port}", "--timeout", "0.5")
    assert f"127.0.0.1:{taken_port}" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [("{", "line 1: expected an event as JSON"), ('{"event_id": "e", "time_ms": 1}', "line 1: kind: expected one of")],
)
def test_line_that_is_no_event_is_named(line: str, said: str) -> None:
    assert said in mistake("feature_service", "report", entered=line + "\n")


def test_corrupt_shard_is_named(tmp_path: Path) -> None:
    write_log(tmp_path / "log", [Event("e", EventKind.ROOM_STARTED, 1, room_id="r", streamer_id="s")])
    shard = next((tmp_path / "log").glob("*.parquet"))
    shard.write_bytes(shard.read_bytes()[:-7])
    assert shard.name in mistake("training", "replay", "--log", tmp_path / "log", "--samples", tmp_path / "s", "--json")


def test_missing_log_is_named(tmp_path: Path) -> None:
    said = mistake("training", "replay", "--log", tmp_path / "none", "--samples", tmp_path / "samples", "--json")
    assert str(tmp_path / "none") in said


@pytest.mark.slow
def test_missing_model_directory_is_named(tmp_path: Path) -> None:
    arguments = ["--saved-model", tmp_path / "none", "--models", tmp_path / "models", "--name", "mmoe"]
    assert str(tmp_path / "none") in mistake("training", "publish", *arguments).replace("//", "/")
