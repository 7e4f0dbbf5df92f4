"""Mining: which of the millions of phrases are frequent and concentrated enough to be a cue or a behavior.

A phrase is worth a feature when a chunk, or two chunks that hold it in common, hold it far more often than the rest of
the mix, by the z-score of its log odds. Each chunk and side gets the same quota, so that a chunk of 900 rows is heard
beside one of 50,000; each doubling of the rows gets one too, because the z-score grows with the rows: what all of a
chunk says would leave no room for a cue in a tenth of it. Phrases that open or close many texts are taken too, wherever
they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from chunky.features.feature import Feature, keyword_feature

MIN_Z = 5.0  # below that a phrase is no more typical of its chunk than thousands of others are by chance
_SAME_COUNTS = 3  # n-grams of one long template share all their counts; so many are enough for the synonym folding
_COMMON_SHARE = 0.4  # a phrase in more of all rows than this tells nothing apart
_FRAMES_PER_SIDE = 150  # phrases that open or close the most texts, whatever their chunk
_PAIRS_PART = 3  # two chunks that share phrases get this part of a chunk's quota, for all numbers of rows together


def mine_phrases(
    phrases: pl.DataFrame, *, mix_rows: int, min_rows: int, per_chunk: int, min_share: float
) -> list[Feature]:
    """Phrases that are frequent and concentrated, as features; deterministic order.

    `phrases`: columns of `keywords.phrases` and of the macro `keywords.shared_phrases` (null where a phrase is not
    shared); needed are those with a z-score of `MIN_Z` in either, and all that open or close a text. `min_share` is the
    least share of a phrase's rows that its top chunk must hold; `per_chunk` the quota of each chunk, side, position and
    doubling of the rows.
    """
    counted = phrases.filter((pl.col("rows") >= min_rows) & (pl.col("rows") <= _COMMON_SHARE * mix_rows))
    of_chunk = _best(
        counted.filter((pl.col("phrase_z_score") >= MIN_Z) & (pl.col("top_chunk_share") >= min_share)),
        "phrase_z_score",
        ["side", "position", "top_chunk", 64 - pl.col("top_chunk_rows").cast(pl.Int64).bitwise_leading_zeros()],
        per_chunk,
    )
    of_pair = _best(
        counted.filter(pl.col("shared_z_score") >= MIN_Z),
        "shared_z_score",
        ["side", "position", pl.min_horizontal("top_chunk", "second_chunk"),
         pl.max_horizontal("top_chunk", "second_chunk").alias("other")],
        -(-per_chunk // _PAIRS_PART),
    )  # fmt: skip
    frames = (
        counted.filter(pl.col("position") != "anywhere")
        .sort(["rows", "tokens", "phrase"], descending=[True, True, False])
        .filter(pl.int_range(pl.len()).over(["side", "position"]) < _FRAMES_PER_SIDE)
    )
    columns = ["side", "phrase", "position"]
    chosen = pl.concat([part.select(columns) for part in (of_chunk, of_pair, frames)]).unique().sort(columns)
    return [keyword_feature(side, phrase, position) for side, phrase, position in chosen.iter_rows()]


def _best(phrases: pl.DataFrame, score: str, group: Sequence[str | pl.Expr], quota: int) -> pl.DataFrame:
    """The `quota` best phrases of each group by `score`, the longer one of equals first."""
    order = [score, "tokens", "phrase"]
    return (
        _distinct(phrases)
        .sort(order, descending=[True, True, False])
        .filter(pl.int_range(pl.len()).over(group) < quota)
    )


def _distinct(phrases: pl.DataFrame) -> pl.DataFrame:
    """Without the n-grams that lie in a longer one with the same counts, and at most three of any counts."""
    longest_first = phrases.sort(["tokens", "phrase"], descending=[True, False]).with_row_index("place")
    same_counts = ["side", "position", "top_chunk", "rows", "top_chunk_rows", "second_chunk_rows"]
    kept: list[int] = []
    for places, texts in (
        longest_first.group_by(same_counts).agg("place", "phrase").select("place", "phrase").iter_rows()
    ):
        taken: list[str] = []
        for place, text in zip(places, texts, strict=True):
            if not any(text in longer for longer in taken):
                taken.append(text)
                kept.append(place)
            if len(taken) == _SAME_COUNTS:
                break
    return longest_first[sorted(kept)]
