"""The tables of the stage `correlations` that come from Python: members, and what defines each feature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from chunky.features import Feature

I64 = npt.NDArray[np.int64]


def member_tables(members: Mapping[int, I64]) -> Iterator[pa.Table]:
    """Columns of `correlations.members`, features in ascending order, a few million rows a table."""
    ids, rows, waiting = [], [], 0
    for feature_id in sorted(members):
        ids.append(np.full(len(members[feature_id]), feature_id, np.int64))
        rows.append(members[feature_id])
        waiting += len(rows[-1])
        if waiting > 2_000_000:
            yield pa.table({"feature_id": pa.array(np.concatenate(ids)), "row_id": pa.array(np.concatenate(rows))})
            ids, rows, waiting = [], [], 0
    if waiting:
        yield pa.table({"feature_id": pa.array(np.concatenate(ids)), "row_id": pa.array(np.concatenate(rows))})


def definition_table(features: Sequence[Feature], synonyms: Mapping[int, int]) -> pa.Table:
    """The columns of `correlations.features` that do not depend on counts, one row per feature."""
    return pa.table(
        {
            "feature_id": pa.array([f.feature_id for f in features], pa.int64()),
            **{
                name: pa.array([getattr(f, name) for f in features], pa.string())
                for name in ("kind", "side", "position", "origin", "name", "text", "definition")
            },
            "synonym_of": pa.array([synonyms.get(f.feature_id) for f in features], pa.int64()),
        }
    )
