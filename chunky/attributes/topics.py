"""Topics: themes of the mix's own texts, at several sizes, each named by its distinctive words.

A text is the sum of the vectors of its words, weighted by rarity; k-means on the sphere finds the themes. Besides whole
texts, opening and closing sentences are clustered: a mood or a role often speaks there alone. A text that fits its
theme no better than strangers do gets no topic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.attributes.spheres import basis, floors, k_means, nearest, unit
from chunky.attributes.words import Words, sentence

if TYPE_CHECKING:
    from scipy.sparse import csr_array

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
WordVectors = Callable[[Sequence[str]], F32]
"""Words → unit vectors, float32 (words, any dimensions); a word that it does not know may get zeros."""

VIEWS = ("whole", "opening", "closing")
_TEXTS = {
    "whole": "is about “{}”",
    "opening": "opens with a sentence about “{}”",
    "closing": "ends with a sentence about “{}”",
}
_DIMENSIONS = 128
_LATENT = 100  # directions of the sample's own word vectors
_ROWS_PER_TOPIC = 10  # with fewer sampled rows a topic is somebody's sentence, not a theme
_NAME_WORDS = (3, 4, 5, 6)


@dataclass(frozen=True)
class Topic:
    """One theme: where it is seen, the number of themes asked for, its name's words, and the least similarity."""

    view: str
    size: int
    words: tuple[str, ...]
    floor: float

    @property
    def text(self) -> str:
        """Completes "the query …" or "the response …"."""
        return _TEXTS[self.view].format(", ".join(self.words))


@dataclass(frozen=True)
class Topics:
    """All themes of one side.

    `vectors` float32 (words, dimensions) in the order of `words.ids`; `centers` float32 (topics, dimensions), unit rows
    in the order of `topics`. Topics of one view and size stand together: a text has at most one of them.
    """

    words: Words
    vectors: F32
    topics: tuple[Topic, ...]
    centers: F32

    def assign(self, texts: pl.Series) -> tuple[I64, I64]:
        """(place in `texts`, topic number) of every text that belongs to a topic, int64 each, in no order."""
        rows, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        keys = np.array([VIEWS.index(topic.view) << 32 | topic.size for topic in self.topics], np.int64)
        least = np.array([topic.floor for topic in self.topics], np.float32)
        for view in VIEWS:
            sizes = [key for key in np.unique(keys) if key >> 32 == VIEWS.index(view)]
            if not sizes:
                continue
            points = self.points(sentence(texts, view))
            for key in sizes:
                group = np.flatnonzero(keys == key)
                labels, similarity = nearest(points, self.centers[group])
                fits = np.flatnonzero(similarity >= least[group][labels])
                rows.append(fits)
                numbers.append(group[labels[fits]])
        return np.concatenate(rows), np.concatenate(numbers)

    def points(self, texts: pl.Series) -> F32:
        """Each text as a unit vector (zeros where no word is known), float32 (texts, dimensions)."""
        return unit(np.asarray(self.words.rows(texts) @ self.vectors))


def fit(
    sample: pl.DataFrame,
    words: Sequence[Words],
    sizes: dict[str, tuple[int, ...]],
    *,
    seed: int,
    word_vectors: WordVectors | None,
) -> tuple[Topics, ...]:
    """Topics of each side from a sample of the rows; `sizes`: view → numbers of themes to look for.

    `sample` has a column of texts for the side of each of `words`. A word's vector has two parts of equal length: the
    given one, where there is one, and one from the sample itself, out of the words that stand in the same row on either
    side. The second joins the words of a theme of this mix, which hardly share a query but meet in the answers.
    """
    rng = np.random.default_rng(seed)
    whole = [each.rows(sample[each.side]) for each in words]
    latent = _latent(whole, rng)
    return tuple(
        _fit_side(sample[each.side], each, rows, own, sizes, rng, word_vectors)
        for each, rows, own in zip(words, whole, latent, strict=True)
    )


def _fit_side(
    sample: pl.Series,
    words: Words,
    whole: csr_array,
    latent: F32,
    sizes: dict[str, tuple[int, ...]],
    rng: np.random.Generator,
    word_vectors: WordVectors | None,
) -> Topics:
    if not whole.nnz:
        return Topics(words, np.zeros((len(words.words), 0), np.float32), (), np.zeros((0, 0), np.float32))
    known = [latent] if word_vectors is None else [unit(word_vectors(words.words)), latent]
    vectors = _turned(known, whole)
    topics: list[Topic] = []
    centers: list[F32] = []
    taken: set[str] = set()
    for view in VIEWS:
        rows = whole if view == "whole" else words.rows(sentence(sample, view))
        rows = rows[np.diff(rows.indptr) > 0]
        points = unit(np.asarray(rows @ vectors))
        for size in sizes.get(view, ()):
            found = k_means(points, min(size, len(points) // _ROWS_PER_TOPIC), rng)
            for topic, center in _named(Topic(view, size, (), 0.0), rows, points, found, words):
                named = _distinct(topic, taken)
                if named is not None:
                    taken.add(named.text)
                    topics.append(named)
                    centers.append(center)
    return Topics(words, vectors, tuple(topics), np.array(centers, np.float32).reshape(len(topics), vectors.shape[1]))


def _latent(sides: Sequence[csr_array], rng: np.random.Generator) -> list[F32]:
    """Unit vectors of the words of each side from the rows that they share, strong directions damped."""
    from scipy.sparse import hstack

    rows = hstack(list(sides)).tocsr()
    directions = basis(rows, _LATENT, rng)
    strength = np.linalg.norm(np.asarray(rows @ directions), axis=0)
    vectors = unit((directions / np.sqrt(np.maximum(strength, 1e-6))).astype(np.float32))
    borders = np.cumsum([side.shape[1] for side in sides])[:-1]
    return np.split(vectors, borders)


def _turned(parts: Sequence[F32], rows: csr_array) -> F32:
    """Vectors of words moved so that the mean text is zero, and turned into the directions that texts use most.

    Each part is moved by the mean of the words that it knows: what it does not know stays at zero, no direction at all.
    """
    uses = np.asarray(rows.sum(axis=0), np.float32).ravel()
    centered = np.hstack([_centered(part, uses) for part in parts])
    points = unit(np.asarray(rows @ centered)).astype(np.float64)
    _, directions = np.linalg.eigh(points.T @ points)
    kept: F32 = directions[:, ::-1][:, :_DIMENSIONS].astype(np.float32)
    return centered @ kept


def _centered(part: F32, uses: F32) -> F32:
    """Vectors of known words (no zeros) less their mean, weighted by `uses`."""
    is_known = np.abs(part).sum(axis=1) > 0
    mean = (uses * is_known) @ part / max(float((uses * is_known).sum()), 1e-9)
    return np.where(is_known[:, None], part - mean, 0).astype(np.float32)


def _named(blank: Topic, rows: csr_array, points: F32, centers: F32, words: Words) -> list[tuple[Topic, F32]]:
    """The topics of one clustering that have a name, with six distinctive words each, best first."""
    if not len(centers):
        return []
    least = floors(points, centers)
    labels, similarity = nearest(points, centers)
    fits = similarity >= least[labels]
    share = _holders(rows) / rows.shape[0]
    found = []
    for number, center in enumerate(centers):
        own = rows[np.flatnonzero(fits & (labels == number))]
        if own.shape[0] < _ROWS_PER_TOPIC // 2:
            continue
        inside = _holders(own) / own.shape[0]
        # what a word tells of the topic: its share inside times how much higher that is than in all texts
        told = np.where(inside > share, inside * np.log(np.maximum(inside, 1e-9) / np.maximum(share, 1e-9)), 0)
        best = np.lexsort((words.ids, -told))[: _NAME_WORDS[-1]]
        chosen = tuple(words.words[place] for place in best if told[place] > 0)
        if chosen:
            found.append((replace(blank, words=chosen, floor=float(least[number])), center))
    return found


def _holders(rows: csr_array) -> I64:
    """Texts that hold each word, int64: every entry of a row is another word."""
    return np.bincount(rows.indices, minlength=rows.shape[1])


def _distinct(topic: Topic, taken: set[str]) -> Topic | None:
    """The topic under the shortest name that no other has; None where even six words are taken: it is the same one."""
    for length in _NAME_WORDS:
        named = replace(topic, words=topic.words[:length])
        if named.text not in taken:
            return named
    return None
