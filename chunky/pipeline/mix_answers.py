"""The answers of a lake's own rows, for the provider `mix`: the index of its prompts, and responses by row id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky import mixture
from chunky.attributes import Fitted
from chunky.errors import MissingTable
from chunky.lens import Lens
from chunky.llm.mix import Ask
from chunky.mixture import MixIndex
from chunky.pipeline.last import Last, Rows
from chunky.settings import Settings
from chunky.warehouse import Warehouse

F32 = npt.NDArray[np.float32]

__all__ = ["MixAnswers", "index_of"]

_NEIGHBORS = 50  # behind them is next to nothing to draw: 0.2 of a score is e⁴ at temperature 1
_READ = ("corpus.rows", "attributes.words")


@dataclass(frozen=True)
class _Opened:
    index: MixIndex
    responses: Rows


_opened: Last[_Opened] = Last()


class MixAnswers:
    """Answers as the rows of `lake` do. The index is made when the first is asked for, and shared within a process."""

    def __init__(self, lake: Warehouse, settings: Settings) -> None:
        self._lake, self._settings = lake, settings

    def __call__(self, asks: Sequence[Ask]) -> list[str]:
        """A response for each, drawn from those of the nearest prompts; MissingTable for a lake without rows."""
        opened = _open(self._lake, self._settings)
        chosen = rows_of(opened.index, asks)
        texts = opened.responses(chosen)
        return [texts[row_id] for row_id in chosen]


def rows_of(index: MixIndex, asks: Sequence[Ask]) -> list[int]:
    """The row whose response answers, for each of `asks`: one of the query's own where the mix has the query."""
    # half characters, which no column can hold, become question marks
    queries = [ask.query.encode("utf-8", "replace").decode() for ask in asks]
    literal = index.literal(pl.Series("text", queries, dtype=pl.String))
    strange = np.flatnonzero(literal < 0).tolist()
    near = index.nearest([queries[place] for place in strange], _NEIGHBORS)
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
    """The index of a lake's prompts as they are now; MissingTable for a lake without rows."""
    return _open(lake, settings).index


def _open(lake: Warehouse, settings: Settings) -> _Opened:
    if not lake.rows("corpus.rows"):
        raise MissingTable("the lake holds no rows, and so no answers", "take files in first: chunky ingest PATH…")

    def make() -> _Opened:
        with Lens(lake, settings) as lens:
            points = _points(lens)
            index = mixture.build(lens.batches("select row_id, query, response from corpus.rows", rows=16_384), points)
        return _Opened(index, Rows(Lens(lake, settings), "response"))

    return _opened.of((lake.root.resolve(), *(lake.version(name) for name in _READ)), make)


def _points(lens: Lens) -> Callable[[pl.Series], F32] | None:
    """Vectors of prompts by the words that the mix's topics are told by; None where a model found the attributes."""
    tables = {name: lens.table(f"select * from attributes.{name}") for name in ("texts", "words", "topics")}
    if not tables["words"].num_rows:
        return None
    return Fitted.load(tables).query.topics.points
