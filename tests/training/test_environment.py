"""What importing `training` sets for TensorFlow."""

import resource

import tensorflow as tf

import training  # noqa: F401  # Before TensorFlow allocates anything.

BYTES = 64 << 20


def test_the_memory_of_large_tensors_is_used_again():
    """New memory costs a page fault a page, 16,384 for such a tensor; that of the last tensor costs none."""
    row = tf.ones(BYTES // 4)
    for _ in range(3):
        row = row + 1.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        row = row + 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 4000
