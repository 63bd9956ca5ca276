"""A data set: a sample set, read and split by time, with what its evaluation needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from feature_service import settings
from feature_service.features.catalog import Catalog, build_catalog
from training.data.samples import RoomVersions
from training.data.samples_io import (
    SampleAbout,
    read_enters,
    read_rooms,
    read_sample_about,
    read_samples,
    read_settings,
)
from training.data.split import FRACTIONS, Boundaries, Split, boundaries, split
from training.recall_baselines import Enters


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
        enters = read_enters(uri)
        return cls(
            about=read_sample_about(uri),
            catalog=catalog_of_set(uri),
            at=at,
            split=split(samples, at, late_labels=late_labels),
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
