"""Attributes of a small planted world: complete, ranked, the same for a stored vocabulary and for one new pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chunky import pipeline
from chunky.attributes import Extracted, Fitted, Limits, extract, extract_texts
from chunky.errors import InputError
from chunky.lens import Lens
from chunky.pipeline.steps import minable_phrases
from chunky.planted import Truth, WorldSpec, plant_world, write_world
from chunky.settings import Settings
from chunky.tables import TABLES
from chunky.warehouse import Warehouse

LIMITS = Limits(topics=40, sample_rows=1_000)


class Mix(NamedTuple):
    lake: Warehouse
    truth: Truth
    phrases: pl.DataFrame
    names: dict[int, str]
    found: Extracted


def stream(lake: Warehouse, chunk: str | None = None, rows: int = 700) -> Iterator[pa.Table]:
    for path in lake.files("corpus.rows"):
        for batch in pq.ParquetFile(path).iter_batches(rows, columns=["row_id", "chunk", "query", "response"]):
            table = pa.Table.from_batches([batch])
            yield table if chunk is None else table.set_column(1, "chunk", pa.array([chunk] * len(table)))


def lake_of(spec: WorldSpec, folder: Path) -> tuple[Warehouse, Truth]:
    world, lake = plant_world(spec), Warehouse(folder / "lake")
    assert list(pipeline.ingest(lake, [str(write_world(world, folder).folder)], Settings()))
    for step in ("counts", "phrases"):
        pipeline.STEPS[step](lake, Settings(), pipeline.silent)
    return lake, world.truth


def read(lake: Warehouse, table: str, columns: list[str] | None = None) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(file, columns=columns, hive_partitioning=False) for file in lake.files(table)])


def mix_of(spec: WorldSpec, folder: Path, limits: Limits) -> Mix:
    lake, truth = lake_of(spec, folder)
    with Lens(lake) as lens:
        phrases = minable_phrases(lens, limits.mined_min_rows, limits.word_min_rows)
    names = dict(read(lake, "corpus.rows", ["row_id", "conversation_id"]).iter_rows())
    found = extract(lambda: stream(lake), phrases, mix_rows=len(names), limits=limits)
    return Mix(lake, truth, phrases, names, found)


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Mix:
    spec = WorldSpec(seed=20_261_801, rows=1_200, chunks=4, plants=3, cues=1, tiers=("plain",), prevalence=(0.2, 0.3))
    return mix_of(spec, tmp_path_factory.mktemp("mix"), LIMITS)


def entries(found: Extracted) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(table) for part in found.row_attributes() for table in part.tables])


def test_every_row_has_attributes_on_both_sides_ranked_from_one(mix: Mix) -> None:
    rows = entries(mix.found)
    assert rows.equals(rows.sort("chunk", "row_id", "side", "attribute_rank"))
    sides = rows.group_by("row_id", "side").agg(
        pl.len(), pl.col("attribute_rank").max(), pl.col("attribute_id").n_unique().alias("ids")
    )
    assert sides.height == 2 * len(mix.names)
    assert (sides["len"] == sides["attribute_rank"]).all()
    assert (sides["len"] == sides["ids"]).all()


def test_texts_count_the_rows_of_each_sentence(mix: Mix) -> None:
    counted = entries(mix.found).group_by("attribute_id", "side").len("rows")
    texts = mix.found.texts
    assert texts["attribute_id"].is_unique().all()
    told = texts.select("attribute_id", "side", pl.col("rows").cast(pl.UInt32))
    assert told.sort("attribute_id").equals(counted.select(told.columns).cast(told.schema).sort("attribute_id"))
    assert set(texts["family"]) == {"surface", "register", "repeated", "topic"}
    for side, sentence in texts.select("side", "attribute").iter_rows():
        assert sentence.startswith(f"The {side} ")
        assert sentence.endswith(".")


def test_a_synonym_ranks_behind_its_leader(mix: Mix) -> None:
    texts = mix.found.texts
    pairs = texts.filter(pl.col("same_as").is_not_null()).join(texts, left_on="same_as", right_on="attribute_id")
    assert pairs.height > 10
    assert (pairs["attribute_weight"] <= pairs["attribute_weight_right"]).all()
    assert pairs["same_as_right"].null_count() == pairs.height


def test_one_pair_of_the_mix_gets_the_attributes_of_its_row(mix: Mix) -> None:
    rows = entries(mix.found)
    texts = pl.DataFrame(pa.concat_tables(list(stream(mix.lake))))
    loaded = Fitted.load({name: table.slice(0) for name, table in mix.found.fitted.tables().items()})
    for row_id, _, query, response in texts.gather_every(301).iter_rows():
        wanted = rows.filter(pl.col("row_id") == row_id)["attribute_id"].to_list()
        assert extract_texts(query, response, mix.found.fitted)["attribute_id"].to_list() == wanted
        assert extract_texts(query, response, loaded)["attribute_id"].to_list() == wanted


def test_tables_in_any_order_load_the_same_vocabulary(mix: Mix) -> None:
    tables = mix.found.fitted.tables()
    shuffled = {name: table.take(np.random.default_rng(0).permutation(len(table))) for name, table in tables.items()}
    again = Fitted.load(shuffled).tables()
    for name in tables:
        key = "phrase_id" if name == "words" else "attribute_id"
        assert again[name].sort_by(key).equals(tables[name].sort_by(key))


def test_a_new_pair_gets_attributes_too(mix: Mix) -> None:
    found = extract_texts("Translate this, please.", "No.", mix.found.fitted)
    told = found.filter(pl.col("side") == "query")["attribute"].to_list()
    assert {"The query asks for a translation.", "The query says please."} <= set(told)
    assert set(found["side"]) == {"query", "response"}


def test_weights_do_not_know_where_a_row_comes_from_and_are_the_same_again(mix: Mix) -> None:
    again = extract(
        lambda: stream(mix.lake, chunk="one", rows=251), mix.phrases, mix_rows=len(mix.names), limits=LIMITS
    )
    assert again.texts.equals(mix.found.texts)


def test_another_number_of_rows_is_an_error(mix: Mix) -> None:
    with pytest.raises(InputError, match="not 5"):
        extract(lambda: stream(mix.lake), mix.phrases, mix_rows=5)


def best(mix: Mix, ids: Iterable[str]) -> tuple[float, float]:
    """Purity and cover of the query attribute that tells a trigger best by their product."""
    vocabulary, held = mix.found.fitted.query, mix.found.held[0]
    wanted = set(ids)
    has = np.array([mix.names[row] in wanted for row in mix.found.row_ids.tolist()], np.float32)
    matrix = held.matrix(len(vocabulary))
    both = np.asarray(matrix.T @ has)
    purity, cover = both / np.maximum(vocabulary.rows, 1), both / has.sum()
    place = int((purity * cover).argmax())
    return float(purity[place]), float(cover[place])


def test_one_attribute_tells_each_plain_trigger(mix: Mix) -> None:
    assert len(mix.truth.plants) == 3
    for plant in mix.truth.plants:
        purity, cover = best(mix, plant.trigger_ids)
        assert purity >= 0.9, plant.trigger.text
        assert cover >= 0.8, plant.trigger.text


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20_261_810, 20_261_814))
def test_one_attribute_tells_each_plain_trigger_of_a_large_world(seed: int, tmp_path: Path) -> None:
    world = mix_of(WorldSpec(seed=seed), tmp_path, Limits())
    missed = {
        plant.trigger.text: told
        for plant in world.truth.plants
        if plant.tier == "plain" and not ((told := best(world, plant.trigger_ids))[0] >= 0.9 and told[1] >= 0.8)
    }
    assert not missed


def test_the_step_writes_its_tables_once(mix: Mix) -> None:
    values = Settings.model_validate({"attributes": {"topics": 20, "sample_rows": 500, "word_vectors": "mix"}})
    built = pipeline.STEPS["attributes"](mix.lake, values, pipeline.silent)
    assert built.is_new
    assert set(built.rows) == {name for name in TABLES if name.startswith("attributes.")}
    assert {name for name, rows in built.rows.items() if not rows} == {"attributes.failures"}, "rules never fail"
    assert not pipeline.STEPS["attributes"](mix.lake, values, pipeline.silent).is_new
    with Lens(mix.lake, values) as lens:
        told = lens.table(
            "select count(*) as entries, count(attribute) as named from attributes.row_attributes "
            "left join attributes.texts using (attribute_id)"
        ).to_pylist()
        tables = {name: lens.table(f"select * from attributes.{name}") for name in ("texts", "words", "topics")}
    assert told == [{"entries": built.rows["attributes.row_attributes"]} | {"named": told[0]["entries"]}]
    assert extract_texts("Why?", "So.", Fitted.load(tables)).height > 2
