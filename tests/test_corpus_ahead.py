"""Reading ahead: the same items, the same errors, never more than `depth` made too early, nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunky.corpus.ahead import ahead


class Source:
    """Counts what was made of it, says whether it was closed, and fails after `good` items where asked."""

    def __init__(self, total: int, fails: bool = False) -> None:
        self.total, self.fails = total, fails
        self.made, self.is_closed = 0, False
        self.threads: set[str] = set()

    def items(self) -> Generator[int, None, None]:
        try:
            for number in range(self.total):
                self.made += 1
                self.threads.add(threading.current_thread().name)
                yield number
            if self.fails:
                raise ValueError("the file ends here")
        finally:
            self.is_closed = True


@given(total=st.integers(0, 20), depth=st.integers(1, 5))
def test_the_same_items_in_the_same_order(total: int, depth: int) -> None:
    source = Source(total)
    assert list(ahead(source.items(), depth)) == list(range(total))
    assert source.is_closed


def test_items_are_made_in_another_thread() -> None:
    source = Source(3)
    assert list(ahead(source.items())) == [0, 1, 2]
    assert threading.current_thread().name not in source.threads


@given(total=st.integers(0, 6), depth=st.integers(1, 4))
def test_an_error_comes_after_what_was_made_before_it(total: int, depth: int) -> None:
    items = ahead(Source(total, fails=True).items(), depth)
    assert [next(items) for _ in range(total)] == list(range(total))
    with pytest.raises(ValueError, match="ends here"):
        next(items)


@given(taken=st.integers(1, 5), depth=st.integers(1, 4))
def test_no_more_than_depth_too_early_and_closed_with_the_reader(taken: int, depth: int) -> None:
    source = Source(1_000)
    with closing(ahead(source.items(), depth)) as items:
        assert [next(items) for _ in range(taken)] == list(range(taken))
    assert taken <= source.made <= taken + depth
    assert source.is_closed
    assert not any(thread.name.startswith("ahead") for thread in threading.enumerate())
