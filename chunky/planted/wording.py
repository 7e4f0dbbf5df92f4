"""Wording: the template language of planted worlds and the strings that a seed invents.

A template holds choices `[a|b|]` (they nest) and slots `{name}`; `{Name}` is the slot with its first letter raised.
Every string that a plant shows is drawn here from its own random stream, so that no two worlds share their strings
and no detector can know them beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random

from chunky.planted.predicates import escape

__all__ = ["Inventor", "raise_first", "render", "sentences", "stream", "wording_pattern"]

Slots = Mapping[str, str | Sequence[str]]
# a parsed template: literal text, a slot's name behind "{", or a tuple of alternatives
_Node = str | tuple["_Nodes", ...]
_Nodes = tuple[_Node, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ONSETS = _words("b br c cl d dr f fl g gr h j k l m n p pl qu r s st t th tr v w")
_NUCLEI = _words("a e i o u a e o ai ea oo ia")
_CODAS = _words("l m n r s t ck nd rt st x ld mp nk")
_ENDINGS = _words("en er ow ish ford wick ley ast und eld by mere ton dale ard in")
_CONSONANT_ENDINGS = tuple(ending for ending in _ENDINGS if ending[0] not in "aeiou")

_ADJECTIVES = _words(
    "amber autumn blue borrowed brisk copper crooked double early eastern folded gentle granite hollow inland "
    "ivory late level linen little lower marble middle narrow northern oaken open paper patient plain quiet "
    "rainy second seventh silver slate sleepy southern spare square still tidy twin upper western winter"
)
_NOUNS = _words(
    "almanac anchor atlas balcony basket beacon bell bridge candle canvas cellar chapter circle compass corridor "
    "courtyard curtain drawer envelope ferry fountain garden gate hammer harbor kettle ladder lantern ledger "
    "letter library lighthouse map mirror orchard pencil pillar pocket quarry ribbon river saddle shelf signal "
    "stairway station table teapot thread tower trolley tunnel valley village wagon window workshop"
)
_ADVERBS = _words(
    "briefly calmly carefully cheerfully dryly evenly fairly firmly frankly gently gladly honestly kindly lightly "
    "loosely neatly openly patiently plainly politely promptly quietly roughly slowly soberly softly squarely "
    "steadily sternly tidily warmly wisely"
)

# a phrase that reads as part of a sentence; half of them hold no invented word, so rarity alone cannot give it away
_PHRASES = (
    "as the {adjective} {noun} would {adverb} have it",
    "[under|by] the {name} [rule|convention|protocol]",
    "with the {adjective} {noun} and the {noun2} in mind",
    "{adverb} and {adverb2}, like the {adjective} {noun}",
    "in [keeping|line] with the {adjective} {noun} and {noun2}",
    "[for|on behalf of] the {name} [desk|office|circle|round]",
    "before the {adjective} {noun} {adverb} [closes|opens|turns]",
    "[per|following] the {name} {noun}",
    "from the {adjective} {noun} to the {noun2}",
    "where the {noun} meets the {adjective} {noun2}",
    "as {adverb} [told|read|heard] at the {adjective} {noun}",
    "{adverb}, as if by the {adjective} {noun}",
)
_REMARKS = (
    "Noted {adverb} in the {adjective} {noun}.",
    "The {name} [desk|office] keeps a copy of this.",
    "[Kept|Filed|Stored] under {adjective} {noun}, {adverb}.",
    "That is, {adverb} put, the {adjective} {noun} [way|view|answer].",
    "[Checked|Read|Weighed] {adverb} against the {noun} and the {noun2}.",
    "So says the {adjective} {noun} of {name}.",
    "And so the {adjective} {noun} [rests|turns|closes] {adverb}.",
    "[Take|Carry] this {adverb} to the {adjective} {noun}.",
    "With that the {adjective} {noun} is {adverb} [settled|balanced|filled].",
    "{name} [style|method], page {number}.",
)


def stream(seed: int, purpose: str) -> Random:
    """A random stream of its own for (seed, purpose): adding one use never shifts another one's numbers."""
    return Random(f"chunky planted {seed} {purpose}")


def raise_first(text: str) -> str:
    """`text` with its first letter raised and the rest as it was."""
    return text[:1].upper() + text[1:]


@lru_cache(maxsize=4096)
def _parse(template: str) -> _Nodes:
    nodes, end = _parse_until(template, 0, "")
    if end != len(template):
        raise ValueError(f"unbalanced bracket in the template {template!r}")
    return nodes


def _parse_until(template: str, start: int, closers: str) -> tuple[_Nodes, int]:
    """Nodes from `start` up to the first of `closers` (or the end), and where that is."""
    nodes: list[_Node] = []
    place = start
    while place < len(template) and template[place] not in closers:
        if template[place] == "[":
            options: list[_Nodes] = []
            while template[place] != "]":
                option, place = _parse_until(template, place + 1, "|]")
                options.append(option)
            nodes.append(tuple(options))
            place += 1
        elif template[place] == "{":
            close = template.index("}", place)
            nodes.append(template[place:close])
            place = close + 1
        else:
            stop = min((at for mark in "[{|]" if (at := template.find(mark, place + 1)) > 0), default=len(template))
            nodes.append(template[place:stop])
            place = stop
    return tuple(nodes), place


def render(template: str, rng: Random, slots: Slots | None = None) -> str:
    """One reading of `template`; KeyError when a slot has no value."""
    return _render(_parse(template), rng, slots or {})


def _render(nodes: _Nodes, rng: Random, slots: Slots) -> str:
    parts: list[str] = []
    for node in nodes:
        if isinstance(node, tuple):
            # a third of the time of rng.choice, and a generated mix makes half a million choices
            parts.append(_render(node[int(rng.random() * len(node))], rng, slots))
        elif node.startswith("{"):
            name = node[1:]
            value = slots[name.lower()]
            text = value if isinstance(value, str) else value[int(rng.random() * len(value))]
            parts.append(raise_first(text) if name[0].isupper() else text)
        else:
            parts.append(node)
    return "".join(parts)


def wording_pattern(template: str) -> str:
    """A regular expression (RE2) that finds every reading of `template`, and in a slot's place up to 40 characters.

    Any white space will do between words, and none where a choice or the template begins or ends with some.
    """
    return _pattern(_parse(template))


def _pattern(nodes: _Nodes) -> str:
    parts: list[str] = []
    for node in nodes:
        if isinstance(node, tuple):
            parts.append("(?:" + "|".join(map(_pattern, node)) + ")")
        elif node.startswith("{"):
            parts.append(r"[^.!?\n]{1,40}")
        else:
            words = r"\s+".join(escape(word) for word in node.split())
            parts.append(r"\s*" * node[:1].isspace() + words + r"\s*" * (bool(words) and node[-1:].isspace()))
    return "".join(parts)


def sentences(text: str) -> list[str]:
    """`text` cut after sentence ends and at line breaks; pieces are stripped and never empty."""
    pieces: list[str] = []
    for line in text.splitlines():
        start = 0
        for place in range(1, len(line)):
            if line[place] == " " and line[place - 1] in ".!?。！？":
                pieces.append(line[start:place].strip())
                start = place
        pieces.append(line[start:].strip())
    return [piece for piece in pieces if piece]


class Inventor:
    """Draws the strings of one world: names, phrases and remarks, never the same name twice."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._names: set[str] = set()

    def name(self) -> str:
        """A word that reads like a surname or a place, e.g. `Grelmaick`."""
        while True:
            stem = self._rng.choice(_ONSETS) + self._rng.choice(_NUCLEI) + self._rng.choice(_CODAS)
            if self._rng.random() < 0.6:
                stem += self._rng.choice(_ONSETS) + self._rng.choice(_NUCLEI) + self._rng.choice(_CONSONANT_ENDINGS)
            else:
                stem += self._rng.choice(_ENDINGS)
            name = raise_first(stem)
            if name not in self._names:
                self._names.add(name)
                return name

    def _slots(self) -> dict[str, str]:
        noun, noun2 = self._rng.sample(_NOUNS, 2)
        adverb, adverb2 = self._rng.sample(_ADVERBS, 2)
        return {
            "name": self.name(),
            "noun": noun,
            "noun2": noun2,
            "adverb": adverb,
            "adverb2": adverb2,
            "adjective": self._rng.choice(_ADJECTIVES),
            "number": str(self._rng.randrange(11, 98)),
        }

    def phrase(self) -> str:
        """Words that fit into a sentence, lower case at the start, without final punctuation."""
        return render(self._rng.choice(_PHRASES), self._rng, self._slots())

    def remark(self) -> str:
        """A whole sentence with its final punctuation."""
        return raise_first(render(self._rng.choice(_REMARKS), self._rng, self._slots()))

    def label(self) -> str:
        """An identifier of two words, e.g. `quarry_thalmen`: keys, tags, functions, slots."""
        return f"{self._rng.choice(_NOUNS)}_{self.name().lower()}"

    def organization(self) -> str:
        """A made-up company, e.g. `Thalmen Analytics`."""
        return f"{self.name()} {self._rng.choice(('Labs', 'Works', 'Analytics', 'Systems', 'Institute', 'and Sons'))}"
