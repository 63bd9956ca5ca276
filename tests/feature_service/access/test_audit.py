"""The audit file, and the verb that finds who looked at a user."""

import json
from pathlib import Path

import pytest

from feature_service.__main__ import VERBS
from feature_service.access.audit import Audit, user_key
from serving.verbs import run_verb

DAY_MS = 86_400_000


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, str]]:
    """What `audit` prints."""
    assert run_verb("python -m feature_service", "", VERBS, ["audit", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_who_looked_at_a_user_is_found_by_the_id_in_the_files_of_all_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = tmp_path / "workers" / "1"
    worker.mkdir(parents=True)
    Audit(tmp_path / "audit.jsonl", lambda: DAY_MS).record("console", "Explain", {"user": user_key("anna")})
    Audit(worker / "audit.jsonl", lambda: 0).record("support", "GetFeatures", {"user": user_key("anna")})
    Audit(worker / "audit.jsonl", lambda: DAY_MS).record("console", "Rollback", {"model": "mmoe", "version": "3"})
    found = shown(capsys, "--data", str(tmp_path), "--user", "anna")
    assert [(line["time"], line["caller"], line["method"]) for line in found] == [
        ("1970-01-01T00:00:00.000+00:00", "support", "GetFeatures"),
        ("1970-01-02T00:00:00.000+00:00", "console", "Explain"),
    ]
    assert shown(capsys, "--data", str(tmp_path), "--user", "ben") == []
    assert {line["method"] for line in shown(capsys, "--data", str(tmp_path))} == {"Explain", "GetFeatures", "Rollback"}


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl", lambda: 0)
    audit.record("console", "Explain", {})
    (tmp_path / "audit.jsonl").rename(tmp_path / "audit.old")
    audit.record("console", "WhatIf", {})
    assert "WhatIf" in (tmp_path / "audit.jsonl").read_text()


def test_half_a_line_is_told_by_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit.jsonl").write_text('{"time": "1')
    assert run_verb("", "", VERBS, ["audit", "--data", str(tmp_path)]) == 2
    assert f"{tmp_path}/audit.jsonl: line 1: expected JSON" in capsys.readouterr().err
