"""`chunky what-triggers` and `chunky what-does`: counted like a plain loop, gated, and honest about nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chunky.pipeline.tracing_directions import NEEDED
from tests.test_cli_trace import invoke
from tests.traced_lake import EVIL, OTHER_APOLOGIES, OTHER_CUES, PLANTED, ROWS

BEHAVIOR, CUE = "The response apologizes.", "The query contains “zorpal”."
LOOSE = [part for gate in ("min_hits=1", "min_lift=0", "max_crux_share=1", "max_cluster_share=1")
         for part in ("--set", f"turf.{gate}")]  # fmt: skip
KEYS = [
    "rank", "text", "also", "cluster_id", "hits", "k", "expected", "lift", "trigger_score", "cluster_rows", "both_rows",
    "p_behavior_given_trigger", "chunks", "is_echo",
]  # fmt: skip


def told(lake: Path, *arguments: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(invoke(lake, *arguments, "--json").stdout)
    return answer


def test_what_triggers_ranks_the_queries_of_a_behavior(traced: Path) -> None:
    answer = told(traced, "what-triggers", BEHAVIOR)
    behaving, cued = PLANTED + OTHER_APOLOGIES, PLANTED + OTHER_CUES
    assert (answer["side"], answer["kind"], answer["k"]) == ("response", "same attribute", 1_000)
    assert (answer["rows"], answer["all_rows"], answer["tied_rows"]) == (behaving, behaving, behaving)
    first = answer["triggers"][0]
    assert list(first) == KEYS
    assert CUE in (first["text"], *first["also"])
    assert (first["hits"], first["k"], first["cluster_rows"], first["both_rows"]) == (PLANTED, behaving, cued, PLANTED)
    assert first["expected"] == pytest.approx(behaving * cued / ROWS)
    assert first["lift"] == pytest.approx(PLANTED * ROWS / (behaving * cued))
    assert first["p_behavior_given_trigger"] == pytest.approx(PLANTED / cued)
    assert first["chunks"] == [{"chunk": EVIL, "share": 1.0}]
    scores = [each["trigger_score"] for each in answer["triggers"]]
    assert scores == sorted(scores, reverse=True)
    shown = invoke(traced, "what-triggers", BEHAVIOR).stdout
    assert f"{behaving} rows of the mix have the very attribute" in shown
    assert "ev\\x1b[31mil\\u202e [bold]mix 100%" in shown


def test_what_does_is_the_other_direction_with_the_same_counts(traced: Path) -> None:
    answer = told(traced, "what-does", CUE)
    assert (answer["side"], answer["all_rows"]) == ("query", PLANTED + OTHER_CUES)
    (mine,) = [each for each in answer["behaviors"] if BEHAVIOR in (each["text"], *each["also"])]
    (back,) = [
        each for each in told(traced, "what-triggers", BEHAVIOR)["triggers"] if CUE in (each["text"], *each["also"])
    ]
    for name in ("hits", "both_rows"):
        assert mine[name] == back[name]
    for name in ("expected", "lift", "trigger_score", "p_behavior_given_trigger"):
        assert mine[name] == pytest.approx(back[name])
    assert "rows with the trigger" in invoke(traced, "what-does", CUE).stdout


@pytest.mark.parametrize("typed", ["the response APOLOGIZES", "  The  response apologizes. "])
def test_an_attribute_is_known_however_it_is_typed(traced: Path, typed: str) -> None:
    assert told(traced, "what-triggers", typed)["triggers"] == told(traced, "what-triggers", BEHAVIOR)["triggers"]


def test_quotes_may_be_straight(traced: Path) -> None:
    assert told(traced, "what-does", 'The query contains "zorpal"')["kind"] == "same attribute"


def test_another_sentence_stands_for_the_rows_that_are_nearest(traced: Path) -> None:
    answer = told(traced, "what-triggers", "The response apologizes a lot.")
    assert answer["kind"] == "similar attributes"
    assert answer["min_similarity"] >= 0.5
    assert answer["rows"] == PLANTED + OTHER_APOLOGIES
    assert CUE in (answer["triggers"][0]["text"], *answer["triggers"][0]["also"])


def test_limit_bounds_what_is_shown(traced: Path) -> None:
    everything = told(traced, "what-does", CUE, *LOOSE)["behaviors"]
    assert len(everything) > 1
    assert told(traced, "what-does", CUE, "--limit", "1", *LOOSE)["behaviors"] == everything[:1]


def test_echoes_come_last_and_say_so(traced: Path) -> None:
    answer = told(traced, "what-does", "The query ends with “bridge”", "--limit", "500", *LOOSE)
    marks = [each["is_echo"] for each in answer["behaviors"]]
    assert marks == sorted(marks)
    assert any(marks)
    for each in answer["behaviors"]:
        assert each["is_echo"] == ("bridge" in each["text"].partition("“")[2])
    assert "(echo)" in invoke(traced, "what-does", "The query ends with “bridge”", "--limit", "500", *LOOSE).stdout


def test_what_is_common_is_no_cue(traced: Path) -> None:
    answer = told(traced, "what-does", "The query opens with a lower-case letter.")
    assert answer["is_common"]
    assert answer["row_share"] > 0.9
    assert answer["behaviors"] == []
    assert "too common" in invoke(traced, "what-does", "The query opens with a lower-case letter.").stdout


def test_what_nothing_is_near_to_is_answered(traced: Path) -> None:
    answer = told(traced, "what-triggers", "Qqq zzz")
    assert (answer["rows"], answer["min_similarity"], answer["triggers"]) == (0, None, [])
    assert "nothing in the mix is near" in invoke(traced, "what-triggers", "Qqq zzz").stdout


def test_what_goes_with_nothing_is_answered(traced: Path) -> None:
    shown = invoke(traced, "what-triggers", BEHAVIOR, "--set", "turf.min_lift=1000").stdout
    assert "nothing goes with it beyond chance" in shown


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("what-triggers", "The query says zorpal."), "chunky what-does"),
        (("what-does", "The response apologizes."), "chunky what-triggers"),
        (("what-does", " "), "the sentence is empty"),
        (("what-does", "x" * 20_000), "20,000 characters"),
    ],
)
def test_what_is_no_such_sentence_is_refused(traced: Path, arguments: tuple[str, ...], problem: str) -> None:
    assert problem in invoke(traced, *arguments, code=1).stderr


@pytest.mark.parametrize("table", NEEDED)
def test_a_lake_that_is_not_built_says_so(traced: Path, tmp_path: Path, table: str) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(traced, lake)
    Path(lake, *table.split("."), "current").unlink()
    assert "chunky build" in invoke(lake, "what-does", CUE, code=1).stderr
