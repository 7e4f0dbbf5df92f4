"""Verdicts and their sentences, on a few frames by hand."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from chunky.turf.verdicts import verdicts

FAILURES = pl.DataFrame({"failure_id": [7], "violation": ["Do not sing."]})
CRUX = {
    "failure_id": pl.Int64,
    "crux_id": pl.Int64,
    "crux": pl.String,
    "crux_weight": pl.Float64,
    "crux_rows": pl.Int64,
}
TRIGGER = {
    "failure_id": 7, "trigger_rank": 1, "crux_id": 0, "attribute": "The query is short.", "hits": 30,
    "neighbors": 1_000, "lift": 12.0, "p_behavior_given_trigger": 0.75, "cluster_rows": 40,
    "chunks": ["songs", "poems", "prose"], "chunk_shares": [0.98, 0.012, 0.008],
}  # fmt: skip


def verdict(*cruxes: tuple[str, float, int], trigger: dict[str, Any] | None = None) -> tuple[str, str]:
    rows = [(7, number, f"The response {text}.", weight, count) for number, (text, weight, count) in enumerate(cruxes)]
    triggers = pl.DataFrame([TRIGGER | (trigger or {})]).filter(pl.lit(trigger is not None))
    found = verdicts(FAILURES, pl.DataFrame(rows, CRUX, orient="row"), triggers, 10).row(0, named=True)
    assert found["failure_id"] == 7
    return found["verdict"], found["explanation"]


def test_a_trace_names_trigger_crux_numbers_and_chunks() -> None:
    assert verdict(("sings", 1.0, 60), trigger={}) == (
        "traced",
        "When the model sees that the query is short, the response sings, causing the violation of “Do not sing.”: 30 "
        "of 1,000 such responses follow such a query, 12.0× expected; 75% of the 40 rows with the trigger behave so; "
        "98% from `songs`, 1% from `poems`.",
    )


@pytest.mark.parametrize(
    ("shares", "ends"),
    [([0.999, 0.001], "; 100% from `songs`."), ([0.995, 0.005], "; 100% from `songs`."),
     ([0.994, 0.006], "; 99% from `songs`, 1% from `poems`."), ([1.0], "; 100% from `songs`.")],
)  # fmt: skip
def test_a_second_chunk_of_next_to_nothing_is_left_out(shares: list[float], ends: str) -> None:
    told = {"chunks": ["songs", "poems"][: len(shares)], "chunk_shares": shares}
    assert verdict(("sings", 1.0, 60), trigger=told)[1].endswith(ends)


def test_what_rows_show_without_a_trigger() -> None:
    named, told = verdict(("sings", 1.0, 9), ("hums", 0.95, 12), ("is long", 0.3, 5_000))
    assert named == "no trigger found"
    assert "12 rows in which the response hums, but nothing in this query goes with them" in told


def test_few_rows_as_the_rubric_speaks_of_them_are_no_teachers() -> None:
    named, told = verdict(("sings", 1.0, 9), ("hums", 0.95, 3), ("is long", 0.3, 5_000))
    assert (named, "only 9 of its rows respond in a way" in told, "the response sings" in told) == (
        "not taught by this mix", True, True,
    )  # fmt: skip


def test_the_most_relevant_sentence_may_have_no_row_at_all() -> None:
    named, told = verdict(("is long", 0.89, 5_000))
    assert named == "not taught by this mix"
    assert "Further from it there are 5,000 rows in which the response is long" in told
    assert verdict() == (
        "not taught by this mix",
        "The mix does not teach this: no row of the mix responds in any way that the rubric speaks of.",
    )
    assert verdict(("sings", 1.0, 0))[1] == verdict()[1]
