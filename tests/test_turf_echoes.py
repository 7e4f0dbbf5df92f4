"""Echoes: one thing said of both sides."""

from __future__ import annotations

import pytest

from chunky.turf import is_echo


@pytest.mark.parametrize(
    ("query", "response", "expected"),
    [
        ("The query is written in Greek script.", "The response is written in Greek script.", True),
        ("The query is written in Greek script.", "The response is written in Cyrillic script.", False),
        ("The query is about “river, boat”.", "The response opens with a sentence about “Boat, sail”.", True),
        ("The query contains “in the”.", "The response contains “in the”.", True),
        ("The query contains “in the end”.", "The response contains “in the way”.", False),
        ("The query contains “zorpal”.", "The response apologizes.", False),
        ("The query says boat.", "The response is about “boat”.", False),
        ("The query is about “天气, 很好”.", "The response contains “天气”.", True),
        ("", "The response apologizes.", False),
        ("", "", True),
    ],
)
def test_an_echo_shares_a_quoted_word_or_says_the_same(query: str, response: str, expected: bool) -> None:
    assert is_echo(query, response) is expected
