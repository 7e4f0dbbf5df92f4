"""Exact nearest neighbors by inner product: one protocol, three engines, one answer.

Scores are defined so that engines agree bit for bit (`chunky.indexes.exact`); they differ in speed alone. Approximate
products select candidates, a proven bound on their error says how many, and exact ones rank them.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from chunky.devices import Device, pick
from chunky.errors import SettingsError
from chunky.indexes.exact import Found, Vectors, checked_shape
from chunky.indexes.oracle import NumpyIndex

if TYPE_CHECKING:
    from chunky.indexes.exact import F32

__all__ = ["ENGINES", "Choice", "Found", "Index", "Vectors", "choose_engine", "installed_engines", "open_index"]

ENGINES: Final = ("numpy", "faiss", "torch")
# Below so many numbers the oracle answers one query in less time than importing torch takes (1 to 4 s).
_SMALL: Final = 1 << 22


class Index(Protocol):
    """Vectors that can be searched; `count` and `width` are n and d."""

    engine: str
    count: int
    width: int

    def search(self, queries: F32, k: int) -> Found:
        """The k nearest vectors of each query (float32, (q, d), unit or zero): best first, ties by position.

        Fewer than k columns where there are fewer vectors. Raises InputError for queries of another type or width,
        not finite, or longer than a unit vector, and for k < 1.
        """
        ...


class Choice(NamedTuple):
    """An engine and why it was chosen."""

    engine: str
    reason: str


def installed_engines() -> tuple[str, ...]:
    """The engines whose package is there, without importing it."""
    return tuple(name for name in ENGINES if importlib.util.find_spec(name) is not None)


def choose_engine(wanted: str, numbers: int, device: Device) -> Choice:
    """The engine for vectors of so many numbers (n × d): `auto` chooses with a reason, another is taken as said.

    Raises SettingsError for an unknown engine.
    """
    if wanted in ENGINES:
        return Choice(wanted, "asked for")
    if wanted != "auto":
        raise SettingsError(f"there is no engine {wanted!r}", f"use auto, {', '.join(ENGINES)}")
    there = installed_engines()
    if device.kind == "cuda":
        return Choice("torch", device.reason)
    if numbers < _SMALL:
        return Choice("numpy", f"{numbers:,} numbers are few: no other engine is worth its import")
    if "torch" in there:
        return Choice("torch", f"the fastest exact engine on a CPU; {device.half or '8-bit and 32-bit products'}")
    if "faiss" in there:
        return Choice("faiss", "torch is not installed")
    return Choice("numpy", "neither torch nor faiss is installed")


def open_index(engine: str, vectors: Vectors, device: Device | None = None) -> Index:
    """An index over unit vectors (or zeros): an array of float16, float32 or uint16 (bfloat16), or blocks of those.

    Blocks are never held together by `numpy` and `torch`, which read them again at every search. An array is not
    copied by `numpy`, copied as 8-bit numbers by `torch` on a CPU, as float32 by `faiss`.

    Raises InputError for other vectors, PrerequisiteError for an engine that is not installed, SettingsError for an
    unknown one.
    """
    device = device or pick()
    shape = checked_shape(vectors)
    chosen = choose_engine(engine, shape[0] * shape[1], device).engine
    if chosen == "faiss":
        from chunky.indexes.flat import FaissIndex

        return FaissIndex(vectors, shape, device)
    if chosen == "torch":
        from chunky.indexes.blockwise import TorchIndex

        return TorchIndex(vectors, shape, device)
    return NumpyIndex(vectors, shape)
