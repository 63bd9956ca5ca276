"""The settings of the store: where it is, and what is kept there."""

import math
import re
from dataclasses import dataclass

SCHEMES = ("redis", "rediss", "unix")
MOST_USER_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the checkpoints of records go.

    Attributes:
        address: `redis://host:port/db`, `rediss://` or `unix://`; empty = an SQLite file in the data folder.
        prefix: Begins all keys in a Redis: letters, digits, `-`, `_` and `.`.
        checkpoint_s: How often changed records go to a Redis, where replicas see them; above 0.
        user_days: In a Redis, a user whose records have not changed for so long is forgotten; 0 = never.
    """

    address: str
    prefix: str
    checkpoint_s: float
    user_days: float


def store_problem(store: StoreSettings) -> str | None:
    """What is wrong with the settings, None when nothing is; an address may hold a password, so it is not shown."""
    scheme, separator, _ = store.address.partition("://")
    if store.address and (scheme not in SCHEMES or not separator):
        expected = ", ".join(f"{each}://…" for each in SCHEMES)
        received = f"{scheme[:20]!r}://…" if separator else "an address without ://"
        return f"address: expected {expected} or nothing, received {received}"
    if not re.fullmatch(r"[\w.-]+", store.prefix, re.ASCII):
        return f"prefix: expected letters, digits, -, _ and ., received {store.prefix!r}"
    if not 0 < store.checkpoint_s < math.inf:
        return f"checkpoint_s: expected more than 0, received {store.checkpoint_s!r}"
    if not 0 <= store.user_days <= MOST_USER_DAYS:
        return f"user_days: expected 0 to {MOST_USER_DAYS}, received {store.user_days!r}"
    return None
