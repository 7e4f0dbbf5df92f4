"""Mining, synonyms and the user's own features: quotas, limits that hold exactly, and messages that name the remedy."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.correlations import fold, read_folder
from chunky.correlations.custom import parse_sql, parse_yaml
from chunky.correlations.synonyms import jaccard
from chunky.errors import InputError
from chunky.features import Feature, mine_phrases

# synonyms -------------------------------------------------------------------------------------------------------------


def slow_jaccard(left: set[int], right: set[int]) -> float:
    return len(left & right) / len(left | right) if left and right else 0.0


@st.composite
def families(draw: st.DrawFn) -> list[tuple[Feature, set[int]]]:
    """Features that are small changes of a few sets, so that many are near the limit; chunks and empty ones too."""
    bases = draw(st.lists(st.sets(st.integers(0, 300), min_size=1, max_size=60), min_size=1, max_size=3))
    made = []
    for number in range(draw(st.integers(2, 10))):
        changed = draw(st.sets(st.integers(0, 300), max_size=6))
        kind = draw(st.sampled_from(["keyword", "keyword", "shape", "chunk"]))
        side = "query" if kind == "chunk" else draw(st.sampled_from(["query", "response"]))
        origin = "mined" if kind == "keyword" else "built-in"
        rows = draw(st.sampled_from(bases)) ^ changed if draw(st.integers(0, 9)) else set()
        made.append((Feature(kind, side, f"f{number}", "", f"f{number}", "anywhere", origin), rows))
    return made


def folded(family: list[tuple[Feature, set[int]]], similarity: float) -> dict[int, int]:
    return fold([f for f, _ in family], [np.array(sorted(rows), np.int64) for _, rows in family], similarity)


def test_a_cluster_stands_for_no_other_name_of_its_rows() -> None:
    cluster = Feature("cluster", "query", "c", "is about “bees”", "The query is about “bees”.", None, "mined")
    phrase = Feature("keyword", "query", "a bee", "contains “a bee”", "a bee", "anywhere", "mined")
    assert folded([(cluster, {1, 2, 3}), (phrase, {1, 2, 3})], 0.85) == {cluster.feature_id: phrase.feature_id}


@given(family=families(), similarity=st.sampled_from([0.5, 0.85, 1.0]), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=80)
def test_synonyms_keep_the_rules(family: list[tuple[Feature, set[int]]], similarity: float, seed: int) -> None:
    found = folded(family, similarity)
    known = {feature.feature_id: (feature, rows) for feature, rows in family}
    for synonym, leader in found.items():
        assert leader not in found
        (one, rows), (other, leading) = known[synonym], known[leader]
        assert slow_jaccard(rows, leading) >= similarity
        assert one.side == other.side
        assert "chunk" not in (one.kind, other.kind)
    shuffled = random.Random(seed).sample(family, len(family))
    assert folded(shuffled, similarity) == found


@given(family=families())
@settings(deadline=None, max_examples=40)
def test_equal_sets_are_always_one_feature(family: list[tuple[Feature, set[int]]]) -> None:
    found = folded(family, 1.0)
    for one, rows in family:
        for other, others in family:
            if one.side == other.side and rows == others and rows and "chunk" not in (one.kind, other.kind):
                names = {found.get(f.feature_id, f.feature_id) for f in (one, other)}
                assert len(names) == 1


def test_people_read_their_own_words_first_then_the_library_then_the_longest_phrase() -> None:
    rows = set(range(50))
    mined = [Feature("keyword", "query", text, "", text, "opening", "mined") for text in ("a b c", "a b c d", "a b")]
    built_in = Feature("shape", "query", "s", "", "s")
    own = Feature("regex", "query", "r", "", "r", origin="user")
    assert set(folded([(f, rows) for f in (*mined, built_in, own)], 0.9).values()) == {own.feature_id}
    assert set(folded([(f, rows) for f in (*mined, built_in)], 0.9).values()) == {built_in.feature_id}
    assert set(folded([(f, rows) for f in mined], 0.9).values()) == {mined[1].feature_id}


@given(left=st.sets(st.integers(-50, 50)), right=st.sets(st.integers(-50, 50)))
@settings(deadline=None, max_examples=60)
def test_jaccard(left: set[int], right: set[int]) -> None:
    arrays = [np.array(sorted(rows), np.int64) for rows in (left, right)]
    assert jaccard(*arrays) == slow_jaccard(left, right)


# mining ---------------------------------------------------------------------------------------------------------------


def phrase(text: str, **more: Any) -> dict[str, Any]:
    """A phrase of 30 rows, all in chunk a, by far more typical of it than chance."""
    known = {"side": "query", "phrase": text, "position": "anywhere", "tokens": len(text.split()), "rows": 30,
             "top_chunk": "a", "top_chunk_rows": 30, "top_chunk_share": 1.0, "phrase_z_score": 9.0,
             "second_chunk": None, "second_chunk_rows": None, "shared_z_score": None}  # fmt: skip
    return known | more


SHARED = {"second_chunk": pl.String, "second_chunk_rows": pl.Int64, "shared_z_score": pl.Float64}


def mined(*phrases: dict[str, Any], **more: Any) -> list[str]:
    limits: dict[str, Any] = {"mix_rows": 1_000, "min_rows": 20, "per_chunk": 60, "min_share": 0.25} | more
    features = mine_phrases(pl.DataFrame(list(phrases), schema_overrides=SHARED), **limits)
    assert {(feature.kind, feature.origin) for feature in features} <= {("keyword", "mined")}
    return sorted(feature.definition for feature in features)


@pytest.mark.parametrize(
    ("change", "is_taken"),
    [
        ({}, True),
        ({"rows": 20}, True),
        ({"rows": 19}, False),
        ({"rows": 400}, True),
        ({"rows": 401}, False),
        ({"phrase_z_score": 5.0}, True),
        ({"phrase_z_score": 4.99}, False),
        ({"phrase_z_score": None}, False),
        ({"top_chunk_share": 0.25}, True),
        ({"top_chunk_share": 0.24}, False),
        ({"phrase_z_score": 3.0, "second_chunk": "b", "second_chunk_rows": 15, "shared_z_score": 5.0}, True),
        ({"phrase_z_score": 3.0, "second_chunk": "b", "second_chunk_rows": 15, "shared_z_score": 4.99}, False),
        ({"phrase_z_score": 0.0, "position": "opening"}, True),  # a frame, wherever it comes from
        ({"rows": 401, "position": "closing"}, False),
    ],
)
def test_phrases_are_frequent_typical_and_not_everywhere(change: dict[str, Any], is_taken: bool) -> None:
    known = [phrase("other words", phrase_z_score=7.0, rows=31), phrase("the phrase", **change)]
    assert ("the phrase" in mined(*known)) is is_taken


def test_each_chunk_side_and_position_has_a_quota_for_its_most_typical_phrases() -> None:
    known = [
        phrase(f"{chunk} {side} {n}", top_chunk=chunk, side=side, phrase_z_score=10.0 + n, rows=30 + n)
        for chunk in "ab"
        for side in ("query", "response")
        for n in range(5)
    ]
    assert mined(*known, per_chunk=2) == sorted(
        f"{chunk} {side} {n}" for chunk in "ab" for side in ("query", "response") for n in (3, 4)
    )


def test_each_doubling_of_rows_has_a_quota_of_its_own() -> None:
    counts = {"rare": 31, "rarer": 30, "frequent": 32, "most frequent": 63, "as frequent": 60}
    known = [phrase(text, rows=n, top_chunk_rows=n, phrase_z_score=float(n)) for text, n in counts.items()]
    assert mined(*known, per_chunk=1) == ["most frequent", "rare"]
    assert mined(*known, per_chunk=2) == ["as frequent", "most frequent", "rare", "rarer"]


def test_two_chunks_that_share_phrases_have_a_third_of_a_quota_whichever_is_first() -> None:
    known = [
        phrase(f"{one}{other} {n}", phrase_z_score=0.0, top_chunk=one, second_chunk=other, second_chunk_rows=10,
               rows=40 + n, shared_z_score=9.0 + n)
        for one, other in ("ab", "ba", "ac") for n in range(3)
    ]  # fmt: skip
    assert mined(*known, per_chunk=6) == ["ab 2", "ac 1", "ac 2", "ba 2"]
    assert mined(*known, per_chunk=1) == ["ab 2", "ac 2"]


def test_of_phrases_with_the_same_counts_those_in_longer_ones_are_left_out() -> None:
    assert mined(*(phrase(text) for text in ("b c", "a b c d", "a b c", "b c d", "c d e"))) == ["a b c d", "c d e"]
    assert mined(*(phrase(text) for text in "abcdef")) == ["a", "b", "c"]
    known = [phrase("a b c d"), phrase("a b", rows=31), phrase("b c", top_chunk="b"), phrase("c d", side="response")]
    assert len(mined(*known)) == 4


def test_mining_does_not_depend_on_the_order_of_phrases() -> None:
    known = [
        phrase(f"w{n}", position=place, rows=20 + n % 7, phrase_z_score=float(n % 11))
        for n, place in enumerate(["opening", "closing", "anywhere"] * 60)
    ]
    limits = {"mix_rows": 1_000, "min_rows": 20, "per_chunk": 3, "min_share": 0.25}
    first = mine_phrases(pl.DataFrame(known, schema_overrides=SHARED), **limits)
    shuffled = random.Random(1).sample(known, len(known))
    assert first == mine_phrases(pl.DataFrame(shuffled, schema_overrides=SHARED), **limits)
    assert len({feature.feature_id for feature in first}) == len(first) > 10


# the user's own -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- [", "no valid YAML"),
        ("name: x", "holds no list"),
        ("- x", "feature 1 is no mapping"),
        ("- {name: x, side: query, phrase: 3}", "feature 1 is no mapping"),
        ("- {side: query, phrase: x}", "needs name"),
        ("- {name: x, phrase: x}", "needs name, side"),
        ("- {name: x, side: both, phrase: x}", "query or response"),
        ("- {name: x, side: query}", "one of phrase, regex, sql"),
        ("- {name: x, side: query, phrase: x, regex: x}", "one of phrase, regex, sql"),
        ("- {name: x, side: query, phrase: x, color: red}", "does not know color"),
        ("- {name: x, side: query, phrase: ' '}", "phrase is empty"),
        ("- {name: x, side: query, sql: ''}", "sql is empty"),
        ("- {name: x, side: query, regex: '('}", "feature 1: .*regex"),
        ("- {name: x, side: query, regex: 'a(?!b)'}", "look-around"),
        ("- {name: a, side: query, phrase: x}\n- {name: b, side: query, regex: '['}", "feature 2"),
    ],
)
def test_a_bad_entry_is_named_with_its_remedy(text: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)own\.yaml.*{message}") as caught:
        parse_yaml(Path("own.yaml"), text)
    assert caught.value.remedy


def test_yaml_features() -> None:
    text = "- {name: a, side: query, phrase: x}\n- {name: b, side: response, regex: '(?i)y', text: says y}\n"
    assert parse_yaml(Path("own.yaml"), text) == [
        Feature("phrase", "query", "a", "matches a", "x", origin="user"),
        Feature("regex", "response", "b", "says y", "(?i)y", origin="user"),
    ]
    assert parse_yaml(Path("own.yaml"), "# nothing yet\n") == []


def test_sql_features() -> None:
    feature = parse_sql(Path("two_parts.sql"), "-- query: asks: twice\nselect row_id\nfrom corpus.rows;\n")
    assert feature == Feature("sql", "query", "two_parts", "asks: twice", "select row_id\nfrom corpus.rows",
                              origin="user")  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "select row_id from x", "-- both: x\nselect 1", "-- query x\nselect 1", "-- query: x\n  \n"]
)
def test_a_sql_feature_without_side_text_or_query_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"own\.sql: the first line must be"):
        parse_sql(Path("own.sql"), text)


def test_a_folder_is_read_in_order_and_says_what_comes_twice(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "absent") == []
    (tmp_path / "b.yaml").write_text("- {name: second, side: query, phrase: x}")
    (tmp_path / "a.yml").write_text("- {name: first, side: response, phrase: x}")
    (tmp_path / "c.sql").write_text("-- query: third\nselect row_id from corpus.rows")
    (tmp_path / "notes.txt").write_text("- not a feature")
    assert [feature.name for feature in read_folder(tmp_path)] == ["first", "second", "c"]
    (tmp_path / "d.yaml").write_text("- {name: again, side: query, phrase: x}")
    with pytest.raises(InputError, match="'second' and 'again' say the same"):
        read_folder(tmp_path)
