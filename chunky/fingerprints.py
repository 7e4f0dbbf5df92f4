"""Fingerprints: the digest of all that a result depends on. Same fingerprint, same bytes, no work.

A fingerprint covers the stage's code (Python sources, SQL, prompts and rubrics, with all that they import or call), the
versions of the engines it uses, the settings sections it reads, the versions of its upstream tables, the contract
version and a seed.
It is also the data version that Dagster shows.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chunky.files import code_files, sql_folder, written_files
from chunky.settings import Settings
from chunky.stages import Stage
from chunky.tables import COLUMNS, CONTRACT_VERSION, TABLES

# What no result depends on (errors, names, plumbing), or what is covered elsewhere: the catalog by the contract
# version, settings by their own digest.
_PLUMBING = {
    "chunky",
    *(f"chunky.{name}" for name in ("errors", "tables", "settings", "sections", "stages", "files", "slugs")),
}
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(chunky[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)|import[ \t]+(chunky[^\n]*))", re.MULTILINE
)
_NAMES = re.compile(r"[\w.]+")
_MACRO_CALL = re.compile(r"\b([a-z_]+)\.([a-z0-9_]+)\s*\(")


@cache
def code_digest(units: tuple[str, ...]) -> str:
    """Hexadecimal digest of `sources(units)`, line endings normalized (16 characters)."""
    digest = hashlib.sha256()
    for file in sources(units):
        content = file.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{file.parent.name}/{file.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def sources(units: tuple[str, ...]) -> list[Path]:
    """Files of `units`, of all modules of the package that they import (with the prompts and rubrics beside them), and
    of all macros that they call; sorted.

    Read from the sources, so that nobody has to list what a stage depends on.
    """
    found: set[Path] = set()
    todo = [file for unit in units for file in code_files(unit)]
    while todo:
        file = todo.pop()
        if file not in found:
            found.add(file)
            if file.suffix == ".sql":
                todo += _macros(file)
            elif file.suffix == ".py":
                todo += _imports(file)
                todo += written_files(file.parent) if file.name == "__init__.py" else ()
    return sorted(found)


@cache
def _imports(file: Path) -> tuple[Path, ...]:
    """Modules of the package that a module imports, wherever in it; by its lines, ten times as fast as by its tree."""
    found: list[Path] = []
    for module, imported, modules in _IMPORT.findall(file.read_text(encoding="utf-8")):
        names = [module, *(f"{module}.{name}" for name in _NAMES.findall(imported))]
        for name in names if module else _NAMES.findall(modules):
            if name.startswith("chunky.") and name not in _PLUMBING:
                path = Path(__file__).parent.joinpath(*name.split(".")[1:])
                found += (f for f in (path / "__init__.py", path.with_suffix(".py")) if f.is_file())
    return tuple(found)


def _macros(file: Path) -> Iterator[Path]:
    for schema, name in _MACRO_CALL.findall(file.read_text(encoding="utf-8")):
        path = sql_folder() / "macros" / schema / f"{name}.sql"
        if path.is_file():
            yield path


def provenance(stage: Stage, settings: Settings, inputs: Mapping[str, str], seed: int = 0) -> dict[str, str]:
    """What the result of `stage` depends on, as flat text: travels in the metadata of every file it writes.

    `inputs` maps upstream table (or file) to its version. The value under `fingerprint` covers all others.
    """
    facts = {
        "contract": contract_digest(stage.tables),
        "stage": stage.name,
        "code": code_digest(stage.code),
        "engines": _engines(stage.engines),
        "settings": json.dumps({name: settings.digest(name) for name in stage.sections}, sort_keys=True),
        "inputs": json.dumps(dict(inputs), sort_keys=True),
        "seed": str(seed),
        "device": "cpu",
        "device_reason": "this stage has no other engine",
    }
    return facts | {"fingerprint": digest_of(facts)}


@cache
def _engines(names: tuple[str, ...]) -> str:
    return json.dumps({name: version(name) for name in names}, sort_keys=True)


@cache
def contract_digest(names: tuple[str, ...]) -> str:
    """Digest of what the catalog says about the columns of these tables: a changed contract makes old results stale."""
    columns = [(name, [(c, COLUMNS[c.rstrip("?")].type) for c in TABLES[name].columns]) for name in names]
    return digest_of([CONTRACT_VERSION, columns])[:16]


def digest_of(facts: Any) -> str:
    """Hexadecimal digest of any JSON value (32 characters)."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
