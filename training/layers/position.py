"""Position bias: what the place in the slate adds to a label, apart from the room that stood there."""

import numpy as np
import tensorflow as tf
import tf_keras as keras
from numpy.typing import NDArray

PLACES = 50
"""Places with a bias of their own; what stood further down shares the last one's."""


class PositionBias(keras.layers.Layer):
    """A number a place and head, added to the logits in training and to nothing in serving.

    As the shallow tower of Zhao et al., "Recommending What Video to Watch Next" (RecSys 2019), section 4.3, whose only
    input is here the place. The model then explains by the room what the place does not explain.
    """

    def __init__(self, logits: NDArray[np.bool_]) -> None:
        """Takes which raw outputs are logits, bool [outputs]; the others have no bias."""
        super().__init__(name="position_bias")
        self._logits = logits
        self.table = self.add_weight("position_bias", (PLACES, len(logits)), initializer="zeros")

    def call(self, position: tf.Tensor) -> tf.Tensor:
        """Places from 0, −1 = unknown, int32 [N] → float32 [N, outputs]; zeros where the place is unknown."""
        rows = tf.gather(self.table, tf.clip_by_value(position, 0, PLACES - 1))
        return tf.where((position >= 0)[:, tf.newaxis] & self._logits, rows, 0.0)
