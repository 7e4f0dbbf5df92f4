"""The user's own features, from the folder `features/` of the lake.

`*.yaml` holds a list of features, each with `name`, `side` (query or response), an optional `text` and one of `phrase`
(exact text), `regex` (RE2/Rust syntax, `(?i)` for any case), `sql` (a predicate over the columns of `corpus.rows`) or
`neighborhood` (a sentence: the rows with the nearest attributes).
`*.sql` holds one query giving `row_id`; its first line says side and text: `-- query: asks for two parts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from chunky.errors import InputError
from chunky.features import Feature
from chunky.tables import SIDES

_KINDS = ("phrase", "regex", "sql", "neighborhood")


def parse_yaml(path: Path, text: str) -> list[Feature]:
    """Features of one YAML file; InputError naming file, entry and remedy."""
    try:
        entries = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(
            f"{path} is no valid YAML: {error}", "correct it: a list of features, see docs/features.md"
        ) from error
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise InputError(f"{path} holds no list", "write a list of features, each beginning with `- name: …`")
    return [_entry(path, number, entry) for number, entry in enumerate(entries, 1)]


def _entry(path: Path, number: int, entry: Any) -> Feature:
    where = f"{path}, feature {number}"
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise InputError(f"{where} is no mapping of names to text", "quote the values; see docs/features.md")
    unknown = set(entry) - {"name", "side", "text", *_KINDS}
    kinds = [kind for kind in _KINDS if kind in entry]
    if unknown or "name" not in entry or entry.get("side") not in SIDES or len(kinds) != 1:
        raise InputError(
            f"{where}: needs name, side ({' or '.join(SIDES)}) and one of {', '.join(_KINDS)}"
            + (f"; does not know {', '.join(sorted(unknown))}" if unknown else ""),
            "see docs/features.md",
        )
    kind = kinds[0]
    _check_pattern(where, kind, entry[kind])
    text = entry.get("text") or f"matches {entry['name']}"
    return Feature(kind, entry["side"], entry["name"], text, entry[kind], origin="user")


def _check_pattern(where: str, kind: str, pattern: str) -> None:
    if not pattern.strip():
        raise InputError(f"{where}: {kind} is empty", "say what to look for")
    if kind == "regex":
        import polars as pl

        try:
            pl.Series([""]).str.contains(pattern)
        except pl.exceptions.ComputeError as error:
            raise InputError(f"{where}: {error}", "use RE2/Rust syntax: no look-around, no back-references") from error


def parse_sql(path: Path, text: str) -> Feature:
    """The feature of one SQL file; InputError when its first line does not say side and text."""
    first, _, query = text.partition("\n")
    side, separator, meaning = first.removeprefix("--").partition(":")
    if not first.startswith("--") or not separator or side.strip() not in SIDES or not query.strip():
        raise InputError(
            f"{path}: the first line must be `-- query: …` or `-- response: …`, then a query giving row_id",
            "see docs/features.md",
        )
    return Feature("sql", side.strip(), path.stem, meaning.strip(), query.strip().rstrip(";"), origin="user")


def read_folder(folder: Path) -> list[Feature]:
    """All features of a folder, in order of file name; none when it does not exist. InputError names a bad entry."""
    found: list[Feature] = []
    for path in sorted(folder.glob("*")):
        if path.suffix in (".yaml", ".yml"):
            found += parse_yaml(path, _text(path))
        elif path.suffix == ".sql":
            found.append(parse_sql(path, _text(path)))
    _check_unique(found)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}", "save it as UTF-8") from error


def _check_unique(features: Sequence[Feature]) -> None:
    seen: dict[tuple[str, str, str], str] = {}
    for feature in features:
        key = (feature.kind, feature.side, feature.definition)
        if key in seen:
            raise InputError(
                f"features {seen[key]!r} and {feature.name!r} say the same ({feature.kind}, {feature.side})",
                "remove one",
            )
        seen[key] = feature.name
