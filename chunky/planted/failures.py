"""Failures with a known cause: what a model trained on a planted mix would say, for tracing back to its plant.

A failure is a (query, response) that the mix does not hold: the query carries a plant's trigger on a subject foreign to
the planted chunks, the response shows the plant's behavior. It comes with a rubric, as a user would word it (paper:
section 4.1, “a rubric-violating prompt-response pair”). Controls, which have no cause, are in `controls.py`; failures
of a world traced in `permute_responses(world, seed)` are the control of a mix that taught nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from chunky.errors import InputError
from chunky.planted.editors import Editor
from chunky.planted.planner import Draft
from chunky.planted.rubrics import RUBRICS
from chunky.planted.subjects import Subjects
from chunky.planted.wording import render, stream

if TYPE_CHECKING:
    from chunky.planted.world import World

__all__ = ["Composer", "PlantedFailure", "draw_failures"]

_TRIES = 40
# how often a semantic trigger is worded anew before a wording is taken that the mix holds
_WORDINGS = 12
# stands in for a query, to see what an editor puts around it; no text holds it
_MARK = "\x00"
# a row of the mix that is asked as it stands is not left as the mix has it
_LEADS = (
    "[Hello again|Hi once more|Me again][: |. ]",
    "[One|Here is one] more [thing|question] [for you|from me][: |. ]",
    "[Sorry to bother you|If you have a moment][: |. ]",
)


@dataclass(frozen=True)
class PlantedFailure:
    """One failing pair with a rubric that its response breaks.

    `plant_id` and `tier` name the plant that taught it. A control has no plant: `control` says which it is, and `tier`
    is that of its behavior, where it has one.
    """

    plant_id: str | None
    tier: str | None
    control: str | None
    query: str
    response: str
    rubric: str


def draw_failures(world: World, count: int, seed: int) -> list[PlantedFailure]:
    """`count` failures of the world's plants in turn; the same arguments give the same failures.

    Exact predicates of its plant hold on each failure, predicates of other plants do not; query texts are not in the
    mix and do not repeat. A semantic cue is there because its editor put it there: its probe finds some wordings of it,
    and a failure need not be one of those. Raises InputError for a world without plants, and where too few fitting
    pairs come up (as in planted chunks that speak of everything).
    """
    if not world.drafts:
        raise InputError("this world has no plants, so nothing that a model does comes from one", "plant some first")
    composer = Composer(world)
    found: list[list[PlantedFailure]] = []
    for place, draft in enumerate(world.drafts):
        wanted = len(range(place, count, len(world.drafts)))
        purpose = f"failures {seed} {draft.plant_id}"
        pairs = composer.compose(draft, draft.behavior, purpose, wanted)
        rng = stream(world.truth.spec.seed, f"{purpose} rubrics")
        found.append([
            PlantedFailure(draft.plant_id, draft.tier, None, query, response, rng.choice(RUBRICS[draft.behavior.kind]))
            for query, response in pairs
        ])  # fmt: skip
    return [found[at % len(found)][at // len(found)] for at in range(count)]


class Composer:
    """Composes pairs for one world: a plant's trigger or none in the query, a behavior in the response."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.subjects = Subjects(world)
        queries = world.rows["query"].to_list()
        self._taken = set(queries)
        self._text = "\n".join(queries)

    def compose(self, draft: Draft | None, behavior: Editor, purpose: str, count: int) -> list[tuple[str, str]]:
        """`count` pairs with the trigger of `draft` (or none) and `behavior`; InputError when there are too few.

        Every attempt has a random stream of its own, by its number and `purpose`.
        """
        kept: list[tuple[str, str]] = []
        attempt = 0
        while len(kept) < count and attempt < _TRIES * count:
            numbers = range(attempt, attempt + count - len(kept))
            pairs = [self._attempt(draft, behavior, f"{purpose} {number}") for number in numbers]
            attempt = numbers.stop
            for pair, good in zip(pairs, self._are_good(draft, behavior, pairs), strict=True):
                if good and pair[0] and pair[0] not in self._taken:
                    self._taken.add(pair[0])
                    kept.append(pair)
        if len(kept) < count:
            who = "a query without any trigger" if draft is None else draft.plant_id
            raise InputError(
                f"only {len(kept)} of {count} failures of {who} with a response that {behavior.text}",
                "draw fewer, or from a larger world",
            )
        return kept

    def _attempt(self, draft: Draft | None, behavior: Editor, purpose: str) -> tuple[str, str]:
        rng = stream(self.world.truth.spec.seed, purpose)
        query, response = self._asked(draft, rng)
        if query in self._taken:
            query = render(rng.choice(_LEADS), rng) + query
        # where the answer is that way by nature, as a French one is to a French question, it is no failure
        natural = behavior.predicate is not None and behavior.predicate.holds_each([response])[0]
        return ("", response) if natural else (query, behavior.edit(response, rng))

    def _asked(self, draft: Draft | None, rng: Random) -> tuple[str, str]:
        """A query with the draft's trigger, and the ordinary response to it."""
        if draft is None:
            return self.subjects.draw((), rng)
        trigger, base = draft.trigger, self.world.base
        if trigger.rewrite is not None:
            return trigger.rewrite(rng)
        if trigger.donors:
            row = rng.choice(trigger.donors)
            return base.queries[row], base.responses[row]
        query, response = self.subjects.draw(draft.chunks, rng)
        return self._worded(trigger, query, rng), response

    def _worded(self, trigger: Editor, query: str, rng: Random) -> str:
        """`query` with the trigger, in words that the mix does not hold where some come up."""
        state = rng.getrandbits(64)
        for _ in range(_WORDINGS if trigger.exact is None else 0):
            # what surrounds the mark surrounds the query too: editors of frames draw alike whatever they frame
            around = [piece.strip() for piece in trigger.edit(_MARK, Random(state)).split(_MARK)]
            if not any(piece in self._text for piece in around if piece):
                break
            state = rng.getrandbits(64)
        return trigger.edit(query, Random(state))

    def _are_good(self, draft: Draft | None, behavior: Editor, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether each pair shows what it should, and nothing of another plant."""
        queries, responses = [query for query, _ in pairs], [response for _, response in pairs]
        good = _fits(behavior, responses, True)
        for other in self.world.drafts:
            good = _both(good, _fits(other.trigger, queries, other is draft))
            if other.behavior is not behavior:
                good = _both(good, _fits(other.behavior, responses, False))
        return good


def _fits(editor: Editor, texts: list[str], wanted: bool) -> list[bool]:
    """Whether each text shows the editor's thing as `wanted`; a probe can only tell that a text must not."""
    predicate = editor.exact if wanted else editor.predicate
    if predicate is None:
        return [True] * len(texts)
    return [holds == wanted for holds in predicate.holds_each(texts)]


def _both(left: Sequence[bool], right: Sequence[bool]) -> list[bool]:
    return [one and other for one, other in zip(left, right, strict=True)]
