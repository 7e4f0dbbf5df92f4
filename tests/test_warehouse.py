"""The lake on disk: what is visible when, whatever else happens. Crashes are real kills of real processes."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chunky.errors import ContractError, LakeError, LockedError, MissingTable
from chunky.fingerprints import provenance
from chunky.lens import Lens
from chunky.metadata import read_provenance
from chunky.settings import Settings
from chunky.stages import stage
from chunky.tables import TABLES
from chunky.warehouse import Transaction, Warehouse

COUNTS = "keywords.counts"
CHUNKS = "corpus.chunks"


def counts(chunk: str, rows: int, start: int = 0) -> pa.Table:
    """`rows` rows of keywords.counts for one chunk; column `rows` holds the same number in all of them."""
    return pa.Table.from_pylist(
        [
            {
                "phrase_id": start + i,
                "side": "query",
                "phrase": f"p{i}",
                "position": "anywhere",
                "tokens": 1,
                "chunk": chunk,
                "rows": rows,
            }
            for i in range(rows)
        ],
        schema=TABLES[COUNTS].arrow_schema,
    )


def facts(text: str) -> dict[str, str]:
    return {"fingerprint": text}


def put(lake: Warehouse, chunk: str, rows: int, fingerprint: str = "f") -> None:
    with lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, counts(chunk, rows), facts(fingerprint), (chunk,))


def state(lake: Warehouse) -> dict[str, int]:
    """Rows by chunk, read from the files that are current."""
    return {key[0]: pq.read_metadata(lake.root / part.file).num_rows for key, part in lake.parts(COUNTS).items()}


# visibility --------------------------------------------------------------------------------------------------------


def test_a_lake_that_was_never_written_is_empty(lake: Warehouse) -> None:
    assert lake.parts(COUNTS) == {}
    assert lake.files(COUNTS) == []
    assert lake.rows(COUNTS) == 0
    assert lake.vacuum(0) == []
    assert not lake.root.exists(), "looking at a lake must not create it"


def test_nothing_is_visible_before_the_block_ends(lake: Warehouse) -> None:
    with lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, counts("a", 3), facts("f"), ("a",))
        assert state(lake) == {}
    assert state(lake) == {"a": 3}


def test_an_error_leaves_the_old_state_and_no_files(lake: Warehouse) -> None:
    put(lake, "a", 3)
    before = lake.parts(COUNTS)

    def fail(transaction: Transaction) -> None:
        transaction.write(COUNTS, counts("a", 4), facts("g"), ("a",))
        transaction.write(COUNTS, counts("b", 2), facts("g"), ("b",))
        transaction.drop(COUNTS, ("a",))
        raise RuntimeError("the stage fails")

    with pytest.raises(RuntimeError), lake.transaction(COUNTS) as transaction:
        fail(transaction)
    assert lake.parts(COUNTS) == before
    assert len(list(lake.root.rglob("*.parquet*"))) == 1


def test_an_open_writer_leaves_nothing_when_the_stream_fails(lake: Warehouse) -> None:
    def stream() -> Iterator[pa.Table]:
        yield counts("a", 3)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"), lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, stream(), facts("f"), ("a",))
    assert list(lake.root.rglob("*.parquet*")) == []


def test_a_partition_is_replaced_and_others_stay(lake: Warehouse) -> None:
    put(lake, "a", 3)
    put(lake, "b", 2)
    old = lake.parts(COUNTS)[("a",)].file
    put(lake, "a", 5)
    assert state(lake) == {"a": 5, "b": 2}
    assert lake.rows(COUNTS) == 7
    assert (lake.root / old).exists(), "readers of the old pointer still need it"


def test_the_last_write_of_a_key_in_a_transaction_wins(lake: Warehouse) -> None:
    with lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, counts("a", 3), facts("f"), ("a",))
        transaction.write(COUNTS, counts("a", 4), facts("g"), ("a",))
    assert state(lake) == {"a": 4}


def test_drop_and_replace_all(lake: Warehouse) -> None:
    for chunk in ("a", "b", "c"):
        put(lake, chunk, 1)
    with lake.transaction(COUNTS) as transaction:
        transaction.drop(COUNTS, ("b",))
        transaction.drop(COUNTS, ("never there",))
    assert state(lake) == {"a": 1, "c": 1}
    with lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, counts("c", 2), facts("g"), ("c",))
        transaction.replace_all(COUNTS)
        transaction.write(COUNTS, counts("d", 4), facts("g"), ("d",))
    assert state(lake) == {"c": 2, "d": 4}


def test_an_empty_partition_is_a_partition_with_the_right_schema(lake: Warehouse) -> None:
    with lake.transaction(COUNTS) as transaction:
        part = transaction.write(COUNTS, [], facts("f"), ("a",))
    assert part.rows == 0
    assert pq.read_schema(lake.root / part.file).equals(TABLES[COUNTS].arrow_schema)


@pytest.mark.parametrize("key", [("a/b", ".."), ("", "%"), ("naïve 漢字", "x" * 400), ("a'b", 'say "hi"; drop')])
def test_any_text_can_be_a_partition_key(lake: Warehouse, key: tuple[str, ...]) -> None:
    with lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, counts("a", 1), facts("f"), key)
    assert list(lake.parts(COUNTS)) == [key]
    assert lake.files(COUNTS)[0].resolve().is_relative_to(lake.folder(COUNTS).resolve())
    assert lake.files(COUNTS)[0].is_file()


def test_writing_what_was_not_announced_is_refused(lake: Warehouse) -> None:
    with lake.transaction(COUNTS) as transaction:
        acts: list[Callable[[], object]] = [
            lambda: transaction.write(CHUNKS, [], facts("f")),
            lambda: transaction.drop(CHUNKS, ()),
            lambda: transaction.replace_all(CHUNKS),
        ]
        for act in acts:
            with pytest.raises(LakeError, match="not part of this transaction"):
                act()
    with pytest.raises(LakeError, match="view"), lake.transaction("corpus.conversations"):
        pass
    with pytest.raises(MissingTable), lake.transaction("corpus.nothing"):
        pass


def test_a_damaged_pointer_is_named(lake: Warehouse) -> None:
    put(lake, "a", 1)
    for text in ("", "{}", "[]", "nonsense", '{"parts": [{"key": ["a"]}]}', '{"parts": [3]}'):
        (lake.folder(COUNTS) / "current").write_text(text, encoding="utf-8")
        with pytest.raises(LakeError, match="damaged"):
            lake.parts(COUNTS)


# versions and provenance -------------------------------------------------------------------------------------------


def test_the_version_changes_if_and_only_if_a_partition_changes(lake: Warehouse) -> None:
    seen = [lake.version(COUNTS)]

    def changed() -> bool:
        seen.append(lake.version(COUNTS))
        return seen[-1] not in seen[:-1]

    put(lake, "a", 1, "f1")
    assert changed()
    put(lake, "b", 1, "f1")
    assert changed()
    put(lake, "a", 1, "f1")  # the same result written again
    assert lake.version(COUNTS) == seen[-1]
    put(lake, "a", 1, "f2")
    assert changed()
    with lake.transaction(COUNTS) as transaction:
        transaction.drop(COUNTS, ("b",))
    assert changed()


def test_a_version_can_be_taken_of_one_prefix(lake: Warehouse) -> None:
    put(lake, "a", 1, "f")
    first = lake.version(COUNTS, ("a",))
    put(lake, "b", 1, "g")
    assert lake.version(COUNTS, ("a",)) == first
    put(lake, "a", 2, "h")
    assert lake.version(COUNTS, ("a",)) != first


def test_without_a_fingerprint_no_two_versions_are_the_same(lake: Warehouse) -> None:
    with lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, counts("a", 1), {}, ("a",))
    first = lake.version(COUNTS)
    with lake.transaction(COUNTS) as transaction:
        transaction.write(COUNTS, counts("a", 2), {}, ("a",))
    assert lake.version(COUNTS) != first


def test_provenance_travels_with_the_bytes(lake: Warehouse) -> None:
    known = provenance(stage("counts"), Settings(), {"corpus.rows": "abc"}, seed=7)
    with lake.transaction(COUNTS) as transaction:
        part = transaction.write(COUNTS, counts("ä", 2), known, ("ä",))
    path = lake.root / part.file
    assert read_provenance(path) == known | {"table": COUNTS, "key": json.dumps(["ä"])}
    assert lake.parts(COUNTS)[("ä",)].provenance == known
    found = dict(duckdb.execute("select key, value from parquet_kv_metadata(?)", [str(path)]).fetchall())
    assert found[b"chunky.fingerprint"] == known["fingerprint"].encode(), "other tools read it too"


# several tables ----------------------------------------------------------------------------------------------------


def chunk_row(chunk: str, rows: int) -> pa.Table:
    """One row of corpus.chunks."""
    entry = TABLES[CHUNKS]
    numbers = {name: (1.0 if entry.column(name).type == "double" else rows) for name in entry.column_names}
    return pa.Table.from_pylist([{**numbers, "chunk": chunk}], schema=entry.arrow_schema)


PREAMBLE = (
    """
from __future__ import annotations
import os, signal, sys
import pyarrow as pa
from chunky import warehouse
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
lake = Warehouse(sys.argv[1], lock_seconds=1)
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    + f"COUNTS, CHUNKS = {COUNTS!r}, {CHUNKS!r}\n"
    + "".join(inspect.getsource(function) for function in (counts, chunk_row, facts))
)


def child(script: str, lake: Warehouse) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), str(lake.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def killed(script: str, lake: Warehouse) -> None:
    """Run a child that must end by SIGKILL, not by error and not by itself."""
    with child(script, lake) as process:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, errors


REWRITE = """
with lake.transaction(COUNTS, CHUNKS) as transaction:
    transaction.write(COUNTS, counts("a", 9), facts("g"), ("a",))
    transaction.write(CHUNKS, chunk_row("a", 9), facts("g"))
"""

# where the writer is killed → (rows of COUNTS, rows of CHUNKS) that a reader sees afterwards; 3 = before, 9 = after
POINTS = {
    "while the data file is written": ("warehouse.pq.ParquetWriter.write_table = die", 3, 3),
    "before the data file gets its name": ("warehouse.os.replace = die", 3, 3),
    "between data file and pointer": ("warehouse._replace = die", 3, 3),
    "before the pointer is renamed": (
        "real = os.replace\nwarehouse.os.replace = lambda a, b: die() if str(b).endswith('current') else real(a, b)",
        3,
        3,
    ),
    "between the pointers of two tables": (
        "real = warehouse._replace\ndef once(path, text):\n    real(path, text)\n    die()\nwarehouse._replace = once",
        9,
        3,
    ),
}


@pytest.mark.parametrize("point", POINTS)
def test_kill_the_writer(lake: Warehouse, point: str) -> None:
    """The first table named is the first one swapped; each table is whole; the rerun completes; vacuum tidies up."""
    with lake.transaction(COUNTS, CHUNKS) as transaction:
        transaction.write(COUNTS, counts("a", 3), facts("f"), ("a",))
        transaction.write(CHUNKS, chunk_row("a", 3), facts("f"))
    patch, counted, described = POINTS[point]
    killed(patch + REWRITE, lake)
    with Lens(lake) as lens:
        assert lens.table("select count(*) as n from keywords.counts")["n"].to_pylist() == [counted]
        assert lens.table("select rows from corpus.chunks")["rows"].to_pylist() == [described]
    with lake.transaction(COUNTS, CHUNKS) as transaction:  # the killed writer holds no lock
        transaction.write(COUNTS, counts("a", 9), facts("g"), ("a",))
        transaction.write(CHUNKS, chunk_row("a", 9), facts("g"))
    assert state(lake) == {"a": 9}
    lake.vacuum(older_than_seconds=0)
    kept = {*lake.files(COUNTS), *lake.files(CHUNKS)}
    assert set(lake.root.rglob("*.parquet*")) == kept
    assert list(lake.root.rglob("*.tmp")) == []
    assert state(lake) == {"a": 9}


def test_pointers_are_swapped_in_the_order_named(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    from chunky import warehouse

    swapped: list[str] = []
    real = warehouse._replace
    monkeypatch.setattr(warehouse, "_replace", lambda path, text: (swapped.append(path.parent.name), real(path, text)))
    for names in ((COUNTS, CHUNKS), (CHUNKS, COUNTS)):
        swapped.clear()
        with lake.transaction(*names) as transaction:
            transaction.write(CHUNKS, chunk_row("a", 1), facts("f"))
            transaction.write(COUNTS, counts("a", 1), facts("f"), ("a",))
        assert swapped == [name.split(".")[1] for name in names]


def test_a_breach_in_the_second_table_hides_the_first(lake: Warehouse) -> None:
    def write_both(transaction: Transaction) -> None:
        transaction.write(COUNTS, counts("a", 1), facts("f"), ("a",))
        transaction.write(CHUNKS, chunk_row("a", -1), facts("f"))

    with pytest.raises(ContractError), lake.transaction(COUNTS, CHUNKS) as transaction:
        write_both(transaction)
    assert lake.parts(COUNTS) == lake.parts(CHUNKS) == {}
    assert list(lake.root.rglob("*.parquet*")) == []


# readers and writers at once ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rewrites", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_a_reader_sees_one_whole_version_during_rewrites(lake: Warehouse, rewrites: int) -> None:
    """Two partitions change together; a version is consistent when both hold as many rows as they say."""
    seen, problems = set(), []
    done = threading.Event()

    def rewrite() -> None:
        try:
            for number in range(1, rewrites + 1):
                rows = 1 + number % 7
                with lake.transaction(COUNTS) as transaction:
                    transaction.write(COUNTS, counts("a", rows), facts(f"{number}"), ("a",))
                    transaction.write(COUNTS, counts("b", rows, 100), facts(f"{number}"), ("b",))
        finally:
            done.set()

    put(lake, "a", 1)
    writer = threading.Thread(target=rewrite)
    writer.start()
    with duckdb.connect(":memory:") as connection:
        while not done.is_set():
            files = [str(path) for path in lake.files(COUNTS)]
            got = connection.execute(
                "select chunk, count(*), min(rows), max(rows) from read_parquet(?) group by all order by all", [files]
            ).fetchall()
            sizes = {row[1:] for row in got}
            if len(sizes) != 1 or any(len(set(size)) != 1 for size in sizes):
                problems.append(got)
            seen |= sizes
    writer.join()
    assert problems == []
    assert len(seen) > 1, "the reader must have met several versions"
    assert len(lake.vacuum(0)) == 2 * rewrites - 1


HOLD = """
with lake.transaction(COUNTS) as transaction:
    transaction.write(COUNTS, counts("held", 2), facts("h"), ("held",))
    print("holding", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(lake: Warehouse) -> Iterator[subprocess.Popen[str]]:
    """Another process in the middle of a transaction; a line on its stdin lets it finish."""
    with child(HOLD, lake) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n", process.stderr and process.stderr.read()
        yield process
        process.kill()


def test_a_second_writer_is_told_who_holds_the_table(lake: Warehouse, holder: subprocess.Popen[str]) -> None:
    lake.lock_seconds = 0.1
    with pytest.raises(LockedError, match=str(holder.pid)) as caught, lake.transaction(COUNTS):
        pass
    assert "engine.lock_seconds" in caught.value.remedy
    with lake.transaction(CHUNKS) as transaction:  # other tables are free
        transaction.write(CHUNKS, chunk_row("a", 1), facts("f"))
    assert state(lake) == {}, "reading needs no lock"


def test_a_second_writer_waits_and_loses_nothing(lake: Warehouse, holder: subprocess.Popen[str]) -> None:
    lake.lock_seconds = 30
    assert holder.stdin is not None
    threading.Timer(0.3, lambda: holder.stdin and (holder.stdin.write("go\n"), holder.stdin.flush())).start()
    put(lake, "mine", 3)
    assert holder.wait(timeout=30) == 0
    assert state(lake) == {"held": 2, "mine": 3}


def test_kill_9_releases_the_lock(lake: Warehouse, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(timeout=30)
    put(lake, "mine", 3)
    assert state(lake) == {"mine": 3}


# vacuum ------------------------------------------------------------------------------------------------------------


def test_vacuum_keeps_what_is_current_and_what_is_young(lake: Warehouse) -> None:
    put(lake, "a", 1)
    old = lake.files(COUNTS)[0]
    put(lake, "a", 2)
    assert lake.vacuum() == []
    os.utime(old, (0, 0))
    os.utime(lake.files(COUNTS)[0], (0, 0))
    assert lake.vacuum() == [old]
    assert state(lake) == {"a": 2}


def test_vacuum_knows_the_folder_of_a_parquet_file_from_a_data_file(lake: Warehouse) -> None:
    """Rows of `mix.parquet` lie in a folder of that name."""
    put(lake, "/mixes/mix.parquet", 1)
    old = lake.files(COUNTS)[0]
    put(lake, "/mixes/mix.parquet", 2)
    assert lake.vacuum(0) == [old]
    assert state(lake) == {"/mixes/mix.parquet": 2}


def test_vacuum_never_takes_the_files_of_a_writer_at_work(lake: Warehouse, holder: subprocess.Popen[str]) -> None:
    """A transaction may take longer than any age; its files have no pointer yet."""
    lake.lock_seconds = 0.1
    with pytest.raises(LockedError):
        lake.vacuum(older_than_seconds=0)
    assert holder.stdin is not None
    holder.stdin.write("go\n")
    holder.stdin.flush()
    assert holder.wait(timeout=30) == 0
    assert state(lake) == {"held": 2}
