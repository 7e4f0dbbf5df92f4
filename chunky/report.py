"""Findings: pairs folded so that each statement about the mix is made once, ranked, and said as a sentence.

A pair is told by a better one when both rest on nearly the same rows, or when its rows lie within those of better ones
and its trigger raises its behavior no further among the rows with the trigger of one of them: "opens with a price →
ends with “it is ⟨n⟩.”" adds nothing to "names a price → contains a product", but a phrase that switches on a closing
line inside a uniform chunk does. Of several triggers that bring one behavior in one chunk, those that bring less than a
third of it are told with the best: they are fragments of one cue that no single phrase holds. Pairs whose trigger is a
chunk are folded among themselves, because where a row comes from is nothing a model sees; but where a cue of the query
brings the same rows and scores no less, the cue tells it. Of the pairs told as one, the headline is the one with the
most evidence among the strong ones that hold the best one's rows: a fragment of a cue often scores a little more than
the cue.

People read the first twenty lines, and what they can act on is a cue that one chunk has taught: so `ranked` weighs the
strength over the mix and inside chunks alike, takes off what the rest of the mix does too, and divides the odds of the
k-th statement about a chunk by k. Echoes (one feature seen on both sides) come last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from chunky.corpus.ids import signed_hash
from chunky.correlations.synonyms import jaccard

_SAME_AS_CHUNK = 0.9  # a cue with this Jaccard similarity to a chunk's rows is how the model sees that chunk
_WITHIN = 2 / 3  # so much of a pair's rows must lie in better findings' for it to be a special case
_NEAR = 1 / 3  # and so much in those of the one that tells it
_MAX_NEAR = 12  # findings compared exactly
_NO_NEWS = 4.0  # a special case is news when its trigger brings its behavior so much more often than the better one
_SAMPLE = 64  # rows in which the nearest finding is looked up
_FRAGMENT = 1 / 3  # of a behavior's rows: a trigger that brings fewer is a fragment of what brings the rest
_MAX_CANDIDATES = 40_000  # pairs of one family looked at; the real mix fills 2,000 findings long before
_LEADS = 3 / 4  # of the best score in a fold: what a pair needs to be its headline
_HOSTS = 2  # chunks that an accident may span: what holds beyond them, the mix does in general
_FEW = 5  # contents with both, beyond them, that tell anything: the padded score of empty cells is 6 in 30,000 rows
_HALF = 0.5  # of the rank is strength over the mix, half strength inside chunks; half of what holds elsewhere goes off
_MAX_WORDINGS = 6
_TOLD_WORDINGS = 3  # of which the sentence names so many behaviors
_ORDER = ["is_echo", "score", "trigger_id", "behavior_id"]
_DESCENDING = [False, True, False, False]

I64 = npt.NDArray[np.int64]
Rows = npt.NDArray[np.signedinteger[Any]]


def _intersect(left: Rows, right: Rows) -> Rows:
    """Common values of two sorted arrays of distinct values; time follows the smaller one."""
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    if not len(small):
        return small
    places = np.minimum(np.searchsorted(large, small), len(large) - 1)
    common: Rows = small[large[places] == small]
    return common


class _Folder:
    """Keeps the findings so far as row sets and says which of them tells a new pair already."""

    def __init__(self, members: Mapping[int, Rows], similarity: float, capacity: int, mix_rows: int) -> None:
        self._members, self._similarity, self._capacity = members, similarity, capacity
        self._findings_of_row = np.zeros((mix_rows, -(-capacity // 8)), np.uint8)  # one bit a finding
        self._is_told = np.zeros(mix_rows, np.bool_)
        self._kept: list[tuple[int, Rows]] = []
        self._kept_place: dict[tuple[int, str], int] = {}
        self._scores: list[float] = []
        self.is_full = False

    def same_and_better(self, trigger: int, behavior: int, score: float) -> int | None:
        """Number of a finding that rests on nearly the same rows as this pair and scores no less, if there is one."""
        rows = _intersect(self._members[trigger], self._members[behavior])
        same = (place for place in self._near(rows) if self._scores[place] >= score and self._is_same(place, rows))
        return next(same, None)

    def place(self, trigger: int, behavior: int, chunk: str, score: float) -> int | None:
        """Number of the finding that tells this pair; None when it is news, and then it is kept while there is room."""
        rows = _intersect(self._members[trigger], self._members[behavior])
        known = self._kept_place.get((behavior, chunk))
        if known is not None and len(rows) < _FRAGMENT * len(self._members[behavior]):
            return known
        for place in self._near(rows):
            if self._tells(place, trigger, behavior, rows):
                return place
        if len(self._kept) == self._capacity:
            self.is_full = True
        else:
            self._findings_of_row[rows, len(self._kept) // 8] |= np.uint8(1 << (len(self._kept) % 8))
            self._is_told[rows] = True
            self._kept_place.setdefault((behavior, chunk), len(self._kept))
            self._kept.append((trigger, rows))
            self._scores.append(score)
        return None

    def _near(self, rows: Rows) -> list[int]:
        """Findings that share enough of `rows`, by a sample: most first, the better one of equals first."""
        sample = rows[:: max(1, len(rows) // _SAMPLE)]
        bits = np.unpackbits(self._findings_of_row[sample], axis=1, bitorder="little")
        shares = bits.sum(axis=0, dtype=np.int64)
        near = np.flatnonzero(shares >= _NEAR * len(sample))
        return [int(place) for place in near[np.argsort(-shares[near], kind="stable")][:_MAX_NEAR]]

    def _is_same(self, place: int, rows: Rows) -> bool:
        kept_rows = self._kept[place][1]
        both = len(_intersect(kept_rows, rows))
        return both >= self._similarity * (len(kept_rows) + len(rows) - both)

    def _tells(self, place: int, trigger: int, behavior: int, rows: Rows) -> bool:
        if self._is_same(place, rows):
            return True
        if self._is_told[rows].mean() < _WITHIN:
            return False
        around = self._members[self._kept[place][0]]
        triggered = _intersect(around, self._members[trigger])
        behaving = _intersect(around, self._members[behavior])
        rate = len(_intersect(triggered, behaving)) / max(len(triggered), 1)
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
    are no findings. At most `max_findings` of each family (cue or chunk as trigger, echo or not) are kept, in order of
    score; a chunk is no trigger where a cue of the query holds nearly the same rows.
    """
    named = features.select("feature_id", "text", "kind")
    candidates = (
        pairs.filter((pl.col("score") > 0) & (pl.col("q_value") < 0.05) & (pl.col("both_contents") >= min_contents))
        .join(
            named.rename({"feature_id": "trigger_id", "text": "trigger_text", "kind": "trigger_kind"}), on="trigger_id"
        )
        .join(named.select(behavior_id="feature_id", behavior_text="text"), on="behavior_id")
        .filter(~pl.col("trigger_id").is_in(_chunks_with_a_cue(features, members)))
        .sort(_ORDER, descending=_DESCENDING)
    )
    families = [_told(candidates, _Folded([], [], []), members)]
    for _, kind in candidates.group_by("is_echo", maintain_order=True):
        cues, chunks = (_Folder(members, similarity, max_findings, mix_rows) for _ in range(2))
        by_chunk = kind.filter(pl.col("trigger_kind") == "chunk").head(_MAX_CANDIDATES)
        by_cue = kind.filter(pl.col("trigger_kind") != "chunk").head(_MAX_CANDIDATES)
        of_cues = _fold_family(by_cue, cues)
        of_chunks = _fold_family(by_chunk, chunks, cues)
        families += [_told(by_cue, of_cues, members, of_chunks.told_by_cue), _told(by_chunk, of_chunks, members)]
    kept = pl.concat(families, how="diagonal").sort(_ORDER, descending=_DESCENDING)
    ids = [signed_hash(trigger, behavior) for trigger, behavior in kept.select("trigger_id", "behavior_id").iter_rows()]
    return kept.with_columns(
        finding_id=pl.Series(ids, dtype=pl.Int64),
        finding_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        sentence=pl.Series([sentence(row) for row in kept.iter_rows(named=True)], dtype=pl.String),
    )


def ranked(found: pl.DataFrame, members: Mapping[int, Rows], chunk_of_row: I64) -> pl.DataFrame:
    """Findings in the order in which people should read them, with `score_elsewhere`, `rank_weight` and `finding_rank`.

    `chunk_of_row[row]` is the number of the row's chunk from 0, int64, or -1 for a repeat inside its chunk, which is no
    evidence. `score_elsewhere` is the score in all chunks but the `_HOSTS` with the most rows of both, null where it is
    not above 0 or not known. `rank_weight` = ½ (score + within_low - score_elsewhere) - ln(k) for the k-th finding of
    its top chunk by that weight. A negative within_low counts as 0; an unknown one as the score, or as 0 where the
    trigger is a chunk, which no model sees. Echoes come last.
    """
    sizes = np.bincount(chunk_of_row[chunk_of_row >= 0])
    features = {*found["trigger_id"], *found["behavior_id"]}
    held = {feature: _by_chunk(members[feature], chunk_of_row, len(sizes)) for feature in features}
    beyond = [
        _score_elsewhere(
            _by_chunk(_intersect(members[trigger], members[behavior]), chunk_of_row, len(sizes)),
            held[trigger],
            held[behavior],
            sizes,
        )
        for trigger, behavior in found.select("trigger_id", "behavior_id").iter_rows()
    ]
    unknown = pl.when(pl.col("trigger_kind") == "chunk").then(0.0).otherwise(pl.col("score"))
    strength = pl.col("score") + pl.coalesce(pl.col("within_low").clip(lower_bound=0), unknown)
    order, descending = (
        ["is_echo", "rank_weight", "score", "trigger_id", "behavior_id"],
        [False, True, True, False, False],
    )
    return (
        found.with_columns(score_elsewhere=pl.Series(beyond, dtype=pl.Float64))
        .with_columns(rank_weight=_HALF * (strength - pl.col("score_elsewhere").fill_null(0)))
        .sort(order, descending=descending)
        .with_columns(
            rank_weight=pl.col("rank_weight") - pl.int_range(1, pl.len() + 1).over("is_echo", "top_chunk").log()
        )
        .sort(order, descending=descending)
        .with_columns(finding_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64))
    )


def _by_chunk(rows: Rows, chunk_of_row: I64, chunks: int) -> I64:
    """How many of `rows` each chunk holds, repeats not counted, int64 (chunks)."""
    numbers = chunk_of_row[rows]
    counts: I64 = np.bincount(numbers[numbers >= 0], minlength=chunks).astype(np.int64)
    return counts


def _score_elsewhere(both: I64, triggers: I64, behaviors: I64, sizes: I64) -> float | None:
    """The score (log odds less 1.96 errors) in all chunks but those with the most rows of both; None if not above 0."""
    rest = np.argsort(-both, kind="stable")[_HOSTS:]
    a, t, b, n = (int(counts[rest].sum()) for counts in (both, triggers, behaviors, sizes))
    cells = np.array([a, t - a, b - a, n - t - b + a]) + 0.5
    if a < _FEW:
        return None
    score = float(np.log(cells) @ [1, -1, -1, 1] - 1.96 * np.sqrt((1 / cells).sum()))
    return score if score > 0 else None


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


def _fold_family(family: pl.DataFrame, folder: _Folder, cues: _Folder | None = None) -> _Folded:
    """Fold the pairs of `family`, best first; those that a finding of `cues` tells better are left out."""
    found = _Folded([], [], [])
    for number, pair in enumerate(family.select("trigger_id", "behavior_id", "top_chunk", "score").iter_rows()):
        cue = cues.same_and_better(pair[0], pair[1], pair[3]) if cues is not None else None
        if cue is not None:
            found.told_by_cue.append(cue)
            continue
        place = folder.place(*pair)
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
        best = _intersect(*(members[feature] for feature in features[own]))
        others = np.array(folded, np.int64)
        is_able = (scores[others] >= _LEADS * scores[own]) & (evidence[others] > evidence[own])
        others = others[is_able & (inside[others] >= min(inside[own], _LEADS * inside[own]))]
        able = [int(pair) for pair in others[np.lexsort((others, -evidence[others]))]]
        rows = ((pair, _intersect(*(members[feature] for feature in features[pair]))) for pair in able)
        lead = next((pair for pair, held in rows if len(_intersect(held, best)) >= _WITHIN * len(best)), own)
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


def sentence(pair: Mapping[str, Any]) -> str:
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
    if others := list(values.get("other_behaviors") or ())[:_TOLD_WORDINGS]:
        told.append(f"of nearly the same rows the response also {', '.join(others)}")
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
