"""The verb `compare ranking`: one command from a folder to the tables."""

import json
from pathlib import Path

import pytest

from tests.training.compare.census_tables import write_census
from training.__main__ import main


def test_one_command_prints_heads_and_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_census(tmp_path)
    told = tmp_path / "told.json"
    arguments = ["--data", str(tmp_path), "--protocol", "census", "--model", "mmoe", "--seeds", "1"]
    assert main(["compare", "ranking", *arguments, "--json", str(told)]) == 0
    printed = capsys.readouterr().out
    assert "income > 50K (10 of 40)" in printed
    assert "Fewer than 100 of a class: not to be compared." in printed
    assert "serving µs, 500 candidates" in printed
    assert json.loads(told.read_text())["rows"].keys() == {"mmoe"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--data", "nowhere"], "--data: expected a file or folder, found none at nowhere"),
        (
            ["--data", ".", "--protocol", "liverec"],
            "--protocol: expected one of samples, kuairand, census with ranking, received liverec",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "ranking", *arguments]) == 2
    assert capsys.readouterr().err == f"compare: {told}\n"


def test_recall_has_no_groups_to_drop(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "recall", "--data", ".", "--drop-group", "pair"]) == 2
    assert capsys.readouterr().err == "compare: --drop-group: expected none with recall, received ['pair']\n"
