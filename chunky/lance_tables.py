"""Tables of vectors: one Lance dataset a table, `LAKE/<schema>/<table>.lance`, open to any Lance or LanceDB user.

    LAKE/embeddings/vectors.lance        the dataset, with Lance's own versions
    LAKE/embeddings/vectors/current      the lake's pointer: which of these versions is the table now

A commit appends one batch, so a killed run loses the batch in hand and nothing else; the versions between two pointers
are work in progress that no reader of the lake sees. A version is never changed: starting over or pruning makes a new
one, and `vacuum` removes old ones but those that a tag holds. Who writes holds the table's lock
(`Warehouse.transaction`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as pads

from chunky.durable import sync
from chunky.errors import ContractError, LakeError, MissingTable
from chunky.metadata import META_PREFIX, with_prefix, without_prefix
from chunky.tables import VECTOR, Table, table

if TYPE_CHECKING:
    import lance

Ids = npt.NDArray[np.int64]
Halves = npt.NDArray[np.float16]

UNIT_TOLERANCE: Final = 1e-3
"""How far a norm may be from 1: rounding to float16 moves it by less than 5e-4."""
CURRENT: Final = "current"
"""The Lance tag of the version that the lake's pointer names: other programs' clean-ups leave it alone."""
_FRAGMENT_ROWS: Final = 1 << 20
_PRUNE_IDS: Final = 10_000
_REMEDY: Final = "nothing was written; this is a fault of the producer, not of the data: report it with this message"


class LanceTable:
    """The Lance side of the catalog's table `name` below the lake folder `root`; `version` pins it for reading.

    The table has an id column (int64, its key) and a column of unit vectors (float16 or float32, one length).
    """

    def __init__(self, root: Path, name: str, version: int | None = None) -> None:
        self.entry = table(name)
        if self.entry.storage != "lance":
            raise LakeError(f"{name} is kept in Parquet, not in Lance", "read it through the lens")
        self.path = root / self.entry.schema_name / f"{self.entry.short_name}.lance"
        self._id, self._vector = columns_of(self.entry)
        self._pinned = version
        self._known: tuple[int, Ids] = (-1, np.empty(0, np.int64))  # ids, sorted, as of a version

    # reading ----------------------------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether the table was ever begun."""
        return (self.path / "_versions").is_dir() and any((self.path / "_versions").iterdir())

    def dataset(self, version: int | None = None) -> lance.LanceDataset:
        """The dataset at `version`, else the pinned one, else the latest; MissingTable or LakeError without it."""
        import lance

        if not self.exists:
            raise MissingTable(f"{self.entry.name} is not built yet", "build it: chunky build")
        wanted = version or self._pinned
        try:
            return lance.dataset(str(self.path), version=wanted)
        except (ValueError, OSError) as error:
            raise LakeError(
                f"{self.entry.name}: version {wanted or 'latest'} cannot be opened: {error}",
                "build it again: chunky build",
            ) from error

    @property
    def version(self) -> int:
        """Lance's number of the version read here."""
        return int(self.dataset().version)

    @property
    def rows(self) -> int:
        """Number of vectors; 0 when the table was never begun."""
        return int(self.dataset().count_rows()) if self.exists else 0

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.dataset().schema.field(self._vector).type.list_size)

    @property
    def metadata(self) -> dict[str, str]:
        """Provenance that travels in the dataset; empty when the table was never begun."""
        return without_prefix(self.dataset().schema.metadata) if self.exists else {}

    def ids(self) -> Ids:
        """Ids in the order of the vectors: shape (rows,), int64."""
        if not self.exists:
            return np.empty(0, np.int64)
        return np.asarray(self.dataset().to_table(columns=[self._id])[self._id].to_numpy(), dtype=np.int64)

    def blocks(self, rows: int = 65_536) -> Blocks:
        """The vectors as a stream of arrays of at most `rows` × dimensions, as often as wanted, always in one order."""
        return Blocks(self.dataset(), self._vector, rows)

    def vectors(self) -> Halves | npt.NDArray[np.float32]:
        """All vectors in memory, in the order of `ids`: shape (rows, dimensions), 2 or 4 bytes a number as on disk."""
        blocks = self.blocks()
        found = np.empty((blocks.rows, self.dimensions), dtype=blocks.dtype)
        start = 0
        for block in blocks:
            found[start : start + len(block)] = block
            start += len(block)
        return found

    def take(self, places: Ids) -> npt.NDArray[Any]:
        """Vectors at some places, ascending: shape (places, dimensions), 2 or 4 bytes a number as on disk."""
        if not len(places):
            return np.empty((0, self.dimensions), np.float16)
        column = self.dataset().take(places.tolist(), columns=[self._vector])[self._vector]
        return as_array(column.combine_chunks())

    # writing ----------------------------------------------------------------------------------------------------------

    def start_over(self, dimensions: int, dtype: str, facts: Mapping[str, str]) -> None:
        """Begin with no rows: vectors of `dimensions` numbers of `dtype` (float16 or float32), `facts` as provenance.

        A new version; readers of the old ones keep them until `vacuum`.
        """
        import lance

        schema = batch_schema(self.entry, dimensions, dtype).with_metadata(with_prefix(dict(facts)))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        mode = "overwrite" if self.exists else "create"
        lance.write_dataset(schema.empty_table(), str(self.path), mode=mode)
        self._known = (-1, np.empty(0, np.int64))

    def append(self, batch: pa.RecordBatch) -> int:
        """Commit one batch; ids that are there already are left out. Returns the number of rows added.

        ContractError when it breaks the catalog: columns, types, nulls, an id twice, another length, norms not 1.
        """
        import lance

        dataset = self.dataset()
        check(batch, self.entry, dataset.schema)
        known = self._ids_at(dataset)
        ids = batch.column(self._id).to_numpy()
        fresh = batch.filter(pa.array(~np.isin(ids, known, assume_unique=True)))
        if fresh.num_rows:
            written = lance.write_dataset(fresh, dataset, mode="append")
            added = fresh.column(self._id).to_numpy()
            self._known = (int(written.version), np.union1d(known, added))
        return fresh.num_rows

    def prune(self, keep: Ids) -> int:
        """Delete rows whose id is not in `keep`; returns how many. Their bytes go with `compact` and `vacuum`."""
        ids = self.ids()
        gone = np.setdiff1d(ids, keep)
        for start in range(0, len(gone), _PRUNE_IDS):
            some = ", ".join(str(int(one)) for one in gone[start : start + _PRUNE_IDS])  # numbers of our own
            self.dataset().delete(f"{self._id} in ({some})")
        return len(gone)

    def describe(self, facts: Mapping[str, str]) -> None:
        """Replace the provenance (a new version), e.g. when newer code or other texts have used the same vectors."""
        if self.metadata != dict(facts):
            gone: dict[str, str | None] = {f"{META_PREFIX}{name}": None for name in self.metadata.keys() - facts.keys()}
            self.dataset().update_schema_metadata({**gone, **with_prefix(dict(facts))})

    def compact(self) -> None:
        """Join the fragments that batches left and drop deleted rows; a new version."""
        self.dataset().optimize.compact_files(
            target_rows_per_fragment=_FRAGMENT_ROWS, materialize_deletions_threshold=0.0
        )

    def pin(self) -> int:
        """Make the latest version durable and tag it as the current one; returns its number."""
        dataset = self.dataset()
        for path in (self.path, *self.path.rglob("*")):
            sync(path)
        sync(self.path.parent)
        self.hold(int(dataset.version))
        return int(dataset.version)

    def hold(self, version: int) -> None:
        """Put the tag `CURRENT` on `version`."""
        tags = self.dataset(version).tags
        if CURRENT not in tags.list():
            tags.create(CURRENT, version)
        elif tags.list()[CURRENT]["version"] != version:
            tags.update(CURRENT, version)

    def vacuum(self, keep: int | None, older_than_seconds: float) -> int:
        """Delete versions older than that but `keep`, the latest and tagged ones, and files that killed writers left.

        Returns the bytes freed. The caller holds the table's lock: no writer is at work.
        """
        if not self.exists:
            return 0
        if keep is not None:
            self.hold(keep)
        done = self.dataset().cleanup_old_versions(
            timedelta(seconds=older_than_seconds), delete_unverified=True, error_if_tagged_old_versions=False
        )
        return int(done.bytes_removed)

    def size(self, version: int | None = None) -> int:
        """Bytes of the data files of a version."""
        files = [file for part in self.dataset(version).get_fragments() for file in part.data_files()]
        return sum((self.path / "data" / file.path).stat().st_size for file in files)

    def _ids_at(self, dataset: lance.LanceDataset) -> Ids:
        if self._known[0] != int(dataset.version):
            ids = dataset.to_table(columns=[self._id])[self._id].to_numpy()
            self._known = (int(dataset.version), np.sort(ids))
        return self._known[1]


class Blocks:
    """A re-iterable stream of vectors: arrays of shape (n, dimensions), n ≤ `block_rows`, as on disk."""

    def __init__(self, dataset: lance.LanceDataset, column: str, block_rows: int) -> None:
        self._dataset, self._column, self.block_rows = dataset, column, block_rows
        self.rows = int(dataset.count_rows())
        self.dimensions = int(dataset.schema.field(column).type.list_size)
        self.dtype: np.dtype[Any] = np.dtype(dataset.schema.field(column).type.value_type.to_pandas_dtype())

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        for batch in self._dataset.to_batches(columns=[self._column], batch_size=self.block_rows):
            yield as_array(batch.column(0))


class VectorScan(pads.Dataset):
    """What DuckDB reads: ids and vectors of one version, as float32, for DuckDB has no 16-bit floats.

    Filters on the id and the choice of columns go down to Lance. The dataset is opened when a query reads it, so that a
    session over a lake with vectors starts as fast as one without (importing lance takes a second).
    """

    def __init__(self, source: LanceTable, dimensions: int) -> None:
        # the base class forbids its own constructor, and needs none of what it would set up
        self._source = source
        key, vector = columns_of(source.entry)
        self._shape = pa.schema([pa.field(key, pa.int64()), pa.field(vector, pa.list_(pa.float32(), dimensions))])

    @property
    def schema(self) -> pa.Schema:
        """Id and vector, as DuckDB sees them."""
        return self._shape

    def scanner(self, columns: Any = None, filter: Any = None, **_: Any) -> Any:  # type: ignore[override]
        """A scan of some columns of the rows that pass `filter`."""
        names = list(columns or self._shape.names)
        shape = pa.schema([self._shape.field(name) for name in names])
        batches = self._source.dataset().to_batches(columns=names, filter=filter)
        return _Scan(pa.RecordBatchReader.from_batches(shape, (batch.select(names).cast(shape) for batch in batches)))


class _Scan:
    """The part of Arrow's Scanner that DuckDB uses."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self.projected_schema = reader.schema

    def to_reader(self) -> pa.RecordBatchReader:
        """The stream."""
        return self._reader


def columns_of(entry: Table) -> tuple[str, str]:
    """Names of the id column and of the vector column of a Lance table."""
    (vector,) = (name for name in entry.column_names if entry.column(name).type == VECTOR)
    (key,) = entry.key
    return key, vector


def batch_schema(entry: Table, dimensions: int, dtype: str) -> pa.Schema:
    """Arrow schema of `entry` with vectors of `dimensions` numbers of `dtype`, float16 or float32."""
    kinds = {"float16": pa.float16(), "float32": pa.float32()}
    if dtype not in kinds or dimensions < 1:
        raise ContractError(f"{entry.name} holds no vectors of {dimensions} × {dtype}", "use float16 or float32")
    kind = pa.list_(kinds[dtype], dimensions)
    key, vector = columns_of(entry)
    return pa.schema([pa.field(key, pa.int64(), nullable=False), pa.field(vector, kind, nullable=False)])


def check(batch: pa.RecordBatch, entry: Table, schema: pa.Schema) -> None:
    """ContractError unless `batch` has the columns of `schema`, no nulls, no id twice, and vectors of norm 1."""
    key, vector = columns_of(entry)
    if [(field.name, field.type) for field in batch.schema] != [(field.name, field.type) for field in schema]:
        raise ContractError(f"{entry.name} takes {_words(schema)}, not {_words(batch.schema)}", _REMEDY)
    for column, name in zip(batch.columns, batch.schema.names, strict=True):
        if column.null_count:
            raise ContractError(f"{entry.name}.{name} holds {column.null_count} nulls", _REMEDY)
    ids = batch.column(key).to_numpy()
    if len(np.unique(ids)) != len(ids):
        raise ContractError(f"{entry.name}: an id occurs more than once in a batch", _REMEDY)
    values = as_array(batch.column(vector)).astype(np.float32)
    off = ~(np.abs(np.linalg.norm(values, axis=1) - 1) <= UNIT_TOLERANCE)  # NaN is off too
    if off.any():
        raise ContractError(f"{entry.name}.{vector}: {int(off.sum())} vectors are not of norm 1", _REMEDY)


def _words(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def as_array(column: Any) -> npt.NDArray[Any]:
    """A column of fixed-size lists as an array of shape (n, dimensions), without a copy."""
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False)).reshape(len(column), column.type.list_size)
