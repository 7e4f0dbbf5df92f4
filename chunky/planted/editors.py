"""Editors: what puts one trigger into a query, or one behavior into a response.

An editor is made from the seed by a maker (`triggers.py`, `behaviors.py`); the makers of a side and tier are listed
by kind, so that a world can draw different kinds before it repeats one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from chunky.planted.banks import Bank
from chunky.planted.predicates import Predicate
from chunky.planted.wording import Inventor, render

__all__ = ["Editor", "Maker", "Scene", "bank_editor", "join", "split_end"]


@dataclass(frozen=True)
class Editor:
    """One trigger or behavior, ready to be put into texts.

    `edit` takes a text and a random stream. `exact` decides membership from the text alone (plain tier); `probe` finds
    natural occurrences approximately (semantic tier). `family` names what else would be the same thing on the other
    side: a plant never joins two editors of one family, since that would be an echo and no correlation. `rewrite`,
    where given, makes a fresh (query, response) instead: the trigger is then the topic itself. `donors` are background
    rows that carry the trigger already and are moved instead.
    """

    kind: str
    side: str
    tier: str
    text: str
    edit: Callable[[str, Random], str]
    family: str
    strings: tuple[str, ...] = ()
    exact: Predicate | None = None
    probe: Predicate | None = None
    rewrite: Callable[[Random], tuple[str, str]] | None = None
    donors: tuple[int, ...] = ()

    @property
    def predicate(self) -> Predicate | None:
        """What finds members in texts: the exact predicate, else the approximate one, else None."""
        return self.exact or self.probe


@dataclass(frozen=True)
class Scene:
    """What makers may look at of the background.

    `lengths` are sorted lengths of the queries in characters; `fillers` are background sentences for padding.
    """

    inventor: Inventor
    lengths: Sequence[int]
    fillers: Sequence[str]


Maker = Callable[[Random, Scene], Editor]


def join(*parts: str) -> str:
    """Parts with one space between them, none where a part is empty or ends in white space."""
    text = ""
    for part in parts:
        gap = " " if text and part and not text[-1].isspace() and not part[0].isspace() else ""
        text += gap + part
    return text


def split_end(text: str) -> tuple[str, str]:
    """`text` without its final punctuation, and that punctuation (a full stop when there is none)."""
    body = text.rstrip()
    stem = body.rstrip(".!?。！？")
    return (stem, body[len(stem) :]) if stem and len(stem) < len(body) else (body, ".")


def bank_editor(bank: Bank, side: str, scene: Scene) -> Editor:
    """The editor of a paraphrase bank; each row gets a wording of its own."""
    slots = {"number": str(2 + len(scene.fillers) % 17)}

    def edit(text: str, rng: Random) -> str:
        if bank.instead:
            return " ".join(
                render(template, rng, slots) for template in rng.sample(bank.instead, rng.choice((1, 1, 2)))
            )
        body = " ".join(bank.swaps.get(word, word) for word in text.split(" ")) if bank.swaps else text
        before = render(rng.choice(bank.before), rng, slots) if bank.before else ""
        after = render(rng.choice(bank.after), rng, slots) if bank.after else ""
        if before and after:
            keep = rng.random()
            before, after = ("" if keep < 0.25 else before), ("" if keep > 0.75 else after)
        # a list or a code block keeps its lines to itself
        gap = "\n\n" if side == "response" and "\n" in body else ""
        if not gap:
            return join(before, body.rstrip(), after)
        return gap.join(part for part in (before.strip(), body.rstrip(), after.strip()) if part)

    probe = Predicate(pattern=bank.probe) if bank.probe else None
    return Editor(bank.kind, side, "semantic", bank.text, edit, family=f"{bank.kind} {bank.text}", probe=probe)
