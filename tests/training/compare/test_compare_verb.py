"""The verb `compare`: one command from a file to the tables."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.__main__ import main

USERS, STREAMERS, STEPS = 16, 8, 560


@pytest.fixture(scope="module")
def twitch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reduced Twitch file of faithful viewers: each watches one streamer, again and again."""
    rng = np.random.default_rng(3)
    user = np.repeat(np.arange(USERS), 15)
    step = np.sort(rng.integers(0, STEPS, (USERS, 15)), axis=1).ravel()
    step[-1] = STEPS - 1  # The last step says where the parts meet.
    path = tmp_path_factory.mktemp("twitch") / "interactions.parquet"
    pq.write_table(pa.table({"user_id": user, "streamer_id": user % STREAMERS, "start_step": step}), path)
    return path


def test_one_command_prints_channels_merge_ranking_and_peers(
    twitch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told.json"
    arguments = ["--protocol", "liverec", "--model", "item_cf", "--budget", "8", "--seeds", "1"]
    status = main(["compare", "recall", "--data", str(twitch), *arguments, "--json", str(told)])
    assert status == 0
    live, every = json.loads(told.read_text())
    assert (live["title"], every["title"]) == ("streamers available then", "all streamers")
    assert every["offered"] == STREAMERS
    assert (
        live["rows"]["repeat counts"][0]["quality"]["all"]["ndcg@10"] == 1
    )  # Whom a viewer has watched, and no other.
    wanted = {"item_cf", "watched", "hot", "fresh", "merged", "merged and ranked", "implicit ALS", "popularity"}
    assert wanted <= live["rows"].keys()
    assert "ranked without who is on air" in every["rows"].keys() - live["rows"].keys()
    assert "Hand-off" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--data", "nowhere"], "--data: expected a file or folder, found none at nowhere"),
        (["--data", ".", "--seeds", "0"], "--seeds: expected a number above 0, received 0"),
        (
            ["--data", ".", "--protocol", "ncf", "--model", "mf"],
            "--model: expected none with --protocol ncf, received ['mf']",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "recall", *arguments]) == 2
    assert capsys.readouterr().err == f"compare: {told}\n"
