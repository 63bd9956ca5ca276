"""The rows of the comparison: which nets each consists of, and which rows a paper's claim sets against each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from serving.verbs import UserError
from training.models.ranking import RANKERS


@dataclass(frozen=True, slots=True)
class Net:
    """One training.

    Attributes:
        ranker: Name in `RANKERS`.
        heads: What it predicts.
        options: What differs from the ranker's configuration, by option.
        entered_only: Whether it learns from entered impressions alone, so that what it predicts is given an enter.
        without: A group of features that it does not read, see `feature_groups`.
    """

    ranker: str
    heads: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    entered_only: bool = False
    without: str = ""

    @property
    def name(self) -> str:
        """Names its folder among those of one comparison."""
        options = [f"{name}-{value}" for name, value in self.options]
        parts = [self.ranker, *self.heads, *options, *(["entered"] if self.entered_only else [])]
        return "-".join([*parts, *(["without", self.without] if self.without else [])])


def _single(ranker: str, heads: tuple[str, ...]) -> tuple[Net, ...]:
    return tuple(Net(ranker, (head,)) for head in heads)


def _cvr(ranker: str, heads: tuple[str, ...]) -> tuple[Net, ...]:
    if not {"enter", "long_watch"} <= set(heads):
        raise UserError(f"{ranker}:cvr: expected data with enter and long_watch, received {list(heads)}")
    return Net(ranker, ("enter",)), Net(ranker, ("long_watch",), entered_only=True)


def _mean(ranker: str, heads: tuple[str, ...]) -> tuple[Net, ...]:
    return (Net(ranker, heads, (("attention", "mean"),)),)


VARIANTS: Mapping[str, Callable[[str, tuple[str, ...]], tuple[Net, ...]]] = MappingProxyType(
    {
        "": lambda ranker, heads: (Net(ranker, heads),),
        "single": _single,
        "cvr": _cvr,
        "mean": _mean,
    }
)
"""The nets of a row `RANKER` or `RANKER:VARIANT`.

Without a variant: one net with all heads. `single`: a net a head. `cvr`: p(long_watch | enter) of a net that learns
from entered impressions alone, times p(enter) of a net of its own. `mean`: the history is pooled by its mean.
"""

PAIRS = (
    ("mmoe", "dnn:single"),
    ("ple", "dnn:single"),
    ("dnn", "dnn:single"),
    ("ple", "mmoe"),
    ("esmm", "dnn:cvr"),
    ("escm2", "dnn:cvr"),
    ("escm2", "esmm"),
    ("din", "din:mean"),
    ("deepfm", "lr"),
    ("deepfm", "fm"),
    ("wide_deep", "lr"),
    ("gbdt_lr", "lr"),
)
"""Rows that are set against each other where both are there: the first is what a paper claims to be better."""


def nets_of(row: str, heads: Sequence[str], without: str = "") -> tuple[Net, ...]:
    """The nets of a row for data with these heads.

    Raises:
        UserError: There is no such ranker or variant.
    """
    ranker, _, variant = row.partition(":")
    if ranker not in RANKERS or variant not in VARIANTS or (variant == "mean" and ranker != "din"):
        known = f"one of {', '.join(RANKERS)}, alone or with :single or :cvr, or din:mean"
        raise UserError(f"--model: expected {known}, received {row!r}")
    return tuple(replace(net, without=without) for net in VARIANTS[variant](ranker, tuple(heads)))


def heads_of(nets: Sequence[Net]) -> tuple[str, ...]:
    """What the nets of a row predict together."""
    return tuple(dict.fromkeys(head for net in nets for head in net.heads))
