"""Features as sets of rows, and which go together: the pure half of the stage `correlations`.

`features` defines and names them, `mining` picks phrases worth being one, `custom` reads the user's own, `members`
finds the rows that belong to each, `synonyms` folds those that hold nearly the same rows. Counting pairs is SQL
(`sql/correlations/pairs.sql`).
"""

from __future__ import annotations

from chunky.correlations.custom import read_folder
from chunky.correlations.features import Feature, chunk_features, keyword_feature, shape_features
from chunky.correlations.members import definition_table, find_members, member_tables
from chunky.correlations.mining import mine_phrases
from chunky.correlations.synonyms import fold

__all__ = [
    "Feature",
    "chunk_features",
    "definition_table",
    "find_members",
    "fold",
    "keyword_feature",
    "member_tables",
    "mine_phrases",
    "read_folder",
    "shape_features",
]
