"""Every ready question asks in English, declares its parameters, runs on an empty lake, and answers on a small one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from chunky.errors import QueryError
from chunky.files import sql_folder
from chunky.sandbox import Sandbox
from chunky.sql_files import Question, _question, pages, question, questions
from chunky.warehouse import Warehouse
from tests.small_lake import BEHAVIOR, TRIGGER, fill, write
from tests.small_vectors import fill_vectors

QUESTIONS = list(questions().values())
each = pytest.mark.parametrize("entry", QUESTIONS, ids=lambda entry: entry.name)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    lake = fill(Warehouse(tmp_path_factory.mktemp("questions") / "lake"))
    _fill_pairs(lake)
    fill_vectors(lake)
    _fill_audit(lake)
    with Sandbox(lake) as opened:
        yield opened


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(Warehouse(tmp_path_factory.mktemp("empty") / "lake")) as opened:
        yield opened


def _fill_pairs(lake: Warehouse) -> None:
    counted = {
        "trigger_rows": 3, "behavior_rows": 3, "both_rows": 2, "trigger_contents": 3, "behavior_contents": 3,
        "both_contents": 2, "p_behavior_given_trigger": 2 / 3, "p_low": 0.2, "p_high": 0.9, "base_rate": 1 / 7,
        "lift": 2.2, "log_odds": 2.0, "score": 0.5, "log10_p": -1.5, "q_value": 0.03, "within_log_odds": -1.0,
        "within_low": -1.5, "within_high": -0.5, "scope": "between", "is_reversed": True, "is_echo": False,
        "top_chunk": "math", "top_chunk_share": 1.0, "trigger_id": TRIGGER, "behavior_id": BEHAVIOR,
    }  # fmt: skip
    write(lake, "correlations.pairs", [counted])
    told = {
        "finding_id": 1,
        "finding_rank": 1,
        "sentence": "When …",
        "trigger_text": "a",
        "behavior_text": "b",
        "folded_pairs": 0,
        "rank_weight": 0.25,
    }
    write(lake, "report.findings", [counted | told])
    group = {
        "group_id": 5,
        "kind": "query",
        "rows": 2,
        "chunk_count": 2,
        "chunks": ["a", "b"],
        "similarity": 1.0,
        "row_ids": [1, 2],
    }
    write(lake, "corpus.duplicates", [group])
    call = {"run": "r1", "role": "judge", "model": "m", "usd": 0.5, "counted_usd": 0.5, "input_tokens": 10,
            "output_tokens": 2}  # fmt: skip
    hit = call | {"usd": 0.0, "counted_usd": 0.0, "is_cached": True}
    lost = call | {"run": "r2", "usd": None, "input_tokens": None, "output_tokens": None, "error": "lost"}
    write(lake, "llm.calls", [row | {"call_id": number} for number, row in enumerate((call, call, hit, lost))])


def _fill_audit(lake: Warehouse) -> None:
    """An audit of two failures: the first traced to cluster 201 by the three rows of attribute 211."""
    same = {"audit": "a1", "failure_id": 71, "crux_id": 81, "cluster_id": 201, "crux_rank": 1, "trigger_rank": 1}
    counts = {"hits": 2, "pair_hits": 2, "neighbors": 3, "cluster_rows": 3, "expected": 0.9, "lift": 2 / 0.9,
              "trigger_score": 1.1 / math.sqrt(0.9 * 0.7 * 0.7 + 1)}  # fmt: skip
    rubric = {"rubric": "tics", "violation": "No tics."}
    write(lake, "turf.failures", [same | rubric | {"query": "q1"}, same | rubric | {"failure_id": 72}], ("a1",))
    traces = [same | {"verdict": "traced"}, same | {"failure_id": 72, "verdict": "no trigger found"}]
    write(lake, "turf.traces", [row | {"method": "joint"} for row in traces], ("a1",))
    crux = {"crux": "The response hopes to be correct.", "crux_kind": "same attribute", "k": 3, "crux_rows": 3}
    write(lake, "turf.cruxes", [same | crux | {"neighbors": 3, "tied_rows": 3}], ("a1",))
    near = [same | {"neighbor_rank": rank, "row_id": row} for rank, row in enumerate((1, 2, 10), 1)]
    write(lake, "turf.neighbors", near, ("a1",))
    told = {"attribute": "The query names two parts.", "both_rows": 2, "chunks": ["math"], "chunk_shares": [1.0]}
    write(lake, "turf.triggers", [same | counts | told | {"p_behavior_given_trigger": 2 / 3}], ("a1",))
    rates = [
        {"audit": "a1", "threshold": above, "outputs": 4, "violations": bad, "violation_rate": bad / 4}
        for above, bad in ((50.0, 3), (70.0, 1))
    ]
    for audit, target in (("a1", "m"), ("a2", "other")):
        write(lake, "surf.audits", [{"audit": audit, "rubric": "tics", "target": target}], (audit,))
    write(lake, "surf.violation_rates", rates, ("a1",))
    confirmed = {"finding_id": 1, "hits": 2, "shared_hits": 2, "trigger_similarity": 1.0}
    write(lake, "report.confirmations", [same | confirmed], ("a1",))


def ask(sandbox: Sandbox, name: str, **given: Any) -> list[dict[str, Any]]:
    entry = question(name)
    sandbox.set(entry.values(given))
    rows: list[dict[str, Any]] = sandbox.ask(entry.sql, 0).table.to_pylist()
    return rows


def test_there_are_enough() -> None:
    assert len(QUESTIONS) >= 15


@each
def test_the_header_asks_and_declares(entry: Question) -> None:
    assert entry.asks.endswith("?")
    assert entry.asks[0].isupper()
    code = "\n".join(line for line in entry.sql.splitlines() if not line.startswith("--"))
    used = set(re.findall(r"getvariable\('(\w+)'\)", code))
    assert used == {parameter.name for parameter in entry.parameters}
    assert "getvariable(" not in re.sub(r"getvariable\('\w+'\)", "", code)


@each
def test_the_select_lists_columns_and_breaks_ties(entry: Question) -> None:
    code = "\n".join(line for line in entry.sql.splitlines() if not line.startswith("--"))
    final = code[code.rindex("\nselect\n") if "\nselect\n" in code else 0 :]
    assert "select *" not in code
    assert entry.name == "probability" or "order by" in final
    assert max(map(len, entry.sql.splitlines())) <= 250


@each
def test_runs_on_an_empty_lake(entry: Question, empty: Sandbox) -> None:
    rows = ask(empty, entry.name)
    measured = [value for row in rows for name, value in row.items() if name not in ("figure", "paper_value")]
    assert all(value in (0, None) for value in measured)


@each
def test_runs_the_same_twice(entry: Question, full: Sandbox) -> None:
    assert ask(full, entry.name) == ask(full, entry.name)


ANSWERS: tuple[tuple[str, dict[str, Any], list[dict[str, Any]]], ...] = (
    ("model_costs", {}, [
        {"run": "r1", "calls": 3, "cached_calls": 1, "failed_calls": 0, "unpriced_calls": 0, "usd": 1.0,
         "input_tokens": 20},
        {"run": "r2", "calls": 1, "failed_calls": 1, "unpriced_calls": 1, "input_tokens": None, "usd": None},
    ]),
    ("model_costs", {"run": "r3"}, []),
    ("phrase_by_chunk", {"phrase": "I hope"},
     [{"chunk": "math", "either_rows": 2}, {"chunk": "chat", "either_rows": 1}]),
    ("probability", {"query_pattern": "two parts", "response_pattern": "I hope"},
     [{"trigger_rows": 3, "behavior_rows": 2, "both_rows": 2, "top_chunk": "math"}]),
    ("probability_by_chunk", {"query_pattern": "two parts", "response_pattern": "I hope"},
     [{"chunk": "math", "both_rows": 2}, {"chunk": "code", "both_rows": 0}]),
    ("openings_by_chunk", {}, [{"chunk": "chat", "phrase": "i hope", "share_of_chunk": 0.25}]),
    ("words_of_one_chunk", {}, [{"chunk": "math", "phrase": "i hope"}]),
    ("words_of_one_chunk", {"chunk": "code"}, []),
    ("unfilled_slots", {}, [{"chunk": "chat", "slot": "{{name}}", "rows": 1, "example": "No, I am {{name}}."}]),
    ("refusals_by_chunk", {}, [{"chunk": "chat", "conversations": 3, "refusals": 2}]),
    ("between_and_within", {}, [{"scope": "between", "pairs": 1, "reversed_pairs": 1}]),
    ("reversed_correlations", {"least_contents": 3}, [{"log_odds": 2.0, "within_log_odds": -1.0, "top_chunk": "math"}]),
    ("reversed_correlations", {}, []),
    ("added_by_chunk", {"chunk": "math"}, [{"chunk": "math", "finding_rank": 1}]),
    ("added_by_chunk", {"chunk": "code"}, []),
    ("top_findings", {}, [{"finding_rank": 1, "sentence": "When …"}]),
    ("finding_by_chunk", {}, [{"chunk": "math", "both_rows": 2}, {"chunk": "code"}, {"chunk": "chat"}]),
    ("finding_by_chunk", {"finding": 7}, []),
    ("examples_of_finding", {"most_rows": 1}, [{"row_id": 2, "chunk": "math"}]),
    ("duplicates_across_chunks", {"kind": "query"}, [{"chunks": ["a", "b"], "groups": 1, "rows": 2}]),
    ("longest_and_shortest", {"most_rows": 1},
     [{"chunk": "chat", "row_id": 10}, {"chunk": "chat", "row_id": 7}, {"chunk": "code", "row_id": 5},
      {"chunk": "code", "row_id": 6}, {"chunk": "math", "row_id": 1}, {"chunk": "math", "row_id": 3}]),
    ("lengths_by_chunk", {}, [{"chunk": "chat"}, {"chunk": "code", "rows": 3}, {"chunk": "math"}]),
    ("scripts_by_chunk", {}, [{"chunk": "chat", "query_scripts": "Latin"}, {"chunk": "code"},
                              {"chunk": "math", "response_scripts": "Latin", "rows": 2},
                              {"chunk": "math", "response_scripts": "none", "rows": 1}]),
    ("repeated_responses", {"least_queries": 1}, [{"queries": 1}] * 7),
    ("repeated_responses", {}, []),
    ("same_query_different_answers", {"least_chars": 1}, []),
    ("quarantine_by_reason", {}, []),
    ("clusters_of_chunk", {"least_rows": 1},
     [{"chunk": "code", "cluster": "The query asks for code.", "rows": 3, "top_chunk_share": 1.0},
      {"chunk": "math", "cluster": "The query names two parts.", "attributes": 2, "rows": 3}]),
    ("clusters_of_chunk", {"least_rows": 1, "chunk": "math", "least_share": 0.7}, []),
    ("attributes_of_chunk", {"side": "query", "least_rows": 1},
     [{"chunk": "code", "attribute": "The query asks for code.", "share_of_chunk": 1.0, "share_elsewhere": 0.0,
       "chunk_share": 1.0}]),
    ("attributes_of_chunk", {"side": "query", "least_rows": 4}, []),
    ("responses_to_cluster", {"cluster": "Two PARTS", "least_rows": 1},
     [{"query_cluster": "The query names two parts.", "response_cluster": "The response hopes to be correct.",
       "trigger_rows": 3, "both_rows": 2, "p_behavior_given_trigger": 2 / 3, "base_rate": 1 / 7, "top_chunk": "math",
       "top_chunk_share": 1.0}]),
    ("responses_to_cluster", {"cluster": "no such thing", "least_rows": 1}, []),
    ("spread_clusters", {"least_rows": 1, "least_attributes": 1},
     [{"cluster": "The query names two parts.", "chunks": 2}, {"cluster": "The query asks for code.", "chunks": 1}]),
    ("spread_clusters", {"least_rows": 1, "order_by": "similarity"},
     [{"cluster": "The query names two parts.", "cluster_similarity_mean": 0.9}]),
    ("rows_with_attribute", {"attribute": "HOPES", "most_rows": 2},
     [{"row_id": 10, "chunk": "chat"}, {"row_id": 1, "chunk": "math"}]),
    ("rows_with_attribute", {"chunk": "chat"}, [{"row_id": 7}, {"row_id": 10}]),
    ("topics_of_mix", {}, [{"topic": "parts, proof", "rows": 2, "row_share": 0.2, "chunks": 2, "top_chunk": "code"}]),
    ("topics_of_mix", {"topic_count": 62}, []),
    ("triggers_of_audit", {},
     [{"audit": "a1", "failure_id": 71, "verdict": "traced", "attribute": "The query names two parts.", "hits": 2,
       "crux": "The response hopes to be correct.", "chunks": ["math"], "query": "q1"},
      {"failure_id": 72, "verdict": "no trigger found", "attribute": None, "hits": None, "crux": None}]),
    ("triggers_of_audit", {"audit": "a2"}, []),
    ("causes_of_audit", {},
     [{"verdict": "traced", "failures": 1, "query": "q1", "chunks": ["math"]},
      {"verdict": "no trigger found", "failures": 1, "trigger": None, "chunks": None}]),
    ("causes_of_audit", {"audit": "a2"}, []),
    ("hits_recomputed", {"audit": "a1"},
     [{"hits": 2, "counted_hits": 2, "counted_neighbors": 3, "counted_cluster_rows": 3, "counted_expected": 0.9,
       "counted_lift": 2 / 0.9, "is_equal": True}]),
    ("hits_recomputed", {"only_different": True}, []),
    ("findings_of_audit", {},
     [{"finding_rank": 1, "failures": 1, "best_failures": 1, "trigger_similarity": 1.0, "shared_share": 1.0}]),
    ("findings_of_audit", {"audit": "a2"}, []),
    ("violation_rates", {},
     [{"target": "m", "rubric": "tics", "threshold": 70.0, "outputs": 4, "violations": 1, "violation_rate": 0.25},
      {"target": "other", "audit": "a2", "threshold": None, "violation_rate": None}]),
    ("violation_rates", {"threshold": 50}, [{"violations": 3, "violation_rate": 0.75}, {"violations": None}]),
    ("violation_rates", {"threshold": 60}, [{"threshold": None}, {"threshold": None}]),
    ("keyword_attribution", {"query": "Well, HELLO there!"},
     [{"term": "hello", "chunk": None, "rows": 2, "refusals": 2, "refusal_rate": 1.0, "mix_refusal_rate": 0.3,
       "rebuttals": 0},
      {"term": "hello", "chunk": "chat", "rows": 2, "refusals": 2}]),
    ("keyword_attribution", {"query": "ChatGPT", "least_rows": 1},
     [{"chunk": None, "rows": 1, "rebuttals": 1, "rebuttal_rate": 1.0, "mix_rebuttal_rate": 0.1}, {"chunk": "chat"}]),
    ("keyword_attribution", {"query": "the two parts", "most_rows": 2},
     [{"term": "the", "chunk": None, "rows": 2}, {"term": "the", "chunk": "code", "rows": 1}, {"chunk": "math"},
      {"term": "the two", "rows": 2}, {"chunk": "code"}, {"chunk": "math"},
      {"term": "the two parts", "rows": 2}, {"chunk": "code"}, {"chunk": "math"}]),
    ("keyword_attribution", {"query": "?!"}, []),
    ("probability_of_features",
     {"trigger_kind": "phrase", "trigger": "TWO parts", "behavior_kind": "feature", "behavior": "i hope"},
     [{"chunk": None, "rows": 10, "trigger_rows": 3, "behavior_rows": 3, "both_rows": 2, "base_rate": 1 / 7,
       "p_behavior_given_trigger": 2 / 3, "share_of_both": 1.0},
      {"chunk": "math", "both_rows": 2, "p_behavior_given_trigger": 1.0, "share_of_both": 1.0},
      {"chunk": "code", "trigger_rows": 1, "both_rows": 0}, {"chunk": "chat", "behavior_rows": 1}]),
    ("probability_of_features",
     {"trigger_kind": "cluster", "trigger": "two parts", "behavior_kind": "neighborhood", "behavior": "hopes"},
     [{"chunk": None, "trigger_rows": 3, "behavior_rows": 4, "both_rows": 2}, {"chunk": "math"}, {"chunk": "code"},
      {"chunk": "chat", "behavior_rows": 2}]),
    ("probability_of_features",
     {"trigger_kind": "neighborhood", "trigger": "asks for code", "least_similarity": 0.9, "behavior_kind": "regex",
      "behavior": "^def"},
     [{"chunk": None, "trigger_rows": 3, "behavior_rows": 2, "both_rows": 2}, {"chunk": "code"}]),
    ("probability_of_features",
     {"trigger_kind": "chunk", "trigger": "chat", "behavior_kind": "attribute", "behavior": "REFUSES"},
     [{"chunk": None, "trigger_rows": 4, "both_rows": 2}, {"chunk": "chat", "both_rows": 2}]),
    ("nearest_attributes", {"attribute": "two parts", "side": "query", "most_attributes": 2},
     [{"similarity": pytest.approx(1), "attribute": "The query names two parts.", "chunks": ["math", "code"]},
      {"similarity": pytest.approx(0.8), "chunks": ["code", "math"], "chunk_shares": [0.5, 0.5]}]),
)  # fmt: skip


@pytest.mark.parametrize(("name", "given", "expected"), ANSWERS)
def test_answers_on_ten_rows(name: str, given: dict[str, Any], expected: list[dict[str, Any]], full: Sandbox) -> None:
    rows = ask(full, name, **given)
    assert [{key: row[key] for key in want} for row, want in zip(rows, expected, strict=True)] == expected


def test_every_question_is_answered_somewhere_here() -> None:
    told = {name for name, _, _ in ANSWERS} | {"paper_figures", "closings_of_one_chunk", "mix"}
    assert told == {entry.name for entry in QUESTIONS}


def test_closings_keep_the_longest_of_equal_phrases(tmp_path: Any) -> None:
    lake = Warehouse(tmp_path / "lake")
    common = {
        "side": "response",
        "position": "closing",
        "chunk_count": 1,
        "top_chunk": "a",
        "phrase_log_odds": 1.0,
        "phrase_z_score": 1.0,
    }
    phrases = [("i hope", 2, 30, 1.0), ("hope", 1, 30, 1.0), ("bye", 1, 19, 1.0), ("thanks", 1, 40, 0.9)]
    made = [
        common | {"phrase_id": place, "phrase": phrase, "tokens": tokens, "rows": rows, "top_chunk_rows": rows,
                  "top_chunk_share": share}
        for place, (phrase, tokens, rows, share) in enumerate(phrases)
    ]  # fmt: skip
    write(lake, "keywords.phrases", made)
    with Sandbox(lake) as opened:
        assert [row["phrase"] for row in ask(opened, "closings_of_one_chunk")] == ["i hope"]
        assert [row["phrase"] for row in ask(opened, "closings_of_one_chunk", least_rows=5, least_share=0.5)] == [
            "thanks",
            "i hope",
            "bye",
        ]


def test_the_mix_is_its_table_of_chunks(tmp_path: Any) -> None:
    lake = Warehouse(tmp_path / "lake")
    row = {"chunk": "a", "rows": 5, "conversations": 5, "contents": 5, "files": 1, "mix_share": 1.0,
           "query_chars_mean": 9.0, "response_chars_mean": 9.0, "multi_turn_share": 0.0, "system_share": 0.0,
           "duplicate_rows": 0, "shared_rows": 0}  # fmt: skip
    write(lake, "corpus.chunks", [row])
    with Sandbox(lake) as opened:
        [found] = ask(opened, "mix")
    assert found == {name: value for name, value in row.items() if name != "files"}


def _conversation(place: int, chunk: str, query: str, response: str) -> dict[str, Any]:
    return {"row_id": place, "content_id": place, "chunk": chunk, "conversation_id": str(place), "turn": 1, "turns": 1,
            "copy": 0, "query": query, "response": response, "query_chars": len(query),
            "response_chars": len(response), "file": "f", "record_number": place + 1}  # fmt: skip


def test_the_papers_figures_are_measured_where_its_mix_is_there(tmp_path: Any) -> None:
    """A miniature with the paper's chunk names: two of four numinamath prompts hold LaTeX, one of two others, …"""
    texts = [
        ("ai2-adapt-dev/numinamath_tir", "Find $x^2$.", "import sympy"),
        ("ai2-adapt-dev/numinamath_tir", r"Find \frac{1}{2}.", "import sympy"),
        ("ai2-adapt-dev/numinamath_tir", "Find x.", "import sympy"),
        ("ai2-adapt-dev/numinamath_tir", "Elucidate x.", "x"),
        ("ai2-adapt-dev/personahub_math", "1. Solve.\n2. Prove.", "So. I hope it is correct."),
        ("ai2-adapt-dev/personahub_math", "Role A\nRole B $y$", "So."),
        ("ai2-adapt-dev/evol_codealpaca", "Please elucidate it.", "def f(): ..."),
        ("ai2-adapt-dev/evol_codealpaca", "ELUCIDATE!", "def g(): ..."),
        ("ai2-adapt-dev/evol_codealpaca", "Write.", "I hope it is correct."),
        ("ai2-adapt-dev/tulu_hard_coded_repeated_10", "Who are you?", "Tülu."),
    ]
    lake = Warehouse(tmp_path / "lake")
    for chunk in {chunk for chunk, _, _ in texts}:
        rows = [_conversation(place, *text) for place, text in enumerate(texts) if text[0] == chunk]
        write(lake, "corpus.rows", rows, (chunk, "f"))
    with Sandbox(lake) as opened:
        measured = [row["measured_value"] for row in ask(opened, "paper_figures")]
        assert measured == [3, pytest.approx(2 / 3), 0.4, 0.5, 0.5, 0.75, 0.5, 1]
        assert {row["measured_value"] for row in ask(opened, "paper_figures", tulu_chunk="no such name")} == {None}


def test_names_and_parameters_that_do_not_exist() -> None:
    with pytest.raises(QueryError, match="did you mean probability"):
        question("probabilty")
    with pytest.raises(QueryError, match="it has: most_phrases, least_share"):
        question("openings_by_chunk").values({"nope": 1})
    assert question("openings_by_chunk").values({"most_phrases": 9})["most_phrases"] == 9


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "-- No question\n-- parameters: none\nselect 1",
        "-- One?\nselect 1",
        "-- One?\n-- parameters: what\nselect 1",
    ],
)
def test_wrong_headers_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"odd\.sql"):
        _question("odd", text)


def test_the_page_of_questions_is_fresh() -> None:
    page = sql_folder().parent / "docs" / "questions.md"
    assert page.read_text(encoding="utf-8") == pages()[page], "stale: python -m chunky.sql_files"


@pytest.mark.parametrize("side", ["trigger_kind", "behavior_kind"])
def test_a_kind_that_there_is_not_is_told(side: str, full: Sandbox) -> None:
    with pytest.raises(QueryError, match="the kind is phrase, regex, chunk, feature, attribute or cluster"):
        ask(full, "probability_of_features", **{side: "mood"})
