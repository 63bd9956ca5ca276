"""Ratings split as in Neural Collaborative Filtering: each user's last one is withheld, beside 99 negatives."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy import sparse

NEGATIVES = 99
PUBLISHED = ("ratings.parquet", "ncf_test.parquet")
GROUPLENS = "ratings.dat"


class NcfDataError(ValueError):
    """A folder that holds no ratings to split."""


@dataclass(frozen=True, slots=True)
class NcfData:
    """Who rated what, each user's last rating apart. Every rating counts as positive, whatever its stars.

    Attributes:
        users: Number of users U; they are numbered from 0.
        items: Number of items I; they are numbered from 0.
        user: User of each training rating, int64 [T], ascending.
        item: Its item, int64 [T].
        target: The withheld item of each user, int64 [U].
        negatives: Items that each target is ranked among, int64 [U, 99].
        source: Where split and negatives come from, for the table's heading.
    """

    users: int
    items: int
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    target: NDArray[np.int64]
    negatives: NDArray[np.int64]
    source: str

    def matrix(self) -> sparse.csr_matrix:
        """The training ratings as ones, float32 [U, I]."""
        ones = np.ones(len(self.user), np.float32)
        return sparse.csr_matrix((ones, (self.user, self.item)), (self.users, self.items))

    def candidates(self) -> NDArray[np.int64]:
        """Target and negatives of each user, int64 [U, 1 + negatives]; the target stands first."""
        return np.column_stack([self.target, self.negatives])

    def without_one_each(self, seed: int) -> "NcfData":
        """A split to choose settings and epochs on: one random training rating of each user is the target.

        The test ratings are not looked at. Users with a single training rating keep it, and it is their target too.

        Args:
            seed: Of the ratings chosen and of their negatives.
        """
        rng = np.random.default_rng(seed)
        order = np.lexsort((rng.random(len(self.user)), self.user))
        first = np.searchsorted(self.user[order], np.arange(self.users))
        chosen = order[first]
        kept = np.ones(len(self.user), np.bool_)
        kept[chosen] = np.bincount(self.user, minlength=self.users) == 1
        return NcfData(
            users=self.users,
            items=self.items,
            user=self.user[kept],
            item=self.item[kept],
            target=self.item[chosen],
            negatives=draw_negatives(self.matrix(), self.negatives.shape[1], rng),
            source=f"{self.source}, one training rating a user withheld (seed {seed})",
        )


def read_ncf(directory: Path, *, seed: int = 0) -> NcfData:
    """Reads a split.

    Args:
        directory: Holds `ratings.parquet` (ncf_user, ncf_item, is_ncf_test) and `ncf_test.parquet` (ncf_user, ncf_item,
            negatives), the published split and negatives; or GroupLens' `ratings.dat`, of which the last rating of each
            user is withheld (of equal seconds, the last in the file) and the negatives are drawn.
        seed: Of the negatives, where they are drawn.

    Raises:
        NcfDataError: The folder holds neither, or what it holds cannot be split.
    """
    if all((directory / name).is_file() for name in PUBLISHED):
        return _read_published(directory)
    if (directory / GROUPLENS).is_file():
        return _read_grouplens(directory / GROUPLENS, seed)
    raise NcfDataError(f"{directory}: expected {' and '.join(PUBLISHED)}, or {GROUPLENS}, received neither")


def draw_negatives(rated: sparse.csr_matrix, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Different items that each user did not rate, int64 [U, count].

    Raises:
        NcfDataError: A user rated so many items that too few are left.
    """
    users, items = cast(tuple[int, int], rated.shape)
    drawn = np.empty((users, count), np.int64)
    for user in range(users):
        mine = rated.indices[rated.indptr[user] : rated.indptr[user + 1]]
        unrated = np.setdiff1d(np.arange(items), mine, assume_unique=True)
        if len(unrated) < count:
            raise NcfDataError(
                f"user {user}: expected at least {count} items without a rating, received {len(unrated)}"
            )
        drawn[user] = rng.choice(unrated, count, replace=False)
    return drawn


def _read_published(directory: Path) -> NcfData:
    ratings = pq.read_table(directory / PUBLISHED[0], columns=["ncf_user", "ncf_item", "is_ncf_test"])
    test = pq.read_table(directory / PUBLISHED[1], columns=["ncf_user", "ncf_item", "negatives"])
    user, item = (ratings[name].to_numpy().astype(np.int64) for name in ("ncf_user", "ncf_item"))
    training = np.flatnonzero(~ratings["is_ncf_test"].to_numpy())
    training = training[np.argsort(user[training], kind="stable")]
    order = np.argsort(test["ncf_user"].to_numpy(), kind="stable")
    users = int(user.max()) + 1
    if not np.array_equal(test["ncf_user"].to_numpy()[order], np.arange(users)):
        raise NcfDataError(f"{directory / PUBLISHED[1]}: expected one row for each of {users} users, received others")
    return NcfData(
        users=users,
        items=int(item.max()) + 1,
        user=user[training],
        item=item[training],
        target=test["ncf_item"].to_numpy().astype(np.int64)[order],
        negatives=np.array(test["negatives"].to_pylist(), np.int64)[order],
        source="published split and negatives",
    )


def _read_grouplens(path: Path, seed: int) -> NcfData:
    try:
        rows = [line.split("::") for line in path.read_text("latin-1").splitlines()]
        table = np.array(rows, np.int64).reshape(-1, 4)
    except ValueError as error:
        raise NcfDataError(f"{path}: expected lines user::movie::rating::seconds, received {error}") from None
    if not len(table):
        raise NcfDataError(f"{path}: expected ratings, received an empty file")
    _, user = np.unique(table[:, 0], return_inverse=True)
    _, item = np.unique(table[:, 1], return_inverse=True)
    users, items = int(user.max()) + 1, int(item.max()) + 1
    by_time = np.lexsort((np.arange(len(user)), table[:, 3], user))
    last = by_time[np.searchsorted(user[by_time], np.arange(users), side="right") - 1]
    rated = sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)), (users, items))
    kept = np.setdiff1d(by_time, last)
    kept = kept[np.argsort(user[kept], kind="stable")]
    return NcfData(
        users=users,
        items=items,
        user=user[kept],
        item=item[kept],
        target=item[last],
        negatives=draw_negatives(rated, NEGATIVES, np.random.default_rng(seed)),
        source=f"last rating a user withheld, negatives drawn (seed {seed})",
    )
