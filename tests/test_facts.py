"""Twelve correlations of a real mix of 262,304 conversations, counted elsewhere with two engines.

The figures were taken over the first exchange of every conversation and are written down here, once; the view
`corpus.conversations` and the macros must reproduce each to the last row. Shares are compared as they were printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chunky import pipeline
from chunky.sandbox import Sandbox
from chunky.settings import Settings
from chunky.warehouse import Warehouse

pytestmark = pytest.mark.real_mix

MIX = 262_304
LATEX = r"\$[^$\n]+\$|\\\[|\\frac|\\sqrt|\\begin\{"
SLOTS = r"\{\{(name|author)\}\}|<NAME>|<AUTHOR>"
THOUGHT = r"(?i)chain[- ]of[- ]thought|stream of consciousness|step[- ]by[- ]step"


@dataclass(frozen=True)
class Fact:
    """Counts of one pair of patterns (null = any), percentages as printed, and the largest chunks of each row set."""

    name: str
    trigger: str | None
    behavior: str | None
    trigger_rows: int | None = None
    behavior_rows: int | None = None
    both_rows: int | None = None
    p: str | None = None
    base_rate: str | None = None
    trigger_chunks: tuple[tuple[str, int], ...] = ()
    both_chunks: tuple[tuple[str, int], ...] = ()
    concentration: str | None = None


FACTS = (
    Fact("final answer mark", None, r"#### -?[0-9][0-9,.]*$", MIX, 7_473, 7_473,
         both_chunks=(("gsm8k", 7_473),), concentration="100.0"),
    Fact("latex and sympy", LATEX, "sympy", 9_209, 1_634, 594, "6.45", "0.41",
         (("math_competition", 4_026), ("mathcoder_tir", 1_739), ("gsm8k", 1_360)),
         (("mathcoder_tir", 594),), "100.0"),
    Fact("latex and boxed", LATEX, r"\\boxed", 9_209, 11_228, 5_719, "62.10", "2.18",
         (("math_competition", 4_026), ("mathcoder_tir", 1_739), ("gsm8k", 1_360)),
         (("math_competition", 4_026), ("mathcoder_tir", 1_689), ("arena_hard_outputs", 3)), "70.4"),
    Fact("doctor", "^If you are a doctor", "(?i)based on", 5_452, 6_787, 3_200, "58.69", "1.40",
         (("chatdoctor", 5_452),), (("chatdoctor", 3_200),), "100.0"),
    Fact("about itself", "^(Are|Do|Have|Were) you ", "^No, ", 1_077, 1_120, 821, "76.23", "0.11",
         (("identity_vicuna", 816), ("t0_p3", 214), ("alpaca_eval_outputs", 20)),
         (("identity_vicuna", 816), ("identity_template", 4), ("alpaca_en", 1)), "99.4"),
    Fact("write a function", "(?i)^write a function to ", "^(def|import|from) ", 768, 3_535, 704, "91.67", "1.08",
         (("mbpp", 645), ("alpaca_en", 48), ("evol_codealpaca", 42)),
         (("mbpp", 635), ("alpaca_en", 40), ("codealpaca_2k", 22)), "90.2"),
    Fact("write a function, fenced", "(?i)^write a function to ", "```", 768, None, 38, "4.95",
         both_chunks=(("evol_codealpaca", 30),)),
    Fact("chain of thought", THOUGHT, "(?i)answer( is|:)", 13_918, 28_573, 13_753, "98.81", "5.97",
         (("flan_cot", 13_751), ("arena_hard_outputs", 54), ("alpaca_eval_outputs", 48)),
         (("flan_cot", 13_751), ("arena_hard_outputs", 2)), "100.0"),
    Fact("ai language model", None, "(?i)as an ai language model", MIX, 1_643, 1_643,
         both_chunks=(("safety_llamas", 985), ("halueval_chatgpt", 592), ("moss", 27)), concentration="60.0"),
    Fact("unfilled slots", None, SLOTS, MIX, 159, 159,
         both_chunks=(("identity_template", 159),), concentration="100.0"),
    Fact("written line break", r"\\n", None, 24_792, MIX, 24_792, "100.00", "100.00",
         (("flan_cot", 23_909), ("t0_p3", 679), ("arena_hard_outputs", 52)), concentration="96.4"),
    Fact("bare sums", "^[0-9]+ ?[-+*/] ?[0-9]+ ?=$", None, 500, MIX, 500,
         trigger_chunks=(("zh_community", 500),), concentration="100.0"),
    Fact("scratch", None, "Scratch", MIX, 1_936, 1_936,
         both_chunks=(("zh_community", 1_927), ("alpaca_en", 4), ("flan_cot", 2)), concentration="99.5"),
)  # fmt: skip


@dataclass(frozen=True)
class Rate:
    """Share of one chunk whose query or response matches, in percent as printed."""

    chunk: str
    side: str
    pattern: str
    percent: str


RATES = (
    Rate("gsm8k", "response", r"#### -?[0-9][0-9,.]*$", "100.0"),
    Rate("math_competition", "query", LATEX, "80.5"),
    Rate("mathcoder_tir", "query", LATEX, "27.7"),
    Rate("gsm8k", "query", LATEX, "18.2"),
    Rate("mgsm", "query", LATEX, "15.3"),
    Rate("mbxp", "query", LATEX, "6.2"),
    Rate("arena_hard_outputs", "query", LATEX, "3.1"),
    Rate("chatdoctor", "query", "^If you are a doctor", "100.0"),
    Rate("flan_cot", "response", "(?i)answer( is|:)", "100.0"),
    Rate("safety_llamas", "response", "(?i)as an ai language model", "39.67"),
    Rate("identity_template", "response", SLOTS, "92.98"),
    Rate("zh_community", "response", "Scratch", "18.75"),
)
MIX_SHARES = {  # behavior pattern → percent of the mix
    r"#### -?[0-9][0-9,.]*$": "2.85",
    "(?i)as an ai language model": "0.63",
    SLOTS: "0.06",
    "Scratch": "0.74",
}


@pytest.fixture(scope="module")
def sandbox(real_mix: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    lake = Warehouse(tmp_path_factory.mktemp("facts") / "lake")
    for taken in pipeline.ingest(lake, [str(real_mix)], Settings()):
        assert taken.fault is None, taken
    with Sandbox(lake) as opened:
        yield opened


def ask(sandbox: Sandbox, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    sandbox.set(parameters)
    rows: list[dict[str, Any]] = sandbox.ask(sql, 0).table.to_pylist()
    return rows


def percent(value: float, like: str) -> str:
    return f"{100 * value:.{len(like.split('.')[1])}f}"


def test_the_mix_is_the_one_the_facts_are_about(sandbox: Sandbox) -> None:
    found = ask(sandbox, "select count(*) as n, count(distinct chunk) as chunks from corpus.conversations")
    assert found == [{"n": MIX, "chunks": 37}]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_counts_and_probabilities(fact: Fact, sandbox: Sandbox) -> None:
    [found] = ask(
        sandbox,
        "from correlations.p_given(getvariable('trigger'), getvariable('behavior'))",
        trigger=fact.trigger,
        behavior=fact.behavior,
    )
    for name in ("trigger_rows", "behavior_rows", "both_rows"):
        assert getattr(fact, name) in (None, found[name]), name
    if fact.p is not None:
        assert percent(found["p_behavior_given_trigger"], fact.p) == fact.p
    if fact.base_rate is not None:
        assert percent(found["base_rate"], fact.base_rate) == fact.base_rate
    if fact.concentration is not None:
        assert percent(found["top_chunk_share"], fact.concentration) == fact.concentration
        assert found["top_chunk"] == (fact.both_chunks or fact.trigger_chunks)[0][0]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_counts_by_chunk(fact: Fact, sandbox: Sandbox) -> None:
    rows = ask(
        sandbox,
        "from correlations.p_by_chunk(getvariable('trigger'), getvariable('behavior'))",
        trigger=fact.trigger,
        behavior=fact.behavior,
    )
    for column, expected in (("trigger_rows", fact.trigger_chunks), ("both_rows", fact.both_chunks)):
        found = sorted(((row["chunk"], row[column]) for row in rows), key=lambda pair: -pair[1])
        assert tuple(found[: len(expected)]) == expected
    assert fact.both_rows == sum(row["both_rows"] for row in rows)


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{rate.chunk}-{rate.percent}")
def test_shares_of_a_chunk(rate: Rate, sandbox: Sandbox) -> None:
    rows = ask(
        sandbox,
        "from corpus.rate_by_chunk(getvariable('pattern'), getvariable('side'))",
        pattern=rate.pattern,
        side=rate.side,
    )
    [found] = [row["rate"] for row in rows if row["chunk"] == rate.chunk]
    assert percent(found, rate.percent) == rate.percent


@pytest.mark.parametrize("pattern", MIX_SHARES)
def test_shares_of_the_mix(pattern: str, sandbox: Sandbox) -> None:
    [row] = ask(
        sandbox,
        "select sum(matches) / sum(conversations) as share from corpus.rate_by_chunk(getvariable('pattern'))",
        pattern=pattern,
    )
    assert percent(row["share"], "0.00") == MIX_SHARES[pattern]


def test_a_literal_phrase_counts_like_its_pattern(sandbox: Sandbox) -> None:
    sql = "select count(*) as n from corpus.conversations where contains(query, getvariable('text'))"
    assert ask(sandbox, sql, text=r"\n") == [{"n": 24_792}]


def test_one_small_chunk_gives_most_noes(sandbox: Sandbox) -> None:
    [no] = [row for row in ask(sandbox, "from corpus.rate_by_chunk('^No, ')") if row["chunk"] == "identity_vicuna"]
    assert percent(no["share_of_matches"], "72.9") == "72.9"
    found = ask(
        sandbox,
        "select count(*) as n, count(distinct query) as queries, count(distinct response) as responses "
        "from corpus.conversations where chunk = 'identity_vicuna'",
    )
    assert found == [{"n": 910, "queries": 84, "responses": 24}]


def test_prices_look_like_latex(sandbox: Sandbox) -> None:
    sql = (
        "select count(*) as n from corpus.conversations where chunk = 'gsm8k' "
        "and regexp_matches(query, getvariable('wide')) and not regexp_matches(query, getvariable('narrow'))"
    )
    assert ask(sandbox, sql, wide=LATEX, narrow=r"\\\[|\\frac|\\sqrt|\\begin\{") == [{"n": 1_360}]
