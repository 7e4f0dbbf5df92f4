"""Members of every kind of feature against slow oracles, wherever the batches are cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.correlations import definition_table, member_tables
from chunky.features import Feature, chunk_features, find_members, keyword_feature, shape_features
from chunky.shapes import SHAPES
from chunky.shapes import evaluate as evaluate_shapes
from chunky.tables import POSITIONS, SIDES, TABLES
from chunky.tokens import phrase_pattern

WORDS = ("the", "The", "cat", "café", "it's", "don’t", "3", "1,000.5", "翻译", "ß", "SS", "-", "!", "\n", "  ", "cat.")
PHRASES = ("the", "the cat", "cat the cat", "it's", "⟨n⟩", "⟨n⟩ cat", "翻", "翻 译", "cat .", "!", "ss", "café",
           "the cat the cat the", "- cat", "don't")  # fmt: skip

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).flatmap(
    lambda words: st.sampled_from([" ".join(words), "".join(words)])
)
mixes = st.lists(st.tuples(st.sampled_from("abc"), texts, texts), min_size=1, max_size=12)


def mix(rows: Sequence[tuple[str, str, str]]) -> pa.Table:
    """row_id descending from 1,000, so that row order and id order differ."""
    chunks, queries, responses = (list(column) for column in zip(*rows, strict=True))
    ids = pa.array(range(1_000, 1_000 - len(rows), -1), pa.int64())
    return pa.table({"row_id": ids, "chunk": chunks, "query": queries, "response": responses})


def ids_where(table: pa.Table, holds: Sequence[bool]) -> list[int]:
    return sorted(row for row, held in zip(table["row_id"].to_pylist(), holds, strict=True) if held)


def found(features: Sequence[Feature], *batches: pa.Table | pa.RecordBatch) -> dict[int, list[int]]:
    return {feature: rows.tolist() for feature, rows in find_members(features, batches).items()}


KEYWORDS = [keyword_feature(side, phrase, place) for side in SIDES for phrase in PHRASES for place in POSITIONS]


@given(rows=mixes)
@settings(deadline=None, max_examples=25)
def test_keywords_are_where_their_pattern_matches(rows: list[tuple[str, str, str]]) -> None:
    table = mix(rows)
    members = found(KEYWORDS, table)
    for feature in KEYWORDS:
        pattern = phrase_pattern(feature.definition, feature.position or "")
        holds = pl.Series(table[feature.side].to_pylist()).str.contains(pattern).to_list()
        assert members[feature.feature_id] == ids_where(table, holds), (feature.definition, feature.position)


PATTERNS = (r"cat", r"(?i)THE", r"^\d", r"\bcat\b", r"é", r"[\u7ffb译]", r"cat\.?$", r"(?s)cat.*the")


@given(rows=mixes)
@settings(deadline=None, max_examples=25)
def test_phrases_and_patterns_are_where_python_finds_them(rows: list[tuple[str, str, str]]) -> None:
    table = mix(rows)
    literals = ("cat.", "The", "(", "1,000.5", " ")
    features = [Feature("phrase", side, text, "", text) for side in SIDES for text in literals]
    features += [Feature("regex", side, text, "", text.replace(r"\u7ffb", "翻")) for side in SIDES for text in PATTERNS]
    members = found(features, table)
    for feature in features:
        values = [str(text) for text in table[feature.side].to_pylist()]
        # a final $ is the end of text here, in Python also before a last line break
        pattern = feature.definition.removesuffix("$") + r"\Z" * feature.definition.endswith("$")
        holds = [
            feature.definition in text if feature.kind == "phrase" else re.search(pattern, text) is not None
            for text in values
        ]
        assert members[feature.feature_id] == ids_where(table, holds), feature


def test_chunks_and_shapes() -> None:
    table = mix(
        [("a", "Write a list!", "- one\n- two"), ("b", "Hello?", "I'm sorry, I cannot."), ("a", "说中文", "好。")]
    )
    features = [*chunk_features("abcd"), *shape_features()]
    members = found(features, table)
    frames = {side: evaluate_shapes(pl.Series("text", table[side].to_pylist()), side) for side in SIDES}
    for feature in features:
        is_chunk = feature.kind == "chunk"
        holds = (
            [chunk == feature.definition for chunk in table["chunk"].to_pylist()]
            if is_chunk
            else frames[feature.side][feature.definition].to_list()
        )
        assert members[feature.feature_id] == ids_where(table, holds), feature
    assert sum(len(rows) for rows in members.values()) > 10


@given(rows=mixes, cuts=st.lists(st.integers(0, 12), max_size=4), as_batches=st.booleans())
@settings(deadline=None, max_examples=6)
def test_batches_may_be_cut_anywhere(rows: list[tuple[str, str, str]], cuts: list[int], as_batches: bool) -> None:
    table = mix(rows)
    features = [*chunk_features("abc"), *KEYWORDS, Feature("regex", "query", "r", "", "cat")]
    borders = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts: list[pa.Table | pa.RecordBatch] = [table.slice(start, end - start) for start, end in pairwise(borders)]
    if as_batches:
        parts = [batch for part in parts if isinstance(part, pa.Table) for batch in part.combine_chunks().to_batches()]
    assert found(features, *parts) == found(features, table)


def test_a_large_batch_is_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("a", f"the cat {number}", "it's the cat") for number in range(200)]
    whole = found(KEYWORDS, mix(rows))
    monkeypatch.setattr("chunky.features.members._BATCH_TEXT_BYTES", 100)
    assert found(KEYWORDS, mix(rows)) == whole
    assert any(len(held) == 200 for held in whole.values())


def test_no_rows_and_no_features() -> None:
    assert found(KEYWORDS[:2]) == {KEYWORDS[0].feature_id: [], KEYWORDS[1].feature_id: []}
    assert found([], mix([("a", "the", "cat")])) == {}


def test_sql_features_are_left_to_the_lens() -> None:
    feature = Feature("sql", "query", "s", "", "turn > 1", origin="user")
    assert found([feature], mix([("a", "the", "cat")])) == {feature.feature_id: []}


def test_a_feature_is_what_it_is_not_how_it_is_called() -> None:
    one = Feature("regex", "query", "a", "says a", "x")
    assert one.feature_id == Feature("regex", "query", "b", "says b", "x", origin="user").feature_id
    others = [
        Feature("phrase", "query", "a", "", "x"),
        Feature("regex", "response", "a", "", "x"),
        Feature("regex", "query", "a", "", "y"),
        Feature("regex", "query", "a", "", "x", position="opening"),
    ]
    assert len({feature.feature_id for feature in (one, *others)}) == 5


def test_every_built_in_feature_has_a_name_of_its_own() -> None:
    features = shape_features()
    assert len({(feature.side, feature.name) for feature in features}) == len(features)
    assert len({feature.feature_id for feature in features}) == len(features) >= len(SHAPES)


def test_member_tables_hold_each_pair_once_in_order() -> None:
    members = {feature: np.arange(feature, feature + 1_100_000, dtype=np.int64) for feature in (5, -7, 3)}
    members[4] = np.zeros(0, np.int64)
    tables = list(member_tables(members))
    assert [table.num_rows for table in tables] == [2_200_000, 1_100_000]
    whole = pl.DataFrame(pa.concat_tables(tables))
    assert whole["feature_id"].unique(maintain_order=True).to_list() == [-7, 3, 5]
    for feature, rows in members.items():
        assert (whole.filter(pl.col("feature_id") == feature)["row_id"].to_numpy() == rows).all()
    assert list(member_tables({1: np.zeros(0, np.int64)})) == []


def test_definitions_are_the_catalogs_columns() -> None:
    features = [*chunk_features(["b", "a"]), *KEYWORDS[:3]]
    table = definition_table(features, {features[1].feature_id: features[0].feature_id})
    schema = TABLES["correlations.features"].arrow_schema
    assert all(field.type == schema.field(field.name).type for field in table.schema)
    assert table["name"].to_pylist()[:2] == ["a", "b"]
    assert table["synonym_of"].to_pylist() == [None, features[0].feature_id, None, None, None]
    assert table["text"].to_pylist()[2:] == ["opens with “the”", "ends with “the”", "contains “the”"]
