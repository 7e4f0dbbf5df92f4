"""Weights: the gain against its formula, products against counting by hand, synonyms against all pairs."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from chunky.attributes.weighing import SYNONYM_SIMILARITY, gain, order, strongest, synonyms


def slow_gain(both: int, own: int, other: int, total: int) -> float:
    rate, z = both / own, 1.96
    spread = z * math.sqrt(rate * (1 - rate) / own + z * z / (4 * own * own))
    p = min(max((rate + z * z / (2 * own) - spread) / (1 + z * z / own), 0), 1 - 1e-9)
    q = min(max((other - both + 0.5) / (total - own + 1), 1e-9), 1 - 1e-9)
    if p <= q:
        return 0.0
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def tell(both: int, own: int, other: int, total: int) -> float:
    return float(gain(np.array(float(both)), np.array(float(own)), np.array(float(other)), total))


@settings(deadline=None)
@given(st.data())
def test_the_gain_is_its_formula(data: st.DataObject) -> None:
    total = data.draw(st.integers(2, 10_000))
    own = data.draw(st.integers(1, total))
    other = data.draw(st.integers(0, total))
    both = data.draw(st.integers(max(0, own + other - total), min(own, other)))
    told = tell(both, own, other, total)
    assert told == pytest.approx(slow_gain(both, own, other, total), abs=1e-9)
    assert told >= 0


def test_what_tells_much_weighs_much() -> None:
    assert tell(200, 250, 300, 10_000) > tell(100, 250, 300, 10_000) > 0.5
    assert tell(200, 250, 300, 10_000) > tell(4, 5, 104, 10_000)  # few rows tell with caution
    assert tell(9_000, 9_900, 9_090, 10_000) < 0.01  # what nearly every row has
    assert tell(25, 250, 1_000, 10_000) == 0  # independent


def test_the_order_caps_gains_and_prefers_the_general() -> None:
    gains, rows, ids = np.array([9.0, 4.0, 1.0, 1.0]), np.array([20, 300, 5, 5]), np.array([1, 2, 4, 3])
    assert order(gains, rows, ids).tolist() == [1, 0, 3, 2]


def test_the_strongest_gain_is_found_and_echoes_and_topics_do_not_count() -> None:
    rng = np.random.default_rng(3)
    left, right = ((rng.random((400, size)) < 0.2).astype(np.float32) for size in (7, 5))
    right[:, 0] = left[:, 0]
    words = (np.zeros((7, 2), np.float32), np.zeros((5, 2), np.float32))
    words[0][1, 1] = words[1][2, 1] = 1
    themes = (np.arange(7) == 6, np.arange(5) == 4)
    found = strongest(
        csr_array(left), csr_array(right), words=(csr_array(words[0]), csr_array(words[1])), themes=themes
    )
    for a in range(7):
        allowed = [b for b in range(5) if not (words[0][a] @ words[1][b]) and not (themes[0][a] and themes[1][b])]
        counts = [
            slow_gain(int((left[:, a] * right[:, b]).sum()), int(left[:, a].sum()), int(right[:, b].sum()), 400)
            for b in allowed
        ]
        assert found[a] == pytest.approx(max(counts), abs=1e-9)
    assert found.argmax() == 0


def test_synonyms_are_the_pairs_above_the_limit() -> None:
    rng = np.random.default_rng(5)
    base = rng.random((2_000, 6)) < 0.1
    near = base ^ (rng.random(base.shape) < 0.004)
    far = base ^ (rng.random(base.shape) < 0.05)
    rows = np.hstack([base, near, far, np.zeros((2_000, 1), bool)])
    leaders = synonyms(csr_array(rows.astype(np.float32)), np.arange(rows.shape[1]))
    for low, high in combinations(range(rows.shape[1]), 2):
        both, either = (rows[:, low] & rows[:, high]).sum(), (rows[:, low] | rows[:, high]).sum()
        assert (leaders[high] == low) == bool(either and both / either >= SYNONYM_SIMILARITY)
    assert (leaders != np.arange(len(leaders))).sum() >= 4
