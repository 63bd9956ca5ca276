"""Small tables with the columns of Census-Income."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training.compare.ranking.census import COLUMNS

_NUMBERS = ("age", "wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked")
_CODES = ("det_ind_code", "det_occ_code", "own_or_self", "vet_benefits", "year")
_MADE = ("age_years", "capital_gains_code", "capital_losses_code", "dividends_code", "weeks_code")


def write_census(folder: Path) -> None:
    """Forty people in each part: the last ten earn more than 50K, and every other was never married."""
    rows = np.arange(40)
    table = dict.fromkeys(_NUMBERS, rows + 20) | dict.fromkeys(_CODES, rows % 3)
    names = {name for columns in COLUMNS.values() for name in columns if name not in _MADE}
    table |= dict.fromkeys(names - table.keys(), np.array(["a", "b"])[rows % 2])
    table |= {
        "income": np.where(rows >= 30, ">50K", "<=50K"),
        "marital_stat": np.where(rows % 2 == 0, "Never married", "Widowed"),
        "instance_weight": rows * 1.5,
    }
    for part in ("train", "test"):
        pq.write_table(pa.table(table), folder / f"{part}.parquet")
