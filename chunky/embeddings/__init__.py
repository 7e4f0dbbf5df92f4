"""Embeddings: which sentences still need a vector, in what order, and the batches that hold them.

One sentence, one vector: a sentence that stands under several ids is embedded once. Arrays and frames in, Arrow out;
the embedder is given as a function, and where the batches go is the pipeline's business.
"""

from __future__ import annotations

from chunky.embeddings.batches import Encode, remaining, tables

__all__ = ["Encode", "remaining", "tables"]
