"""The feature catalogue: every feature, once, and the layouts that it can fill."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from feature_service.features import context, pair, room, user
from feature_service.features.attributes import Attribute
from feature_service.features.layout import DTYPES, Column, Layout, LayoutError, TensorLayout
from feature_service.features.reducers import Memory
from feature_service.features.schema import Feature

FEATURES: list[Feature] = [*user.FEATURES, *context.FEATURES, *room.FEATURES, *pair.FEATURES]
"""The features of every platform; a new file of features is one more line here."""


@dataclass(frozen=True)
class Catalog:
    """All features of one platform.

    Attributes:
        features: Every feature; an old version stands beside the new one as long as a served model names it.
        attributes: The attributes declared in the settings.
    """

    features: tuple[Feature, ...]
    attributes: tuple[Attribute, ...] = ()

    @cached_property
    def by_reference(self) -> dict[tuple[str, int], Feature]:
        """The features by name and version."""
        return {(feature.name, feature.version): feature for feature in self.features}

    @cached_property
    def memories(self) -> tuple[Memory, ...]:
        """What the records must hold: each memory once."""
        declared = (memory for feature in self.features for memory in feature.memories)
        return tuple(dict.fromkeys([*room.LIFECYCLE, *pair.RELATION, user.SEEN, user.WATCHED, *declared]))

    @property
    def fingerprint(self) -> str:
        """A hash of what the features are called and look like; the manifest of a model carries it."""
        specs = "\n".join(sorted(feature.column.spec for feature in self.features))
        return hashlib.blake2b(specs.encode(), digest_size=8).hexdigest()

    def layout(self, patterns: Iterable[str] = ("*",), heads: Sequence[str] = ()) -> Layout:
        """The layout of the newest version of the features that match.

        Args:
            patterns: Names with shell wildcards, such as `room.*.decayed`; with a leading `!` they leave out.
            heads: The ranker's heads.

        Raises:
            LayoutError: A pattern matches no feature.
        """
        newest = {feature.name: feature for feature in sorted(self.features, key=lambda feature: feature.version)}
        chosen = _matching(list(newest), list(patterns))
        tensors = [
            TensorLayout(
                name, tuple(newest[each].column for each in newest if each in chosen and newest[each].tensor == name)
            )
            for name in DTYPES
        ]
        return Layout(tuple(tensor for tensor in tensors if tensor.columns), tuple(heads))

    def check(self, layout: Layout) -> list[str]:
        """What of a layout this catalogue cannot fill, one line a column; empty when it can."""
        return [
            problem
            for tensor in layout.tensors
            for column in tensor.columns
            if (problem := self._problem(tensor.name, column))
        ]

    def _problem(self, tensor: str, column: Column) -> str | None:
        feature = self.by_reference.get((column.name, column.version))
        if feature is None:
            versions = sorted(version for name, version in self.by_reference if name == column.name)
            has = f"versions {versions}" if versions else "no such feature"
            return f"{tensor}: the model reads {column.name}@{column.version}, the catalogue has {has}"
        if feature.column != column or feature.tensor != tensor:
            return (
                f"{tensor}: the model reads {column.spec}, the catalogue has {feature.column.spec} in {feature.tensor}"
            )
        return None


def build_catalog(content_width: int, attributes: Sequence[Attribute] = ()) -> Catalog:
    """The catalogue of a platform.

    Args:
        content_width: Length of the content vectors; 0 = none.
        attributes: The platform's own attributes.

    Raises:
        ValueError: Two features have one name and version.
    """
    features = [*FEATURES, *(attribute.feature() for attribute in attributes)]
    if content_width:
        features.append(room.content(content_width))
    catalog = Catalog(tuple(features), tuple(attributes))
    if len(catalog.by_reference) != len(features):
        names = [f"{feature.name}@{feature.version}" for feature in features]
        raise ValueError(
            f"catalogue: expected each feature once, received {sorted({n for n in names if names.count(n) > 1})}"
        )
    return catalog


def _matching(names: list[str], patterns: list[str]) -> set[str]:
    chosen: set[str] = set()
    for pattern in patterns:
        glob = pattern.removeprefix("!")
        found = {name for name in names if fnmatchcase(name, glob)}
        if not found:
            raise LayoutError(f"features: expected a pattern that matches a feature, received {pattern!r}")
        chosen = chosen - found if pattern.startswith("!") else chosen | found
    return chosen
