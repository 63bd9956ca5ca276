"""Families of features: a total or a decayed counter of each signal."""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from feature_service.features.decay import HALF_LIVES_S, Decayed, sums_field
from feature_service.features.reducers import Entity, Signal, Total
from feature_service.features.schema import Encoding, Feature, Part, Side
from feature_service.features.view import Columns, View

COLUMNS: dict[Entity, Callable[[View], Columns]] = {
    Entity.USER: lambda view: view.user,
    Entity.ROOM: lambda view: view.room,
    Entity.STREAMER: lambda view: view.streamer,
    Entity.PAIR: lambda view: view.pair,
}
"""The columns of an entity in a view."""


_TOTALS: dict[Entity, Callable[[View], NDArray[Any]]] = {
    entity: (lambda view, columns=columns: columns(view).totals()) for entity, columns in COLUMNS.items()
}
_DECAYED: dict[Entity, Callable[[View], NDArray[Any]]] = {
    entity: (lambda view, columns=columns: columns(view).all_decayed()) for entity, columns in COLUMNS.items()
}
"""The blocks that the families lie in."""


def side_of(entity: Entity) -> Side:
    """Which side of a rank call carries an entity's features."""
    return Side.USER if entity is Entity.USER else Side.CANDIDATE


def totals(entity: Entity, signals: tuple[Signal, ...]) -> list[Feature]:
    """A feature `<entity>.<signal>.total` for each signal: its lifetime sum."""
    return [_total(entity, signal) for signal in signals]


def decayed(entity: Entity, signals: tuple[Signal, ...]) -> list[Feature]:
    """A feature `<entity>.<signal>.decayed` for each signal: its decayed sums, a column a half-life."""
    return [_decayed(entity, signal) for signal in signals]


def _total(entity: Entity, signal: Signal) -> Feature:
    columns, name = COLUMNS[entity], signal.name
    memory = Total(entity, signal)

    def value(view: View) -> NDArray[Any]:
        return columns(view).total(name)

    return Feature(
        name=f"{entity}.{name}.total",
        side=side_of(entity),
        doc=f"Lifetime sum of {name} of the {entity}.",
        unit=signal.unit,
        encoding=Encoding.LOG,
        value=value,
        memories=(memory,),
        part=Part(_TOTALS[entity], entity, memory.field),
    )


def _decayed(entity: Entity, signal: Signal) -> Feature:
    columns, name = COLUMNS[entity], signal.name
    half_lives_s = HALF_LIVES_S[entity]

    def value(view: View) -> NDArray[Any]:
        return columns(view).decayed(name)

    return Feature(
        name=f"{entity}.{name}.decayed",
        side=side_of(entity),
        doc=f"Sum of {name} of the {entity}, decayed with half-lives of {_spoken(half_lives_s)}.",
        unit=signal.unit,
        encoding=Encoding.LOG,
        width=len(half_lives_s),
        value=value,
        memories=(Decayed(entity, signal),),
        part=Part(_DECAYED[entity], entity, f"{sums_field(entity)}.{name}"),
    )


def _spoken(half_lives_s: tuple[int, ...]) -> str:
    return ", ".join(
        f"{seconds // 60} min" if seconds < 86_400 else f"{seconds // 86_400} d" for seconds in half_lives_s
    )
