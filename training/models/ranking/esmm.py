"""ESMM: the conversion rate over the entire space of exposures.

Ma et al., "Entire Space Multi-Task Model: An Effective Approach for Estimating Post-Click Conversion Rate" (SIGIR 2018,
arXiv:1804.07931). Here a click is `enter` and a conversion is `long_watch`:

    pCTR = σ(a),  pCVR = σ(b),  pCTCVR = pCTR · pCVR
    L = Σ BCE(enter, pCTR) + Σ BCE(enter ∧ long_watch, pCTCVR)       (equation 3)

both over all exposures. No loss touches pCVR alone, so it is not biased towards those who entered. We depart in taking
the mean of each sum, so that the learning rate does not depend on the batch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from training import losses
from training.layers.blueprint import Blueprint
from training.layers.towers import HeadTower, JointTower
from training.models.ranking.base import Ranker


@dataclass(frozen=True, slots=True)
class EsmmOptions:
    """Sizes of ESMM.

    Attributes:
        tower: Units of each tower's layers; the first joins user and candidate.
        match: Numbers of the product of viewer and candidate.
    """

    tower: tuple[int, ...] = (128, 64)
    match: int = 32


class Esmm(Ranker):
    """Two towers over shared embeddings; `long_watch` is pCTCVR, and pCVR = long_watch / enter."""

    Options = EsmmOptions
    requires = ("enter", "long_watch")

    def __init__(self, blueprint: Blueprint, options: EsmmOptions) -> None:
        super().__init__(blueprint, options.match)
        priors = blueprint.fitted.priors
        click, both = (1 / (1 + np.exp(-priors[head])) for head in self.requires)
        conversion = np.clip(both / click, 1e-5, 1.0 - 1e-5)
        self.click = JointTower(options.tower)
        self.conversion = JointTower(options.tower)
        self.click_head = HeadTower((), priors["enter"])
        self.conversion_head = HeadTower((), np.log(conversion / (1.0 - conversion)).astype(np.float32))

    def head_outputs(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """The logits (a, b) of pCTR and pCVR, float32 [N, 2]."""
        click = self.click_head(self.click(user, candidate, slate))
        conversion = self.conversion_head(self.conversion(user, candidate, slate))
        return tf.concat([click, conversion], axis=-1)

    def uncalibrated(self, raw: tf.Tensor) -> tf.Tensor:
        """(a, b) → (pCTR, pCTCVR), float32 [N, 2]."""
        click, conversion = tf.unstack(tf.sigmoid(raw), num=2, axis=-1)
        return tf.stack([click, click * conversion], axis=-1)

    def evidence(self, head: str, raw: tf.Tensor) -> tf.Tensor:
        """The logit a for `enter`, float32 [N, 1]; both logits for `long_watch`, float32 [N, 2]."""
        return raw[:, :1] if head == "enter" else raw

    def head_loss(self, head: str) -> Any:
        """Cross-entropy of pCTR, or of the product."""
        return super().head_loss(head) if head == "enter" else losses.product_cross_entropy
