"""Which sentences are embedded, in what order, and what the batches hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunky.embedders import HashingEmbedder
from chunky.embeddings import remaining, tables
from chunky.errors import ContractError
from chunky.lance_tables import as_array, batch_schema
from chunky.tables import TABLES

EMBEDDER = HashingEmbedder(8)
TEXTS = st.dictionaries(st.integers(-(2**63), 2**63 - 1), st.text(max_size=6), max_size=30)


def frame(texts: dict[int, str]) -> pl.DataFrame:
    ids = pl.Series("attribute_id", list(texts), dtype=pl.Int64)
    return pl.DataFrame({"attribute_id": ids, "text": pl.Series(list(texts.values()), dtype=pl.String)})


@given(TEXTS, st.integers(1, 7), st.data())
def test_every_sentence_without_a_vector_gets_one_and_only_once(
    texts: dict[int, str], rows: int, data: st.DataObject
) -> None:
    known = data.draw(st.sets(st.sampled_from(sorted(texts)))) if texts else set()
    asked: list[str] = []

    def encode(batch: Sequence[str]) -> npt.NDArray[np.float32]:
        assert len(set(batch)) == len(batch) <= rows
        asked.extend(batch)
        return EMBEDDER.encode(batch)

    twice = pl.concat([frame(texts), frame(texts)])  # a sentence stands once for each of its rows
    missing = remaining(twice, np.array(sorted(known), dtype=np.int64))
    found = list(tables(missing, encode, 8, batch_rows=rows))
    ids = [one for batch in found for one in batch["attribute_id"].to_pylist()]
    wanted = sorted((len(text), text.encode(), one) for one, text in texts.items() if one not in known)
    assert ids == [one for _, _, one in wanted], "by length, text and id"
    for batch in found:
        assert batch.schema == batch_schema(TABLES["embeddings.vectors"], 8, "float16")
        oracle = EMBEDDER.encode([texts[one] for one in batch["attribute_id"].to_pylist()]).astype(np.float16)
        assert np.array_equal(as_array(batch["vector"]), oracle)


def test_one_sentence_under_two_ids_is_embedded_once() -> None:
    asked: list[str] = []

    def encode(batch: Sequence[str]) -> npt.NDArray[np.float32]:
        asked.extend(batch)
        return EMBEDDER.encode(batch)

    missing = remaining(frame({1: "same", 2: "same", 3: "other"}), np.empty(0, np.int64))
    (batch,) = tables(missing, encode, 8, "float32")
    assert asked == ["same", "other"]
    assert batch["attribute_id"].to_pylist() == [1, 2, 3]
    values: npt.NDArray[Any] = as_array(batch["vector"])
    assert values.dtype == np.float32
    assert np.array_equal(values[0], values[1])


def test_batches_are_made_when_they_are_asked_for() -> None:
    asked = 0

    def encode(batch: Sequence[str]) -> npt.NDArray[np.float32]:
        nonlocal asked
        asked += 1
        return EMBEDDER.encode(batch)

    stream = tables(remaining(frame({n: str(n) for n in range(9)}), np.empty(0, np.int64)), encode, 8, batch_rows=3)
    assert asked == 0
    next(stream)
    assert asked == 1


def test_an_id_with_two_sentences_is_an_error() -> None:
    texts = pl.DataFrame({"attribute_id": [1, 1, 2], "text": ["a", "b", "c"]})
    with pytest.raises(ContractError, match="attribute_id 1 stands for more than one text"):
        remaining(texts, np.empty(0, np.int64))


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (np.ones((2, 4), np.float32) / 2, r"gave \(2, 4\) for 1 texts"),
        (np.ones((1, 4), np.float32), "not 1"),
        (np.full((1, 4), np.nan, np.float32), "not 1"),
    ],
)
def test_an_embedder_that_breaks_its_word_is_an_error(vectors: npt.NDArray[np.float32], says: str) -> None:
    missing = remaining(frame({1: "a"}), np.empty(0, np.int64))
    with pytest.raises(ContractError, match=says):
        list(tables(missing, lambda _: vectors, 4))
