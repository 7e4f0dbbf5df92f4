"""Folding: pairs that rest on the same rows are one finding, so that each statement about the mix is made once.

A pair is told by a better one when both rest on nearly the same rows, or when its rows lie within those of better ones
and its trigger raises its behavior no further among the rows with the trigger of one of them: "opens with a price →
ends with “it is ⟨n⟩.”" adds nothing to "names a price → contains a product", but a phrase that switches on a closing
line inside a uniform chunk does. Of several triggers that bring one behavior in one chunk, those that bring less than a
third of it are told with the best: they are fragments of one cue that no single phrase holds. Pairs whose trigger is a
chunk are folded among themselves, because where a row comes from is nothing a model sees; but where a cue of the query
brings the same rows and scores no less, the cue tells it. Pairs with a feature that was fitted to this mix (a cluster)
are folded after the others: they add findings and never take one away, so that two mixes stay comparable. Of the pairs
told as one, the headline is the one with the
most evidence among the strong ones that hold the best one's rows: a fragment of a cue often scores a little more than
the cue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.corpus.ids import signed_hash
from chunky.correlations.synonyms import jaccard
from chunky.report.wording import sentence
from chunky.tables import FITTED_KINDS

_SAME_AS_CHUNK = 0.9  # a cue with this Jaccard similarity to a chunk's rows is how the model sees that chunk
_WITHIN = 2 / 3  # so much of a pair's rows must lie in better findings' for it to be a special case
_NEAR = 1 / 3  # and so much in those of the one that tells it
_MAX_NEAR = 12  # findings compared exactly
_NO_NEWS = 4.0  # a special case is news when its trigger brings its behavior so much more often than the better one
_SAMPLE = 64  # rows in which the nearest finding is looked up
_FRAGMENT = 1 / 3  # of a behavior's rows: a trigger that brings fewer is a fragment of what brings the rest
_MAX_CANDIDATES = 40_000  # pairs of one family looked at; the real mix fills 2,000 findings long before
_LEADS = 3 / 4  # of the best score in a fold: what a pair needs to be its headline
_MAX_WORDINGS = 6
_ORDER = ["is_echo", "score", "trigger_id", "behavior_id"]
_DESCENDING = [False, True, False, False]

_SIDES = ("trigger", "behavior")

I64 = npt.NDArray[np.int64]
Rows = npt.NDArray[np.signedinteger[Any]]


def intersect(left: Rows, right: Rows) -> Rows:
    """Common values of two sorted arrays of distinct values; time follows the smaller one."""
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    if not len(small):
        return small
    places = np.minimum(np.searchsorted(large, small), len(large) - 1)
    common: Rows = small[large[places] == small]
    return common


class _Pair(NamedTuple):
    """A candidate as folding sees it; `evidence` is −log10 p."""

    trigger: int
    behavior: int
    top_chunk: str
    score: float
    evidence: float


class _Folder:
    """Keeps the findings so far as row sets and says which of them tells a new pair already."""

    def __init__(self, members: Mapping[int, Rows], similarity: float, capacity: int, mix_rows: int) -> None:
        self._members, self._similarity, self._capacity = members, similarity, capacity
        self._findings_of_row = np.zeros((mix_rows, -(-capacity // 8)), np.uint8)  # one bit a finding
        self._is_told = np.zeros(mix_rows, np.bool_)
        self._kept: list[tuple[int, Rows]] = []
        self._kept_place: dict[tuple[int, str], int] = {}
        self._scores: list[float] = []
        self._evidence: list[float] = []
        self.is_full = False

    def same_and_better(self, pair: _Pair) -> int | None:
        """Number of a finding that rests on nearly the same rows as this pair and scores no less, if there is one."""
        rows = self._rows(pair)
        same = (place for place in self._near(rows) if self._scores[place] >= pair.score and self._is_same(place, rows))
        return next(same, None)

    def tells(self, pair: _Pair) -> int | None:
        """Number of a finding that tells this pair and could be its headline, as strong and as sure, if any."""
        rows = self._rows(pair)
        able = (
            place
            for place in self._near(rows)
            if self._scores[place] >= _LEADS * pair.score and self._evidence[place] >= _LEADS * pair.evidence
        )
        return next((place for place in able if self._tells(place, pair.trigger, pair.behavior, rows)), None)

    def place(self, pair: _Pair) -> int | None:
        """Number of the finding that tells this pair; None when it is news, and then it is kept while there is room."""
        rows, key = self._rows(pair), (pair.behavior, pair.top_chunk)
        known = self._kept_place.get(key)
        if known is not None and len(rows) < _FRAGMENT * len(self._members[pair.behavior]):
            return known
        for place in self._near(rows):
            if self._tells(place, pair.trigger, pair.behavior, rows):
                return place
        if len(self._kept) == self._capacity:
            self.is_full = True
        else:
            self._findings_of_row[rows, len(self._kept) // 8] |= np.uint8(1 << (len(self._kept) % 8))
            self._is_told[rows] = True
            self._kept_place.setdefault(key, len(self._kept))
            self._kept.append((pair.trigger, rows))
            self._scores.append(pair.score)
            self._evidence.append(pair.evidence)
        return None

    def _rows(self, pair: _Pair) -> Rows:
        return intersect(self._members[pair.trigger], self._members[pair.behavior])

    def _near(self, rows: Rows) -> list[int]:
        """Findings that share enough of `rows`, by a sample: most first, the better one of equals first."""
        sample = rows[:: max(1, len(rows) // _SAMPLE)]
        bits = np.unpackbits(self._findings_of_row[sample], axis=1, bitorder="little")
        shares = bits.sum(axis=0, dtype=np.int64)
        near = np.flatnonzero(shares >= _NEAR * len(sample))
        return [int(place) for place in near[np.argsort(-shares[near], kind="stable")][:_MAX_NEAR]]

    def _is_same(self, place: int, rows: Rows) -> bool:
        kept_rows = self._kept[place][1]
        both = len(intersect(kept_rows, rows))
        return both >= self._similarity * (len(kept_rows) + len(rows) - both)

    def _tells(self, place: int, trigger: int, behavior: int, rows: Rows) -> bool:
        if self._is_same(place, rows):
            return True
        if self._is_told[rows].mean() < _WITHIN:
            return False
        around = self._members[self._kept[place][0]]
        triggered = intersect(around, self._members[trigger])
        behaving = intersect(around, self._members[behavior])
        rate = len(intersect(triggered, behaving)) / max(len(triggered), 1)
        return rate < _NO_NEWS * len(behaving) / max(len(around), 1)


def findings(
    pairs: pl.DataFrame,
    features: pl.DataFrame,
    members: Mapping[int, Rows],
    *,
    mix_rows: int,
    similarity: float,
    max_findings: int,
    min_contents: int,
) -> pl.DataFrame:
    """Findings in the catalog's columns, best first.

    `pairs` and `features` hold the columns of their tables; `members` maps feature_id to sorted row numbers in
    [0, mix_rows), integers. Pairs with q ≥ .05, score ≤ 0 or fewer than `min_contents` distinct contents carrying both
    are no findings. At most `max_findings` of each family (cue, chunk, or cue with a fitted feature; echo or not) are
    kept, in order of score; a chunk is no trigger where a cue of the query holds nearly the same rows.
    """
    named = features.select("feature_id", "text", "kind")
    sides = [named.select(pl.all().name.replace("feature_", "").name.prefix(f"{side}_")) for side in _SIDES]
    candidates = (
        pairs.filter((pl.col("score") > 0) & (pl.col("q_value") < 0.05) & (pl.col("both_contents") >= min_contents))
        .join(sides[0], on="trigger_id")
        .join(sides[1], on="behavior_id")
        .filter(~pl.col("trigger_id").is_in(_chunks_with_a_cue(features, members)))
        .sort(_ORDER, descending=_DESCENDING)
    )
    families = [_told(candidates, _Folded([], [], []), members)]
    for _, kind in candidates.group_by("is_echo", maintain_order=True):
        families += _families(kind, [_Folder(members, similarity, max_findings, mix_rows) for _ in range(3)], members)
    kept = pl.concat(families, how="diagonal").sort(_ORDER, descending=_DESCENDING)
    ids = [signed_hash(trigger, behavior) for trigger, behavior in kept.select("trigger_id", "behavior_id").iter_rows()]
    return kept.with_columns(
        finding_id=pl.Series(ids, dtype=pl.Int64),
        finding_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        sentence=pl.Series([sentence(row) for row in kept.iter_rows(named=True)], dtype=pl.String),
    )


def _families(kind: pl.DataFrame, folders: Sequence[_Folder], members: Mapping[int, Rows]) -> list[pl.DataFrame]:
    """Findings among pairs that all are echoes or all none: of cues, of chunks, and of cues with a fitted feature.

    What a chunk is about is no finding: chunks with fitted features are left out.
    """
    is_chunk = pl.col("trigger_kind") == "chunk"
    is_fitted = pl.any_horizontal(pl.col(f"{side}_kind").is_in(FITTED_KINDS) for side in _SIDES)
    parts = (~is_chunk & ~is_fitted, is_chunk & ~is_fitted, ~is_chunk & is_fitted)
    cues, chunks, fitted = (kind.filter(part).head(_MAX_CANDIDATES) for part in parts)
    of_cues = _fold_family(cues, folders[0])
    of_chunks = _fold_family(chunks, folders[1], folders[0].same_and_better)
    of_fitted = _fold_family(fitted, folders[2], folders[0].tells)
    return [
        _told(cues, of_cues, members, of_chunks.told_by_cue),
        _told(chunks, of_chunks, members),
        _told(fitted, of_fitted, members),
    ]


def _chunks_with_a_cue(features: pl.DataFrame, members: Mapping[int, Rows]) -> list[int]:
    """Chunk features that a cue of the query stands for: nearly the same rows, and something a model can see."""
    queries = features.filter((pl.col("side") == "query") & pl.col("synonym_of").is_null() & (pl.col("rows") > 0))
    cues = queries.filter(pl.col("kind") != "chunk")
    found = []
    for chunk, rows in queries.filter(pl.col("kind") == "chunk").select("feature_id", "rows").iter_rows():
        close = cues.filter(pl.col("rows").is_between(rows * _SAME_AS_CHUNK, rows / _SAME_AS_CHUNK))["feature_id"]
        if any(jaccard(members[cue], members[chunk]) >= _SAME_AS_CHUNK for cue in close):
            found.append(chunk)
    return found


class _Folded(NamedTuple):
    """Numbers of the pairs that are findings, of those folded into each, and the cue findings that tell the rest."""

    own: list[int]
    folded: list[list[int]]
    told_by_cue: list[int]


def _fold_family(
    family: pl.DataFrame, folder: _Folder, told_by: Callable[[_Pair], int | None] | None = None
) -> _Folded:
    """Fold the pairs of `family`, best first; those that a finding of another family tells are left out."""
    found = _Folded([], [], [])
    columns = ("trigger_id", "behavior_id", "top_chunk", "score", -pl.col("log10_p").fill_null(0))
    for number, pair in enumerate(map(_Pair._make, family.select(*columns).iter_rows())):
        teller = told_by(pair) if told_by is not None else None
        if teller is not None:
            found.told_by_cue.append(teller)
            continue
        place = folder.place(pair)
        if place is not None:
            found.folded[place].append(number)
        elif folder.is_full:
            break
        else:
            found.own.append(number)
            found.folded.append([])
    return found


def _with_leads(family: pl.DataFrame, found: _Folded, members: Mapping[int, Rows]) -> _Folded:
    """The same folds with the pair in front that leads each: the most evidence of those that are strong and general.

    A fragment of a cue often scores a little more than the cue: 5.20 for 78 of the 167 rows of a planted table. What
    leads is as strong inside chunks too, lest what the whole chunk does in any case, of more rows, stand for a cue.
    """
    features = family.select("trigger_id", "behavior_id").rows()
    scores, evidence = family["score"].to_numpy(), -family["log10_p"].fill_null(0).to_numpy()
    inside = family["within_low"].fill_null(0).to_numpy()
    result = _Folded([], [], found.told_by_cue)
    for own, folded in zip(found.own, found.folded, strict=True):
        best = intersect(*(members[feature] for feature in features[own]))
        others = np.array(folded, np.int64)
        is_able = (scores[others] >= _LEADS * scores[own]) & (evidence[others] > evidence[own])
        others = others[is_able & (inside[others] >= min(inside[own], _LEADS * inside[own]))]
        able = [int(pair) for pair in others[np.lexsort((others, -evidence[others]))]]
        rows = ((pair, intersect(*(members[feature] for feature in features[pair]))) for pair in able)
        lead = next((pair for pair, held in rows if len(intersect(held, best)) >= _WITHIN * len(best)), own)
        result.own.append(lead)
        result.folded.append([own if pair == lead else pair for pair in folded])
    return result


def _told(family: pl.DataFrame, folds: _Folded, members: Mapping[int, Rows], more: Sequence[int] = ()) -> pl.DataFrame:
    """Findings with the number of pairs folded into each and the other wordings of trigger and behavior among them.

    `more` holds the findings' numbers, once for each pair of another family that they tell. Wordings that the finding's
    own trigger (or behavior) was counted with come first, then those of more rows times score: the strong and general
    ones.
    """
    found = _with_leads(family, folds, members)
    weights = (family["both_rows"] * family["score"]).to_list()

    def others(column: str, counted_with: str) -> pl.Series:
        texts, partners = family[column].to_list(), family[counted_with].to_list()
        wordings = []
        for finding, pairs in zip(found.own, found.folded, strict=True):
            best_first = sorted(pairs, key=lambda pair: (partners[pair] != partners[finding], -weights[pair], pair))
            distinct = dict.fromkeys(texts[pair] for pair in best_first if texts[pair] != texts[finding])
            wordings.append(list(distinct)[:_MAX_WORDINGS])
        return pl.Series(wordings, dtype=pl.List(pl.String))

    counts = [len(pairs) + more.count(finding) for finding, pairs in enumerate(found.folded)]
    return family[found.own].with_columns(
        folded_pairs=pl.Series(counts, dtype=pl.Int64),
        other_triggers=others("trigger_text", "behavior_id"),
        other_behaviors=others("behavior_text", "trigger_id"),
    )
