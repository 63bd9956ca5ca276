"""iALS as its authors' reference has it: regularised by frequency and solved exactly.

Rendle, Krichene, Zhang and Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks" (RecSys 2022):

    L = Σ_(u,i)∈S (x_u·y_i − 1)² + α₀ Σ_u Σ_i (x_u·y_i)² + λ (Σ_u (|S_u| + α₀ I)^ν |x_u|² + Σ_i (|S_i| + α₀ U)^ν |y_i|²)

Each side is solved in turn, each row's equations by Cholesky's decomposition. That fits a comparison on a million
ratings; what is served is solved faster by `training.collaborative.factorisation`, which knows no frequencies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import get_lapack_funcs


@dataclass(frozen=True, slots=True)
class Ials:
    """Constants; those of the reference for MovieLens 1M.

    Attributes:
        factors: Numbers of a vector.
        epochs: Alternations.
        unobserved: α₀, weight of the pairs without a rating.
        regularisation: λ.
        exponent: ν.
        deviation: Standard deviation of a starting vector's length, about.
    """

    factors: int = 192
    epochs: int = 12
    unobserved: float = 0.3
    regularisation: float = 0.007
    exponent: float = 1.0
    deviation: float = 0.1


def fit_ials(
    rated: sparse.csr_matrix, how: Ials, seed: int, on_epoch: Callable[[int], None] = lambda _: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Solves.

    Args:
        rated: Ones where a user rated an item, [U, I].
        how: The constants.
        seed: Of the starting vectors.
        on_epoch: Is told the epochs that are done.

    Returns:
        x float32 [U, factors] and y float32 [I, factors]; their product ranks.
    """
    rng = np.random.default_rng(seed)
    by_user, by_item = rated, sparse.csr_matrix(rated.T)
    scale = how.deviation / np.sqrt(how.factors)
    users, items = (rng.normal(0, scale, (len(side.indptr) - 1, how.factors)) for side in (by_user, by_item))
    x, y = np.asarray(users, np.float32), np.asarray(items, np.float32)
    for epoch in range(how.epochs):
        x = _solved(by_user, y, how)
        y = _solved(by_item, x, how)
        on_epoch(epoch + 1)
    return x, y


def _solved(rated: Any, other: NDArray[np.float32], how: Ials) -> NDArray[np.float32]:
    """The best vectors of one side, given those of the other: (Σ yyᵀ + α₀ YᵀY + λ(n + α₀ N)^ν I) x = Σ y."""
    everywhere = how.unobserved * (other.T @ other)
    solved = np.zeros((len(rated.indptr) - 1, how.factors), np.float32)
    diagonal = np.arange(how.factors)
    solve_positive: Any = get_lapack_funcs("posv", dtype=np.float32)
    for row in range(len(solved)):
        seen = other[rated.indices[rated.indptr[row] : rated.indptr[row + 1]]]
        left = seen.T @ seen + everywhere
        left[diagonal, diagonal] += how.regularisation * (len(seen) + how.unobserved * len(other)) ** how.exponent
        _, solved[row], _ = solve_positive(left, seen.sum(axis=0))
    return solved
