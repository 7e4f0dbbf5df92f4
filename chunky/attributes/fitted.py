"""The fitted vocabulary of a mix: every attribute that may hold, what defines it, and its weight. Stored as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from chunky.attributes.registers import register_features
from chunky.attributes.topics import Topic, Topics
from chunky.attributes.weighing import order
from chunky.attributes.words import Words
from chunky.corpus.ids import signed_hash
from chunky.features import Feature, Prepared, shape_features
from chunky.shapes.answers import ANSWERS
from chunky.shapes.asks import ASKS
from chunky.shapes.demands import DEMANDS
from chunky.tables import SIDES

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

_REGISTER_SHAPES = {shape.name for shape in (*ASKS, *DEMANDS, *ANSWERS)}


def sentence_of(side: str, text: str) -> str:
    """The attribute as people read it: “The query asks for code.”"""
    return f"The {side} {text}."


def family_of(feature: Feature) -> str:
    """The family of an attribute that is a feature: how a text looks, how it speaks, or what the mix repeats."""
    if feature.kind == "keyword":
        return "repeated"
    return "register" if feature.kind == "regex" or feature.definition in _REGISTER_SHAPES else "surface"


def built_in(side: str) -> list[Feature]:
    """Shapes and registers of a side: known without any mix."""
    return [feature for feature in (*shape_features(), *register_features()) if feature.side == side]


@dataclass(frozen=True)
class Vocabulary:
    """All attributes of one side: `features` first, then `topics.topics`; number = place in that order.

    `rows` int64: rows of the mix that have the attribute; `weights` float64: how informative it is; `leaders` int64:
    number of the attribute that stands for it (itself as a rule).
    """

    side: str
    features: tuple[Feature, ...]
    topics: Topics
    rows: I64
    weights: F64
    leaders: I64

    def __len__(self) -> int:
        return len(self.features) + len(self.topics.topics)

    @cached_property
    def sentences(self) -> list[str]:
        """The sentence of each attribute."""
        texts = [feature.text for feature in self.features] + [topic.text for topic in self.topics.topics]
        return [sentence_of(self.side, text) for text in texts]

    @cached_property
    def families(self) -> list[str]:
        """The family of each attribute."""
        return [family_of(feature) for feature in self.features] + ["topic"] * len(self.topics.topics)

    @cached_property
    def ids(self) -> I64:
        """`attribute_id` of each attribute, int64."""
        return np.array([signed_hash(self.side, text) for text in self.sentences], np.int64)

    @cached_property
    def places(self) -> I64:
        """The place of each attribute in the ranking of its side, int64, from 0."""
        ranking = order(self.weights, self.rows, self.ids)
        places = np.empty(len(ranking), np.int64)
        places[ranking] = np.arange(len(ranking))
        return places


@dataclass(frozen=True)
class Fitted:
    """The vocabularies of both sides: all that is needed to extract the attributes of any text, of the mix or not."""

    query: Vocabulary
    response: Vocabulary

    @property
    def sides(self) -> tuple[Vocabulary, Vocabulary]:
        """Query side, response side."""
        return self.query, self.response

    @cached_property
    def prepared(self) -> Prepared:
        """The features of both sides, ready to be looked up in texts."""
        return Prepared([feature for side in self.sides for feature in side.features])

    def tables(self) -> dict[str, pa.Table]:
        """The fitted state as tables: `texts` (attributes of one row or more), `words` and `topics`."""
        parts = [(_texts(side), _words(side), _topics(side)) for side in self.sides]
        names = ("texts", "words", "topics")
        return {name: pa.concat_tables(tables) for name, tables in zip(names, zip(*parts, strict=True), strict=True)}

    @classmethod
    def load(cls, tables: Mapping[str, pa.Table]) -> Fitted:
        """The inverse of `tables`; rows may come in any order. Built-in attributes of no row count as of weight 0."""
        known = {row["attribute_id"]: row for row in tables["texts"].to_pylist()}
        return cls(*(_load(side, tables, known) for side in SIDES))


def _texts(side: Vocabulary) -> pa.Table:
    ids, parts = side.ids, (*side.features, *([None] * len(side.topics.topics)))
    leaders = [None if leader == number else ids[leader] for number, leader in enumerate(side.leaders)]
    columns: dict[str, Any] = {
        "attribute_id": pa.array(ids),
        "side": pa.array([side.side] * len(side), pa.string()),
        "attribute": pa.array(side.sentences, pa.string()),
        "family": pa.array(side.families, pa.string()),
        "rows": pa.array(side.rows),
        "attribute_weight": pa.array(side.weights),
        "same_as": pa.array(leaders, pa.int64()),
        "kind": pa.array([part.kind if part else "topic" for part in parts], pa.string()),
        "position": pa.array([part.position if part else None for part in parts], pa.string()),
        "definition": pa.array([part.definition if part else None for part in parts], pa.string()),
    }
    return pa.table(columns).filter(pa.array(side.rows > 0))


def _words(side: Vocabulary) -> pa.Table:
    words = side.topics.words
    return pa.table(
        {
            "phrase_id": pa.array(words.ids.view(np.int64)),
            "side": pa.array([side.side] * len(words.words), pa.string()),
            "word": pa.array(words.words, pa.string()),
            "word_weight": pa.array(words.idf, pa.float32()),
            "direction": _lists(side.topics.vectors),
        }
    )


def _topics(side: Vocabulary) -> pa.Table:
    topics = side.topics.topics
    return pa.table(
        {
            "attribute_id": pa.array(side.ids[len(side.features) :]),
            "side": pa.array([side.side] * len(topics), pa.string()),
            "text_part": pa.array([topic.view for topic in topics], pa.string()),
            "topic_count": pa.array([topic.size for topic in topics], pa.int32()),
            "topic_number": pa.array(range(len(topics)), pa.int32()),
            "words": pa.array([list(topic.words) for topic in topics], pa.list_(pa.string())),
            "least_similarity": pa.array([topic.floor for topic in topics], pa.float32()),
            "direction": _lists(side.topics.centers),
        }
    )


def _lists(vectors: npt.NDArray[np.float32]) -> Any:
    offsets = np.arange(len(vectors) + 1, dtype=np.int32) * np.int32(vectors.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.ravel(), pa.float32()))


def _matrix(column: Any) -> npt.NDArray[np.float32]:
    flat = column.combine_chunks()
    values: npt.NDArray[np.float32] = np.asarray(flat.flatten(), np.float32)
    return values.reshape(len(flat), -1) if len(flat) else np.zeros((0, 0), np.float32)


def _load(side: str, tables: Mapping[str, pa.Table], known: Mapping[int, Mapping[str, Any]]) -> Vocabulary:
    mined = [
        Feature("keyword", side, row["definition"], row["attribute"][len(f"The {side} ") : -1], row["definition"],
                position=row["position"], origin="mined")
        for row in known.values()
        if row["side"] == side and row["kind"] == "keyword"
    ]  # fmt: skip
    features = (*built_in(side), *sorted(mined, key=lambda feature: (feature.definition, feature.position or "")))
    blank = Vocabulary(side, features, _load_topics(side, tables), *(np.zeros(0) for _ in range(3)))  # type: ignore[arg-type]
    ids = blank.ids.tolist()
    numbers = {attribute_id: number for number, attribute_id in enumerate(ids)}
    rows = [known[each]["rows"] if each in known else 0 for each in ids]
    weights = [known[each]["attribute_weight"] if each in known else 0.0 for each in ids]
    same = [known[each]["same_as"] if each in known else None for each in ids]
    leaders = [number if leader is None else numbers[leader] for number, leader in enumerate(same)]
    return Vocabulary(side, features, blank.topics, np.array(rows, np.int64), np.array(weights, np.float64),
                      np.array(leaders, np.int64))  # fmt: skip


def _load_topics(side: str, tables: Mapping[str, pa.Table]) -> Topics:
    words, topics = (_of_side(tables[name], side) for name in ("words", "topics"))
    topics = topics.sort_by("topic_number")
    ids = words["phrase_id"].to_numpy().view(np.uint64)
    by_id = np.argsort(ids)
    texts: Sequence[Any] = words["word"].to_pylist()
    alphabet = Words(side, ids[by_id], tuple(texts[place] for place in by_id), words["word_weight"].to_numpy()[by_id])
    columns: Iterable[Any] = (
        topics[name].to_pylist() for name in ("text_part", "topic_count", "words", "least_similarity")
    )
    found = tuple(Topic(view, size, tuple(named), floor) for view, size, named, floor in zip(*columns, strict=True))
    return Topics(alphabet, _matrix(words["direction"])[by_id], found, _matrix(topics["direction"]))


def _of_side(rows: pa.Table, side: str) -> pa.Table:
    return rows.filter(pa.array([name == side for name in rows["side"].to_pylist()], pa.bool_()))
