"""How responses open and end: which sentence is which, and ids that tell the two apart."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from chunky.attributes.sentences import PARTS, sentences_of
from chunky.attributes.words import sentence

TEXTS = st.lists(st.text(alphabet="ab .!?\n。", max_size=30), max_size=12)


def told(*texts: str) -> list[tuple[int, str, str]]:
    return sentences_of(pl.Series(list(texts), dtype=pl.String)).select("place", "text_part", "sentence").rows()


def test_a_text_of_several_sentences_opens_with_one_and_ends_with_another() -> None:
    assert told("I am sorry. The river is long. Never forget that.") == [
        (0, "opening", "I am sorry."),
        (0, "closing", "Never forget that."),
    ]


def test_a_text_of_one_sentence_has_no_closing_and_a_blank_one_nothing() -> None:
    assert told("No.", " \n ", "", "  42  ") == [(0, "opening", "No."), (3, "opening", "42")]


def test_the_same_words_have_another_id_where_they_end() -> None:
    found = sentences_of(pl.Series(["Yes. Truly. No.", "No. Truly. Yes.", "Yes. Truly. No."]))
    ids = {(part, text): set(of["sentence_id"]) for (part, text), of in found.group_by("text_part", "sentence")}
    assert {len(own) for own in ids.values()} == {1}
    assert len(set.union(*ids.values())) == len(ids) == 4


def test_no_texts_are_no_sentences() -> None:
    assert told() == []


@given(TEXTS)
def test_every_text_is_told_by_its_own_sentences_alone(texts: list[str]) -> None:
    found = sentences_of(pl.Series(texts, dtype=pl.String))
    wanted = []
    for place, text in enumerate(texts):
        opening, closing = (sentence(pl.Series([text], dtype=pl.String), part)[0].strip() for part in PARTS)
        if opening:
            wanted.append((place, "opening", opening))
        if closing and closing != opening:
            wanted.append((place, "closing", closing))
    assert found.select("place", "text_part", "sentence").rows() == wanted
