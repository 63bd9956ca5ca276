"""What a net costs: its parameters, its training, and an answer for a slate's candidates."""

import time
from dataclasses import dataclass
from typing import Self

import numpy as np

from training.callable_model import CallableModel
from training.data.examples import Examples
from training.data.samples import Samples
from training.models.ranking import Ranker
from training.trained import History

CANDIDATES = 500
_CALLS = 30
_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a net, or the sum over the nets of a row.

    Attributes:
        parameters: Numbers that are learnt, embeddings included.
        impressions: Training impressions of an epoch, counted once a net.
        epoch_s: Seconds of the fastest epoch, its validation included.
        serving_us: Processor time of the answer for one viewer and `CANDIDATES` candidates, microseconds.
    """

    parameters: int = 0
    impressions: int = 0
    epoch_s: float = 0.0
    serving_us: float = 0.0

    def __add__(self, other: Self) -> "Cost":
        """Both nets after each other."""
        return Cost(
            self.parameters + other.parameters,
            self.impressions + other.impressions,
            self.epoch_s + other.epoch_s,
            self.serving_us + other.serving_us,
        )


def cost_of(model: Ranker, history: History, training: Samples, test: Samples) -> Cost:
    """The cost of a trained net.

    Args:
        model: The net.
        history: Of its training.
        training: What it learnt from.
        test: Impressions to answer for.
    """
    return Cost(
        parameters=sum(variable.shape.num_elements() or 0 for variable in model.trainable_variables),
        impressions=len(training.candidates.slate),
        epoch_s=min(entry["seconds"] for entry in history),
        serving_us=_serving_us(model, test),
    )


def _serving_us(model: Ranker, test: Samples) -> float:
    """The median of some calls, after others that warm up."""
    samples, asked = Examples.of(test, model.layout).samples, CallableModel.of(model)
    rows = np.arange(CANDIDATES) % len(samples.candidates.slate)
    tensors = {name: values[:1] for name, values in samples.slates.tensors.items()}
    tensors |= {name: values[rows] for name, values in samples.candidates.tensors.items()}
    spent: list[float] = []
    for _ in range(_WARM_UP + _CALLS):
        started = time.process_time()
        asked.ask("serving_default", tensors)
        spent.append(time.process_time() - started)
    return float(np.median(spent[_WARM_UP:])) * 1e6
