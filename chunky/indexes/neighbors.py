"""Neighbors are rows: from what is near among distinct sentences to the k nearest rows of the mix.

One templated sentence can stand for 50,000 rows, and a row has many sentences. A row is as similar as its best
sentence, k counts distinct rows, ties at the border are cut by the row's id, which is a hash, so that no chunk is
favored, and how many rows stood at the border is reported; `sql/turf/neighbors.sql` cuts them alike. The paper's
reading counts pairs instead (equation 3: slots (i, l), row i and its l-th sentence): a row then stands once for each
near sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from chunky.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    F32 = npt.NDArray[np.float32]
    I64 = npt.NDArray[np.int64]

__all__ = ["Neighbors", "Postings", "nearest_pairs", "nearest_rows"]


class Postings(NamedTuple):
    """Which rows have which sentence: rows of sentence i are `rows[offsets[i]:offsets[i + 1]]` (int64 places in
    `row_ids`, each at most once a sentence). `row_ids`: int64, one a row of the mix, distinct.
    """  # fmt: skip

    offsets: I64
    rows: I64
    row_ids: I64


class Neighbors(NamedTuple):
    """The neighbors of one crux, best first, ties by row_id.

    `rows` int64 (places in `row_ids`), `sentences` int64 (the row's best sentence; the lowest number among equals),
    `similarities` float32. `tied_rows` counts the candidates whose similarity is that of the last neighbor, taken or
    not, and `cut_rows` those of them left out: 0 where no tie was cut.
    """

    rows: I64
    sentences: I64
    similarities: F32
    tied_rows: int
    cut_rows: int


def nearest_rows(scores: F32, postings: Postings, k: int, floor: float = -1.0) -> Neighbors:
    """The k nearest distinct rows; a row's similarity is the best score of its sentences.

    `scores`: float32, one a sentence; NaN for one that was not scored. Rows below `floor` are no neighbors, so fewer
    than k may come back. Work grows with the postings of the sentences that are needed, not with the mix.
    Raises InputError for k < 1 and for scores that are not one a sentence.
    """
    _check(scores, postings, k)
    order = _by_score(scores, floor)
    taken = _enough(scores, postings, order, k)
    rows, sentences = _expand(postings, order[:taken])
    # Best sentence first, so the first time that a row comes up is its best; np.unique keeps first occurrences.
    distinct, firsts = np.unique(rows, return_index=True)
    return _cut(scores, postings, distinct, sentences[firsts], k)


def nearest_pairs(scores: F32, postings: Postings, k: int, floor: float = -1.0) -> Neighbors:
    """The k nearest pairs of row and sentence (the paper's equation 3); a row may come back more than once.

    As `nearest_rows` otherwise; ties by row_id, then by the sentence's number; tied and cut count pairs.
    """
    _check(scores, postings, k)
    order = _by_score(scores, floor)
    counts = np.cumsum(np.diff(postings.offsets)[order])
    taken = _whole_ties(scores[order], int(np.searchsorted(counts, k)))
    rows, sentences = _expand(postings, order[:taken])
    return _cut(scores, postings, rows, sentences, k)


def _check(scores: F32, postings: Postings, k: int) -> None:
    if k < 1:
        raise InputError(f"k = {k}", "ask for at least one neighbor")
    if scores.shape != (len(postings.offsets) - 1,):
        raise InputError(
            f"scores of shape {scores.shape} for {len(postings.offsets) - 1} sentences", "give one score a sentence"
        )


def _by_score(scores: F32, floor: float) -> I64:
    """Sentences at or above the floor, best first, equals by number; NaN is below every floor."""
    kept = np.flatnonzero(scores >= np.float32(floor))
    return kept[np.argsort(-scores[kept], kind="stable")]


def _enough(scores: F32, postings: Postings, order: I64, k: int) -> int:
    """How many sentences, best first and with all that equal the last one, are needed to see k distinct rows.

    Doubling: rows with many near sentences make the number of postings a poor guess.
    """
    counts = np.cumsum(np.diff(postings.offsets)[order])
    wanted = k
    while True:
        taken = _whole_ties(scores[order], int(np.searchsorted(counts, wanted)))
        rows, _ = _expand(postings, order[:taken])
        if taken == len(order) or len(np.unique(rows)) >= k:
            return taken
        wanted *= 2


def _whole_ties(ordered: F32, last: int) -> int:
    """How many of the descending scores are at least the one at place `last`."""
    if last >= len(ordered):
        return len(ordered)
    return int(np.searchsorted(-ordered, -ordered[last], side="right"))


def _expand(postings: Postings, sentences: I64) -> tuple[I64, I64]:
    """Rows of the sentences, one after the other, and the sentence of each."""
    starts = postings.offsets[sentences]
    counts = postings.offsets[sentences + 1] - starts
    ends = np.cumsum(counts)
    places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)
    return postings.rows[places], np.repeat(sentences, counts)


def _cut(scores: F32, postings: Postings, rows: I64, sentences: I64, k: int) -> Neighbors:
    similarities = scores[sentences]
    order = np.lexsort((sentences, postings.row_ids[rows], -similarities))[:k]
    tied = int(np.count_nonzero(similarities == similarities[order[-1]])) if len(order) else 0
    kept = int(np.count_nonzero(similarities[order] == similarities[order[-1]])) if len(order) else 0
    return Neighbors(rows[order], sentences[order], similarities[order], tied, tied - kept)
