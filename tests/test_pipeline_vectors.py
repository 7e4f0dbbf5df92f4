"""Embeddings and clusters in the lake: what is kept, taken up after a kill, told by SQL, and near in meaning."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import lancedb
import numpy as np
import polars as pl
import pytest

from chunky import pipeline
from chunky.errors import LakeError, MissingTable
from chunky.features import Feature
from chunky.lens import Lens
from chunky.settings import Settings
from chunky.warehouse import Warehouse
from tests.test_pipeline import SMALL, build, mix, new, take

__all__ = ["mix"]

SETTINGS = Settings.model_validate(SMALL)


@pytest.fixture
def built(mix: Path, lake: Warehouse) -> Warehouse:
    take(lake, mix)
    build(lake)
    return lake


def query(lake: Warehouse, sql: str) -> pl.DataFrame:
    with Lens(lake) as lens:
        return pl.DataFrame(lens.table(sql))


def test_every_sentence_has_one_unit_vector_and_one_cluster(built: Warehouse) -> None:
    texts = set(query(built, "select attribute_id from attributes.texts")["attribute_id"])
    assert set(built.vectors("embeddings.vectors").ids().tolist()) == texts
    assert np.allclose(
        np.linalg.norm(built.vectors("embeddings.vectors").vectors().astype(np.float64), axis=1), 1, atol=1e-3
    )
    assigned = query(built, "select * from clusters.assignments")
    assert set(assigned["attribute_id"]) == texts
    assert assigned["attribute_id"].n_unique() == assigned.height
    assert set(assigned["cluster_id"]) == set(query(built, "select cluster_id from clusters.summaries")["cluster_id"])


def test_summaries_count_rows_as_a_slow_count_does(built: Warehouse) -> None:
    assert new(build(built, Settings.model_validate(SMALL | {"clusters": {"k": 9}}))) >= {"clusters"}
    told = query(built, "select * from clusters.summaries order by cluster_id")
    assert told.group_by("side").len()["len"].to_list() == [9, 9]
    cluster_of = dict(query(built, "select attribute_id, cluster_id from clusters.assignments").iter_rows())
    rows: dict[int, set[int]] = {}
    for row_id, attribute_id in query(built, "select row_id, attribute_id from attributes.row_attributes").iter_rows():
        rows.setdefault(cluster_of[attribute_id], set()).add(row_id)
    assert dict(told.select("cluster_id", "rows").iter_rows()) == {key: len(held) for key, held in rows.items()}
    texts = dict(query(built, "select attribute_id, attribute from attributes.texts").iter_rows())
    assert all(texts[key] == name for key, name in told.select("cluster_id", "cluster").iter_rows())


def test_the_vector_table_opens_in_lancedb(built: Warehouse) -> None:
    table = lancedb.connect(built.root / "embeddings").open_table("vectors")
    wanted = built.vectors("embeddings.vectors")
    found = table.search(wanted.vectors()[3].astype(np.float32)).metric("cosine").limit(1).to_arrow()
    assert found["attribute_id"].to_pylist() == [int(wanted.ids()[3])]


def test_sentences_that_stay_are_not_embedded_again(
    built: Warehouse, mix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chunky.embedders.hashing import HashingEmbedder

    before = set(built.vectors("embeddings.vectors").ids().tolist())
    seen: list[str] = []
    encode = HashingEmbedder.encode
    monkeypatch.setattr(HashingEmbedder, "encode", lambda self, texts: seen.extend(texts) or encode(self, texts))
    (mix / "two.jsonl").unlink()
    pipeline.remove_chunk(built, "shop")
    build(built)
    after = query(built, "select attribute_id, attribute from attributes.texts")
    assert set(seen) == set(after.filter(~pl.col("attribute_id").is_in(list(before)))["attribute"])
    assert set(built.vectors("embeddings.vectors").ids().tolist()) == set(after["attribute_id"])


def test_another_embedder_starts_over(built: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    from chunky.embedders.hashing import HashingEmbedder

    changed = HashingEmbedder(64)
    monkeypatch.setattr("chunky.pipeline.vectors.get_embedder", lambda name, device: changed)
    other = Settings.model_validate(SMALL | {"embeddings": {"embedder": "hashing", "device": "cpu"}})
    assert pipeline.STEPS["embeddings"](built, other, pipeline.silent).is_new
    assert built.vectors("embeddings.vectors").dimensions == 64
    with pytest.raises(LakeError, match="is not the one that made"):
        pipeline.nearest_sentences(built, SETTINGS, "The query says please.", "query", 3)


def test_the_nearest_sentence_is_the_sentence(built: Warehouse) -> None:
    sentence = query(built, "select attribute from attributes.texts where side = 'query' order by attribute")[
        "attribute"
    ][5]
    near = pipeline.nearest_sentences(built, SETTINGS, sentence, "query", 4)
    assert near.similarities[0] == pytest.approx(1, abs=1e-3)
    texts = dict(query(built, "select attribute_id, attribute from attributes.texts").iter_rows())
    assert texts[int(near.attribute_ids[0])] == sentence
    assert len(near.attribute_ids) == 4
    assert list(near.similarities) == sorted(near.similarities, reverse=True)


def test_nothing_is_near_in_a_lake_without_vectors(lake: Warehouse) -> None:
    with pytest.raises(MissingTable, match=r"embeddings\.vectors is not built yet"):
        pipeline.nearest_sentences(lake, SETTINGS, "The query says please.", "query", 3)


def test_a_neighborhood_is_a_feature_and_holds_the_nearest_rows(built: Warehouse) -> None:
    told = query(built, "select attribute from attributes.texts where side = 'response' and rows between 30 and 40 "
                        "and attribute like '%service%' order by attribute")  # fmt: skip
    sentence = told["attribute"][0]
    (built.root / "features").mkdir()
    named = f"- name: closing wish\n  side: response\n  neighborhood: '{sentence}'\n"
    (built.root / "features" / "mine.yaml").write_text(named, encoding="utf-8")
    limits = SMALL["correlations"] | {"neighborhood_rows": 20, "neighborhood_similarity": 0.9}
    build(built, Settings.model_validate(SMALL | {"correlations": limits}))
    feature = Feature("neighborhood", "response", "closing wish", "", sentence).feature_id
    rows = query(built, f"select row_id from correlations.members where feature_id = {feature}")["row_id"]
    wishing = query(built, "select row_id from corpus.rows where contains(response, 'Always at your service')")[
        "row_id"
    ]
    assert rows.len() == 20
    assert set(rows) <= set(wishing)


def test_clusters_that_join_sentences_are_features(built: Warehouse) -> None:
    build(built, Settings.model_validate(SMALL | {"clusters": {"k": 6}}))
    assert query(built, "select 1 from correlations.features where kind = 'cluster'").is_empty()
    limits = SMALL["correlations"] | {"clusters": True}
    build(built, Settings.model_validate(SMALL | {"clusters": {"k": 6}, "correlations": limits}))
    features = query(built, "select * from correlations.features where kind = 'cluster'")
    assert features.height > 0
    for row in features.iter_rows(named=True):
        members = query(built, f"select row_id from correlations.members where feature_id = {row['feature_id']}")
        slow = query(
            built,
            "select distinct row_id from attributes.row_attributes "
            "inner join clusters.assignments using (attribute_id) "
            f"inner join clusters.summaries using (cluster_id) where cluster = $${row['definition']}$$ "
            f"and clusters.summaries.side = '{row['side']}'",
        )
        assert set(members["row_id"]) == set(slow["row_id"])


# killed ---------------------------------------------------------------------------------------------------------------

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from chunky import pipeline
    from chunky.settings import Settings
    import chunky.embeddings.batches as batches
    from chunky.warehouse import Warehouse

    batches.tables.__defaults__ = ("float16", 16)
    kind, lake, values = sys.argv[1], Warehouse(Path(sys.argv[2])), Settings.model_validate_json(sys.argv[3])
    if kind == "embeddings":
        from chunky.lance_tables import LanceTable
        target, name = LanceTable, "append"
    else:
        from chunky.pipeline.vectors import _State
        target, name = _State, "save"
    whole, calls = getattr(target, name), []

    def dying(self, *arguments):
        done = whole(self, *arguments)
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(target, name, dying)
    pipeline.STEPS[kind](lake, values, pipeline.silent)
"""


@pytest.mark.parametrize("kind", ["embeddings", "clusters"])
def test_a_killed_step_goes_on_where_it_was(kind: str, mix: Path, tmp_path: Path) -> None:
    values = Settings.model_validate(SMALL | {"clusters": {"k": 4}})
    lakes = [Warehouse(tmp_path / name) for name in ("killed", "undisturbed")]
    before = list(pipeline.STEPS)[: list(pipeline.STEPS).index(kind)]
    for lake in lakes:
        take(lake, mix)
        for step in before:
            pipeline.STEPS[step](lake, values, pipeline.silent)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), kind, str(lakes[0].root), values.model_dump_json()],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    for lake in lakes:
        assert pipeline.STEPS[kind](lake, values, pipeline.silent).is_new
    for name in ("embeddings.vectors",) if kind == "embeddings" else ("clusters.assignments", "clusters.summaries"):
        killed, undisturbed = (query(lake, f"select * from {name} order by all") for lake in lakes)
        assert killed.equals(undisturbed)
        assert killed.height > 7
    if kind == "clusters":
        assert not list((lakes[0].root / ".scratch").rglob("*.npz"))


def test_provenance_says_who_embedded(built: Warehouse) -> None:
    told = built.vectors("embeddings.vectors").metadata
    assert json.loads(told["embedder"])["name"] == "hashing"
    assert told["device"] == "cpu"
