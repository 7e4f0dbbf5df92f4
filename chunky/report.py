"""Findings: pairs folded so that each statement about the mix is made once, ranked by score, and said as a sentence.

Two pairs that rest on nearly the same rows are one finding, told by the better of the two. Pairs whose trigger is a
chunk are folded among themselves: where a row comes from is nothing a model sees, so "chunk X does this" and "this cue
brings it" are two statements. Echoes (one feature seen on both sides) come last.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.correlations.synonyms import jaccard
from chunky.corpus.ids import signed_hash
from chunky.tokens import mix64

_HASHES = 32
_SAME_AS_CHUNK = 0.9  # a cue with this Jaccard similarity to a chunk's rows is how the model sees that chunk
_MAX_WORDINGS = 6
_ORDER = ["is_echo", "score", "trigger_id", "behavior_id"]
_DESCENDING = [False, True, False, False]
_SLACK = 0.25  # see correlations.synonyms: candidates up to so far below the limit by estimate are verified exactly

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


class _Folder:
    """Keeps the findings so far as row sets and says which of them a new row set repeats."""

    def __init__(self, similarity: float, capacity: int, ranks: npt.NDArray[np.uint32]) -> None:
        self._similarity = similarity
        self._ranks = ranks
        self._minima = np.zeros((capacity, _HASHES), np.uint32)
        self._kept: list[I64] = []

    def place(self, rows: I64) -> int | None:
        """Number of the kept row set that `rows` (sorted row numbers) repeats; else None, and it is kept if there is room."""
        minima = self._ranks[rows].min(axis=0)
        estimates = (self._minima[: len(self._kept)] == minima).mean(axis=1)
        for place in np.flatnonzero(estimates >= self._similarity - _SLACK):
            kept = self._kept[place]
            both = len(np.intersect1d(kept, rows, assume_unique=True))
            if both >= self._similarity * (len(kept) + len(rows) - both):
                return int(place)
        if len(self._kept) < len(self._minima):
            self._minima[len(self._kept)] = minima
        self._kept.append(rows)
        return None

    @property
    def is_full(self) -> bool:
        """True when one more row set than there is room for has come."""
        return len(self._kept) > len(self._minima)


def findings(
    pairs: pl.DataFrame,
    features: pl.DataFrame,
    members: Mapping[int, I64],
    *,
    mix_rows: int,
    similarity: float,
    max_findings: int,
) -> pl.DataFrame:
    """Findings in the catalog's columns, best first.

    `pairs` and `features` hold the columns of their tables; `members` maps feature_id to sorted row numbers in
    [0, mix_rows), int64. Pairs with q ≥ .05 or score ≤ 0 are no findings. At most `max_findings` of each family (cue
    triggers, chunk triggers) and echo or not) are kept, in order of score; the chunk of a trigger is not told where a cue
    of the query holds nearly the same rows.
    """
    named = features.select("feature_id", "text", "kind")
    candidates = (
        pairs.filter((pl.col("score") > 0) & (pl.col("q_value") < 0.05))
        .join(named.rename({"feature_id": "trigger_id", "text": "trigger_text", "kind": "trigger_kind"}), on="trigger_id")
        .join(named.select(behavior_id="feature_id", behavior_text="text"), on="behavior_id")
        .filter(~pl.col("trigger_id").is_in(_chunks_with_a_cue(features, members)))
        .sort(_ORDER, descending=_DESCENDING)
    )
    ranks = _rank_table(mix_rows)
    families = [
        _fold_family(family, members, _Folder(similarity, max_findings, ranks))
        for family in candidates.with_columns(is_chunk=pl.col("trigger_kind") == "chunk").partition_by("is_chunk", "is_echo")
    ]
    if not families:
        families = [_told(candidates, [], [])]
    kept = pl.concat(families, how="diagonal").sort(_ORDER, descending=_DESCENDING)
    ids = [signed_hash(trigger, behavior) for trigger, behavior in kept.select("trigger_id", "behavior_id").iter_rows()]
    return kept.with_columns(
        finding_id=pl.Series(ids, dtype=pl.Int64),
        finding_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        sentence=pl.Series([sentence(row) for row in kept.iter_rows(named=True)], dtype=pl.String),
    )


def _chunks_with_a_cue(features: pl.DataFrame, members: Mapping[int, I64]) -> list[int]:
    """Chunk features that a cue of the query stands for: nearly the same rows, and something a model can see."""
    queries = features.filter((pl.col("side") == "query") & pl.col("synonym_of").is_null() & (pl.col("rows") > 0))
    cues = queries.filter(pl.col("kind") != "chunk")
    found = []
    for chunk, rows in queries.filter(pl.col("kind") == "chunk").select("feature_id", "rows").iter_rows():
        close = cues.filter(pl.col("rows").is_between(rows * _SAME_AS_CHUNK, rows / _SAME_AS_CHUNK))["feature_id"]
        if any(jaccard(members[cue], members[chunk]) >= _SAME_AS_CHUNK for cue in close):
            found.append(chunk)
    return found


def _rank_table(mix_rows: int) -> npt.NDArray[np.uint32]:
    """Hash of each row number under `_HASHES` seeds, uint32, shape (mix_rows, _HASHES)."""
    rows = np.arange(mix_rows, dtype=np.uint64)
    columns = [(mix64(rows + (np.uint64(seed) << np.uint64(40))) >> np.uint64(32)).astype(np.uint32)
               for seed in range(1, _HASHES + 1)]  # fmt: skip
    return np.stack(columns, axis=1)


def _fold_family(family: pl.DataFrame, members: Mapping[int, I64], folder: _Folder) -> pl.DataFrame:
    """The rows of `family` that are findings of their own, each with what was folded into it."""
    own: list[int] = []
    folded: list[list[int]] = []
    for number, (trigger, behavior) in enumerate(family.select("trigger_id", "behavior_id").iter_rows()):
        rows = np.intersect1d(members[trigger], members[behavior], assume_unique=True)
        place = folder.place(rows)
        if place is not None:
            folded[place].append(number)
        elif folder.is_full:
            break
        else:
            own.append(number)
            folded.append([])
    return _told(family, own, folded)


def _told(family: pl.DataFrame, own: list[int], folded: list[list[int]]) -> pl.DataFrame:
    """Findings with the number of pairs folded into each and the other wordings of trigger and behavior among them."""

    def others(column: str) -> pl.Series:
        texts = family[column].to_list()
        wordings = [
            list(dict.fromkeys(texts[pair] for pair in pairs if texts[pair] != texts[finding]))[:_MAX_WORDINGS]
            for finding, pairs in zip(own, folded, strict=True)
        ]
        return pl.Series(wordings, dtype=pl.List(pl.String))

    return family[own].with_columns(
        folded_pairs=pl.Series([len(pairs) for pairs in folded], dtype=pl.Int64),
        other_triggers=others("trigger_text"),
        other_behaviors=others("behavior_text"),
    )


def sentence(pair: Mapping[str, object]) -> str:
    """One finding in English: trigger, behavior, probability with interval and n, base rate, lift, source."""
    values = dict(pair)
    base = values["base_rate"]
    told = [
        f"When the query {values['trigger_text']}, the response {values['behavior_text']}: "
        f"{percent(values['p_behavior_given_trigger'])} of {values['trigger_rows']:,} rows "
        f"(95 % interval {percent(values['p_low'])} to {percent(values['p_high'])})",
        f"{percent(base)} elsewhere" if base is not None else "no row lacks the trigger",
        f"lift {_short(values['lift'])}",
    ]
    if values["top_chunk"] is not None:
        told.append(f"{percent(values['top_chunk_share'])} of those rows from {values['top_chunk']}")
    return "; ".join(told) + "."


def percent(share: object) -> str:
    """A share as a percentage of two or three significant digits: `0.13 %`, `4.1 %`, `76 %`; `?` for null."""
    if share is None:
        return "?"
    value = float(str(share)) * 100
    if 99 <= value < 99.995:
        return f"{value:.2f}".rstrip("0").rstrip(".") + " %"
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"


def _short(value: object) -> str:
    number = float(str(value))
    return f"{number:,.0f}×" if number >= 10 else f"{number:.2g}×"
