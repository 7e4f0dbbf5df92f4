"""correlations.pairs against a slow oracle: sets, loops and scipy over random small worlds, then cases made by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from scipy import special, stats

from chunky.lens import Lens
from chunky.settings import Settings
from chunky.tables import TABLES
from chunky.warehouse import Warehouse

Z = float(stats.norm.ppf(0.975))
CHUNKS = ("a b", "über/х", "c'", "d")


_STRONGER = ((0.1, 0.35), (0.65, 0.95))
_REVERSED = ((0.4, 0.0), (1.0, 0.6))


# worlds ---------------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """Rows as (chunk, content), members by content (a feature of a text is a function of it) or by chunk."""

    rows: list[tuple[str, int]]
    features: list[dict[str, Any]] = field(default_factory=list)
    members: dict[int, set[int]] = field(default_factory=dict)  # feature_id → row ids
    phrases: list[tuple[str, int]] = field(default_factory=list)  # one-word phrases and their rows

    def add(self, side: str, contents: set[int], **more: Any) -> int:
        """A feature of these contents; returns its id, which is no ascending number."""
        feature_id = (len(self.features) * 7_919 + 13) % 1_009
        known = {"feature_id": feature_id, "kind": "regex", "side": side}
        self.features.append(known | {"definition": f"d{feature_id}"} | more)
        self.members[feature_id] = {row for row, (_, content) in enumerate(self.rows) if content in contents}
        return feature_id

    def add_chunk(self, chunk: str) -> int:
        feature_id = self.add("query", set(), kind="chunk", definition=chunk)
        self.members[feature_id] = {row for row, (name, _) in enumerate(self.rows) if name == chunk}
        return feature_id


def tables_of(world: World) -> dict[str, pa.Table]:
    """The four tables that the model reads, with the columns that it reads."""
    features = [{"synonym_of": None, **feature} for feature in world.features]
    members = [(f, row) for f in sorted(world.members) for row in sorted(world.members[f])]
    names = {"feature_id": pl.Int64, "row_id": pl.Int64}
    rows = {"row_id": list(range(len(world.rows))), "chunk": [chunk for chunk, _ in world.rows]}
    return {
        "corpus.rows": pl.DataFrame(rows | {"content_id": [content for _, content in world.rows]}).to_arrow(),
        "correlations.features": pa.Table.from_pylist(features, _FEATURES),
        "correlations.members": pl.DataFrame(members, schema=names, orient="row").to_arrow(),
        "keywords.phrases": pa.Table.from_pylist(
            [{"phrase": word, "position": "anywhere", "tokens": 1, "rows": rows} for word, rows in world.phrases],
            _PHRASES,
        ),
    }


_FEATURES = pa.schema(
    [pa.field(n, TABLES["correlations.features"].arrow_schema.field(n).type)
     for n in ("feature_id", "kind", "side", "definition", "synonym_of")]
)  # fmt: skip
_PHRASES = pa.schema(
    [
        pa.field(n, TABLES["keywords.phrases"].arrow_schema.field(n).type)
        for n in ("phrase", "position", "tokens", "rows")
    ]
)


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    settings = Settings.model_validate({"engine": {"threads": 2}})
    with Lens(Warehouse(tmp_path_factory.mktemp("pairs") / "lake"), settings) as opened:
        yield opened


def run(lens: Lens, world: World, min_both_rows: int = 1, min_trigger_contents: int = 1) -> pa.Table:
    """The model over the world: its four tables stand where the views of a lake would."""
    tables = {name.replace(".", "_"): table for name, table in tables_of(world).items()}
    with lens.registered(**tables):
        for name in ("corpus.rows", "correlations.features", "correlations.members", "keywords.phrases"):
            lens.connection.execute(f"create or replace view {name} as from {name.replace('.', '_')}")
        limits = {"min_both_rows": min_both_rows, "min_trigger_contents": min_trigger_contents}
        batches = list(lens.model("correlations.pairs", **limits))
    schema = batches[0].schema if batches else TABLES["correlations.pairs"].arrow_schema
    return pa.Table.from_batches(batches, schema)


def pairs_of(lens: Lens, world: World, min_both_rows: int = 1, min_trigger_contents: int = 1) -> list[dict[str, Any]]:
    return run(lens, world, min_both_rows, min_trigger_contents).to_pylist()


def random_world(seed: int) -> World:
    """Repeats inside and across chunks, features that go together more or less, empty ones, synonyms, all rows."""
    rng = np.random.default_rng(seed)
    chunks = CHUNKS[: rng.integers(1, len(CHUNKS) + 1)]
    contents = int(rng.integers(5, 160))
    rows = int(rng.integers(contents, 3 * contents))
    home = rng.integers(len(chunks), size=contents)
    world = World([])
    for content in [*range(contents), *rng.integers(contents, size=rows - contents).tolist()]:
        chunk = home[content] if rng.random() < 0.7 else rng.integers(len(chunks))
        world.rows.append((chunks[chunk], int(content)))
    for chunk in chunks:
        world.add_chunk(chunk)
    causes = [set(np.flatnonzero(rng.random(contents) < share).tolist()) for share in (0.1, 0.3, 0.5, 0.9)]
    local = set(np.flatnonzero(home == 0).tolist())
    for cause in (*causes, local):
        world.add("query", cause)
        kept = {content for content in cause if rng.random() < 0.8}
        world.add("response", kept | {content for content in range(contents) if rng.random() < 0.1})
    for rates in _STRONGER, _REVERSED:  # P(behavior) by whether the chunk is the first one and by trigger
        cause = {content for content in range(contents) if (rng.random() < 0.8) == (home[content] == 0)}
        effect = {c for c in range(contents) if rng.random() < rates[int(home[c] == 0)][int(c in cause)]}
        world.add("query", cause)
        world.add("response", effect)
    for side in ("query", "response"):
        world.add(side, set())
        world.add(side, set(range(contents)))
        leader = world.features[-1]["feature_id"]
        world.add(side, set(range(0, contents, 2)), synonym_of=leader)
    return world


# the oracle -----------------------------------------------------------------------------------------------------------


class Cells(NamedTuple):
    """A 2 × 2 table: both, trigger alone, behavior alone, neither."""

    a: int
    b: int
    c: int
    d: int


def cells(trigger: set[Any], behavior: set[Any], everything: set[Any]) -> Cells:
    return Cells(
        len(trigger & behavior),
        len(trigger - behavior),
        len(behavior - trigger),
        len(everything - trigger - behavior),
    )


def likelihood_log10_p(table: Cells) -> float:
    """The p-value by scipy's G-test with its continuity correction, through log_ndtr so that it cannot underflow."""
    a, b, c, d = table
    if 0 in (a + b, c + d, a + c, b + d):
        return 0.0
    deviance = stats.chi2_contingency([[a, b], [c, d]], correction=True, lambda_="log-likelihood").statistic
    return float(min(0.0, (math.log(2) + special.log_ndtr(-math.sqrt(max(deviance, 0.0)))) / math.log(10)))


def within(strata: Sequence[Cells]) -> tuple[float, float, float] | None:
    """Mantel–Haenszel log odds ratio with the interval of Robins, Breslow and Greenland (1986), term by term."""
    telling = [t for t in strata if t.a + t.b and t.c + t.d and t.a + t.c and t.b + t.d]
    if not telling:
        return None
    plain = [tuple(float(cell) for cell in t) for t in telling]
    if sum(a * d for a, _, _, d in plain) == 0 or sum(b * c for _, b, c, _ in plain) == 0:
        plain = [tuple(cell + 0.5 for cell in t) for t in plain]
    r = s = pr = ps_qr = qs = 0.0
    for a, b, c, d in plain:
        n = a + b + c + d
        p_i, q_i, r_i, s_i = (a + d) / n, (b + c) / n, a * d / n, b * c / n
        r, s = r + r_i, s + s_i
        pr, ps_qr, qs = pr + p_i * r_i, ps_qr + p_i * s_i + q_i * r_i, qs + q_i * s_i
    error = math.sqrt(pr / (2 * r**2) + ps_qr / (2 * r * s) + qs / (2 * s**2))
    middle = math.log(r / s)
    return middle, middle - Z * error, middle + Z * error


def oracle(world: World, min_both_rows: int, min_trigger_contents: int) -> dict[tuple[int, int], dict[str, Any]]:
    live = [f for f in world.features if f.get("synonym_of") is None and world.members[f["feature_id"]]]
    triggers = [f for f in live if f["side"] == "query"]
    behaviors = [f["feature_id"] for f in live if f["side"] == "response"]
    found = {}
    for trigger, behavior in product(triggers, behaviors):
        pair = one_pair(world, trigger, behavior)
        if pair["both_rows"] >= min_both_rows and pair["trigger_contents"] >= min_trigger_contents:
            found[trigger["feature_id"], behavior] = pair
    p = [10 ** pair["log10_p"] for pair in found.values()]
    all_p = p + [1.0] * (len(triggers) * len(behaviors) - len(p))
    if all_p:
        for pair, q in zip(found.values(), stats.false_discovery_control(all_p), strict=False):
            pair["q_value"] = q
    return found


def one_pair(world: World, trigger: dict[str, Any], behavior: int) -> dict[str, Any]:
    t, b = world.members[trigger["feature_id"]], world.members[behavior]
    both, mix = t & b, set(range(len(world.rows)))
    is_chunk = trigger["kind"] == "chunk"

    def evidence(rows: set[int]) -> set[Any]:
        return {world.rows[row] if is_chunk else world.rows[row][1] for row in rows}

    table = cells(evidence(t), evidence(b), evidence(mix))
    assert table.a == len(evidence(both))
    a, b_, c, d = (cell + 0.5 for cell in table)
    log_odds = math.log(a * d / (b_ * c))
    wilson = stats.binomtest(table.a, table.a + table.b).proportion_ci(method="wilson")
    strata = []
    for chunk in {name for name, _ in world.rows}:
        inside = {row for row in mix if world.rows[row][0] == chunk}
        strata.append(cells(*({world.rows[row] for row in rows & inside} for rows in (t, b, mix))))
    estimate = within(strata)
    by_chunk = {name: sum(world.rows[row][0] == name for row in both) for name, _ in world.rows}
    top = min(by_chunk, key=lambda name: (-by_chunk[name], name))
    return {
        "trigger_rows": len(t), "behavior_rows": len(b), "both_rows": len(both),
        "trigger_contents": table.a + table.b, "behavior_contents": table.a + table.c, "both_contents": table.a,
        "p_behavior_given_trigger": len(both) / len(t), "p_low": wilson.low, "p_high": wilson.high,
        "base_rate": len(b - t) / len(mix - t) if mix - t else None,
        "lift": len(both) / len(t) / (len(b) / len(mix)),
        "log_odds": log_odds, "score": log_odds - Z * math.sqrt(1 / a + 1 / b_ + 1 / c + 1 / d),
        "log10_p": likelihood_log10_p(table),
        "within_log_odds": estimate and estimate[0], "within_low": estimate and estimate[1],
        "within_high": estimate and estimate[2],
        "scope": None if estimate is None else scope(log_odds, *estimate),
        "is_reversed": estimate is not None and (estimate[2] < 0 if log_odds > 0 else estimate[1] > 0),
        "top_chunk": top, "top_chunk_share": by_chunk[top] / len(both) if both else None,
    }  # fmt: skip


def scope(log_odds: float, middle: float, low: float, high: float) -> str:
    agrees = low > 0 if log_odds > 0 else high < 0 if log_odds < 0 else False
    if not agrees:
        return "between"
    return "within" if abs(middle) >= abs(log_odds) / 2 else "mixed"


# against the oracle ---------------------------------------------------------------------------------------------------

EXACT = ("trigger_rows", "behavior_rows", "both_rows", "trigger_contents", "behavior_contents", "both_contents",
         "scope", "is_reversed", "top_chunk")  # fmt: skip


WORLDS = range(14)


def limits_of(seed: int) -> tuple[int, int]:
    return (1, 1) if seed % 3 else (3, 6)


@cache
def oracle_of(seed: int) -> dict[tuple[int, int], dict[str, Any]]:
    return oracle(random_world(seed), *limits_of(seed))


@pytest.mark.parametrize("seed", WORLDS)
def test_pairs_are_what_sets_and_scipy_say(seed: int, lens: Lens) -> None:
    limits = limits_of(seed)
    wanted = oracle_of(seed)
    pairs = pairs_of(lens, random_world(seed), *limits)
    found = {(pair["trigger_id"], pair["behavior_id"]): pair for pair in pairs}
    assert found.keys() == wanted.keys()
    for key, pair in wanted.items():
        for name, value in pair.items():
            if name in EXACT or value is None:
                assert found[key][name] == value, (key, name)
            else:
                assert found[key][name] == pytest.approx(value, rel=1e-6, abs=1e-6), (key, name)


def test_random_worlds_reach_every_branch() -> None:
    """The comparison above would prove little if its worlds had no repeats, no null base rate or only one scope."""
    pairs = [pair for seed in WORLDS for pair in oracle_of(seed).values()]
    assert {pair["scope"] for pair in pairs} == {
        None,
        "within",
        "between",
    }  # `mixed` and reversed pairs take many rows: see below
    assert any(pair["base_rate"] is None for pair in pairs)
    assert any(pair["trigger_contents"] < pair["trigger_rows"] for pair in pairs)
    assert any(pair["q_value"] < 0.05 for pair in pairs)
    assert any(0.05 < pair["q_value"] < 1 for pair in pairs)


def test_pairs_come_in_order_of_their_ids_and_two_runs_give_the_same_bytes(lens: Lens) -> None:
    once, again = run(lens, random_world(3)), run(lens, random_world(3))
    assert once.equals(again)
    keys = list(zip(once["trigger_id"].to_pylist(), once["behavior_id"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len(keys) > 20


def test_nothing_to_correlate_gives_no_pairs(lens: Lens) -> None:
    world = World([("a", 1), ("a", 2)])
    world.add("query", {1, 2})
    assert pairs_of(lens, world) == []


# by hand --------------------------------------------------------------------------------------------------------------


def test_repeats_are_rows_but_not_evidence(lens: Lens) -> None:
    world = World([("a", 1)] * 50 + [("b", 1)] * 5 + [("a", content) for content in range(2, 12)])
    trigger, behavior, chunk = world.add("query", {1, 2, 3}), world.add("response", {1, 2}), world.add_chunk("b")
    pairs = {pair["trigger_id"]: pair for pair in pairs_of(lens, world)}
    plain = pairs[trigger]
    assert plain["behavior_id"] == behavior
    assert (plain["trigger_rows"], plain["behavior_rows"], plain["both_rows"]) == (57, 56, 56)
    assert (plain["trigger_contents"], plain["behavior_contents"], plain["both_contents"]) == (3, 2, 2)
    assert plain["p_high"] - plain["p_low"] > 0.5  # two of three, not 56 of 57
    of_chunk = pairs[chunk]  # the content stands in both chunks, so each chunk counts it once
    assert (of_chunk["trigger_contents"], of_chunk["behavior_contents"], of_chunk["both_contents"]) == (1, 3, 1)


def from_cells(tables: dict[str, Cells]) -> World:
    """One trigger and one behavior with the given 2 × 2 table in each chunk; every row its own content."""
    world, trigger, behavior = World([]), set(), set()
    for chunk, table in tables.items():
        for cell, count in zip("abcd", table, strict=True):
            contents = range(len(world.rows), len(world.rows) + count)
            world.rows += [(chunk, content) for content in contents]
            trigger |= set(contents) if cell in "ab" else set()
            behavior |= set(contents) if cell in "ac" else set()
    world.add("query", trigger)
    world.add("response", behavior)
    return world


def test_a_correlation_that_turns_around_inside_chunks_is_reversed(lens: Lens) -> None:
    (pair,) = pairs_of(lens, from_cells({"a": Cells(300, 70, 70, 2), "b": Cells(2, 70, 70, 300)}))
    assert pair["score"] > 1
    assert pair["q_value"] < 0.001
    assert pair["within_high"] < 0
    assert pair["is_reversed"]
    assert pair["scope"] == "between"


@pytest.mark.parametrize(
    ("tables", "is_padded"),
    [
        ([Cells(20, 5, 5, 20), Cells(10, 9, 8, 30)], False),
        ([Cells(20, 0, 5, 20), Cells(10, 3, 0, 30)], True),  # no b·c anywhere: infinite without padding
        ([Cells(0, 12, 5, 20), Cells(7, 3, 5, 0)], True),  # no a·d anywhere: zero without padding
    ],
)
def test_padding_is_for_sums_of_zero_alone(tables: list[Cells], is_padded: bool, lens: Lens) -> None:
    (pair,) = pairs_of(lens, from_cells(dict(zip("ab", tables, strict=True))))
    cells_ = [tuple(cell + 0.5 * is_padded for cell in table) for table in tables]
    upper = sum(a * d / (a + b + c + d) for a, b, c, d in cells_)
    lower = sum(b * c / (a + b + c + d) for a, b, c, d in cells_)
    assert pair["within_log_odds"] == pytest.approx(math.log(upper / lower))
    assert pair["within_low"] < pair["within_log_odds"] < pair["within_high"]


@pytest.mark.parametrize(
    ("tables", "scope"),
    [
        ({"a": Cells(200, 20, 20, 200), "b": Cells(200, 20, 20, 200)}, "within"),
        ({"a": Cells(400, 50, 60, 20), "b": Cells(20, 60, 50, 400)}, "mixed"),
        ({"a": Cells(400, 50, 50, 6), "b": Cells(6, 50, 50, 400)}, "between"),
    ],
)
def test_scope_says_how_much_of_the_effect_is_inside_chunks(tables: dict[str, Cells], scope: str, lens: Lens) -> None:
    (pair,) = pairs_of(lens, from_cells(tables))
    assert pair["log_odds"] > 2
    assert pair["scope"] == scope
    assert not pair["is_reversed"]


def test_chunks_in_which_nothing_varies_tell_nothing(lens: Lens) -> None:
    world = World([("a", content) for content in range(30)] + [("b", content) for content in range(30, 60)])
    world.add("query", set(range(30)))
    world.add("response", set(range(28)))
    (pair,) = pairs_of(lens, world)
    assert pair["within_log_odds"] is None
    assert pair["within_low"] is None
    assert pair["scope"] is None
    assert not pair["is_reversed"]
    assert pair["score"] > 0


def test_ties_between_chunks_are_broken_by_name(lens: Lens) -> None:
    world = World([(chunk, content) for content, chunk in enumerate(["z", "m", "z", "m", "x", "a"])])
    world.add("query", {0, 1, 2, 3, 4})
    world.add("response", {0, 1, 2, 3, 4})
    (pair,) = pairs_of(lens, world)
    assert (pair["top_chunk"], pair["top_chunk_share"]) == ("m", 0.4)


def test_synonyms_form_no_pairs_and_count_in_no_test(lens: Lens) -> None:
    def world(synonyms: int) -> World:
        made = World([("a", content) for content in range(40)])
        leader = made.add("query", set(range(12)))
        made.add("response", set(range(2, 13)))
        for _ in range(synonyms):
            made.add("query", set(range(11)), synonym_of=leader)
        return made

    (alone,) = pairs_of(lens, world(0))
    (beside,) = pairs_of(lens, world(5))
    assert alone == beside


def test_pairs_that_never_meet_count_as_tests(lens: Lens) -> None:
    world = World([("a", content) for content in range(60)])
    world.add("query", set(range(10)))
    world.add("response", set(range(9)))
    (alone,) = pairs_of(lens, world)
    for start in (20, 30, 40, 50):
        world.add("response", set(range(start, start + 5)))
    (among,) = pairs_of(lens, world)
    assert among["q_value"] == pytest.approx(5 * alone["q_value"])


# echoes ---------------------------------------------------------------------------------------------------------------


def echo(lens: Lens, trigger: dict[str, Any], behavior: dict[str, Any], *phrases: tuple[str, int]) -> bool:
    world = World([("a", content) for content in range(40)], phrases=list(phrases))
    world.add("query", set(range(10)), **trigger)
    world.add("response", set(range(8)), **behavior)
    (pair,) = pairs_of(lens, world)
    return bool(pair["is_echo"])


def keyword(definition: str) -> dict[str, str]:
    return {"kind": "keyword", "definition": definition}


def cluster(definition: str) -> dict[str, str]:
    return {"kind": "cluster", "definition": definition}


@pytest.mark.parametrize(
    ("trigger", "behavior", "is_echo"),
    [
        (keyword("in french"), keyword("in french"), True),
        (keyword("the french word"), keyword("a french poem"), True),
        (keyword("in french"), keyword("in german"), False),  # two letters are no content word
        (keyword("翻译 成"), keyword("请 翻译"), True),  # two Han characters are
        (keyword("译 成"), keyword("请 译"), False),
        (keyword("step ⟨n⟩"), keyword("⟨n⟩ apples"), False),
        ({"kind": "phrase", "definition": "two parts"}, keyword("both parts"), True),
        ({"kind": "shape", "definition": "chinese"}, {"kind": "shape", "definition": "chinese"}, True),
        ({"kind": "shape", "definition": "chinese"}, {"kind": "shape", "definition": "french"}, False),
        ({"kind": "shape", "definition": "french"}, keyword("french"), False),  # a shape's name is no text of its rows
        ({"kind": "regex", "definition": "(?i)french"}, keyword("french"), False),
        ({"kind": "regex", "definition": "x+"}, {"kind": "regex", "definition": "x+"}, True),
        (cluster("The query uses slang."), cluster("The response uses slang."), True),
        (cluster("The query uses slang."), cluster("The response uses words of slang."), False),
        (cluster("The query is about “hive, swarm”."), cluster("The response is about “swarm, queen”."), False),
        (cluster("The query is about “hive, swarm”."), cluster("The response is about “swarm, queen, hive”."), True),
        (cluster("The query is about “hive, swarm”."), keyword("the swarm"), True),
    ],
)
def test_echoes_share_a_content_word_or_their_definition(
    trigger: dict[str, str], behavior: dict[str, str], is_echo: bool, lens: Lens
) -> None:
    assert echo(lens, trigger, behavior) is is_echo


@pytest.mark.parametrize(("rows", "is_echo"), [(2, True), (3, False)])
def test_words_in_more_than_one_row_of_twenty_are_grammar(rows: int, is_echo: bool, lens: Lens) -> None:
    assert echo(lens, keyword("with salt"), keyword("with pepper"), ("with", rows)) is is_echo


def test_one_common_word_beside_a_content_word_is_an_echo(lens: Lens) -> None:
    assert echo(lens, keyword("with salt"), keyword("with salt"), ("with", 40))


# the test statistic ---------------------------------------------------------------------------------------------------


def exact_log10_p(table: Cells) -> float:
    """Twice the smaller hypergeometric tail, as a logarithm that cannot underflow."""
    total = sum(table)
    margins = (total, table.a + table.b, table.a + table.c)
    upper = stats.hypergeom.logsf(table.a - 1, *margins)
    lower = stats.hypergeom.logcdf(table.a, *margins)
    return float(min(0.0, (math.log(2) + min(upper, lower)) / math.log(10)))


def grid() -> list[Cells]:
    tables = []
    for total, triggers, behaviors in product(
        (200, 2_000, 30_000, 250_000), (20, 60, 400, 5_000), (15, 100, 1_500, 20_000)
    ):
        if triggers >= total or behaviors >= total:
            continue
        expected = triggers * behaviors / total
        highest = min(triggers, behaviors)
        for share in (0.0, 0.02, 0.1, 0.3, 0.6, 1.0):
            a = round(expected + share * (highest - expected))
            tables.append(Cells(a, triggers - a, behaviors - a, total - triggers - behaviors + a))
    return [table for table in tables if min(table) >= 0]


def test_the_likelihood_ratio_keeps_to_the_exact_tail(lens: Lens) -> None:
    """Over a grid from p = 1 to 1e-5760: at most 0.13 decades too strong, at most 1.37 too weak (15 of 20 and 15)."""
    tables = grid()
    frame = pl.DataFrame(tables, schema=["a", "b", "c", "d"], orient="row")
    with lens.registered(tables=frame.to_arrow()):
        found = lens.table("select stats.log10_p(stats.signed_root(a, b, c, d)) as p from tables")["p"].to_pylist()
    assert len(found) == len(tables) > 200
    assert found == pytest.approx([likelihood_log10_p(table) for table in tables], abs=1e-6, rel=1e-6)
    exact = [exact_log10_p(table) for table in tables]
    assert min(exact) < -1_000
    off = [p - true for p, true in zip(found, exact, strict=True)]  # in decades
    assert min(off) > -0.15
    assert max(off) < 1.5
