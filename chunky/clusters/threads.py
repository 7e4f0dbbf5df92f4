"""Rows in threads, each of which multiplies alone: what waits for nobody is not held up by a busy machine.

Threads that share a product wait for each other at its end, and spin while they wait: where another process holds a
core, a product of a millisecond takes ten, and as much again is burned. Threads that share no product have one end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeVar

__all__ = ["Crew", "crew"]

T = TypeVar("T")
_FEWEST: Final = 256  # rows at once: with fewer the calls cost as much as the products


class Crew(NamedTuple):
    """Threads in which torch uses no others."""

    pool: ThreadPoolExecutor
    threads: int

    def over(self, rows: int, most: int, work: Callable[[slice], T]) -> list[T]:
        """What `work` makes of slices of so many rows, at most `most` each, in order; what it raises is raised here."""
        size = max(min(most, max(-(-rows // self.threads), _FEWEST)), 1)
        parts = [slice(start, min(start + size, rows)) for start in range(0, rows, size)]
        return list(self.pool.map(work, parts))


@contextmanager
def crew() -> Iterator[Crew]:
    """As many threads as torch uses. Meanwhile torch uses one, also in the thread that asks and in new ones."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, thread_name_prefix="rows") as pool:
            yield Crew(pool, threads)
    finally:
        torch.set_num_threads(threads)
