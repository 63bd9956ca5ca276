"""Groups of features, for ablations: patterns of the columns that a ranker then does without."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

from feature_service.features.layout import Layout
from serving.verbs import UserError

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "realtime": ("room.viewers", "room.minutes_on_air", "room.*.total", "room.*.decayed", "room.activity"),
        "history": ("user.watched.*",),
        "pair": ("pair.*",),
        "content": ("room.content", "room.title"),
        "ids": ("user.id", "streamer.id"),
        "attributes": ("*.attribute.*",),
        "streamer": ("streamer.*.total", "streamer.*.decayed"),
        "user": ("user.*.total", "user.*.decayed"),
        "context": ("context.*",),
    }
)
"""`realtime`: what happens in the room now. `history`: what the viewer watched last. `pair`: viewer and streamer.
`streamer` and `user`: their counters."""


def left_out(group: str, layout: Layout) -> tuple[str, ...]:
    """The patterns that take a group away, each with "!" in front.

    Raises:
        UserError: The data have no feature of the group.
    """
    names = [column.name for tensor in layout.tensors for column in tensor.columns]
    if not any(fnmatchcase(name, pattern) for name in names for pattern in GROUPS[group]):
        raise UserError(f"--drop-group {group}: expected data with one of {', '.join(GROUPS[group])}, found none")
    return tuple(f"!{pattern}" for pattern in GROUPS[group])
