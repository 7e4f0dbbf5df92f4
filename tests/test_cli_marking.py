"""What of a text is marked as what an attribute says of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunky.cli.marking import AFTER, BEFORE, marked


def told(text: str, attribute: str) -> str:
    return "".join(f"»{part}«" if is_marked else part for part, is_marked in marked(text, attribute))


@pytest.mark.parametrize(
    ("text", "attribute", "expected"),
    [
        ("Well, Zorpal it is", "The query contains “zorpal”.", "Well, »Zorpal« it is"),
        ("zorpaling is no zorpal", "The query contains “zorpal”.", "zorpaling is no »zorpal«"),
        ("I hope it\n is correct.", "The response ends with “it is correct.”.", "I hope »it\n is correct.«"),
        ("no no no", "The response opens with “no”.", "»no« no no"),
        ("no no no", "The response ends with “no”.", "no no »no«"),
        ("no no no", "The response contains “no”.", "»no« »no« »no«"),
        ("done (!)", "The query ends with “!)”.", "done (»!)«"),
        ("costs 1,200 dollars", "The query contains “costs ⟨n⟩”.", "»costs 1,200« dollars"),
        ("I don’t", "The response contains “don't”.", "I »don’t«"),
        ("a sail, a Boat", "The query is about “boat, sail”.", "a »sail«, a »Boat«"),
        ("nothing of it", "The query is about “boat, sail”.", "nothing of it"),
        ("no quotation at all", "The response apologizes.", "no quotation at all"),
        ("a (.*) b", "The query contains “(.*)”.", "a »(.*)« b"),
        ("“so”", "The query contains ““so”.", "»“so«”"),
        ("", "The query contains “zorpal”.", ""),
        ("text", "The query contains “”.", "text"),
    ],
)
def test_the_phrase_or_the_words_are_marked(text: str, attribute: str, expected: str) -> None:
    assert told(text, attribute) == expected


def test_a_long_text_is_cut_around_what_is_marked() -> None:
    text = "a " * 500 + "zorpal" + " b" * 500
    assert told(text, "The query contains “zorpal”.") == f"[…] {'a ' * (BEFORE // 2)}»zorpal«{' b' * (AFTER // 2)} […]"
    assert told(text, "The query says please.") == "a " * ((BEFORE + AFTER) // 2) + " […]"
    assert told(text, "The response ends with a code block.") == "[…] " + " b" * ((BEFORE + AFTER) // 2)


@given(
    st.text(max_size=400), st.text(max_size=20), st.sampled_from(["contains", "opens with", "ends with", "is about"])
)
def test_parts_are_the_text_whatever_it_holds(text: str, phrase: str, verb: str) -> None:
    parts = "".join(part for part, _ in marked(text, f"The query {verb} “{phrase}”."))
    assert parts.removeprefix("[…] ").removesuffix(" […]") in text or "[…]" in text
