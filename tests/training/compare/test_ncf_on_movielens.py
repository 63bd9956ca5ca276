"""The NCF protocol on MovieLens 1M, against the published figures. `ONAIR_DATA` names the folder that holds `ml-1m`."""

import os
from pathlib import Path

import pytest

from training.compare.ncf_data import NcfData, read_ncf
from training.compare.ncf_table import ncf_table

DATA = os.environ.get("ONAIR_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="ONAIR_DATA names no folder of real data")


@pytest.fixture(scope="module")
def data() -> NcfData:
    return read_ncf(Path(DATA or "", "ml-1m"))


def test_the_split_has_the_published_size(data: NcfData):
    assert (data.users, data.items, len(data.user)) == (6_040, 3_706, 994_169)


def test_popularity_is_where_others_measured_it(data: NcfData):
    # .4531 / .2542: Ferrari Dacrema et al., "Are We Really Making Much Progress?" (RecSys 2019), full results.
    found = ncf_table(data, ["popularity"])["popularity"]
    assert found.hit_rate == pytest.approx([0.453], abs=0.002)
    assert found.ndcg == pytest.approx([0.254], abs=0.002)


def test_item_based_cf_is_above_the_published_figures(data: NcfData):
    # .6596 / .3900, the same.
    found = ncf_table(data, ["item_cf"])["item_cf"]
    assert found.hit_rate[0] >= 0.66
    assert found.ndcg[0] >= 0.39
