"""Which features go together: the pure half of the stage `correlations`.

`custom` reads the user's own features, `vector_features` makes those of clusters, `synonyms` folds those that hold
nearly the same rows, `member_tables` writes them down. What a feature is stands in `chunky.features`. Counting pairs is
SQL (`sql/correlations/pairs.sql`).
"""

from __future__ import annotations

from chunky.correlations.custom import read_folder
from chunky.correlations.member_tables import definition_table, member_tables
from chunky.correlations.synonyms import fold
from chunky.correlations.vector_features import cluster_features

__all__ = ["cluster_features", "definition_table", "fold", "member_tables", "read_folder"]
