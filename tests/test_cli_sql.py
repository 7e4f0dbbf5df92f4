"""`chunky sql`, `chunky questions`, `chunky export`: formats, caps, parameters, errors, hostile text."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from chunky.cli.answers import comma_separated, markdown, names_of, plain, records
from chunky.cli.app import app
from chunky.sql_files import questions
from chunky.warehouse import Warehouse
from tests.small_lake import fill

HOSTILE = 'a\x1b[31m|b\u202e\nc,"d"'


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(Warehouse(tmp_path_factory.mktemp("sql") / "lake")).root


def call(lake: Path, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["--lake", str(lake), *arguments], input=stdin)
    assert result.exit_code == code, result.output
    return result


def test_table_with_time_and_rows_on_stderr(lake: Path) -> None:
    result = call(lake, "sql", "select chunk, count(*) as rows from corpus.rows group by all order by chunk")
    assert result.stdout.split() == ["chunk", "rows", "chat", "4", "code", "3", "math", "3"]
    assert result.stderr.startswith("3 rows in ")


def test_json_keeps_integers_exact_and_unknowns_null(lake: Path) -> None:
    sql = (
        "select 9007199254740993 as big, (-9223372036854775808)::bigint as least_id, null as unknown, "
        "'nan'::double as odd, 1::hugeint as huge, timestamp '2026-01-02 03:04:05' as at, true as is_so, "
        "[1, 2] as list, 1.5::decimal(4, 1) as part"
    )
    [row] = json.loads(call(lake, "sql", sql, "--format", "json").stdout)
    assert row == {
        "big": 9007199254740993, "least_id": -9223372036854775808, "unknown": None, "odd": None, "huge": 1,
        "at": "2026-01-02T03:04:05", "is_so": True, "list": [1, 2], "part": 1.5,
    }  # fmt: skip
    assert json.loads(call(lake, "sql", sql, "--json").stdout) == [row]


def test_rows_are_capped_and_the_cap_is_told(lake: Path) -> None:
    result = call(lake, "sql", "select i from range(250) as r(i) order by i", "--format", "csv")
    assert len(result.stdout.splitlines()) == 101
    assert "100 of 250 rows shown" in result.stderr
    assert "--limit 0" in result.stderr
    assert len(call(lake, "sql", "from range(250)", "--format", "csv", "--limit", "0").stdout.splitlines()) == 251
    assert len(call(lake, "sql", "from range(250)", "--format", "csv", "-n", "2").stdout.splitlines()) == 3
    assert (
        len(call(lake, "--set", "sql.row_cap=7", "sql", "from range(250)", "--format", "csv").stdout.splitlines()) == 8
    )


def test_ids_without_separators_counts_with(lake: Path) -> None:
    words = call(lake, "sql", "select 1234567 as row_id, 1234567 as rows, 0.123456789 as p, null as q").stdout.split()
    assert words == ["row_id", "rows", "p", "q", "1234567", "1,234,567", "0.123457", "null"]


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_hostile_text_is_made_visible(form: str, lake: Path) -> None:
    text = call(lake, "sql", "select getvariable('t') as t", "-p", f"t={HOSTILE}", "--format", form).stdout
    assert "\x1b" not in text
    assert "\u202e" not in text
    if form == "json":
        assert json.loads(text) == [{"t": HOSTILE}]
    else:
        assert len(text.splitlines()) == (2 if form == "table" else 3)


def test_csv_is_the_text_itself(lake: Path) -> None:
    text = call(lake, "sql", "select getvariable('t') as t, null as n", "-p", f"t={HOSTILE}", "--format", "csv").stdout
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["t", "n"], [HOSTILE, ""]]


def test_files_hold_all_rows_and_their_name_is_the_format(lake: Path, tmp_path: Path) -> None:
    for name in ("a.parquet", "a.csv", "a.json", "a.md"):
        result = call(lake, "sql", "select i from range(250) as r(i) order by i", "-o", str(tmp_path / name))
        assert "250 rows written to" in result.stderr
        assert result.stdout == ""
    assert pq.read_table(tmp_path / "a.parquet")["i"].to_pylist() == list(range(250))
    assert len(json.loads((tmp_path / "a.json").read_text())) == 250
    assert (tmp_path / "a.csv").read_bytes().startswith(b"i\r\n0\r\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.json", "a.md", "a.parquet"]


def test_sql_from_a_file_and_from_stdin(lake: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.sql"
    file.write_text("-- how many?\nselect count(*) as n from corpus.rows;\n")
    assert json.loads(call(lake, "sql", "--file", str(file), "--json").stdout) == [{"n": 10}]
    assert json.loads(call(lake, "sql", "-", "--json", stdin="select 7 as n").stdout) == [{"n": 7}]


def test_ready_questions_run_with_their_parameters(lake: Path) -> None:
    rows = json.loads(call(lake, "sql", "--question", "phrase_by_chunk", "-p", "phrase=I hope", "--json").stdout)
    assert [row["chunk"] for row in rows] == ["math", "chat"]
    asked = call(lake, "sql", "--question", "phrase_by_chunk", "-p", "phrase=I hope").stderr
    assert 'with phrase = "I hope"' in asked
    assert '"I hope" (default)' not in asked
    assert 'phrase = "elucidate" (default)' in call(lake, "sql", "--question", "phrase_by_chunk").stderr
    assert "(default)" not in call(lake, "--quiet", "sql", "--question", "phrase_by_chunk").stderr
    listed = json.loads(call(lake, "questions", "--json").stdout)
    assert [one["name"] for one in listed] == list(questions())
    assert call(lake, "questions", "list").stdout == call(lake, "questions").stdout
    assert call(lake, "questions", "show", "probability").stdout == questions()["probability"].sql
    assert (
        json.loads(call(lake, "questions", "show", "probability", "--json").stdout)["parameters"][0]["name"]
        == "query_pattern"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sql",), "exactly one of"),
        (("sql", "select 1", "--question", "mix"), "exactly one of"),
        (("sql", "--question", "mixx"), "did you mean mix"),
        (("sql", "--question", "mix", "-p", "a=1"), "no parameter 'a'"),
        (("sql", "--question", "findings_of_audit", "-p", "audit=x"), "the lake has no audit 'x'"),
        (("sql", "select 1", "-p", "a"), "--param name=value"),
        (("sql", "select 1", "-p", "a b=1"), "lower-case letters"),
        (("sql", "select 1", "--format", "xml"), "table, csv, json, parquet, markdown"),
        (("sql", "select 1", "--format", "parquet"), "--output FILE"),
        (("sql", "select 1", "--format", "table", "-o", "x.txt"), "for reading"),
        (("sql", "select 1", "-o", "/no/such/folder/x.csv"), "cannot be written"),
        (("sql", "--file", "/no/such/file.sql"), "cannot be read"),
        (("sql", "drop view corpus.rows"), "not a reading statement"),
        (("sql", "from corpus.row"), "did you mean corpus.rows"),
        (("sql", "from '/etc/passwd'"), "no other file"),
        (
            ("sql", "select count(*) from range(100000000000)", "--set", "sql.timeout_seconds=0.2"),
            "stopped after 0.2 seconds",
        ),
        (("questions", "show", "nope"), "chunky questions"),
        (("export", "duckdb", "/no/such/folder/x.duckdb"), "does not exist"),
    ],
)
def test_errors_are_two_lines_with_a_remedy(arguments: tuple[str, ...], words: str, lake: Path) -> None:
    result = call(lake, *arguments, code=1)
    assert words in result.stderr
    assert "→" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_an_empty_lake_says_what_to_do(tmp_path: Path) -> None:
    result = call(tmp_path / "nowhere", "sql", "from report.findings")
    assert "chunky ingest PATH" in result.stderr
    assert "0 rows" in result.stderr
    assert not (tmp_path / "nowhere").exists()


def test_export_and_open(lake: Path, tmp_path: Path) -> None:
    file = tmp_path / "lake.duckdb"
    assert json.loads(call(lake, "export", "duckdb", str(file), "--json").stdout)["file"] == str(file)
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("select count(*) from corpus.rows").fetchall() == [(10,)]


def test_a_process_of_its_own_is_quiet_and_fast(lake: Path) -> None:
    code = "from chunky.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--lake", str(lake), "sql", "select 1 as n", "--json", "--quiet"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout) == [{"n": 1}]
    assert done.stderr == ""


def test_ctrl_c_ends_a_question_without_a_stack_trace(lake: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom chunky.cli import main\n"
        "import chunky.sandbox, sys; sys.stderr.write('ready\\n'); sys.stderr.flush(); main()"
    )
    endless = "select count(*) from range(100000000000000)"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--lake", str(lake), "sql", endless],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(4)  # long enough for it to be busy with the question
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""  # no progress bar among the rows either
    assert "interrupted" in err
    assert "Traceback" not in err


# values ------------------------------------------------------------------------------------------------------------


def test_values_become_plain() -> None:
    assert plain(Decimal("12")) == 12
    assert isinstance(plain(Decimal(10) ** 30), int)
    assert plain(Decimal("1.5")) == 1.5
    assert plain(float("inf")) is None
    assert plain(b"\x00\xff") == "00ff"
    assert plain({"a": [float("nan"), datetime(2026, 1, 2, tzinfo=UTC)]}) == {"a": [None, "2026-01-02T00:00:00+00:00"]}


def test_columns_of_one_name_are_all_kept() -> None:
    table = pa.table([[1], [2], [3]], names=["n", "n", "n_2"])
    assert names_of(table) == ["n", "n_2", "n_2_2"]
    assert records(table) == [{"n": 1, "n_2": 2, "n_2_2": 3}]


def test_no_rows_is_a_header() -> None:
    table = pa.table({"a": pa.array([], pa.int64())})
    assert comma_separated(table) == "a\r\n"
    assert markdown(table) == "| a |\n| --- |\n"
    assert records(table) == []
