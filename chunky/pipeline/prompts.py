"""The generator of prompts by rules, over a lake: what its clusters hold, and prompts by row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from chunky.attributes import Fitted
from chunky.errors import MissingTable
from chunky.lens import Lens
from chunky.llm.rules import Wanted
from chunky.mixture import text_hashes
from chunky.pipeline.last import Last, Rows
from chunky.recombining import Generator, Material, QueryExtractor
from chunky.settings import Settings
from chunky.warehouse import Warehouse

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

__all__ = ["Prompts", "generator_of"]

NEEDED = ("corpus.rows", "attributes.texts", "clusters.summaries", "clusters.postings")
_REMEMBERED = 50_000  # prompts; short ones are asked for, so some 20 MB

_CLUSTERS = "select cluster_id, cluster from clusters.summaries where side = 'query' order by cluster_id"
_SENTENCES = """
select attribute, attribute_id, cluster_id
from attributes.texts as texts inner join clusters.assignments using (attribute_id)
where texts.side = 'query'
"""
_NAMES = """
select cluster_name, min(cluster_id) as cluster_id
from clusters.names
where side = 'query' and cluster_name is not null
group by all having count(*) = 1
"""


_generators: Last[Generator] = Last()


class Prompts:
    """Prompts with wanted attributes; what the lake holds is read when the first is wanted."""

    def __init__(self, lake: Warehouse, settings: Settings, fitted: Callable[[], Fitted]) -> None:
        self._lake, self._settings, self._fitted = lake, settings, fitted

    def __call__(self, wishes: Sequence[Wanted]) -> list[str | None]:
        """One for each wish; MissingTable where the lake is not built as far as clusters or a model described it."""
        return generator_of(self._lake, self._settings, self._fitted)(wishes)


def generator_of(lake: Warehouse, settings: Settings, fitted: Callable[[], Fitted]) -> Generator:
    """The generator of a lake as it is now, one for all who ask in a process."""
    if missing := [name for name in NEEDED if not lake.parts(name)]:
        raise MissingTable(f"{missing[0]} is not built yet", "build the lake: chunky build")
    key = (lake.root.resolve(), *(lake.version(name) for name in NEEDED))
    return _generators.of(key, lambda: _read(lake, settings, fitted()))


def _read(lake: Warehouse, settings: Settings, fitted: Fitted) -> Generator:
    lens = Lens(lake, settings)  # stays open with the generator, which looks up rows
    clusters = lens.table(_CLUSTERS)
    ids = clusters["cluster_id"].to_numpy()
    sentences = pl.DataFrame(lens.table(_SENTENCES))
    named = pl.DataFrame(lens.table(_NAMES)).rows()
    rows = lens.table("select row_id, query_chars from corpus.rows order by row_id")
    row_ids = rows["row_id"].to_numpy()
    offsets, members = _postings(lens, ids, row_ids)
    hashes = _hashes(lens)
    numbers = dict(zip(ids.tolist(), range(len(ids)), strict=True))
    # the sentence of a cluster is its medoid's; any other of its sentences means the cluster too
    known = {text: numbers[cluster] for text, _, cluster in sentences.sort("attribute").iter_rows()}
    known |= {name: numbers[cluster] for name, cluster in named if cluster in numbers}
    known |= dict(zip(clusters["cluster"].to_pylist(), range(len(ids)), strict=True))
    of_attribute = {attribute: numbers[cluster] for _, attribute, cluster in sentences.iter_rows()}
    chars = rows["query_chars"].to_numpy().astype(np.int32)
    texts, clusters_of = _Texts(Rows(lens, "query"), row_ids), _Clusters(fitted, of_attribute)
    material = Material(known, offsets, members, chars, texts, clusters_of, lambda prompts: _stand_in(hashes, prompts))
    return Generator(material)


def _postings(lens: Lens, ids: I64, row_ids: I64) -> tuple[I64, I32]:
    """Rows of each query cluster by number: offsets int64 (clusters + 1,) and rows int32, ascending in each."""
    offsets, parts = np.zeros(len(ids) + 1, np.int64), [np.zeros(0, np.int64)]
    with lens.registered(wanted=pa.table({"cluster_id": pa.array(ids)})):
        sql = "select cluster_id, row_id from clusters.postings inner join wanted using (cluster_id)"
        for batch in lens.batches(sql):
            clusters = np.searchsorted(ids, batch["cluster_id"].to_numpy())
            rows = np.searchsorted(row_ids, batch["row_id"].to_numpy())
            parts.append(clusters << 32 | rows)
    packed = np.sort(np.concatenate(parts))  # np.unique by hashing took 9 s where this takes one
    packed = packed[np.diff(packed, prepend=-1) != 0]  # a row may have two sentences of a cluster
    offsets[1:] = np.cumsum(np.bincount(packed >> 32, minlength=len(ids)))
    return offsets, (packed & 0xFFFFFFFF).astype(np.int32)


def _hashes(lens: Lens) -> npt.NDArray[np.uint64]:
    """Hashes of all prompts of the mix, uint64, ascending."""
    parts = [
        text_hashes(pl.Series("query", pl.from_arrow(batch["query"]), dtype=pl.String))
        for batch in lens.batches("select query from corpus.rows", rows=16_384)
    ]
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *parts]))


def _stand_in(hashes: npt.NDArray[np.uint64], texts: Sequence[str]) -> list[bool]:
    if not texts:
        return []
    wanted = text_hashes(pl.Series("query", list(texts), dtype=pl.String))
    places = np.minimum(np.searchsorted(hashes, wanted), max(len(hashes) - 1, 0))
    return (hashes[places] == wanted).tolist() if len(hashes) else [False] * len(texts)


class _Texts:
    """Prompts by row number; those asked for before are remembered, up to a limit."""

    def __init__(self, rows: Rows, row_ids: I64) -> None:
        self._rows, self._row_ids = rows, row_ids
        self._known: dict[int, str] = {}

    def __call__(self, numbers: Sequence[int]) -> list[str]:
        strange = sorted({number for number in numbers if number not in self._known})
        if len(self._known) + len(strange) > _REMEMBERED:
            self._known.clear()
            strange = sorted(set(numbers))
        if strange:
            ids = self._row_ids[strange].tolist()
            texts = self._rows(ids)
            self._known |= {number: texts[row_id] for number, row_id in zip(strange, ids, strict=True)}
        return [self._known[number] for number in numbers]


class _Clusters:
    """The query clusters of new texts, by the attributes that hold for them."""

    def __init__(self, fitted: Fitted, of_attribute: dict[int, int]) -> None:
        self._extract = QueryExtractor(fitted)
        self._clusters = np.array([of_attribute.get(each, -1) for each in fitted.query.ids.tolist()], np.int64)

    def __call__(self, texts: Sequence[str], wanted: Collection[int]) -> list[frozenset[int]]:
        numbers = np.flatnonzero(np.isin(self._clusters, np.array(sorted(wanted), np.int64)))
        places, held = self._extract(texts, numbers.tolist())
        found: list[set[int]] = [set() for _ in texts]
        for place, cluster in zip(places.tolist(), self._clusters[held].tolist(), strict=True):
            found[place].add(cluster)
        return [frozenset(each) for each in found]
