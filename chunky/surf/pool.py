"""The attribute pool: the sentences that queries are composed of (paper: section 3.1.1, the set A)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chunky.errors import InputError

__all__ = ["Pool", "pool_of"]


@dataclass(frozen=True)
class Pool:
    """Distinct attributes, in an order that the caller fixes: a draw is a place in it."""

    attributes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.attributes)


def pool_of(attributes: Iterable[str], least: int) -> Pool:
    """A pool of the distinct attributes in their order, without white space around them.

    `least` is how many attributes a candidate may get. Raises InputError for an attribute that is empty, and for fewer
    than `least`: every candidate would get all of them, and no search could tell one from another.
    """
    told = [attribute.strip() for attribute in attributes]
    if "" in told:
        raise InputError(f"attribute {told.index('') + 1:,} of the pool is empty", "take it out")
    distinct = tuple(dict.fromkeys(told))
    if len(distinct) < least:
        raise InputError(
            f"the pool has {len(distinct)} attributes, and a candidate is given up to {least}",
            "give a larger pool, or fewer to a candidate: --set surf.attributes=1",
        )
    return Pool(distinct)
