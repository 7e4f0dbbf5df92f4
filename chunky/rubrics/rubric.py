"""The rubric: which behavior is audited, when it is out of place, and how bad each case is (paper: appendix E.2).

A rubric file is YAML:

    principle: one sentence, what the assistant should not do            (the only key that is required)
    details: [what is tested, how to read the principle]
    scoring:                                                             (graded, worst first)
      - {grade: severe, low: 90, high: 100, when: …, query: …, response: …}
    critical: [what must not get a high score]
    behaviors: ["The response …"]                                        (how a blind observer would say the violation)
    signals: […]                                                         (for the `rules` judge: chunky.rubrics.signals)
    canaries: [{query: …, response: …, low: 0, high: 20}]                (known answers, mixed into judging)

The judge is shown principle to critical; signals and canaries stay hidden from it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from typing import Any

import yaml

from chunky.errors import InputError
from chunky.rubrics.signals import Signal, signals_of

__all__ = ["Canary", "Grade", "Rubric", "of_source", "parse_text", "parse_yaml"]

_KEYS = ("principle", "details", "scoring", "critical", "behaviors", "signals", "canaries")


@dataclass(frozen=True)
class Grade:
    """One line of the scoring guide: the scores it spans, 0 to 100, when it applies, and an example or none."""

    name: str
    low: int
    high: int
    when: str
    query: str | None = None
    response: str | None = None


@dataclass(frozen=True)
class Canary:
    """An exchange whose score is known to lie from `low` to `high`, both included."""

    query: str
    response: str
    low: float
    high: float


@dataclass(frozen=True)
class Rubric:
    """A rubric. Free text has a principle and nothing else."""

    name: str
    principle: str
    details: tuple[str, ...] = ()
    scoring: tuple[Grade, ...] = ()
    critical: tuple[str, ...] = ()
    behaviors: tuple[str, ...] = ()
    signals: tuple[Signal, ...] = ()
    canaries: tuple[Canary, ...] = ()
    plain_signals: str = "[]"

    def text(self) -> str:
        """The rubric as the judge reads it."""
        parts = [f"PRINCIPLE\n{self.principle}"]
        if self.details:
            parts.append("DETAILS\n" + "\n".join(f"- {detail}" for detail in self.details))
        if self.scoring:
            parts.append("SCORING GUIDE, from the worst down\n" + "\n".join(_told(grade) for grade in self.scoring))
        if self.critical:
            parts.append("CRITICAL\n" + "\n".join(f"- {note}" for note in self.critical))
        return "\n\n".join(parts)

    def signal_facts(self) -> list[dict[str, Any]]:
        """The signals in their plain JSON form, as a request's facts carry them."""
        facts: list[dict[str, Any]] = json.loads(self.plain_signals)
        return facts

    @property
    def source(self) -> str:
        """All of it but the name, as JSON: `of_source` makes the same rubric of it."""
        told = asdict(self) | {"signals": self.signal_facts()}
        return json.dumps({key: told[key] for key in _KEYS}, ensure_ascii=False)

    @cached_property
    def version(self) -> str:
        """Digest of all that a score can depend on, twelve hexadecimal digits."""
        return sha256("\0".join((self.text(), self.plain_signals)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def of_source(name: str, source: str) -> Rubric:
    """The rubric whose `source` it is."""
    told: dict[str, Any] = json.loads(source)
    return Rubric(
        name,
        told["principle"],
        tuple(told["details"]),
        tuple(Grade(**grade) for grade in told["scoring"]),
        tuple(told["critical"]),
        tuple(told["behaviors"]),
        signals_of(told["signals"]),
        tuple(Canary(**canary) for canary in told["canaries"]),
        json.dumps(told["signals"], ensure_ascii=False, sort_keys=True),
    )


def parse_text(name: str, text: str) -> Rubric:
    """A rubric of free text, which is its principle; InputError when there is none."""
    if not text.strip():
        raise InputError("the rubric is empty", "say in a sentence what the assistant should not do")
    return Rubric(name, text.strip())


class _Loader(yaml.SafeLoader):
    """The safe loader, but for a key that is there twice, of which YAML would take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node; ConstructorError for a repeated key."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if repeated := next((key for key in keys if keys.count(key) > 1), None):
            problem = f"the key {repeated!r} is there twice"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_mapping(node, deep)


def parse_yaml(name: str, text: str) -> Rubric:
    """A rubric from the text of its file.

    Raises:
        InputError: no YAML, no principle, a key that is not known, a value of another form, scores outside 0 to 100.

    """
    try:
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as bad:
        raise InputError(f"the rubric {name} is no YAML: {' '.join(str(bad).split())}", "mend it there") from bad
    if not isinstance(content, dict):
        raise InputError(f"the rubric {name} has no keys", "begin it with `principle: …`")
    for key in content:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, n=1)
            remedy = f"perhaps you meant `{near[0]}`" if near else f"known: {', '.join(_KEYS)}"
            raise InputError(f"the rubric {name} has the key {key!r}", remedy)
    principle = content.get("principle")
    if not isinstance(principle, str) or not principle.strip():
        raise InputError(
            f"the rubric {name} has no principle", "add `principle: …`, a sentence that says what should not happen"
        )
    plain = content.get("signals") or []
    return Rubric(
        name,
        _evened(principle),
        _texts(name, content, "details"),
        tuple(_grade(name, entry) for entry in _entries(name, content, "scoring")),
        _texts(name, content, "critical"),
        _texts(name, content, "behaviors"),
        signals_of(plain),
        tuple(_canary(name, entry) for entry in _entries(name, content, "canaries")),
        json.dumps(plain, ensure_ascii=False, sort_keys=True),
    )


def _told(grade: Grade) -> str:
    lines = [f"- {grade.name} ({grade.low} to {grade.high}): {grade.when}"]
    if grade.query is not None and grade.response is not None:
        lines += [f"  User: {grade.query}", f"  Assistant: {grade.response}"]
    return "\n".join(lines)


def _evened(text: str) -> str:
    return " ".join(text.split())


def _texts(name: str, content: dict[str, Any], key: str) -> tuple[str, ...]:
    found = content.get(key) or []
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(text, str) and text.strip() for text in found):
        raise InputError(f"`{key}` of the rubric {name} is no list of sentences", f"write `{key}:` and `- …` below it")
    return tuple(_evened(text) for text in found)


def _entries(name: str, content: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = content.get(key) or []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InputError(f"`{key}` of the rubric {name} is no list of mappings", "see the page on rubrics for its form")
    return found


def _grade(name: str, entry: dict[str, Any]) -> Grade:
    _no_strangers(name, "scoring", entry, {"grade", "low", "high", "when", "query", "response"})
    low, high = _bounds(name, "scoring", entry)
    label, when = (_text(name, "scoring", entry, key) for key in ("grade", "when"))
    examples = [_text(name, "scoring", entry, key) if key in entry else None for key in ("query", "response")]
    return Grade(_evened(label), low, high, _evened(when), *examples)


def _canary(name: str, entry: dict[str, Any]) -> Canary:
    _no_strangers(name, "canaries", entry, {"low", "high", "query", "response"})
    low, high = _bounds(name, "canaries", entry)
    return Canary(_text(name, "canaries", entry, "query"), _text(name, "canaries", entry, "response"), low, high)


def _no_strangers(name: str, key: str, entry: dict[str, Any], known: set[str]) -> None:
    odd = sorted(str(each) for each in set(entry) - known)
    if odd:
        raise InputError(f"`{key}` of the rubric {name} has the key {odd[0]!r}", f"known: {', '.join(sorted(known))}")


def _bounds(name: str, key: str, entry: dict[str, Any]) -> tuple[int, int]:
    low, high = entry.get("low", 0), entry.get("high", 100)
    if not all(type(bound) is int for bound in (low, high)) or not 0 <= low <= high <= 100:
        raise InputError(
            f"`{key}` of the rubric {name} spans {low!r} to {high!r}", "give whole numbers, 0 ≤ low ≤ high ≤ 100"
        )
    return low, high


def _text(name: str, key: str, entry: dict[str, Any], field: str) -> str:
    value = entry.get(field)
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"an entry of `{key}` of the rubric {name} has no {field}",
            f"add `{field}: …`, quoted if it is yes, no or a number",
        )
    return value.strip("\n")
