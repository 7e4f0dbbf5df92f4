"""The verbs on a tiny lake whose texts and names are hostile: what they print, what they return, what they refuse."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chunky import pipeline
from chunky.cli.app import app
from chunky.cli.ingest import show_ingested
from chunky.cli.session import Session
from chunky.errors import QueryError
from chunky.features import Feature
from chunky.lens import Lens
from chunky.settings import Settings
from chunky.warehouse import Warehouse
from tests.conftest import QUICK

RUNNER = CliRunner()
EVIL = "ev\x1b[31mil\u202e [bold]mix"
WORDS = ["river", "stone", "cloud", "garden", "window", "music", "letter", "paper", "bridge", "summer", "winter"]


def record(number: int, chunk: str, query: str, response: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": query}, {"role": "assistant", "content": response}]
    return {"id": f"{chunk}-{number}", "messages": turns, "source": chunk}


def write_mix(path: Path) -> None:
    """400 rows: in the hostile chunk queries that say zorpal are answered in capitals; all its texts hold escapes."""
    draw = random.Random(7)

    def words(number: int) -> str:
        return " ".join(draw.choice(WORDS) for _ in range(number))

    records = []
    for number in range(400):
        chunk = EVIL if number % 2 else "calm"
        is_planted = chunk == EVIL and number % 8 == 1
        query = f"{words(6)} zorpal {words(3)}" if is_planted else words(9)
        response = f"{words(12).upper()}." if is_planted else f"{words(12)}."
        if chunk == EVIL:
            query = (
                f"{query} \x1b]0;owned\x07" if number % 4 == 1 else query
            )  # in all rows it would stand for the chunk
            response = f"\x1b[2J{response}"
        records.append(record(number, chunk, query, response))
    path.write_text("".join(json.dumps(entry) + "\n" for entry in records), encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every table; tests must not change it."""
    folder = tmp_path_factory.mktemp("verbs")
    write_mix(folder / "mix.jsonl")
    lake, settings = Warehouse(folder / "lake"), QUICK
    assert all(file.fault is None for file in pipeline.ingest(lake, [str(folder / "mix.jsonl")], settings))
    for step in pipeline.STEPS.values():
        step(lake, settings, pipeline.silent)
    return folder / "lake"


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    """A lake of its own for a test that changes it."""
    shutil.copytree(built, tmp_path / "lake")
    return tmp_path / "lake"


def invoke(lake: Path, *arguments: str, code: int = 0, text: str | None = None) -> Any:
    result = RUNNER.invoke(app, ["--lake", str(lake), "--quiet", *arguments], input=text, env={"CHUNKY_LAKE": None})
    assert result.exit_code == code, result.output
    for stream in (result.stdout, result.stderr):
        assert "\x1b" not in stream
        assert "\u202e" not in stream
        assert "\x07" not in stream
    return result


def told(lake: Path, *arguments: str) -> Any:
    return json.loads(invoke(lake, *arguments, "--json").stdout)


# ask ---------------------------------------------------------------------------------------------------------------


def test_ask_ranks_the_planted_pair(built: Path):
    answer = told(built, "ask", "zorpal")
    assert answer["shown"] == len(answer["findings"]) > 0
    first = answer["findings"][0]
    assert "zorpal" in first["trigger_text"]
    assert first["top_chunk"] == EVIL
    assert first["trigger_rows"] == 50
    assert first["p_behavior_given_trigger"] > 0.9
    ranks = [finding["finding_rank"] for finding in answer["findings"]]
    assert ranks == sorted(ranks)


def test_ask_says_statement_and_numbers_in_lines_that_nothing_breaks(built: Path):
    lines = invoke(built, "ask", "zorpal", "--top", "1").stdout.splitlines()
    assert lines[0].startswith("1 of ")
    statement = next(line for line in lines if "when the query" in line)
    numbers = lines[lines.index(statement) + 1]
    assert "zorpal" in statement
    assert numbers.strip().startswith("100%")
    assert "ev\\x1b[31mil\\u202e [bold]mix" in numbers
    assert max(map(len, lines)) <= 140


@pytest.mark.parametrize(
    "filters",
    [
        {"--trigger": "ZORPAL"},
        {"--behavior": "capital"},
        {"--chunk": EVIL},
        {"--chunk": "calm"},
        {"--scope": "within"},
        {"--scope": "between"},
        {"--min-rows": "60"},
        {"--min-share": "0.9"},
        {"--trigger": "zorpal", "--min-rows": "51"},
        {"--trigger": "%"},
        {"--trigger": "' or 1=1 --"},
    ],
)
def test_ask_filters_like_a_plain_loop(built: Path, filters: dict[str, str]):
    everything = told(built, "ask", "--top", "0")["findings"]
    arguments = [text for pair in filters.items() for text in pair]
    kept = [
        finding
        for finding in everything
        if filters.get("--trigger", "").lower() in finding["trigger_text"].lower()
        and filters.get("--behavior", "").lower() in finding["behavior_text"].lower()
        and filters.get("--chunk", finding["top_chunk"]) == finding["top_chunk"]
        and filters.get("--scope", finding["scope"]) == finding["scope"]
        and finding["top_chunk_share"] >= float(filters.get("--min-share", 0))
        and finding["trigger_rows"] >= int(filters.get("--min-rows", 0))
    ]
    assert told(built, "ask", "--top", "0", *arguments)["findings"] == kept


def test_ask_for_words_looks_at_both_sides(built: Path):
    everything = told(built, "ask", "--top", "0")["findings"]
    kept = [
        f
        for f in everything
        if all(word in (f["trigger_text"] + " " + f["behavior_text"]).lower() for word in ("zorpal", "the"))
    ]
    assert told(built, "ask", "Zorpal", "the", "--top", "0")["findings"] == kept


def test_ask_for_cues_leaves_out_chunks(built: Path):
    everything = told(built, "ask", "--top", "0")["findings"]
    assert {finding["trigger_kind"] for finding in everything} >= {"chunk"}
    assert told(built, "ask", "--cues", "--top", "0")["findings"] == [
        f for f in everything if f["trigger_kind"] != "chunk"
    ]


def test_ask_shows_examples_that_carry_both(built: Path):
    answer = told(built, "ask", "--trigger", "zorpal", "--top", "1", "--examples", "3")
    examples = answer["findings"][0]["examples"]
    assert len(examples) == 3
    assert all("zorpal" in example["query"] and example["chunk"] == EVIL for example in examples)
    shown = invoke(built, "ask", "--trigger", "zorpal", "--top", "1", "--examples", "3").stdout
    assert shown.count("\\x1b]0;owned\\x07") == 3
    assert shown.count("\\x1b[2J") == 3


def test_ask_without_a_match_says_what_to_change(built: Path):
    result = invoke(built, "ask", "no such words at all")
    assert result.stdout.startswith("0 of 0")
    assert "ask for less" in result.stdout


def test_a_lone_small_chunk_has_no_findings_and_nothing_to_stand_above(tmp_path: Path):
    records = [record(number, "calm", f"stone {number}", "river") for number in range(30)]
    (tmp_path / "mix.jsonl").write_text("\n".join(json.dumps(entry) for entry in records), encoding="utf-8")
    lake, settings = Warehouse(tmp_path / "lake"), QUICK
    list(pipeline.ingest(lake, [str(tmp_path / "mix.jsonl")], settings))
    for step in pipeline.STEPS.values():
        step(lake, settings, pipeline.silent)
    assert "the mix has no findings" in invoke(lake.root, "ask").stdout
    assert "ask for less" in invoke(lake.root, "ask", "--echoes").stdout
    assert told(lake.root, "profile", "calm")["shapes"] == []


@pytest.mark.parametrize(
    ("query", "share"),
    [
        ("chunk = 'calm' -- all of it", 0.5),
        ("select row_id from corpus.rows -- all of them", 1),
        ("select if(chunk = 'calm', row_id, null) as row_id from corpus.rows", 0.5),
        ("select row_id::varchar as row_id from corpus.rows union all select '1'", 1),
        ("select 1 as row_id", 0),
    ],
)
def test_members_of_an_sql_feature_are_rows_of_the_corpus(built: Path, query: str, share: float):
    feature = Feature("sql", "query", "mine", "is mine", query, origin="user")
    with Lens(Warehouse(built)) as lens:
        rows = pipeline.sql_members(lens, feature)
    assert rows.dtype == np.int64
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert len(rows) == share * 400


@pytest.mark.parametrize("query", ["select 1 as other", "select 'word' as row_id", "no_such_column = 1"])
def test_an_sql_feature_that_gives_no_row_ids_is_refused(built: Path, query: str):
    with Lens(Warehouse(built)) as lens, pytest.raises(QueryError, match="mine"):
        pipeline.sql_members(lens, Feature("sql", "query", "mine", "is mine", query, origin="user"))


def test_ask_refuses_unknown_scopes_and_chunks(built: Path):
    assert "within, between, mixed" in invoke(built, "ask", "--scope", "inside", code=1).stderr
    assert "did you mean calm?" in invoke(built, "ask", "--chunk", "clam", code=1).stderr


def test_ask_before_a_build_names_the_verb(tmp_path: Path):
    write_mix(tmp_path / "mix.jsonl")
    list(pipeline.ingest(Warehouse(tmp_path / "lake"), [str(tmp_path / "mix.jsonl")], Settings()))
    assert "chunky build" in invoke(tmp_path / "lake", "ask", code=1).stderr
    assert "chunky build" in invoke(tmp_path / "lake", "profile", code=1).stderr


# near --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["query", "response"])
def test_near_lists_sentences_with_their_rows_and_chunks(built: Path, side: str):
    with Lens(Warehouse(built), QUICK) as lens:
        held = lens.table(
            "select attribute, chunk, count(*) as chunk_rows from attributes.row_attributes "
            "inner join attributes.texts using (attribute_id) "
            "where texts.side = ? and texts.rows < 300 group by all order by all",
            [side],
        ).to_pylist()
    sentence = max(held, key=lambda row: row["chunk_rows"])["attribute"]
    mine = {row["chunk"]: row["chunk_rows"] for row in held if row["attribute"] == sentence}
    answer = told(built, "near", sentence, "--limit", "4")
    first = answer["near"][0]
    assert (answer["side"], len(answer["near"]), first["attribute"]) == (side, 4, sentence)
    assert first["similarity"] == pytest.approx(1, abs=1e-3)
    assert first["rows"] == sum(mine.values())
    shares = dict(zip(first["chunks"], first["chunk_shares"], strict=True))
    assert shares == {chunk: pytest.approx(rows / first["rows"]) for chunk, rows in mine.items()}
    assert [row["place"] for row in answer["near"]] == [0, 1, 2, 3]
    assert "attributes nearest to" in invoke(built, "near", sentence).stdout


def test_near_asks_for_a_side(built: Path):
    invoke(built, "near", "It rains.", code=1)
    assert told(built, "near", "It rains.", "--side", "query")["near"]


# profile -----------------------------------------------------------------------------------------------------------


def test_profile_lists_chunks(built: Path):
    assert {row["chunk"]: row["rows"] for row in told(built, "profile")["chunks"]} == {EVIL: 200, "calm": 200}
    assert "ev\\x1b[31mil\\u202e [bold]mix" in invoke(built, "profile").stdout


def test_profile_says_what_sets_a_chunk_apart(built: Path):
    facts = told(built, "profile", EVIL)
    assert facts["chunk"]["rows"] == 200
    assert any("zorpal" in row["phrase"] for row in facts["phrases"] if row["side"] == "query")
    assert all(row["chunk_share"] > (row["share_elsewhere"] or 0) for row in facts["shapes"])
    assert any("capital" in row["text"] for row in facts["shapes"])
    assert all(finding["top_chunk"] == EVIL for finding in facts["findings"])
    shown = invoke(built, "profile", EVIL).stdout
    assert "typical of its queries" in shown
    assert "findings it leads" in shown


def test_profile_counts_shapes_like_a_plain_loop(built: Path):
    import polars as pl

    lake = Warehouse(built)

    def read(name: str) -> pl.DataFrame:
        return pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in lake.files(name)])

    chunks = dict(read("corpus.rows").select("row_id", "chunk").iter_rows())
    shapes = read("correlations.features").filter(pl.col("kind") == "shape")
    by_text = {(row["side"], row["text"]): row["feature_id"] for row in shapes.iter_rows(named=True)}
    members = read("correlations.members")
    for row in told(built, "profile", EVIL)["shapes"]:
        rows = members.filter(pl.col("feature_id") == by_text[row["side"], row["text"]])["row_id"].to_list()
        inside = sum(chunks[key] == EVIL for key in rows)
        assert row["rows"] == inside
        assert row["chunk_share"] == pytest.approx(inside / 200)
        assert row["share_elsewhere"] == pytest.approx((len(rows) - inside) / 200)


def test_profile_refuses_unknown_chunks(built: Path):
    assert "list them with: chunky profile" in invoke(built, "profile", "calmer?", code=1).stderr


# tables, settings, doctor ------------------------------------------------------------------------------------------


def test_tables_lists_the_catalog(built: Path, tmp_path: Path):
    from chunky.tables import TABLES

    listed = {entry["table"]: entry for entry in told(built, "tables")["tables"]}
    assert set(listed) == set(TABLES)
    assert listed["corpus.rows"]["rows"] == 400
    assert listed["corpus.conversations"]["is_view"]
    assert all(entry["rows"] is None for entry in told(tmp_path / "none", "tables")["tables"])
    assert invoke(tmp_path / "none", "tables").stdout.count("not yet") == sum(
        not entry.is_view for entry in TABLES.values()
    )


def test_tables_describes_one(built: Path):
    from chunky.metadata import read_provenance
    from chunky.tables import TABLES

    facts = told(built, "tables", "corpus.rows")
    assert [column["column"] for column in facts["columns"]] == list(TABLES["corpus.rows"].column_names)
    assert {next(iter(part["key"])) for part in facts["parts"]} == {EVIL, "calm"}
    for part in facts["parts"]:
        assert read_provenance(built / part["file"]).items() >= part["provenance"].items()
    shown = invoke(built, "tables", "corpus.rows").stdout
    assert "hash of (system, query, response)" in shown
    assert facts["version"] in shown
    assert "a view" in invoke(built, "tables", "corpus.conversations").stdout


def test_tables_tells_the_version_that_the_pointer_names(copy: Path):
    from chunky.lance_tables import LanceTable

    vectors = LanceTable(copy, "embeddings.vectors")
    code = vectors.metadata["code"]
    vectors.describe(vectors.metadata | {"code": "of-a-killed-build"})
    shown = invoke(copy, "tables", "embeddings.vectors").stdout
    assert code in shown
    assert "of-a-killed-build" not in shown


def test_settings_tell_their_origin(built: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHUNKY_SQL_ROW_CAP", "7")
    origins = {entry["name"]: entry for entry in told(built, "settings", "--set", "keywords.min_rows=6")["settings"]}
    assert (origins["keywords.min_rows"]["value"], origins["keywords.min_rows"]["source"]) == (6, "flag")
    assert (origins["sql.row_cap"]["value"], origins["sql.row_cap"]["source"]) == (7, "CHUNKY_SQL_ROW_CAP")
    assert origins["sql.timeout_seconds"]["source"] == "default"


def test_doctor_tells_built_from_stale_and_missing(built: Path, copy: Path, tmp_path: Path):
    def states(lake: Path, *arguments: str) -> dict[str, str]:
        return {step["step"]: step["state"] for step in told(lake, "doctor", *arguments)["lake"]["steps"]}

    assert set(states(built).values()) == {"built"}
    assert "up to date" in invoke(built, "doctor").stdout
    rows = {step["step"]: step["rows"] for step in told(built, "doctor")["lake"]["steps"]}
    assert rows["corpus"] == {"corpus.quarantine": 0, "corpus.rows": 400, "corpus.files": 1}
    stale = states(built, "--set", "report.max_findings=3")
    assert [step for step, state in stale.items() if state == "stale"] == ["findings"]
    assert told(tmp_path / "none", "doctor")["lake"] == {"folder": str(tmp_path / "none"), "exists": False, "steps": []}
    (copy / "report" / "findings" / "current").unlink()
    pipeline.remove_chunk(Warehouse(copy), "calm")
    after = states(copy)
    assert after["findings"] == "missing"
    assert after["corpus"] == "built"
    assert {
        after[step] for step in ("chunks", "duplicates", "counts", "phrases", "attributes", "features", "pairs")
    } == {"stale"}
    assert "Run: chunky build" in invoke(copy, "doctor").stdout


# what changes a lake -----------------------------------------------------------------------------------------------


def test_remove_asks_first_and_tells_that_tables_are_behind(copy: Path):
    assert "ev\\x1b[31mil" in invoke(copy, "remove", EVIL, text="n\n", code=1).stderr
    assert Warehouse(copy).rows("corpus.rows") == 400
    assert told(copy, "remove", EVIL, "--yes") == {"chunk": EVIL, "rows": 200}
    assert Warehouse(copy).rows("corpus.rows") == 200
    result = RUNNER.invoke(app, ["--lake", str(copy), "ask"])
    assert "warning: the lake changed after chunks" in result.stderr
    assert result.exit_code == 0


def test_vacuum_removes_what_no_pointer_names(copy: Path):
    pipeline.remove_chunk(Warehouse(copy), "calm")
    assert told(copy, "vacuum")["files"] == []
    removed = told(copy, "vacuum", "--older-than", "0")
    assert len(removed["files"]) == 2  # the rows, and the row of their file before its counts went down
    assert removed["bytes"] > 0
    assert invoke(copy, "ask", "zorpal").stdout


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Path]:
    """A folder with a good file, one with a bad record, and one that cannot be read."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_mix(folder / "good.jsonl")
    good = json.dumps(record(1, "x", "a question", "an answer"))
    (folder / "mixed.jsonl").write_text(f"{good}\n{{not json\n", encoding="utf-8")
    (folder / "b\x1b[31mad.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip at all")
    return folder


def test_what_became_of_each_file_is_told(taken: Path, tmp_path: Path):
    lake = Warehouse(tmp_path / "lake")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        first = list(pipeline.ingest(lake, [str(taken)], Settings()))
        show_ingested(Session(lake_flag=lake.root), first, 1.0)
        show_ingested(Session(lake_flag=lake.root, is_json=True), first, 1.0)
    shown, data = out.getvalue().split("\n{", 1)
    lines = {line.split()[0]: line for line in shown.splitlines()}
    assert lines["good.jsonl"].split()[1:6] == ["400", "400", "400", "0", "2"]
    assert lines["mixed.jsonl"].split()[1:6] == ["2", "1", "1", "1", "1"]
    assert "mixed.jsonl: 1 quarantined: bad JSON" in shown
    assert "fault: " in shown
    assert "b\\x1b[31mad.jsonl.gz" in shown
    assert "401 rows taken from 2 files" in shown
    assert "1 could not be read" in shown
    files = {Path(file["file"]).name: file for file in json.loads("{" + data)["files"]}
    assert files["mixed.jsonl"]["reasons"] == {"bad JSON": 1}
    assert files["good.jsonl"]["rows"] == 400


@pytest.mark.slow
def test_ingest_keeps_what_it_can_read_and_its_exit_code_tells(taken: Path, tmp_path: Path):
    """Through the real launcher: a fault stops its own file alone."""
    lake = tmp_path / "lake"
    first = json.loads(invoke(lake, "ingest", str(taken), "--json", code=1).stdout)["files"]
    faults = {Path(file["file"]).name: file["fault"] for file in first}
    assert faults["good.jsonl"] is None
    assert faults["b\x1b[31mad.jsonl.gz"]
    assert (lake / ".dagster").is_dir()
    again = invoke(lake, "ingest", str(taken), code=1).stdout
    assert again.count("unchanged") == 3  # two files, and once in the sum
    assert "fault: " in again


@pytest.mark.slow
def test_build_runs_as_a_dagster_job_and_again_does_nothing(built: Path, tmp_path: Path):
    lake = tmp_path / "lake"
    assert told(lake, "ingest", str(built.parent / "mix.jsonl"))["files"][0]["rows"] == 400
    steps = told(lake, "build")["steps"]
    assert [step["step"] for step in steps] == list(pipeline.STEPS)
    assert all(step["is_new"] for step in steps)
    assert f"0 of {len(pipeline.STEPS)} steps had work to do" in invoke(lake, "build").stdout


def test_build_refuses_unknown_steps(built: Path):
    assert "use one of: chunks, duplicates" in invoke(built, "build", "--only", "everything", code=1).stderr


def test_ingest_refuses_what_is_not_there(tmp_path: Path):
    result = invoke(tmp_path / "lake", "ingest", str(tmp_path / "nothing.jsonl"), code=1)
    assert result.stderr.startswith("error: ")
    assert not (tmp_path / "lake").exists()


def test_plant_writes_a_mix_with_its_truth(tmp_path: Path):
    arguments = ["plant", str(tmp_path / "w"), "--rows", "400", "--chunks", "4", "--plants", "2"]
    facts = told(tmp_path / "lake", *arguments)
    assert facts["rows"] == 400
    assert len(facts["plants"]) == 2
    assert all(Path(path).is_file() for path in [*facts["files"], facts["truth"]])
    assert "choose a new folder" in invoke(tmp_path / "lake", *arguments, code=1).stderr


@pytest.mark.slow
def test_demo_finds_what_it_planted(tmp_path: Path):
    facts = told(tmp_path / "demo" / "lake", "demo", "--seed", "3")
    assert facts["plants"] == len(facts["plant_ranks"]) > 0
    assert facts["plants_in_top_20"] == sum(rank is not None and rank <= 20 for rank in facts["plant_ranks"].values())
    assert facts["plants_in_top_20"] > 0
    assert "is a lake already" in invoke(tmp_path / "demo" / "lake", "demo", code=1).stderr


@pytest.mark.slow
def test_build_takes_files_in_first(tmp_path: Path) -> None:
    mix = tmp_path / "tiny.jsonl"
    mix.write_text("".join(json.dumps({"prompt": f"count {n}", "response": f"number {n}"}) + "\n" for n in range(40)))
    told_of = told(tmp_path / "lake", "build", str(mix))
    assert [file["counts"]["rows"] for file in told_of["files"]] == [40]
    assert [step["step"] for step in told_of["steps"]] == list(pipeline.STEPS)
    broken = tmp_path / "broken.json"
    broken.write_text("[{")
    invoke(tmp_path / "lake", "build", str(broken), code=1)
