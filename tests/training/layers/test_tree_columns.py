"""What trees read."""

import numpy as np
import tensorflow as tf

from feature_service.features.layout import (
    CANDIDATE_FLOATS,
    CANDIDATE_IDS,
    CANDIDATE_VECTORS,
    HISTORY_IDS,
    USER_FLOATS,
    USER_IDS,
)
from tests.training.layers.blueprints import toy_blueprint
from tests.training.worlds import STEPS, toy_world
from training.layers.tree_columns import TreeColumns

SAMPLES = toy_world(50, seed=1).samples
USER, HOUR = 0, 1
STREAMER, CATEGORY = 0, 4


def tensors(slates: int) -> dict[str, tf.Tensor]:
    """The packed tensors of the first slates, of eight candidates each."""
    by_slate = {name: tf.constant(values[:slates]) for name, values in SAMPLES.slates.tensors.items()}
    return by_slate | {name: tf.constant(v[: 8 * slates]) for name, v in SAMPLES.candidates.tensors.items()}


def columns(most_codes: int) -> TreeColumns:
    made = TreeColumns(toy_blueprint(), most_codes)
    made.start(SAMPLES)
    return made


def test_floats_and_vectors_are_read_as_they_are():
    """Without codes, a viewer has its three floats, and a candidate two and the content; no id is read."""
    read, given = columns(1), tensors(1)
    assert read.user(given).numpy().tolist() == given[USER_FLOATS].numpy().tolist()
    found = read.candidate(given, None).numpy()
    assert found[:, :6].tolist() == np.hstack([given[CANDIDATE_FLOATS], given[CANDIDATE_VECTORS]]).tolist()
    assert found.shape[1] == 6 + 2  # And what history and candidate share: streamer and category.


def test_a_code_grows_with_the_number_of_impressions():
    """Hours count by slate and categories by candidate: more of them, a greater code."""
    read, given = columns(24), tensors(50)
    for found, keys in (
        (read.user(given).numpy()[:, 3], given[USER_IDS].numpy()[:, HOUR]),
        (read.candidate(given, tf.repeat(tf.range(50), 8)).numpy()[:, 2], given[CANDIDATE_IDS].numpy()[:, CATEGORY]),
    ):
        codes = {key: set(found[keys == key]) for key in np.unique(keys)}
        assert all(len(values) == 1 for values in codes.values())
        by_count = sorted(codes, key=lambda key: (np.sum(keys == key), key))
        ordered = [codes[key].pop() for key in by_count]
        assert ordered == sorted(ordered)
        assert len(set(ordered)) == len(ordered)
        assert ordered[0] > 0


def test_large_vocabularies_are_not_read():
    """4 categories, up to 24 hours, 32 streamers and up to 40 users; title words are several keys a column."""
    widths = [
        (read.user(tensors(1)).shape[1], read.candidate(tensors(1), None).shape[1])
        for read in map(columns, (3, 24, 40))
    ]
    assert widths == [(3, 8), (4, 9), (5, 10)]


def test_unseen_and_absent_keys_have_the_least_code():
    read, given = columns(24), tensors(1)
    given[USER_IDS] = tf.constant([[1, 987654321], [1, 0]], tf.int64)
    given[USER_FLOATS] = tf.zeros([2, 3])
    assert read.user(given).numpy()[:, 3].tolist() == [0.0, 0.0]


def test_steps_with_the_candidates_key_are_counted():
    """The streamers 11, 12, 11, 0, 0 were watched, of the categories 5, 6, 5, 0, 0; who has no key shares none."""
    read, given = columns(1), tensors(1)
    given[HISTORY_IDS] = tf.constant([[[11, 5], [12, 6], [11, 5], [0, 0], [0, 0]]], tf.int64)
    shown = [[11, 5], [12, 5], [13, 7], [0, 0]]
    given[CANDIDATE_IDS] = tf.constant([[streamer, 0, 0, 0, category] for streamer, category in shown], tf.int64)
    given |= {CANDIDATE_FLOATS: tf.zeros([4, 2]), CANDIDATE_VECTORS: tf.zeros([4, 4])}
    assert read.candidate(given, None).numpy()[:, -2:].tolist() == [[2.0, 2.0], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0]]


def test_each_candidate_is_matched_with_its_own_viewer():
    read, given = columns(1), tensors(2)
    slate = tf.repeat(tf.range(2), 8)
    together = read.candidate(given, slate).numpy()
    for row in range(2):
        alone = {name: values[8 * row : 8 * row + 8] for name, values in given.items() if name.startswith("candidate")}
        alone |= {HISTORY_IDS: given[HISTORY_IDS][row : row + 1]}
        assert read.candidate(alone, None).numpy().tolist() == together[8 * row : 8 * row + 8].tolist()
    assert together[:, -1].max() <= STEPS
