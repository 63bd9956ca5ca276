"""The catalogue of a log."""

import pytest

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.reducers import Entity
from feature_service.settings import parse
from training.data.about import About
from training.data.errors import DataError
from training.data.platform import catalog_of, settings_toml


def about(**user_attributes: dict[str, str | int]) -> About:
    return About("by hand", "", (), (), {"user": user_attributes, "streamer": {}, "room": {}}, 4, 0, 0, 0)


def test_attributes_and_content_vectors_are_those_of_the_log():
    catalog = catalog_of(about(age={"kind": "number"}, taste={"kind": "vector", "width": 3}))
    assert catalog.attributes == (
        Attribute(Entity.USER, "age", AttributeKind.NUMBER),
        Attribute(Entity.USER, "taste", AttributeKind.VECTOR, 3),
    )
    assert [feature.width for feature in catalog.features if feature.name == "room.content"] == [4]


def test_settings_add_attributes_that_the_log_does_not_carry():
    settings = parse('[attributes.room.price]\nkind = "number"', "settings")
    names = [attribute.name for attribute in catalog_of(about(age={"kind": "number"}), settings).attributes]
    assert names == ["age", "price"]


def test_an_attribute_that_log_and_settings_declare_differently_is_refused():
    settings = parse('[attributes.user.age]\nkind = "category"', "settings")
    with pytest.raises(DataError, match=r"^attributes.user.age: expected number .* received category"):
        catalog_of(about(age={"kind": "number"}), settings)


def test_a_log_without_description_takes_what_the_settings_say():
    settings = parse("[service]\ncontent_width = 0", "settings")
    assert not [each for each in catalog_of(None, settings).features if each.name == "room.content"]


def test_neither_description_nor_settings_is_an_error():
    with pytest.raises(DataError, match=r"^about.json: expected it beside the log, or a settings file"):
        catalog_of(None)


def test_written_settings_declare_the_same_catalogue():
    catalog = catalog_of(about(**{"age band": {"kind": "category"}, "taste": {"kind": "vector", "width": 3}}))
    again = catalog_of(None, parse(settings_toml(catalog), "settings"))
    assert again.fingerprint == catalog.fingerprint
    assert again.attributes == catalog.attributes
