"""The protocol of Neural Collaborative Filtering, on worlds small enough to rank by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.compare.ncf import measure_ncf
from training.compare.ncf_data import NcfData, NcfDataError, read_ncf

GAIN_OF_THIRD = 0.5  # 1 / log2(2 + 2).


def data_of(target: list[int], negatives: list[list[int]], rated: list[list[int]], items: int) -> NcfData:
    user = np.repeat(np.arange(len(rated)), [len(row) for row in rated])
    item = np.array([item for row in rated for item in row], np.int64)
    return NcfData(len(target), items, user, item, np.array(target), np.array(negatives), "by hand")


def in_order(users: np.ndarray) -> np.ndarray:
    """Item 0 is best for all of 40."""
    return -np.tile(np.arange(40.0), (len(users), 1))


def test_the_target_is_ranked_among_its_negatives_alone():
    # User 0: negatives 0 and 1 stand before target 2, rank 2. User 1: none before 3. User 2: ten before 39, no hit.
    data = data_of([2, 3, 39], [[0, 1, *range(4, 12)], [*range(4, 14)], [*range(10)]], [[30], [30], [30]], 40)
    scores = measure_ncf(data, in_order)
    assert scores.hit_rate == pytest.approx(2 / 3)
    assert scores.ndcg == pytest.approx((GAIN_OF_THIRD + 1) / 3)


def test_full_ranking_leaves_out_what_the_user_rated():
    # Of the 12 items before target 12 the first user rated ten: rank 2. The second rated none of them: no hit.
    data = data_of([12, 12], [[20], [20]], [[*range(10)], [30]], 40)
    scores = measure_ncf(data, in_order)
    assert scores.full_hit_rate == pytest.approx(1 / 2)
    assert scores.full_ndcg == pytest.approx(GAIN_OF_THIRD / 2)
    assert scores.hit_rate == 1


def test_items_of_equal_score_share_their_ranks():
    # Four negatives tie with the target: it stands third, wherever its row is.
    data = data_of([0, 39], [[1, 2, 3, 4], [1, 2, 3, 4]], [[30], [30]], 40)
    assert measure_ncf(data, lambda users: np.zeros((len(users), 40))).ndcg == pytest.approx(GAIN_OF_THIRD)


def test_a_score_that_is_no_number_stands_last():
    def scorer(users: np.ndarray) -> np.ndarray:
        scores = in_order(users)
        scores[:, 0] = np.nan
        return scores

    data = data_of([0], [[*range(1, 12)]], [[30]], 40)
    assert measure_ncf(data, scorer).hit_rate == 0


def test_a_scorer_that_loses_items_is_named():
    data = data_of([0], [[1]], [[2]], 40)
    with pytest.raises(ValueError, match=r"expected scores of shape \(1, 40\), received \(1, 39\)"):
        measure_ncf(data, lambda users: in_order(users)[:, 1:])


def write_published(directory: Path) -> None:
    ratings = {"ncf_user": [1, 0, 0, 1, 0], "ncf_item": [2, 0, 1, 3, 4], "is_ncf_test": [0, 0, 0, 1, 1]}
    table = pa.table(ratings)
    test = table["is_ncf_test"].cast(pa.bool_())
    pq.write_table(table.set_column(2, "is_ncf_test", test), directory / "ratings.parquet")
    held = {"ncf_user": [1, 0], "ncf_item": [3, 4], "negatives": [[0, 1], [2, 3]]}
    pq.write_table(pa.table(held), directory / "ncf_test.parquet")


def test_the_published_split_is_taken_as_it_is(tmp_path: Path):
    write_published(tmp_path)
    data = read_ncf(tmp_path)
    assert (data.users, data.items) == (2, 5)
    assert list(zip(data.user.tolist(), data.item.tolist(), strict=True)) == [(0, 0), (0, 1), (1, 2)]
    assert data.candidates().tolist() == [[4, 2, 3], [3, 0, 1]]


def test_the_last_rating_of_a_user_is_withheld_and_of_equal_seconds_the_last_in_the_file(tmp_path: Path):
    rows = [f"7::{movie}::4::{time}" for movie, time in ((10, 5), (30, 9), (20, 9))]
    rest = [f"{9 + place}::{movie}::4::1" for place, movie in enumerate(range(1, 131))]
    (tmp_path / "ratings.dat").write_text("\n".join([*rows, *rest]) + "\n")
    data = read_ncf(tmp_path)
    # Movies are numbered in order: 10, 20, 30 are 9, 19, 29.
    assert data.target[0] == 19
    assert data.item[data.user == 0].tolist() == [9, 29]


def test_drawn_negatives_are_different_and_unrated_and_repeat_for_a_seed(tmp_path: Path):
    rows = [f"1::{movie}::4::{movie}" for movie in range(1, 31)]
    rest = [f"{user}::{user}::4::1" for user in range(31, 181)]
    (tmp_path / "ratings.dat").write_text("\n".join([*rows, *rest]))
    first, again, other = read_ncf(tmp_path, seed=1), read_ncf(tmp_path, seed=1), read_ncf(tmp_path, seed=2)
    assert len(set(first.negatives[0].tolist())) == 99
    assert min(first.negatives[0]) >= 30  # The user rated the first thirty; of the 150 others 99 are drawn.
    assert (first.negatives == again.negatives).all()
    assert (first.negatives != other.negatives).any()


def test_too_few_items_to_draw_negatives_from_are_refused(tmp_path: Path):
    (tmp_path / "ratings.dat").write_text("\n".join(f"{user}::{user}::4::1" for user in range(1, 51)))
    with pytest.raises(NcfDataError, match="user 0: expected at least 99 items without a rating, received 49"):
        read_ncf(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("1,2,3,4\n", "expected lines user::movie::rating::seconds"), ("", "expected ratings, received an empty file")],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "ratings.dat").write_text(text)
    with pytest.raises(NcfDataError, match=message):
        read_ncf(tmp_path)


def test_a_folder_without_ratings_is_refused(tmp_path: Path):
    with pytest.raises(NcfDataError, match=r"expected ratings.parquet and ncf_test.parquet, or ratings.dat, received"):
        read_ncf(tmp_path)


def test_settings_are_chosen_without_the_test_ratings():
    rated = [[0, 1, 2], [3]]
    chosen = data_of([9, 8], [[4, 5], [6, 7]], rated, 10).without_one_each(seed=1)
    assert chosen.target[0] in rated[0]
    assert sorted([*chosen.item[chosen.user == 0].tolist(), chosen.target[0]]) == rated[0]
    assert chosen.item[chosen.user == 1].tolist() == [3]  # The only rating stays.
    assert not set(chosen.negatives[0].tolist()) & set(rated[0])
