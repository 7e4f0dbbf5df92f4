"""Neighbors by rows and by pairs, against loops that do what the words say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunky.errors import InputError
from chunky.indexes.neighbors import Neighbors, Postings, nearest_pairs, nearest_rows


def postings_of(lists: list[list[int]], row_ids: list[int]) -> Postings:
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return Postings(offsets, np.array([row for rows in lists for row in rows], np.int64), np.array(row_ids, np.int64))


def slow(
    scores: list[float], lists: list[list[int]], row_ids: list[int], k: int, floor: float, pairs: bool
) -> Neighbors:
    found = [
        (-score, row_ids[row], sentence, row)
        for sentence, (score, rows) in enumerate(zip(scores, lists, strict=True))
        if score >= floor
        for row in rows
    ]
    if not pairs:
        best: dict[int, tuple[float, int, int, int]] = {}
        for entry in found:
            row = entry[3]
            if row not in best or (entry[0], entry[2]) < (best[row][0], best[row][2]):
                best[row] = entry
        found = list(best.values())
    found.sort()
    taken = found[:k]
    last = taken[-1][0] if taken else None
    tied = sum(entry[0] == last for entry in found)
    kept = sum(entry[0] == last for entry in taken)
    return Neighbors(
        np.array([entry[3] for entry in taken]),
        np.array([entry[2] for entry in taken]),
        np.array([-entry[0] for entry in taken], np.float32),
        tied,
        tied - kept,
    )


def assert_same(found: Neighbors, wanted: Neighbors) -> None:
    for name in ("rows", "sentences", "similarities"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
    assert (found.tied_rows, found.cut_rows) == (wanted.tied_rows, wanted.cut_rows)


@given(data=st.data(), pairs=st.booleans(), k=st.integers(1, 12), floor=st.sampled_from([-1.0, 0.0, 0.25, 0.9]))
def test_neighbors_equal_the_slow_reading(data: st.DataObject, pairs: bool, k: int, floor: float) -> None:
    rows = data.draw(st.integers(1, 8))
    lists = data.draw(st.lists(st.lists(st.integers(0, rows - 1), unique=True, max_size=rows), max_size=8))
    scores = data.draw(
        st.lists(st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75]), min_size=len(lists), max_size=len(lists))
    )
    row_ids = data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, min_size=rows, max_size=rows))
    find = nearest_pairs if pairs else nearest_rows
    found = find(np.array(scores, np.float32), postings_of(lists, row_ids), k, floor)
    assert_same(found, slow(scores, lists, row_ids, k, floor, pairs))


def test_neighbors_equal_the_slow_reading_at_size() -> None:
    rng = np.random.default_rng(4)
    row_ids = rng.choice(2**40, 3000, replace=False).tolist()
    lists = [rng.choice(3000, rng.integers(1, 60), replace=False).tolist() for _ in range(400)]
    lists[7] = list(range(3000))
    scores = (rng.integers(0, 60, 400) / 64).tolist()
    for k in (1, 50, 1000, 5000):
        for find, pairs in ((nearest_rows, False), (nearest_pairs, True)):
            found = find(np.array(scores, np.float32), postings_of(lists, row_ids), k, 0.2)
            assert_same(found, slow(scores, lists, row_ids, k, 0.2, pairs))


def test_a_templated_sentence_is_many_tied_rows() -> None:
    row_ids = np.random.default_rng(7).permutation(np.arange(-50, 51)).tolist()
    postings = postings_of([[0], list(range(1, 101))], row_ids)
    found = nearest_rows(np.array([0.9, 0.8], np.float32), postings, 11)
    assert found.rows[0] == 0
    assert (found.tied_rows, found.cut_rows) == (100, 90)
    assert [row_ids[row] for row in found.rows[1:].tolist()] == sorted(row_ids[1:])[:10]


def test_a_row_with_many_near_sentences_is_one_row_and_many_pairs() -> None:
    postings = postings_of([[0], [0], [0], [1]], [10, 20])
    scores = np.array([0.9, 0.8, 0.7, 0.1], np.float32)
    assert nearest_rows(scores, postings, 2).rows.tolist() == [0, 1]
    assert nearest_pairs(scores, postings, 3).rows.tolist() == [0, 0, 0]
    assert nearest_pairs(scores, postings, 3).sentences.tolist() == [0, 1, 2]


def test_a_sentence_without_score_is_no_neighbor() -> None:
    found = nearest_rows(np.array([np.nan, 0.5], np.float32), postings_of([[0], [1]], [1, 2]), 5)
    assert found.rows.tolist() == [1]


def test_bad_questions_are_refused() -> None:
    postings = postings_of([[0]], [1])
    with pytest.raises(InputError, match="k = 0"):
        nearest_rows(np.zeros(1, np.float32), postings, 0)
    with pytest.raises(InputError, match="one score a sentence"):
        nearest_pairs(np.zeros(2, np.float32), postings, 1)
