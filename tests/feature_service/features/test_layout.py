"""The layout survives the way through strings, and says what it cannot read."""

import pytest

from feature_service.features.layout import Column, Layout, LayoutError
from tests.feature_service.event_streams import CATALOG

LAYOUT = CATALOG.layout(heads=["enter", "gift"])


def test_a_layout_is_the_same_after_the_way_through_strings() -> None:
    assert Layout.from_strings(dict(LAYOUT.to_strings())) == LAYOUT


def test_the_order_of_a_models_outputs_does_not_matter() -> None:
    outputs = LAYOUT.to_strings()
    assert Layout.from_strings({name: outputs[name] for name in sorted(outputs)}) == LAYOUT


def test_a_column_is_written_with_its_length_when_it_is_a_sequence() -> None:
    assert Column("a.b", 2, "int64", 1).spec == "a.b@2:int64:1"
    assert Column.parse("a.b@2:float32:3:50") == Column("a.b", 2, "float32", 3, 50)


@pytest.mark.parametrize("spec", ["", "a.b", "a.b@x:int64:1", "a@b@1:int64:1", "a@1:int64", "a@1:int64:1:2:3"])
def test_a_text_that_is_no_column_is_refused(spec: str) -> None:
    with pytest.raises(LayoutError, match="expected name@version:dtype:width"):
        Column.parse(spec)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"user_texts": ["a@1:int64:1"]}, "tensor: expected one of"),
        ({"user_ids": []}, "user_ids: expected at least one column, received none"),
        ({"user_ids": ["a@1:float32:1"]}, "user_ids: expected int64 columns, received a@1:float32:1"),
        (
            {"history_ids": ["a@1:int64:1:50", "b@1:int64:1:20"]},
            "history_ids: expected columns of one length, received a@1:int64:1:50 and b@1:int64:1:20",
        ),
    ],
)
def test_a_layout_that_no_service_can_build_is_refused(outputs: dict[str, list[str]], message: str) -> None:
    with pytest.raises(LayoutError) as refusal:
        Layout.from_strings(dict(outputs))
    assert str(refusal.value).startswith(message)


def test_columns_lie_side_by_side() -> None:
    layout = Layout.from_strings({"user_floats": ["a@1:float32:2", "b@1:float32:1"]})
    assert layout["user_floats"].slices() == {"a": slice(0, 2), "b": slice(2, 3)}
    assert layout["user_floats"].width == 3


def test_a_signature_reads_a_part_of_the_tensors() -> None:
    part = LAYOUT.select(["user_ids", "user_floats"])
    assert [tensor.name for tensor in part.tensors] == ["user_floats", "user_ids"]
    assert "candidate_ids" not in part
    with pytest.raises(KeyError, match="candidate_ids: expected one of"):
        part["candidate_ids"]
