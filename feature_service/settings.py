"""Settings: behaviour in TOML, defaults in `settings.toml`; an unknown key fails by its name."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from feature_service.access.settings import AccessSettings, access_problem
from feature_service.admin.settings import ModelsSettings, models_problem
from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.reducers import Entity
from feature_service.log.settings import LogSettings, log_problem
from feature_service.observe.settings import TracingSettings, tracing_problem
from feature_service.overload.settings import OverloadSettings, overload_problem
from feature_service.scenes import Arm, Scene, arm_of, scenes_of
from feature_service.stores.settings import StoreSettings, store_problem
from feature_service.tables import SettingsError, only_keys, record_of, table_of

DEFAULTS = Path(__file__).with_name("settings.toml")

MOST_DAYS = 36_500

Section = TypeVar("Section")

_REPLACED = ("channels", "channel_weights", "fusion")


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
        ready_s: Until the models serve, but no longer, the service's health says not to ask it.
        drain_s: How long it answers on after SIGTERM, while its health says not to ask it.
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
    ready_s: float
    drain_s: float
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
        overload: How a process protects itself.
        access: Who may call, and how often.
        tracing: Where traces go.
        models: Where the models are published to.
        scenes: The scenes by name.
        attributes: The platform's own attributes.
        arms: The arms of the experiment; users in none have `scenes`.
    """

    service: Service
    log: LogSettings
    store: StoreSettings
    served: Served
    retention: RetentionSettings
    overload: OverloadSettings
    access: AccessSettings
    tracing: TracingSettings
    models: ModelsSettings
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
    service = _section(merged, "service", Service)
    log = _section(merged, "log", LogSettings, log_problem)
    store = _section(merged, "store", StoreSettings, store_problem)
    served = _section(merged, "served", Served, _served_problem)
    retention = _retention(table_of(merged["retention"], "retention"), log)
    overload = _section(merged, "overload", OverloadSettings, overload_problem)
    access = _section(merged, "access", AccessSettings, access_problem)
    tracing = _section(merged, "tracing", TracingSettings, tracing_problem)
    models = _section(merged, "models", ModelsSettings, models_problem)
    scenes, arms = scenes_of(merged)
    attributes = _attributes(table_of(merged.get("attributes", {}), "attributes"))
    settings = Settings(
        service, log, store, served, retention, overload, access, tracing, models, scenes, tuple(attributes), arms
    )
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


def _section(
    merged: Mapping[str, Any],
    name: str,
    kind: type[Section],
    problem_of: Callable[[Section], str | None] = lambda _: None,
) -> Section:
    """A table of its own as a record, checked."""
    section: Section = record_of(kind, table_of(merged[name], name), name)
    if problem := problem_of(section):
        raise SettingsError(f"{name}.{problem}")
    return section


def _served_problem(served: Served) -> str | None:
    return None if 0 <= served.share <= 1 else f"share: expected 0 to 1, received {served.share!r}"


def _retention(table: Mapping[str, Any], log: LogSettings) -> RetentionSettings:
    retention: RetentionSettings = record_of(RetentionSettings, table, "retention")
    for name, days in asdict(retention).items():
        if days and not 1 <= days <= MOST_DAYS:
            raise SettingsError(f"retention.{name}: expected 0 or 1 to {MOST_DAYS} days, received {days!r}")
    if log.address and (days := retention.log_days):
        raise SettingsError(f"retention.log_days: expected 0, as a topic has its own retention.ms, received {days!r}")
    return retention


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
