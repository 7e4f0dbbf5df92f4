"""Reading ahead: the next batches are made in a thread of their own while the last one is written."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

T = TypeVar("T")
_END = object()


def ahead(items: Generator[T, None, None], depth: int = 2) -> Generator[T, None, None]:
    """`items` in order, up to `depth` of them made before they are asked for; their errors come where they would.

    Arrow and polars let go of the interpreter for most of the work of reading and of writing, so the two overlap.
    Memory: `depth` more items. Closing this iterator waits for the item being made and closes `items`.
    """
    with closing(items), ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        waiting: deque[Future[Any]] = deque(pool.submit(next, items, _END) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(pool.submit(next, items, _END))
                yield item
        finally:
            for future in waiting:
                future.cancel()
