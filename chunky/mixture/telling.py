"""How much a sign of a prompt tells about its answer: what training on the mix would make of it.

Likeness of words alone brings a new prompt to the row that speaks of the same things. What a model learns besides is
which signs go with which answers, whatever the subject. So a sign has as its weight the most that it tells about one
sign of the answer, in nats, with caution: the gain of `chunky.attributes.weighing` (lower 95 % bound of the rate with
the sign against the rate without). A sign of three rows, or one whose answers are like all others, has next to none.

An answer's sign that is the same n-gram as the prompt's is an echo and does not count.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chunky.attributes.weighing import CAP, gain
from chunky.mixture.postings import Postings

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

__all__ = ["LEAST_ROWS", "LEAST_TOLD", "telling"]

LEAST_ROWS = 8  # the bound of eight rows out of eight is 0.68: fewer tell nothing that could be trusted
LEAST_TOLD = 0.05  # nats; less is noise of the many signs looked at
_BLOCK_ENTRIES = 100_000  # of postings at a time: products of some six million entries, 400 MB with what is computed


def telling(prompts: Postings, answers: Postings) -> F64:
    """Nats that each sign of prompts tells, float64 (signs,), 0 to 3; both postings are over the same rows."""
    told = np.zeros(len(prompts.keys))
    counts = prompts.counts
    able = np.flatnonzero((counts >= LEAST_ROWS) & (counts <= prompts.size // 2))
    if not len(able) or not len(answers.keys):
        return told
    by_row = answers.matrix().T.tocsr()
    of_answers = answers.counts.astype(np.float64)
    sizes = np.cumsum(counts[able])
    blocks = np.split(able, np.searchsorted(sizes, np.arange(_BLOCK_ENTRIES, sizes[-1], _BLOCK_ENTRIES)))
    whole = prompts.matrix()
    for block in blocks:
        if not len(block):
            continue
        both = (whole[block] @ by_row).tocsr()
        own = np.repeat(counts[block].astype(np.float64), np.diff(both.indptr))
        gains = gain(both.data.astype(np.float64), own, of_answers[both.indices], prompts.size)
        gains[answers.keys[both.indices] == np.repeat(prompts.keys[block], np.diff(both.indptr))] = 0
        filled = np.flatnonzero(np.diff(both.indptr))
        told[block[filled]] = np.maximum.reduceat(gains, both.indptr[filled])
    told[told < LEAST_TOLD] = 0
    return np.minimum(told, CAP)
