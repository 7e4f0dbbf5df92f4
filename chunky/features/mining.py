"""Mining: which of the millions of phrases are frequent and concentrated enough to be a cue or a behavior.

A phrase is worth a feature when a chunk (or two) holds it far more often than the rest of the mix, by the z-score of
its log odds; each chunk and side gets the same quota, so that a chunk of 900 rows is heard beside one of 50,000.
Phrases that open or close many texts are taken too, wherever they come from.
"""

from __future__ import annotations

import polars as pl

from chunky.features.feature import Feature, keyword_feature

_MIN_Z = 5.0  # below that a phrase is no more typical of its chunk than thousands of others are by chance
_SAME_COUNTS = 2  # n-grams of one template share all their counts; two of them are enough for the synonym folding
_COMMON_SHARE = 0.4  # a phrase in more of all rows than this tells nothing apart
_FRAMES_PER_SIDE = 150  # phrases that open or close the most texts, whatever their chunk


def mine_phrases(
    phrases: pl.DataFrame, *, mix_rows: int, min_rows: int, per_chunk: int, min_share: float
) -> list[Feature]:
    """Phrases (columns of `keywords.phrases`) that are frequent and concentrated, as features; deterministic order.

    `min_share` is the least share of a phrase's rows that its top chunk must hold; `per_chunk` the quota of each
    chunk, side and position.
    """
    counted = phrases.filter((pl.col("rows") >= min_rows) & (pl.col("rows") <= _COMMON_SHARE * mix_rows))
    concentrated = counted.filter((pl.col("phrase_z_score") >= _MIN_Z) & (pl.col("top_chunk_share") >= min_share))
    longest_first = concentrated.sort(["tokens", "phrase"], descending=[True, False])
    same_counts = ["side", "position", "top_chunk", "rows", "top_chunk_rows"]
    distinct = longest_first.filter(pl.int_range(pl.len()).over(same_counts) < _SAME_COUNTS)
    order = ["phrase_z_score", "tokens", "phrase"]
    quota = distinct.sort(order, descending=[True, True, False]).filter(
        pl.int_range(pl.len()).over(["side", "position", "top_chunk"]) < per_chunk
    )
    frames = (
        counted.filter(pl.col("position") != "anywhere")
        .sort(["rows", "tokens", "phrase"], descending=[True, True, False])
        .filter(pl.int_range(pl.len()).over(["side", "position"]) < _FRAMES_PER_SIDE)
    )
    columns = ["side", "phrase", "position"]
    chosen = pl.concat([quota.select(columns), frames.select(columns)]).unique().sort(columns)
    return [keyword_feature(side, phrase, position) for side, phrase, position in chosen.iter_rows()]
