"""The catalogue: every feature fills its column, and layouts are checked against it."""

from dataclasses import replace

import numpy as np
import pytest

from feature_service.features import layout as packed
from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.events import EventKind
from feature_service.features.layout import Column, Layout, LayoutError, TensorLayout
from feature_service.features.reducers import Entity
from feature_service.features.schema import Encoding, Feature, Side, key_of
from feature_service.features.state import State
from feature_service.features.tensors import TensorBuilder
from feature_service.features.view import Context, View
from tests.feature_service.event_streams import CATALOG, START_MS, event, state_of


def _platform(rooms: int) -> State:
    events = [
        event(
            EventKind.ROOM_STARTED,
            i % 60,
            room_id=f"r{i}",
            streamer_id=f"s{i}",
            title=f"t{i}",
            viewers=i,
            content=(i, 1),
        )
        for i in range(rooms)
    ]
    events += [
        event(kind, 60 + i, room_id=f"r{i}", streamer_id=f"s{i}", watch_ms=5_000)
        for i in range(min(rooms, 40))
        for kind in (EventKind.IMPRESSION, EventKind.ENTER, EventKind.LEAVE, EventKind.FOLLOW, EventKind.GIFT)
    ]
    return state_of(*events)


def _view(state: State, rooms: int) -> View:
    rows = np.array([state.rooms.find(key_of("room", f"r{i}")) for i in range(rooms)], np.intp)
    streamer_rows = np.array([state.streamers.find(key_of("streamer", f"s{i}")) for i in range(rooms)], np.intp)
    return state.view(key_of("user", "u"), rows, streamer_rows, Context("home", "phone"), START_MS + 300_000)


STATE = _platform(500)


@pytest.mark.parametrize("candidates", [0, 1, 3])
@pytest.mark.parametrize("feature", CATALOG.features, ids=lambda feature: feature.name)
def test_a_feature_fits_its_column(feature: Feature, candidates: int) -> None:
    value = feature.value(_view(STATE, candidates))
    rows = 1 if feature.side is Side.USER else candidates
    steps = [feature.length] if feature.length else []
    width = [feature.width] if feature.width > 1 else []
    assert list(value.shape) == [rows, *steps, *width]
    assert np.can_cast(value.dtype, feature.dtype, "same_kind")
    assert feature.encoding is not Encoding.ID or value.dtype == np.int64


@pytest.mark.parametrize("feature", CATALOG.features, ids=lambda feature: feature.name)
def test_a_feature_says_what_it_is(feature: Feature) -> None:
    assert feature.doc.endswith(".")
    assert feature.unit
    assert (feature.encoding is Encoding.ID) == bool(feature.vocabulary)
    assert feature.group in {"user", "context", "room", "streamer", "pair"}


def test_a_candidates_values_do_not_depend_on_the_others() -> None:
    builder = TensorBuilder(CATALOG, CATALOG.layout())
    few, many = builder.build(_view(STATE, 3)), builder.build(_view(STATE, 500))
    assert many[packed.CANDIDATE_FLOATS].any()
    for name, tensor in few.items():
        assert tensor.tobytes() == many[name][: len(tensor)].tobytes()


@pytest.mark.parametrize(
    "patterns", [["*"], ["*.decayed", "!*.like.decayed", "streamer.*", "room.gift*"], ["user.like.*"]]
)
def test_a_tensor_holds_the_value_of_each_feature_in_its_columns(patterns: list[str]) -> None:
    layout = CATALOG.layout(patterns)
    tensors, view = TensorBuilder(CATALOG, layout).build(_view(STATE, 3)), _view(STATE, 3)
    for tensor in layout.tensors:
        filled = tensors[tensor.name]
        for column in tensor.columns:
            value = CATALOG.by_reference[column.name, column.version].value(view)
            columns = filled[..., tensor.slices()[column.name]]
            np.testing.assert_array_equal(columns, value.reshape(columns.shape).astype(filled.dtype), column.name)


def test_tensors_have_the_shapes_that_the_layout_names() -> None:
    layout = CATALOG.layout()
    tensors = TensorBuilder(CATALOG, layout).build(_view(STATE, 3))
    assert list(tensors) == [tensor.name for tensor in layout.tensors]
    for tensor in layout.tensors:
        filled = tensors[tensor.name]
        assert filled.dtype == packed.DTYPES[tensor.name]
        rows = 3 if tensor.name.startswith("candidate") else 1
        assert filled.shape == ((rows, tensor.length, tensor.width) if tensor.length else (rows, tensor.width))


def test_patterns_choose_and_leave_out() -> None:
    layout = CATALOG.layout(["room.*", "!room.*.decayed", "!room.*.total"], heads=["enter"])
    names = [column.name for tensor in layout.tensors for column in tensor.columns]
    assert "room.minutes_on_air" in names
    assert "room.content" in names
    assert not [name for name in names if name.endswith((".decayed", ".total")) or not name.startswith("room.")]
    assert layout.heads == ("enter",)


def test_a_pattern_that_matches_nothing_is_refused() -> None:
    with pytest.raises(LayoutError, match=r"expected a pattern that matches a feature, received 'rooms\.\*'"):
        CATALOG.layout(["rooms.*"])


def test_a_layout_takes_the_newest_version() -> None:
    newer = replace(CATALOG.by_reference["room.viewers", 1], version=2)
    layout = Catalog((newer, *CATALOG.features)).layout(["room.viewers"])
    assert layout.tensors == (TensorLayout("candidate_floats", (newer.column,)),)


VIEWERS = "room.viewers@1:float32:1 in candidate_floats"


def _one(tensor: str, spec: str) -> Layout:
    return Layout((TensorLayout(tensor, (Column.parse(spec),)),))


@pytest.mark.parametrize(
    ("tensor", "spec", "message"),
    [
        (
            "candidate_floats",
            "room.mood@1:float32:1",
            "candidate_floats: the model reads room.mood@1, the catalogue has no such feature",
        ),
        (
            "candidate_floats",
            "room.viewers@3:float32:1",
            "candidate_floats: the model reads room.viewers@3, the catalogue has versions [1]",
        ),
        (
            "candidate_floats",
            "room.viewers@1:float32:2",
            "candidate_floats: the model reads room.viewers@1:float32:2, the catalogue has " + VIEWERS,
        ),
        (
            "user_floats",
            "room.viewers@1:float32:1",
            "user_floats: the model reads room.viewers@1:float32:1, the catalogue has " + VIEWERS,
        ),
    ],
)
def test_a_layout_that_the_catalogue_cannot_fill_is_refused_by_column(tensor: str, spec: str, message: str) -> None:
    layout = _one(tensor, spec)
    assert CATALOG.check(layout) == [message]
    with pytest.raises(LayoutError) as refusal:
        TensorBuilder(CATALOG, layout)
    assert str(refusal.value) == message


def test_the_catalogue_can_fill_its_own_layout() -> None:
    assert CATALOG.check(CATALOG.layout()) == []


def test_a_platform_without_content_vectors_has_no_such_feature() -> None:
    assert ("room.content", 1) not in build_catalog(0).by_reference


def test_an_attribute_declared_twice_is_refused() -> None:
    city = Attribute(Entity.USER, "city", AttributeKind.CATEGORY)
    with pytest.raises(ValueError, match=r"expected each feature once, received \['user.attribute.city@1'\]"):
        build_catalog(0, [city, city])


def test_the_fingerprint_follows_the_columns() -> None:
    assert build_catalog(2).fingerprint == build_catalog(2).fingerprint
    assert build_catalog(2).fingerprint != build_catalog(3).fingerprint
