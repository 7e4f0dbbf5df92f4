"""Embedders: sentences in, unit vectors out, chosen by name.

`minilm` is the default and needs no download; `hashing` is instant and for tests; `sentence-transformers:NAME` and
`openai:NAME` are any model of theirs. See `Embedder` for what all of them promise.
"""

from __future__ import annotations

from chunky.embedders.choosing import DEFAULT, FORMS, get_embedder
from chunky.embedders.embedder import EMPTY, MAX_BYTES, Embedder, Vectors, cleaned, unit
from chunky.embedders.hashing import HashingEmbedder

__all__ = [
    "DEFAULT",
    "EMPTY",
    "FORMS",
    "MAX_BYTES",
    "Embedder",
    "HashingEmbedder",
    "Vectors",
    "cleaned",
    "get_embedder",
    "unit",
]
