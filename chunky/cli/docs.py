"""`python -m chunky.cli.docs`: docs/cli.md, written from the help texts; a test fails when the file is stale."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from chunky.cli.app import app
from chunky.cli.session import shared_parameters

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_HEAD = """# Command line

Written by `python -m chunky.cli.docs` from the help texts; do not edit.

Exit codes: 0 done; 1 an error, told as problem and remedy (`doctor`: something is wrong; `diff`: differences);
2 wrong usage; 130 interrupted; 141 the reader of the output went away.

"""


def render() -> str:
    """The whole page as Markdown."""
    root = typer.main.get_command(app)
    parts = [_HEAD, "## Options of every verb\n\nBefore or after the verb.\n\n", _options(root, shared_parameters())]
    parts += [_command(f"chunky {name}", command, "##") for name, command in _children(root)]
    return "".join(parts).rstrip() + "\n"


def _children(command: Any) -> list[tuple[str, Any]]:
    return [(name, child) for name, child in getattr(command, "commands", {}).items() if not child.hidden]


def _command(name: str, command: Any, level: str) -> str:
    shared = {option for parameter in shared_parameters() for option in parameter.opts}
    own = [parameter for parameter in command.params if not shared & set(parameter.opts)]
    arguments = [parameter for parameter in own if parameter.param_type_name == "argument"]
    pieces = [piece for parameter in arguments for piece in parameter.get_usage_pieces(command.context_class(command))]
    usage = " ".join([name, *pieces])
    text = f"\n{level} {name}\n\n    {usage}\n\n{(command.help or '').strip()}\n\n{_options(command, own)}"
    return text + "".join(_command(f"{name} {child}", inner, level + "#") for child, inner in _children(command))


def _options(command: Any, parameters: Sequence[Any]) -> str:
    records = [parameter.get_help_record(command.context_class(command)) for parameter in parameters]
    return "".join(f"- `{record[0]}`: {' '.join(record[1].split())}\n" for record in records if record is not None)


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(render(), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE}\n")


if __name__ == "__main__":
    main()
