"""Opening and closing sentences of responses: what is told in one sentence drowns in the whole of a text.

A response of one sentence has an opening and no closing, unless it is longer than what is read of it (200 characters).
Ids are hashes of part and text, so that equal sentences of two parts are told apart.
"""

from __future__ import annotations

import polars as pl

from chunky.attributes.words import sentence
from chunky.corpus.ids import signed_hash

PARTS = ("opening", "closing")


def sentences_of(texts: pl.Series) -> pl.DataFrame:
    """The opening sentence of each text, and the closing one where it is another, by place and part.

    Columns place (int64, in `texts`), text_part, sentence (200 characters at most) and sentence_id (int64). A blank
    text has none.
    """
    found = pl.DataFrame({part: sentence(texts, part).str.strip_chars() for part in PARTS}).with_columns(
        place=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    opening, closing = (
        found.select("place", text_part=pl.lit(part), sentence=part) for part in PARTS
    )  # fmt: skip
    is_another = found["closing"] != found["opening"]
    told = pl.concat([opening, closing.filter(is_another)]).filter(pl.col("sentence") != "")
    distinct = told.select("text_part", "sentence").unique()
    ids = [signed_hash(*each) for each in distinct.iter_rows()]
    return told.join(
        distinct.with_columns(pl.Series("sentence_id", ids, dtype=pl.Int64)),
        on=["text_part", "sentence"], maintain_order="left",
    ).sort("place", maintain_order=True)  # fmt: skip
