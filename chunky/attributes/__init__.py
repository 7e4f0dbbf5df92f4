"""Attributes: every sentence “The query …” or “The response …” that holds for a row, ranked by what it tells.

Paper sections 3.1.1 and 4.1; this is the `rules` extractor, which needs no model. Four families: `surface` (shapes) and
`register` are written lists; `repeated` (mined phrases) and `topic` (themes of the texts) come from the mix, so that
they work on mixes that nobody foresaw. All attributes that hold are kept; ten are the paper's display cut.

words, spheres, topics     themes: an alphabet, geometry, and named clusters
registers                  how a text speaks and what it is after
membership                 which attributes each row has
sentences                  how a response opens and ends, as its own text has it
weighing                   which of them tell something about the other side
fitted, extracting         the whole, for a mix and for one new pair
"""

from __future__ import annotations

from chunky.attributes.extracting import Extracted, Limits, Part, extract, extract_pairs, extract_texts
from chunky.attributes.fitted import Fitted
from chunky.attributes.topics import Topics, WordVectors

__all__ = [
    "Extracted",
    "Fitted",
    "Limits",
    "Part",
    "Topics",
    "WordVectors",
    "extract",
    "extract_pairs",
    "extract_texts",
]
