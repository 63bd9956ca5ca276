"""Streaming frequency: how likely a batch holds a streamer, estimated while the batches pass."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.losses import Frequencies, frequency_slots, log_sampling_probability, update_frequencies


class StreamingFrequency(tf.Module):
    """State of the estimate of Yi et al. (RecSys 2019), algorithms 2 and 3, as variables; see `training.losses`.

    We depart in warming it up with the counts of the training samples, as a few epochs are too short for the moving
    average to forget its start. Validation has frequencies of its own: measured by those of training, streamers who
    came later would look very rare and drown the loss that early stopping goes by.

    Attributes:
        last_step: A of the paper, float32 [hashes, slots].
        gap: B of the paper, float32 [hashes, slots].
        validation_gap: B of the validation batches, which does not move, float32 [hashes, slots].
    """

    def __init__(self, *, rate: float, slots: int, hashes: int) -> None:
        super().__init__(name="streaming_frequency")
        self._rate, self._slots, self._hashes = rate, slots, hashes
        shape = (hashes, slots)
        self.last_step = tf.Variable(tf.zeros(shape), trainable=False, name="last_step")
        self.gap = tf.Variable(tf.ones(shape), trainable=False, name="gap")
        self.validation_gap = tf.Variable(tf.ones(shape), trainable=False, name="validation_gap")

    def start(self, training: NDArray[np.int64], validation: NDArray[np.int64], batches: tuple[int, int]) -> None:
        """Warms both estimates up.

        A streamer entered c times, spread over n batches, hits a batch with chance 1 − (1 − 1/n)^c; its gap starts at
        the inverse of that. A streamer who was never entered counts as one who was once.

        Args:
            training: Streamer key of each enter of the training samples, int64 [E].
            validation: And of the validation samples.
            batches: Batches an epoch of both.
        """
        self.gap.assign(self._expected_gap(training, batches[0]))
        self.validation_gap.assign(self._expected_gap(validation, batches[1]))

    def count(self, streamers: tf.Tensor, step: tf.Tensor) -> None:
        """Takes in the streamers of a training batch, int64 [N], at its number, int64 scalar."""
        state = Frequencies(tf.convert_to_tensor(self.last_step), tf.convert_to_tensor(self.gap))
        state = update_frequencies(state, self._places(streamers), tf.cast(step, tf.float32), self._rate)
        self.last_step.assign(state.last_step)
        self.gap.assign(state.gap)

    def log_probability(self, streamers: tf.Tensor, *, training: bool) -> tf.Tensor:
        """Log p̂ of streamers: int64 [N] → float32 [N]."""
        gap = tf.convert_to_tensor(self.gap if training else self.validation_gap)
        return log_sampling_probability(gap, self._places(streamers))

    def _places(self, streamers: tf.Tensor) -> tf.Tensor:
        return frequency_slots(streamers, self._hashes, self._slots)

    def _expected_gap(self, streamers: NDArray[np.int64], batches: int) -> NDArray[np.float32]:
        """Expected batches between two hits of each slot, float32 [hashes, slots]."""
        places = self._places(tf.constant(streamers)).numpy()
        counts = np.stack([np.bincount(row, minlength=self._slots) for row in places])
        miss = (1.0 - 1.0 / max(batches, 2)) ** np.maximum(counts, 1)
        return (1.0 / (1.0 - miss)).astype(np.float32)
