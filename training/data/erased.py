"""Who has been erased, as a service tells it: what they did until then must be in nothing that training keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from feature_service.erasures import Erasures
from feature_service.log.protocol import LogError
from training.data.errors import DataError
from training.storage import Place, fetched


@dataclass(frozen=True, slots=True)
class Erased:
    """Users who were erased.

    Attributes:
        keys: Their keys, int64 [E], ascending.
        until_ms: Until when what each of them did is erased, Unix milliseconds, int64 [E]; who did something later has
            come back.
    """

    keys: NDArray[np.int64]
    until_ms: NDArray[np.int64]

    @classmethod
    def of(cls, until_ms: Mapping[int, int]) -> Self:
        """The users with these keys, each until then."""
        keys = sorted(until_ms)
        return cls(np.array(keys, np.int64), np.array([until_ms[key] for key in keys], np.int64))

    @classmethod
    def read(cls, file: Place) -> Self:
        """Reads what a service has noted, `<data>/erasures.jsonl`; there is no file before somebody is erased.

        Raises:
            DataError: It is something else, there is not even the folder, or it cannot be reached.
        """
        with fetched(file) as local:
            if not local.parent.is_dir():
                raise DataError(f"{file}: expected the erasures of a service, found no such folder")
            try:
                return cls.of({each.key: each.time_ms for each in Erasures.open(local).known})
            except LogError as error:
                raise DataError(str(error)) from None

    def since(self, age_ms: int, now_ms: int) -> Self:
        """Those who were erased so long before a time, or longer."""
        return self._only(self.until_ms + age_ms <= now_ms)

    def without(self, others: Self) -> Self:
        """Those who are not among others with the same time."""
        known = dict(zip(others.keys.tolist(), others.until_ms.tolist(), strict=True))
        pairs = zip(self.keys.tolist(), self.until_ms.tolist(), strict=True)
        return self._only(np.array([known.get(key) != until_ms for key, until_ms in pairs], np.bool_))

    def _only(self, keep: NDArray[np.bool_]) -> Self:
        return type(self)(self.keys[keep], self.until_ms[keep])

    def __len__(self) -> int:
        """How many they are."""
        return len(self.keys)

    def rows(self, user: NDArray[np.int64], time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which rows tell what one of them did: keys of users and times, int64 [N] each → bool [N]."""
        if not len(self):
            return np.zeros(len(user), np.bool_)
        at = np.minimum(np.searchsorted(self.keys, user), len(self) - 1)
        return (self.keys[at] == user) & (time_ms <= self.until_ms[at])


NOBODY = Erased.of({})
