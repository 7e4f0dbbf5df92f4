"""The steps of the vectors: embed each distinct attribute sentence once, and cluster them.

Paper section 4.1 (offline), algorithm 1. Each is read → call → write like the steps of `chunky.pipeline.steps`; the
vectors stay in Lance, and what SQL needs (assignments, summaries) goes to Parquet.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky import clusters, devices, embeddings
from chunky.durable import replace_bytes
from chunky.embedders import Embedder, get_embedder
from chunky.errors import LakeError
from chunky.lance_tables import LanceTable
from chunky.lens import Lens
from chunky.pipeline.frame import Built, Progress, frame_of, run_step, silent
from chunky.settings import Settings
from chunky.tables import SIDES
from chunky.warehouse import Transaction, Warehouse

IDENTITY = "embedder"  # the fact in a table of vectors that says which embedder made it
_BLOCK_ROWS = 65_536

I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]


def build_embeddings(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Embed every distinct attribute sentence once (`embeddings.vectors`); what is there already is not done again."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        texts = frame_of(lens.table("select attribute_id, attribute as text from attributes.texts"))
        embedder = get_embedder(settings.embeddings.embedder, settings.embeddings.device)
        told = facts | {
            IDENTITY: embedder.identity,
            "device": embedder.device,
            "device_reason": embedder.device_reason,
        }
        table = LanceTable(lake.root, "embeddings.vectors")
        if not is_from(table, embedder):
            table.start_over(embedder.dimensions, embedder.dtype, told)
        missing = embeddings.remaining(texts, table.ids())
        done = texts.height - missing.height
        for batch in embeddings.tables(missing, embedder.encode, embedder.dimensions, embedder.dtype):
            progress("sentences", done, texts.height)
            table.append(batch)
            done += batch.num_rows
        progress("sentences", done, texts.height)
        table.prune(texts["attribute_id"].to_numpy())
        table.describe(told)
        table.compact()
        transaction.pin("embeddings.vectors", told)

    return run_step(lake, settings, "embeddings", work)


def embedder_of(table: LanceTable) -> str:
    """The name of the embedder that made the vectors of a table, as `get_embedder` takes it."""
    made_by = json.loads(table.metadata[IDENTITY])
    return str(made_by["name"]) + (f"@{made_by['address']}" if "address" in made_by else "")


def is_from(table: LanceTable, embedder: Embedder) -> bool:
    """Whether the vectors of a table were made by this embedder: the same weights, whatever its products.

    A lake that was built with 16-bit products is searched on a machine without them: cosines of 0.9999 and more, closer
    than 16 bits a number keep them.
    """
    if not table.exists or IDENTITY not in table.metadata:
        return False
    made_by, asked = (
        {name: value for name, value in json.loads(identity).items() if name != "products"}
        for identity in (table.metadata[IDENTITY], embedder.identity)
    )
    return made_by == asked and table.dimensions == embedder.dimensions


def build_clusters(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Cluster the sentences of each side by their vectors (`clusters.centroids`, `.assignments`, `.summaries`)."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        device = devices.pick(settings.clusters.device)
        told = facts | {"device": device.name, "device_reason": device.reason, "seed": str(settings.clusters.seed)}
        texts = frame_of(lens.table("select attribute_id, side, attribute, rows from attributes.texts"))
        vectors = lake.vectors("embeddings.vectors")
        scratch = lake.root / ".scratch" / "clusters"  # work in progress that a later run takes up
        scratch.mkdir(parents=True, exist_ok=True)
        found = []
        for side in SIDES:
            state = _State(scratch / f"{facts['fingerprint']}-{side}.npz")
            found.append(_cluster_side(settings, device, vectors, texts, side, state, progress))
        _write_centroids(lake, transaction, found, told | {IDENTITY: vectors.metadata.get(IDENTITY, "")})
        assignments = pl.concat([side.assignments for side in found]).sort("attribute_id")
        part = transaction.write("clusters.assignments", assignments.to_arrow(), told)
        summaries = pl.concat([side.summaries for side in found]).sort("cluster_id")
        new_assignments = lens.connection.read_parquet(str(lake.root / part.file))
        with lens.registered(new_assignments=new_assignments, new_summaries=summaries.to_arrow()):
            transaction.write("clusters.summaries", lens.model("clusters.summaries"), told)
        shutil.rmtree(scratch)

    return run_step(lake, settings, "clusters", work)


class _Clustered(NamedTuple):
    """Clusters of one side: assignments and summaries in catalog columns, ids and centroids float32 (k, d)."""

    assignments: pl.DataFrame
    summaries: pl.DataFrame
    cluster_ids: I64
    centroids: F32


def _cluster_side(
    settings: Settings,
    device: devices.Device,
    table: LanceTable,
    texts: pl.DataFrame,
    side: str,
    state: clusters.Checkpoint,
    progress: Progress,
) -> _Clustered:
    limits = settings.clusters
    ids = table.ids()
    places = pl.DataFrame({"attribute_id": ids}).with_row_index("place").join(
        texts.filter(pl.col("side") == side), on="attribute_id", how="inner", maintain_order="left"
    )  # fmt: skip
    if places.is_empty():
        raise LakeError(f"no {side} attribute has a vector", "build again: chunky build")
    picked = Picked(table, places["place"].to_numpy().astype(np.int64))
    in_memory = picked.whole() if picked.bytes <= limits.memory_gib * 2**30 else picked
    k = limits.k or clusters.auto_k(places.height)
    progress(f"{side} clusters", 0, 1)
    done = clusters.kmeans(
        in_memory, places["rows"].cast(pl.Int64).to_numpy().clip(1), k, seed=limits.seed, iterations=limits.iterations,
        engine=limits.engine, device=device, checkpoint=state,
    )  # fmt: skip
    progress(f"{side} clusters", 1, 1)
    labeled = places.with_columns(
        cluster=pl.Series(done.labels, dtype=pl.Int64), cluster_similarity=pl.Series(done.similarities.astype(float))
    )
    return _named(labeled, side, done.centroids)


def _named(labeled: pl.DataFrame, side: str, centroids: F32) -> _Clustered:
    """Clusters under ids of their own: the attribute_id of the medoid, so that no rerun renumbers them."""
    told = clusters.summarize(
        labeled.select("cluster", text="attribute", count="rows", similarity="cluster_similarity")
    )
    ids = dict(labeled.select("attribute", "attribute_id").iter_rows())
    named = told.with_columns(cluster_id=pl.col("medoid").replace_strict(ids, return_dtype=pl.Int64), side=pl.lit(side))
    by_number = named.select("cluster", "cluster_id")
    assignments = labeled.join(by_number, on="cluster").select(
        "attribute_id", "cluster_id", pl.lit(side).alias("side"), "cluster_similarity"
    )
    summaries = named.select(
        "cluster_id",
        "side",
        pl.col("medoid").alias("cluster"),
        pl.col("sentences").alias("attributes"),
        pl.col("top_texts").alias("top_attributes"),
        pl.col("similarity").alias("cluster_similarity_mean"),
    )
    return _Clustered(
        assignments, summaries, by_number["cluster_id"].to_numpy(), centroids[by_number["cluster"].to_numpy()]
    )


def _write_centroids(lake: Warehouse, transaction: Transaction, found: list[_Clustered], facts: dict[str, str]) -> None:
    table = LanceTable(lake.root, "clusters.centroids")
    dimensions = found[0].centroids.shape[1]
    table.start_over(dimensions, "float32", facts)
    for side in found:
        kept = np.flatnonzero(np.linalg.norm(side.centroids, axis=1) > 0)
        column = pa.FixedSizeListArray.from_arrays(pa.array(side.centroids[kept].reshape(-1)), dimensions)
        fields = [pa.field("cluster_id", pa.int64(), nullable=False), pa.field("vector", column.type, nullable=False)]
        columns = [pa.array(side.cluster_ids[kept]), column]
        table.append(pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields)))
    transaction.pin("clusters.centroids", facts)


def build_postings(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Put the sentences of all rows in order of their cluster, and count clusters by chunk (`clusters.postings`)."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        transaction.write("clusters.postings", _ranked(lens.model("clusters.postings")), facts)
        transaction.write("clusters.chunks", lens.model("clusters.chunks"), facts)

    return run_step(lake, settings, "postings", work)


def _ranked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, in order of attribute_id, with posting_rank: counted as they pass, since a window function over
    67 million rows does not fit in 2 GB.
    """
    last, seen = None, 0
    for batch in batches:
        ids = batch.column("attribute_id").to_numpy()
        starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])[: len(ids)])
        lengths = np.diff(np.append(starts, len(ids)))
        ranks = np.arange(1, len(ids) + 1) - np.repeat(starts, lengths)
        if len(ids) and ids[0] == last:
            ranks[: lengths[0]] += seen
        if len(ids):
            last, seen = ids[-1], int(ranks[-1])
        yield batch.append_column("posting_rank", pa.array(ranks.astype(np.int32)))


class Picked:
    """The vectors of some rows of a Lance table as blocks, in order, again and again: for what memory cannot hold."""

    def __init__(self, table: LanceTable, places: I64) -> None:
        self._blocks, self._places = table.blocks(_BLOCK_ROWS), places
        self.bytes = len(places) * self._blocks.dimensions * self._blocks.dtype.itemsize

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        start = 0
        for block in self._blocks:
            inside = self._places[
                np.searchsorted(self._places, start) : np.searchsorted(self._places, start + len(block))
            ]
            if len(inside):
                yield block[inside - start]
            start += len(block)

    def whole(self) -> npt.NDArray[Any]:
        """All of them in one array."""
        return np.concatenate(list(self))


class _State:
    """Where k-means of one side stands, in a file of the lake's scratch folder: saved whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> clusters.State | None:
        """The state saved last; None where there is none, or one that cannot be read."""
        try:
            with np.load(self.path, allow_pickle=False) as held:
                facts = json.loads(str(held["facts"]))
                return clusters.State(
                    facts["problem"], facts["iteration"], held["centroids"], facts["inertia"], facts["is_done"]
                )
        except (OSError, ValueError, KeyError):
            return None

    def save(self, state: clusters.State) -> None:
        """Replace the state."""
        facts = {name: value for name, value in state._asdict().items() if name != "centroids"}
        held = BytesIO()
        np.savez(held, centroids=state.centroids, facts=np.array(json.dumps(facts)))
        replace_bytes(self.path, held.getvalue())
