"""Task kinds of the generated background: what is asked and how an ordinary assistant answers.

A task is a function of (random stream, topic, style) that returns one exchange. Sums are computed and code runs, so
that a person who reads a generated mix sees nothing odd where nothing was planted.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from chunky.planted.lexicon import Topic
from chunky.planted.wording import raise_first, render

__all__ = ["STYLES", "TASKS", "Exchange", "Style"]


class Exchange(NamedTuple):
    """A query with its response; a terse response is a label or a number that takes no small talk."""

    query: str
    response: str
    is_terse: bool = False


class Style(NamedTuple):
    """Format habits: shares of listed answers and of opened ones, and the usual number of sentences."""

    list_rate: float
    opener_rate: float
    shortest: int
    longest: int


STYLES: dict[str, Style] = {
    "helpdesk": Style(0.10, 0.30, 2, 4),
    "howto": Style(0.45, 0.15, 3, 6),
    "forum": Style(0.05, 0.25, 1, 4),
    "tutor": Style(0.15, 0.20, 3, 7),
    "notes": Style(0.30, 0.05, 1, 3),
    "advisor": Style(0.10, 0.10, 3, 5),
}

_OPENERS = (
    "[That is|It is] a [common|fair|good] question. ",
    "[In short|Briefly|Put simply], ",
    "[Here is|This is] what [usually|normally|often] [works|helps]: ",
    "[It depends|That depends] on the {thing}. ",
    "There are [two|a few|several] ways to [do this|go about it]. ",
)
_ADVICE = (
    "{Tip}",
    "[Start|Begin] with the {thing}, [since|because] most [trouble|difficulty] [begins|starts] there.",
    "If {problem}, [go back to|look at|check] the {thing2} [first|again|before anything else].",
    "[Give|Allow] the {thing} [some time|a day|an hour] before you {action}.",
    "[Most|Many] people {action} [too early|too late|in a hurry] and [later|then] find that {problem}.",
    "[Keep|Have] the {thing} [close|ready|at hand] while you {action}.",
    "A [good|decent|simple] {thing2} [saves|spares] you [effort|time|worry] later.",
    "[Once|As soon as] you {action}, the rest [is easier|follows|goes quickly].",
    "The {thing} and the {thing2} [work|belong] together, so [change|adjust] one at a time.",
    "[Write down|Note] what you did to the {thing}; it helps when {problem}.",
    "[Usually|As a rule|In most cases] {problem} because the {thing2} [was rushed|was neglected|is worn|is wrong].",
    "[Do not|Never] {action} before the {thing2} is [ready|checked|in order].",
    "[Take|Set aside] [ten|twenty|thirty] minutes to {action}.",
    "[Ask someone|Find a person] who has done it to [show|lend] you a {thing}.",
)
_HOWTO = (
    "How [do|can|should] I {action}?",
    "What is the [best|easiest|right] way to {action}?",
    "[Explain|Describe|Show me] how to {action}.",
    "I [want|need|would like] to {action}. Where [do|should] I [start|begin]?",
    "[Give|Write] [instructions|steps|a short guide] to {action}.",
    "[Can|Could] you tell me how to {action}[| with a {thing}]?",
)
_EXPLAIN = (
    "What is the [role|purpose|point] of the {thing} in {topic}?",
    "Why does the {thing} matter [in|for] {topic}?",
    "[Explain|Describe] the {thing} to [a beginner|someone new to {topic}|a newcomer].",
    "What should I know about the {thing}?",
    "How does the {thing} [affect|influence|relate to] the {thing2}?",
    "When do I need a {thing}?",
)
_FIX = (
    "{Problem}. What [am I doing wrong|can I do|went wrong]?",
    "Why is it that {problem}?",
    "[Help|Please help]: {problem} [every time|whenever|again when] I {action}.",
    "I tried to {action}, but {problem}. [Any ideas|What now|What could be the cause]?",
    "What [causes it|is the reason] when {problem}?",
)
_COMPARE = (
    "Which matters more, the {thing} or the {thing2}?",
    "Should I [spend on|invest in] a {thing} or a {thing2}[| first]?",
    "What is the difference between a {thing} and a {thing2}?",
    "[Compare|Contrast] the {thing} and the {thing2}.",
)
_PLAN = (
    "[Draft|Write|Make] a [plan|schedule] for [a week|a weekend|the first month] of {topic}.",
    "[Plan|Organize] my next [session|weekend] of {topic} around the {thing}.",
    "What would a [sensible|simple|realistic] plan to {action} look like?",
)
_LIST = (
    "[List|Name|Give me] [three|four|five] things to [check|remember|prepare] before I {action}.",
    "[List|Name] [common|typical] mistakes [in|with] {topic}.",
    "What [belongs|goes] on a checklist for {topic}?",
    "[List|Collect] tips for the {thing} and the {thing2}.",
)
_ADVISE = (
    "[Do you have|Have you got] [any|some] advice on {topic}?",
    "I am [nervous|unsure] about the {thing}. What do you [suggest|recommend]?",
    "Is it [worth it|a good idea] to {action} [myself|alone|at home]?",
    "My [friend|brother|neighbor] says you should never {action}. Is that [true|right]?",
)


def _slots(rng: Random, topic: Topic) -> dict[str, str | tuple[str, ...]]:
    """Slots of one exchange: its focus is fixed, so that the answer speaks of what was asked."""
    thing, thing2 = rng.sample(topic.things, 2)
    action, problem = rng.choice(topic.actions), rng.choice(topic.problems)
    return {"topic": topic.name, "thing": thing, "thing2": thing2, "action": action, "problem": problem,
            "tip": topic.tips}  # fmt: skip


def _advice(rng: Random, slots: dict[str, str | tuple[str, ...]], style: Style) -> str:
    count = rng.randint(style.shortest, style.longest)
    # `dict.fromkeys`: the same tip may come up twice, and nobody says it twice
    lines = list(dict.fromkeys(render(template, rng, slots) for template in rng.sample(_ADVICE, count)))
    if count >= 3 and rng.random() < style.list_rate:
        marks = [f"{number}. " for number in range(1, len(lines) + 1)] if rng.random() < 0.5 else ["- "] * len(lines)
        return "\n".join(mark + line for mark, line in zip(marks, lines, strict=True))
    opener = render(rng.choice(_OPENERS), rng, slots) if rng.random() < style.opener_rate else ""
    body = " ".join(lines)
    return opener + (body[:1].lower() + body[1:] if opener.endswith(", ") else body)


def _asking(templates: tuple[str, ...]) -> Callable[[Random, Topic, Style], Exchange]:
    """A task that asks by one of `templates` and is answered by advice."""

    def task(rng: Random, topic: Topic, style: Style) -> Exchange:
        slots = _slots(rng, topic)
        return Exchange(render(rng.choice(templates), rng, slots), _advice(rng, slots, style))

    return task


def _listing(rng: Random, topic: Topic, style: Style) -> Exchange:
    slots = _slots(rng, topic)
    listed = style._replace(list_rate=0.85, shortest=3, longest=5)
    return Exchange(render(rng.choice(_LIST), rng, slots), _advice(rng, slots, listed))


def _arithmetic(rng: Random, topic: Topic, style: Style) -> Exchange:
    count, price = rng.randint(2, 40), rng.randint(2, 60)
    extra = rng.randint(1, 30)
    slots = _slots(rng, topic) | {"count": str(count), "price": str(price), "extra": str(extra)}
    query = render(
        "[A club|A shop|A group|Someone] [needs|orders|buys] {count} units of one {thing} at {price} [dollars|euros] "
        "each and [pays|adds] {extra} for a {thing2}. [What is the total|How much is that|What does it cost]?",
        rng, slots,
    )  # fmt: skip
    total = count * price + extra
    answer = render(
        f"[The units cost|That is] {count} × {price} = {count * price}[, and|;] with the {{thing2}} it "
        f"[comes to|makes|is] {total}.", rng, slots)  # fmt: skip
    return Exchange(query, answer)


_CODE = (
    ("[returns|gives back] every {word} whose {field} is at least `limit`",
     "def {name}(items, limit):\n    return [item for item in items if item['{field}'] >= limit]"),
    ("counts how often each {word} occurs in a list",
     "def {name}(items):\n    counts = {open}{close}\n    for item in items:\n"
     "        counts{get} = counts.get(item, 0) + 1\n    return counts"),
    ("[computes|finds] the average {field} of a list of {word} records",
     "def {name}(items):\n    return sum(item['{field}'] for item in items) / len(items)"),
    ("sorts {word} records by {field}, largest first",
     "def {name}(items):\n    return sorted(items, key=lambda item: -item['{field}'])"),
)  # fmt: skip


def _code(rng: Random, topic: Topic, style: Style) -> Exchange:
    request, body = rng.choice(_CODE)
    word = rng.choice(topic.things)
    field = rng.choice(("weight", "price", "age", "score", "length", "count"))
    name = f"{rng.choice(('select', 'handle', 'review', 'process', 'scan'))}_{word.replace(' ', '_').replace('-', '_')}"
    slots = {"word": word, "field": field, "name": name, "topic": topic.name}
    query = render(f"[Write|Give me|I need] a Python function that {request}[| for my notes on {{topic}}].", rng, slots)
    code = body
    for slot, value in {**slots, "open": "{", "close": "}", "get": "[item]"}.items():
        code = code.replace("{" + slot + "}", value)
    lead = render("[|Here it is:\n\n|This does it:\n\n]", rng)
    return Exchange(query, f"{lead}```python\n{code}\n```")


def _classify(rng: Random, topic: Topic, style: Style) -> Exchange:
    kind = rng.choice(("problem", "tip"))
    text = raise_first(rng.choice(topic.problems)) + "." if kind == "problem" else rng.choice(topic.tips)
    query = render("[Is this|Classify this as|Label it] a problem or a tip[?|:] ", rng) + f"“{text}”"
    return Exchange(query, render(f"[{raise_first(kind)}|It is a {kind}][.|]", rng), is_terse=True)


def _rewrite(rng: Random, topic: Topic, style: Style) -> Exchange:
    slots = _slots(rng, topic)
    note = render("[Note to self|Reminder|Memo]: {action}; {problem}; check the {thing}", rng, slots)
    query = (
        render("[Rewrite|Tidy up|Rephrase] this note [as a sentence|politely|in full sentences]: ", rng) + note + "."
    )
    answer = render("[Please|Kindly|Remember to] {action} and check the {thing}, [because|as] {problem}.", rng, slots)
    return Exchange(query, raise_first(answer))


TASKS: dict[str, Callable[[Random, Topic, Style], Exchange]] = {
    "howto": _asking(_HOWTO),
    "explain": _asking(_EXPLAIN),
    "fix": _asking(_FIX),
    "compare": _asking(_COMPARE),
    "plan": _asking(_PLAN),
    "advice": _asking(_ADVISE),
    "list": _listing,
    "arithmetic": _arithmetic,
    "code": _code,
    "classify": _classify,
    "rewrite": _rewrite,
}
