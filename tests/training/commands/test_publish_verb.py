"""The verb publish: what it says of a file of metrics that cannot stand in a manifest."""

from pathlib import Path

import pytest

from serving.verbs import UserError
from training.commands.publish import read_metrics


def test_numbers_and_undefined_ones_are_taken(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"enter.auc": 0.75, "gift.auc": null}')
    assert read_metrics(tmp_path / "metrics.json") == {"enter.auc": 0.75, "gift.auc": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xx", r"metrics\.json: expected JSON, received a file in which Expecting value"),
        ("[1]", r"metrics\.json: expected an object of numbers by name, received list"),
        ('{"auc": NaN}', r"metrics\.json: auc: expected a finite number or null, received nan"),
        ('{"auc": "high"}', r"metrics\.json: auc: expected a finite number or null, received 'high'"),
    ],
)
def test_what_is_no_number_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=message):
        read_metrics(tmp_path / "metrics.json")
