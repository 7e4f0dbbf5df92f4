"""The answers of a lake's own rows, for the provider `mix`: the index of its prompts, and responses by row id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky import mixture
from chunky.attributes import Fitted
from chunky.lens import Lens
from chunky.llm.mix import Ask
from chunky.mixture import MixIndex
from chunky.settings import Settings
from chunky.warehouse import Warehouse

F32 = npt.NDArray[np.float32]

__all__ = ["MixAnswers", "index_of"]

_NEIGHBORS = 50  # at a sharpness of 20 those behind have a ten-thousandth of the mass, where scores differ at all
_TEXTS = "select row_id, query, response from corpus.rows"


class MixAnswers:
    """Answers as the rows of `lake` do; the index is made when it is first needed, and shared within a process."""

    def __init__(self, lake: Warehouse, settings: Settings) -> None:
        self._lake, self._settings = lake, settings

    def __call__(self, asks: Sequence[Ask]) -> list[str]:
        """A response for each, drawn from those of the nearest prompts; MissingTable for a lake without rows."""
        index = index_of(self._lake, self._settings)
        chosen = np.array(self.rows(index, asks), np.int64)
        with Lens(self._lake, self._settings) as lens:
            wanted = pa.table({"row_id": pa.array(np.unique(chosen))})
            with lens.registered(wanted=wanted):
                found = lens.table("select row_id, response from corpus.rows inner join wanted using (row_id)")
        texts: dict[int, str] = dict(pl.DataFrame(found).iter_rows())
        return [texts[row_id] for row_id in chosen.tolist()]

    def rows(self, index: MixIndex, asks: Sequence[Ask]) -> list[int]:
        """The row whose response answers, for each of `asks`: one of the query's own where the mix has the query."""
        texts = pl.Series("text", [ask.query for ask in asks], dtype=pl.String)
        literal = index.literal(texts)
        strange = np.flatnonzero(literal < 0).tolist()
        near = index.nearest([asks[place].query for place in strange], _NEIGHBORS)
        places = dict(zip(strange, range(len(strange)), strict=True))
        found = []
        for place, ask in enumerate(asks):
            numbers, scores = literal[place : place + 1], np.ones(1, np.float32)
            if place in places:
                numbers, scores = near.numbers[places[place]].astype(np.int64), near.scores[places[place]]
            counts = index.rows_from[numbers + 1] - index.rows_from[numbers]
            shares = mixture.probabilities(scores, counts, ask.temperature)
            draw = mixture.uniforms(ask.query, ask.sample, ask.seed) if ask.temperature > 0 else (0.0, 0.0)
            which, row = mixture.chosen(shares, counts, draw)
            found.append(int(index.rows(int(numbers[which]))[row]))
        return found


def index_of(lake: Warehouse, settings: Settings) -> MixIndex:
    """The index of a lake's prompts as they are now; the last one made stays in memory for the whole process."""
    versions = tuple(lake.version(name) for name in ("corpus.rows", "attributes.words", "keywords.phrases"))
    return _index(str(lake.root.resolve()), versions, settings.attributes.word_vectors, settings.model_dump_json())


@lru_cache(maxsize=1)
def _index(root: str, versions: tuple[str, ...], vectors: str, settings: str) -> MixIndex:
    lake, chosen = Warehouse(root), Settings.model_validate_json(settings)
    with Lens(lake, chosen) as lens:
        points = _points(lens)
        return mixture.build(_rows(lens), points)


def _rows(lens: Lens) -> Iterator[pa.RecordBatch]:
    yield from lens.batches(_TEXTS, rows=16_384)


def _points(lens: Lens) -> Callable[[pl.Series], F32] | None:
    """Vectors of prompts by the words that the mix's topics are told by; None where a model found the attributes."""
    tables = {name: lens.table(f"select * from attributes.{name}") for name in ("texts", "words", "topics")}
    if not tables["words"].num_rows:
        return None
    return Fitted.load(tables).query.topics.points
