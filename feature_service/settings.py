"""Settings: behaviour in TOML, defaults in `settings.toml`; an unknown key fails by its name."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.reducers import Entity

DEFAULTS = Path(__file__).with_name("settings.toml")

_REPLACED = ("channels", "channel_weights", "fusion")


class SettingsError(ValueError):
    """A settings file that cannot be used: names the key, what was expected and received."""


@dataclass(frozen=True, slots=True)
class Scene:
    """How one scene (a tab, a page) is served.

    Attributes:
        name: The scene's name.
        ranker: Served name of the ranking model; empty = recall order.
        rank_limit: Candidates that are ranked.
        channels: Quota of candidates by channel, in order of preference.
        channel_weights: Weight by channel in the order of the merged candidates, 0 or more; without one, 1.
        filters: Filters, in order.
        rerank: Re-rankers, in order.
        fusion: Weight by head; a head without a weight does not count.
        seen_minutes: For how long a room that was seen does not come again.
        category_gap: At most one room of a category in so many neighbouring places (spacing).
        streamer_gap: The same for a streamer.
        diversity: Weight of relevance against similarity, 0 to 1 (MMR's λ).
        diversity_window: How many of the places before are looked at.
    """

    name: str
    ranker: str
    rank_limit: int
    channels: Mapping[str, int]
    channel_weights: Mapping[str, float]
    filters: tuple[str, ...]
    rerank: tuple[str, ...]
    fusion: Mapping[str, float]
    seen_minutes: float
    category_gap: int
    streamer_gap: int
    diversity: float
    diversity_window: int


@dataclass(frozen=True, slots=True)
class Service:
    """What holds for all scenes.

    Attributes:
        default_scene: The scene of requests that name none.
        max_k: The longest slate.
        lease_s: How long a room stays on air without a renewal.
        content_width: Length of the rooms' content vectors; 0 = none.
        deadline_ms: The deadline of callers that set none.
        channel_share: Share of the time left that recall may use.
        rank_share: Share of the time then left that ranking may use.
        model_poll_s: How often the model servers are asked for new versions.
        checkpoint_s: How often changed records go to the store.
        approximate_above: From so many rooms on, a live index searches approximately; 0 = never.
        approximate_probe: Share of its cells that such a search visits, above 0, at most 1.
    """

    default_scene: str
    max_k: int
    lease_s: float
    content_width: int
    deadline_ms: int
    channel_share: float
    rank_share: float
    model_poll_s: float
    checkpoint_s: float
    approximate_above: int
    approximate_probe: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings.

    Attributes:
        service: What holds for all scenes.
        scenes: The scenes by name.
        attributes: The platform's own attributes.
    """

    service: Service
    scenes: Mapping[str, Scene]
    attributes: tuple[Attribute, ...] = field(default=())

    def scene(self, name: str) -> Scene:
        """The scene of a request; an empty name is the default one.

        Raises:
            SettingsError: There is none of that name.
        """
        wanted = name or self.service.default_scene
        found = self.scenes.get(wanted)
        if found is None:
            raise SettingsError(f"scene: expected one of {', '.join(sorted(self.scenes))}, received {wanted!r}")
        return found


def load(path: Path | None = None) -> Settings:
    """Reads the defaults, and over them the keys of a settings file.

    Args:
        path: A TOML file that names only what differs; None = the defaults.

    Raises:
        SettingsError: The file is missing, is no TOML, or has an unknown key or a value of another kind.
    """
    return parse(_text(path), str(path)) if path is not None else parse("", "")


def parse(text: str, source: str) -> Settings:
    """Reads settings from the text of a settings file; `source` names it in errors.

    Raises:
        SettingsError: As `load`.
    """
    merged = _merge(_toml(_text(DEFAULTS), str(DEFAULTS)), _toml(text, source))
    _only(merged, {"service", "scene", "scenes", "attributes"}, "settings")
    service = _build(Service, _table(merged["service"], "service"), "service")
    every = _table(merged["scene"], "scene")
    scenes = {
        name: _build(Scene, {**every, **_table(scene, f"scenes.{name}"), "name": name}, f"scenes.{name}")
        for name, scene in _table(merged["scenes"], "scenes").items()
    }
    for scene in scenes.values():
        _check_weights(scene)
    settings = Settings(service, scenes, tuple(_attributes(_table(merged.get("attributes", {}), "attributes"))))
    settings.scene("")
    return settings


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: expected a readable settings file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: expected UTF-8: {error.reason} at byte {error.start}") from None


def _toml(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: expected TOML: {error}") from None


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lays tables over tables; a scene's mapping (`_REPLACED`) replaces the default one."""
    merged = dict(base)
    for key, value in over.items():
        held = merged.get(key)
        nested = isinstance(held, dict) and isinstance(value, dict) and key not in _REPLACED
        merged[key] = _merge(cast(dict[str, Any], held), cast(dict[str, Any], value)) if nested else value
    return merged


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise SettingsError(f"{where}.{unknown[0]}: unknown key; expected one of {', '.join(sorted(known))}")


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{where}: expected a table, received {value!r}")
    return cast(dict[str, Any], value)


def _build(kind: type[Any], table: Mapping[str, Any], where: str) -> Any:
    """Makes a record of settings from a table that must name each of its fields."""
    expected = {each.name: each.type for each in fields(kind)}
    _only(table, set(expected), where)
    missing = sorted(set(expected) - set(table))
    if missing:
        raise SettingsError(f"{where}.{missing[0]}: expected a value, received none")
    return kind(**{name: _value(table[name], expected[name], f"{where}.{name}") for name in expected})


def _value(value: Any, kind: Any, where: str) -> Any:
    """Checks a value against a field's type: a scalar, a list of texts, or a mapping to numbers."""
    if kind in (int, float, str):
        fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
        if fits and not isinstance(value, bool):
            return kind(value)
        raise SettingsError(f"{where}: expected {kind.__name__}, received {value!r}")
    if kind == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in cast(list[object], value)):
            return tuple(cast(list[str], value))
        raise SettingsError(f"{where}: expected a list of names, received {value!r}")
    inner: Any = int if kind == Mapping[str, int] else float
    return {name: _value(item, inner, f"{where}.{name}") for name, item in _table(value, where).items()}


def _check_weights(scene: Scene) -> None:
    for name, weight in scene.channel_weights.items():
        if not 0 <= weight < math.inf:
            where = f"scenes.{scene.name}.channel_weights.{name}"
            raise SettingsError(f"{where}: expected a number of 0 or more, received {weight!r}")


def _attributes(table: Mapping[str, Any]) -> list[Attribute]:
    found: list[Attribute] = []
    _only(table, {Entity.USER, Entity.STREAMER, Entity.ROOM}, "attributes")
    for entity, declared in table.items():
        for name, declaration in _table(declared, f"attributes.{entity}").items():
            where = f"attributes.{entity}.{name}"
            found.append(_attribute(Entity(entity), name, _table(declaration, where), where))
    return found


def _attribute(entity: Entity, name: str, declaration: Mapping[str, Any], where: str) -> Attribute:
    _only(declaration, {"kind", "width"}, where)
    kind, width = declaration.get("kind"), declaration.get("width", 1)
    if kind not in list(AttributeKind):
        raise SettingsError(f"{where}.kind: expected one of {', '.join(AttributeKind)}, received {kind!r}")
    if not isinstance(width, int) or width < 1 or (width > 1 and kind != AttributeKind.VECTOR):
        raise SettingsError(f"{where}.width: expected a whole number above 0 (1 unless a vector), received {width!r}")
    return Attribute(entity, name, AttributeKind(kind), width)
