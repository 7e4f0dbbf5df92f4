"""Features: named sets of corpus rows on one side, and how their rows are found in the texts.

`feature` defines and names them, `mining` picks phrases worth being one, `members` finds the rows that belong to each.
Both `attributes` (which says them as sentences) and `correlations` (which pairs them) build on these.
"""

from __future__ import annotations

from chunky.features.feature import Feature, chunk_features, keyword_feature, shape_features
from chunky.features.members import Prepared, find_members
from chunky.features.mining import MIN_Z, mine_phrases

__all__ = [
    "MIN_Z",
    "Feature",
    "Prepared",
    "chunk_features",
    "find_members",
    "keyword_feature",
    "mine_phrases",
    "shape_features",
]
