"""`hashing`: an instant embedder without a model. Words, pairs of words and runs of three letters, hashed with a sign.

Sentences that share most of their words and spellings are near; meaning it knows none of. It serves tests and quick
looks. All sums are integers and the rest is one square root and one division, so every platform gives the same bits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from chunky.embedders.embedder import Vectors, cleaned

_TOKEN = re.compile(r"\w+|[^\w\s]")
# A word tells more than one of its letter runs; a pair of words tells their order.
_WORD, _PAIR, _LETTERS = 6, 3, 1
_CACHED_WORDS: Final = 100_000
_BLOCK: Final = 1_024  # texts added up at once: 1,024 × 30 words × 384 × 4 bytes = 47 MB


class HashingEmbedder:
    """Feature hashing into `dimensions` signed buckets, L2-normalized; no state, no files, no seed."""

    name = "hashing"
    dtype = "float16"
    device = "cpu"
    device_reason = "hashing has no other engine"

    def __init__(self, dimensions: int = 384) -> None:
        self.dimensions = dimensions
        self.identity = json.dumps({"name": self.name, "version": 1, "dimensions": dimensions}, sort_keys=True)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of `texts`: shape (n, dimensions), float32; a text's vector does not depend on the others."""
        found = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), _BLOCK):
            block = [list(_features(cleaned(text))) for text in texts[start : start + _BLOCK]]
            found[start : start + len(block)] = self._block(block)
        return found

    def _block(self, block: list[list[str]]) -> npt.NDArray[np.float64]:
        sums = np.zeros((len(block), self.dimensions), dtype=np.int64)
        for row, features in zip(sums, block, strict=True):
            places = np.concatenate([_places(feature, self.dimensions) for feature in features], axis=1)
            np.add.at(row, places[0], places[1])
            if not row.any():  # all features cancel: the text as a whole decides
                row[_bucket(" ".join(features), self.dimensions)[0]] = 1
        return np.asarray(sums / np.sqrt((sums * sums).sum(axis=1, keepdims=True)), dtype=np.float64)


def _features(text: str) -> Iterator[str]:
    """Words and pairs of neighbors, each with its kind in front."""
    words = _TOKEN.findall(text.casefold())
    yield from (f"w{word}" for word in words)
    yield from (f"p{one} {two}" for one, two in pairwise(words))


@lru_cache(_CACHED_WORDS)
def _places(feature: str, dimensions: int) -> npt.NDArray[np.int64]:
    """Buckets and signed weights of a feature and, for a word, of its letter runs: shape (2, n)."""
    kind, text = feature[0], feature[1:]
    found = [(*_bucket(feature, dimensions), _PAIR if kind == "p" else _WORD)]
    if kind == "w" and len(text) > 1:
        framed = f"<{text}>"
        runs = [f"l{framed[place : place + 3]}" for place in range(len(framed) - 2)]
        found += [(*_bucket(run, dimensions), _LETTERS) for run in runs]
    return np.array([[bucket for bucket, _, _ in found], [sign * weight for _, sign, weight in found]], dtype=np.int64)


def _bucket(feature: str, dimensions: int) -> tuple[int, int]:
    """Bucket and sign of a feature, from a hash that is the same everywhere."""
    number = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")
    return (number >> 1) % dimensions, 1 if number & 1 else -1
