"""Opening and closing sentences of a mix: who has which, their vectors, and traces by them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from chunky import pipeline
from chunky.attributes.sentences import sentences_of
from chunky.errors import LakeError, MissingTable
from chunky.lance_tables import LanceTable
from chunky.lens import Lens
from chunky.pipeline.sentence_steps import WORDS, fitted_of
from chunky.pipeline.trace_sentences import KINDS
from chunky.pipeline.tracing import Tracer, Traces
from chunky.pipeline.vectors import IDENTITY
from chunky.rubrics import rubric
from chunky.settings import Settings
from chunky.tables import CRUX_KINDS
from chunky.turf import Failure
from chunky.warehouse import Warehouse
from tests import traced_lake
from tests import turf_reference as reference
from tests.test_pipeline import content

FLOOR = 0.6
LIMITS = {
    "cruxes": 1_000, "sentence_similarity": FLOOR, "max_null_share": 1.0, "min_score": 0.0, "k": 30, "min_hits": 3,
}  # fmt: skip
SETTINGS = Settings.model_validate({"embeddings": {"embedder": "hashing"}, "turf": LIMITS})
REGRETS = ("regret", "deplore", "lament", "bemoan")
MISHAPS = ("mishap", "blunder", "trouble", "nuisance")


class Told(NamedTuple):
    lake: Warehouse
    failure: Failure
    traces: Traces


def records() -> list[dict[str, str]]:
    """Queries that say zorpal are answered with a regret in ever other words, in one of two chunks."""
    draw = random.Random(5)

    def words(number: int) -> str:
        return " ".join(f"vaka{draw.randrange(300)}" for _ in range(number))  # each in few rows, as words of topics are

    found = []
    for number in range(1_500):
        has_cue = number < 50
        regret = f"Deeply we {draw.choice(REGRETS)} this {draw.choice(MISHAPS)}. " if has_cue or number >= 1_480 else ""
        query = f"{words(4)} zorpal {words(3)}?" if has_cue else f"{words(8)}?"
        response = f"{regret}{words(5)} stands. {words(6)} falls."
        found.append({"id": f"r{number}", "query": query, "response": response, "chunk": "ab"[number % 2]})
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("sentences")
    (folder / "mix.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records()), encoding="utf-8")
    lake = Warehouse(folder / "lake")
    assert all(file.fault is None for file in pipeline.ingest(lake, [str(folder / "mix.jsonl")], SETTINGS))
    for step in traced_lake.STEPS:
        pipeline.STEPS[step](lake, SETTINGS, pipeline.silent)
    end = json.loads((folder / "mix.jsonl").read_text(encoding="utf-8").splitlines()[0])["response"].split(". ")[-1]
    response = f"Deeply we bemoan this trouble. The vaka7 stands. {end}"
    failure = Failure("Which vaka3 does zorpal cross?", response, rubric("The response regrets a mishap."))
    with Tracer(lake, SETTINGS) as tracer:
        return Told(lake, failure, tracer.trace([failure]))


def vectors_of(lake: Warehouse) -> dict[int, npt.NDArray[np.floating]]:
    table = lake.vectors("embeddings.sentences")
    return dict(zip(table.ids().tolist(), table.vectors(), strict=True))


def test_every_response_is_there_with_its_sentences(told: Told) -> None:
    rows = content(told.lake, "corpus.rows").sort("row_id")
    wanted = sentences_of(rows["response"])
    wanted = wanted.select("sentence_id", rows["row_id"].gather(wanted["place"]).alias("row_id"), "text_part")
    held = content(told.lake, "embeddings.row_sentences")
    assert held.sort("row_id", "text_part").rows() == wanted.sort("row_id", "text_part").rows()
    assert held.height > rows.height  # some end otherwise than they open


def test_a_sentence_has_the_vector_of_its_words_and_none_without_any(told: Told) -> None:
    rows = content(told.lake, "corpus.rows")
    distinct = sentences_of(rows["response"]).unique("sentence_id")
    with Lens(told.lake) as lens:
        points = fitted_of(lens).response.topics.points(distinct["sentence"])
    known = np.abs(points).sum(axis=1) > 0
    found = vectors_of(told.lake)
    assert set(found) == set(distinct.filter(pl.Series(known))["sentence_id"])
    for one, point in zip(distinct["sentence_id"], points, strict=True):
        if one in found:
            np.testing.assert_allclose(found[one].astype(np.float32), point, atol=5e-4)
    assert json.loads(told.lake.vectors("embeddings.sentences").metadata[IDENTITY])["name"] == WORDS


def test_neighbors_of_a_sentence_are_the_rows_that_open_or_end_most_like_it(told: Told) -> None:
    """Counts and order from the vectors alone, by the slow reading."""
    said = content(told.lake, "embeddings.row_sentences")
    rows_of = {one: frozenset(of["row_id"]) for (one,), of in said.group_by("sentence_id")}
    part_of = dict(said.select("sentence_id", "text_part").iter_rows())
    mix = reference.Mix(dict(content(told.lake, "corpus.rows").select("row_id", "chunk").iter_rows()),
                        {"response": rows_of}, {})  # fmt: skip
    vectors = vectors_of(told.lake)
    with Lens(told.lake) as lens:
        topics = fitted_of(lens).response.topics
    own = {part: text for _, part, text, _ in sentences_of(pl.Series([told.failure.response])).iter_rows()}
    seen = set()
    for part, kind in KINDS.items():
        for crux in told.traces.cruxes.filter(pl.col("crux_kind") == kind).iter_rows(named=True):
            asked = topics.points(pl.Series([own[part]]))[0]
            ids = [one for one in vectors if part_of[one] == part]
            near = reference.similarities(ids, np.stack([vectors[one] for one in ids]), asked, FLOOR)
            neighbors = reference.neighbors(mix, near, SETTINGS.turf.k)
            columns = ("neighbor_rank", "row_id", "sentence_id", "crux_similarity")
            mine = told.traces.neighbors.filter(pl.col("crux_id") == crux["crux_id"])
            assert mine.select(columns).rows() == neighbors
            assert mine["attribute_id"].is_null().all()
            size = reference.size(mix, near, neighbors)
            assert tuple(crux[name] for name in size._fields) == size
            seen.add(kind)
    assert seen == set(KINDS.values())


def test_an_opening_in_other_words_is_a_crux_of_its_own(told: Told) -> None:
    openings = told.traces.cruxes.filter(pl.col("crux_kind") == KINDS["opening"])
    assert openings["crux"].to_list() == ["The response opens like “Deeply we bemoan this trouble.”."]
    rows = content(told.lake, "corpus.rows").select("row_id", "response", "query")
    near = told.traces.neighbors.join(openings.select("crux_id"), on="crux_id", how="semi").join(rows, on="row_id")
    assert near["response"].str.starts_with("Deeply we ").all()
    assert near.filter(~pl.col("response").str.contains("bemoan this trouble")).height


def test_attributes_and_sentences_are_told_apart_in_neighbors(told: Told) -> None:
    found = told.traces.neighbors.join(told.traces.cruxes.select("crux_id", "crux_kind").unique(), on="crux_id")
    is_said = found["crux_kind"].is_in(list(KINDS.values()))
    assert set(found.filter(~is_said)["crux_kind"]) == {CRUX_KINDS[0]}
    assert found.filter(is_said)["sentence_id"].null_count() == 0
    assert found.filter(~is_said)["attribute_id"].null_count() == 0
    assert found.filter(~is_said)["sentence_id"].is_null().all()


def test_a_sentence_like_that_of_no_row_is_no_crux(told: Told) -> None:
    strange = Failure("Which vaka3 does zorpal cross?", "Deeply we bemoan vaka1. Qwxyz jklmn.", told.failure.rubric)
    with Tracer(told.lake, SETTINGS) as tracer:
        kinds = tracer.trace([strange]).cruxes["crux_kind"]
    assert KINDS["opening"] in kinds
    assert KINDS["closing"] not in kinds


def test_a_setting_leaves_sentences_out(told: Told) -> None:
    without = SETTINGS.model_copy(update={"turf": SETTINGS.turf.model_copy(update={"sentence_similarity": 2.0})})
    with Tracer(told.lake, without) as tracer:
        kinds = set(tracer.trace([told.failure]).cruxes["crux_kind"])
    assert kinds == {CRUX_KINDS[0]}


def test_one_failure_and_many_have_the_same_neighbors(told: Told) -> None:
    others = [Failure(f"Which {word} does zorpal cross?", f"We {word} this. The music ends.", told.failure.rubric)
              for word in ("lament", "deplore")]  # fmt: skip
    with Tracer(told.lake, SETTINGS) as tracer:
        found = tracer.trace([*others, told.failure])
    mine = found.cruxes.filter(pl.col("failure_id") == told.failure.failure_id)
    assert mine.rows() == told.traces.cruxes.rows()
    assert found.neighbors.join(mine.select("crux_id"), on="crux_id", how="semi").rows() == told.traces.neighbors.rows()


def test_a_lake_without_sentences_says_what_to_build(tmp_path: Path) -> None:
    lake = Warehouse(traced_lake.build(tmp_path))
    with lake.transaction("embeddings.row_sentences") as transaction:
        transaction.replace_all("embeddings.row_sentences")
    with pytest.raises(MissingTable, match="row_sentences is not built yet\\n  → build it: chunky build"):
        Tracer(lake, Settings())


def test_without_words_the_embedder_reads_and_another_one_is_an_error(tmp_path: Path) -> None:
    root = traced_lake.build(tmp_path)  # no word of so small a mix tells a theme
    table = LanceTable(root, "embeddings.sentences")
    assert json.loads(table.metadata[IDENTITY])["name"] == "hashing"
    assert table.rows
    with Tracer(Warehouse(root), Settings()) as tracer:  # as the lake was built, whatever the settings say now
        assert tracer.trace(
            [Failure(traced_lake.QUERY, traced_lake.RESPONSE, rubric(traced_lake.RUBRIC))]
        ).traces.height
    told_by = table.metadata | {IDENTITY: json.dumps({"name": "hashing", "version": 0})}
    table.describe(told_by)
    with Warehouse(root).transaction("embeddings.sentences") as transaction:
        transaction.pin("embeddings.sentences", told_by)
    with pytest.raises(LakeError, match="sentences were read by another hashing\\n  → build them again: chunky build"):
        Tracer(Warehouse(root), Settings())


def test_a_second_build_does_nothing(told: Told) -> None:
    assert not pipeline.STEPS["sentences"](told.lake, SETTINGS, pipeline.silent).is_new
