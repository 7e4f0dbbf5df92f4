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
    """k-means++ on the sphere: each next center is drawn in proportion to its distance from those before it."""
    chosen = [int(rng.integers(len(points)))]
    nearest = points @ points[chosen[0]]
    while len(chosen) < count:
        distance = np.maximum(1 - nearest.astype(np.float64), 0)
        total = np.cumsum(distance)
        if total[-1] <= 1e-6 * len(points):
            break  # no more different points than centers
        place = min(int(np.searchsorted(total, rng.random() * total[-1], side="right")), len(points) - 1)
        chosen.append(place)
        np.maximum(nearest, points @ points[place], out=nearest)
    return points[chosen]


def k_means(points: F32, count: int, rng: np.random.Generator, steps: int = 20) -> F32:
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
    order = np.argsort(labels, kind="stable")
    borders = np.searchsorted(labels[order], np.arange(count + 1))
    held = np.flatnonzero(np.diff(borders))
    return unit(np.add.reduceat(points[order], borders[held], axis=0)) if len(held) else points[:0]


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
    for first in range(0, len(centers), 64):
        block = points @ centers[first : first + 64].T
        for place in range(block.shape[1]):
            mine = labels == first + place
            if mine.any() and not mine.all():
                far = np.quantile(block[~mine, place], strangers)
                found[first + place] = 0.5 * (np.median(own[mine]) + far)
    return found
