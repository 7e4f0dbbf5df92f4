"""Themes of a column of texts: sparse rows of words → a dense sphere (latent semantic analysis) → spherical k-means.

Everything is seeded; a fit sees a bounded sample, so its cost does not grow with the mix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_POWER_STEPS = 3
_OVERSAMPLING = 12
_SEED_POINTS = 10_000
_STRICT = 0.5
_DRAWN = 8
_SAME = 1 - 1e-5
_BLOCK = 16_384  # rows of similarities at a time: 16,384 × 500 × 4 bytes = 33 MB


def basis(rows: csr_array, dimensions: int, rng: np.random.Generator) -> F32:
    """The leading right singular vectors of `rows` (texts, words), float32 (words, dimensions or fewer).

    Randomized subspace iteration (Halko, Martinsson and Tropp 2011). Signs are fixed, so that a fit does not depend on
    how the LAPACK at hand chooses them.
    """
    wanted = min(dimensions, *rows.shape)
    if not wanted:
        return np.zeros((rows.shape[1], 0), np.float32)
    width = min(wanted + _OVERSAMPLING, *rows.shape)
    right = rng.standard_normal((rows.shape[1], width)).astype(np.float32)
    for _ in range(_POWER_STEPS):
        left, _ = np.linalg.qr(rows @ right)
        right = np.asarray(rows.T @ left)
    vectors, _, _ = np.linalg.svd(right.astype(np.float64), full_matrices=False)
    vectors = vectors[:, :wanted]
    heaviest = vectors[np.abs(vectors).argmax(axis=0), np.arange(wanted)]
    return (vectors * np.where(heaviest < 0, -1, 1)).astype(np.float32)


def unit(vectors: F32) -> F32:
    """Each row scaled to length one; a row of zeros stays one."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def seeds(points: F32, count: int, rng: np.random.Generator) -> F32:
    """k-means++ on the sphere: next centers are drawn in proportion to their distance from those before them.

    Eight are drawn at a time (one product of matrices instead of eight of vectors, four times as fast), from a part of
    the points; one that stands at a center drawn with it is not taken.
    """
    points = points[:: max(1, len(points) // _SEED_POINTS)]
    first = int(rng.integers(len(points)))
    chosen, closest = [first], points @ points[first]
    while len(chosen) < count:
        total = np.cumsum(np.maximum(1 - closest.astype(np.float64), 0))
        if total[-1] <= 1e-6 * len(points):
            break  # no more different points than centers
        drawn = np.searchsorted(total, rng.random(_DRAWN) * total[-1], side="right").clip(max=len(points) - 1)
        for place in drawn[: count - len(chosen)].tolist():
            if closest[place] < _SAME and (points[chosen[-_DRAWN:]] @ points[place]).max() < _SAME:
                chosen.append(place)
        np.maximum(closest, (points @ points[drawn].T).max(axis=1), out=closest)
    return points[chosen]


def k_means(points: F32, count: int, rng: np.random.Generator, steps: int = 12) -> F32:
    """Unit centers, float32 (count or fewer, dimensions), of unit `points`; centers without points are dropped."""
    centers = seeds(points, min(count, len(points)), rng) if len(points) else points
    before = np.full(len(points), -1, np.int64)
    for _ in range(steps):
        labels, _ = nearest(points, centers)
        if np.array_equal(labels, before) or not len(points):
            break
        before = labels
        centers = means(points, labels, len(centers))
    return centers


def means(points: F32, labels: I64, count: int) -> F32:
    """Unit mean of the points of each label; labels without points are left out."""
    from scipy.sparse import csr_array

    ones, places = np.ones(len(labels), np.float32), np.arange(len(labels) + 1)
    sums = np.asarray(csr_array((ones, labels, places), shape=(len(labels), count)).T @ points)
    return unit(sums[np.bincount(labels, minlength=count) > 0])


def nearest(points: F32, centers: F32) -> tuple[I64, F32]:
    """Nearest center of each point (int64) and the similarity to it (float32)."""
    labels = np.zeros(len(points), np.int64)
    similarities = np.zeros(len(points), np.float32)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK] @ centers.T
        labels[start : start + _BLOCK] = block.argmax(axis=1)
        similarities[start : start + _BLOCK] = block.max(axis=1)
    return labels, similarities


def floors(points: F32, centers: F32, strangers: float = 0.99) -> F32:
    """The similarity from which on a point belongs to a center, float32 (centers,).

    Halfway between what a center's own points have in the median and what the `strangers` quantile of all other points
    has. A tight theme stands far above its strangers, so the floor cuts off what merely had nowhere better to go; of a
    loose one half is left.
    """
    labels, own = nearest(points, centers)
    found = np.ones(len(centers), np.float32)
    step = max(1, len(points) // _SEED_POINTS)  # a hundredth of ten thousand strangers is enough to know the quantile
    some, some_labels = points[::step], labels[::step]
    for first in range(0, len(centers), 64):
        block = some @ centers[first : first + 64].T
        for place in range(block.shape[1]):
            mine, others = labels == first + place, some_labels != first + place
            if mine.any() and others.any():
                far = np.quantile(block[others, place], strangers)
                found[first + place] = far + _STRICT * max(float(np.median(own[mine])) - far, 0.0)
    return found
