"""The configuration of a training run: one TOML file, whose unknown keys fail."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import tf_keras as keras

from feature_service.features.layout import HISTORY_FLOATS, HISTORY_IDS, Layout, TensorLayout
from training.heads import HEADS
from training.layers.balance import BALANCES
from training.layers.blueprint import HISTORY_TENSORS, USER_TENSORS, InputSizes
from training.models import MODELS
from training.models.recall import RECALL
from training.optimizers import FusedAdam, LazyAdam

OPTIMIZERS = {"adam": FusedAdam, "lazy_adam": LazyAdam, "adagrad": keras.optimizers.Adagrad}

_SEEDS = 1 << 32  # As many as NumPy's generator takes.

_Table = TypeVar("_Table")
_KINDS = {int: "a whole number", float: "a number", str: "a text"}


class ConfigError(ValueError):
    """A configuration that cannot be run: names the file, the key and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureChoice:
    """Which features the model reads, by patterns as of a shell; one that starts with "!" takes away.

    Attributes:
        user: Patterns for the user side, histories included.
        candidate: Patterns for the candidate side.
    """

    user: tuple[str, ...]
    candidate: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """How the model is fitted.

    Attributes:
        optimizer: One of `OPTIMIZERS`.
        learning_rate: Step size.
        batch_slates: Slates a batch, with all their candidates.
        epochs: Passes over the training samples, at most.
        patience: Epochs without a better validation loss after which training stops.
        balance: How a ranker's heads are weighed against each other: one of `training.layers.balance.BALANCES`.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3
    batch_slates: int = 512
    epochs: int = 5
    patience: int = 1
    balance: str = "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """One training run.

    Attributes:
        model: Name in `training.models.MODELS`.
        seed: Seed of initialisation and shuffling.
        features: Which features the model reads.
        heads: Weight of each head's loss, by head; empty for recall models.
        inputs: Sizes of the input layers.
        options: The model's own options, of its `Options` dataclass.
        training: How the model is fitted.
    """

    model: str
    seed: int = 17
    features: FeatureChoice
    heads: Mapping[str, float] = field(default_factory=dict)
    inputs: InputSizes = field(default_factory=InputSizes)
    options: Any
    training: TrainingOptions = field(default_factory=TrainingOptions)

    def to_dict(self) -> dict[str, Any]:
        """Plain tables that `parse_config` reads again."""
        return asdict(self)


def load_config(path: Path) -> RunConfig:
    """Reads a run's TOML file.

    Raises:
        ConfigError: The file is missing or no TOML, or a key is unknown, missing or of a wrong type.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: expected a run's TOML file, received {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: expected TOML, received a file in which {error}") from None
    return parse_config(table, str(path))


def parse_config(table: Mapping[str, Any], source: str) -> RunConfig:
    """The run of parsed TOML tables.

    Args:
        table: The tables.
        source: Where they come from, for messages.

    Raises:
        ConfigError: A key is unknown, missing or of a wrong type.
    """
    model = str(table.get("model"))
    if model not in MODELS:
        raise ConfigError(f"{source}: model: expected one of {sorted(MODELS)}, received {model!r}")
    values = dict(table) | {"options": _table(MODELS[model].Options, table.get("options", {}), source, "options.")}
    for name, kind in (("features", FeatureChoice), ("inputs", InputSizes), ("training", TrainingOptions)):
        if name in table:
            values[name] = _table(kind, table[name], source, f"{name}.")
    run = _table(RunConfig, values, source, "")
    for head in run.heads:
        if head not in HEADS:
            raise ConfigError(f"{source}: heads: expected heads among {list(HEADS)}, received {head!r}")
    if run.seed >= _SEEDS:
        raise ConfigError(f"{source}: seed: expected a number below {_SEEDS}, received {run.seed}")
    if run.training.optimizer not in OPTIMIZERS:
        received = run.training.optimizer
        raise ConfigError(f"{source}: training.optimizer: expected one of {list(OPTIMIZERS)}, received {received!r}")
    if run.inputs.embedding_l2 and model in RECALL:
        received = run.inputs.embedding_l2
        raise ConfigError(f"{source}: inputs.embedding_l2: expected 0 of the recall model {model}, received {received}")
    if run.training.balance not in BALANCES:
        received = run.training.balance
        raise ConfigError(f"{source}: training.balance: expected one of {list(BALANCES)}, received {received!r}")
    return run


def choose(layout: Layout, features: FeatureChoice, heads: tuple[str, ...]) -> Layout:
    """The columns of `layout` that the patterns choose, with these heads.

    Raises:
        ConfigError: No pattern of a side matches a column, or the history has no key, which says what steps are real.
    """
    user_side = USER_TENSORS + HISTORY_TENSORS
    sides = {
        "user": (features.user, [tensor for tensor in layout.tensors if tensor.name in user_side]),
        "candidate": (features.candidate, [tensor for tensor in layout.tensors if tensor.name not in user_side]),
    }
    chosen: list[TensorLayout] = []
    for side, (patterns, tensors) in sides.items():
        _check_patterns(side, patterns, tensors)
        kept = [_matching(tensor, patterns) for tensor in tensors]
        chosen += [tensor for tensor in kept if tensor.columns]
    names = {tensor.name for tensor in chosen}
    if HISTORY_FLOATS in names and HISTORY_IDS not in names:
        keys = [column.name for column in layout[HISTORY_IDS].columns] if HISTORY_IDS in layout else []
        raise ConfigError(f"features.user: expected a key of the history too, as {keys}, received numbers of it alone")
    return Layout(tuple(chosen), heads)


def _matching(tensor: TensorLayout, patterns: tuple[str, ...]) -> TensorLayout:
    wanted = [p for p in patterns if not p.startswith("!")]
    unwanted = [p[1:] for p in patterns if p.startswith("!")]
    return TensorLayout(
        tensor.name,
        tuple(
            column
            for column in tensor.columns
            if any(fnmatchcase(column.name, p) for p in wanted)
            and not any(fnmatchcase(column.name, p) for p in unwanted)
        ),
    )


def _check_patterns(side: str, patterns: tuple[str, ...], tensors: list[TensorLayout]) -> None:
    names = [column.name for tensor in tensors for column in tensor.columns]
    if not any(not p.startswith("!") and any(fnmatchcase(name, p) for name in names) for p in patterns):
        raise ConfigError(f"features.{side}: expected patterns that match one of {names}, received {list(patterns)}")


def _table(kind: type[_Table], values: Any, source: str, prefix: str) -> _Table:
    """An instance of a configuration dataclass.

    Raises:
        ConfigError: A key is unknown, missing or of a wrong type.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{source}: {prefix.rstrip('.')}: expected a table, received {values!r}")
    known = {f.name: f for f in fields(kind)}  # pyright: ignore[reportArgumentType]
    for key in values:
        if key not in known:
            raise ConfigError(f"{source}: {prefix}{key}: expected one of {sorted(known)}, received an unknown key")
    hints = get_type_hints(kind)
    checked = {
        key: _checked(value, hints[key], f"{source}: {prefix}{key}", zero=known[key].default == 0)
        for key, value in values.items()
    }
    for name, declared in known.items():
        if name not in checked and declared.default is MISSING and declared.default_factory is MISSING:
            raise ConfigError(f"{source}: {prefix}{name}: expected a value, received none")
    try:
        return kind(**checked)
    except ValueError as error:
        raise ConfigError(f"{source}: {prefix}{error}") from None


def _checked(value: Any, hint: Any, place: str, *, zero: bool = False) -> Any:
    """The value as its field's type has it: lists become tuples, whole numbers floats where floats are meant.

    Args:
        value: The value.
        hint: Its field's type.
        place: Where it stands, for messages.
        zero: Whether a number may be 0, as it may where that is the default.

    Raises:
        ConfigError: The value is of another type, or a number that is not positive.
    """
    if get_origin(hint) is tuple:
        return _checked_items(value, get_args(hint), place)
    if hint == Mapping[str, float]:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{place}: expected a table, received {value!r}")
        return {name: _checked(number, float, f"{place}.{name}") for name, number in value.items()}
    if hint is float and type(value) is int:
        value = float(value)
    if hint in (int, str, float) and type(value) is not hint:
        raise ConfigError(f"{place}: expected {_KINDS[hint]}, received {value!r}")
    if isinstance(value, int | float) and not (value > 0 or (zero and value == 0)):
        raise ConfigError(f"{place}: expected {'0 or ' if zero else ''}a number above 0, received {value!r}")
    return value


def _checked_items(value: Any, hints: tuple[Any, ...], place: str) -> tuple[Any, ...]:
    """A list's items, of the types `hints`; (type, ...) = any number of one type.

    Raises:
        ConfigError: The value is no list, or one of another length or with items of another type.
    """
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{place}: expected a list, received {value!r}")
    kinds = hints[:1] * len(value) if hints[-1] is ... else hints
    if len(value) != len(kinds):
        raise ConfigError(f"{place}: expected a list of {len(kinds)}, received {value!r}")
    return tuple(_checked(item, kind, place) for item, kind in zip(value, kinds, strict=True))
