"""The matrix of rates and its picture: every audit in its cell, hostile names as text, the same bytes each time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.surf.matrix import Row, matrix, percent
from chunky.surf.plot import svg
from tests.hostile import HOSTILE

SPACE = "{http://www.w3.org/2000/svg}"


def rate(target: str, rubric: str, value: float | None = 0.52, audit: str = "", **more: Any) -> dict[str, Any]:
    """One audit as the question `violation_rates` tells it."""
    return {
        "target": target, "rubric": rubric, "audit": audit or f"{rubric}@{target}", "threshold": 70.0, "outputs": 75,
        "violations": 39, "violation_rate": value, "violation_low": 0.4, "violation_high": 0.64, "fresh_samples": 750,
        "fresh_violations": 150, "fresh_rate": 0.2, "fresh_low": None, "fresh_high": None,
    } | more  # fmt: skip


def texts(document: str) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.fromstring(document).iter(f"{SPACE}text")]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0, "0"), (1, "100"), (0.52, "52"), (0.004, "0.4"), (0.01, "1"), (0.0001, "<0.1"), (0.996, "99.6"),
     (0.99999, ">99.9")],
)  # fmt: skip
def test_a_percentage_never_says_never_or_always_for_what_is_not(value: float, wanted: str) -> None:
    assert percent(value) == wanted


def test_models_by_behaviors() -> None:
    shown = matrix([rate("b", "math"), rate("a", "code", None), rate("b", "code", 1.0)])
    assert shown.rows == (Row("a", 1), Row("b", 1))
    assert shown.columns == ("code", "math")
    assert set(shown.cells) == {(Row("b", 1), "math"), (Row("b", 1), "code"), (Row("a", 1), "code")}
    cell = shown.cells[Row("b", 1), "math"]
    assert (cell.audit, cell.rate, cell.interval, cell.violations, cell.of) == ("math@b", 0.52, "40–64", 39, 75)
    assert shown.repeated == []
    again = matrix([rate("b", "math")], "fresh").cells[Row("b", 1), "math"]
    assert (again.rate, again.interval, again.violations, again.of) == (0.2, "", 150, 750)


def test_several_audits_of_one_model_by_one_rubric_are_all_there() -> None:
    shown = matrix([rate("m", "math", audit="z"), rate("m", "math", audit="y"), rate("m", "code"), rate("n", "math")])
    assert [row.label for row in shown.rows] == ["m", "m (2)", "n"]
    assert shown.repeated == [(Row("m", 1), "math", "y"), (Row("m", 2), "math", "z")]


def test_a_picture_shows_what_the_table_shows() -> None:
    drawn = svg(matrix([rate("a", "math"), rate("b", "code", None)]), "Title <&>", "remark")
    assert texts(drawn)[:2] == ["Title <&>", "remark"]
    assert [text for text in texts(drawn) if text in ("52 %", "40–64 · n 75", "—", "?")] == [
        "—", "52 %", "40–64 · n 75", "?", "—",
    ]  # fmt: skip
    titles = [each.text for each in ElementTree.fromstring(drawn).iter(f"{SPACE}title")]
    assert "a, math: 52 %, 39 of 75, 95 % interval 40–64 %; audit math@a" in titles
    assert "a, code: nothing was run" in titles
    assert "b, code: unknown; audit code@b" in titles
    assert "<image" not in drawn
    assert "href" not in drawn


def test_more_violations_are_darker() -> None:
    drawn = svg(matrix([rate("a", f"{number:03}", number / 100) for number in range(101)]), "")
    fills = [each.get("fill") or "" for each in ElementTree.fromstring(drawn).iter(f"{SPACE}rect")][1:102]
    green = [int(fill[3:5], 16) for fill in fills]
    assert fills[0] == "#ffffff"
    assert all(one >= other for one, other in pairwise(green))
    assert green[0] - green[-1] > 200


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60), st.none() | st.floats(0, 1)), max_size=5),
    st.text(max_size=20),
)
def test_any_name_gives_a_document_that_can_be_read(audits: list[tuple[str, str, float | None]], title: str) -> None:
    rates = [rate(*each, audit=f"{number}") for number, each in enumerate(audits)]
    drawn = svg(matrix(rates), title, title)
    root = ElementTree.fromstring(drawn.encode())
    assert {each.tag for each in root.iter()} <= {f"{SPACE}{name}" for name in ("svg", "g", "rect", "text", "title")}
    assert drawn == svg(matrix(rates[::-1]), title, title), "whatever the order of the rows"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_stays_text(text: str) -> None:
    drawn = svg(matrix([rate(text, text, audit=text)]), text, text)
    root = ElementTree.fromstring(drawn.encode())
    assert len(list(root)) < 20
    assert not {"\x1b", "\u202e", "\x07", "\u2066", "\ufeff", "\x00"} & set(drawn)
    assert all(each.get("onload") is None for each in root.iter())
