"""Entered rooms: the rows of a recall model's loss, each a viewer's choice of one room."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import tensorflow as tf


@dataclass(frozen=True, slots=True)
class Entered:
    """E rows.

    Attributes:
        slate: Row of each one's slate, int32 [E].
        streamer: Key of the streamer, int64 [E].
        vectors: The room's vector, float32 [E, width].
        repeat: Whether the streamer was in the viewer's history, bool [E].
    """

    slate: tf.Tensor
    streamer: tf.Tensor
    vectors: tf.Tensor
    repeat: tf.Tensor

    def where(self, kept: tf.Tensor) -> Self:
        """The rows where bool [E] is true."""
        return type(self)(*(tf.boolean_mask(getattr(self, each.name), kept) for each in fields(self)))

    def and_then(self, others: Self) -> Self:
        """These rows, and others behind them."""
        names = [each.name for each in fields(self)]
        return type(self)(*(tf.concat([getattr(self, name), getattr(others, name)], axis=0) for name in names))

    def negatives(self, drawn: Mapping[str, tf.Tensor], time_ms: tf.Tensor, same_viewer: tf.Tensor) -> tf.Tensor:
        """Which rooms drawn beside a batch are a row's negatives: on air then, and not of a streamer it entered.

        Args:
            drawn: `streamer`, `start_ms` and `stop_ms` of M rooms, int64 [M].
            time_ms: When each slate was served, int64 [S].
            same_viewer: Which rows are of one viewer, bool [E, E].

        Returns:
            bool [E, M].
        """
        served_ms = tf.gather(time_ms, self.slate)[:, tf.newaxis]
        on_air = (drawn["start_ms"] <= served_ms) & (served_ms < drawn["stop_ms"])
        entered = tf.cast(self.streamer[:, tf.newaxis] == drawn["streamer"], tf.float32)
        return on_air & (tf.matmul(tf.cast(same_viewer, tf.float32), entered) == 0)

    def weights(self) -> tf.Tensor:
        """What each row counts, float32 [E]: 1, or less for the repeats where most are.

        Repeats count for half of a batch at most. On a platform where viewers mostly come back to the same streamers
        they would decide alone what is learnt, and the vectors would find nobody new.
        """
        repeat = tf.cast(self.repeat, tf.float32)
        repeats, new = tf.reduce_sum(repeat), tf.reduce_sum(1.0 - repeat)
        share = tf.where((new > 0) & (new < repeats), tf.math.divide_no_nan(new, repeats), 1.0)
        return 1.0 - repeat * (1.0 - share)
