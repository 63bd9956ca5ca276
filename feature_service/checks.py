"""Checks of requests: what a caller may ask, before any work is done."""

import base64
import binascii
import uuid
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_service.features.events import MAX_ID_BYTES
from feature_service.features.schema import key_of
from feature_service.features.view import Context
from feature_service.scenes import Scene
from feature_service.settings import Settings, SettingsError
from feature_service.stages import Request

MAX_PAGED = 2_000
"""Rooms that a page token may remember."""

MAX_EVENTS = 10_000
"""Events in one report."""

MAX_ROOMS = 2_000
"""Rooms in one question for features."""


class RequestError(ValueError):
    """A request that cannot be answered: one line that names the field, what was expected and received."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a slate, as the caller put it."""

    user_id: str
    scene: str
    k: int
    context: Context
    page_token: str = ""
    request_id: str = ""


def check(asked: Asked, settings: Settings, now_ms: int) -> Request:
    """Checks a request for a slate.

    Raises:
        RequestError: A field is not usable.
    """
    check_id("user_id", asked.user_id)
    check_count("k", asked.k, settings.service.max_k)
    if asked.request_id:
        check_id("request_id", asked.request_id)
    scene = check_scene(asked.scene, settings, asked.user_id)
    return Request(
        request_id=asked.request_id or uuid.uuid4().hex,
        user_id=asked.user_id,
        user_key=key_of("user", asked.user_id),
        k=asked.k,
        scene=scene,
        context=Context(scene.name, asked.context.device, asked.context.network, asked.context.region),
        now_ms=now_ms,
        excluded=read_page_token(asked.page_token),
    )


def check_id(field: str, value: str) -> None:
    """Checks an id.

    Raises:
        RequestError: It is empty or too long.
    """
    if not value:
        raise RequestError(f"{field}: expected an id, received an empty string")
    size = len(value.encode())
    if size > MAX_ID_BYTES:
        raise RequestError(f"{field}: expected at most {MAX_ID_BYTES} bytes, received {size}")


def check_scene(name: str, settings: Settings, user_id: str = "") -> Scene:
    """The scene of a name, as the user's arm has it; an empty one is the default scene.

    Raises:
        RequestError: There is none of that name.
    """
    try:
        return settings.scene(name, user_id)
    except SettingsError as error:
        raise RequestError(str(error)) from None


def check_count(field: str, count: int, most: int) -> None:
    """Checks the length of a list that is given or wanted.

    Raises:
        RequestError: It is 0 or less, or too long.
    """
    if not 1 <= count <= most:
        raise RequestError(f"{field}: expected 1 to {most}, received {count}")


def page_token(excluded: NDArray[np.int64], served: NDArray[np.int64]) -> str:
    """A token for the next page: the keys of all rooms shown so far, the newest `MAX_PAGED` of them."""
    keys = np.concatenate([excluded, served])[-MAX_PAGED:]
    return base64.urlsafe_b64encode(keys.astype("<i8").tobytes()).decode()


def read_page_token(token: str) -> NDArray[np.int64]:
    """The room keys of earlier pages, int64 [n].

    Raises:
        RequestError: The token is none of ours.
    """
    try:
        content = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        content = b"?"
    if len(content) % 8 or len(content) > 8 * MAX_PAGED:
        raise RequestError(f"page_token: expected a token of an earlier answer, received {token[:40]!r}")
    return np.frombuffer(content, "<i8").astype(np.int64)
