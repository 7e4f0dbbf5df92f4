"""Products that an iteration of k-means can leave out, because the one before bounds them (Yinyang, Ding et al. 2015).

Centroids are put into groups once. For each vector and group a lower bound of its distance to the group's centroids is
kept, its own centroid left aside, and an upper bound of the distance to its own; when centroids move, the lower ones
shrink by the group's longest move, the upper one grows by its centroid's. A group that is farther than the vector's own
centroid cannot hold a better one, and its products are left out; a vector that is nearer to its own than to any group
is not even read. What is computed is decided as everywhere (`chunky.clusters.assigning`): labels are those of the
oracle, bit for bit.

Of 11,208 sentence vectors (MiniLM) and K = 512, 22 % of the products of 20 iterations remained, 67 % in the second
and 4 % in the last; of vectors around a quarter as many centers as clusters, 9 %.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from chunky.clusters.sums import to_unit
from chunky.indexes.exact import Array, dot_error, to_float32

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from chunky.clusters.threads import Crew

    F32 = npt.NDArray[np.float32]
    I32 = npt.NDArray[np.int32]
    I64 = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

__all__ = ["Bounds", "groups_for"]

_GROUP: Final = 64  # centroids in a group: fewer leave out more products, and cost more calls
_NUMBERS: Final = 1 << 21  # of vectors multiplied at once, 8 MiB: with fewer the calls cost as much as the products
_SCORES: Final = 1 << 22  # made at once, 16 MiB
_CELLS: Final = 1 << 26  # bounds kept, 256 MiB
_FEWEST: Final = 8  # groups that are worth it
_DENSE: Final = 0.6  # of the products needed: then groups are multiplied together, without leaving out rows
_TOGETHER: Final = 8
_STEPS: Final = 4  # iterations that find the groups
# Squared lengths of centroids are within this of 1; so scores compare as squared distances do, but for twice as much.
_UNIT: Final = 4e-6
_CLOSE: Final = 4 * _UNIT
_SLACK: Final = np.float32(2e-6)  # what float32 loses of a distance, up to 2, in a root and a subtraction
_NONE: Final = np.float32(-np.inf)


def groups_for(rows: int, k: int) -> int:
    """Into how many groups k centroids of so many vectors go; 0 where bounds are not worth their memory or calls."""
    groups = min(k // _GROUP, _CELLS // max(rows, 1))
    return groups if groups >= _FEWEST else 0


class Bounds:
    """Labels for the blocks of one k-means run, iteration after iteration; float32 on a CPU.

    `begin` once an iteration, then `label` for each block in turn. Memory: 4 bytes for each vector and group, 8 more
    for each vector, and up to 50 MiB for each thread of the crew.
    """

    def __init__(self, rows: int, centroids: F32, groups: int, crew: Crew) -> None:
        self._crew = crew
        self._group = _grouped(centroids, groups)
        # Centroids are multiplied group by group: their numbers in that order, and each number's place in it.
        self._numbers = np.argsort(self._group, kind="stable").astype(np.int32)
        self._place = np.append(np.argsort(self._numbers, kind="stable"), -1)  # number −1: none
        self._starts = np.searchsorted(self._group[self._numbers], np.arange(groups + 1))
        self._lower = np.zeros((groups, rows), np.float32)
        self._upper = np.full(rows, np.inf, np.float32)
        self._squares = np.full(rows, -1, np.float32)  # −1: not known yet
        self._centroids = self._ordered = centroids
        # As many vectors at once as keep themselves and their scores small.
        widest = max(self._starts[min(at + _TOGETHER, groups)] - self._starts[at] for at in range(0, groups, _TOGETHER))
        self._rows = max(min(_NUMBERS // centroids.shape[1], _SCORES // int(widest)), 1)
        self._shrink = np.zeros((groups, 1), np.float32)
        self._moved = np.zeros(len(centroids), np.float32)
        self._error = np.float32(dot_error(centroids.shape[1]))
        self._unclear = 2 * self._error + np.float32(2.0**-20)

    def begin(self, centroids: F32, decide: Callable[[Array], I32]) -> bool:
        """Take the iteration's centroids, and what labels vectors that are too close to call.

        False where a centroid is not of unit length (that of a cluster of zero vectors): bounds do not hold then.
        """
        exact = centroids.astype(np.float64)
        self._moved = np.linalg.norm(exact - self._centroids, axis=1).astype(np.float32) + _SLACK
        self._shrink[:] = _SLACK
        np.maximum.at(self._shrink[:, 0], self._group, self._moved)
        self._centroids, self._decide = centroids, decide
        self._ordered = np.ascontiguousarray(centroids[self._numbers])
        holds = bool(np.all(np.abs(np.einsum("ij,ij->i", exact, exact) - 1) < _UNIT))
        if not holds:
            self._lower[:] = 0  # and so nothing is left out the next time
        return holds

    def label(self, block: Array, start: int, before: I32) -> I32:
        """Labels int32 (b,) of a stored block whose first vector is number `start`; `before`: −1 where unknown."""
        labels = before.copy()

        def look(rows: slice) -> I64:
            found: I64 = rows.start + self._look(block[rows], start + rows.start, labels[rows])
            return found

        parts = self._crew.over(len(block), self._rows, look)
        unclear = np.concatenate(parts)
        if len(unclear):
            labels[unclear] = self._decide(block[unclear])
            # Which of the close ones was left aside is not kept: all products are made next time.
            self._lower[:, start + unclear] = 0
        return labels

    def _look(self, block: Array, start: int, labels: I32) -> I64:
        """Replace the labels that change; the positions of vectors that are too close to call."""
        rows = slice(start, start + len(block))
        lower, upper, squares = self._lower[:, rows], self._upper[rows], self._squares[rows]
        if labels[0] >= 0:
            lower -= self._shrink
            upper += self._moved[labels]
        at = np.flatnonzero(lower.min(0) <= upper)
        if not len(at):
            return at
        values, before = _read(block, at), labels[at]
        if squares[0] < 0:  # the first time, when all are looked at
            # Rounded up: as if each vector had a coordinate more, the same in all its distances.
            squares[:] = np.einsum("ij,ij->i", values, values) + 2 * self._error
        own = np.full(len(at), _NONE)
        if before[0] >= 0:
            own = np.einsum("ij,ij->i", values, self._centroids[before])
        seen = _Seen(values, squares[at], before, own, lower[:, at], self._near(squares[at], own), before.copy())
        is_unclear = self._compare(seen)
        lower[:, at], upper[at], labels[at] = seen.lower, seen.upper, seen.labels
        return at[is_unclear]

    def _compare(self, seen: _Seen) -> Bools:
        """Make the products needed, replace bounds and labels; which vectors are too close to call."""
        needed = seen.lower <= seen.upper
        tops = np.full(needed.shape, _NONE)  # best score of each group, the label of before left aside
        together = _TOGETHER if needed.mean() > _DENSE else 1
        for first in range(0, len(tops), together):
            groups = range(first, min(first + together, len(tops)))
            rows = np.flatnonzero(needed[groups.start : groups.stop].any(0))
            if not len(rows):
                continue
            needed[groups.start : groups.stop, rows] = True
            scores = self._scores(groups, seen, rows)
            for group in groups:
                part = scores[self._starts[group] - self._starts[first] : self._starts[group + 1] - self._starts[first]]
                tops[group, rows] = part.max(0, initial=_NONE)
        np.copyto(seen.lower, self._away(seen.squares, tops), where=needed)
        is_unclear = np.zeros(len(seen.own), np.bool_)
        close = np.flatnonzero(tops.max(0) >= seen.own - self._unclear)
        best = tops[:, close].argmax(0)
        for group in np.unique(best):
            rows = close[best == group]
            is_unclear[rows] = self._settle(group, seen, rows, tops)
        return is_unclear

    def _settle(self, group: int, seen: _Seen, rows: I64, tops: F32) -> Bools:
        """Compare vectors' labels with the best of a group, which is the best of all others."""
        scores, columns = self._scores(range(group, group + 1), seen, rows), np.arange(len(rows))
        place = scores.argmax(0)
        first, own = scores[place, columns], seen.own[rows]
        scores[place, columns] = _NONE
        tops[group, rows] = scores.max(0)
        is_new = first > own
        new, won = rows[is_new], place[is_new]
        seen.labels[new] = self._numbers[self._starts[group] + won]
        seen.upper[new] = self._near(seen.squares[new], first[is_new])
        # The new centroid is left aside, and the old one taken in.
        seen.lower[group, new] = self._away(seen.squares[new], tops[group, new])
        old = self._group[seen.before[new]]
        seen.lower[old, new] = np.minimum(seen.lower[old, new], self._away(seen.squares[new], own[is_new]))
        second = np.maximum(np.minimum(first, own), tops[:, rows].max(0))
        return np.asarray(np.maximum(first, own) - second <= self._unclear)

    def _scores(self, groups: range, seen: _Seen, rows: I64) -> F32:
        """Scores (g, r) of the centroids of some groups and some vectors, the labels of before left aside."""
        places = slice(self._starts[groups.start], self._starts[groups.stop])
        values = seen.values if len(rows) == len(seen.values) else seen.values[rows]
        scores = _product(self._ordered[places], values)
        own = self._place[seen.before[rows]] - places.start
        inside = np.flatnonzero((own >= 0) & (own < len(scores)))
        scores[own[inside], inside] = _NONE
        return scores

    def _near(self, squares: F32, scores: F32) -> F32:
        """Distance at most to the centroid of this score, and to any that comes close to it."""
        most = squares + np.float32(1 + _UNIT + _CLOSE) - 2 * (scores - self._error)
        found: F32 = np.sqrt(np.maximum(most, 0)) + _SLACK
        return found

    def _away(self, squares: F32, scores: F32) -> F32:
        """Distance at least to a centroid of at most this score."""
        found: F32 = np.sqrt(np.maximum(squares + np.float32(1 - _UNIT) - 2 * (scores + self._error), 0)) - _SLACK
        return found


class _Seen(NamedTuple):
    """Vectors that are looked at: as float32, squared lengths, labels of before, their scores; bounds and labels."""

    values: F32
    squares: F32
    before: I32
    own: F32
    lower: F32
    upper: F32
    labels: I32


def _product(left: F32, right: F32) -> F32:
    """Products (m, n) of left (m, d) and right (n, d)."""
    import torch

    found: F32 = (torch.from_numpy(left) @ torch.from_numpy(right).T).numpy()
    return found


def _read(block: Array, at: I64) -> F32:
    """Some vectors of a stored block as float32: float16 by torch, which takes a sixth of NumPy's time."""
    import torch

    stored = block[at]
    if isinstance(stored, np.ndarray) and stored.dtype == np.float16:
        values: F32 = torch.from_numpy(stored).float().numpy()
        return values
    return to_float32(stored)


def _grouped(centroids: F32, groups: int) -> I64:
    """The group of each centroid, int64 (k,): a few steps of k-means from centroids evenly spaced by number."""
    centers = centroids[np.linspace(0, len(centroids) - 1, groups).astype(np.int64)]
    for _ in range(_STEPS):
        found: I64 = (centroids @ centers.T).argmax(1)
        members = (found == np.arange(groups)[:, np.newaxis]).astype(np.float32)  # np.add.at took 50 times as long
        centers = np.where(members.any(1, keepdims=True), to_unit(members @ centroids), centers)
    return found
