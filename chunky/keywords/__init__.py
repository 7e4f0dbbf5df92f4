"""Stage `keywords`: in how many rows of each chunk a phrase of one to five tokens opens, closes or stands in a text.

Counts are of rows, per side, and exact. A sketch of one byte per hash bucket, filled in a first pass, rules out what
cannot reach `min_rows`; a second pass counts the rest; a third spells the survivors. Memory follows the survivors, not
the mix. What a token and a phrase are is said in `chunky.tokens`.
"""

from __future__ import annotations

from chunky.keywords.counting import PhraseCounts, count_phrases, count_subset
from chunky.keywords.grams import gram_hashes, phrase_ids

__all__ = ["PhraseCounts", "count_phrases", "count_subset", "gram_hashes", "phrase_ids"]
