"""The command line: thin verbs over the pipeline, the lens and Dagster. Nothing is decided here but how it is shown."""

from __future__ import annotations


def main() -> None:
    """Entry point of the command `chunky`."""
    from chunky.cli.app import run

    run()
