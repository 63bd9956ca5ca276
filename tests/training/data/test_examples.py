"""Batches of whole slates out of columns."""

from dataclasses import replace

import numpy as np
import pytest

from feature_service.features.layout import CANDIDATE_FLOATS, CANDIDATE_IDS, USER_FLOATS, USER_IDS, Layout, TensorLayout
from tests.training.worlds import toy_layout, toy_world
from training.data.examples import Examples, LayoutMismatchError, blank_batch, repack
from training.data.samples import Samples
from training.heads import HEAD_NAMES

WORLD = toy_world(7, seed=1, candidates=4).samples


def uneven() -> Samples:
    """Seven slates, of which the second has one candidate and the third none."""
    slate = WORLD.candidates.slate
    keep = ~(((slate == 1) & (np.arange(len(slate)) % 4 > 0)) | (slate == 2))
    return replace(WORLD, candidates=WORLD.candidates.take(np.flatnonzero(keep)))


def test_a_batch_holds_its_slates_with_all_their_candidates():
    samples = uneven()
    batch = Examples.of(samples, samples.layout).batch(np.array([3, 1, 2]), step=9)
    assert batch["slate"].tolist() == [0, 0, 0, 0, 1]
    assert np.array_equal(batch[USER_FLOATS], samples.slates.tensors[USER_FLOATS][[3, 1, 2]])
    rows = [*np.flatnonzero(samples.candidates.slate == 3), *np.flatnonzero(samples.candidates.slate == 1)]
    assert np.array_equal(batch[CANDIDATE_IDS], samples.candidates.tensors[CANDIDATE_IDS][rows])
    assert np.array_equal(batch["streamer"], samples.candidates.streamer[rows])
    assert batch["step"] == 9


def test_every_slate_comes_once_and_the_last_batch_is_smaller():
    examples = Examples.of(WORLD, WORLD.layout)
    batches = list(examples.batches(3, np.arange(7), first_step=5))
    assert [len(batch["user"]) for batch in batches] == [3, 3, 1]
    assert [int(batch["step"]) for batch in batches] == [5, 6, 7]
    assert np.array_equal(np.concatenate([batch[USER_IDS] for batch in batches]), WORLD.slates.tensors[USER_IDS])


def test_labels_are_those_of_the_models_heads_in_its_order():
    layout = Layout(WORLD.layout.tensors, ("like", "enter"))
    batch = Examples.of(WORLD, layout).batch(np.arange(7), step=0)
    columns = [HEAD_NAMES.index("like"), HEAD_NAMES.index("enter")]
    assert np.array_equal(batch["labels"], WORLD.candidates.labels[:, columns])
    assert np.array_equal(batch["mask"], WORLD.candidates.mask[:, columns])


def test_repacking_takes_the_columns_that_the_model_reads_in_its_order():
    source = toy_layout()
    viewers, followed = source[CANDIDATE_FLOATS].columns
    target = Layout((TensorLayout(CANDIDATE_FLOATS, (followed, viewers)),))
    packed = repack(WORLD.candidates.tensors, source, target)
    assert list(packed) == [CANDIDATE_FLOATS]
    assert np.array_equal(packed[CANDIDATE_FLOATS], WORLD.candidates.tensors[CANDIDATE_FLOATS][:, ::-1])


def test_another_version_of_a_column_is_refused():
    viewers, followed = toy_layout()[CANDIDATE_FLOATS].columns
    newer = Layout((TensorLayout(CANDIDATE_FLOATS, (replace(viewers, version=2), followed)),))
    with pytest.raises(LayoutMismatchError, match=r"expected a column room.viewers@2.*received room.viewers@1"):
        Examples.of(WORLD, newer)


def test_a_missing_tensor_is_refused():
    tensors = {name: values for name, values in WORLD.slates.tensors.items() if name != USER_IDS}
    with pytest.raises(LayoutMismatchError, match="user_ids"):
        Examples.of(replace(WORLD, slates=replace(WORLD.slates, tensors=tensors)), WORLD.layout)


def test_a_blank_batch_has_the_shapes_of_a_real_one():
    layout = toy_layout()
    real, blank = Examples.of(WORLD, layout).batch(np.arange(1), step=0), blank_batch(layout)
    assert {name: (v.dtype, v.shape[1:]) for name, v in real.items()} == {
        name: (v.dtype, v.shape[1:]) for name, v in blank.items()
    }
