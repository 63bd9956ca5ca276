"""The signals that features count: integer amounts of events."""

from feature_service.features.events import Event, EventKind
from feature_service.features.reducers import Signal

GIFT_UNITS = 100
"""Gift values are summed in hundredths of the platform's currency, so that sums are integers."""


def _watch_s(event: Event) -> int:
    return event.watch_ms // 1000


def _gift_value(event: Event) -> int:
    return round(event.gift_value * GIFT_UNITS)


IMPRESSION = Signal("impression", EventKind.IMPRESSION)
ENTER = Signal("enter", EventKind.ENTER)
WATCH_S = Signal("watch_s", EventKind.LEAVE, _watch_s, "seconds")
LIKE = Signal("like", EventKind.LIKE)
COMMENT = Signal("comment", EventKind.COMMENT)
GIFT = Signal("gift", EventKind.GIFT)
GIFT_VALUE = Signal("gift_value", EventKind.GIFT, _gift_value, "hundredths of the currency")
FOLLOW = Signal("follow", EventKind.FOLLOW)
SHARE = Signal("share", EventKind.SHARE)
NOT_INTERESTED = Signal("not_interested", EventKind.NOT_INTERESTED)

ALL = (IMPRESSION, ENTER, WATCH_S, LIKE, COMMENT, GIFT, GIFT_VALUE, FOLLOW, SHARE, NOT_INTERESTED)
"""Every signal that totals are kept of."""

LIVELY = (IMPRESSION, ENTER, WATCH_S, LIKE, COMMENT, GIFT, GIFT_VALUE, FOLLOW, SHARE)
"""What makes a room's heat."""

TASTE = (IMPRESSION, ENTER, WATCH_S, LIKE, COMMENT, GIFT_VALUE)
"""What makes a user's recent behaviour, and a streamer's recent success."""

BOND = (ENTER, WATCH_S, LIKE, COMMENT, GIFT, GIFT_VALUE, SHARE)
"""What ties a user to a streamer."""
