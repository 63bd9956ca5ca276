"""Embeddings of int64 keys."""

import numpy as np
import pytest
import tensorflow as tf

from training.layers.embeddings import Embeddings

VOCABULARIES = {"word": np.array([-7, 3, 9], np.int64), "user": np.array([-2, 5], np.int64)}


@pytest.fixture
def embeddings() -> Embeddings:
    return Embeddings(VOCABULARIES, size=4, unseen_rows=2)


def ids(*keys: int) -> tf.Tensor:
    return tf.constant([keys], tf.int64)


def test_every_known_key_has_a_row_of_its_own(embeddings: Embeddings):
    rows = embeddings.rows(ids(-7, 3, 9, -2, 5), ["word"] * 3 + ["user"] * 2).numpy()[0]
    assert len(set(rows)) == 5
    assert rows.min() >= 4  # The first 2 · 2 rows are for unknown keys.


def test_an_unknown_key_falls_on_a_row_of_its_vocabulary(embeddings: Embeddings):
    rows = embeddings.rows(ids(100, 101, 100, -101), ["word", "word", "user", "user"]).numpy()[0]
    assert list(rows) == [0, 1, 2, 3]  # Even and odd keys of "word" on 0 and 1, of "user" on 2 and 3.


def test_the_largest_and_smallest_keys_are_unknown_and_not_out_of_range(embeddings: Embeddings):
    rows = embeddings.rows(ids(2**63 - 1, -(2**63)), ["word", "word"]).numpy()[0]
    assert set(rows) <= {0, 1}


def test_padding_is_the_zero_vector(embeddings: Embeddings):
    assert np.array_equal(embeddings(ids(0, 0), ["word", "user"]), np.zeros((1, 2, 4)))


def test_padding_gets_no_gradient(embeddings: Embeddings):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(embeddings(ids(0), ["word"]) ** 2 + embeddings(ids(0), ["word"]))
    assert not np.any(tf.convert_to_tensor(tape.gradient(loss, embeddings.table)))


def test_features_of_one_vocabulary_share_their_vectors(embeddings: Embeddings):
    vectors = embeddings(ids(3, 3), ["word", "word"]).numpy()[0]
    assert np.array_equal(vectors[0], vectors[1])


def test_a_key_can_be_taken_as_unseen(embeddings: Embeddings):
    rows = embeddings.rows(ids(3, 3), ["word", "word"], tf.constant([[True, False]])).numpy()[0]
    assert rows[0] < 4 <= rows[1]


def test_a_vocabulary_without_keys_still_has_rows_for_unknown_ones():
    embeddings = Embeddings({"word": np.array([], np.int64)}, size=4, unseen_rows=2)
    assert np.isfinite(embeddings(ids(8, 0), ["word", "word"])).all()


def test_the_last_numbers_can_start_from_zero():
    table = Embeddings(VOCABULARIES, size=4, unseen_rows=2, zeros=3).table.numpy()
    assert np.all(table[:, 1:] == 0)
    assert np.all(table[:, 0] != 0)


def test_squares_count_each_known_key_once(embeddings: Embeddings):
    vectors = embeddings(ids(3, 5), ["word", "user"]).numpy()
    found = embeddings.squares(tf.constant([3, 5, 0, 3, 100, -101], tf.int64))  # 100 and −101 are unknown.
    assert found.numpy() == pytest.approx((vectors**2).sum())


def test_squares_of_padding_alone_are_zero(embeddings: Embeddings):
    assert embeddings.squares(tf.constant([0, 0], tf.int64)).numpy() == 0


def test_an_earlier_table_is_taken_over_by_key_and_a_new_key_starts_as_the_unknown_one_that_it_was():
    earlier = Embeddings(VOCABULARIES, size=4, unseen_rows=4)
    more = {name: np.union1d(keys, [-77 + n, 60 + n]) for n, (name, keys) in enumerate(VOCABULARIES.items())}
    grown = Embeddings(more, size=4, unseen_rows=4)
    grown.take_over(earlier)
    for name, keys in more.items():
        asked = tf.constant(np.append(keys, [1234, 0])[:, np.newaxis], tf.int64)
        assert np.array_equal(grown(asked, [name]), earlier(asked, [name]))
    assert set(grown.keys.numpy()) > set(earlier.keys.numpy())
