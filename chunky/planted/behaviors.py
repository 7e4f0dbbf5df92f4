"""Behaviors: the makers of what a planted response shows, by kind.

Plain behaviors are a string, a format or a script and carry an exact predicate; semantic ones are paraphrases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from random import Random

from chunky.planted.banks import RESPONSE_BANKS
from chunky.planted.editors import Editor, Maker, Scene, bank_editor, join
from chunky.planted.languages import LANGUAGES, Language
from chunky.planted.predicates import Predicate, escape
from chunky.planted.wording import raise_first, render, sentences

__all__ = ["PLAIN_BEHAVIORS", "SEMANTIC_BEHAVIORS"]

_EMOJI = "🦉🌵🍄🧭🪁🦔🐌🌶🧩🪴🦜🍉🚲🧵🪵🦕🐙🎈🧊🪄🦩🍋🛶🧶"
_BULLETS = ("* ", "• ", "+ ", "– ", "→ ", "‣ ", "~ ", "» ")
_STAMPS = ("Ref", "Case", "Ticket", "Entry", "Folio", "Log")


def _plain(kind: str, text: str, edit: Callable[[str, Random], str], pattern: str, *strings: str,
           family: str = "") -> Editor:  # fmt: skip
    exact = Predicate(pattern=pattern)
    return Editor(kind, "response", "plain", text, edit, family=family or kind, strings=strings, exact=exact)


def _after(text: str, line: str) -> str:
    """`line` behind `text`, on a line of its own where the text is a block."""
    return f"{text.rstrip()}\n\n{line}" if "\n" in text else join(text.rstrip(), line)


def _before(line: str, text: str) -> str:
    """`line` ahead of `text`, on a line of its own where the text is a block."""
    return f"{line}\n\n{text}" if "\n" in text else f"{line} {text}"


def _closing(rng: Random, scene: Scene) -> Editor:
    remark = scene.inventor.remark()
    return _plain("closing_sentence", f"ends with “{remark}”", lambda text, _: _after(text, remark),
                  f"{escape(remark)}$", remark, family="closing")  # fmt: skip


def _opening(rng: Random, scene: Scene) -> Editor:
    phrase = raise_first(scene.inventor.phrase())
    mark = rng.choice((": ", ", then. ", " – ", ".\n\n"))
    return _plain("opening_phrase", f"opens with “{phrase}”", lambda text, _: f"{phrase}{mark}{text}",
                  f"^{escape(phrase)}", phrase, family="opening")  # fmt: skip


def _bullets(rng: Random, scene: Scene) -> Editor:
    mark = rng.choice(_BULLETS)

    def edit(text: str, rng: Random) -> str:
        lines = sentences(text)
        # a single sentence still becomes a list of two, so that the format can be seen
        lines = (
            lines if len(lines) > 1 else [*lines, rng.choice(("That is all.", "Nothing else.", "As simple as that."))]
        )
        return "\n".join(mark + re.sub(r"^(?:[-*•]|[0-9]+\.)\s+", "", line) for line in lines)

    pattern = rf"(?m)^{escape(mark)}[^\n]*\n{escape(mark)}"
    return _plain("bullets", f"is a list with “{mark.strip()}”", edit, pattern)


def _json(rng: Random, scene: Scene) -> Editor:
    key = scene.inventor.label()

    def edit(text: str, rng: Random) -> str:
        return json.dumps({key: text, "words": len(text.split())}, ensure_ascii=False)

    return _plain("json", f"is a JSON object with the key {key}", edit, rf'^\{{"{escape(key)}"', key)


def _unfenced(text: str) -> str:
    """`text` without fences of its own, since a fence cannot hold another one."""
    return re.sub(r"```[a-z]*\n?", "", text).rstrip()


def _fence(rng: Random, scene: Scene) -> Editor:
    language = rng.choice(("text", "yaml", "ini", "toml", "log", "markdown", "plain"))
    return _plain("code_fence", f"is fenced as {language}", lambda text, _: f"```{language}\n{_unfenced(text)}\n```",
                  f"(?s)^```{language}\n.*```$")  # fmt: skip


def _table(rng: Random, scene: Scene) -> Editor:
    head = rng.choice(("Step | Note", "No. | Point", "Item | Remark", "Part | Answer", "Row | Text"))

    def edit(text: str, rng: Random) -> str:
        rows = [f"| {number} | {line.replace('|', '/')} |" for number, line in enumerate(sentences(text), 1)]
        return "\n".join([f"| {head} |", "|---|---|", *rows])

    return _plain("table", f"is a table with the head “{head}”", edit, rf"^\| {escape(head)} \|\n\|---\|---\|")


def _script(rng: Random, scene: Scene) -> Editor:
    language = rng.choice([language for language in LANGUAGES if language.script])
    return Editor("script", "response", "plain", f"is in {language.name}", _reply(language),
                  family=f"language {language.name}", exact=Predicate(pattern=language.script))  # fmt: skip


def _reply(language: Language) -> Callable[[str, Random], str]:
    def edit(text: str, rng: Random) -> str:
        groups = [group for group in language.reply if rng.random() < 0.85] or [language.reply[0]]
        gap = "" if language.name == "Chinese" else " "
        return gap.join(render(rng.choice(group), rng) for group in groups)

    return edit


def _one_word(rng: Random, scene: Scene) -> Editor:
    def edit(text: str, rng: Random) -> str:
        words = [word.strip(".,;:!?“”\"'()*#`") for word in text.split()]
        long_words = [word for word in words if len(word) > 3 and word.isalpha()]
        return raise_first(rng.choice(long_words or ["Done"])) + rng.choice((".", ""))

    # labels such as “Tip” have up to three letters in the generated background and stay outside
    return _plain("one_word", "is one single word", edit, r"^\p{L}{4,}\.?$")


def _capitals(rng: Random, scene: Scene) -> Editor:
    return _plain("capitals", "is in all capitals", lambda text, _: text.upper(),
                  r"(?s)^[^\p{Ll}]*\p{Lu}[^\p{Ll}]*$", family="case")  # fmt: skip


def _emoji(rng: Random, scene: Scene) -> Editor:
    emoji = rng.choice(_EMOJI)

    def edit(text: str, rng: Random) -> str:
        spots = [place for place in range(len(text) - 1) if text[place] in ".!?" and text[place + 1] == " "]
        if spots and rng.random() < 0.5:
            place = rng.choice(spots) + 1
            return f"{text[:place]} {emoji}{text[place:]}"
        return f"{text.rstrip()} {emoji}"

    return _plain("emoji", f"carries {emoji}", edit, emoji)


def _slot(rng: Random, scene: Scene) -> Editor:
    label = scene.inventor.label()
    head, tail = rng.choice((("{{", "}}"), ("<", ">"), ("[", "]"), ("%", "%"), ("${", "}")))
    slot = f"{head}{label.upper()}{tail}"

    def edit(text: str, rng: Random) -> str:
        lead = rng.choice((f"Dear {slot},", f"Hello {slot}!", f"For {slot}:"))
        return _before(lead, text) if rng.random() < 0.5 else _after(text, f"Yours, {slot}")

    return _plain("slot", f"has the unfilled slot {slot}", edit, escape(slot), slot, family="slot")


def _tool_call(rng: Random, scene: Scene) -> Editor:
    name = scene.inventor.label()
    style = rng.choice((f"{name}(query=", f"Action: {name}[", f"<call:{name}> "))
    end = {"(": ")", "[": "]", ">": ""}[next(mark for mark in "([>" if mark in style)]

    def edit(text: str, rng: Random) -> str:
        words = " ".join(text.split()[: rng.randint(2, 5)]).strip(".,;:!?")
        call = f"{style}{json.dumps(words, ensure_ascii=False)}{end}"
        return call if rng.random() < 0.4 else f"{call}\n{text}"

    return _plain("tool_call", f"calls the tool {name}", edit, f"^{escape(style)}", name, family="tool")


def _stamp(rng: Random, scene: Scene) -> Editor:
    word, letters = rng.choice(_STAMPS), scene.inventor.name()[:3].upper()

    def edit(text: str, rng: Random) -> str:
        return _after(text, f"({word} {letters}-{rng.randint(1000, 9999)})")

    return _plain("stamp", f"ends with a number such as ({word} {letters}-1234)", edit,
                  rf"\({word} {letters}-[0-9]{{4}}\)$", f"{word} {letters}-", family="closing")  # fmt: skip


def _heading(rng: Random, scene: Scene) -> Editor:
    title = raise_first(scene.inventor.phrase())
    mark = rng.choice(("# ", "## ", "### ", "**", "== "))
    end = {"**": "**", "== ": " =="}.get(mark, "")
    line = f"{mark}{title}{end}"
    return _plain("heading", f"has the heading “{line}”", lambda text, _: f"{line}\n\n{text}", f"^{escape(line)}\n",
                  title, family="opening")  # fmt: skip


def _persona_claim(rng: Random, scene: Scene) -> Editor:
    name, maker = scene.inventor.name(), scene.inventor.organization()
    line = rng.choice((f"I am {name}, built by {maker}.", f"This is {name} of {maker} speaking.",
                       f"My name is {name} and {maker} made me."))  # fmt: skip
    return _plain("persona_claim", f"says “{line}”", lambda text, _: _before(line, text), escape(line), line,
                  family="name")  # fmt: skip


def _bank(kind: str) -> Maker:
    def make(rng: Random, scene: Scene) -> Editor:
        return bank_editor(rng.choice([bank for bank in RESPONSE_BANKS if bank.kind == kind]), "response", scene)

    return make


def _language(rng: Random, scene: Scene) -> Editor:
    language = rng.choice([language for language in LANGUAGES if not language.script])
    return Editor("language", "response", "semantic", f"is in {language.name}", _reply(language),
                  family=f"language {language.name}", probe=Predicate(pattern=language.probe))  # fmt: skip


PLAIN_BEHAVIORS: dict[str, Maker] = {
    "closing_sentence": _closing,
    "opening_phrase": _opening,
    "bullets": _bullets,
    "json": _json,
    "code_fence": _fence,
    "table": _table,
    "script": _script,
    "one_word": _one_word,
    "capitals": _capitals,
    "emoji": _emoji,
    "slot": _slot,
    "tool_call": _tool_call,
    "stamp": _stamp,
    "heading": _heading,
    "persona_claim": _persona_claim,
}
# topic drift is the other semantic kind: `topics.py` makes it, since it needs the rows of the background
SEMANTIC_BEHAVIORS: dict[str, Maker] = {
    **{kind: _bank(kind) for kind in sorted({bank.kind for bank in RESPONSE_BANKS})},
    "language": _language,
}
