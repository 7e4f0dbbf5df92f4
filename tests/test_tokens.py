"""Run with `pytest tests/test_tokens.py`: tokens against the oracle, patterns against two engines."""

from __future__ import annotations

import random
import unicodedata

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import SettingsError
from chunky.tokens import NUMBER, mix64, phrase_pattern, tokenize, tokenize_slow
from chunky.tokens.alphabet import DIGIT, JOINER, SOLO, alphabet, char_class, fold

# Every class, every fold, every border case of the rules, and signs that mean something in a regular expression.
ALPHABET = [
    *"abKkſSs.,'’ \n\t0129##`$\\{}⟨⟩〈n中文ก๑é\u0301½²❤\ufe0f\u200d\u00a0\u0085ΣσςİßẞⒶⓐ-[]^&~<>|_()*+?/",
    *("don't", "3.14", NUMBER, "\u1fd3", "\u0390", "\ufb05", "\ufb06", "  ", "...", "```"),
]
TEXT = st.lists(st.sampled_from(ALPHABET), max_size=14).map("".join)


def words(text: str) -> list[str]:
    return [token.lstrip(" ") for token in tokenize_slow(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("No, don't!", ["no", ",", " don't", "!"]),
        ("#### 42", ["####", f" {NUMBER}"]),
        ("#### 7", ["####", f" {NUMBER}"]),
        (r"\frac{1}{20}", ["\\", "frac", "{", NUMBER, "}", "{", NUMBER, "}"]),
        ("def f(x):", ["def", " f", "(", "x", ")", ":"]),
        ("1,234.5 or v2.0, 1st", [NUMBER, " or", " v2.0", ",", " 1st"]),
        ("5.", [NUMBER, "."]),
        ("```python", ["```", "python"]),
        ("wait...what", ["wait", "...", "what"]),
        ("'quoted' rock'n'roll dogs'", ["'", "quoted", "'", " rock'n'roll", " dogs", "'"]),
        ("我有3个", ["我", "有", NUMBER, "个"]),
        ("สวัส", ["ส", "ว", "ั", "ส"]),
        ("Ünïcode STRASSE ſ", ["ünïcode", " strasse", " s"]),
        ("⟨n⟩", ["〈", "n", "〉"]),
        ("❤️yes", ["❤", "\ufe0f", "yes"]),
        ("a\u00a0b\u3000c", ["a", " b", " c"]),
    ],
)
def test_tokens_of_known_texts(text: str, expected: list[str]) -> None:
    assert tokenize_slow(text) == expected


@settings(deadline=None, max_examples=100)
@given(st.lists(st.one_of(TEXT, st.text(max_size=12), st.none()), max_size=6))
def test_arrays_agree_with_the_oracle(texts: list[str | None]) -> None:
    tokens = tokenize(pl.Series(texts, dtype=pl.String))
    spelled = tokens.phrases(np.arange(len(tokens)), np.ones(len(tokens), np.int64)).to_pylist()
    assert len(tokens.row_offsets) == len(texts) + 1
    for row, text in enumerate(texts):
        start, stop = tokens.row_offsets[row : row + 2]
        slow = tokenize_slow(text or "")
        assert spelled[start:stop] == [token.lstrip(" ") for token in slow]
        assert tokens.space_before[start + 1 : stop].tolist() == [token[0] == " " for token in slow[1:]]
        if slow:
            assert tokens.phrases(np.array([start]), np.array([stop - start])).to_pylist() == ["".join(slow)]


@settings(deadline=None, max_examples=100)
@given(st.lists(TEXT, min_size=1, max_size=6))
def test_equal_hashes_mean_equal_tokens(texts: list[str]) -> None:
    tokens = tokenize(pl.Series(texts))
    spelled = [word for text in texts for word in words(text)]
    assert len(set(zip(spelled, tokens.hashes.tolist(), strict=True))) == len(set(spelled)) == len(set(tokens.hashes))


def test_a_slice_of_an_array_is_cut_like_the_whole() -> None:
    texts = pl.Series(["中 first", "second é", None, "third"]).to_arrow()
    sliced = tokenize(texts.slice(1, 2))
    assert sliced.phrases(np.arange(len(sliced)), np.ones(len(sliced), np.int64)).to_pylist() == ["second", "é"]


def test_numbers_keep_their_digits_when_asked() -> None:
    masked, kept = (tokenize(pl.Series(["3 4", "3 3"]), mask_numbers=mask) for mask in (True, False))
    assert len(set(masked.hashes.tolist())) == 1
    assert kept.hashes[0] != kept.hashes[1]
    assert kept.hashes[0] == kept.hashes[2] == kept.hashes[3]


def test_text_is_left_out_when_not_wanted() -> None:
    texts = pl.Series(["one 2 three"])
    bare = tokenize(texts, with_text=False)
    assert bare.hashes.tolist() == tokenize(texts).hashes.tolist()
    assert not len(bare.codes)


def test_hashes_never_change() -> None:
    # phrase_id is on disk: a new version of an engine must not renumber the lake
    assert tokenize(pl.Series(["The ####", "中"])).hashes.tolist() == [
        6648878754307727166,
        16174919089157827253,
        18269081386293655398,
    ]
    assert len(np.unique(mix64(np.arange(100_000, dtype=np.uint64)))) == 100_000


def test_folding_keeps_the_class_of_every_character() -> None:
    codes = [code for code in range(0x20000) if not 0xD800 <= code < 0xE000]
    for code in codes:
        char = chr(code)
        folded = fold(char)
        assert fold(folded) == folded
        kinds = {char_class(char), char_class(folded)}
        assert len(kinds) == 1, hex(code)
        # what follows a joiner or a dot is decided by category in the patterns
        assert not (unicodedata.category(char) == "Nd" and char_class(char) != DIGIT)
        assert not (char_class(char) == JOINER and unicodedata.category(char)[0] in "LMN")
    tables = alphabet()
    assert tables.classes[codes].tolist() == [char_class(chr(code)) for code in codes]
    assert tables.classes[0x20000] == tables.classes[0x323AF] == SOLO


@pytest.mark.parametrize("position", ["anywhere", "opening", "closing"])
@settings(deadline=None, max_examples=40)
@given(texts=st.lists(TEXT, min_size=1, max_size=8), draw=st.integers(0, 2**32))
def test_a_pattern_matches_the_rows_that_hold_the_phrase(position: str, texts: list[str], draw: int) -> None:
    slow = [tokenize_slow(text) for text in texts]
    phrases = sorted({phrase for tokens in slow for phrase in spans(tokens, "anywhere")})
    column = pl.Series(texts)
    for phrase in random.Random(draw).sample(phrases, min(len(phrases), 5)):
        expected = [phrase in spans(tokens, position) for tokens in slow]
        pattern = phrase_pattern(phrase, position)
        assert column.str.contains(pattern).to_list() == expected, (phrase, pattern)
        in_order = "select list(regexp_matches(t, $2) order by i) from unnest($1) with ordinality as texts(t, i)"
        assert duckdb.execute(in_order, [texts, pattern]).fetchall() == [(expected,)], (phrase, pattern)


def spans(tokens: list[str], position: str) -> set[str]:
    sizes = range(1, min(5, len(tokens)) + 1)
    if position == "opening":
        found = [tokens[:size] for size in sizes]
    elif position == "closing":
        found = [tokens[-size:] for size in sizes]
    else:
        found = [tokens[at : at + size] for size in sizes for at in range(len(tokens) - size + 1)]
    return {"".join(span).lstrip(" ") for span in found}


def test_a_pattern_takes_a_phrase_as_people_write_it() -> None:
    texts = pl.Series(["It is STEP 12, done", "step1", "misstep 3", "step\n\n4"])
    assert texts.str.contains(phrase_pattern("Step 1")).to_list() == [True, False, False, True]


def test_a_phrase_without_words_has_no_pattern() -> None:
    with pytest.raises(SettingsError, match="at least one word"):
        phrase_pattern("  ")
