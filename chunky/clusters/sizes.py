"""How many clusters, where the user does not say."""

from __future__ import annotations

import math
from typing import Final

from chunky.errors import InputError

__all__ = ["auto_k"]

# Up to here every distinct sentence is a cluster of its own.
_EACH: Final = 4_000
# The paper's K, for 9.4 million attributes of one side (appendix D.1.1).
_MOST: Final = 25_000


def auto_k(distinct: int) -> int:
    """K for so many distinct sentences: all of them up to 4,000, then √(4,000 · distinct), at most 25,000.

    Sentences made from templates (`The query contains “foo”`, `The query contains “bar”`) embed almost alike, because
    the template outweighs the word. Where sentences are few, K well below their number merges different words that
    behave differently; a cluster for each found more plants in two planted worlds (.87 of the semantic ones against .77
    with K = 1,500). Beyond some thousands clusters are for reading and counting, and the root keeps both their number
    and their size growing; 25,000 is reached at 156,250 sentences. Raises InputError for a negative number.
    """
    if distinct < 0:
        raise InputError(f"{distinct} distinct sentences", "count them again")
    if distinct <= _EACH:
        return distinct
    return min(round(math.sqrt(_EACH * distinct)), _MOST)
