"""The settings of a comparison: what all its rankers share, so that they differ by their architecture alone."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from training.compare.ranking.rows import Net
from training.models.ranking import RANKERS
from training.run_config import ConfigError, RunConfig, parse_config

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

Tables = Mapping[str, Mapping[str, Any]]
"""Tables of a run's configuration, by name."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A protocol's settings, a TOML file beside this one.

    Attributes:
        rows: What is compared unless told otherwise; rankers that are not there are left out.
        heads: The heads that are trained, of those that the data have; empty = all.
        shared: Replaces the same keys of every ranker's configuration.
        rankers: The same for one ranker, by name.
    """

    rows: tuple[str, ...]
    heads: tuple[str, ...] = ()
    shared: Tables = field(default_factory=dict)
    rankers: Mapping[str, Tables] = field(default_factory=dict)

    @classmethod
    def load(cls, protocol: str) -> Self:
        """The settings of a protocol.

        Raises:
            ConfigError: A key is unknown.
        """
        path = Path(__file__).with_name(f"{protocol}.toml")
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for key in table:
            if key not in cls.__slots__:
                raise ConfigError(f"{path}: expected one of {list(cls.__slots__)}, received an unknown key {key}")
        return cls(
            rows=tuple(table["rows"]),
            heads=tuple(table.get("heads", ())),
            shared=table.get("shared", {}),
            rankers=table.get("rankers", {}),
        )

    def present_rows(self) -> list[str]:
        """The rows whose ranker is registered and has a configuration."""
        return [row for row in self.rows if row.partition(":")[0] in trainable()]


def trainable() -> list[str]:
    """The rankers that have a configuration."""
    return [name for name in RANKERS if (CONFIGS / f"{name}.toml").exists()]


def configured_heads(ranker: str) -> tuple[str, ...]:
    """The heads of a ranker's configuration."""
    return tuple(_table(ranker)["heads"])


def config_of(net: Net, settings: Settings, seed: int, left_out: Sequence[str] = ()) -> RunConfig:
    """The configuration of a net: its ranker's own, then what all share, then what differs for it.

    Args:
        net: The net.
        settings: Of the protocol.
        seed: Of its training.
        left_out: Patterns that take features away.

    Raises:
        ConfigError: A key is unknown or of a wrong type.
    """
    table = _table(net.ranker)
    for tables in (settings.shared, settings.rankers.get(net.ranker, {}), {"options": dict(net.options)}):
        for name, values in tables.items():
            table[name] = {**table.get(name, {}), **values}
    features = {side: [*patterns, *left_out] for side, patterns in table["features"].items()}
    heads = {head: weight for head, weight in table["heads"].items() if head in net.heads}
    return parse_config(table | {"seed": seed, "features": features, "heads": heads}, f"comparison, {net.name}")


def _table(ranker: str) -> dict[str, Any]:
    return tomllib.loads((CONFIGS / f"{ranker}.toml").read_text(encoding="utf-8"))
