"""Stages: the order of a build, and fingerprints that cover all the code a stage really runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import chunky
from chunky.files import sql_folder, sql_text
from chunky.fingerprints import sources
from chunky.settings import Settings
from chunky.stages import AUDIT_STAGES, BY_TABLE, STAGES, Stage, stage
from chunky.tables import TABLES

PACKAGE = Path(chunky.__file__).parent
# Modules that no fingerprint needs: names and plumbing. What of them reaches a result is covered elsewhere: the catalog
# by the contract version, settings by their own digest.
PLUMBING = {
    "chunky",
    "chunky.errors",
    "chunky.tables",
    "chunky.settings",
    "chunky.stages",
    "chunky.files",
    "chunky.slugs",
}
ALL = STAGES + AUDIT_STAGES
EVERY = pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)


def test_every_table_is_made_by_exactly_one_stage() -> None:
    made = [name for one in ALL for name in one.tables]
    assert sorted(made) == sorted(name for name, entry in TABLES.items() if not entry.is_view)
    assert set(BY_TABLE) == set(made)


@EVERY
def test_a_stage_reads_only_what_stands_before_it(one: Stage) -> None:
    before = {name for earlier in ALL[: ALL.index(one)] for name in earlier.tables}
    assert set(one.reads) <= before
    assert set(one.sections) <= set(Settings.model_fields)
    assert stage(one.name) is one


def test_an_unknown_stage_is_an_error() -> None:
    with pytest.raises(KeyError):
        stage("nothing")


@EVERY
def test_the_fingerprint_covers_every_module_that_the_stage_loads(one: Stage) -> None:
    """Differential: what a fresh interpreter really loads when it imports the stage's modules."""
    units = [unit for unit in one.code if not unit.startswith("sql/")]
    if not units:
        pytest.skip("a stage of SQL alone")
    script = (
        "import importlib, json, sys\n"
        f"for unit in {units!r}: importlib.import_module(unit)\n"
        "print(json.dumps({n: m.__file__ for n, m in sys.modules.items() if n.startswith('chunky') and m.__file__}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    loaded = {name: Path(file) for name, file in json.loads(done.stdout).items()}
    covered = set(sources(one.code))
    # importing a.b by name also runs a/__init__.py and what that imports; none of it is called
    named = {name for name, file in loaded.items() if (file.parent / "__init__.py") in covered}
    missed = {name for name in named if loaded[name] not in covered} - PLUMBING
    assert missed == set()


def test_a_helper_of_another_package_is_covered() -> None:
    assert PACKAGE / "corpus" / "ids.py" in sources(stage("findings").code)
    assert PACKAGE / "corpus" / "records.py" not in sources(stage("findings").code)


@EVERY
def test_the_fingerprint_covers_the_macros_that_the_stage_calls(one: Stage) -> None:
    covered = sources(one.code)
    texts = [file.read_text(encoding="utf-8") for file in covered if file.suffix == ".sql"]
    for macro in (sql_folder() / "macros").rglob("*.sql"):
        called = any(f"{macro.parent.name}.{macro.stem}(" in text for text in texts)
        assert (macro in covered) == called


def test_pairs_depend_on_the_statistics_macros() -> None:
    found = {file.name for file in sources(stage("pairs").code)}
    assert {"pairs.sql", "wilson_low.sql", "log_odds.sql", "log10_p.sql"} <= found


@EVERY
def test_a_sql_stage_reads_the_tables_that_its_model_names(one: Stage) -> None:
    for name in one.tables:
        if f"sql/{name.replace('.', '/')}" in one.code and len(one.tables) == 1:
            named = {
                table for table in TABLES if re.search(rf"\b{re.escape(table)}\b", _without_comments(sql_text(name)))
            }
            views = {table for table in named if TABLES[table].is_view}
            assert named - views - {name} == set(one.reads) or views


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)
