"""Records of a shard: led on by the service's own reducers, and told where they have changed."""

from collections.abc import Iterable, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from feature_service.features.catalog import Catalog
from feature_service.features.events import Event
from feature_service.features.records import migrate
from feature_service.features.reducers import Entity
from feature_service.features.schema import key_of
from feature_service.features.state import State
from training.streaming.flink.parts import Arrays

_OF_VIEWERS = (Entity.USER, Entity.PAIR)


class ViewerRecords:
    """Records of viewers, and of their pairs with streamers."""

    def __init__(self, catalog: Catalog, arrays: Arrays | None = None) -> None:
        """Takes records up.

        Args:
            catalog: What they remember.
            arrays: What `all` said before, perhaps under another catalogue; None = nothing so far.
        """
        self._state = State(memory for memory in catalog.memories if memory.entity in _OF_VIEWERS)
        self._changed: set[int] = set()
        if arrays is not None:
            users = self._state.users
            users.put(migrate(arrays["users"], users.dtype))
            pairs = migrate(arrays["pairs"], self._state.no_pairs.dtype)
            owners, starts = np.unique(arrays["pair_users"], return_index=True)
            for owner, held in zip(owners.tolist(), np.split(pairs, starts)[1:], strict=True):
                self._state.pairs_of(owner).put(held)

    def lead(self, events: Iterable[Event]) -> None:
        """Takes events in."""
        for event in events:
            self._state.apply(event)
            self._changed.add(key_of("user", event.user_id))

    def changed(self) -> Arrays:
        """The records that events have changed, and the keys of viewers who have none any more.

        Returns:
            As `all`, and `erased`, int64 [n].
        """
        held = [key for key in sorted(self._changed) if key in self._state.users or key in self._state.pairs]
        return {**self._of(held), "erased": np.array(sorted(self._changed.difference(held)), np.int64)}

    def all(self) -> Arrays:
        """All records.

        Returns:
            `users` and `pairs`, structured, by ascending key, and whose the pairs are: `pair_users`, int64.
        """
        return self._of(sorted({*self._state.users, *self._state.pairs}))

    def _of(self, keys: Sequence[int]) -> Arrays:
        pairs = [self._state.pairs[key].all() for key in keys if key in self._state.pairs]
        owners = [key for key in keys if key in self._state.pairs]
        return {
            "users": self._state.users.select(keys),
            "pairs": np.concatenate([self._state.no_pairs.all(), *pairs]),
            "pair_users": np.repeat(np.array(owners, np.int64), [len(each) for each in pairs]),
        }


def to_state(arrays: Arrays) -> bytes:
    """Arrays as the state of a shard."""
    data = BytesIO()
    np.savez(data, allow_pickle=False, **arrays)
    return data.getvalue()


def from_state(state: bytes) -> dict[str, NDArray]:
    """The inverse of `to_state`."""
    with np.load(BytesIO(state)) as held:
        return dict(held)
