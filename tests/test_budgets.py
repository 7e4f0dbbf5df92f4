"""Budgets: modules one can read, functions one can hold in the head. An exception needs a reason here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
MODULE_LINES, FUNCTION_LINES, MEDIAN_LINES = 350, 60, 15

# path → why it may be longer than MODULE_LINES
LONG_MODULES = {
    "chunky/tables.py": "the catalog: one line a column, read as a table",
}
# path:function → why it may be longer than FUNCTION_LINES
LONG_FUNCTIONS: dict[str, str] = {}
# path:line's function → why it may catch everything
BROAD_EXCEPTS: dict[str, str] = {}
# folders whose job is to talk to people
MAY_PRINT = ("chunky/cli/", "benchmarks/")


def modules() -> list[Path]:
    found = [
        path
        for folder in ("chunky", "assets", "dagster_project", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
    ]
    return sorted(found)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


class Function(NamedTuple):
    name: str
    lines: int


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_text = (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            )
            described = (first.end_lineno or first.lineno) - first.lineno + 1 if has_text else 0  # words cost nothing
            yield Function(f"{name(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1 - described)


def catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in caught)


@pytest.mark.parametrize("path", modules(), ids=name)
def test_a_module_fits_its_budget(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    if text.strip():
        assert ast.get_docstring(tree), "says what it is for"
    if name(path) not in LONG_MODULES:
        assert len(text.splitlines()) <= MODULE_LINES
    assert [f for f in functions(path) if f.lines > FUNCTION_LINES and f.name not in LONG_FUNCTIONS] == []
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and catches_everything(node):
            assert name(path) in BROAD_EXCEPTS, f"line {node.lineno} catches everything"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            assert name(path).startswith(MAY_PRINT), f"line {node.lineno} prints"


def test_functions_are_short_as_a_rule() -> None:
    assert median(function.lines for path in modules() for function in functions(path)) <= MEDIAN_LINES


def test_no_exception_outlives_its_reason() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert [path for path in LONG_MODULES if lengths.get(path, 0) <= MODULE_LINES] == []
    long = {function.name for path in modules() for function in functions(path) if function.lines > FUNCTION_LINES}
    assert set(LONG_FUNCTIONS) <= long
