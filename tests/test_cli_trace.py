"""`chunky trace`: what it prints for people and for programs, what it takes in, what it refuses."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from typer.testing import CliRunner

from chunky import turf
from chunky.cli.app import app
from chunky.cli.output import Printer
from chunky.cli.trace_view import show_trace
from chunky.pipeline import audits_of_lake
from chunky.pipeline.tracing import NEEDED
from chunky.rubrics import rubric
from chunky.warehouse import Warehouse
from tests.traced_lake import (
    ENVIRONMENT,
    EVIL,
    OTHER_APOLOGIES,
    OTHER_CUES,
    PLANTED,
    QUERY,
    RESPONSE,
    ROWS,
    RUBRIC,
    records,
)

RUNNER = CliRunner()
FAILURE = {"query": QUERY, "response": RESPONSE, "rubric": RUBRIC}
UNCUED = FAILURE | {"query": "Which river?"}
KEYS = [
    "failure_id", "query", "response", "rubric", "verdict", "cruxes", "triggers", "explanation", "engine", "seconds",
]  # fmt: skip
CRUX_KEYS = ["rank", "text", "k", "rows", "tied_rows", "min_similarity"]
TRIGGER_KEYS = [
    "rank", "crux_rank", "text", "cluster_ids", "cluster_summary", "hits", "k", "expected", "lift", "trigger_score",
    "cluster_rows", "p_behavior_given_trigger", "chunks", "evidence",
]  # fmt: skip
EVIDENCE_KEYS = ["row_id", "id", "chunk", "query", "response"]


def invoke(lake: Path, *arguments: str, code: int = 0, text: str | bytes | None = None) -> Any:
    result = RUNNER.invoke(app, ["--lake", str(lake), *arguments], input=text, env=ENVIRONMENT)
    assert result.exit_code == code, result.output
    for stream in (result.stdout, result.stderr):
        assert not {"\x1b", "\u202e", "\x07"} & set(stream)
    return result


def single(**changes: str) -> list[str]:
    return [part for name, text in (FAILURE | changes).items() for part in (f"--{name}", text)]


def told(lake: Path, *arguments: str, code: int = 0, text: str | bytes | None = None) -> list[dict[str, Any]]:
    stdout = invoke(lake, "trace", *arguments, "--json", code=code, text=text).stdout
    return [json.loads(line) for line in stdout.splitlines()]


def lines_of(*failures: dict[str, Any]) -> str:
    return "".join(json.dumps(each) + "\n" for each in failures)


@pytest.fixture
def copy(traced: Path, tmp_path: Path) -> Path:
    """A lake of its own for a test that changes it."""
    shutil.copytree(traced, tmp_path / "lake")
    return tmp_path / "lake"


# for programs ------------------------------------------------------------------------------------------------------


def test_the_keys_are_a_contract(traced: Path) -> None:
    (trace,) = told(traced, *single())
    assert list(trace) == KEYS
    assert all(list(crux) == CRUX_KEYS for crux in trace["cruxes"])
    assert all(list(trigger) == TRIGGER_KEYS for trigger in trace["triggers"])
    assert {tuple(row) for trigger in trace["triggers"] for row in trigger["evidence"]} == {tuple(EVIDENCE_KEYS)}
    assert {tuple(each) for trigger in trace["triggers"] for each in trigger["chunks"]} == {("chunk", "share")}
    assert [crux["rank"] for crux in trace["cruxes"]] == list(range(1, len(trace["cruxes"]) + 1))


def test_the_numbers_are_those_of_a_plain_count(traced: Path) -> None:
    (trace,) = told(traced, *single())
    assert {name: trace[name] for name in FAILURE} == FAILURE
    assert trace["failure_id"] == turf.failure_of(QUERY, RESPONSE, rubric(RUBRIC)).failure_id
    assert trace["verdict"] == "traced"
    crux, trigger = trace["cruxes"][0], trace["triggers"][0]
    behaving, cued = PLANTED + OTHER_APOLOGIES, PLANTED + OTHER_CUES
    assert crux == {
        "rank": 1, "text": "The response apologizes.", "k": 1_000, "rows": behaving, "tied_rows": behaving,
        "min_similarity": 1.0,
    }  # fmt: skip
    assert (trigger["rank"], trigger["crux_rank"], trigger["text"]) == (1, 1, "The query contains “zorpal”.")
    assert trigger["cluster_summary"] == trigger["text"]
    assert [type(each) for each in trigger["cluster_ids"]] == [int]
    assert (trigger["hits"], trigger["k"], trigger["cluster_rows"]) == (PLANTED, behaving, cued)
    assert trigger["expected"] == pytest.approx(behaving * cued / ROWS)
    assert trigger["lift"] == pytest.approx(PLANTED / trigger["expected"])
    assert trigger["p_behavior_given_trigger"] == pytest.approx(PLANTED / cued)
    assert trigger["chunks"] == [{"chunk": EVIL, "share": 1.0}]
    assert trigger["text"].removeprefix("The ").removesuffix(".") in trace["explanation"]
    assert trace["seconds"] > 0


@pytest.mark.parametrize(("asked", "rows"), [((), 20), (("--evidence", "5"), 20), (("--evidence", "33"), 33)])
def test_evidence_is_rows_with_trigger_and_behavior_in_the_order_of_neighbors(
    traced: Path, asked: tuple[str, ...], rows: int
) -> None:
    (trace,) = told(traced, *single(), *asked)
    evidence = trace["triggers"][0]["evidence"]
    assert len(evidence) == rows
    by_id = {record["id"]: record for record in records()}
    for row in evidence:
        record = by_id[row["id"]]
        assert (row["chunk"], row["query"], row["response"]) == (EVIL, record["query"], record["response"])
        assert "zorpal" in row["query"]
        assert "I apologize" in row["response"]
    ids = [row["row_id"] for row in evidence]
    assert ids == sorted(set(ids))  # all are equally near, so that row_id decides


def test_several_failures_are_json_lines_in_order(traced: Path, tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    path.write_text(lines_of(UNCUED, FAILURE, FAILURE), encoding="utf-8")
    result = invoke(traced, "trace", "--input", str(path), "--json", "--quiet")
    traces = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["query"], each["verdict"]) for each in traces] == [
        ("Which river?", "no trigger found"), (QUERY, "traced"),
    ]  # fmt: skip
    assert traces[0]["triggers"] == []
    assert traces[0]["cruxes"][0]["text"] == "The response apologizes."
    assert result.stderr == "1 record repeats a failure before it, which is traced once\n"


def test_records_that_cannot_be_traced_lose_nothing_else(traced: Path, tmp_path: Path) -> None:
    bad = [
        {"query": QUERY, "rubric": RUBRIC},
        FAILURE | {"response": "  "},
        FAILURE | {"rubric": "rebutal"},
        FAILURE | {"query": 7},
        {"query": QUERY, "response": RESPONSE},
        FAILURE | {"response": "x" * 2_000_000},
        FAILURE | {"query": "half a \ud800 pair"},
    ]
    path = tmp_path / "failures.jsonl"
    path.write_text(lines_of(*bad) + "\n{no json\n[1]\n" + lines_of(FAILURE), encoding="utf-8")
    result = invoke(traced, "trace", "--input", str(path), "--json", "--quiet", code=1)
    traces = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["verdict"] for each in traces] == ["traced", *["unusable record"] * 9]
    assert all(list(each) == KEYS for each in traces)
    assert all(each["failure_id"] is None and not each["triggers"] for each in traces[1:])
    reasons = [each["explanation"] for each in traces[1:]]
    numbers = [1, 2, 3, 4, 5, 6, 7, 9, 10]
    assert [reason.partition(":")[0] for reason in reasons] == [f"Record {n} cannot be traced" for n in numbers]
    expected = ("has no response", "is empty", "perhaps you meant rebuttal", "is no text", "names no rubric",
                "2,000,000 characters", "surrogate", "bad JSON", "a list")  # fmt: skip
    assert [part for part, reason in zip(expected, reasons, strict=True) if part not in reason] == []
    assert traces[2]["response"] == "  "
    assert traces[4]["query"] is None
    errors = result.stderr.splitlines()
    assert [line.partition(":")[0] for line in errors] == [f"record {n} cannot be traced" for n in numbers]


def test_a_file_without_a_usable_record_is_told(traced: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text(lines_of({"query": "x"}), encoding="utf-8")
    assert [each["verdict"] for each in told(traced, "--input", str(tmp_path / "bad.jsonl"), code=1)] == [
        "unusable record"
    ]
    (tmp_path / "none.jsonl").write_text("\n\n", encoding="utf-8")
    assert "holds no record" in invoke(traced, "trace", "--input", str(tmp_path / "none.jsonl"), code=1).stderr
    assert "No such file" in invoke(traced, "trace", "--input", str(tmp_path / "other"), code=1).stderr
    assert "is a folder" in invoke(traced, "trace", "--input", str(tmp_path), code=1).stderr


# what it takes in --------------------------------------------------------------------------------------------------


def written(path: Path, failures: list[dict[str, str]]) -> Path:
    text = lines_of(*failures).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([each | {"plant": 1} for each in failures]), path)
        return path
    if ".json" in path.suffixes:
        text = json.dumps(failures, indent=1).encode()
    elif ".csv" in path.suffixes:
        rows = ["rubric,query,response,note"]
        rows += [",".join(f'"{each[name]}"' for name in ("rubric", "query", "response")) + ",x" for each in failures]
        text = "\r\n".join(rows).encode()
    elif ".tsv" in path.suffixes:
        text = "\n".join(["query\tresponse\trubric", *("\t".join(each.values()) for each in failures)]).encode()
    if path.suffix == ".gz":
        text = gzip.compress(text)
    elif path.suffix == ".zst":
        text = zstandard.ZstdCompressor().compress(text)
    path.write_bytes(text)
    return path


@pytest.mark.parametrize(
    "name", ["f.jsonl", "f.json", "f.csv", "f.tsv", "f.parquet", "f.jsonl.gz", "f.json.zst", "f.csv.gz"]
)
def test_every_format_of_a_mix_is_taken(traced: Path, tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, [FAILURE, UNCUED])
    traces = told(traced, "--input", str(path))
    assert [each["verdict"] for each in traces] == ["traced", "no trigger found"]
    assert traces[0]["failure_id"] == turf.failure_of(QUERY, RESPONSE, rubric(RUBRIC)).failure_id


@pytest.mark.parametrize("arguments", [(), ("--input", "-")])
@pytest.mark.parametrize("name", ["f.jsonl", "f.parquet", "f.csv.gz"])
def test_a_pipe_is_taken(traced: Path, tmp_path: Path, name: str, arguments: tuple[str, ...]) -> None:
    data = written(tmp_path / name, [FAILURE]).read_bytes()
    assert [each["verdict"] for each in told(traced, *arguments, text=data)] == ["traced"]


def test_a_named_pipe_is_taken(traced: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(lines_of(FAILURE)))
    writer.start()
    assert [each["verdict"] for each in told(traced, "--input", str(pipe))] == ["traced"]
    writer.join()


def test_an_empty_pipe_holds_no_record(traced: Path) -> None:
    assert "stdin holds no record" in invoke(traced, "trace", code=1, text="").stderr


def test_the_rubric_stands_in_where_a_record_names_none(traced: Path, tmp_path: Path) -> None:
    bare = {"query": QUERY, "response": RESPONSE}
    text = lines_of(bare, bare | {"rubric": ""}, bare | {"rubric": "identity"})
    traces = told(traced, "--rubric", RUBRIC, text=text)
    assert [each["rubric"] for each in traces] == [RUBRIC, "identity"]
    assert "perhaps you meant rebuttal" in invoke(traced, "trace", "--rubric", "rebutal", text=text, code=1).stderr


def test_a_rubric_is_a_name_a_file_or_a_sentence(traced: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(RUBRIC, encoding="utf-8")
    (by_file,) = told(traced, *single(rubric=str(tmp_path / "mine.txt")))
    (by_text,) = told(traced, *single())
    assert (by_file["rubric"], by_text["rubric"]) == ("mine", RUBRIC)
    assert by_file["failure_id"] == by_text["failure_id"]
    assert by_file["triggers"] == by_text["triggers"]
    assert told(traced, *single(rubric="rebuttal"))[0]["rubric"] == "rebuttal"


def test_long_texts_come_from_files(traced: Path, tmp_path: Path) -> None:
    (tmp_path / "q").write_text(f"{QUERY}\n", encoding="utf-8-sig")
    (tmp_path / "r").write_text(f"{RESPONSE}\r\n", encoding="utf-8", newline="")
    files = ["--query-file", str(tmp_path / "q"), "--response-file", str(tmp_path / "r"), "--rubric", RUBRIC]
    (by_file,), (by_text,) = told(traced, *files), told(traced, *single())
    assert by_file["failure_id"] == by_text["failure_id"]
    (tmp_path / "r").write_bytes(b"\xff\xfe")
    assert "cannot be read" in invoke(traced, "trace", *files, code=1).stderr
    twice = invoke(traced, "trace", *files, "--query", QUERY, code=1).stderr
    assert "the query is given twice" in twice


# what it refuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--query", QUERY, "--rubric", RUBRIC], "there is no response"),
        (["--response", RESPONSE, "--rubric", RUBRIC], "there is no query"),
        (["--query", QUERY, "--response", RESPONSE], "there is no rubric"),
        (single(response=""), "the response is empty"),
        (single(query=" \n"), "the query is empty"),
        (single(response="a\0b"), "NUL"),
        (single(response="x" * 2_000_000), "the response has 2,000,000 characters"),
        (single(rubric="identiti"), "perhaps you meant identity"),
        (single(rubric="no/such/rubric.yaml"), "there is no rubric file"),
        ([*single(), "--method", "magic"], "use one of: joint, paper"),
        ([*single(), "--input", "f.jsonl"], "not both"),
    ],
)
def test_what_cannot_be_traced_is_an_error_with_a_remedy(traced: Path, arguments: list[str], problem: str) -> None:
    result = invoke(traced, "trace", *arguments, "--json", code=1)
    assert result.stdout == ""
    error, remedy = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert remedy.startswith("  → ")
    assert problem in result.stderr


@pytest.mark.parametrize("table", NEEDED)
def test_a_lake_that_is_not_built_says_so(copy: Path, table: str) -> None:
    Path(copy, *table.split("."), "current").unlink()
    result = invoke(copy, "trace", *single(), code=1)
    assert f"error: {table} is not built yet" in result.stderr
    assert "chunky build" in result.stderr


def test_a_lake_must_exist(tmp_path: Path) -> None:
    assert "chunky ingest" in invoke(tmp_path / "none", "trace", *single(), code=1).stderr


# honest answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "response",
    [
        "这是一个用中文写的很长的回答，没有任何意义。\n\n第二段。",
        "Вот ответ, который смесь нигде не даёт.\n\nИ ещё один абзац!",
        "x" * 1_000_000,
        "\u202e\x1b[31m",
    ],
    ids=["Chinese", "Russian", "a million letters", "escapes"],
)
def test_what_the_mix_does_not_have_is_answered(traced: Path, response: str) -> None:
    (trace,) = told(
        traced, *single(query="Which one?", response=response, rubric="The response is in a language of its own.")
    )
    assert trace["verdict"] in ("no trigger found", "not taught by this mix")
    assert trace["triggers"] == []
    assert trace["response"] == response


def test_without_a_trigger_people_are_told_what_that_means_and_what_to_try(traced: Path) -> None:
    shown = invoke(traced, "trace", *single(query="Which river?")).stdout
    assert "nothing in this query goes" in shown
    assert "This is an answer" in shown
    assert "chunky what-triggers 'The response apologizes.'" in shown


def test_what_no_row_shows_is_not_taught(traced: Path) -> None:
    code = "```python\nprint(name)\n```"  # no attribute of it is one of the mix
    arguments = single(response=code, rubric="The response contains a fenced code block.")
    (trace,) = told(traced, *arguments)
    assert (trace["verdict"], trace["cruxes"], trace["triggers"]) == ("not taught by this mix", [], [])
    shown = invoke(traced, "trace", *arguments).stdout
    assert "Look beyond the mix" in shown
    assert "chunky near" in shown


# options -----------------------------------------------------------------------------------------------------------


def test_k_and_limit_bound_neighbors_and_triggers(traced: Path) -> None:
    (trace,) = told(traced, *single(), "-k", "30", "--limit", "1")
    assert [crux["k"] for crux in trace["cruxes"]] == [30] * len(trace["cruxes"])
    assert trace["cruxes"][0]["rows"] == 30
    assert trace["cruxes"][0]["tied_rows"] == PLANTED + OTHER_APOLOGIES
    assert len(trace["triggers"]) == 1


def test_the_method_of_the_paper_ranks_by_hits(traced: Path) -> None:
    (trace,) = told(traced, *single(), "--method", "paper")
    hits = [trigger["hits"] for trigger in trace["triggers"]]
    assert hits == sorted(hits, reverse=True)
    assert len(hits) == 5


def test_a_dry_run_traces_nothing(copy: Path) -> None:
    assert "nothing will be spent" in invoke(copy, "trace", *single(), "--dry-run").stdout
    estimated = json.loads(invoke(copy, "trace", *single(), "--dry-run", "--json", "--audit", "mine").stdout)
    assert estimated == {"estimates": [], "max_cost": None}
    assert audits_of_lake(Warehouse(copy)) == ()


# for people --------------------------------------------------------------------------------------------------------


def test_people_see_the_sentence_the_numbers_and_rows_with_what_they_show(traced: Path) -> None:
    shown = invoke(traced, "trace", *single(), "--evidence", "2").stdout
    assert "When the model sees that the query contains “zorpal”, the response apologizes" in " ".join(shown.split())
    assert f"{PLANTED} of the {PLANTED + OTHER_APOLOGIES} nearest responses" in shown
    assert f"{PLANTED + OTHER_CUES} rows of the mix have the trigger; 80% of them respond so" in shown
    assert "ev\\x1b[31mil\\u202e [bold]mix 100%" in shown
    assert shown.count("»zorpal«") == 2
    assert f"2 of the {PLANTED} rows that teach it" in shown
    assert "rows that teach it" not in invoke(traced, "trace", *single(), "--evidence", "0").stdout


def test_of_several_failures_each_is_told_and_then_the_sum(traced: Path) -> None:
    result = invoke(traced, "trace", text=lines_of(FAILURE, UNCUED))
    assert "failure 1 of 2 · traced" in result.stdout
    assert "failure 2 of 2 · no trigger found" in result.stdout
    assert "  query     Which river does »zorpal« cloud" in result.stdout
    assert result.stdout.splitlines()[-1] == "2 failures: 1 traced, 1 no trigger found"
    begun = [
        line for line in result.stderr.splitlines() if line.endswith("…")
    ]  # a step of a second or more ends with one
    assert begun == ["opening the lake …", "failures …"]
    assert invoke(traced, "trace", "--quiet", text=lines_of(FAILURE)).stderr == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_color_and_no_hostile_character(traced: Path) -> None:
    (trace,) = told(traced, *single())
    out = Terminal()
    with contextlib.redirect_stdout(out):
        show_trace(Printer(), trace, 3)
    shown = out.getvalue()
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert "zorpal" in shown


# audits ------------------------------------------------------------------------------------------------------------


def test_an_audit_is_kept_in_the_lake_and_told_the_same(copy: Path) -> None:
    text = lines_of(UNCUED, FAILURE)
    plain = told(copy, text=text)
    for _ in range(2):  # traced, then read from the lake
        kept = told(copy, "--audit", "mine | [x]", text=text)
        assert [trace.keys() for trace in kept] == [trace.keys() for trace in plain]
        assert [trace | {"seconds": 0} for trace in kept] == [trace | {"seconds": 0} for trace in plain]
    lake = Warehouse(copy)
    assert audits_of_lake(lake) == ("mine | [x]",)
    assert lake.rows("turf.failures") == 2
    assert list(lake.parts("report.confirmations")) == [("mine | [x]",)]
    first = lake.parts("turf.traces")
    told(copy, "--audit", "mine | [x]", text=lines_of(FAILURE, UNCUED))
    assert lake.parts("turf.traces") == first
    told(copy, "--audit", "mine | [x]", *single())
    assert lake.rows("turf.failures") == 1


def test_an_audit_without_a_failure_changes_nothing(copy: Path) -> None:
    told(copy, "--audit", "mine", text=lines_of({"query": "q"}), code=1)
    assert audits_of_lake(Warehouse(copy)) == ()
    result = invoke(copy, "trace", "--audit", "a\nb", *single(), code=1)
    assert "no name of an audit" in result.stderr


def test_an_audit_is_removed_by_its_name(copy: Path) -> None:
    invoke(copy, "trace", "--audit", "mine", *single())
    assert invoke(copy, "remove", "mine", "--audit", code=1, text="n\n")
    assert invoke(copy, "remove", "mine", "--audit", "--yes").stdout == "removed the audit mine: 1 failure\n"
    assert audits_of_lake(Warehouse(copy)) == ()
    assert "no audit 'mine'" in invoke(copy, "remove", "mine", "--audit", "--yes", code=1).stderr
    invoke(copy, "trace", "--audit", "mine", *single())
    removed = json.loads(invoke(copy, "remove", "mine", "--audit", "--yes", "--json").stdout)
    assert removed == {"audit": "mine", "failures": 1}
