"""Questions can read the lake's current files and nothing else, change nothing, and end."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunky.errors import QueryError
from chunky.sandbox import Sandbox, bounded_memory, size_in_bytes, value_of, with_parameters
from chunky.sections import Sql as SqlSettings
from chunky.settings import Settings
from chunky.warehouse import Warehouse
from tests.small_lake import fill

SECRET = "the secret of the neighbor"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return fill(Warehouse(tmp_path_factory.mktemp("sandbox") / "lake"))


@pytest.fixture(scope="module")
def sandbox(lake: Warehouse) -> Iterator[Sandbox]:
    with Sandbox(lake) as opened:
        yield opened


@pytest.fixture(scope="module")
def neighbors(lake: Warehouse) -> dict[str, Path]:
    """Files beside the lake's own that no question may read, under several names."""
    own = lake.files("corpus.rows")[0]
    secret = own.parent / "secret.parquet"
    duckdb.sql(f"select '{SECRET}' as secret").write_parquet(str(secret))
    text = lake.root / "secret.csv"
    text.write_text(f"secret\n{SECRET}\n")
    longer = own.with_name(f"{own.name}.more")
    longer.write_bytes(secret.read_bytes())
    link = own.parent / "link.parquet"
    link.symlink_to(secret)
    database = lake.root / "other.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"create table secrets as select '{SECRET}' as secret")
    return {
        "own": own,
        "secret": secret,
        "text": text,
        "longer": longer,
        "link": link,
        "database": database,
        "root": lake.root,
    }


def digest(folder: Path) -> str:
    """Digest of every path below `folder` with its bytes."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(str(path).encode())
        if path.is_file():
            whole.update(path.read_bytes())
    return whole.hexdigest()


READING = (
    "from read_csv('/etc/passwd')",
    "select * from read_csv_auto('{text}')",
    "from read_text('/etc/passwd')",
    "from read_blob('{secret}')",
    "from read_parquet('{secret}')",
    "from parquet_scan(['{own}', '{secret}'])",
    "from read_json('/etc/hostname')",
    "from read_ndjson_objects('{text}')",
    "from sniff_csv('{text}')",
    "from glob('{root}/*')",
    "from glob('/etc/*')",
    "from parquet_metadata('{secret}')",
    "from parquet_kv_metadata('{secret}')",
    "from read_duckdb('{database}')",
    "from '{secret}'",
    "from '{text}'",
    'from "{secret}"',
    "from '{link}'",
    "from '{longer}'",
    "from 'secret.parquet'",
    "from '{own}/../secret.parquet'",
    "from 'file://{secret}'",
    "from 'https://example.org/data.parquet'",
    "from 's3://bucket/data.parquet'",
    "from read_csv('https://example.org/data.csv')",
    "from '/proc/self/environ'",
    "from read_text('/proc/self/environ')",
    "from main.read_csv('{text}')",
    "from system.main.read_csv('{text}')",
    "from \"READ_CSV\"('{text}')",
    "from corpus.read_csv('{text}')",
    "select (select count(*) from read_text('{text}'))",
    "select 1 where exists (from read_text('{text}'))",
    "select 1 order by (select content from read_text('{text}'))",
    "with a as (from read_text('{text}')) from a",
    "with recursive a as (select 1 as n union all select n + 1 from a, read_text('{text}') where n < 2) from a",
    "select * from range(1) as r, lateral (from read_text('{text}')) as x",
    "(select 1) union all (select length(content) from read_text('{text}'))",
    "describe from read_csv('{text}')",
    "summarize from read_csv('{text}')",
    "explain from read_csv('{text}')",
    "explain analyze from read_csv('{text}')",
    "from query('from read_text(''{text}'')')",
    "from query_table('{text}')",
    "from json_execute_serialized_sql(json_serialize_sql('from read_text(''{text}'')'))",
    "pivot (from read_csv('{text}')) on secret in ('a') using count(*)",
    "select getenv('HOME')",
    "from duckdb_secrets()",
    "from which_secret('s3://a', 's3')",
    "from duckdb_settings()",
    "from arrow_scan(1::ubigint::pointer, 1::ubigint::pointer, 1::ubigint::pointer)",
    "from pandas_scan(1)",
)
WRITING = (
    "copy (select 1) to '{root}/new.csv'",
    "copy (select 1) to '{own}' (format parquet, use_tmp_file false)",
    "with a as (copy (select 1 as x) to '{own}' (format parquet, use_tmp_file false)) select 1",
    "select * from (with a as (copy (select 1 as x) to '{own}' (format parquet, use_tmp_file false)) select 1)",
    "explain analyze copy (select 1) to '{own}' (format parquet, use_tmp_file false)",
    "/* x */ explain analyze copy (select 1) to '{own}' (format parquet, use_tmp_file false)",
    "export database '{root}/dump'",
    "import database '{root}/dump'",
    "attach '{database}' as other",
    "attach '{root}/new.duckdb' as other",
    "attach ':memory:' as other",
    "create table t as select 1",
    "create temp table t as select 1",
    "create or replace view corpus.rows as select 1",
    "create macro stats.lift(a, b, c, d) as 1",
    "create secret (type s3, key_id 'a', secret 'b')",
    "insert into corpus.rows values (1)",
    "with a as (insert into corpus.rows values (1) returning *) from a",
    "update corpus.rows set chunk = 'x'",
    "delete from corpus.rows",
    "drop view corpus.rows",
    "alter view corpus.rows rename to others",
    "comment on view corpus.rows is 'x'",
    "install httpfs",
    "load httpfs",
    "force install httpfs from community",
    "set enable_external_access = true",
    "set variable x = 1",
    "set memory_limit = '100GB'",
    "set lock_configuration = false",
    "reset lock_configuration",
    "pragma enable_profiling",
    "pragma memory_limit = '100GB'",
    "call enable_logging(storage = 'file', storage_path = '{root}/log')",
    "from enable_logging(storage = 'file', storage_path = '{root}/log')",
    "call pragma_version()",
    "checkpoint",
    "from checkpoint()",
    "vacuum",
    "begin",
    "use corpus",
    "prepare p as select 1",
    "execute p",
    "select 1; select 2",
    "select 1; copy (select 1) to '{root}/new.csv'",
    "select 1 /* ; */; -- \n drop view corpus.rows",
    "",
    "   -- nothing\n",
    ";",
    "select 1\0; drop view corpus.rows",
)


@pytest.mark.parametrize("attack", READING + WRITING)
def test_attacks_are_refused_in_words(
    attack: str, sandbox: Sandbox, lake: Warehouse, neighbors: dict[str, Path]
) -> None:
    before = digest(lake.root)
    with pytest.raises(QueryError) as caught:
        sandbox.ask(attack.format(**neighbors), 0)
    assert SECRET not in str(caught.value)
    assert caught.value.remedy
    assert digest(lake.root) == before
    assert sandbox.ask("select count(*) as n from corpus.rows").table.to_pylist() == [{"n": 10}]  # the session goes on


NO_FILE = ("duckdb_settings", "arrow_scan", "pandas_scan", "serialized")  # they open none: for the first wall alone


@pytest.mark.parametrize("attack", [attack for attack in READING if not any(name in attack for name in NO_FILE)])
def test_the_second_wall_holds_without_the_first(attack: str, sandbox: Sandbox, neighbors: dict[str, Path]) -> None:
    """Were the syntax tree misread, DuckDB itself would still open no file but the lake's."""
    try:
        found = sandbox.connection.sql(attack.format(**neighbors)).to_arrow_table().to_pylist()
    except duckdb.Error:
        return
    assert SECRET not in str(found)
    assert attack.startswith("explain"), attack  # a plan may be shown; what it would read is not


def test_why_the_first_wall_is_needed(tmp_path: Path) -> None:
    """DuckDB overwrites an allowed file from inside a select; when this fails, the module's docstring is stale."""
    lake = fill(Warehouse(tmp_path / "lake"))
    file = lake.files("corpus.rows")[0]
    before = file.read_bytes()
    sql = f"with a as (copy (select 1 as x) to '{file}' (format parquet, use_tmp_file false)) select 1"
    with Sandbox(lake) as opened:
        [statement] = opened.connection.extract_statements(sql)
        assert statement.type == duckdb.StatementType.SELECT
        opened.connection.execute(sql).fetchall()
    assert file.read_bytes() != before


def test_comments_that_nest_hide_nothing(sandbox: Sandbox, lake: Warehouse, neighbors: dict[str, Path]) -> None:
    """Whatever ends a comment, the statement that runs is the one that was read."""
    before = digest(lake.root)
    copy = f"copy (select 1) to '{neighbors['own']}' (format parquet, use_tmp_file false)"
    assert sandbox.ask(f"/* /* */ explain select 1; -- */ explain analyze {copy}").table.num_rows == 1
    with pytest.raises(QueryError):
        sandbox.ask(f"/* /* */ */ explain analyze {copy}")
    assert digest(lake.root) == before


def test_no_local_variable_is_a_table(sandbox: Sandbox) -> None:
    hidden = sandbox.connection.sql("select 42 as answer").to_arrow_table()
    with pytest.raises(QueryError, match="hidden"):
        sandbox.ask("from hidden")
    assert hidden.num_rows == 1


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as n",
        "from corpus.rows",
        "table corpus.rows",
        "values (1), (2)",
        "with a as (select 1 as n) select n from a union all select 2",
        "with recursive a as (select 1 as n union all select n + 1 from a where n < 5) from a",
        "describe corpus.rows",
        "show tables from corpus",
        "show all tables",
        "summarize corpus.rows",
        "explain select * from corpus.rows",
        "  -- why\n explain analyze select count(*) from corpus.rows",
        "explain (select 1)",
        "pivot corpus.rows on chunk in ('math', 'code') using count(*)",
        "unpivot (select 1 as a, 2 as b) on a, b",
        "select unnest([1, 2])",
        "select * from range(3) as r(i), unnest([i, i])",
        "from json_each('[1, 2]')",
        "select list_transform([1, 2], lambda x: x + 1)",
        "from correlations.p_given('two parts', 'hope')",
        "from CORPUS.Phrase_Rows('hope')",
        "from memory.corpus.phrase_rows('hope')",
        "select stats.lift(1, 2, 3, 4)",
        "select function_name from duckdb_functions() where not internal",
        "select 'copy; drop' as harmless, 'from read_csv(''/etc/passwd'')' as text",
        "select * from corpus.rows tablesample 50%",
        "from corpus.rows select chunk qualify row_number() over (partition by chunk) = 1",
        "select (query, response) as both from corpus.rows limit 1;",
    ],
)
def test_reading_statements_are_answered(sql: str, sandbox: Sandbox) -> None:
    assert sandbox.ask(sql).table.num_columns >= 1


def test_rows_are_capped_and_counted(sandbox: Sandbox) -> None:
    answer = sandbox.ask("select i from range(1000) as r(i) order by i", 3)
    assert (answer.table["i"].to_pylist(), answer.total) == ([0, 1, 2], 1000)
    assert sandbox.ask("select i from range(1000) as r(i)", 0).table.num_rows == 1000
    assert sandbox.ask("select i from range(1000) as r(i)").table.num_rows == Settings().sql.row_cap
    assert sandbox.ask("select 1 where false", 5).total == 0


def test_a_count_that_takes_too_long_is_unknown(sandbox: Sandbox) -> None:
    answer = sandbox.ask("select i from range(100000000000) as r(i)", 3)
    assert (answer.table.num_rows, answer.total) == (3, None)
    assert sandbox.ask("select 1 as n").total == 1  # the open result is closed


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive a as (select 1 as n union all select n + 1 from a) select max(n) from a",
        "select count(*) from range(100000000000)",
        "select count(*) from range(10000000) as a, range(10000000) as b where a.range + b.range = -1",
        "select sleep_ms(100000)",
    ],
)
def test_endless_questions_are_stopped(sql: str, lake: Warehouse) -> None:
    limits = Settings(sql=SqlSettings(timeout_seconds=0.3, memory_limit="500MB"))  # type: ignore[call-arg]
    with Sandbox(lake, limits) as opened:
        started = time.monotonic()
        with pytest.raises(QueryError, match=r"stopped after 0.3 seconds[\s\S]*sql.timeout_seconds"):
            opened.ask(sql)
        assert time.monotonic() - started < 20
        assert opened.ask("select 1 as n").table.to_pylist() == [{"n": 1}]


MEMORY = (
    "select list(i) from range(1000000000) as r(i)",
    "select length(repeat('a', 4000000000))",
    "select list_sum(range(1000000000))",
    "select string_agg(repeat('x', 1000000), '') from range(100000)",
)


@pytest.mark.parametrize("sql", MEMORY)
def test_memory_is_bounded(sql: str, lake: Warehouse) -> None:
    """In a process of its own, as on the command line: some of these escape DuckDB's own accounting."""
    code = (
        "import resource, sys\n"
        "from chunky.errors import QueryError\n"
        "from chunky.sandbox import Sandbox, bounded_memory\n"
        "from chunky.settings import Settings\n"
        "from chunky.warehouse import Warehouse\n"
        "limits = Settings.model_validate({'sql': {'memory_limit': '300MB', 'timeout_seconds': 20}})\n"
        "with Sandbox(Warehouse(sys.argv[1]), limits) as opened, bounded_memory('300MB'):\n"
        "    try:\n"
        "        opened.ask(sys.argv[2])\n"
        "    except QueryError as error:\n"
        "        print(error.problem, error.remedy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(lake.root), sql], capture_output=True, text=True, timeout=120, check=True
    )
    assert "more memory than the 300MB" in done.stdout, done.stdout + done.stderr
    assert "sql.memory_limit" in done.stdout
    assert int(done.stdout.split()[-1]) < 1_500_000  # kilobytes


def test_errors_name_the_nearest(sandbox: Sandbox) -> None:
    cases = {
        "from corpus.row": "did you mean corpus.rows",
        "from rows": "corpus.rows",
        "from keywords.phrase": "keywords.phrases",
        "select chunkk from corpus.rows": "did you mean chunk",
        "select response_char from corpus.rows": "response_chars",
        "select regexp_matchs('a', 'b')": "regexp_matches",
        "selec 1": "chunky questions",
        "from corpus.nothing_like_it": "chunky tables",
    }
    for sql, hint in cases.items():
        with pytest.raises(QueryError) as caught:
            sandbox.ask(sql)
        assert hint in caught.value.remedy, sql


def test_bad_patterns_and_casts_are_told(sandbox: Sandbox) -> None:
    with pytest.raises(QueryError, match="missing"):
        sandbox.ask("select regexp_matches('a', '(')")
    with pytest.raises(QueryError, match="Could not convert"):
        sandbox.ask("select 'x'::integer")


def test_errors_in_the_middle_of_the_rows_are_told(sandbox: Sandbox) -> None:
    """They come out of the Arrow stream, not out of DuckDB."""
    sql = "select (case when i = 500000 then 'x' else '1' end)::integer as n from range(1000000) as r(i)"
    with pytest.raises(QueryError, match="Could not convert string 'x'"):
        sandbox.ask(sql, 5)
    assert sandbox.ask("select 1 as n").total == 1


def test_empty_tables_say_what_fills_them(tmp_path: Path, lake: Warehouse) -> None:
    with Sandbox(Warehouse(tmp_path / "nowhere")) as opened:
        answer = opened.ask("from keywords.phrases")
        assert answer.total == 0
        assert "chunky ingest" in answer.notes[0]
        assert opened.ask("select 1").notes == ()
        assert "chunky ingest" in opened.ask("from keywords.phrase_count('x')").notes[0]
    with Sandbox(lake) as opened:
        assert opened.ask("from report.findings").notes == (
            "report.findings is not built yet; build it with: chunky build",
        )
        assert opened.ask("from corpus.quarantine").notes == ()
        assert opened.ask("from keywords.phrases").notes == ()


def test_a_session_keeps_one_state_of_the_lake(tmp_path: Path) -> None:
    """A rewrite while a session is open changes nothing in it and breaks nothing."""
    lake = fill(Warehouse(tmp_path / "lake"))
    with Sandbox(lake) as opened:
        fill(lake)
        assert opened.ask("select count(*) as n from corpus.rows").table.to_pylist() == [{"n": 10}]
    with Sandbox(lake) as opened:
        assert opened.ask("select count(*) as n from corpus.rows").table.to_pylist() == [{"n": 10}]


@pytest.mark.parametrize("name", ["it's a lake", "λάκη 湖", "a;b", "link"])
def test_odd_folder_names(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    if name == "link":
        (tmp_path / "real").mkdir()
        folder.symlink_to(tmp_path / "real")
    with Sandbox(fill(Warehouse(folder / "lake"))) as opened:
        assert opened.ask("select count(*) as n from corpus.rows").table.to_pylist() == [{"n": 10}]


def test_a_relative_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(Warehouse(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    with Sandbox(Warehouse("lake")) as opened:
        assert opened.ask("select count(*) as n from corpus.rows").table.to_pylist() == [{"n": 10}]


# parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("0.5", 0.5), ("true", True), ("null", None), ('"3"', "3"), ("elucidate", "elucidate"), ("", ""),
        ('["a", "b"]', ["a", "b"]), ("a b", "a b"), ("9007199254740993", 9007199254740993), ('{"a": 1}', '{"a": 1}'),
        ("'; drop view corpus.rows; --", "'; drop view corpus.rows; --"),
    ],
)  # fmt: skip
def test_parameters_are_json_or_text(text: str, value: object, sandbox: Sandbox) -> None:
    assert value_of(text) == value
    with_parameters(sandbox, {"given": value_of(text)})
    assert sandbox.ask("select getvariable('given') as v").table.to_pylist() == [{"v": value}]


@given(st.text(max_size=40).filter(lambda text: "\0" not in text))
@settings(max_examples=40, deadline=None)
def test_any_text_is_a_value_and_never_sql(sandbox: Sandbox, text: str) -> None:
    if any(0xD800 <= ord(character) <= 0xDFFF for character in text):
        return  # a lone surrogate is no text that UTF-8 can carry
    with_parameters(sandbox, {"given": text})
    assert sandbox.ask("select getvariable('given') as v").table.to_pylist() == [{"v": text}]


def test_parameter_names_are_names(sandbox: Sandbox) -> None:
    for name in ("a b", "x = 1; drop", "", "1a", "A"):
        with pytest.raises(QueryError, match="--param"):
            with_parameters(sandbox, {name: 1})


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_as_a_question_is_answered_or_refused(sandbox: Sandbox, text: str) -> None:
    try:
        assert sandbox.ask(text, 1).table.num_rows <= 1
    except QueryError as error:
        told = error
        assert all((told.problem, told.remedy))


def test_a_deeply_nested_question_is_refused_or_answered(sandbox: Sandbox) -> None:
    for sql in ("select " + "(" * 5_000 + "1" + ")" * 5_000, "select " + "1+" * 20_000 + "1", "select 1" * 200_000):
        with pytest.raises(QueryError):
            sandbox.ask(sql)


def test_sizes() -> None:
    assert size_in_bytes("2GB") == 2_000_000_000
    assert size_in_bytes("1.5 GiB") == 1_610_612_736
    with pytest.raises(QueryError):
        size_in_bytes("much")


def test_the_cap_on_memory_is_lifted_again() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_AS)
    with bounded_memory("1GB"):
        inside = resource.getrlimit(resource.RLIMIT_AS)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    if Path("/proc/self/statm").exists():
        assert 0 < inside[0] < 2**50
        assert inside[1] == before[1]
