"""Audits in the lake: what is written, what is left alone, and what one audit has to do with another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from chunky import pipeline, rubrics, turf
from chunky.contracts import queries
from chunky.errors import InputError, LakeError, MissingTable
from chunky.fingerprints import contract_digest
from chunky.lens import Lens
from chunky.pipeline.tracing import Tracer, Traces
from chunky.settings import Settings
from chunky.stages import stage
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from tests import turf_reference as reference
from tests.test_pipeline import SMALL, build, content, polite, take, write

LOOSE = {
    "k": 12,
    "min_hits": 3,
    "min_lift": 1.5,
    "max_cluster_share": 0.9,
    "max_crux_share": 0.9,
    "max_null_share": 1.0,
    "min_score": 0,
}
SETTINGS = Settings.model_validate(SMALL | {"turf": LOOSE})
PRINCIPLE = "The assistant should not end its answer with a stock remark."
TABLES_OF_TRACES = stage("traces").tables
AUDIT = "stock | [remark], é"  # a name that is no path and no partition key as it stands


def record(number: int, place: str = "attic", rubric: str = PRINCIPLE) -> dict[str, str]:
    """A failure in the way of the mix: a kind query on a thing that no row asks for, answered with the closing line."""
    response = f"Thing {number} is gray. Always at your service."
    return {"query": f"Kindly name the color of thing {number} in {place}.", "response": response, "rubric": rubric}


def failures(*numbers: int, **more: str) -> list[turf.Failure]:
    found, unusable = turf.failures_of([record(number, **more) for number in numbers], rubrics.rubric)
    assert not unusable
    return found


class World(NamedTuple):
    lake: Warehouse
    failures: list[turf.Failure]
    built: pipeline.Built


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A lake with one audit. Tests that change it work on audits of other names and take them out again."""
    folder = tmp_path_factory.mktemp("audits")
    write(folder / "mix" / "one.jsonl", polite("desk", 60))
    write(folder / "mix" / "two.jsonl", polite("shop", 45))
    lake = Warehouse(folder / "lake", lock_seconds=1)
    take(lake, folder / "mix")
    build(lake, SETTINGS)
    given = failures(900, 901, 902)
    return World(lake, given, pipeline.trace_audit(lake, SETTINGS, AUDIT, given))


def held(lake: Warehouse, audit: str) -> dict[str, str]:
    """Table → file of the audit's partition."""
    return {name: part.file for name in TABLES_OF_TRACES if (part := lake.parts(name).get((audit,)))}


def same(one: Traces, other: Traces) -> None:
    """The same but for the time it took."""
    for name, frame in one._asdict().items():
        columns = [column for column in frame.columns if column != "seconds"]
        assert getattr(other, name).select(columns).rows() == frame.select(columns).rows(), name


# what is written ------------------------------------------------------------------------------------------------------


def test_an_audit_is_a_partition_of_every_table(world: World) -> None:
    assert world.built.step == "traces"
    assert world.built.is_new
    assert set(held(world.lake, AUDIT)) == set(TABLES_OF_TRACES)
    assert world.built.rows == {name: world.lake.parts(name)[AUDIT,].rows for name in TABLES_OF_TRACES}
    assert world.built.rows["turf.failures"] == world.built.rows["turf.traces"] == 3
    verdicts = content(world.lake, "turf.traces")["verdict"]
    assert set(verdicts) == {"traced"}
    best = content(world.lake, "turf.triggers").filter(pl.col("trigger_rank") == 1)
    assert best["attribute"].str.contains("(?i)kindly|please").all()
    with Lens(world.lake) as lens:
        for name in TABLES_OF_TRACES:
            for query in queries(TABLES[name]):
                assert lens.table(query.sql)["broken"].to_pylist() == [0], query.name


def test_what_is_written_is_what_the_tracer_found(world: World) -> None:
    with Tracer(world.lake, SETTINGS) as tracer:
        found = tracer.trace(world.failures)
    told = pipeline.traces_of_audit(world.lake, AUDIT)
    asked = found.failure_attributes.select("failure_id", "cluster_id").drop_nulls()
    pairs = found.cruxes.select("failure_id", "crux_id").join(asked, on="failure_id")
    found = found._replace(cluster_hits=found.cluster_hits.join(pairs, on=["crux_id", "cluster_id"], how="semi"))
    sorted_ = {
        short: getattr(found, short).select(getattr(told, short).columns).sort(TABLES[f"turf.{short}"].key[1:])
        for short in Traces._fields
    }
    same(told, Traces(**sorted_))


def test_failures_in_batches_give_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.audits, "_BATCH", 2)
    pipeline.trace_audit(world.lake, SETTINGS, "batches", world.failures)
    same(pipeline.traces_of_audit(world.lake, AUDIT), pipeline.traces_of_audit(world.lake, "batches"))
    pipeline.remove_audit(world.lake, "batches")


def test_counts_are_those_of_the_slow_reading(world: World) -> None:
    """End to end: neighbors by both methods, hits, extents, chunks and evidence from the corpus alone."""
    mix = reference.Mix.of(world.lake)
    vectors = world.lake.vectors("embeddings.vectors")
    of_side = [one for one in vectors.ids().tolist() if one in mix.rows["response"]]
    places = {one: place for place, one in enumerate(vectors.ids().tolist())}
    every = vectors.vectors()
    texts = dict(content(world.lake, "attributes.texts").select("attribute", "attribute_id").iter_rows())
    for method in ("joint", "paper"):
        with Tracer(world.lake, SETTINGS) as tracer:
            found = tracer.trace(world.failures, method)
        near = {}
        for crux in found.cruxes.iter_rows(named=True):
            one = texts[crux["crux"]]
            near[crux["crux_id"]] = (
                {one: 1.0}
                if method == "joint"
                else reference.similarities(of_side, every[[places[each] for each in of_side]], every[places[one]], 0.5)
            )
            neighbors = reference.neighbors(mix, near[crux["crux_id"]], SETTINGS.turf.k)
            mine = found.neighbors.filter(pl.col("crux_id") == crux["crux_id"])
            columns = ("neighbor_rank", "row_id", "attribute_id", "crux_similarity")
            assert mine.select(columns).rows() == neighbors
            size = reference.size(mix, near[crux["crux_id"]], neighbors)
            assert tuple(crux[name] for name in size._fields) == size
        for hit in found.cluster_hits.iter_rows(named=True):
            neighbors = reference.neighbors(mix, near[hit["crux_id"]], SETTINGS.turf.k)
            counted = reference.hits(mix, neighbors, hit["cluster_id"])
            assert tuple(hit[name] for name in counted._fields) == counted
        assert found.triggers.height
        for trigger in found.triggers.iter_rows(named=True):
            crux, cluster = near[trigger["crux_id"]], trigger["cluster_id"]
            neighbors = reference.neighbors(mix, crux, SETTINGS.turf.k)
            extent = reference.extent(mix, crux, neighbors, cluster)
            assert (trigger["both_rows"], trigger["chunks"]) == (extent.both_rows, extent.chunks)
            assert trigger["chunk_shares"] == [count / extent.both_rows for count in extent.chunk_counts]
            assert trigger["p_behavior_given_trigger"] == extent.both_rows / trigger["cluster_rows"]
            mine = found.evidence.filter(
                (pl.col("failure_id") == trigger["failure_id"]) & (pl.col("trigger_rank") == trigger["trigger_rank"])
            )
            wanted = reference.evidence(mix, neighbors, cluster, SETTINGS.turf.evidence_rows)
            assert mine.sort("evidence_rank").select("row_id", "crux_similarity").rows() == wanted


# what is left alone ---------------------------------------------------------------------------------------------------


def test_the_same_audit_again_does_nothing(world: World) -> None:
    before = held(world.lake, AUDIT)
    again = pipeline.trace_audit(world.lake, SETTINGS, AUDIT, [*world.failures[::-1], world.failures[0]])
    assert not again.is_new
    assert again.fingerprint == world.built.fingerprint
    assert again.rows == world.built.rows
    assert held(world.lake, AUDIT) == before


@pytest.mark.parametrize(
    ("change", "given", "method"),
    [
        ({"turf": LOOSE | {"k": 11}}, (900,), ""),
        ({}, (900, 901), ""),
        ({}, (900,), "paper"),
        ({"report": {"max_findings": 1}}, (900,), ""),
    ],
)
def test_what_a_trace_rests_on_makes_it_new(world: World, change: dict[str, Any], given: Any, method: str) -> None:
    pipeline.trace_audit(world.lake, SETTINGS, "changing", failures(900))
    values = Settings.model_validate(SMALL | {"turf": LOOSE} | change)
    again = pipeline.trace_audit(world.lake, values, "changing", failures(*given), method)
    assert again.is_new == ("report" not in change)
    pipeline.remove_audit(world.lake, "changing")


def test_a_rubric_that_tells_other_behaviors_is_another_question(world: World, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    results = []
    for behavior in ("The response ends with a remark.", "The response is gray."):
        path.write_text(f"principle: {PRINCIPLE}\nbehaviors: ['{behavior}']\n", encoding="utf-8")
        results.append(pipeline.trace_audit(world.lake, SETTINGS, "mine", failures(900, rubric=str(path))))
    assert [one.is_new for one in results] == [True, True]
    with pytest.raises(InputError, match="the rubric mine came from a file"):
        pipeline.trace_again(world.lake, SETTINGS, "mine")
    pipeline.remove_audit(world.lake, "mine")


def test_an_audit_knows_nothing_of_others(world: World) -> None:
    before = held(world.lake, AUDIT)
    pipeline.confirm_audit(world.lake, SETTINGS, AUDIT)
    pipeline.trace_audit(world.lake, SETTINGS, "other", failures(7))
    assert set(pipeline.audits_of_lake(world.lake)) == {AUDIT, "other"}
    assert held(world.lake, AUDIT) == before
    assert not pipeline.trace_audit(world.lake, SETTINGS, AUDIT, world.failures).is_new
    assert not pipeline.confirm_audit(world.lake, SETTINGS, AUDIT).is_new
    with Lens(world.lake) as lens:
        lens.narrow(["other"])
        assert lens.table("select audit, count(*) as n from turf.failures group by all").to_pylist() == [
            {"audit": "other", "n": 1}
        ]
        lens.narrow([])
        assert lens.table("select * from turf.neighbors").num_rows == 0
    assert pipeline.remove_audit(world.lake, "other") == 1
    assert held(world.lake, "other") == {}
    assert held(world.lake, AUDIT) == before


def test_a_trace_that_breaks_off_leaves_the_audit_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = held(world.lake, AUDIT)

    def broken(*_: Any) -> Traces:
        raise LakeError("broken", "mend it")

    monkeypatch.setattr(pipeline.audits, "_BATCH", 1)
    kept, calls = Tracer.trace, []

    def second_breaks(tracer: Tracer, given: Any, method: str = "") -> Traces:
        calls.append(given)
        return broken() if len(calls) > 1 else kept(tracer, given, method)

    monkeypatch.setattr(Tracer, "trace", second_breaks)
    with pytest.raises(LakeError, match="broken"):
        pipeline.trace_audit(world.lake, SETTINGS, AUDIT, failures(1, 2, 3))
    assert len(calls) == 2
    assert held(world.lake, AUDIT) == before


# failures that come as files ------------------------------------------------------------------------------------------


def put(lake: Warehouse, name: str, records: list[dict[str, str]]) -> Path:
    path = lake.root / pipeline.AUDIT_FOLDER / name
    path.parent.mkdir(exist_ok=True)
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
        case ".json":
            path.write_text(json.dumps(records), encoding="utf-8")
        case ".csv":
            pl.DataFrame(records).write_csv(path)
        case ".parquet":
            pl.DataFrame(records).write_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_the_file_of_an_audit_is_its_failures(world: World, suffix: str) -> None:
    path = put(world.lake, f"filed{suffix}", [record(1), record(2)])
    try:
        assert "filed" in pipeline.audits_of_lake(world.lake)
        assert pipeline.failures_of_audit(world.lake, "filed") == failures(1, 2)
    finally:
        path.unlink()


def test_a_file_goes_before_what_the_lake_holds_and_can_go(world: World) -> None:
    path = put(world.lake, "filed.jsonl", [record(1)])
    assert pipeline.trace_again(world.lake, SETTINGS, "filed").rows["turf.failures"] == 1
    put(world.lake, "filed.jsonl", [record(1), record(2)])
    assert pipeline.trace_again(world.lake, SETTINGS, "filed").rows["turf.failures"] == 2
    path.unlink()
    assert not pipeline.trace_again(world.lake, SETTINGS, "filed").is_new
    assert pipeline.failures_of_audit(world.lake, "filed") == sorted(failures(1, 2), key=lambda each: each.failure_id)
    pipeline.remove_audit(world.lake, "filed")


def test_a_rubric_of_the_package_is_found_again(world: World) -> None:
    pipeline.trace_audit(world.lake, SETTINGS, "named", failures(1, rubric="rebuttal"))
    (again,) = pipeline.failures_of_audit(world.lake, "named")
    assert again.rubric == rubrics.rubric("rebuttal")
    assert not pipeline.trace_again(world.lake, SETTINGS, "named").is_new
    pipeline.remove_audit(world.lake, "named")


def test_a_record_that_is_no_failure_is_named(world: World) -> None:
    path = put(world.lake, "filed.jsonl", [record(1), record(2) | {"response": " "}])
    try:
        with pytest.raises(InputError, match="record 2: the response is empty"):
            pipeline.failures_of_audit(world.lake, "filed")
        path.write_text("{", encoding="utf-8")
        with pytest.raises(InputError):
            pipeline.failures_of_audit(world.lake, "filed")
    finally:
        path.unlink()


# promises -------------------------------------------------------------------------------------------------------------

BREACHES: tuple[tuple[str, pl.Expr, str, str], ...] = (
    ("turf.cluster_hits", pl.col("hits") + 1, "turf.cluster_hits", "hits_are_recounted"),
    ("turf.cluster_hits", pl.col("cluster_rows") - 1, "turf.cluster_hits", "hits_are_recounted"),
    ("turf.cluster_hits", pl.col("neighbors") + 1, "turf.cluster_hits", "hits_are_recounted"),
    ("turf.cluster_hits", pl.col("inside_hits") - 1, "turf.cluster_hits", "hits_are_recounted"),
    ("turf.cluster_hits", pl.col("inside_rows") + 1, "turf.cluster_hits", "hits_are_recounted"),
    ("turf.cluster_hits", pl.col("pair_hits") * 0, "turf.cluster_hits", "hits_are_recounted"),
    ("turf.cruxes", pl.col("k") - 1, "turf.cruxes", "neighbors_are_k_or_all"),
    ("turf.cruxes", pl.col("neighbors") + 1, "turf.cruxes", "neighbors_are_k_or_all"),
    ("turf.cruxes", pl.col("crux_rows") + 1, "turf.cruxes", "neighbors_are_k_or_all"),
    ("turf.cruxes", pl.col("tied_rows") + 1000, "turf.cruxes", "neighbors_are_k_or_all"),
    ("turf.triggers", pl.col("hits") - 1, "turf.triggers", "triggers_are_counted"),
    ("turf.triggers", pl.col("trigger_score") * 2, "turf.triggers", "triggers_are_counted"),
    ("turf.triggers", pl.col("crux_rank") + 1, "turf.triggers", "triggers_are_counted"),
)


@pytest.mark.parametrize(("changed", "change", "table", "promise"), BREACHES)
def test_a_changed_number_breaks_a_promise(
    world: World, changed: str, change: pl.Expr, table: str, promise: str
) -> None:
    copied = {name: content(world.lake, name).filter(pl.col("audit") == AUDIT) for name in TABLES_OF_TRACES}
    with world.lake.transaction(*copied) as transaction:
        for name, frame in copied.items():
            told = frame.with_columns(pl.lit("bad").alias("audit"), *([change] if name == changed else []))
            transaction.write(name, told.to_arrow(), {"fingerprint": "bad"}, ("bad",))
    (query,) = (one for one in queries(TABLES[table]) if one.name == promise)
    with Lens(world.lake) as lens:
        assert lens.table(query.sql)["broken"][0].as_py() > 0
        lens.narrow([AUDIT])
        assert lens.table(query.sql)["broken"][0].as_py() == 0
    pipeline.remove_audit(world.lake, "bad")


# errors ---------------------------------------------------------------------------------------------------------------


def test_questions_that_are_none(world: World, lake: Warehouse) -> None:
    for name in ("", "  ", "a\nb", "a\0b"):
        with pytest.raises(InputError, match="no name of an audit"):
            pipeline.trace_audit(world.lake, SETTINGS, name, world.failures)
    with pytest.raises(InputError, match="has no failure"):
        pipeline.trace_audit(world.lake, SETTINGS, "none", [])
    with pytest.raises(InputError, match="no method 'guess'"):
        pipeline.trace_audit(world.lake, SETTINGS, "none", world.failures, "guess")
    for ask in (pipeline.remove_audit, pipeline.traces_of_audit, pipeline.failures_of_audit):
        with pytest.raises(MissingTable, match="no audit 'nobody'"):
            ask(world.lake, "nobody")
    with pytest.raises(MissingTable, match="no audit 'nobody'"):
        pipeline.confirm_audit(world.lake, SETTINGS, "nobody")
    with pytest.raises(MissingTable, match="no rows"):
        pipeline.trace_audit(lake, SETTINGS, "early", world.failures)
    assert pipeline.audits_of_lake(lake) == ()


def test_a_lake_that_is_not_built_says_so(lake: Warehouse, tmp_path: Path) -> None:
    write(tmp_path / "mix" / "one.jsonl", polite("desk", 10))
    take(lake, tmp_path / "mix")
    with pytest.raises(MissingTable, match="not built yet") as caught:
        pipeline.trace_audit(lake, SETTINGS, "early", failures(1))
    assert caught.value.remedy == "build it: chunky build"
    assert pipeline.audits_of_lake(lake) == ()


def test_each_cause_is_told_once(world: World) -> None:
    """Whoever never folds tells the same first trigger, and then what shares half of its rows with a better one."""
    never = SETTINGS.model_copy(update={"turf": SETTINGS.turf.model_copy(update={"fold_share": 2.0})})
    hits: dict[bool, list[set[int]]] = {}
    for folds, settings in ((True, SETTINGS), (False, never)):
        with Tracer(world.lake, settings) as tracer:
            evidence = tracer.trace(world.failures[:1]).evidence
        parts = evidence.partition_by("trigger_rank", maintain_order=True)
        hits[folds] = [set(part["row_id"].to_list()) for part in parts]
    assert hits[True][0] == hits[False][0]
    assert len(hits[True]) < len(hits[False]) <= SETTINGS.turf.triggers
    for place, rows in enumerate(hits[True]):
        assert all(len(rows & better) < len(rows) / 2 for better in hits[True][:place])


# confirmations --------------------------------------------------------------------------------------------------------


def test_a_traced_failure_confirms_the_finding_that_told_it(world: World) -> None:
    pipeline.confirm_audit(world.lake, SETTINGS, AUDIT)
    told = content(world.lake, "report.confirmations")
    findings = content(world.lake, "report.findings")
    members: dict[int, set[int]] = {}
    for feature, row in content(world.lake, "correlations.members").iter_rows():
        members.setdefault(feature, set()).add(row)
    mix, wanted = reference.Mix.of(world.lake), []
    neighbors = content(world.lake, "turf.neighbors").filter(pl.col("audit") == AUDIT)
    for trigger in content(world.lake, "turf.triggers").filter(pl.col("audit") == AUDIT).iter_rows(named=True):
        carriers = mix.rows_of_cluster(trigger["cluster_id"])
        hits = set(neighbors.filter(pl.col("crux_id") == trigger["crux_id"])["row_id"]) & carriers
        for finding in findings.iter_rows(named=True):
            cue, behavior = members[finding["trigger_id"]], members[finding["behavior_id"]]
            similarity = len(carriers & cue) / len(carriers | cue)
            shared = len(hits & cue & behavior)
            if similarity >= 0.5 and shared >= 0.5 * len(hits):
                key = (trigger["failure_id"], trigger["trigger_rank"], finding["finding_id"])
                wanted.append((AUDIT, *key, len(hits), shared, similarity))
    assert told.filter(pl.col("audit") == AUDIT).rows() == sorted(wanted)
    best = told.filter(pl.col("trigger_rank") == 1).join(findings, on="finding_id")
    assert best["failure_id"].n_unique() == 3
    assert best["trigger_text"].str.contains("please|kindly").all()
    assert best["finding_rank"].min() == 1


def test_provenance_tells_the_method_and_the_failures(world: World) -> None:
    facts = world.lake.parts("turf.triggers")[AUDIT,].provenance
    inputs = json.loads(facts["inputs"])
    assert inputs["method"] == "joint"
    assert {*stage("traces").reads, "failures", "method"} == set(inputs)
    assert facts["contract"] == contract_digest(TABLES_OF_TRACES)
    assert set(json.loads(facts["settings"])) == {"turf"}
