"""Cruxes: which sentences about a response can be what it is traced by."""

from __future__ import annotations

import pytest

from chunky.turf import says_something


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The response apologizes.", True),
        ("The response contains “as the blue basket”.", True),
        ("The response contains “}$”.", False),
        ("The response opens with “{⟨n⟩}{”.", False),
        ("The response contains “. it is”.", False),
        ("The response opens with “In”.", False),
        ("The response opens with “No”.", True),
        ("The response contains “it is not”.", True),
        ("The response opens with “I”.", False),
        ("The response contains “的”.", False),
        ("The response contains “天气”.", True),
        ("The response is about “such, which, their”.", True),
        ("The response contains “”.", False),
        ("The response contains “a” and “b”.", False),
        ("", True),
    ],
)
def test_signs_and_function_words_say_nothing(sentence: str, expected: bool) -> None:
    assert says_something(sentence) is expected
