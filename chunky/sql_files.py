"""The SQL that travels with the package for people: macros and ready questions, and the pages written from them.

A macro file begins with `-- schema.noun: what it gives` and `-- paper: …`, ends with assertions after `-- tests`. A
question file begins with the question in English, then `-- parameters: none` or one line a parameter:

    -- Which rows hold a phrase?
    -- parameters: phrase = "elucidate" — the exact text looked for
    --   least = 20 — chunks with fewer rows are left out

A default is JSON; parameters reach SQL as session variables, never as text. `python -m chunky.sql_files` writes
`docs/macros.md` and `docs/questions.md`; tests fail when those are stale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from chunky.errors import QueryError
from chunky.files import sql_folder
from chunky.lens import macro_parts

_PARAMETER = re.compile(r"([a-z_][a-z0-9_]*) = (.+?) — (.+)")
_SIGNATURE = re.compile(r"create or replace macro ([a-z_.0-9]+\(.*?\)) as( table)?\b", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """A session variable that a question reads: its name, default and meaning."""

    name: str
    default: Any
    meaning: str


@dataclass(frozen=True)
class Question:
    """A ready question: file name without suffix, the English sentence, remarks, parameters, and its SQL."""

    name: str
    asks: str
    remarks: str
    parameters: tuple[Parameter, ...]
    sql: str

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter with its value: the given one, else the default; QueryError for a name it does not have."""
        known = {parameter.name: parameter.default for parameter in self.parameters}
        for name in given:
            if name not in known:
                have = ", ".join(known) or "none"
                raise QueryError(f"the question {self.name} has no parameter {name!r}", f"it has: {have}")
        return known | dict(given)


@dataclass(frozen=True)
class Macro:
    """A macro: `schema.noun`, its signature, what it gives, where it comes from, its definition and assertions."""

    name: str
    signature: str
    gives: str
    paper: str
    is_table: bool
    definition: str
    tests: str


def macros() -> list[Macro]:
    """All macros in path order; ValueError names a file whose header is not as it must be."""
    return [_macro(path) for path in sorted((sql_folder() / "macros").rglob("*.sql"))]


def _macro(path: Path) -> Macro:
    definition, tests = macro_parts(path)
    name = f"{path.parent.name}.{path.stem}"
    lines = definition.splitlines()
    signature = _SIGNATURE.search(definition)
    if not lines[0].startswith(f"-- {name}: ") or not lines[1].startswith("-- paper: ") or signature is None:
        raise ValueError(f"{path}: the header is not `-- {name}: …` and `-- paper: …` before the macro {name}")
    text = " ".join(signature[1].split()).replace("( ", "(").replace(" )", ")")
    gives, paper = lines[0].removeprefix(f"-- {name}: "), lines[1].removeprefix("-- paper: ")
    return Macro(name, text, gives, paper, bool(signature[2]), definition, tests)


def questions() -> dict[str, Question]:
    """All ready questions by name."""
    paths = sorted((sql_folder() / "questions").glob("*.sql"))
    return {path.stem: _question(path.stem, path.read_text(encoding="utf-8")) for path in paths}


def question(name: str) -> Question:
    """One ready question; QueryError with the nearest names when there is none."""
    known = questions()
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}? " if near else ""
    raise QueryError(f"there is no ready question {name!r}", f"{hint}list them with: chunky questions")


def _question(name: str, text: str) -> Question:
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        header.append(line.removeprefix("--").strip())
    if len(header) < 2 or not header[0].endswith("?") or not header[1].startswith("parameters: "):
        raise ValueError(f"questions/{name}.sql: the header is not a question and `-- parameters: …`")
    declared = [header[1].removeprefix("parameters: "), *header[2:]]
    remarks = [line for line in declared[1:] if not _PARAMETER.fullmatch(line)]
    lines = [line for line in declared if _PARAMETER.fullmatch(line)]
    if not lines and declared[0] != "none":
        raise ValueError(f"questions/{name}.sql: {declared[0]!r} is neither `none` nor `name = default — meaning`")
    return Question(name, header[0], " ".join(remarks), tuple(_parameter(line) for line in lines), text)


def _parameter(line: str) -> Parameter:
    match = _PARAMETER.fullmatch(line)
    assert match is not None
    return Parameter(match[1], json.loads(match[2]), match[3])


# pages -------------------------------------------------------------------------------------------------------------


def macros_page() -> str:
    """`docs/macros.md`: one section a schema, one entry a macro, its assertions as examples."""
    parts = [
        "# Macros\n\nWritten by `python -m chunky.sql_files` from `sql/macros/`; do not edit. The examples are the"
        " assertions at the end\nof each file; they run in the tests. `from` marks a macro that gives rows.\n"
    ]
    schema = ""
    for macro in macros():
        if macro.name.split(".")[0] != schema:
            schema = macro.name.split(".")[0]
            parts.append(f"\n## {schema}\n")
        use = f"from {macro.signature}" if macro.is_table else macro.signature
        parts.append(f"\n### {macro.name}\n\n    {use}\n\n{_sentence(macro.gives)} Paper: {macro.paper}.\n")
        parts.append(f"\n```sql\n{macro.tests.strip()}\n```\n")
    return "".join(parts)


def questions_page() -> str:
    """`docs/questions.md`: the ready questions with their parameters."""
    parts = [
        "# Ready questions\n\nWritten by `python -m chunky.sql_files` from `sql/questions/`; do not edit. Ask one with"
        " `chunky sql --question NAME`,\nchange a parameter with `--param name=value`, read its SQL with"
        " `chunky questions show NAME`.\n"
    ]
    for entry in questions().values():
        parts.append(f"\n## {entry.name}\n\n{entry.asks}\n")
        if entry.remarks:
            parts.append(f"\n{entry.remarks}\n")
        if entry.parameters:
            parts.append("\n| parameter | default | meaning |\n| --- | --- | --- |\n")
            parts += [f"| `{one.name}` | {_code(one.default)} | {_cell(one.meaning)} |\n" for one in entry.parameters]
    return "".join(parts)


def _code(value: Any) -> str:
    return _cell(f"`` {json.dumps(value, ensure_ascii=False)} ``")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def pages() -> dict[Path, str]:
    """The generated pages of a source checkout: path → text."""
    docs = sql_folder().parent / "docs"
    return {docs / "macros.md": macros_page(), docs / "questions.md": questions_page()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
