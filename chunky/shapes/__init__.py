"""Shapes: the library of surface features that a mix can teach by accident.

A shape is a named boolean feature of one text: "contains a fenced code block", "opens with “No”", "is in
French".
`correlations` turns each into the set of rows that carry it and asks which shape of the query predicts which shape of
the response. Definitions are general knowledge of English and of text formats; wording shapes look for English words
unless their text says otherwise. Near-synonyms, near-complements and shapes that nearly every text has are left out:
they would only repeat one finding.
"""

from __future__ import annotations

from difflib import get_close_matches

import polars as pl

from chunky.errors import InputError, SettingsError
from chunky.shapes._shape import Shape
from chunky.shapes.answers import ANSWERS
from chunky.shapes.asks import ASKS
from chunky.shapes.demands import DEMANDS
from chunky.shapes.languages import LANGUAGES, PLACES, language_place
from chunky.shapes.markup import MARKUP
from chunky.shapes.typography import TYPOGRAPHY

__all__ = ["SHAPES", "SIDES", "Shape", "evaluate", "shape"]

SIDES = ("query", "response")

SHAPES: tuple[Shape, ...] = (*LANGUAGES, *TYPOGRAPHY, *MARKUP, *ASKS, *DEMANDS, *ANSWERS)


def _of_side(side: str) -> tuple[Shape, ...]:
    if side not in SIDES:
        raise SettingsError(f"there is no side {side!r}", "name `query` or `response`")
    return tuple(candidate for candidate in SHAPES if side in candidate.sides)


def shape(name: str, side: str) -> Shape:
    """The shape of that name on that side.

    Raises:
        SettingsError: no such side, or no such shape there; the remedy offers names that are spelled alike.

    """
    known = {candidate.name: candidate for candidate in _of_side(side)}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    remedy = (
        f"perhaps you meant {' or '.join(f'`{other}`' for other in near)}" if near else f"known: {', '.join(known)}"
    )
    raise SettingsError(f"there is no shape {name!r} of a {side}", remedy)


def evaluate(texts: pl.Series, side: str) -> pl.DataFrame:
    """Tell for each text which shapes of that side it has.

    Args:
        texts: String, no nulls, any length. Work space is a small multiple of the texts' own bytes: pass a batch.
        side: `query` or `response`.

    Returns:
        One Boolean column without nulls per shape of the side, in library order; `len(texts)` rows in the same order.

    Raises:
        InputError: the texts are not strings, or some are missing: an unknown text has unknown shapes.
        SettingsError: no such side.

    """
    if texts.dtype != pl.String:
        raise InputError(f"shapes are told of text, not of {texts.dtype}", "cast the column to String first")
    if texts.null_count():
        raise InputError(f"{texts.null_count()} of {len(texts)} texts are missing", "drop those rows first")
    text, place = pl.col("text"), pl.col("place")
    # Lazy, so that common parts, such as the stripped text, are computed once; the language by hand.
    frame = texts.alias("text").to_frame().lazy().with_columns(language_place(text).alias("place"))
    return frame.select(
        (place == PLACES[each.name] if each.name in PLACES else each.expression(text)).alias(each.name)
        for each in _of_side(side)
    ).collect()
