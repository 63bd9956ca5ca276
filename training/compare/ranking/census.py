"""The Census-Income protocol: two tasks of one table, without catalogue or log.

Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts" (KDD 2018), section
6.3: is the income above 50,000 (here `enter`), and was the person never married (`long_watch`)? Each row is a slate of
one candidate: what is known of the person is the user side, what is known of the work the candidate side. A tenth of
`train.parquet`, drawn at random, says when to stop; `test.parquet` is the test.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_service.features.layout import (
    CANDIDATE_FLOATS,
    CANDIDATE_IDS,
    DTYPES,
    USER_FLOATS,
    USER_IDS,
    Column,
    Layout,
    TensorLayout,
)
from feature_service.features.schema import Encoding, key_of
from training.compare.ranking.data import RankingData
from training.data.importers.tables import ints, read_parquet, texts
from training.data.samples import Candidates, Samples, Slates
from training.data.split import Split
from training.heads import HEAD_NAMES
from training.layers.fitted import Encodings

REPORTED = {"enter": "income > 50K", "long_watch": "never married"}

VALIDATION_SHARE = 0.1
_SPLIT_SEED = 1994

COLUMNS: dict[str, tuple[str, ...]] = {
    USER_FLOATS: ("age",),
    USER_IDS: (
        *("age_years", "education", "hs_college", "race", "hisp_origin", "sex", "tax_filer_stat", "region_prev_res"),
        *("state_prev_res", "det_hh_fam_stat", "det_hh_summ", "mig_chg_msa", "mig_chg_reg", "mig_move_reg", "mig_same"),
        *("mig_prev_sunbelt", "fam_under_18", "country_father", "country_mother", "country_self", "citizenship"),
        *("vet_question", "vet_benefits", "year"),
    ),
    CANDIDATE_FLOATS: (
        *("wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked"),
    ),
    CANDIDATE_IDS: (
        *("class_worker", "det_ind_code", "det_occ_code", "major_ind_code", "major_occ_code", "union_member"),
        *("unemp_reason", "full_or_part_emp", "own_or_self", "capital_gains_code", "capital_losses_code"),
        *("dividends_code", "weeks_code"),
    ),
}
"""The columns by tensor: all but the two tasks and the survey's weight."""

_SAME: dict[str, str] = {
    "age_years": "age",
    "capital_gains_code": "capital_gains",
    "capital_losses_code": "capital_losses",
    "dividends_code": "stock_dividends",
    "weeks_code": "weeks_worked",
}
"""Numbers that are taken in as categories too: they are anything but linear, and take few values."""

_LINEAR = ("age", "num_emp", "weeks_worked")


def census_data(source: Path) -> RankingData:
    """The data of the protocol.

    Args:
        source: The folder with `train.parquet` and `test.parquet`.

    Raises:
        DataError: A file is not as expected.
    """
    learnt, test = (_samples(source / f"{part}.parquet") for part in ("train", "test"))
    held = np.random.default_rng(_SPLIT_SEED).random(len(learnt.slates.user)) < VALIDATION_SHARE
    split = Split(learnt.of_slates(~held), learnt.of_slates(held), test)
    return RankingData("Census-Income", split, encodings(), REPORTED)


def encodings() -> Encodings:
    """How each column is taken in; every category has a vocabulary of its own."""
    found: dict[str, tuple[Encoding, str]] = {}
    for tensor, names in COLUMNS.items():
        for name in names:
            number = Encoding.LINEAR if name in _LINEAR else Encoding.LOG
            found[name] = (Encoding.ID, name) if DTYPES[tensor] == "int64" else (number, "")
    return found


def _samples(path: Path) -> Samples:
    every = {_SAME.get(name, name) for names in COLUMNS.values() for name in names}
    table = read_parquet(path, sorted(every | {"income", "marital_stat"}))
    rows = table.num_rows
    tensors = {name: _tensor(table, name, columns) for name, columns in COLUMNS.items()}
    labels = np.zeros((rows, len(HEAD_NAMES)), np.float32)
    mask = np.zeros(labels.shape, np.bool_)
    for head, positive in (
        ("enter", np.array(texts(table, "income")) == ">50K"),
        ("long_watch", np.array(texts(table, "marital_stat")) == "Never married"),
    ):
        labels[:, HEAD_NAMES.index(head)] = positive
        mask[:, HEAD_NAMES.index(head)] = True
    numbers = np.arange(rows, dtype=np.int64)
    user_side = {name: tensors[name] for name in (USER_FLOATS, USER_IDS)}
    candidates = Candidates(
        tensors={name: tensors[name] for name in (CANDIDATE_FLOATS, CANDIDATE_IDS)},
        slate=numbers.astype(np.int32),
        room=numbers,
        streamer=numbers,
        position=np.full(rows, -1, np.int16),
        propensity=np.zeros(rows, np.float32),
        sampled=np.zeros(rows, np.bool_),
        censored=np.zeros(rows, np.bool_),
        labels=labels,
        mask=mask,
    )
    return Samples(_layout(), Slates(user_side, numbers, numbers), candidates)


def _layout() -> Layout:
    tensors = [
        TensorLayout(tensor, tuple(Column(name, 1, DTYPES[tensor], 1) for name in names))
        for tensor, names in COLUMNS.items()
    ]
    return Layout(tuple(tensors), ("enter", "long_watch"))


def _tensor(table: pa.Table, tensor: str, names: tuple[str, ...]) -> NDArray[np.generic]:
    if DTYPES[tensor] == "int64":
        return np.stack([_keys(name, table[_SAME.get(name, name)]) for name in names], axis=1)
    return np.stack([ints(table, name).astype(np.float32) for name in names], axis=1)


def _keys(vocabulary: str, column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The key of each value, int64 [N]; each distinct value is hashed once."""
    encoded = column.combine_chunks().dictionary_encode()
    keys = np.array([key_of(vocabulary, str(value)) for value in encoded.dictionary.to_pylist()], np.int64)
    return keys[encoded.indices.to_numpy()]
