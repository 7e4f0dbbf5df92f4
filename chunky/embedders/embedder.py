"""What an embedder is, and what all of them do alike: clean texts, rows of unit norm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from chunky.errors import EngineError

Vectors = npt.NDArray[np.float32]

MAX_BYTES: Final = 8_000
"""Longer texts are cut to so many bytes of UTF-8: a byte-level tokenizer makes no more tokens than bytes, and hosted
models refuse more than 8,191; the local ones read 256 to 512 word pieces of it."""

EMPTY: Final = "(empty)"
"""What stands for a text without any visible character: models have no direction for nothing, servers refuse it."""

_BROKEN = re.compile("[\0\ud800-\udfff]")


class Embedder(Protocol):
    """Turns sentences into unit vectors.

    `identity` is what a fingerprint must know. Vectors of two names or weights must not meet in one search; those of
    two types of products may. `dtype` is how the vectors are kept on disk, `float16` or `float32`. `device` and
    `device_reason` say where the work is done.
    """

    @property
    def name(self) -> str:
        """The name by which `get_embedder` gives it."""

    @property
    def identity(self) -> str:
        """JSON: name, digest or revision of the weights, type of the products."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    @property
    def dtype(self) -> str:
        """Type on disk: `float16` or `float32`."""

    @property
    def device(self) -> str:
        """`cpu`, `cuda:N`, or the address of a server."""

    @property
    def device_reason(self) -> str:
        """Why that device."""

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of `texts`, in their order: shape (n, dimensions), float32.

        Texts go through `cleaned` first. EngineError when the model or server gives something else than that.
        """


def cleaned(text: str) -> str:
    """`text` as it is embedded: NUL and lone surrogates as U+FFFD, outer white space off, cut to `MAX_BYTES`.

    A text with nothing in it becomes `EMPTY`.
    """
    found = _BROKEN.sub("\ufffd", text).strip()
    if len(found) * 4 > MAX_BYTES:  # a character takes at most four bytes
        found = found.encode()[:MAX_BYTES].decode(errors="ignore").rstrip()
    return found or EMPTY


def unit(vectors: npt.NDArray[np.floating], what: str) -> Vectors:
    """Rows scaled to norm 1 in float32: shape (n, d) as given.

    16-bit models give norms that are off by up to 1e-3. EngineError when a row is zero, NaN or infinite.
    """
    found = vectors.astype(np.float32)
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise EngineError(f"{what} gave a vector without direction (zero, NaN or infinite)", "use another embedder")
    return np.asarray(found / norms, dtype=np.float32)
