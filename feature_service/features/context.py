"""Features of the context: when, where and how the user asks."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_service.features.schema import Encoding, Feature, Side, key_of
from feature_service.features.view import View

_HOUR_MS = 3_600_000
_EPOCH_WEEKDAY = 3
"""1 January 1970 was a Thursday (Monday = 0)."""


def _hour(view: View) -> NDArray[Any]:
    return _keys("hour", view.now_ms // _HOUR_MS % 24)


def _weekday(view: View) -> NDArray[Any]:
    return _keys("weekday", (view.now_ms // (24 * _HOUR_MS) + _EPOCH_WEEKDAY) % 7)


def _keys(kind: str, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([key_of(kind, str(number)) for number in numbers.tolist()], np.int64)


def _text(name: str) -> Callable[[View], NDArray[Any]]:
    def value(view: View) -> NDArray[Any]:
        return np.array([key_of(name, getattr(context, name)) for context in view.contexts], np.int64)

    return value


def _feature(name: str, doc: str, value: Callable[[View], NDArray[Any]]) -> Feature:
    return Feature(
        name=f"context.{name}",
        side=Side.USER,
        doc=doc,
        unit="key",
        encoding=Encoding.ID,
        vocabulary=name,
        value=value,
    )


FEATURES: list[Feature] = [
    _feature("hour", "Hour of the day, UTC.", _hour),
    _feature("weekday", "Day of the week, UTC.", _weekday),
    _feature("scene", "Where in the app: tab, page.", _text("scene")),
    _feature("device", "The viewer's device.", _text("device")),
    _feature("network", "The viewer's network.", _text("network")),
    _feature("region", "The viewer's region.", _text("region")),
]
