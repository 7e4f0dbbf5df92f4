"""Rubrics: what an audit looks for. Seven travel with the package, each a YAML file in this folder.

`rubric` finds one by name, by file, or takes a sentence as one.

rubric    the file format
signals   what the `rules` judge looks at
checking  whether the `rules` judge gives the known answers, and what a rubric lacks
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from chunky.errors import InputError, SettingsError
from chunky.rubrics.checking import SKELETON, Case, Checked, check
from chunky.rubrics.rubric import Canary, Grade, Rubric, of_source, parse_text, parse_yaml
from chunky.rubrics.signals import Condition, Signal, grade

__all__ = [
    "SKELETON",
    "Canary",
    "Case",
    "Checked",
    "Condition",
    "Grade",
    "Rubric",
    "Signal",
    "check",
    "files",
    "folders_of",
    "grade",
    "is_name",
    "is_packaged",
    "names",
    "of_source",
    "parse_text",
    "parse_yaml",
    "read_file",
    "rubric",
]

_FOLDER = Path(__file__).parent
_SUFFIXES = (".yaml", ".yml")
_NAME = re.compile(r"\w[\w-]*")


def folders_of(lake: Path) -> tuple[Path, ...]:
    """The folders of the user's rubrics that a lake has: `rubrics`, or none."""
    return (lake / "rubrics",) if (lake / "rubrics").is_dir() else ()


def files(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Name → file of the rubrics of the user's folders and of the package, by name; the first of a name is meant."""
    found: dict[str, Path] = {}
    for folder in (*folders, _FOLDER):
        for suffix in _SUFFIXES:
            for path in sorted(folder.glob(f"*{suffix}")):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def names(folders: Sequence[Path] = ()) -> list[str]:
    """Names of the rubrics of the package and of the user's folders, sorted."""
    return list(files(folders))


def is_packaged(path: Path) -> bool:
    """Whether a file of `files` travels with the package."""
    return path.parent == _FOLDER


def is_name(text: str) -> bool:
    """Whether a rubric can be found by this name: letters, digits, `_` and `-`."""
    return _NAME.fullmatch(text) is not None


def rubric(spec: str | Path, folders: Sequence[Path] = ()) -> Rubric:
    """The rubric that is meant: a name (`rebuttal`), a file (`mine.yaml`, `notes.txt`), or a sentence of free text.

    A name in one of `folders` goes before the package's own. A text without white space is a name or a file, never a
    principle: a misspelled name must not become a rubric.

    Raises:
        SettingsError: a name that there is not; the remedy offers those spelled alike.
        InputError: a file that is not there or cannot be read as a rubric; an empty text.

    """
    text = str(spec)
    if is_name(text) and (known := files(folders).get(text)):
        return read_file(known)
    if isinstance(spec, Path) or _is_file(text):
        return read_file(Path(spec))
    if len(text.split()) > 1 or not text.strip():
        return parse_text(f"text_{sha256(text.strip().encode('utf-8', 'surrogatepass')).hexdigest()[:8]}", text)
    if text.endswith((*_SUFFIXES, ".txt", ".md")) or "/" in text or "\\" in text:
        raise InputError(f"there is no rubric file {text}", "check the path, or name a rubric of the package")
    there = names(folders)
    near = get_close_matches(text, there, n=3, cutoff=0.5)
    remedy = f"perhaps you meant {' or '.join(near)}" if near else f"known: {', '.join(there)}; or write a sentence"
    raise SettingsError(f"there is no rubric {text!r}", remedy)


def read_file(path: Path) -> Rubric:
    """The rubric of a file, named like it: YAML by its suffix, else the whole text is the principle.

    InputError when the file is missing, is not UTF-8, or is no rubric.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as bad:
        raise InputError(f"the rubric file {path} cannot be read: {bad}", "give the path of a text file") from bad
    return (parse_yaml if path.suffix.lower() in _SUFFIXES else parse_text)(path.stem, text)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False  # a sentence may be too long for a path, or hold a null byte
