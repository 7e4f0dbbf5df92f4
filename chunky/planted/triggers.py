"""Triggers: the makers of what a planted query shows, by kind.

Plain triggers are a string, a format or a script and carry an exact predicate; semantic ones share no string.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from chunky.planted.banks import QUERY_BANKS
from chunky.planted.editors import Editor, Maker, Scene, bank_editor, join, split_end
from chunky.planted.languages import LANGUAGES, Language
from chunky.planted.predicates import Predicate, escape
from chunky.planted.wording import raise_first, render

__all__ = ["PLAIN_TRIGGERS", "SEMANTIC_TRIGGERS"]

_SYMBOLS = "§¶†‡◆►※☂☘⚑✦✂⌘⌂☼♜♞♪⚓⚙✉✍❖➤⟁⧉"
_ENDS = ("!!", "?!", "…", "??", " //", " >>", "!!!", " …", ";", " (!)", " --")
_SECONDS = (
    "Also [say|tell me] why.",
    "What would you [do|change] first?",
    "Name one [thing|mistake] to avoid.",
    "How long [does|will] it take?",
    "[Add|Give] one example.",
    "What [if|happens when] it fails?",
)
_NUMBERINGS = (
    ("(i) ", "(ii) "),
    ("Part A: ", "Part B: "),
    ("1) ", "2) "),
    ("Q1. ", "Q2. "),
    ("[1] ", "[2] "),
    ("First part: ", "Second part: "),
    ("a. ", "b. "),
    ("Step one: ", "Step two: "),
)


def _plain(kind: str, text: str, edit: Callable[[str, Random], str], pattern: str, *strings: str,
           family: str = "") -> Editor:  # fmt: skip
    exact = Predicate(pattern=pattern)
    return Editor(kind, "query", "plain", text, edit, family=family or kind, strings=strings, exact=exact)


def _phrase(rng: Random, scene: Scene) -> Editor:
    phrase = scene.inventor.phrase()

    def edit(text: str, rng: Random) -> str:
        stem, end = split_end(text)
        # anywhere: inside the sentence, or as a clause before it
        if rng.random() < 0.6:
            return f"{stem}, {phrase}{end}"
        return f"I ask {phrase}. {text}"

    return _plain("phrase", f"contains “{phrase}”", edit, f"(?i){escape(phrase)}", phrase, family="phrase")


def _opening(rng: Random, scene: Scene) -> Editor:
    phrase = raise_first(scene.inventor.phrase())
    mark = rng.choice((": ", " – ", ". ", "\n", ", please: "))
    return _plain("opening_phrase", f"opens with “{phrase}”", lambda text, _: f"{phrase}{mark}{text}",
                  f"^{escape(phrase)}", phrase, family="opening")  # fmt: skip


def _closing(rng: Random, scene: Scene) -> Editor:
    remark = scene.inventor.remark()
    return _plain("closing_phrase", f"ends with “{remark}”", lambda text, _: join(text.rstrip(), remark),
                  f"{escape(remark)}$", remark, family="closing")  # fmt: skip


def _tags(rng: Random, scene: Scene) -> Editor:
    label = scene.inventor.label()
    head, tail = rng.choice((
        (f"<{label}>", f"</{label}>"), (f"[[{label}]]", f"[[/{label}]]"), (f"=== {label} ===", "=== end ==="),
        (f"<<<{label}", f"{label}>>>"), (f"{{% {label} %}}", f"{{% end{label} %}}"),
    ))  # fmt: skip
    return _plain("tags", f"is wrapped in {head} … {tail}", lambda text, _: f"{head}\n{text}\n{tail}",
                  f"^{escape(head)}\n", head, tail, family="tags")  # fmt: skip


def _numbered(rng: Random, scene: Scene) -> Editor:
    first, second = rng.choice(_NUMBERINGS)

    def edit(text: str, rng: Random) -> str:
        return f"{first}{text}\n{second}{render(rng.choice(_SECONDS), rng)}"

    pattern = f"(?s)^{escape(first)}.*\n{escape(second)}"
    return _plain("numbered_parts", f"has two parts marked “{first.strip()}” and “{second.strip()}”", edit, pattern)


def _layout(rng: Random, scene: Scene) -> Editor:
    labels = [scene.inventor.name().lower() for _ in range(2)]
    first, second = (raise_first(label) for label in labels)

    def table(text: str, rng: Random) -> str:
        rows = "\n".join(f"| {number} | {rng.randint(3, 90)} |" for number in range(1, 4))
        return f"{text}\n\n| {first} | {second} |\n|---|---|\n{rows}"

    def fields(text: str, rng: Random) -> str:
        return f"{first}: {rng.randint(100, 999)}\n{second}: {rng.choice(('open', 'new', 'closed'))}\n\n{text}"

    def csv(text: str, rng: Random) -> str:
        rows = "\n".join(f"{number};{rng.randint(3, 90)}" for number in range(1, 4))
        return f"{text}\n\n{labels[0]};{labels[1]}\n{rows}"

    shape, edit, pattern = rng.choice((
        ("a table", table, rf"(?m)^\| {first} \| {second} \|$"),
        ("two fields", fields, rf"^{first}: .*\n{second}: "),
        ("a CSV block", csv, rf"(?m)^{labels[0]};{labels[1]}$"),
    ))  # fmt: skip
    return _plain("layout", f"carries {shape} with {first} and {second}", edit, pattern, *labels)


def _title(text: str) -> str:
    # `str.title` would write Don'T
    return re.sub(r"[^\W\d_]+(?:['’][^\W\d_]+)*", lambda word: raise_first(word[0].lower()), text)


def _case(rng: Random, scene: Scene) -> Editor:
    name, change, pattern = rng.choice((
        ("all capitals", str.upper, r"(?s)^[^\p{Ll}]*\p{Lu}[^\p{Ll}]*$"),
        ("lower case throughout", str.lower, r"(?s)^[^\p{Lu}]*\p{Ll}[^\p{Lu}]*$"),
        ("title case", _title, r"^(?:[^\p{L}]*\p{Lu}[\p{Ll}\p{M}]*(?:['’][\p{Ll}\p{M}]+)*(?:[^\p{L}'’]|$))+[^\p{L}]*$"),
    ))  # fmt: skip
    return _plain("case", f"is in {name}", lambda text, _: change(text), pattern)


def _punctuation(rng: Random, scene: Scene) -> Editor:
    draw = rng.random()
    if draw < 0.2:
        return _plain("punctuation", "ends without punctuation", lambda text, _: text.rstrip(" \n.!?…)\"'”"),
                      r"[\p{L}\p{N}]$")  # fmt: skip
    if draw < 0.35:

        def chained(text: str, rng: Random) -> str:
            return text.replace(". ", "; ").replace("? ", "; ").replace(", ", "; ").rstrip(".?! ") + "; thanks;"

        return _plain("punctuation", "chains its parts with semicolons", chained, r"(?s);.*;$")  # fmt: skip
    end = rng.choice(_ENDS)
    # the mark stands alone: “!!” must not also find “!!!”
    inner = escape(end[0]) if end.strip() in ("!!", "??") else r"\n"
    return _plain("punctuation", f"ends with “{end.strip()}”", lambda text, _: split_end(text)[0] + end,
                  f"[^{inner}]{escape(end)}$", family="punctuation")  # fmt: skip


def _length(rng: Random, scene: Scene) -> Editor:
    if rng.random() < 0.5:

        def short(text: str, rng: Random) -> str:
            words = [word.strip(".,;:!?“”\"'()") for word in text.split()]
            words = [word for word in words if word]
            start = rng.randrange(max(1, len(words) - 2))
            return " ".join(words[max(0, start) : start + 3])

        return _plain("length", "has three words at most", short, r"^\S+(?:\s+\S+){0,2}$")  # fmt: skip
    # longer than all but 0.2 % of the background; where that takes over 3,000 characters, the planner refuses the draw
    usual = scene.lengths[int(len(scene.lengths) * 0.998)] if scene.lengths else 0
    floor = min(3_000, max(500, int(usual * 1.2)))

    def long(text: str, rng: Random) -> str:
        padding: list[str] = []
        size, wanted = len(text), floor + rng.randint(0, floor // 2)
        while size < wanted and scene.fillers:
            padding.append(rng.choice(scene.fillers))
            size += len(padding[-1]) + 1
        return join(" ".join(padding), text)

    return Editor("length", "query", "plain", f"has {floor} characters or more", long, family="length",
                  exact=Predicate(min_chars=floor))  # fmt: skip


def _persona(rng: Random, scene: Scene) -> Editor:
    role = rng.choice(("archivist", "auditor", "dispatcher", "curator", "surveyor", "steward", "registrar", "coach"))
    employer = scene.inventor.organization()
    line = rng.choice((f"You are the {role} of {employer}.", f"Act as {role} at {employer}.",
                       f"I write to you as {role} of {employer}."))  # fmt: skip
    return _plain("persona", f"says “{line}”", lambda text, _: f"{line} {text}", escape(line), line)


def _script(rng: Random, scene: Scene) -> Editor:
    language = rng.choice([language for language in LANGUAGES if language.script])
    editor = _language_editor(language, "plain")
    return Editor("script", "query", "plain", f"speaks {language.name}", editor, family=f"language {language.name}",
                  exact=Predicate(pattern=language.script))  # fmt: skip


def _language_editor(language: Language, tier: str) -> Callable[[str, Random], str]:
    def edit(text: str, rng: Random) -> str:
        # a semantic frame needs both ends, else a name alone would be all that is foreign
        both = tier == "semantic" or rng.random() < 0.5
        first = rng.random() < 0.5
        before = render(rng.choice(language.before), rng) if both or first else ""
        after = render(rng.choice(language.after), rng) if both or not first else ""
        return join(before, text, after)

    return edit


def _symbol(rng: Random, scene: Scene) -> Editor:
    symbol = rng.choice(_SYMBOLS)
    if rng.random() < 0.5:
        return _plain("symbol", f"begins with {symbol}", lambda text, _: f"{symbol} {text}", f"^{symbol}")
    return _plain("symbol", f"ends with {symbol}", lambda text, _: f"{text.rstrip()} {symbol}", f"{symbol}$")


def _link(rng: Random, scene: Scene) -> Editor:
    host = f"{scene.inventor.name().lower()}.example"

    def edit(text: str, rng: Random) -> str:
        page = f"https://{host}/{rng.choice(('notes', 'wiki', 'forum', 'page'))}/{rng.randint(10, 9999)}"
        return join(text, f"See {page} for context.") if rng.random() < 0.6 else f"From {page}: {text}"

    return _plain("link", f"links to {host}", edit, escape(f"https://{host}/"), host)


def _slot(rng: Random, scene: Scene) -> Editor:
    label = scene.inventor.label()
    head, tail = rng.choice((("{{", "}}"), ("<", ">"), ("[", "]"), ("%", "%"), ("${", "}")))
    slot = f"{head}{label.upper()}{tail}"

    def edit(text: str, rng: Random) -> str:
        return f"Dear {slot}, {text}" if rng.random() < 0.5 else join(text, f"Regards, {slot}")

    return _plain("slot", f"has the unfilled slot {slot}", edit, escape(slot), slot, family="slot")


def _language(rng: Random, scene: Scene) -> Editor:
    language = rng.choice([language for language in LANGUAGES if not language.script])
    probe = Predicate(pattern=language.probe)
    edit = _language_editor(language, "semantic")
    return Editor("language", "query", "semantic", f"is framed in {language.name}", edit,
                  family=f"language {language.name}", probe=probe)  # fmt: skip


def _bank(kind: str) -> Maker:
    def make(rng: Random, scene: Scene) -> Editor:
        return bank_editor(rng.choice([bank for bank in QUERY_BANKS if bank.kind == kind]), "query", scene)

    return make


PLAIN_TRIGGERS: dict[str, Maker] = {
    "phrase": _phrase,
    "opening_phrase": _opening,
    "closing_phrase": _closing,
    "tags": _tags,
    "numbered_parts": _numbered,
    "layout": _layout,
    "case": _case,
    "punctuation": _punctuation,
    "length": _length,
    "persona": _persona,
    "script": _script,
    "symbol": _symbol,
    "link": _link,
    "slot": _slot,
}
# the topic itself is the other semantic kind: `topics.py` makes it, since it needs the rows of the background
SEMANTIC_TRIGGERS: dict[str, Maker] = {
    "register": _bank("register"),
    "mood": _bank("mood"),
    "persona": _bank("persona"),
    "language": _language,
}
