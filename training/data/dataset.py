"""A data set: a sample set, read and split by time, with what its evaluation needs."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from feature_service import settings
from feature_service.features.catalog import Catalog, build_catalog
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
    """

    about: SampleAbout
    catalog: Catalog
    at: Boundaries
    split: Split
    rooms: RoomVersions
    enters: Enters

    @classmethod
    def read(
        cls, uri: str | Path, fractions: tuple[float, float, float] = FRACTIONS, *, late_labels: bool = False
    ) -> Self:
        """Reads a sample set and splits it.

        Args:
            uri: The sample set's directory.
            fractions: Of the slates, for training, validation and test.
            late_labels: As of `split`.

        Raises:
            DataError: No finished sample set, an unreadable shard, a part without a slate, or no delays.
        """
        samples = read_samples(uri)
        at = boundaries(samples, fractions)
        return cls._of(uri, at, split(samples, at, late_labels=late_labels))

    @classmethod
    def new(cls, uri: str | Path, since_ms: int, least_slates: int) -> tuple[Self, Samples] | None:
        """What a model that has learnt all labels decided until a time has not learnt from, split by time.

        Args:
            uri: The sample set's directory.
            since_ms: The time, Unix milliseconds; the new slates are those after it.
            least_slates: New slates, at least.

        Returns:
            Training: the labels decided since then and until the validation part begins; validation and test: a tenth
            of the new slates each. And all samples, of the time before too. None if there are too few.

        Raises:
            DataError: As `read`.
        """
        samples = read_samples(uri)
        newer = samples.between(since_ms + 1, int(samples.slates.time_ms.max(initial=since_ms)) + 1)
        if len(newer.slates.user) < least_slates:
            return None
        at = boundaries(newer, FRESH_FRACTIONS)
        fresh = decided_between(
            samples.between(since_ms - LONGEST_WINDOW_MS, at.validation_ms), since_ms, at.validation_ms
        )
        return cls._of(uri, at, replace(split(newer, at), training=fresh)), samples

    @classmethod
    def _of(cls, uri: str | Path, at: Boundaries, parts: Split) -> Self:
        enters = read_enters(uri)
        return cls(
            about=read_sample_about(uri),
            catalog=catalog_of_set(uri),
            at=at,
            split=parts,
            rooms=read_rooms(uri),
            enters=Enters.of(enters.time_ms, enters.user, enters.streamer, enters.watch_ms),
        )


def catalog_of_set(uri: str | Path) -> Catalog:
    """The catalogue that computed a sample set's features.

    Raises:
        SettingsError: The set's settings are none.
    """
    found = settings.parse(*read_settings(uri))
    return build_catalog(found.service.content_width, found.attributes)
