"""ESCM²: ESMM with a counterfactual risk of the conversion rate.

Wang et al., "ESCM²: Entire Space Counterfactual Multi-Task Model for Post-Click Conversion Rate Estimation" (SIGIR
2022, arXiv:2204.05125). ESMM over-estimates pCVR, and is free to take it as independent of the click. So a third risk
asks for the loss of pCVR had everyone entered, from those who did (o = 1), weighed by the inverse of p̂ = pCTR:

    L = L_CTR + λ_c · L_CVR + λ_g · L_CTCVR
    IPS:  L_CVR = Σ o·e/p̂ / Σ o/p̂,    e = BCE(long_watch, pCVR)
    DR:   L_CVR = Σ_D ê / |D| + Σ o·(e − ê)/p̂ / Σ o/p̂ + Σ o·(e − ê)²/p̂ / Σ o/p̂

No gradient goes through p̂, which is kept from 0. See `training.counterfactual`. We depart in dividing by the sum of the
weights, and in the imputation ê: there a tower gives the loss itself, which leaves the gradient of pCVR as it is with
IPS; here it gives the label that the loss is computed from, as in doubly robust joint learning.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from training.counterfactual import dr_risk, inverse_propensities, ips_risk
from training.layers.blueprint import Blueprint
from training.layers.position import PositionBias
from training.layers.towers import HeadTower, JointTower
from training.models.ranking.esmm import Esmm, EsmmOptions

_COUNTERFACTUALS = ("ips", "dr")


@dataclass(frozen=True, slots=True)
class Escm2Options(EsmmOptions):
    """Sizes and weights of ESCM².

    Attributes:
        tower: Units of each tower's layers; the first joins user and candidate.
        match: Numbers of the product of viewer and candidate.
        counterfactual: "ips" = inverse propensities, "dr" = doubly robust, with an imputation tower.
        counterfactual_weight: λ_c, of the risk of pCVR.
        global_weight: λ_g, of the risk of pCTCVR.
        least_propensity: p̂ counts as at least this.

    Raises:
        ValueError: There is no such counterfactual, or the propensity is above 1.
    """

    counterfactual: str = "ips"
    counterfactual_weight: float = 0.1
    global_weight: float = 1.0
    least_propensity: float = 0.05

    def __post_init__(self) -> None:
        if self.counterfactual not in _COUNTERFACTUALS:
            received = self.counterfactual
            raise ValueError(f"counterfactual: expected one of {list(_COUNTERFACTUALS)}, received {received!r}")
        if self.least_propensity > 1:
            raise ValueError(f"least_propensity: expected at most 1, received {self.least_propensity}")


class Escm2(Esmm):
    """ESMM's towers; with "dr", one more that is there in training only."""

    Options = Escm2Options

    def __init__(self, blueprint: Blueprint, options: Escm2Options) -> None:
        super().__init__(blueprint, options)
        self.options = options
        self.imputation = JointTower(options.tower) if options.counterfactual == "dr" else None
        self.imputation_head = HeadTower((), np.zeros(1, np.float32))
        if self.imputation:
            self.position_bias = PositionBias(np.array([True, True, False]))

    def head_outputs(self, user: tf.Tensor, candidate: tf.Tensor, slate: tf.Tensor | None) -> tf.Tensor:
        """The logits (a, b) of pCTR and pCVR, float32 [N, 2]; with "dr", except for one viewer, c of r̃ as a third."""
        raw = super().head_outputs(user, candidate, slate)
        if self.imputation is None or slate is None:  # One viewer is served, and there is nothing to impute.
            return raw
        return tf.concat([raw, self.imputation_head(self.imputation(user, candidate, slate))], axis=-1)

    def uncalibrated(self, raw: tf.Tensor) -> tf.Tensor:
        """(a, b) → (pCTR, pCTCVR), float32 [N, 2]."""
        return super().uncalibrated(raw[:, :2])

    def head_losses(self, inputs: Mapping[str, tf.Tensor], raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The risks of `enter` and of `long_watch`, the latter with the counterfactual one, scalars."""
        found = super().head_losses(inputs, raw)
        whole = self.options.global_weight * found["long_watch"]
        return found | {"long_watch": whole + self.options.counterfactual_weight * self._risk(inputs, raw)}

    def _risk(self, inputs: Mapping[str, tf.Tensor], raw: tf.Tensor) -> tf.Tensor:
        """L_CVR, scalar."""
        places = [self.layout.heads.index(head) for head in self.requires]
        entered, watched = (inputs["labels"][:, place] for place in places)
        exists = tf.cast(tf.reduce_all(tf.gather(inputs["mask"], places, axis=1), axis=1), tf.float32)
        weights = inverse_propensities(exists * entered, tf.sigmoid(raw[:, 0]), self.options.least_propensity)
        if self.imputation is None:
            return ips_risk(watched, raw[:, 1], weights)
        return dr_risk(watched, raw[:, 1], raw[:, 2], weights, exists)
