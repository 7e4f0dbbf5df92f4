"""Templates, invented strings and sentence cutting."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.planted.lexicon import TOPICS
from chunky.planted.wording import Inventor, raise_first, render, sentences, stream


def test_choices_nest_and_slots_are_filled() -> None:
    readings = {render("[a|b[c|]] {x}{X}", Random(seed), {"x": "é"}) for seed in range(60)}
    assert readings == {"a éÉ", "b éÉ", "bc éÉ"}


def test_slots_with_several_values_are_drawn() -> None:
    assert {render("{x}", Random(seed), {"x": ("p", "q")}) for seed in range(30)} == {"p", "q"}


def test_an_unknown_slot_is_an_error() -> None:
    with pytest.raises(KeyError):
        render("{nothing}", Random(0))


@settings(deadline=None, max_examples=80)
@given(st.text(alphabet=st.characters(exclude_characters="[]{}|", exclude_categories=("Cs",)), max_size=40))
def test_plain_text_is_its_own_reading(text: str) -> None:
    assert render(text, Random(0)) == text


@settings(deadline=None, max_examples=80)
@given(st.text(alphabet="ab. !?\n。", max_size=60))
def test_sentences_lose_nothing_but_white_space(text: str) -> None:
    pieces = sentences(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece == piece.strip() and piece for piece in pieces)


def test_sentences_are_cut_after_their_ends() -> None:
    assert sentences("One. Two! Three\n- four? five") == ["One.", "Two!", "Three", "- four?", "five"]


def test_names_never_repeat_and_streams_do() -> None:
    inventor = Inventor(stream(4, "names"))
    names = [inventor.name() for _ in range(500)]
    assert len(set(names)) == 500
    assert all(name.isalpha() and name.istitle() and 4 <= len(name) <= 16 for name in names)
    again = Inventor(stream(4, "names"))
    assert [again.name() for _ in range(500)] == names
    other = Inventor(stream(5, "names"))
    assert len(set(names) & {other.name() for _ in range(500)}) < 10


def test_phrases_and_remarks_read_as_such() -> None:
    inventor = Inventor(stream(4, "phrases"))
    for _ in range(300):
        phrase, remark = inventor.phrase(), inventor.remark()
        assert phrase[0].islower()
        assert phrase[-1].isalpha()
        assert len(phrase.split()) >= 3
        assert remark[0].isupper()
        assert remark.endswith(".")
        assert not set("[]{}|") & set(phrase + remark)


def test_raise_first_keeps_the_rest() -> None:
    assert raise_first("iPhone") == "IPhone"
    assert raise_first("") == ""


def test_topics_fit_the_templates() -> None:
    assert len(TOPICS) >= 20
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    for topic in TOPICS:
        assert len(set(topic.things)) >= 8
        assert len(topic.actions) >= 5
        assert all(problem[0].islower() and problem[-1].isalpha() for problem in topic.problems)
        assert all(tip[0].isupper() and tip.endswith(".") and not tip.endswith("..") for tip in topic.tips)
