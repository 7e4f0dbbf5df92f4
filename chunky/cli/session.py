"""What every verb shares: which lake, which settings, how to print. Options that may stand before or after the verb."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chunky.cli.output import Printer
from chunky.errors import LakeError, SettingsError

if TYPE_CHECKING:
    from chunky.settings import Loaded, Settings
    from chunky.warehouse import Warehouse

DEFAULT_LAKE = "warehouse"
PANEL = "Options of every verb"


@dataclass
class Session:
    """The shared options of one call. Verbs get it from `session_of(ctx)`."""

    lake_flag: Path | None = None
    flags: dict[str, str] = field(default_factory=dict)
    is_json: bool = False
    is_quiet: bool = False

    @property
    def lake(self) -> Path:
        """The lake's folder: --lake, else CHUNKY_LAKE, else `warehouse`. It may not exist yet."""
        return self.lake_flag or Path(os.environ.get("CHUNKY_LAKE") or DEFAULT_LAKE)

    @property
    def printer(self) -> Printer:
        """Where results and messages go."""
        return Printer(is_json=self.is_json)

    def loaded(self) -> Loaded:
        """Settings in force with their origins; SettingsError names source and remedy."""
        from chunky import settings

        return settings.load(self.lake, os.environ, self.flags)

    @property
    def settings(self) -> Settings:
        """Settings in force."""
        return self.loaded().settings

    def warehouse(self, must_exist: bool = True) -> Warehouse:
        """The lake; LakeError when it must exist and does not."""
        from chunky.warehouse import Warehouse

        if must_exist and not (self.lake / "corpus").is_dir():
            what = "is no lake" if self.lake.is_dir() else "does not exist"
            raise LakeError(
                f"the folder {self.lake} {what}",
                "make one with: chunky ingest PATH…, or name another with --lake DIR or CHUNKY_LAKE",
            )
        return Warehouse(self.lake, lock_seconds=self.settings.engine.lock_seconds)


def session_of(context: typer.Context) -> Session:
    """The session of a call, made on first use."""
    root = context.find_root()
    if not isinstance(root.obj, Session):
        root.obj = Session()
    return root.obj


def _shared(
    lake: Annotated[
        Path | None,
        typer.Option(
            "--lake",
            metavar="DIR",
            help="The lake's folder (else CHUNKY_LAKE, else warehouse).",
            rich_help_panel=PANEL,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting, e.g. keywords.min_rows=10; repeatable.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Results as JSON on stdout, everything else on stderr.", rich_help_panel=PANEL),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.", rich_help_panel=PANEL)] = False,
) -> None:
    """Carry the declarations of the shared options; never called."""


def _store(context: Any, parameter: Any, value: Any) -> Any:
    """Put a shared option's value into the session; a value given after the verb wins over one before it."""
    session = session_of(context)
    if parameter.name == "lake" and value is not None:
        session.lake_flag = Path(value)
    elif parameter.name == "json" and value:
        session.is_json = True
    elif parameter.name == "quiet" and value:
        session.is_quiet = True
    elif parameter.name == "set_":
        session.flags |= dict(_assignment(text) for text in value or ())
    return value


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise SettingsError(f"--set {text!r} names no value", "write --set section.key=value; see: chunky settings")
    return name.strip(), value.strip()


@cache
def shared_parameters() -> tuple[Any, ...]:
    """The shared options as command parameters whose values go to the session, not to the verb."""
    carrier = typer.Typer(add_completion=False)
    carrier.command()(_shared)
    parameters = [parameter for parameter in typer.main.get_command(carrier).params if parameter.name != "help"]
    for parameter in parameters:
        parameter.expose_value = False
        parameter.callback = _store
    return tuple(parameters)


def share(command: Any) -> None:
    """Give `command` and its subcommands the shared options, unless a command defines one of the names itself."""
    taken = {option for parameter in command.params for option in parameter.opts}
    command.params += [parameter for parameter in shared_parameters() if not taken & set(parameter.opts)]
    for child in getattr(command, "commands", {}).values():
        share(child)
