"""Tables of vectors: what a commit leaves, what readers see, what a kill costs, and who else can open them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import lance
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from chunky.errors import ContractError, LakeError, MissingTable
from chunky.lance_tables import CURRENT, LanceTable, batch_schema
from chunky.lens import Lens
from chunky.sandbox import Sandbox
from chunky.tables import TABLES
from chunky.warehouse import Warehouse

NAME = "embeddings.vectors"
ENTRY = TABLES[NAME]
FACTS = {"fingerprint": "f1", "embedder": "test", "seed": "0"}
D = 8


def vector(one: int) -> npt.NDArray[np.float16]:
    """The vector of an id, always the same."""
    found = np.random.default_rng(one).standard_normal(D)
    return (found / np.linalg.norm(found)).astype(np.float16)


def batch(*ids: int, dtype: str = "float16", scale: float = 1.0) -> pa.RecordBatch:
    schema = batch_schema(ENTRY, D, dtype)
    values = np.concatenate([vector(one) for one in ids]).astype(dtype) * np.dtype(dtype).type(scale)
    column = pa.FixedSizeListArray.from_arrays(pa.array(values, schema.field("vector").type.value_type), D)
    return pa.RecordBatch.from_arrays([pa.array(ids, pa.int64()), column], schema=schema)


@pytest.fixture
def begun(lake: Warehouse) -> LanceTable:
    table = LanceTable(lake.root, NAME)
    table.start_over(D, "float16", FACTS)
    return table


def held(table: LanceTable) -> dict[int, bytes]:
    return {int(one): row.tobytes() for one, row in zip(table.ids(), table.vectors(), strict=True)}


def pinned(lake: Warehouse, *ids: int, facts: dict[str, str] = FACTS) -> LanceTable:
    """The table with these ids, made the current one."""
    with lake.transaction(NAME) as transaction:
        table = LanceTable(lake.root, NAME)
        if not table.exists:
            table.start_over(D, "float16", facts)
        table.append(batch(*ids))
        transaction.pin(NAME, facts)
    return table


def test_an_absent_table_is_empty(lake: Warehouse) -> None:
    table = LanceTable(lake.root, NAME)
    assert (table.exists, table.rows, table.ids().shape, table.metadata) == (False, 0, (0,), {})
    for call in (lambda: table.version, table.vectors, lambda: lake.vectors(NAME)):
        with pytest.raises(MissingTable, match="not built"):
            call()
    with pytest.raises(LakeError, match="Parquet"):
        LanceTable(lake.root, "corpus.rows")


def test_appending_an_id_twice_keeps_one(begun: LanceTable) -> None:
    assert begun.append(batch(1, 2, 3)) == 3
    before = begun.version
    assert begun.append(batch(3, 4)) == 1
    assert begun.append(batch(1, 2)) == 0
    assert begun.version == before + 1, "nothing new makes no version"
    again = LanceTable(begun.path.parent.parent, NAME)
    assert again.append(batch(4, 5)) == 1, "another writer knows the ids too"
    assert begun.append(batch(5)) == 0, "and this one learns of them"
    assert held(begun) == {one: vector(one).tobytes() for one in (1, 2, 3, 4, 5)}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (lambda: batch(1, scale=1.1), "norm"),
        (lambda: batch(1, scale=float("nan")), "norm"),
        (lambda: batch(1, 1), "more than once"),
        (lambda: batch(1, dtype="float32"), "takes attribute_id int64"),
        (lambda: batch(1).rename_columns(["id", "vector"]), "takes attribute_id int64"),
        (lambda: pa.RecordBatch.from_arrays([pa.array([None], pa.int64()), batch(1)["vector"]],
                                            names=["attribute_id", "vector"]), "1 nulls"),
    ],
)  # fmt: skip
def test_a_batch_that_breaks_the_catalog_is_not_committed(begun: LanceTable, bad: object, says: str) -> None:
    begun.append(batch(7))
    with pytest.raises(ContractError, match=says):
        begun.append(bad())  # type: ignore[operator]
    assert begun.ids().tolist() == [7]


def test_blocks_come_again_in_one_order(begun: LanceTable) -> None:
    for start in range(0, 50, 10):
        begun.append(batch(*range(start, start + 10)))
    blocks = begun.blocks(7)
    first, second = list(blocks), list(blocks)
    assert len(blocks) == blocks.rows == 50
    assert max(map(len, first)) <= 7
    assert first[0].dtype == blocks.dtype == np.float16
    assert np.array_equal(np.concatenate(first), np.concatenate(second))
    assert np.array_equal(np.concatenate(first), begun.vectors())
    assert begun.ids().tolist() == list(range(50))
    begun.compact()
    assert len(begun.dataset().get_fragments()) == 1
    assert begun.ids().tolist() == list(range(50))
    assert np.array_equal(begun.vectors(), np.concatenate(first))


def test_pruned_ids_are_gone_and_can_come_back(begun: LanceTable) -> None:
    begun.append(batch(*range(20)))
    assert begun.prune(np.arange(5, 100)) == 5
    assert begun.ids().tolist() == list(range(5, 20))
    begun.compact()
    assert begun.append(batch(3, 4, 5)) == 2
    assert set(held(begun)) == set(range(3, 20))


def test_starting_over_leaves_readers_of_the_old_version_alone(lake: Warehouse) -> None:
    pinned(lake, 1, 2)
    reader = lake.vectors(NAME)
    table = LanceTable(lake.root, NAME)
    table.start_over(4, "float32", FACTS | {"embedder": "other"})
    assert table.rows == 0
    assert (table.dimensions, table.metadata["embedder"]) == (4, "other")
    assert set(held(reader)) == {1, 2}
    assert (reader.dimensions, reader.metadata["embedder"]) == (D, "test")
    assert table.vacuum(reader.version, 0) >= 0
    assert set(held(lake.vectors(NAME))) == {1, 2}, "a version that a pointer names survives"


def test_a_reader_sees_pinned_versions_alone(lake: Warehouse) -> None:
    table = pinned(lake, 1, 2)
    table.append(batch(3))
    assert lake.rows(NAME) == 2
    assert lake.vectors(NAME).ids().tolist() == [1, 2]
    with Lens(lake) as lens:
        assert lens.table("select attribute_id from embeddings.vectors order by all")["attribute_id"].to_pylist() == [
            1,
            2,
        ]
    version = lake.version(NAME)
    pinned(lake, 4, facts=FACTS | {"fingerprint": "f2"})
    assert lake.version(NAME) != version
    assert lake.vectors(NAME).ids().tolist() == [1, 2, 3, 4]
    tags = lance.dataset(str(table.path)).tags.list()
    assert tags[CURRENT]["version"] == lake.vectors(NAME).version


def test_a_transaction_that_fails_points_nowhere(lake: Warehouse) -> None:
    pinned(lake, 1)

    def fail() -> None:
        with lake.transaction(NAME) as transaction:
            LanceTable(lake.root, NAME).append(batch(2))
            transaction.pin(NAME, FACTS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert lake.vectors(NAME).ids().tolist() == [1]
    assert LanceTable(lake.root, NAME).ids().tolist() == [1, 2], "what was embedded is kept for the next run"


def test_vacuum_frees_old_versions_and_what_killed_writers_left(lake: Warehouse) -> None:
    table = pinned(lake, *range(100))
    table.start_over(D, "float16", FACTS)
    pinned(lake, 1, 2)
    stray = table.path / "data" / "left-by-a-killed-writer.lance"
    stray.write_bytes(b"x")
    lake.vacuum(older_than_seconds=0)
    assert not stray.exists()
    assert set(held(lake.vectors(NAME))) == {1, 2}
    assert len(lance.dataset(str(table.path)).versions()) <= 2


def test_provenance_travels_in_the_dataset(lake: Warehouse) -> None:
    from chunky.metadata import read_provenance

    table = pinned(lake, 1)
    table.describe(FACTS | {"code": "c2"})
    assert table.metadata == FACTS | {"code": "c2"}
    version = table.version
    table.describe(FACTS | {"code": "c2"})
    assert table.version == version, "the same facts make no version"
    table.describe(FACTS)
    assert table.metadata == FACTS == read_provenance(table.path)


def test_lancedb_opens_the_table_as_any_users(lake: Warehouse) -> None:
    import lancedb

    pinned(lake, *range(30))
    table = lancedb.connect(str(lake.root / "embeddings")).open_table("vectors")
    found = table.search(vector(7).astype(np.float32)).distance_type("dot").limit(3).to_arrow()
    assert found["attribute_id"][0].as_py() == 7


@pytest.mark.parametrize("session", [Lens, Sandbox])
def test_sql_reads_vectors_as_floats(lake: Warehouse, session: type[Lens]) -> None:
    with session(lake) as empty:
        told = empty.table("describe embeddings.vectors")
        assert told["column_type"].to_pylist() == ["BIGINT", "FLOAT[]"]
        assert empty.table("select * from embeddings.vectors").num_rows == 0
    pinned(lake, 5, 6, 7)
    with session(lake) as lens:
        assert lens.table("describe embeddings.vectors").to_pylist() == told.to_pylist(), "whether built or not"
        rows = lens.table("select * from embeddings.vectors where attribute_id in (5, 7) order by 1")
        assert rows["attribute_id"].to_pylist() == [5, 7]
        assert np.array_equal(np.array(rows["vector"].to_pylist(), np.float16), np.stack([vector(5), vector(7)]))
        near = "select list_inner_product(a.vector, b.vector) as near from embeddings.vectors as a "
        twice = lens.table(f"{near} inner join embeddings.vectors as b using (attribute_id)")
        assert twice["near"].to_pylist() == pytest.approx([1, 1, 1], abs=2e-3)
        assert lens.table("select count(*) as n from embeddings.vectors")["n"].to_pylist() == [3]
        assert lens.table("select vector, attribute_id from embeddings.vectors limit 1").num_rows == 1


def test_a_question_reads_vectors_behind_the_walls(lake: Warehouse) -> None:
    pinned(lake, 5, 6)
    with Sandbox(lake) as sandbox:
        assert sandbox.ask("select count(*) as n from embeddings.vectors").table["n"].to_pylist() == [2]


def test_a_lost_dataset_is_an_error(lake: Warehouse) -> None:
    table = pinned(lake, 1)
    table.path.rename(table.path.with_name("elsewhere"))
    with pytest.raises(LakeError, match="gone"):
        Lens(lake)


def test_parquet_is_not_written_into_a_lance_table(lake: Warehouse) -> None:
    with pytest.raises(LakeError, match="Lance"), lake.transaction(NAME) as transaction:
        transaction.write(NAME, batch(1), FACTS)


KILLED = """
import os, signal, sys
from pathlib import Path
import polars as pl
from chunky.embedders import HashingEmbedder
from chunky.embeddings import remaining, tables
from chunky.warehouse import Warehouse
from chunky.lance_tables import LanceTable

lake, kill_at = Warehouse(Path(sys.argv[1])), int(sys.argv[2])
embedder = HashingEmbedder(16)
asked = 0
def encode(texts):
    global asked
    asked += 1
    if asked == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return embedder.encode(texts)
texts = pl.DataFrame({"attribute_id": range(200), "text": [f"The query counts to {n}" for n in range(200)]})
facts = {"fingerprint": "f", "embedder": embedder.identity}
with lake.transaction("embeddings.vectors") as transaction:
    table = LanceTable(lake.root, "embeddings.vectors")
    if table.metadata.get("embedder") != embedder.identity:
        table.start_over(16, "float16", facts)
    for batch in tables(remaining(texts, table.ids()), encode, 16, batch_rows=20):
        table.append(batch)
    table.compact()
    transaction.pin("embeddings.vectors", facts)
print(asked)
"""


def run(root: Path, kill_at: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(root), str(kill_at)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ,
    )


@pytest.mark.slow
def test_a_killed_run_is_resumed_and_repeats_one_batch(tmp_path: Path) -> None:
    whole, broken = Warehouse(tmp_path / "whole"), Warehouse(tmp_path / "broken")
    assert run(whole.root, 0).stdout == "10\n"
    assert run(broken.root, 5).returncode == -signal.SIGKILL
    assert broken.parts(NAME) == {}, "nothing is visible"
    assert LanceTable(broken.root, NAME).rows == 80, "what was committed is there"
    assert run(broken.root, 0).stdout == "6\n", "four batches of ten are not made again"
    one, other = whole.vectors(NAME), broken.vectors(NAME)
    assert one.ids().tolist() == other.ids().tolist()
    assert np.array_equal(one.vectors(), other.vectors())
    assert run(broken.root, 0).stdout == "0\n"


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.1, 0.2])
def test_a_kill_at_any_moment_leaves_whole_batches(tmp_path: Path, seconds: float) -> None:
    code = KILLED.replace("batch_rows=20", "batch_rows=1")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), "0"], stdout=subprocess.DEVNULL)
    table = LanceTable(tmp_path, NAME)
    while process.poll() is None and not table.exists:
        os.sched_yield()
    with pytest.raises(subprocess.TimeoutExpired):  # two hundred commits take seconds
        process.wait(seconds)
    process.kill()
    process.wait()
    done = LanceTable(tmp_path, NAME)
    assert done.rows == len(done.vectors()) == len(set(done.ids().tolist())) < 200
    assert run(tmp_path, 0).returncode == 0
    assert set(Warehouse(tmp_path).vectors(NAME).ids().tolist()) == set(range(200))
