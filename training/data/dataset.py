"""A data set: a sample set, read and split by time, with what its evaluation needs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from feature_service import settings
from feature_service.features.catalog import Catalog, build_catalog
from training.data.erased import NOBODY, Erased
from training.data.samples import RoomVersions, Samples
from training.data.samples_io import (
    SampleAbout,
    read_enters,
    read_rooms,
    read_sample_about,
    read_samples,
    read_settings,
)
from training.data.split import (
    FRACTIONS,
    LONGEST_WINDOW_MS,
    Boundaries,
    Split,
    boundaries,
    decided_between,
    split,
)
from training.recall_baselines import Enters

FRESH_FRACTIONS = (0.8, 0.1, 0.1)
"""Of the new slates of `Dataset.new`, in order of time."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """All that training and evaluation read of a sample set.

    Attributes:
        about: The set's description.
        catalog: The catalogue that computed its features.
        at: Where the parts meet.
        split: Training, validation and test samples.
        rooms: The rooms' versions, for recall.
        enters: All visits that began.
        erased: Users of whose doings nothing is in it.
    """

    about: SampleAbout
    catalog: Catalog
    at: Boundaries
    split: Split
    rooms: RoomVersions
    enters: Enters
    erased: Erased = NOBODY

    @classmethod
    def read(
        cls,
        uri: str | Path,
        fractions: tuple[float, float, float] = FRACTIONS,
        *,
        late_labels: bool = False,
        erased: Erased = NOBODY,
    ) -> Self:
        """Reads a sample set and splits it.

        Args:
            uri: The sample set's directory.
            fractions: Of the slates, for training, validation and test.
            late_labels: As of `split`.
            erased: Users who are left out, should the set still tell of them.

        Raises:
            DataError: No finished sample set, an unreadable shard, a part without a slate, or no delays.
        """
        samples = _read(uri, erased)
        at = boundaries(samples, fractions)
        return cls._of(uri, at, split(samples, at, late_labels=late_labels), erased)

    @classmethod
    def new(
        cls, uri: str | Path, since_ms: int, least_slates: int, erased: Erased = NOBODY
    ) -> tuple[Self, Samples] | None:
        """What a model that has learnt all labels decided until a time has not learnt from, split by time.

        Args:
            uri: The sample set's directory.
            since_ms: The time, Unix milliseconds; the new slates are those after it.
            least_slates: New slates, at least.
            erased: As of `read`.

        Returns:
            Training: the labels decided since then and until the validation part begins; validation and test: a tenth
            of the new slates each. And all samples, of the time before too. None if there are too few.

        Raises:
            DataError: As `read`.
        """
        samples = _read(uri, erased)
        newer = samples.between(since_ms + 1, int(samples.slates.time_ms.max(initial=since_ms)) + 1)
        if len(newer.slates.user) < least_slates:
            return None
        at = boundaries(newer, FRESH_FRACTIONS)
        fresh = decided_between(
            samples.between(since_ms - LONGEST_WINDOW_MS, at.validation_ms), since_ms, at.validation_ms
        )
        return cls._of(uri, at, replace(split(newer, at), training=fresh), erased), samples

    @classmethod
    def _of(cls, uri: str | Path, at: Boundaries, parts: Split, erased: Erased) -> Self:
        held = read_enters(uri)
        keep = ~erased.rows(held.user, held.time_ms)
        return cls(
            about=read_sample_about(uri),
            catalog=catalog_of_set(uri),
            at=at,
            split=parts,
            rooms=read_rooms(uri),
            enters=Enters.of(held.time_ms[keep], held.user[keep], held.streamer[keep], held.watch_ms[keep]),
            erased=erased,
        )


def _read(uri: str | Path, erased: Erased) -> Samples:
    """All samples but those of some users."""
    samples = read_samples(uri)
    return samples.of_slates(~erased.rows(samples.slates.user, samples.slates.time_ms)) if len(erased) else samples


def catalog_of_set(uri: str | Path) -> Catalog:
    """The catalogue that computed a sample set's features.

    Raises:
        SettingsError: The set's settings are none.
    """
    found = settings.parse(*read_settings(uri))
    return build_catalog(found.service.content_width, found.attributes)
