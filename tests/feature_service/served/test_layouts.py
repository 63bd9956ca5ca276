"""Layouts of served slates: written once, read by their names, and refused by them when they are not there."""

from pathlib import Path

import pytest

from feature_service.features.layout import Layout
from feature_service.log.protocol import LogError
from feature_service.served.layouts import name_of, read_layout, write_layout

ONE = Layout.from_strings({"user_ids": ["user.id@1:int64:1"], "heads": ["enter"]})
OTHER = Layout.from_strings({"user_ids": ["user.id@2:int64:1"], "heads": ["enter"]})


def test_a_layout_is_read_by_its_name(tmp_path: Path) -> None:
    for layout in (ONE, OTHER, ONE):
        write_layout(tmp_path, layout)
    assert read_layout(tmp_path, name_of(ONE)) == ONE
    assert read_layout(tmp_path, name_of(OTHER)) == OTHER
    assert len([*(tmp_path / "layouts").iterdir()]) == 2


def test_a_layout_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"layouts/c0ffee\.json: expected the layout that served slates name: No such"):
        read_layout(tmp_path, "c0ffee")


@pytest.mark.parametrize("text", ["no JSON", '{"user_ids": ["nothing"]}'])
def test_a_file_that_is_no_layout_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "c0ffee.json").write_text(text)
    with pytest.raises(LogError, match=r"layouts/c0ffee\.json: expected a layout: "):
        read_layout(tmp_path, "c0ffee")
