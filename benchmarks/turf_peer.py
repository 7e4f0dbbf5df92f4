"""The peer of tracing: what scikit-learn does in a page, and a contender without skill.

TF-IDF over responses, the nearest rows to the failing response, and of all n-grams of the failing query the one that
those rows hold most beyond expectation. `RECIPES` are the settings that were tried; `BEST` and `TOKENS` served
the peer best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import common

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BEST", "RECIPES", "TOKENS", "PeerTrigger", "Recipe", "no_skill", "peer"]

GRAMS: dict[str, dict[str, Any]] = {
    "words 1-3": {"ngram_range": (1, 3)},
    "words 1-4": {"ngram_range": (1, 4)},
    "tokens 1-3": {"ngram_range": (1, 3), "token_pattern": r"\S+", "lowercase": False},
    "characters 2-5": {"analyzer": "char_wb", "ngram_range": (2, 5), "lowercase": False},
}
FEWEST = 5  # rows that hold an n-gram which can be a trigger
MOST = 0.1  # neighbors, as a share of the rows
SAME = 0.9  # Jaccard index at which two n-grams are told as one


class PeerTrigger(NamedTuple):
    """An n-gram with its excess among the neighbors, positions of all rows whose query holds it, and its chunk."""

    gram: str
    score: float
    rows: tuple[int, ...]
    chunk: str


@dataclass(frozen=True)
class Recipe:
    """Which n-grams of queries (keys of `GRAMS`), by which excess (`difference`, `z`, `g2`), among how many rows."""

    grams: tuple[str, ...] = ("words 1-3",)
    excess: str = "z"
    neighbors: int = 1_000
    response_grams: tuple[int, int] = (1, 1)


PLAIN = Recipe()
RECIPES = {
    "words 1-3, z": PLAIN,
    "words 1-3, difference": replace(PLAIN, excess="difference"),
    "words 1-3, g2": replace(PLAIN, excess="g2"),
    "words 1-4, z": replace(PLAIN, grams=("words 1-4",)),
    "tokens 1-3, z": replace(PLAIN, grams=("tokens 1-3",)),
    "characters 2-5, z": replace(PLAIN, grams=("characters 2-5",)),
    "words and characters, z": replace(PLAIN, grams=("words 1-3", "characters 2-5")),
    "words and tokens, z": replace(PLAIN, grams=("words 1-3", "tokens 1-3")),
    "words 1-3, z, 300 rows": replace(PLAIN, neighbors=300),
    "words 1-3, z, 100 rows": replace(PLAIN, neighbors=100),
    "words and characters, z, 300 rows": replace(PLAIN, grams=("words 1-3", "characters 2-5"), neighbors=300),
    "words and tokens, z, 300 rows": replace(PLAIN, grams=("words 1-3", "tokens 1-3"), neighbors=300),
    "all grams, z, 300 rows": replace(PLAIN, grams=("words 1-3", "tokens 1-3", "characters 2-5"), neighbors=300),
    "words 1-3, z, response 1-2": replace(PLAIN, response_grams=(1, 2)),
}
# four worlds of 12,000 rows: the first had most first traces right, the second most among three, both by a little
BEST = RECIPES["words and characters, z, 300 rows"]
TOKENS = RECIPES["words and tokens, z"]


def peer(rows: pl.DataFrame, recipe: Recipe = BEST) -> Callable[[str, str], list[PeerTrigger]]:
    """The peer on `rows` (id, source, query, response): a function of (query, response) to triggers, best first.

    At most ten come back; it has no way to say that there is none.
    """
    import numpy as np
    from scipy.sparse import hstack

    text = common.peer("sklearn.feature_extraction.text", "scikit-learn")
    sources = rows["source"].to_list()
    vectorizer = text.TfidfVectorizer(ngram_range=recipe.response_grams, sublinear_tf=True)
    responses = vectorizer.fit_transform(rows["response"])
    counters = [text.CountVectorizer(binary=True, min_df=FEWEST, **GRAMS[name]) for name in recipe.grams]
    held = hstack([counter.fit_transform(rows["query"]) for counter in counters]).tocsc()
    names = np.concatenate([counter.get_feature_names_out() for counter in counters])
    totals = np.asarray(held.sum(axis=0)).ravel()
    size = max(1, min(recipe.neighbors, int(MOST * rows.height)))

    def trace(query: str, response: str) -> list[PeerTrigger]:
        near = np.asarray((responses @ vectorizer.transform([response]).T).todense()).ravel()
        neighbors = np.sort(np.argsort(-near, kind="stable")[:size])
        grams = hstack([counter.transform([query]) for counter in counters]).tocsr().indices
        hits = np.asarray(held[:, grams][neighbors].sum(axis=0)).ravel()
        scores = _excess(recipe.excess, hits, size * totals[grams] / rows.height, size)
        found: list[PeerTrigger] = []
        for place in np.lexsort((names[grams], -totals[grams], -scores)):
            carried = held[:, [grams[place]]].nonzero()[0]
            if not any(_jaccard(carried, other.rows) >= SAME for other in found):
                among = np.intersect1d(carried, neighbors)
                chunk = _commonest([sources[row] for row in (among if len(among) else carried)])
                rows_of = tuple(carried.tolist())
                found.append(PeerTrigger(str(names[grams[place]]), float(scores[place]), rows_of, chunk))
            if len(found) == 10:
                break
        return found

    return trace


def no_skill(rows: pl.DataFrame) -> Callable[[str, str], list[PeerTrigger]]:
    """The n-grams that most queries of the mix hold, whatever failed."""
    import numpy as np

    text = common.peer("sklearn.feature_extraction.text", "scikit-learn")
    sources = rows["source"].to_list()
    counter = text.CountVectorizer(binary=True, min_df=FEWEST, **GRAMS["words 1-3"])
    held = counter.fit_transform(rows["query"]).tocsc()
    totals = np.asarray(held.sum(axis=0)).ravel()
    found = []
    for at in np.argsort(-totals, kind="stable")[:10]:
        carried = tuple(held[:, [at]].nonzero()[0].tolist())
        name = str(counter.get_feature_names_out()[at])
        found.append(PeerTrigger(name, float(totals[at]), carried, _commonest([sources[row] for row in carried])))
    return lambda query, response: found


def _excess(measure: str, hits: Any, expected: Any, size: int) -> Any:
    """How far `hits` of `size` rows are beyond expectation, by one of three measures."""
    import numpy as np
    from scipy.special import xlogy

    if measure == "difference":
        return hits - expected
    if measure == "z":
        return (hits - expected) / np.sqrt(expected + 1)
    both = xlogy(hits, hits / expected) + xlogy(size - hits, (size - hits) / np.maximum(size - expected, 1e-9))
    return np.sign(hits - expected) * 2 * both


def _jaccard(left: Any, right: tuple[int, ...]) -> float:
    common = len(set(left.tolist()) & set(right))
    return common / (len(left) + len(right) - common)


def _commonest(values: list[str]) -> str:
    return min(set(values), key=lambda value: (-values.count(value), value))
