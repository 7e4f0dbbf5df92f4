"""Shapes: every one has texts that carry it and texts that do not; none is ever null; none is slow on long texts."""

from __future__ import annotations

import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import InputError, SettingsError
from chunky.shapes import SHAPES, SIDES, Shape, evaluate, shape
from tests.shape_examples import EXAMPLES

NAMES = [each.name for each in SHAPES]
ODD_TEXTS = [
    "",
    " ",
    "\n\n",
    "\x00",
    "\u200b",
    "e\u0301",
    "🏳️‍🌈",
    "ﷺ",
    "\U0010ffff",
    "a" * 5000,
    "$" * 99,
    "```",
    "|" * 50,
]


def has(each: Shape, texts: list[str]) -> list[bool]:
    return pl.DataFrame({"x": texts}).select(each.expression(pl.col("x")).alias("y"))["y"].to_list()


def test_every_shape_has_examples_and_every_example_a_shape() -> None:
    assert set(EXAMPLES) == set(NAMES)
    assert all(len(carrying) >= 2 and len(missing) >= 2 for carrying, missing in EXAMPLES.values())


@pytest.mark.parametrize("each", SHAPES, ids=NAMES)
def test_examples_have_the_shape_and_near_misses_do_not(each: Shape) -> None:
    carrying, missing = EXAMPLES[each.name]
    assert dict(zip(carrying, has(each, carrying), strict=True)) == dict.fromkeys(carrying, True)
    assert dict(zip(missing, has(each, missing), strict=True)) == dict.fromkeys(missing, False)


def test_names_are_unique_snake_case_and_texts_complete_a_sentence() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert len({each.text for each in SHAPES}) == len(SHAPES)
    for each in SHAPES:
        assert each.name.isidentifier()
        assert each.name == each.name.lower()
        assert each.text == each.text.strip()
        assert each.text[0].islower()
        assert each.text[-1] != "."
        assert each.sides in {("query",), ("response",), SIDES}


def test_each_side_has_at_least_sixty_shapes() -> None:
    assert all(sum(side in each.sides for each in SHAPES) >= 60 for side in SIDES)


@pytest.mark.parametrize("side", SIDES)
def test_evaluate_agrees_with_each_expression_alone(side: str) -> None:
    texts = ODD_TEXTS + [text for pair in EXAMPLES.values() for part in pair for text in part]
    frame = evaluate(pl.Series(texts), side)
    expected = [each for each in SHAPES if side in each.sides]
    assert frame.columns == [each.name for each in expected]
    assert set(frame.dtypes) == {pl.Boolean()}
    assert {each.name: frame[each.name].to_list() for each in expected} == {
        each.name: has(each, texts) for each in expected
    }


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(), max_size=5), st.sampled_from(SIDES))
def test_evaluate_takes_any_text_and_never_gives_null(texts: list[str], side: str) -> None:
    frame = evaluate(pl.Series(texts, dtype=pl.String), side)
    assert frame.height == len(texts)
    assert frame.null_count().sum_horizontal().sum() == 0


@settings(deadline=None, max_examples=10)
@given(st.lists(st.text(alphabet="a1 .?!\n*$\\`-:#é字[](){}\"'", max_size=60), min_size=2, max_size=6))
def test_a_text_has_the_same_shapes_in_any_company(texts: list[str]) -> None:
    together = evaluate(pl.Series(texts), "response")
    alone = pl.concat([evaluate(pl.Series([text]), "response") for text in texts])
    assert together.equals(alone)


@pytest.mark.parametrize("side", SIDES)
def test_the_empty_text_has_only_the_shape_of_being_short(side: str) -> None:
    row = evaluate(pl.Series([""]), side).row(0, named=True)
    assert [name for name, holds in row.items() if holds] == ["length_under_20"]


def test_no_texts_give_no_rows() -> None:
    assert evaluate(pl.Series([], dtype=pl.String), "query").height == 0


def test_length_bands_share_out_all_texts() -> None:
    bands = [name for name in NAMES if name.startswith("length_") and name != "length_limit"]
    texts = pl.Series(["x" * length for length in (0, 1, 19, 20, 79, 80, 299, 300, 999, 1000, 2999, 3000, 9999)])
    assert evaluate(texts, "response").select(bands).sum_horizontal().to_list() == [1] * len(texts)


LANGUAGES = NAMES[NAMES.index("english") : NAMES.index("swedish") + 1]


def test_a_text_is_in_at_most_one_latin_language() -> None:
    texts = pl.Series([text for name in LANGUAGES for part in EXAMPLES[name] for text in part])
    assert evaluate(texts, "query").select(LANGUAGES).sum_horizontal().max() == 1


def test_missing_texts_are_refused() -> None:
    with pytest.raises(InputError, match="1 of 2 texts are missing"):
        evaluate(pl.Series(["a", None]), "query")


def test_texts_must_be_strings() -> None:
    with pytest.raises(InputError, match="not of Int64"):
        evaluate(pl.Series([1, 2]), "query")


def test_an_unknown_side_is_an_error() -> None:
    with pytest.raises(SettingsError, match="`query` or `response`"):
        evaluate(pl.Series(["a"]), "system")


def test_shape_finds_by_name_and_side() -> None:
    assert shape("code_fence", "response").text == "contains a fenced code block"


def test_a_misspelled_shape_is_answered_with_near_names() -> None:
    with pytest.raises(SettingsError, match="code_fence"):
        shape("code_fense", "query")
    with pytest.raises(SettingsError, match="known: "):
        shape("zzzzzz", "query")
    with pytest.raises(SettingsError, match="no shape 'refusal' of a query"):
        shape("refusal", "query")


HOSTILE = [
    "a",
    "a ",
    "$",
    "1. ",
    "(",
    "[1,",
    "\\(",
    "`",
    "**a",
    "? ",
    "\n",
    "- a\n",
    "A: b\n",
    "字",
    "é ",
    "a,b,c\n",
    "<",
    '{"a":',
]


@pytest.mark.slow
@pytest.mark.parametrize("unit", HOSTILE)
def test_a_long_hostile_text_costs_linear_time(unit: str) -> None:
    # Quadratic work would take 16 times as long on four times the text, and minutes on a megabyte.
    def seconds(characters: int) -> float:
        text = pl.Series([(unit * characters)[:characters]])
        started = time.perf_counter()
        for side in SIDES:
            evaluate(text, side)
        return time.perf_counter() - started

    seconds(1000)
    assert seconds(1_000_000) < 10 * seconds(250_000) + 5
