"""Attributes, vectors and clusters of the lake of ten rows, countable by hand as well."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from chunky.lance_tables import LanceTable, batch_schema
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from tests.small_lake import ROWS, write

# attribute_id, side, sentence, family, cluster, similarity, vector, rows
ATTRIBUTES = (
    (201, "query", "The query names two parts.", "register", 201, 1.0, (1.0, 0.0), (1, 2, 6)),
    (202, "query", "The query asks for code.", "register", 202, 1.0, (0.0, 1.0), (4, 5, 6)),
    (203, "query", "The query is about “parts, proof”.", "topic", 201, 0.9, (0.8, 0.6), (1, 6)),
    (211, "response", "The response hopes to be correct.", "register", 211, 1.0, (1.0, 0.0), (1, 2, 10)),
    (212, "response", "The response refuses to help.", "register", 212, 1.0, (0.6, 0.8), (7, 10)),
)
_CHUNKS = {row[0]: row[2] for row in ROWS}


def fill_vectors(lake: Warehouse) -> Warehouse:
    """Fill the tables of `attributes`, `embeddings` and `clusters` of a lake of the ten rows."""
    texts = [
        {"attribute_id": one, "side": side, "attribute": text, "family": family, "rows": len(rows), "kind": family,
         "attribute_weight": 1.0}
        for one, side, text, family, _, _, _, rows in ATTRIBUTES
    ]  # fmt: skip
    write(lake, "attributes.texts", texts)
    for chunk in dict.fromkeys(_CHUNKS.values()):
        held = [
            {"chunk": chunk, "row_id": row, "side": side, "attribute_id": one, "attribute_rank": one - 200}
            for one, side, *_, rows in ATTRIBUTES
            for row in rows
            if _CHUNKS[row] == chunk
        ]
        write(lake, "attributes.row_attributes", held, (chunk,))
    topic = {"attribute_id": 203, "side": "query", "text_part": "whole", "topic_count": 31, "words": ["parts", "proof"]}
    write(lake, "attributes.topics", [topic])
    _fill_clusters(lake)
    with lake.transaction("embeddings.vectors") as transaction:
        table, entry = LanceTable(lake.root, "embeddings.vectors"), TABLES["embeddings.vectors"]
        table.start_over(2, "float32", {"fingerprint": "test"})
        column = pa.FixedSizeListArray.from_arrays(np.array([row[6] for row in ATTRIBUTES], np.float32).ravel(), 2)
        ids = pa.array([row[0] for row in ATTRIBUTES], pa.int64())
        table.append(pa.RecordBatch.from_arrays([ids, column], schema=batch_schema(entry, 2, "float32")))
        transaction.pin("embeddings.vectors", {"fingerprint": "test"})
    return lake


def _fill_clusters(lake: Warehouse) -> None:
    assigned = [
        {"attribute_id": one, "cluster_id": cluster, "side": side, "cluster_similarity": similarity}
        for one, side, _, _, cluster, similarity, _, _ in ATTRIBUTES
    ]
    write(lake, "clusters.assignments", assigned)
    summaries = []
    for one, side, text, _, cluster, _, _, rows in ATTRIBUTES:
        if one == cluster:
            mine = [row for row in ATTRIBUTES if row[4] == cluster]
            chunks = [_CHUNKS[row] for row in rows]
            top = max(sorted(set(chunks)), key=chunks.count)
            summaries.append({
                "cluster_id": cluster, "side": side, "cluster": text, "attributes": len(mine), "rows": len(rows),
                "row_share": len(rows) / len(ROWS), "top_attributes": [row[2] for row in mine],
                "cluster_similarity_mean": min(row[5] for row in mine), "top_chunk": top,
                "top_chunk_rows": chunks.count(top), "top_chunk_share": chunks.count(top) / len(chunks),
            })  # fmt: skip
    write(lake, "clusters.summaries", summaries)
