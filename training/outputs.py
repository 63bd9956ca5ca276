"""Outputs: the raw numbers that a model has of a head, what they are learnt by, and what is served of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training import losses
from training.heads import HEADS, Form

MOST = MappingProxyType({Form.PROBABILITY: 1.0, Form.DURATION: 86_400.0, Form.AMOUNT: 1e6})
"""Predictions are clipped to [0, this]: a day, or a million coins."""

_LEAST_RATE = 1e-5


@dataclass(frozen=True, slots=True)
class Output:
    """How a form of head is predicted.

    Attributes:
        size: Raw numbers an impression.
        loss: Of labels [N] (of a duration [N, 2]: seconds, and whether it was cut off) and raw outputs [N, size]
            (of a probability [N]), with `sample_weight`.
        prior: Labels float64 [n] → the raw numbers that a model starts from, float32 [size].
        prediction: Raw outputs [N, size] → what is served, float32 [N].
    """

    size: int
    loss: Callable[..., tf.Tensor]
    prior: Callable[[NDArray[np.float64]], NDArray[np.float32]]
    prediction: Callable[[tf.Tensor], tf.Tensor]


def output_of(head: str) -> Output:
    """How a head is predicted."""
    return OUTPUTS[HEADS[head].form]


def slices_of(heads: Sequence[str]) -> dict[str, slice]:
    """Where the raw numbers of each head stand, side by side in this order."""
    stops = np.cumsum([output_of(head).size for head in heads]).tolist()
    return {head: slice(stop - output_of(head).size, stop) for head, stop in zip(heads, stops, strict=True)}


def _rate_prior(labels: NDArray[np.float64]) -> NDArray[np.float32]:
    """The logit of the base rate."""
    rate = np.clip((labels > 0).mean() if len(labels) else 0.0, _LEAST_RATE, 1.0 - _LEAST_RATE)
    return np.array([np.log(rate / (1.0 - rate))], np.float32)


def _law_prior(logs: NDArray[np.float64]) -> NDArray[np.float32]:
    """Mean and raw spread of logarithms."""
    mean, sigma = (logs.mean(), logs.std()) if len(logs) else (0.0, 1.0)
    sigma = np.clip(sigma, losses.LEAST_SPREAD, losses.MOST_SPREAD)
    return np.array([mean, np.log(np.expm1(sigma))], np.float32)


def _mean(mu: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
    """The mean of a log-normal law, exp(μ + σ²/2), where μ was kept within reach of float32."""
    return tf.exp(tf.clip_by_value(mu, -20.0, 20.0) + 0.5 * tf.square(losses.spread(raw)))


def _duration(raw: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(_mean(raw[:, 0], raw[:, 1]) - 1.0, 0.0, MOST[Form.DURATION])


def _amount(raw: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.sigmoid(raw[:, 0]) * _mean(raw[:, 1], raw[:, 2]), 0.0, MOST[Form.AMOUNT])


def _rate_loss(y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> Any:
    return losses.binary_cross_entropy(y_true, tf.squeeze(y_pred, axis=-1), sample_weight)


OUTPUTS = MappingProxyType(
    {
        Form.PROBABILITY: Output(1, _rate_loss, _rate_prior, lambda raw: tf.sigmoid(raw[:, 0])),
        Form.DURATION: Output(2, losses.log_normal_loss, lambda y: _law_prior(np.log1p(y)), _duration),
        Form.AMOUNT: Output(
            3,
            losses.zero_inflated_loss,
            lambda y: np.concatenate([_rate_prior(y), _law_prior(np.log(y[y > 0]))]),
            _amount,
        ),
    }
)
