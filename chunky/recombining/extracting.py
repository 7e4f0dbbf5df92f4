"""The attributes of new prompts, of those that are wanted alone: what nobody asked for need not be looked up.

Membership is that of `chunky.attributes`, so a prompt has an attribute here if and only if it would have it as a row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.attributes import Fitted
from chunky.attributes.membership import held
from chunky.attributes.topics import Topics
from chunky.features import Prepared
from chunky.shapes import shape
from chunky.shapes.languages import PLACES, language_place

I64 = npt.NDArray[np.int64]

__all__ = ["QueryExtractor"]


class QueryExtractor:
    """Looks up attributes of prompts by their numbers in `fitted.query`."""

    def __init__(self, fitted: Fitted) -> None:
        self._side = fitted.query
        none = np.zeros((0, 0), np.float32)
        self._nothing = Topics(fitted.query.topics.words, none, (), none)

    def __call__(self, queries: Sequence[str], wanted: Collection[int]) -> tuple[I64, I64]:
        """(place in `queries`, attribute number) of every one of the `wanted` attributes that a prompt has, int64."""
        numbers = sorted(wanted)
        features = [number for number in numbers if number < len(self._side.features)]
        topics = self._side.topics if len(features) < len(numbers) else self._nothing
        shapes = [number for number in features if self._side.features[number].kind == "shape"]
        others = [number for number in features if self._side.features[number].kind != "shape"]
        looked_up = [self._side.features[number] for number in others]
        count = len(queries)
        pairs = pa.table({"query": pa.array(queries, pa.string()), "response": pa.array([""] * count, pa.string())})
        found = held(pairs, [looked_up, ()], [topics, self._nothing], Prepared(looked_up))[0]
        places = np.repeat(np.arange(count), np.diff(found.offsets))
        named = np.concatenate([np.array(others, np.int64), len(self._side.features) + np.arange(len(topics.topics))])
        rows, held_numbers = self._shaped(queries, shapes)
        rows, told = np.concatenate([places, rows]), np.concatenate([named[found.numbers], held_numbers])
        kept = np.isin(told, numbers)
        return rows[kept], told[kept]

    def _shaped(self, queries: Sequence[str], numbers: Sequence[int]) -> tuple[I64, I64]:
        """(place, attribute number) of shapes, these alone: all two hundred took most of the time."""
        if not numbers:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        text = pl.col("text")
        definitions = {str(number): self._side.features[number].definition for number in numbers}
        frame = pl.Series("text", list(queries), dtype=pl.String).to_frame().lazy()
        if any(name in PLACES for name in definitions.values()):
            frame = frame.with_columns(place=language_place(text))
        mask = frame.select(
            (pl.col("place") == PLACES[name] if name in PLACES else shape(name, "query").expression(text)).alias(number)
            for number, name in definitions.items()
        ).collect()
        columns, rows = np.nonzero(mask.to_numpy().T)
        return rows.astype(np.int64), np.array(numbers, np.int64)[columns]
