"""The lake on disk: immutable Parquet files and one small pointer a table.

    LAKE/<schema>/<table>/current                    JSON: which files are the table now (the pointer)
    LAKE/<schema>/<table>/<slug>[/<slug>]/v-<id>.parquet   a version of one partition; never overwritten
    LAKE/<schema>/<table>/.lock                      who is writing

Writing is a transaction: data files are written, checked against the catalog and fsynced first; then the pointer of
each table is replaced by rename. A reader that has read the pointer keeps a consistent table whatever happens next;
a crash before the rename leaves files that nobody sees (`vacuum` removes them). The pointer holds all partitions of
its table, so that a commit of many partitions is one atomic step.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chunky import contracts, locks
from chunky.durable import replace_text as _replace
from chunky.durable import sync as _sync
from chunky.errors import LakeError, MissingTable
from chunky.fingerprints import digest_of
from chunky.lance_tables import LanceTable
from chunky.metadata import with_prefix
from chunky.slugs import slug
from chunky.tables import TABLES, table

Key = tuple[str, ...]
LANCE_VERSION, DIMENSIONS = "lance_version", "dimensions"  # facts of a part that is a version of a Lance table
_ROW_GROUP = 122_880  # DuckDB's own row-group size: one group a thread, and zone maps stay useful
_SYNC_THREADS = 8
# Hardly ever twice the same: a dictionary is built and thrown away (541k rows: 1.8 s and 94 MB, without 1.6 and 90)
_DISTINCT = frozenset(("row_id", "content_id", "conversation_id", "query", "response"))
# Level 1 makes the texts of the real mix 27 % larger than 3 (55 MiB against 43), in half the time
_ZSTD_LEVEL, _ZSTD_LEVELS = 3, {"corpus.rows": 1}
_ROW_GROUP_BYTES = 64 * 2**20  # long texts: bound what one open writer holds


@dataclass(frozen=True)
class Part:
    """One partition of a table as it is now: its file (relative to the lake), counts and provenance."""

    key: Key
    file: str
    rows: int
    bytes: int
    fingerprint: str
    written_at: str
    provenance: Mapping[str, str] = field(default_factory=dict)


class Warehouse:
    """A lake folder. Reading needs no lock; all writing goes through `transaction`."""

    def __init__(self, root: Path | str, lock_seconds: float = 30) -> None:
        self.root = Path(root)
        self.lock_seconds = lock_seconds
        self._read: dict[str, tuple[str, dict[Key, Part]]] = {}  # pointers as last read: text and what it says

    def folder(self, name: str) -> Path:
        """Folder of table `name`."""
        entry = table(name)
        return self.root / entry.schema_name / entry.short_name

    def parts(self, name: str) -> dict[Key, Part]:
        """Current partitions of table `name` by key; empty when the table was never written."""
        try:
            text = (self.folder(name) / "current").read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        known = self._read.get(name)  # an ingest asks several times a file, and a lake of 1,000 shards has 1 MB of it
        if known is not None and known[0] == text:
            return dict(known[1])
        try:
            parts = [Part(**{**entry, "key": tuple(entry["key"])}) for entry in json.loads(text)["parts"]]
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"the pointer {self.folder(name) / 'current'} is damaged: {error}",
                f"delete that file and build {name} again: its data files are still there, but not which are current",
            ) from error
        self._read[name] = text, {part.key: part for part in parts}
        return dict(self._read[name][1])

    def files(self, name: str) -> list[Path]:
        """Current files of table `name`, in the order of their partition keys."""
        return [self.root / part.file for _, part in sorted(self.parts(name).items())]

    def vectors(self, name: str) -> LanceTable:
        """The Lance table `name`, pinned to the version that its pointer names; MissingTable when it has none."""
        for part in self.parts(name).values():
            return LanceTable(self.root, name, int(part.provenance[LANCE_VERSION]))
        raise MissingTable(f"{name} is not built yet", "build it: chunky build")

    def version(self, name: str, prefix: Key = ()) -> str:
        """Digest of the partitions of `name` under keys that start with `prefix`: what fingerprints downstream know."""
        parts = self.parts(name)
        return digest_of(sorted((key, part.fingerprint) for key, part in parts.items() if key[: len(prefix)] == prefix))

    def rows(self, name: str) -> int:
        """Number of rows of table `name`."""
        return sum(part.rows for part in self.parts(name).values())

    @contextmanager
    def transaction(self, *names: str) -> Iterator[Transaction]:
        """Write to the tables `names`, whose pointers are swapped in this order when the block ends without error.

        LockedError when another process writes one of them for longer than `lock_seconds`.
        """
        for name in names:
            if table(name).is_view:
                raise LakeError(f"{name} is a view over other tables and holds no rows", "write to the tables it reads")
        with ExitStack() as stack:
            for name in sorted(names):
                stack.enter_context(locks.held(self.folder(name), name, self.lock_seconds))
            transaction = Transaction(self, names)
            with transaction:
                yield transaction

    def vacuum(self, older_than_seconds: float = 3600) -> list[Path]:
        """Delete data files that no pointer names and that are older than `older_than_seconds`; returns them.

        The age protects readers that hold the previous pointer; the lock keeps writers out.
        """
        horizon = time.time() - older_than_seconds
        removed = []
        for name in TABLES:
            if self.folder(name).is_dir():
                with locks.held(self.folder(name), name, self.lock_seconds):
                    if table(name).storage == "lance":
                        pinned = self.parts(name).get(())
                        keep = int(pinned.provenance[LANCE_VERSION]) if pinned else None
                        LanceTable(self.root, name).vacuum(keep, older_than_seconds)
                    kept = {self.root / part.file for part in self.parts(name).values()}
                    strays = [*self.folder(name).rglob("*.parquet*"), *self.folder(name).glob(".current.*.tmp")]
                    for path in sorted(strays):
                        # a folder is named after its key, and that may be a file: …%2Fmix.parquet
                        if path not in kept and path.is_file() and path.stat().st_mtime <= horizon:
                            path.unlink()
                            removed.append(path)
        return removed


class Transaction:
    """New partitions of some tables, invisible until the block ends; dropped on error."""

    def __init__(self, lake: Warehouse, names: Sequence[str]) -> None:
        self.lake = lake
        self.names = tuple(names)
        self._new: dict[str, dict[Key, Part | None]] = {name: {} for name in names}
        self._written: list[Part] = []
        self._unsynced: dict[Path, None] = {}  # files and folders, in order, each once

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._make_durable()
            self._swap()
            return
        self._discard(0)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part of the transaction that leaves no trace in it when it ends by error; what came before stays."""
        before, count = {name: dict(changes) for name, changes in self._new.items()}, len(self._written)
        is_done = False
        try:
            yield
            is_done = True
        finally:
            if not is_done:
                self._discard(count)
                self._new = before

    def parts(self, name: str) -> dict[Key, Part]:
        """Partitions of `name` as they will be when the transaction ends now."""
        parts = {**self.lake.parts(name), **self._changes(name)}
        return {key: part for key, part in parts.items() if part is not None}

    def _discard(self, count: int) -> None:
        """Delete the files of all parts but the first `count`."""
        for part in self._written[count:]:
            path = self.lake.root / part.file
            if LANCE_VERSION not in part.provenance:  # a version that no pointer names does not show
                path.unlink(missing_ok=True)
            self._unsynced.pop(path, None)
        del self._written[count:]

    def write(
        self,
        name: str,
        batches: pa.Table | Iterable[pa.RecordBatch | pa.Table],
        facts: Mapping[str, str],
        key: Key = (),
    ) -> Part:
        """Write one partition of `name`: columns in any order, cast to the catalog's types, checked.

        `facts` is the provenance (see `fingerprints.provenance`). ContractError when the rows break the catalog.
        """
        with self.open(name, facts, key) as writer:
            for batch in [batches] if isinstance(batches, pa.Table) else batches:
                writer.write(batch)
        return writer.part

    def open(self, name: str, facts: Mapping[str, str], key: Key = ()) -> PartWriter:
        """A writer for one partition, to be used as a context manager; for streams that feed several at once."""
        self._changes(name)
        if table(name).storage != "parquet":
            raise LakeError(f"{name} is a Lance table", "append to its LanceTable, then pin it")
        return PartWriter(self, name, facts, key)

    def pin(self, name: str, facts: Mapping[str, str]) -> Part:
        """Point the Lance table `name` at its latest version, made durable; what fails to commit stays, unpointed."""
        self._changes(name)
        source = LanceTable(self.lake.root, name)
        told = dict(facts) | {LANCE_VERSION: str(source.pin()), DIMENSIONS: str(source.dimensions)}
        file, now = str(source.path.relative_to(self.lake.root)), datetime.now(UTC).isoformat(timespec="seconds")
        part = Part((), file, source.rows, source.size(), facts["fingerprint"], now, told)
        self.add(name, part)
        return part

    def drop(self, name: str, key: Key) -> None:
        """Take a partition out of the table (its file stays until vacuum)."""
        self._changes(name)[key] = None

    def replace_all(self, name: str) -> None:
        """Drop every partition of `name` that this transaction has not written."""
        changes = self._changes(name)
        for key in self.lake.parts(name):
            changes.setdefault(key, None)

    def add(self, name: str, part: Part) -> None:
        """Register a finished part; the last one of a key wins."""
        self._changes(name)[part.key] = part
        self._written.append(part)
        path = self.lake.root / part.file
        self._unsynced[path] = None
        for folder in path.parents[: 1 + len(part.key)]:  # new folders too are entries in their parents
            self._unsynced[folder] = None

    def _changes(self, name: str) -> dict[Key, Part | None]:
        if name not in self._new:
            raise LakeError(f"{name} is not part of this transaction", "name it in Warehouse.transaction(…)")
        return self._new[name]

    def _make_durable(self) -> None:
        """Files and folders to disk, before any pointer names them; together, so that a journal commits them once."""
        with ThreadPoolExecutor(_SYNC_THREADS) as pool:
            list(pool.map(_sync, self._unsynced))

    def _swap(self) -> None:
        for name in self.names:
            if self._new[name]:
                entries = [json.dumps(vars(part)) for _, part in sorted(self.parts(name).items())]
                text = ",\n".join(entries)  # a line a partition: readable, and without the slow encoder of `indent`
                _replace(self.lake.folder(name) / "current", f'{{"table": {json.dumps(name)}, "parts": [\n{text}\n]}}')


class PartWriter:
    """Streams one partition into a new version file."""

    def __init__(self, transaction: Transaction, name: str, facts: Mapping[str, str], key: Key) -> None:
        self._transaction, self._name, self._facts, self._key = transaction, name, dict(facts), key
        lake = transaction.lake
        folder = lake.folder(name).joinpath(*(slug(part) for part in key))
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"v-{uuid.uuid4().hex}.parquet"
        metadata = with_prefix(self._facts | {"table": name, "key": json.dumps(key)})
        self._schema = table(name).arrow_schema.with_metadata(metadata)
        self._checker = contracts.PartChecker(table(name))
        repeated: Any = [field.name for field in self._schema if field.name not in _DISTINCT]  # stubs know bools alone
        self._writer = pq.ParquetWriter(
            self._temporary,
            self._schema,
            compression="zstd",
            compression_level=_ZSTD_LEVELS.get(name, _ZSTD_LEVEL),
            use_dictionary=repeated,
        )
        self._rows = 0
        self._pending: list[pa.Table] = []
        self.part: Part

    @property
    def _temporary(self) -> Path:
        return self._path.with_suffix(".parquet.tmp")

    def __enter__(self) -> PartWriter:
        return self

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows; ContractError as soon as a row breaks the catalog."""
        rows = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        if rows.num_rows:
            rows = contracts.conform(rows, table(self._name))
            self._checker.check(rows)
            self._pending.append(rows.cast(self._schema))
            self._rows += rows.num_rows
            pending_rows = sum(waiting.num_rows for waiting in self._pending)
            if pending_rows >= _ROW_GROUP or self.pending_bytes >= _ROW_GROUP_BYTES:
                self.flush()

    @property
    def pending_bytes(self) -> int:
        """Bytes of the rows that wait to fill a row group."""
        return sum(waiting.nbytes for waiting in self._pending)

    def flush(self) -> None:
        """Write the waiting rows as a row group."""
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending), row_group_size=_ROW_GROUP)
            self._pending = []

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self._writer:
                if kind is None:
                    self.flush()
            if kind is None:
                self._checker.finish(lambda: contracts.stored_keys(self._temporary, table(self._name), _ROW_GROUP))
                self._publish()
        finally:
            self._temporary.unlink(missing_ok=True)

    def _publish(self) -> None:
        os.replace(self._temporary, self._path)  # synced with all others when the transaction ends
        self.part = Part(
            key=self._key,
            file=str(self._path.relative_to(self._transaction.lake.root)),
            rows=self._rows,
            bytes=self._path.stat().st_size,
            fingerprint=self._facts.get("fingerprint", self._path.stem),  # without one, no two versions are the same
            written_at=datetime.now(UTC).isoformat(timespec="seconds"),
            provenance=self._facts,
        )
        self._transaction.add(self._name, self.part)
