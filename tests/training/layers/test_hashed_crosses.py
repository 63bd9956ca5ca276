"""Weights of pairs of keys."""

import numpy as np
import pytest
import tensorflow as tf

from feature_service.features.layout import CANDIDATE_IDS, USER_IDS
from tests.training.worlds import toy_layout
from training.data.examples import LayoutMismatchError
from training.layers.hashed_crosses import HashedCrosses

PAIRS = (("user.id", "room.category"), ("context.hour", "streamer.id"))
BUCKETS = 1 << 16
SLATE = tf.constant([0, 0, 1], tf.int32)


@pytest.fixture
def crosses() -> HashedCrosses:
    return HashedCrosses(toy_layout(), PAIRS, buckets=BUCKETS, outputs=2)


def tensors(users: list[list[int]], candidates: list[list[int]]) -> dict[str, tf.Tensor]:
    """Users (id, hour) and candidates (streamer, category), their titles without a word."""
    rooms = [[streamer, 0, 0, 0, category] for streamer, category in candidates]
    return {USER_IDS: tf.constant(users, tf.int64), CANDIDATE_IDS: tf.constant(rooms, tf.int64)}


TENSORS = tensors([[1, 2], [3, 4]], [[5, 6], [5, 7], [5, 6]])


def test_the_same_pair_has_the_same_row_and_another_pair_another(crosses: HashedCrosses):
    again = tensors([[1, 2], [3, 4], [1, 9]], [[5, 6], [5, 7], [5, 6], [8, 6]])
    rows, _ = crosses.rows(again, tf.constant([0, 0, 1, 2], tf.int32))
    rows = rows.numpy()
    assert rows[0, 0] == rows[3, 0]  # User 1 and category 6, at another hour and streamer.
    assert len({rows[0, 0], rows[1, 0], rows[2, 0]}) == 3
    assert rows[0, 1] == rows[1, 1] != rows[2, 1]  # Hour 2 and streamer 5; hour 4 and streamer 5.
    assert rows[:, 0].max() < BUCKETS <= rows[:, 1].min()


def test_a_pair_and_its_reverse_are_two_pairs(crosses: HashedCrosses):
    rows, _ = crosses.rows(tensors([[1, 2], [6, 2]], [[5, 6], [5, 1]]), tf.constant([0, 1], tf.int32))
    assert rows.numpy()[0, 0] != rows.numpy()[1, 0]


def test_the_weights_of_all_crosses_are_summed(crosses: HashedCrosses):
    crosses.table.assign(np.random.default_rng(1).normal(size=crosses.table.shape))
    rows, _ = crosses.rows(TENSORS, SLATE)
    assert crosses(TENSORS, SLATE).numpy() == pytest.approx(crosses.table.numpy()[rows.numpy()].sum(axis=1))


@pytest.mark.parametrize("missing", [tensors([[0, 0]], [[5, 6]]), tensors([[1, 2]], [[0, 0]])])
def test_a_pair_without_one_of_its_keys_weighs_nothing(crosses: HashedCrosses, missing: dict[str, tf.Tensor]):
    crosses.table.assign(tf.ones_like(crosses.table))
    assert crosses(missing, None).numpy().tolist() == [[0.0, 0.0]]


def test_one_viewer_broadcasts_as_if_repeated(crosses: HashedCrosses):
    one = TENSORS | {USER_IDS: TENSORS[USER_IDS][:1]}
    alone, repeated = crosses.rows(one, None)[0], crosses.rows(TENSORS, tf.zeros(3, tf.int32))[0]
    assert np.array_equal(alone, repeated)


def test_pairs_spread_evenly_over_the_rows():
    """Of 2¹⁶ pairs hashed at random into 2¹⁶ rows, 1 − 1/e of the rows are hit; small keys in a row do as well."""
    crosses = HashedCrosses(toy_layout(), PAIRS[:1], buckets=BUCKETS, outputs=1)
    keys = list(range(1, 257))
    every = tensors([[key, 1] for key in keys], [[1, key] for key in keys * 256])
    rows, _ = crosses.rows(every, tf.repeat(tf.range(256), 256))
    assert len(np.unique(rows)) / BUCKETS == pytest.approx(1 - np.exp(-1), abs=0.01)


def test_squares_count_each_row_that_is_read_once(crosses: HashedCrosses):
    crosses.table.assign(np.full(crosses.table.shape, 2.0))
    # Three rows of users and categories, two of hours and streamers; two weights of 2 each: 5 · 2 · 2².
    assert crosses.squares(TENSORS, SLATE).numpy() == 40.0
    nobody = tensors([[0, 0], [0, 0]], [[5, 6], [5, 7], [5, 6]])
    assert crosses.squares(nobody, SLATE).numpy() == 0.0


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (
            ("user.idd", "streamer.id"),
            r"crosses: expected one of \['context.hour', 'user.id'\] of user_ids.*'user.idd'",
        ),
        (("streamer.id", "user.id"), "crosses: expected one of .* of user_ids, received 'streamer.id'"),
        (("user.id", "room.title"), "crosses: expected a feature of one key, received room.title of 3"),
    ],
)
def test_a_cross_of_what_is_not_there_is_refused(pair: tuple[str, str], message: str):
    with pytest.raises(LayoutMismatchError, match=message):
        HashedCrosses(toy_layout(), [pair], buckets=8, outputs=1)
