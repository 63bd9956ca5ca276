"""Scenes: how each tab or page is served, and the arms of an experiment that serve some users otherwise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feature_service.features.schema import key_of
from feature_service.fusion import weight_problem
from feature_service.tables import SettingsError, only_keys, record_of, table_of, value_of


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


def arm_of(arms: Sequence[Arm], user_id: str) -> Arm | None:
    """The arm that a user is in, by a hash of the id; None = in none of them."""
    place = (key_of("arm", user_id) & (2**53 - 1)) / 2**53
    for arm in arms:
        place -= arm.share
        if place < 0:
            return arm
    return None


def scenes_of(merged: Mapping[str, Any]) -> tuple[dict[str, Scene], tuple[Arm, ...]]:
    """The scenes by name, and the arms, of complete settings.

    Raises:
        SettingsError: A key is unknown, or a value is not as expected; names it.
    """
    every = table_of(merged["scene"], "scene")
    tables = {
        name: {**every, **table_of(scene, f"scenes.{name}"), "name": name, "arm": ""}
        for name, scene in table_of(merged["scenes"], "scenes").items()
    }
    scenes = {name: _scene(table, f"scenes.{name}") for name, table in tables.items()}
    return scenes, _arms(table_of(merged.get("arms", {}), "arms"), tables)


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
