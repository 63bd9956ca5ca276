"""Settings: behaviour in TOML, defaults in `settings.toml`; an unknown key fails by its name."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.reducers import Entity
from feature_service.features.schema import key_of
from feature_service.fusion import weight_problem
from feature_service.log.settings import LogSettings, log_problem
from feature_service.stores.settings import StoreSettings, store_problem
from feature_service.tables import SettingsError, only_keys, record_of, table_of, value_of

DEFAULTS = Path(__file__).with_name("settings.toml")

MOST_DAYS = 36_500

_REPLACED = ("channels", "channel_weights", "fusion")


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
        diversity: Weight of relevance against similarity, 0 to 1 (MMR's λ, the DPP's θ).
        diversity_window: How many of the places before are looked at.
        frequency_cap: A streamer whom the user saw so many times in `frequency_hours` does not come again.
        frequency_hours: How far the cap looks back.
        explore_rate: Probability with which a place of `explore_places` goes to a new room, below 1.
        explore_places: Places of the slate, from 0, ascending.
        arm: The arm of the experiment that these settings belong to; empty = none.
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
    frequency_cap: int
    frequency_hours: float
    explore_rate: float
    explore_places: tuple[int, ...]
    arm: str = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of an experiment: some users are served by other settings.

    Attributes:
        name: The arm's name.
        share: Share of the users, above 0.
        scenes: The scenes as its users have them, by name.
    """

    name: str
    share: float
    scenes: Mapping[str, Scene]


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
        checkpoint_s: How often changed records go to the data folder's store.
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
class Served:
    """The log of what was shown.

    Attributes:
        share: Share of the requests that are logged, 0 to 1; 0 = none, and no log.
    """

    share: float


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """What the logs keep.

    Attributes:
        log_days: Events older than so many days leave the event log, as far as the store has them; 0 = never.
        served_days: Slates older than so many days leave the served log; 0 = never.
    """

    log_days: float
    served_days: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings.

    Attributes:
        service: What holds for all scenes.
        log: Where the events go.
        store: Where the checkpoints go.
        served: The log of what was shown.
        retention: What the logs keep.
        scenes: The scenes by name.
        attributes: The platform's own attributes.
        arms: The arms of the experiment; users in none have `scenes`.
    """

    service: Service
    log: LogSettings
    store: StoreSettings
    served: Served
    retention: RetentionSettings
    scenes: Mapping[str, Scene]
    attributes: tuple[Attribute, ...] = field(default=())
    arms: tuple[Arm, ...] = field(default=())

    @property
    def checkpoint_s(self) -> float:
        """How often changed records go to the store, wherever it is."""
        return self.store.checkpoint_s if self.store.address else self.service.checkpoint_s

    @property
    def all_scenes(self) -> tuple[Scene, ...]:
        """Every scene, those of the arms too."""
        return (*self.scenes.values(), *(scene for arm in self.arms for scene in arm.scenes.values()))

    def scene(self, name: str, user_id: str = "") -> Scene:
        """The scene of a request, as the user's arm has it; an empty name is the default one, and without a user none.

        Raises:
            SettingsError: There is none of that name.
        """
        wanted = name or self.service.default_scene
        if wanted not in self.scenes:
            raise SettingsError(f"scene: expected one of {', '.join(sorted(self.scenes))}, received {wanted!r}")
        arm = arm_of(self.arms, user_id) if self.arms and user_id else None
        return (arm.scenes if arm else self.scenes)[wanted]


def arm_of(arms: Sequence[Arm], user_id: str) -> Arm | None:
    """The arm that a user is in, by a hash of the id; None = in none of them."""
    place = (key_of("arm", user_id) & (2**53 - 1)) / 2**53
    for arm in arms:
        place -= arm.share
        if place < 0:
            return arm
    return None


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
    only_keys(merged, {each.name for each in fields(Settings)} | {"scene"}, "settings")
    service = record_of(Service, table_of(merged["service"], "service"), "service")
    log = record_of(LogSettings, table_of(merged["log"], "log"), "log")
    if problem := log_problem(log):
        raise SettingsError(f"log.{problem}")
    store = record_of(StoreSettings, table_of(merged["store"], "store"), "store")
    if problem := store_problem(store):
        raise SettingsError(f"store.{problem}")
    served = record_of(Served, table_of(merged["served"], "served"), "served")
    if not 0 <= served.share <= 1:
        raise SettingsError(f"served.share: expected 0 to 1, received {served.share!r}")
    retention = _retention(table_of(merged["retention"], "retention"), log)
    every = table_of(merged["scene"], "scene")
    tables = {
        name: {**every, **table_of(scene, f"scenes.{name}"), "name": name, "arm": ""}
        for name, scene in table_of(merged["scenes"], "scenes").items()
    }
    scenes = {name: _scene(table, f"scenes.{name}") for name, table in tables.items()}
    arms = _arms(table_of(merged.get("arms", {}), "arms"), tables)
    attributes = _attributes(table_of(merged.get("attributes", {}), "attributes"))
    settings = Settings(service, log, store, served, retention, scenes, tuple(attributes), arms)
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


def _retention(table: Mapping[str, Any], log: LogSettings) -> RetentionSettings:
    retention: RetentionSettings = record_of(RetentionSettings, table, "retention")
    for name, days in asdict(retention).items():
        if days and not 1 <= days <= MOST_DAYS:
            raise SettingsError(f"retention.{name}: expected 0 or 1 to {MOST_DAYS} days, received {days!r}")
    if log.address and (days := retention.log_days):
        raise SettingsError(f"retention.log_days: expected 0, as a topic has its own retention.ms, received {days!r}")
    return retention


def _arms(table: Mapping[str, Any], scenes: Mapping[str, Mapping[str, Any]]) -> tuple[Arm, ...]:
    """The arms: each lays its table `scene` over every scene, and `scenes.NAME` over that one."""
    arms: list[Arm] = []
    for name, declared in table.items():
        where = f"arms.{name}"
        arm = table_of(declared, where)
        only_keys(arm, {"share", "scene", "scenes"}, where)
        share = value_of(arm.get("share"), float, f"{where}.share")
        every = table_of(arm.get("scene", {}), f"{where}.scene")
        own = table_of(arm.get("scenes", {}), f"{where}.scenes")
        only_keys(own, set(scenes), f"{where}.scenes")
        laid = {
            scene: {**base, **every, **table_of(own.get(scene, {}), f"{where}.scenes.{scene}"), "arm": name}
            for scene, base in scenes.items()
        }
        found = {scene: _scene(each, f"{where}.scenes.{scene}") for scene, each in laid.items()}
        arms.append(Arm(name, share, found))
    if any(arm.share <= 0 for arm in arms) or sum(arm.share for arm in arms) > 1 + 1e-9:
        received = ", ".join(f"{arm.name} {arm.share:g}" for arm in arms)
        raise SettingsError(f"arms: expected shares above 0 that add up to at most 1, received {received}")
    return tuple(arms)


def _scene(table: Mapping[str, Any], where: str) -> Scene:
    """A scene of a complete table, its numbers checked."""
    scene: Scene = record_of(Scene, table, where)
    for name, weight in scene.channel_weights.items():
        if not 0 <= weight < math.inf:
            raise SettingsError(f"{where}.channel_weights.{name}: expected a number of 0 or more, received {weight!r}")
    for head, weight in scene.fusion.items():
        if problem := weight_problem(head, weight):
            raise SettingsError(f"{where}.fusion.{head}: {problem}")
    if not 0 <= scene.explore_rate < 1:
        raise SettingsError(f"{where}.explore_rate: expected 0 to below 1, received {scene.explore_rate!r}")
    if "explore" in scene.rerank[:-1]:
        raise SettingsError(f"{where}.rerank: expected explore to be the last, received {list(scene.rerank)}")
    places = list(scene.explore_places)
    if places != sorted(set(places)) or (places and places[0] < 0):
        raise SettingsError(f"{where}.explore_places: expected ascending places from 0, received {places}")
    return scene


def _attributes(table: Mapping[str, Any]) -> list[Attribute]:
    found: list[Attribute] = []
    only_keys(table, {Entity.USER, Entity.STREAMER, Entity.ROOM}, "attributes")
    for entity, declared in table.items():
        for name, declaration in table_of(declared, f"attributes.{entity}").items():
            where = f"attributes.{entity}.{name}"
            found.append(_attribute(Entity(entity), name, table_of(declaration, where), where))
    return found


def _attribute(entity: Entity, name: str, declaration: Mapping[str, Any], where: str) -> Attribute:
    only_keys(declaration, {"kind", "width"}, where)
    kind, width = declaration.get("kind"), declaration.get("width", 1)
    if kind not in list(AttributeKind):
        raise SettingsError(f"{where}.kind: expected one of {', '.join(AttributeKind)}, received {kind!r}")
    if not isinstance(width, int) or width < 1 or (width > 1 and kind != AttributeKind.VECTOR):
        raise SettingsError(f"{where}.width: expected a whole number above 0 (1 unless a vector), received {width!r}")
    return Attribute(entity, name, AttributeKind(kind), width)
