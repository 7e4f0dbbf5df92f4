"""Synonyms: features of one side that hold nearly the same rows are one feature under several names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chunky.features import Feature
from chunky.tables import FITTED_KINDS
from chunky.tokens import mix64

_HASHES = 32  # at a Jaccard similarity of 0.85 two features share no minimum of 32 with probability 0.15^32
_SLACK = 0.25  # candidates are verified exactly when the estimate from 32 minima lies at most so far below the limit

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]


def preference(feature: Feature) -> tuple[object, ...]:
    """Sort key: which of several names of one set of rows people would rather read, best first.

    A cluster stands for nothing else: in another mix it would be another set of rows.
    """
    origin = {"user": 0, "built-in": 1, "mined": 2}[feature.origin]
    words = feature.definition.split()
    return (feature.kind in FITTED_KINDS, origin, feature.position == "anywhere", -len(words),
            -len(feature.definition), feature.definition, feature.feature_id)  # fmt: skip


def fold(features: Sequence[Feature], members: Sequence[I64], similarity: float) -> dict[int, int]:
    """feature_id → feature_id of the synonym that stands for it, for those that have one.

    `members[i]`: sorted row ids of `features[i]`, int64. Features of kind `chunk` stand alone: where a row comes from
    is nothing a model sees. Leaders are taken in order of `preference`; a synonym's Jaccard similarity to its leader is
    at least `similarity`, exactly.
    """
    minima = np.array([_minima(rows) for rows in members], np.uint64).reshape(len(members), _HASHES)
    found: dict[int, int] = {}
    for side in ("query", "response"):
        order = [i for i, f in enumerate(features) if f.side == side and f.kind != "chunk" and len(members[i])]
        order.sort(key=lambda i: preference(features[i]))
        leaders: list[int] = []
        for i in order:
            leader = _leader(i, leaders, minima, members, similarity)
            if leader is None:
                leaders.append(i)
            else:
                found[features[i].feature_id] = features[leader].feature_id
    return found


def _leader(i: int, leaders: list[int], minima: U64, members: Sequence[I64], similarity: float) -> int | None:
    if not leaders:
        return None
    estimates = (minima[leaders] == minima[i]).mean(axis=1)
    for place in np.flatnonzero(estimates >= similarity - _SLACK):
        leader = leaders[place]
        if jaccard(members[leader], members[i]) >= similarity:
            return leader
    return None


def jaccard(left: npt.NDArray[np.signedinteger[Any]], right: npt.NDArray[np.signedinteger[Any]]) -> float:
    """Jaccard similarity of two sorted arrays of distinct ids; 0 when both are empty."""
    if min(len(left), len(right)) == 0:
        return 0.0
    both = len(np.intersect1d(left, right, assume_unique=True))
    return both / (len(left) + len(right) - both)


def _minima(rows: I64) -> U64:
    hashed = mix64(rows.view(np.uint64))
    top = np.uint64(0xFFFFFFFFFFFFFFFF)
    return np.array(
        [mix64(hashed + np.uint64(seed)).min() if len(rows) else top for seed in range(1, _HASHES + 1)], np.uint64
    )
