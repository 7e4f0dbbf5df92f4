"""Which features go together: the pure half of the stage `correlations`.

`custom` reads the user's own features, `synonyms` folds those that hold nearly the same rows, `member_tables` writes
both down. What a feature is stands in `chunky.features`. Counting pairs is SQL (`sql/correlations/pairs.sql`).
"""

from __future__ import annotations

from chunky.correlations.custom import read_folder
from chunky.correlations.member_tables import definition_table, member_tables
from chunky.correlations.synonyms import fold

__all__ = ["definition_table", "fold", "member_tables", "read_folder"]
