"""The frame of every step: progress, what a step did, and running it only where its result is not there yet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from chunky import correlations, memory, word_vectors
from chunky.errors import LakeError, MissingTable
from chunky.fingerprints import code_digest, digest_of, provenance
from chunky.lens import Lens
from chunky.llm.tally import Tally
from chunky.pipeline import models
from chunky.settings import RULES, Settings
from chunky.stages import AUDIT_STAGES, Stage, stage
from chunky.tables import TABLES
from chunky.warehouse import Key, Part, Transaction, Warehouse

Progress = Callable[[str, float, float | None], None]  # what, done, of (None when unknown)


@dataclass(frozen=True)
class Built:
    """What a step did: rows now in its tables, the fingerprint, whether anything was computed, and for how long."""

    step: str
    rows: dict[str, int]
    fingerprint: str
    is_new: bool
    seconds: float


@dataclass(frozen=True)
class Metered:
    """Progress of somebody who also watches what model calls come to, and hears of what is found meanwhile."""

    progress: Progress
    on_tally: Callable[[Tally], None]
    on_news: Callable[[str], None] = lambda _: None

    def __call__(self, what: str, done: float, of: float | None) -> None:
        """What is done, how much, and of how much."""
        self.progress(what, done, of)


def meter(progress: Progress, what: str) -> Callable[[Tally], None]:
    """Who is told of model calls: `progress` itself, in calls done, where it does not ask for more."""
    if isinstance(progress, Metered):
        return progress.on_tally
    return lambda tally: progress(what, tally.done, tally.total)


def teller(progress: Progress) -> Callable[[str], None]:
    """Who hears of what is found: `progress` itself where it asks for that, else nobody."""
    return progress.on_news if isinstance(progress, Metered) else lambda _: None


def silent(what: str, done: float, of: float | None) -> None:
    """Progress that nobody watches."""


def chunks_of_file(lake: Warehouse, file: str) -> tuple[str, ...]:
    """Chunks that have rows from `file`, sorted."""
    return tuple(sorted(key[0] for key in lake.parts("corpus.rows") if key[1] == file))


def chunks_of_lake(lake: Warehouse) -> tuple[str, ...]:
    """All chunks of the lake, sorted."""
    return tuple(sorted({key[0] for key in lake.parts("corpus.rows")}))


def step_provenance(
    lake: Warehouse, settings: Settings, name: str, extra: Mapping[str, str] | None = None, audit: str = ""
) -> dict[str, str]:
    """Provenance that the step `name` would write now: compare its fingerprint with the lake's to see what is stale.

    A step of an `audit` knows nothing of other audits.
    """
    if extra is None:
        extra = _more_inputs(lake, settings, name)
    inputs = {table: lake.version(table, _key_of(table, audit)) for table in stage(name).reads}
    return provenance(stage(name), settings, inputs | dict(extra))


def _more_inputs(lake: Warehouse, settings: Settings, name: str) -> dict[str, str]:
    """What the result of a step depends on beside tables, settings and code of its own."""
    this = stage(name)
    if name == "features":
        custom = correlations.read_folder(lake.root / "features")
        return {"features": digest_of([asdict(feature) for feature in custom])}
    if name == "calls":
        return {"ledger": models.ledger_state(lake)}
    if this.role and (model := settings.model(this.role)) != RULES:
        return {"model": model, "model_code": code_digest(this.model_code)}
    if name == "attributes":
        return {"word_vectors": word_vectors.pick(settings.attributes.word_vectors).name}
    return {}


def run_step(
    lake: Warehouse,
    settings: Settings,
    name: str,
    work: Callable[[Lens, Transaction, dict[str, str]], None],
    extra: Mapping[str, str] | None = None,
    audit: str = "",
) -> Built:
    """Run `work` in a transaction over the step's tables, unless they already hold the result it would give.

    A step of an `audit` replaces the partitions of that audit; any other the whole of its tables.
    LakeError when an upstream table changed meanwhile: nothing is written, because the result would be of two states.
    """
    started = time.monotonic()
    this, facts = stage(name), step_provenance(lake, settings, name, extra, audit)
    if not chunks_of_lake(lake):
        raise MissingTable("the lake holds no rows", "take files in first: chunky ingest PATH…")
    is_new = not is_built(lake, this, facts["fingerprint"], audit)
    if is_new:
        with lake.transaction(*this.tables) as transaction, Lens(lake, settings) as lens:
            is_new = not is_built(lake, this, facts["fingerprint"], audit)  # another may have done it while we waited
            if is_new:
                if not audit:
                    for table in this.tables:
                        transaction.replace_all(table)
                work(lens, transaction, facts)
                if step_provenance(lake, settings, name, extra, audit) != facts:
                    raise LakeError(
                        f"the lake changed while {name} was built",
                        "trace again" if audit else "build again: chunky build",
                    )
        memory.release()
    rows = {table: sum(part.rows for part in parts_of(lake, table, audit)) for table in this.tables}
    return Built(name, rows, facts["fingerprint"], is_new, time.monotonic() - started)


def is_built(lake: Warehouse, this: Stage, fingerprint: str, audit: str = "") -> bool:
    """True when every table of the step holds exactly the result with this fingerprint; of one audit, where named."""
    held = [{part.fingerprint for part in parts_of(lake, table, audit)} for table in this.tables]
    return all(fingerprints == {fingerprint} for fingerprints in held)


def _key_of(table: str, audit: str) -> Key:
    """What the keys of an audit's partitions begin with: its name, or nothing in a table that is cut otherwise."""
    return (audit,) if audit and TABLES[table].partition in ("audit", "seed") else ()


def parts_of(lake: Warehouse, table: str, audit: str) -> list[Part]:
    """Parts of a table; those of an `audit`, where it is named and the table is cut by audit."""
    key = _key_of(table, audit)
    return [part for held, part in lake.parts(table).items() if held[: len(key)] == key]


def sql_step(lake: Warehouse, settings: Settings, name: str, **parameters: object) -> Built:
    """A step that is one SQL model a table."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        for table in stage(name).tables:
            transaction.write(table, lens.model(table, **parameters), facts)

    return run_step(lake, settings, name, work)


def texts(lake: Warehouse, progress: Progress) -> Iterator[pa.Table]:
    """row_id, chunk, query, response of all rows, chunk by chunk, in batches."""
    total, done = lake.rows("corpus.rows"), 0
    for path in lake.files("corpus.rows"):
        for batch in pq.ParquetFile(path).iter_batches(8_192, columns=["row_id", "chunk", "query", "response"]):
            yield pa.Table.from_batches([batch])
            done += batch.num_rows
            progress("rows", done, total)


def numbered_members(lake: Warehouse, wanted: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.int32]]:
    """feature_id → sorted numbers of its rows (int32; row ids in order, from 0), for each of the features `wanted`.

    `wanted` ascends. Read as the table lies on disk, feature by feature, 4 bytes a member: with 58 million members,
    joined and sorted by DuckDB, the step took 3.9 GB.
    """
    row_ids = [
        pq.read_table(path, columns=["row_id"], partitioning=None)["row_id"] for path in lake.files("corpus.rows")
    ]
    numbers = np.sort(np.concatenate([np.zeros(0, np.int64), *(ids.to_numpy() for ids in row_ids)]))
    parts: dict[int, list[npt.NDArray[np.int32]]] = {int(feature): [] for feature in wanted}
    for path in lake.files("correlations.members"):
        for batch in pq.ParquetFile(path).iter_batches(1 << 20, columns=["feature_id", "row_id"]):
            features, rows = (batch.column(name).to_numpy() for name in ("feature_id", "row_id"))
            starts = np.flatnonzero(np.append(True, features[1:] != features[:-1])[: len(features)])
            for start, end in zip(starts, np.append(starts[1:], len(features)), strict=True):
                if (part := parts.get(int(features[start]))) is not None:
                    part.append(np.searchsorted(numbers, rows[start:end]).astype(np.int32))
    return {feature: np.sort(np.concatenate([np.zeros(0, np.int32), *held])) for feature, held in parts.items()}


def frame_of(rows: pa.Table) -> pl.DataFrame:
    """An Arrow table as a polars frame, without a copy."""
    frame = pl.from_arrow(rows)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("an Arrow table gives a frame")
    return frame


def drop_audit(lake: Warehouse, audit: str) -> None:
    """Take an audit out of all tables."""
    tables = [name for this in AUDIT_STAGES for name in this.tables]
    with lake.transaction(*tables) as transaction:
        for name in tables:
            for key in lake.parts(name):
                if key[0] == audit:
                    transaction.drop(name, key)
