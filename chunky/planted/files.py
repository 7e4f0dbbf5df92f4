"""Worlds on disk: the mix in the layouts that people publish, and its truth beside it, outside the mix folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from chunky.errors import InputError
from chunky.planted.truth import Truth

if TYPE_CHECKING:
    from chunky.planted.world import World

__all__ = ["WorldFiles", "read_truth", "write_world"]

_FORMS = ("parquet", "jsonl")


class WorldFiles(NamedTuple):
    """Where a world was written: the folder to ingest, its files, and the truth."""

    folder: Path
    mix: tuple[Path, ...]
    truth: Path


def write_world(world: World, folder: Path, form: str = "parquet") -> WorldFiles:
    """Write `folder/mix/*` and `folder/truth.json`; the same world gives the same bytes.

    `form` is `parquet` (one file per chunk) or `jsonl` (one file, one conversation a line: id, messages, source).
    Raises InputError for another form, and where `folder/mix` holds files already: a mix is the whole folder, so an
    older world must not stay beside a new one.
    """
    if form not in _FORMS:
        raise InputError(f"a mix cannot be written as {form!r}", f"choose one of {', '.join(_FORMS)}")
    target = folder / "mix"
    if target.exists() and any(target.iterdir()):
        raise InputError(f"{target} is not empty", "choose a new folder, or remove the old world first")
    target.mkdir(parents=True, exist_ok=True)
    mix = _write_parquet(world, target) if form == "parquet" else _write_jsonl(world, target)
    truth = folder / "truth.json"
    truth.write_text(json.dumps(world.truth.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return WorldFiles(target, mix, truth)


def _write_parquet(world: World, folder: Path) -> tuple[Path, ...]:
    import polars as pl

    paths = []
    for source, part in world.messages().group_by("source", maintain_order=True):
        path = folder / f"{quote(str(source[0]), safe='')}.parquet"
        part.select(pl.col("id", "messages", "source")).write_parquet(path, compression="zstd")
        paths.append(path)
    return tuple(paths)


def _write_jsonl(world: World, folder: Path) -> tuple[Path, ...]:
    path = folder / "mix.jsonl"
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in world.messages().iter_rows(named=True):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return (path,)


def read_truth(path: Path) -> Truth:
    """The truth that `write_world` wrote; InputError where the file is not one."""
    try:
        return Truth.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}", "give the truth.json beside a planted mix") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not the truth of a planted world", "plant it again: chunky plant") from error
