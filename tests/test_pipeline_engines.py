"""The offline engines over a lake: a target that answers from its rows, and prompts recombined from them."""

from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest

from chunky import pipeline
from chunky.attributes import Fitted, extract_pairs
from chunky.errors import MissingTable
from chunky.lens import Lens
from chunky.llm import get_model
from chunky.llm.mix import Ask
from chunky.llm.roles import generator, target
from chunky.pipeline.last import Last
from chunky.pipeline.mix_answers import MixAnswers, index_of
from chunky.pipeline.models import tools_of
from chunky.pipeline.prompts import generator_of
from chunky.recombining import QueryExtractor
from chunky.warehouse import Warehouse
from tests import traced_lake
from tests.conftest import QUICK
from tests.hostile import HOSTILE

APOLOGY = "I am so sorry"


@pytest.fixture(scope="module")
def rows(traced: Path) -> pl.DataFrame:
    with Lens(Warehouse(traced)) as lens:
        return pl.DataFrame(lens.table("select row_id, query, response from corpus.rows order by row_id"))


@pytest.fixture(scope="module")
def fitted(traced: Path) -> Fitted:
    with Lens(Warehouse(traced)) as lens:
        return Fitted.load(
            {name: lens.table(f"select * from attributes.{name}") for name in ("texts", "words", "topics")}
        )


def test_a_query_of_the_mix_is_answered_by_its_own_rows_alone(traced: Path, rows: pl.DataFrame) -> None:
    answers = MixAnswers(Warehouse(traced), QUICK)
    some = rows.sample(60, seed=1)
    told = answers([Ask(query, sample, 1.0, 0) for sample, query in enumerate(some["query"].to_list())])
    for query, response in zip(some["query"].to_list(), told, strict=True):
        assert response in rows.filter(query=query)["response"].to_list()


def test_the_cue_brings_the_behavior_and_other_queries_do_not(traced: Path) -> None:
    model = get_model("mix", tools=tools_of(Warehouse(traced), QUICK))
    words = ["river stone", "cloud garden", "window music", "letter paper", "lamp winter"]
    with_cue = [f"{first} zorpal {second}" for first in words for second in words]
    without = [f"{first} {second}" for first in words for second in words]
    shares = []
    for queries in (with_cue, without):
        requests = target.requests(queries)
        told = [target.read(*pair).value or "" for pair in zip(requests, model.complete(requests), strict=True)]
        shares.append(sum(text.startswith(APOLOGY) for text in told) / len(told))
    # of the rows with the cue 80 % apologize, of the others 2 %
    assert shares[0] >= 0.5
    assert shares[1] <= 0.1


def test_a_draw_is_the_same_in_any_batch_and_samples_differ(traced: Path) -> None:
    answers = MixAnswers(Warehouse(traced), QUICK)
    asks = [Ask(f"river zorpal stone {number % 5}", number // 5, 1.0, 2) for number in range(40)]
    together = answers(asks)
    assert answers(asks[::-1])[::-1] == together
    assert [answers([ask])[0] for ask in asks[:6]] == together[:6]
    assert len(set(together[::5])) > 1
    assert len(set(answers([ask._replace(temperature=0.0) for ask in asks[::5]]))) == 1
    assert answers([ask._replace(seed=3) for ask in asks]) != together


def test_any_text_is_answered(traced: Path) -> None:
    answers = MixAnswers(Warehouse(traced), QUICK)
    texts = [*HOSTILE, "", " ", "\ud800", "\0", "x" * 100_000]
    asks = [Ask(text, 0, 0.0, 0) for text in texts]
    assert all(told.strip() for told in answers(asks))
    assert answers(asks) == answers(asks)


def test_the_index_is_one_for_all_who_ask(traced: Path) -> None:
    assert index_of(Warehouse(traced), QUICK) is index_of(Warehouse(traced), QUICK)
    index = index_of(Warehouse(traced), QUICK)
    assert len(index.row_ids) == traced_lake.ROWS
    made: list[int] = []
    last: Last[int] = Last()
    assert [last.of(key, lambda: made.append(0) or len(made)) for key in "aabba"] == [1, 1, 2, 2, 3]


def test_an_empty_lake_has_no_answers_and_no_prompts(lake: Warehouse) -> None:
    tools = tools_of(lake, QUICK)
    (asked,), (wanted,) = target.requests(["hello"]), generator.requests([generator.Wish(("The query is x.",))])
    for spec, request, what in (("mix", asked, "no rows"), ("rules", wanted, "corpus.rows is not built yet")):
        (reply,) = get_model(spec, tools=tools).complete([request])
        assert reply.error == "invalid request"
        assert what in (reply.detail or "")
    with pytest.raises(MissingTable):
        index_of(lake, QUICK)


def test_a_mix_without_attributes_answers_by_its_words_alone(tmp_path: Path, lake: Warehouse) -> None:
    (tmp_path / "mix.jsonl").write_text(
        '{"query": "alpha beta", "response": "one"}\n{"query": "gamma delta", "response": "two"}\n', encoding="utf-8"
    )
    assert all(taken.fault is None for taken in pipeline.ingest(lake, [str(tmp_path / "mix.jsonl")], QUICK))
    assert MixAnswers(lake, QUICK)([Ask("delta?", 0, 0.0, 0), Ask("alpha", 0, 0.0, 0)]) == ["two", "one"]


def test_prompts_are_new_and_have_what_is_wanted(traced: Path, rows: pl.DataFrame) -> None:
    lake = Warehouse(traced)
    model = get_model("rules", tools=tools_of(lake, QUICK))
    with Lens(lake) as lens:
        sql = "select cluster from clusters.summaries where side = 'query' order by rows desc, cluster_id"
        pool = lens.table(sql)["cluster"].to_pylist()
    ones = [generator.Wish((one,)) for one in pool]
    twos = [generator.Wish(pair) for pair in itertools.pairwise(pool)]
    requests = generator.requests([*ones, *twos], seed=1)
    replies = model.complete(requests)
    prompts = [generator.read(*pair).value or "" for pair in zip(requests, replies, strict=True)]
    assert "" not in prompts
    assert not set(prompts) & set(rows["query"].to_list())
    # looked up one by one, as nothing was while they were made
    generating = generator_of(lake, QUICK, lambda: pytest.fail("it is there already"))
    held = [generating.share(wish.attributes, prompt) for wish, prompt in zip([*ones, *twos], prompts, strict=True)]
    assert sum(held[: len(ones)]) >= 0.95 * len(ones)
    assert sum(held[len(ones) :]) >= 0.6 * len(twos)


def test_wanted_attributes_are_found_as_the_extractor_finds_them(fitted: Fitted, rows: pl.DataFrame) -> None:
    queries = [*rows["query"].head(60).to_list(), "WHY? 为什么", "¿Por qué llueve hoy en la ciudad grande?", ""]
    found = extract_pairs(queries, [""] * len(queries), fitted).filter(side="query")
    whole = {(pair, attribute) for pair, attribute in found.select("pair", "attribute_id").iter_rows()}
    ids = fitted.query.ids.tolist()
    extract = QueryExtractor(fitted)
    for wanted in (range(len(ids)), range(0, len(ids), 3), [len(ids) - 1], [0], []):
        places, numbers = extract(queries, wanted)
        told = {(place, ids[number]) for place, number in zip(places.tolist(), numbers.tolist(), strict=True)}
        assert told == {pair for pair in whole if pair[1] in {ids[number] for number in wanted}}
