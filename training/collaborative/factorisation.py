"""Matrix factorisation of implicit feedback by alternating least squares, solved by the library `implicit`."""

import os
from dataclasses import dataclass

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from training.collaborative.interactions import WatchMatrix


@dataclass(frozen=True, slots=True)
class Factorisation:
    """iALS: Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (ICDM 2008), equation 3.

        min Σ_ui c_ui (p_ui − x_u·y_i)² + λ (Σ |x_u|² + Σ |y_i|²),   c_ui = 1 + α r_ui

    over all pairs, with p = 1 where a viewer watched a streamer, who is worth r to them.

    Attributes:
        factors: Numbers of a vector.
        regularisation: λ.
        alpha: α, how much more a watched pair counts than one that was not.
        iterations: Alternations.
    """

    factors: int
    regularisation: float
    alpha: float
    iterations: int


@dataclass(frozen=True, slots=True)
class Factors:
    """A solution.

    Attributes:
        users: x, float32 [U, factors].
        streamers: y, float32 [S, factors].
    """

    users: NDArray[np.float32]
    streamers: NDArray[np.float32]


def factorise(watched: WatchMatrix, how: Factorisation, seed: int, threads: int | None = None) -> Factors:
    """Solves by alternation, three conjugate-gradient steps a row; the same seed gives the same solution.

    Args:
        watched: Who watched whom.
        how: The constants.
        seed: Of the vectors that it starts from.
        threads: Rows solved at once; one a core if not given.
    """
    confidence = watched.worth.astype(np.float32)
    confidence.data = 1.0 + how.alpha * confidence.data
    with threadpool_limits(1, "blas"):  # Its own threads and those of BLAS would fight for the cores.
        solver = AlternatingLeastSquares(
            factors=how.factors,
            regularization=how.regularisation,
            alpha=1.0,
            iterations=how.iterations,
            num_threads=threads or os.cpu_count() or 1,
            random_state=seed,
        )
        solver.fit(confidence, show_progress=False)
    return Factors(np.asarray(solver.user_factors, np.float32), np.asarray(solver.item_factors, np.float32))
