"""Worlds on disk: the same rows in each layout, the same bytes each time, the truth read back whole."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from chunky.errors import InputError
from chunky.planted import WorldSpec, permute_responses, plant_world, read_truth, without_plant, write_world

WORLD = plant_world(WorldSpec(seed=41, rows=900, chunks=4, plants=4))


def exchange(line: dict[str, object]) -> tuple[object, ...]:
    messages = line["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["user", "assistant"]
    return line["id"], line["source"], messages[0]["content"], messages[1]["content"]


def test_both_layouts_hold_the_same_rows(tmp_path: Path) -> None:
    wanted = sorted(WORLD.rows.select("id", "source", "query", "response").rows())
    parquet = write_world(WORLD, tmp_path / "a")
    assert len(parquet.mix) == 4
    rows = pl.concat([pl.read_parquet(path) for path in parquet.mix])
    assert rows.columns == ["id", "messages", "source"]
    assert sorted(exchange(line) for line in rows.iter_rows(named=True)) == wanted
    for path in parquet.mix:
        assert pl.read_parquet(path)["source"].n_unique() == 1
    jsonl = write_world(WORLD, tmp_path / "b", form="jsonl")
    lines = [json.loads(line) for line in jsonl.mix[0].read_text(encoding="utf-8").splitlines()]
    assert sorted(exchange(line) for line in lines) == wanted


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_the_same_world_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    first = write_world(WORLD, tmp_path / "a", form)
    second = write_world(plant_world(WORLD.truth.spec), tmp_path / "b", form)
    for one, other in zip((*first.mix, first.truth), (*second.mix, second.truth), strict=True):
        assert one.name == other.name
        assert one.read_bytes() == other.read_bytes()


def test_the_truth_is_read_back_whole(tmp_path: Path) -> None:
    for name, world in (
        ("all", WORLD),
        ("less", without_plant(WORLD, "plant_02")),
        ("null", permute_responses(WORLD, 1)),
    ):
        files = write_world(world, tmp_path / name)
        assert files.truth.parent == tmp_path / name
        assert files.truth not in files.folder.iterdir()
        assert read_truth(files.truth) == world.truth


def test_chunk_names_are_escaped(tmp_path: Path) -> None:
    frame = WORLD.rows.with_columns(source=pl.lit("../odd/ｎame|x"))
    world = plant_world(WorldSpec(seed=1, rows=900, chunks=4, plants=1, cues=0), frame)
    files = write_world(world, tmp_path / "w")
    assert [path.parent for path in files.mix] == [files.folder]
    assert pl.read_parquet(files.mix[0])["source"].unique().to_list() == ["../odd/ｎame|x"]


def test_misuse_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="written as 'csv'"):
        write_world(WORLD, tmp_path, "csv")
    write_world(WORLD, tmp_path)
    with pytest.raises(InputError, match="not empty"):
        write_world(WORLD, tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_truth(tmp_path / "nothing.json")
    (tmp_path / "bad.json").write_text('{"spec": 1}')
    with pytest.raises(InputError, match="not the truth"):
        read_truth(tmp_path / "bad.json")
