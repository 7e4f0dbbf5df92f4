"""Weights of the sentences about a response, by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from chunky.turf.cruxes import TOLD, weigh

F32 = npt.NDArray[np.float32]


def unit(*numbers: float) -> F32:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


def toward(cosine: float) -> F32:
    """A unit vector at this cosine from the rubric's only behavior, and at none from the query."""
    return np.array([cosine, np.sqrt(1 - cosine**2), 0], np.float32)


RUBRIC, QUERY = np.array([[1, 0, 0]], np.float32), np.array([0, 0, 1], np.float32)


def test_a_weight_is_a_share_of_the_greatest_relevance() -> None:
    sentences = np.stack([toward(0.8), toward(0.4), unit(0, 1, 0), unit(0.8, 0, 0.6)])
    found = weigh(sentences, RUBRIC, QUERY)
    assert found.rubric_similarity == pytest.approx([0.8, 0.4, 0, 0.8])
    assert found.query_similarity == pytest.approx([0, 0, 0, 0.6])
    assert found.crux_weight == pytest.approx([1, 0.5, 0, (0.8 - 0.3) / 0.8])
    assert found.top_relevance == pytest.approx([0.8] * 4)


def test_where_a_sentence_is_the_behavior_others_weigh_nothing() -> None:
    sentences = np.stack([toward(0.9), toward(1), toward(TOLD + 0.01)])
    assert weigh(sentences, RUBRIC, QUERY).crux_weight == pytest.approx([0, 1, TOLD + 0.01])
    assert weigh(sentences[:1], RUBRIC, QUERY).crux_weight == pytest.approx([1])


def test_one_that_is_too_common_does_not_push_the_others_out() -> None:
    sentences = np.stack([toward(0.9), toward(1)])
    found = weigh(sentences, RUBRIC, QUERY, np.array([False, True]))
    assert found.crux_weight == pytest.approx([0.9, 1])
    assert weigh(sentences, RUBRIC, QUERY, np.array([True, False])).crux_weight == pytest.approx([0, 1])


def test_no_relevance_is_no_weight() -> None:
    assert weigh(QUERY[None], RUBRIC, QUERY).crux_weight == pytest.approx([0])
    assert weigh(np.zeros((0, 3), np.float32), RUBRIC, QUERY).crux_weight.shape == (0,)
