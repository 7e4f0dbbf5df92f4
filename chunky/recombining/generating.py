"""The generator of prompts by rules: of texts recombined for a wish the one that has the most of its attributes.

A wish is a handful of attributes, each a cluster of sentences; a text has it when its own attributes, extracted anew,
include one of the cluster. It begins with rows that have most of the clusters already, and has what is missing grafted
on from rows that have that, round after round. Texts of all wishes of a batch are looked at together, since extraction
has a fixed cost a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from random import Random
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from chunky.llm.paraphrase import paraphrases
from chunky.llm.rules import Wanted
from chunky.recombining.grafting import MOST_CHARS, grafts
from chunky.recombining.material import Material

I32 = npt.NDArray[np.int32]

__all__ = ["Generator"]

_ROUNDS = 3
_BASES = 2
_GRAFTED = 3  # missing attributes that are worked on in a round
_DONORS = 2  # rows tried for each
_LOOKED_AT = 1_024  # rows of a cluster that are looked at, drawn anew for each wish
_BRIEF = 600  # characters; a shorter row is preferred to a longer one that has as much
_REWORDINGS = 3


@dataclass
class _Try:
    """One text tried for a wish: the clusters of the wish that it has; `is_new` says that the mix does not hold it."""

    text: str
    has: frozenset[int]
    is_new: bool
    order: int


@dataclass
class _Draft:
    """The work on one wish."""

    wanted: Wanted
    clusters: tuple[int, ...]
    rng: Random
    draw: np.random.Generator
    bases: list[int] = field(default_factory=list)
    tries: list[_Try] = field(default_factory=list)

    def best(self, only_new: bool = True) -> _Try | None:
        """The text with the most of the wish, brief ones first, then the one tried first."""
        able = [each for each in self.tries if each.has and (each.is_new or not only_new)]
        return min(able, key=lambda each: (-len(each.has), len(each.text) > MOST_CHARS, each.order), default=None)

    def leading(self) -> list[_Try]:
        """The best text, and the best of those that have something of the wish that it lacks."""
        best = self.best(only_new=False)
        if best is None:
            return []
        others = [each for each in self.tries if each.has - best.has]
        second = min(others, key=lambda each: (-len(each.has), each.order), default=None)
        return [best] if second is None else [best, second]


class _Plan(NamedTuple):
    """A text to graft on, and the rows that are donors."""

    base: _Try
    donors: list[int]


class Generator:
    """Prompts for wishes; the same for the same wish in any batch."""

    def __init__(self, material: Material) -> None:
        self.material = material

    def __call__(self, wishes: Sequence[Wanted]) -> list[str | None]:
        """A prompt for each wish, in order; None where no row of the mix has any of its attributes."""
        drafts = [self._begun(wish) for wish in wishes]
        self._bases(drafts)
        for _ in range(_ROUNDS):
            waiting = [draft for draft in drafts if self._is_open(draft)]
            if not waiting:
                break
            self._look(waiting, self._grafted(waiting))
        return [self._given(draft) for draft in drafts]

    def share(self, wish: Sequence[str], prompt: str) -> float:
        """The part of the attributes of a wish that a prompt has, 0 to 1; those that the mix does not know are not."""
        clusters = [self.material.sentences.get(sentence, -1) for sentence in wish]
        (held,) = self.material.clusters_of([prompt], {cluster for cluster in clusters if cluster >= 0})
        return sum(cluster in held for cluster in clusters) / len(clusters)

    def _begun(self, wish: Wanted) -> _Draft:
        known = [self.material.sentences[each] for each in wish.attributes if each in self.material.sentences]
        clusters = tuple(sorted(dict.fromkeys(known), key=lambda each: (len(self.material.rows_of(each)), each)))
        text = f"generator {wish.seed} {wish.sample} {sorted(wish.attributes)}".encode("utf-8", "surrogatepass")
        seed = int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
        return _Draft(wish, clusters, Random(seed), np.random.default_rng(seed))

    def _bases(self, drafts: Sequence[_Draft]) -> None:
        """The rows to begin with become the first texts of each draft."""
        for draft in drafts:
            draft.bases = self._rows(draft, draft.clusters, draft.clusters, _BASES)
        texts = self._texts([row for draft in drafts for row in draft.bases])
        self._look(drafts, [[texts[row] for row in draft.bases] for draft in drafts])

    def _rows(self, draft: _Draft, starts: Sequence[int], clusters: Sequence[int], count: int) -> list[int]:
        """Rows with one of `starts` and as many of `clusters` as there are, brief ones first, else in drawn order."""
        parts = []
        for cluster in starts:
            own = self.material.rows_of(cluster)
            if len(own) > _LOOKED_AT:
                own = np.unique(own[draft.draw.integers(len(own), size=_LOOKED_AT)])
            parts.append(own)
        rows = np.unique(np.concatenate([np.zeros(0, np.int32), *parts]))
        if not len(rows):
            return []
        held = np.sum([self.material.holds(cluster, rows) for cluster in clusters], axis=0)
        is_long = self.material.chars[rows] // _BRIEF
        order = np.lexsort((draft.draw.random(len(rows)), is_long, -held))
        chosen: list[int] = rows[order[:count]].tolist()
        return chosen

    def _is_open(self, draft: _Draft) -> bool:
        best = draft.best()
        return bool(draft.bases) and (best is None or len(best.has) < len(draft.clusters))

    def _grafted(self, drafts: Sequence[_Draft]) -> list[list[str]]:
        """New texts for each draft: what is missing grafted on its best text, or where nothing is, variations of it."""
        plans = [[self._plan(draft, base) for base in draft.leading()] for draft in drafts]
        texts = self._texts([row for own in plans for plan in own for row in plan.donors])
        found = []
        for draft, own in zip(drafts, plans, strict=True):
            made = [text for base, rows in own for row in rows for text in grafts(base.text, texts[row])]
            for base, _ in own:
                if len(base.has) == len(draft.clusters):
                    made += paraphrases(base.text, _REWORDINGS, draft.rng.getrandbits(32))
            found.append(list(dict.fromkeys(made)))
        return found

    def _plan(self, draft: _Draft, base: _Try) -> _Plan:
        """Rows that have what the base lacks, some for each attribute; any of the wish where it lacks nothing."""
        missing = [cluster for cluster in draft.clusters if cluster not in base.has]
        rows: dict[int, None] = {}
        for cluster in missing[:_GRAFTED]:
            rows |= dict.fromkeys(self._rows(draft, [cluster], missing, _DONORS))
        if not missing:
            one = draft.rng.choice(draft.clusters)
            rows |= dict.fromkeys(self._rows(draft, [one], [one], 2 * _DONORS))
        return _Plan(base, list(rows))

    def _texts(self, rows: Sequence[int]) -> dict[int, str]:
        numbers = sorted(set(rows))
        return dict(zip(numbers, self.material.texts(numbers), strict=True))

    def _look(self, drafts: Sequence[_Draft], texts: Sequence[Sequence[str]]) -> None:
        """Extract the clusters of all texts at once and note what each has of its draft's wish."""
        flat = [text for own in texts for text in own]
        wanted = {cluster for draft in drafts for cluster in draft.clusters}
        held, known = self.material.clusters_of(flat, wanted), self.material.is_known(flat)
        told = zip(flat, held, known, strict=True)
        for draft, own in zip(drafts, texts, strict=True):
            clusters = frozenset(draft.clusters)
            for text, has, is_known in islice(told, len(own)):
                draft.tries.append(_Try(text, clusters & has, not is_known, len(draft.tries)))

    def _given(self, draft: _Draft) -> str | None:
        best = draft.best() or draft.best(only_new=False)
        return None if best is None else best.text
