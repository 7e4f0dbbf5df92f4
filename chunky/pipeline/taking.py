"""Taking files in: what a file would give, whether the lake has it, its rows into one partition a chunk.

Files are read ahead in a thread, several small ones are taken in one transaction, and each replaces its own rows.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from chunky import corpus
from chunky.corpus.ids import signed_hash, with_ids
from chunky.errors import ChunkyError, FileFault, InputError, MissingTable
from chunky.fingerprints import digest_of, provenance
from chunky.pipeline.frame import Progress, chunks_of_file, chunks_of_lake, silent
from chunky.settings import Settings
from chunky.stages import stage
from chunky.tables import TABLES
from chunky.warehouse import Part, PartWriter, Transaction, Warehouse

_Keys = npt.NDArray[np.int64]
_PENDING_BYTES = 256 * 2**20  # rows held back for full row groups, over all chunks of a file
_GROUP_SECONDS = 1.0  # of work are lost when an ingest is killed, beside the file in hand
_MAX_CHUNKS_PER_FILE = 5_000  # more means that the chunk column is no source but, say, an id


@dataclass(frozen=True)
class Ingested:
    """What became of one input file: its counts, its chunks, or the fault that stopped it."""

    file: str
    chunks: tuple[str, ...]
    counts: corpus.Counts
    is_new: bool
    fault: str | None
    seconds: float


def ingest(
    lake: Warehouse,
    paths: Sequence[str],
    settings: Settings,
    options: corpus.ReadOptions | None = None,
    progress: Progress = silent,
) -> Iterator[Ingested]:
    """Take input files into `corpus.rows`, one after the other; a file already taken unchanged is left alone.

    A file replaces its own rows and no other file's. A whole-file fault is written to `corpus.quarantine` and stops
    that file alone: what was taken of it before stays. InputError when a path names nothing.
    """
    options = options or corpus.ReadOptions(max_record_chars=settings.corpus.max_record_chars)
    sources = corpus.discover(paths)
    with closing(corpus.ahead(_read(lake, sources, settings, options))) as items:
        stream = _Stream(items)
        for look in stream.looks():
            if look.is_known:
                yield _unchanged(lake, look)
            else:
                yield from _ingest_group(lake, look, stream, settings, progress)


@dataclass(frozen=True)
class _Look:
    """A file before it is read: its digest, the provenance of what it would give, and whether the lake has that."""

    source: corpus.Source
    digest: str
    facts: dict[str, str]
    is_known: bool
    fault: FileFault | None = None


def _look(lake: Warehouse, source: corpus.Source, options: corpus.ReadOptions, settings: Settings) -> _Look:
    try:
        digest = corpus.file_digest(source, options)
    except FileFault as fault:
        return _Look(source, "", {}, False, fault)
    facts = provenance(stage("corpus"), settings, {source.file: digest})
    known = lake.parts("corpus.files").get((source.file,))
    return _Look(source, digest, facts, known is not None and known.fingerprint == facts["fingerprint"])


def _read(
    lake: Warehouse, sources: Sequence[corpus.Source], settings: Settings, options: corpus.ReadOptions
) -> Generator[_Look | corpus.Batch | FileFault, None, None]:
    """Every file, followed by its batches where the lake does not have it, or by its fault."""
    for source in sources:
        look = _look(lake, source, options, settings)
        yield look
        try:
            if look.fault is not None:
                raise look.fault
            if not look.is_known:
                yield from corpus.read_file(source, options)
        except FileFault as fault:
            yield fault


class _Stream:
    """What `_read` gives, taken apart again: files, and the batches of the file in hand."""

    def __init__(self, items: Iterator[_Look | corpus.Batch | FileFault]) -> None:
        self._items = items
        self._look: _Look | None = None  # met while looking for another batch

    def looks(self) -> Iterator[_Look]:
        """The next files; batches that nobody took are passed over."""
        while True:
            look, self._look = self._look, None
            if look is None:
                look = next((item for item in self._items if isinstance(item, _Look)), None)
            if look is None:
                return
            yield look

    def batches(self) -> Iterator[corpus.Batch]:
        """The batches of the file whose look was given last; raises its FileFault."""
        for item in self._items:
            if isinstance(item, _Look):
                self._look = item
                return
            if isinstance(item, FileFault):
                raise item
            yield item


def _unchanged(lake: Warehouse, look: _Look) -> Ingested:
    return Ingested(look.source.file, chunks_of_file(lake, look.source.file), corpus.Counts(), False, None, 0.0)


def _ingest_group(
    lake: Warehouse, first: _Look, stream: _Stream, settings: Settings, progress: Progress
) -> Iterator[Ingested]:
    """Take files until a second has passed, in one transaction: its syncs cost more than the work on a small file."""
    done: list[Ingested] = []
    stopped: ChunkyError | None = None
    started = time.monotonic()
    with lake.transaction("corpus.quarantine", "corpus.rows", "corpus.files") as transaction:
        for look in chain((first,), stream.looks()):
            begun = time.monotonic()
            try:
                if look.is_known:
                    done.append(_unchanged(lake, look))
                else:
                    done.append(_ingest_file(transaction, look, stream.batches(), progress, begun))
            except FileFault as fault:
                _quarantine_file(transaction, look.source.file, fault, settings)
                seconds = time.monotonic() - begun
                done.append(Ingested(look.source.file, (), corpus.Counts(), True, str(fault), seconds))
            except ChunkyError as error:
                stopped = error
                break
            if time.monotonic() - started > _GROUP_SECONDS:
                break
    yield from done
    if stopped is not None:
        raise stopped


def _ingest_file(
    transaction: Transaction, look: _Look, batches: Iterator[corpus.Batch], progress: Progress, begun: float
) -> Ingested:
    source, file, facts = look.source, look.source.file, look.facts
    counts, format_name = corpus.Counts(), ""
    with transaction.attempt():
        with ExitStack() as stack:
            writers: dict[str, PartWriter] = {}
            rejects: PartWriter | None = None
            taken = _Taken(transaction, file)
            for batch in batches:
                counts, format_name = counts + batch.counts, batch.format
                if batch.quarantine.num_rows:
                    rejects = rejects or stack.enter_context(transaction.open("corpus.quarantine", facts, (file,)))
                    rejects.write(_with_quarantine_ids(batch.quarantine))
                rows = with_ids(batch.rows, taken.of(batch), batch.keys)
                taken.add(rows, batch.keys)
                for chunk, part in _by_chunk(rows):
                    if chunk not in writers:
                        _check_chunk_count(file, len(writers))
                        writers[chunk] = stack.enter_context(transaction.open("corpus.rows", facts, (chunk, file)))
                    writers[chunk].write(part)
                if sum(writer.pending_bytes for writer in writers.values()) > _PENDING_BYTES:
                    for writer in writers.values():
                        writer.flush()
                progress(file, batch.bytes_read, source.bytes)
        if rejects is None and (file,) in transaction.parts("corpus.quarantine"):
            transaction.drop("corpus.quarantine", (file,))
        for key in transaction.parts("corpus.rows"):
            if key[1] == file and key[0] not in writers:
                transaction.drop("corpus.rows", key)
        transaction.write("corpus.files", _file_row(source, look.digest, format_name, counts), facts, (file,))
    return Ingested(file, tuple(sorted(writers)), counts, True, None, time.monotonic() - begun)


class _Taken:
    """Copy numbers in use for conversations of equal id: those of other files, and those given out for this one."""

    def __init__(self, transaction: Transaction, file: str) -> None:
        self._transaction, self._file = transaction, file
        self._seen: list[pa.Table] = []
        self._keys: list[_Keys] = []  # of the rows in `_seen`
        self._sorted: _Keys = np.empty(0, dtype=np.int64)
        self._read: set[str] = set()

    def of(self, batch: corpus.Batch) -> pa.Table | None:
        """Columns chunk, conversation_id, copy of all rows that stand in the way of the batch, and of few others."""
        fresh = {str(chunk) for chunk in batch.rows["chunk"].unique().to_pylist()} - self._read
        self._read |= fresh
        for (chunk, file), part in self._transaction.parts("corpus.rows").items() if fresh else ():
            if chunk in fresh and file != self._file:
                path = self._transaction.lake.root / part.file
                other = pl.read_parquet(path, columns=_TAKEN_SCHEMA.names, hive_partitioning=False).to_arrow()
                self.add(other, corpus.conversation_keys(other))
        if not len(self._sorted):
            return None
        places = np.searchsorted(self._sorted, batch.keys).clip(max=len(self._sorted) - 1)
        met = batch.keys[self._sorted[places] == batch.keys]
        if not len(met):  # hardly any conversation comes twice: most batches end here, without a join
            return None
        masks = [pa.array(np.isin(keys, met)) for keys in self._keys]
        return pa.concat_tables([rows.filter(mask) for rows, mask in zip(self._seen, masks, strict=True)])

    def add(self, rows: pa.Table, keys: _Keys) -> None:
        """Rows (chunk, conversation_id, copy and any others) whose numbers are in use, with their keys."""
        self._seen.append(rows.select(_TAKEN_SCHEMA.names).cast(_TAKEN_SCHEMA))
        self._keys.append(keys)
        self._sorted = np.sort(np.concatenate([self._sorted, keys]), kind="stable")  # merges: two runs, one in order


_TAKEN_FIELDS: list[pa.Field[Any]] = [
    pa.field("chunk", pa.string()),
    pa.field("conversation_id", pa.string()),
    pa.field("copy", pa.int32()),
]
_TAKEN_SCHEMA = pa.schema(_TAKEN_FIELDS)


def _check_chunk_count(file: str, chunks: int) -> None:
    if chunks >= _MAX_CHUNKS_PER_FILE:
        raise InputError(
            f"{file} names more than {_MAX_CHUNKS_PER_FILE:,} chunks",
            "the chunk column holds something else; name the chunk with --chunk or its column with --chunk-column",
        )


def _by_chunk(rows: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    chunks = pl.Series(rows["chunk"])
    if chunks.n_unique() == 1:
        yield chunks[0], rows
        return
    numbers = chunks.to_frame("chunk").with_row_index("number")
    for (chunk,), group in numbers.group_by("chunk", maintain_order=True):
        yield str(chunk), rows.take(group["number"].to_arrow())


def _with_quarantine_ids(rows: pa.Table) -> pa.Table:
    files, numbers, reasons = (rows[name].to_pylist() for name in ("file", "record_number", "reason"))
    ids = [signed_hash(*identity) for identity in zip(files, numbers, reasons, strict=True)]
    return rows.add_column(0, "quarantine_id", pa.array(ids, pa.int64()))


def _file_row(source: corpus.Source, digest: str, format_name: str, counts: corpus.Counts) -> pa.Table:
    values = {
        "file": source.file,
        "file_digest": digest,
        "bytes": source.bytes,
        "format": format_name,
        "shape": counts.shape,
        **{name: getattr(counts, name) for name in ("records", "conversations", "rows", "quarantined", "skipped")},
        "unanswered_turns": counts.unanswered_turns,
        "unprompted_turns": counts.unprompted_turns,
    }
    return pa.Table.from_pylist([values], schema=TABLES["corpus.files"].arrow_schema)


def _quarantine_file(transaction: Transaction, file: str, fault: FileFault, settings: Settings) -> None:
    row = {
        "file": file, "record_number": None, "chunk": None, "reason": fault.reason, "detail": fault.problem,
        "excerpt": None,
    }  # fmt: skip
    facts = provenance(stage("corpus"), settings, {file: "fault"})
    rows = pa.Table.from_pylist([row], schema=corpus.quarantine_schema())
    transaction.write("corpus.quarantine", _with_quarantine_ids(rows), facts, (file,))


def remove_chunk(lake: Warehouse, chunk: str) -> int:
    """Take all rows of a chunk out of the corpus; returns how many. MissingTable when there is no such chunk.

    A file it came from is forgotten where nothing else of it is left; else its counts go down and its fingerprint
    changes. Either way taking the file again brings the chunk back.
    """
    parts = {key: part for key, part in lake.parts("corpus.rows").items() if key[0] == chunk}
    if not parts:
        raise MissingTable(f"the lake has no chunk {chunk!r}", f"it has: {', '.join(chunks_of_lake(lake)) or 'none'}")
    with lake.transaction("corpus.quarantine", "corpus.rows", "corpus.files") as transaction:
        for key in parts:
            transaction.drop("corpus.rows", key)
            if chunks_of_file(lake, key[1]) == (chunk,):
                transaction.drop("corpus.files", (key[1],))
                transaction.drop("corpus.quarantine", (key[1],))
            else:
                _count_down(transaction, key[1], parts[key])
    return sum(part.rows for part in parts.values())


def _count_down(transaction: Transaction, file: str, removed: Part) -> None:
    """Write the row of `file` in `corpus.files` again: records of the removed part are skipped now."""
    known = transaction.parts("corpus.files")[(file,)]
    row = pq.read_table(transaction.lake.root / known.file, partitioning=None).to_pylist()[0]
    turns = pl.read_parquet(transaction.lake.root / removed.file, columns=["turn"], hive_partitioning=False)["turn"]
    conversations = int((turns == 1).sum())
    row |= {
        "rows": row["rows"] - removed.rows,
        "conversations": row["conversations"] - conversations,
        "skipped": row["skipped"] + conversations,
    }
    changed = digest_of([known.fingerprint, "without", removed.key])
    facts = {**known.provenance, "fingerprint": changed}
    rows = pa.Table.from_pylist([row], schema=TABLES["corpus.files"].arrow_schema)
    transaction.write("corpus.files", rows, facts, (file,))
