"""Options of every verb, errors, exit codes, help, and the generated page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from chunky.cli import docs
from chunky.cli.app import app

ROOT = Path(__file__).parents[1]
RUNNER = CliRunner()


def invoke(*arguments: str, env: dict[str, str | None] | None = None, text: str | None = None) -> Any:
    return RUNNER.invoke(app, list(arguments), env={"CHUNKY_LAKE": None} | (env or {}), input=text)


def process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from chunky.cli import main; main()", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **options,
    )  # fmt: skip


def commands() -> list[tuple[str, Any]]:
    def walk(name: str, command: Any) -> list[tuple[str, Any]]:
        children = getattr(command, "commands", {})
        return [(name, command)] + [pair for key, child in children.items() for pair in walk(f"{name} {key}", child)]

    return walk("chunky", typer.main.get_command(app))


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_command_and_option_has_help(name: str, command: Any):
    assert command.help
    assert len(command.help) > 20
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert parameter.help, f"{name} {parameter.opts}"


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_command_takes_the_shared_options(name: str, command: Any):
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--lake", "--set", "--json", "--quiet"} <= options


def test_the_page_is_fresh():
    assert docs.PAGE.read_text(encoding="utf-8") == docs.render(), "run: python -m chunky.cli.docs"


def test_shared_options_before_and_after_the_verb(tmp_path: Path):
    flags = ["--set", "keywords.min_rows=9"]
    for arguments in (
        ["--lake", str(tmp_path), "--json", "--set", "keywords.min_rows=9", "settings"],
        ["settings", "--lake", str(tmp_path), "--json", "--set", "keywords.min_rows=9"],
        ["--lake", "/x", "--set", "keywords.min_rows=3", "settings", *flags, "--json", "--lake", str(tmp_path)],
    ):  # fmt: skip
        result = invoke(*arguments)
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert told["lake"] == str(tmp_path)
        chosen = next(entry for entry in told["settings"] if entry["name"] == "keywords.min_rows")
        assert (chosen["value"], chosen["source"]) == (9, "flag")


def test_the_lake_comes_from_the_environment_unless_a_flag_says_otherwise(tmp_path: Path):
    env: dict[str, str | None] = {"CHUNKY_LAKE": str(tmp_path)}
    assert json.loads(invoke("tables", "--json", env=env).stdout)["lake"] == str(tmp_path)
    assert json.loads(invoke("--lake", "other", "tables", "--json", env=env).stdout)["lake"] == "other"
    assert json.loads(invoke("tables", "--json").stdout)["lake"] == "warehouse"


@pytest.mark.parametrize(
    "arguments",
    [
        ["ask"],
        ["profile"],
        ["build"],
        ["vacuum"],
        ["remove", "x", "--yes"],
        ["--set", "nonsense", "ask"],
        ["settings", "--set", "keywords.min_row=1"],
        ["settings", "--set", "keywords.min_rows=no"],
        ["tables", "corpus.row"],
    ],
)
def test_errors_have_a_remedy_and_no_stack_trace(arguments: list[str], tmp_path: Path):
    result = invoke("--lake", str(tmp_path / "none"), *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "\n  → " in result.stderr
    assert "Traceback" not in result.stderr


def test_unknown_verbs_and_options_are_usage_errors():
    assert invoke("asks").exit_code == 2
    assert "ask" in invoke("asks").stderr
    assert invoke("ask", "--nonsense").exit_code == 2
    assert invoke("ask", "--top", "-1").exit_code == 2
    assert invoke().exit_code == 2


def test_version():
    from chunky import __version__

    assert __version__ in invoke("version").stdout
    assert json.loads(invoke("version", "--json").stdout)["chunky"] == __version__


def test_a_process_prints_help_without_heavy_imports():
    code = (
        "import sys; sys.argv = ['chunky', '--help']\n"
        "from chunky.cli import main\n"
        "try:\n  main()\nexcept SystemExit: pass\n"
        "heavy = {'duckdb', 'polars', 'pyarrow', 'numpy', 'pandas', 'dagster', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "chunky demo" in done.stdout


def test_a_process_tells_errors_by_exit_code(tmp_path: Path):
    done = process("--lake", str(tmp_path / "none"), "ask")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_terminal_that_knows_only_ascii_gets_spelled_characters():
    done = process("tables", env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0, done.stderr


def test_a_closed_pipe_is_quiet():
    writer = [sys.executable, "-c", "from chunky.cli import main; main()", "tables", "--json"]
    with subprocess.Popen(writer, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
    assert said == b""
    assert running.returncode == 141


def test_an_interrupt_is_told_in_one_line(tmp_path: Path):
    code = (
        "import chunky.cli.show as show, os, signal\n"
        "from chunky.cli.app import make\n"
        "def stop(*_): os.kill(os.getpid(), signal.SIGINT)\n"
        "show._list = stop\n"
        "make()(['tables'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 128 + signal.SIGINT
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr
