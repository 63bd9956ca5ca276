"""The heads: what a ranker predicts of an impression, and how its label comes from the events that follow."""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from feature_service.features.events import EventKind

LONG_WATCH_MS = 60_000
"""A visit of at least this long is a long watch."""


class Form(Enum):
    """What kind of quantity a head predicts.

    PROBABILITY: of a binary label. DURATION: seconds of something that began, which may have been cut off (censored).
    AMOUNT: a sum that is mostly zero.
    """

    PROBABILITY = "probability"
    DURATION = "duration"
    AMOUNT = "amount"


@dataclass(frozen=True, slots=True)
class Head:
    """One prediction target of an impression.

    Attributes:
        doc: What a positive is.
        kind: The event that decides the label.
        window_s: An event counts up to this long after the impression, seconds.
        form: What kind of quantity it is.
        unit: Unit of the prediction.
        given_enter: The label exists only for impressions that were entered (the others are masked).
    """

    doc: str
    kind: EventKind
    window_s: int
    form: Form = Form.PROBABILITY
    unit: str = "probability"
    given_enter: bool = False

    @property
    def binary(self) -> bool:
        """Whether the label is 0 or 1, and the prediction a probability."""
        return self.form is Form.PROBABILITY


HEADS = MappingProxyType(
    {
        "enter": Head("The viewer entered the room.", EventKind.ENTER, window_s=600),
        "long_watch": Head(f"The viewer watched {LONG_WATCH_MS // 1000} s or more.", EventKind.LEAVE, window_s=7200),
        "watch_time": Head(
            "Watched time of the visit, if entered.",
            EventKind.LEAVE,
            window_s=7200,
            form=Form.DURATION,
            unit="seconds",
            given_enter=True,
        ),
        "like": Head("The viewer liked.", EventKind.LIKE, window_s=7200),
        "comment": Head("The viewer commented.", EventKind.COMMENT, window_s=7200),
        "gift": Head("The viewer sent a gift.", EventKind.GIFT, window_s=7200),
        "gift_value": Head(
            "What the gifts of the visit were worth, 0 without one.",
            EventKind.GIFT,
            window_s=7200,
            form=Form.AMOUNT,
            unit="coins",
        ),
        "follow": Head("The viewer followed the streamer.", EventKind.FOLLOW, window_s=7200),
        "share": Head("The viewer shared the room.", EventKind.SHARE, window_s=7200),
    }
)
"""All heads by name, in the order of the label columns."""

HEAD_NAMES = tuple(HEADS)
