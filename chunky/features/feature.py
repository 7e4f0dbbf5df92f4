"""Features: named sets of corpus rows on one side, whatever defines them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from chunky.corpus.ids import signed_hash
from chunky.shapes import SHAPES

_POSITION_WORDS = {"opening": "opens with", "closing": "ends with", "anywhere": "contains"}


@dataclass(frozen=True)
class Feature:
    """One feature. `text` completes "the query …" or "the response …"; `definition` says which rows belong to it.

    `kind` decides how `definition` is read: the chunk's name, a phrase, a regular expression (RE2/Rust syntax), a SQL
    query giving row ids, a shape's name, or (keyword) a phrase as the tokenizer normalizes it.
    """

    kind: str
    side: str
    name: str
    text: str
    definition: str
    position: str | None = None
    origin: str = "built-in"

    @cached_property
    def feature_id(self) -> int:
        """Signed 64-bit hash of what the feature is, not of how it is called."""
        return signed_hash(self.kind, self.side, self.position, self.definition)


def chunk_features(chunks: Iterable[str]) -> list[Feature]:
    """One feature per chunk, on the query side: where the row comes from."""
    return [Feature("chunk", "query", chunk, f"comes from {chunk}", chunk) for chunk in sorted(chunks)]


def shape_features() -> list[Feature]:
    """One feature per shape and side of the library."""
    return [Feature("shape", side, shape.name, shape.text, shape.name) for shape in SHAPES for side in shape.sides]


def keyword_feature(side: str, phrase: str, position: str) -> Feature:
    """A mined phrase at a position as a feature."""
    text = f"{_POSITION_WORDS[position]} “{phrase}”"
    return Feature("keyword", side, phrase, text, phrase, position=position, origin="mined")
