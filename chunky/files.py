"""Where the files that travel with the package lie: SQL models, macros, questions, prompts, rubrics.

In a source checkout `sql/` is a top-level folder; in a wheel it is packed as `chunky/sql`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from chunky.errors import PrerequisiteError

_PACKAGE = Path(__file__).parent


@cache
def sql_folder() -> Path:
    """Folder of the SQL files; PrerequisiteError when the installation lacks it."""
    for folder in (_PACKAGE / "sql", _PACKAGE.parent / "sql"):
        if (folder / "macros").is_dir():
            return folder
    raise PrerequisiteError("the SQL files of chunky are not installed", "reinstall the package: pip install chunky")


def sql_text(name: str) -> str:
    """Text of the SQL model of table `name`, e.g. `keywords.phrases` → `sql/keywords/phrases.sql`."""
    return (sql_folder() / name.replace(".", "/")).with_suffix(".sql").read_text(encoding="utf-8")


_WRITTEN = ("*.md", "*.yaml")  # prompts and rubrics: what a model is told decides what it says, as code does


def written_files(package: Path) -> list[Path]:
    """Prompts and rubrics that lie in the folder of a package, sorted."""
    return sorted(file for pattern in _WRITTEN for file in package.glob(pattern))


def code_files(unit: str) -> list[Path]:
    """Files of one unit of code: a module or package (`chunky.keywords`), its prompts and rubrics included, or a SQL
    folder or file (`sql/keywords`, `sql/keywords/phrases`).

    PrerequisiteError when there are none: a fingerprint over nothing would never change.
    """
    if unit.startswith("sql/"):
        path = sql_folder() / unit[4:]
        files = sorted(path.rglob("*.sql")) if path.is_dir() else [path.with_suffix(".sql")]
    else:
        path = _PACKAGE.joinpath(*unit.split(".")[1:])
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        files += [file for code in files if code.name == "__init__.py" for file in written_files(code.parent)]
    if not files or not files[0].is_file():
        raise PrerequisiteError(f"the installation has no code for {unit}", "reinstall the package: pip install chunky")
    return files
