"""Documentation that cannot lie: links, names, numbers and examples of every page are checked against the code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import pyarrow as pa
import pytest

from chunky import tables_page
from chunky.correlations.custom import parse_sql, parse_yaml
from chunky.features import Feature, find_members
from chunky.lens import Lens
from chunky.pipeline import sql_members
from chunky.settings import Settings
from chunky.settings import names as setting_names
from chunky.sql_files import macros
from chunky.stages import STAGES, Stage
from chunky.tables import TABLES
from chunky.warehouse import Warehouse
from tests.small_lake import fill

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "warehouse").glob("*.md")])
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
GENERATED = ("cli.md", "macros.md", "questions.md", "tables.md")
WRITTEN = [page for page in PAGES if page.name not in GENERATED]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
# Written so that this file does not break its own rule.
_FORBIDDEN = re.compile(
    r"(?<![\w./-])/(?:work|tmp|home|root|Users)\b|py" r"pi\.|python" r"hosted|--(?:extra-)?index-url"
)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def each_page(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=name)


def fences(page: Path, language: str) -> list[str]:
    return [body for kind, body in _FENCE.findall(page.read_text(encoding="utf-8")) if kind == language]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def code_words(page: Path) -> Iterator[str]:
    yield from _CODE.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings as Markdown viewers make them: lower case, no punctuation, hyphens for spaces."""
    heads = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@each_page(PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.is_relative_to(ROOT), f"{target} leaves the repository"
        assert there.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in anchors(there), f"{target}: no such heading"


@each_page(WRITTEN)
def test_files_that_are_named_exist(page: Path) -> None:
    for word in code_words(page):
        if re.fullmatch(r"(?:chunky|sql|tests|assets|dagster_project)/[\w./-]+", word):
            assert (ROOT / word).exists(), f"{word} does not exist"


@each_page(WRITTEN)
def test_verbs_settings_tables_and_macros_that_are_named_exist(page: Path) -> None:
    verbs = set(re.findall(r"^## chunky (\w+)", (DOCS / "cli.md").read_text(encoding="utf-8"), re.MULTILINE))
    known = {*setting_names(), *TABLES, *(macro.name for macro in macros())}
    schemas = {entry.split(".")[0] for entry in known} - {"sql"}
    for word in code_words(page):
        if found := re.match(r"chunky ([a-z]+)", word):
            assert found[1] in verbs, f"there is no verb `{word}`"
        if re.fullmatch(rf"(?:{'|'.join(sorted(schemas))})\.(?!py$|sql$)[a-z_0-9]+", word):
            column = word.rpartition(".")
            assert word in known or column[0] in TABLES, f"there is no `{word}`"


@each_page(PAGES)
def test_pages_speak_of_the_project_alone(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [found.group() for found in _FORBIDDEN.finditer(text)] == []


def test_the_rule_about_words_can_be_broken() -> None:
    for bad in ("see /tmp/lake", "at /home/me/lake"):
        assert _FORBIDDEN.search(bad), bad
    assert not _FORBIDDEN.search("docs/work and https://example.org/tmp-files")


def test_the_page_of_tables_is_fresh() -> None:
    assert tables_page.PAGE.read_text(encoding="utf-8") == tables_page.render(), "run python -m chunky.tables_page"


def test_the_page_of_tables_tells_every_column() -> None:
    sections = tables_page.render().split("\n## ")[1:]
    assert [section.split("\n")[0] for section in sections] == list(TABLES)
    for section, entry in zip(sections, TABLES.values(), strict=True):
        assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == entry.column_names


@pytest.mark.parametrize("table", TABLES)
def test_architecture_names_every_table(table: str) -> None:
    assert f"`{table}`" in prose(DOCS / "architecture.md")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_architecture_tells_what_a_step_reads_and_writes(stage: Stage) -> None:
    lines = (DOCS / "architecture.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"| `{stage.name}`")]
    _, _, writes, reads, _ = line.split("|")
    assert sorted(re.findall(r"`([\w.]+)`", writes)) == sorted(stage.tables)
    assert [table for table in stage.reads if table.split(".")[1] not in reads] == []


def test_architecture_draws_the_layers_of_the_import_contract() -> None:
    (contract,) = [
        contract
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
            "contracts"
        ]
        if contract["type"] == "layers"
    ]
    (drawing,) = [block for block in fences(DOCS / "architecture.md", "") if "Dagster stops here" in block]
    drawn = [set(re.split(r"[ ·.]+", line[:70])) for line in drawing.splitlines()]
    places = []
    for layer in contract["layers"]:
        wanted = {module.split(".")[-1] for module in layer.split(" | ")}
        places.append(next((place for place, names in enumerate(drawn) if wanted <= names), None))
    assert None not in places
    assert places == sorted(set(places))  # type: ignore[type-var]


@pytest.mark.parametrize("table", ["correlations.pairs", "report.findings"])
def test_statistics_tells_every_number(table: str) -> None:
    text = prose(DOCS / "statistics.md")
    numbers = [
        column for column in TABLES[table].column_names if TABLES[table].column(column).type in ("double", "bool")
    ]
    counts = [
        column for column in TABLES[table].column_names if column.endswith(("_rows", "_contents", "_rank", "_pairs"))
    ]
    assert [column for column in (*numbers, *counts) if f"`{column}`" not in text] == []


def _examples() -> list[tuple[str, str]]:
    lines = [line for block in fences(DOCS / "statistics.md", "sql") for line in block.splitlines()]
    return [tuple(line.split("; -- ")) for line in lines]  # type: ignore[misc]


def test_statistics_has_examples() -> None:
    assert len(_examples()) >= 10


@pytest.mark.parametrize(("sql", "told"), _examples())
def test_an_example_of_statistics_comes_out_as_told(sql: str, told: str, tmp_path: Path) -> None:
    with Lens(Warehouse(tmp_path / "lake")) as lens:
        ((value,),) = lens.connection.sql(sql).fetchall()
    assert float(value) == float(told)


def _numbers() -> list[tuple[str, str]]:
    text = (DOCS / "statistics.md").read_text(encoding="utf-8").split("## Numbers that decide")[1]
    return re.findall(r"^\| `([\w.]+)` \| ([\d./]+) \|", text, re.MULTILINE)


def test_statistics_lists_all_settings_that_decide() -> None:
    listed = {name for name, _ in _numbers()}
    wanted = {setting for setting in setting_names() if setting.startswith(("correlations.", "report."))}
    assert wanted <= listed


@pytest.mark.parametrize(("constant", "value"), _numbers())
def test_a_number_that_decides_is_the_one_in_the_code(constant: str, value: str) -> None:
    place, _, key = constant.rpartition(".")
    holder = import_module(place) if place.startswith("chunky.") else getattr(Settings(), place)
    assert float(getattr(holder, key)) == pytest.approx(float(Fraction(value)))


def _yaml_features() -> list[Feature]:
    page = DOCS / "features.md"
    return [feature for block in fences(page, "yaml") for feature in parse_yaml(page, block)]


def _sql_features() -> list[Feature]:
    return [
        parse_sql(Path(f"example_{number}.sql"), block)
        for number, block in enumerate(fences(DOCS / "features.md", "sql"))
    ]


def test_examples_of_features_are_features() -> None:
    assert {feature.kind for feature in _yaml_features()} == {"phrase", "regex", "sql"}
    assert len(_sql_features()) >= 2
    ids = [feature.feature_id for feature in (*_yaml_features(), *_sql_features())]
    assert len(set(ids)) == len(ids)


def test_examples_of_features_find_their_rows(tmp_path: Path) -> None:
    lake = fill(Warehouse(tmp_path / "lake"))
    features = [*_yaml_features(), *_sql_features()]
    with Lens(lake) as lens:
        rows = lens.table("select row_id, chunk, query, response from corpus.rows")
        asked = ["Answer:\n1. Add.\n2. Sort.", "Elucidate it.", "1. Add, then stop."]
        more = [{"row_id": 11 + i, "chunk": "x", "query": query, "response": "Done."} for i, query in enumerate(asked)]
        members = find_members(features, [rows, pa.Table.from_pylist(more)])
        members |= {f.feature_id: sql_members(lens, f) for f in features if f.kind == "sql"}
    found = {feature.name: sorted(members[feature.feature_id].tolist()) for feature in features}
    # the SQL files: rows 8 and 9 ask the same in one chunk alone, and the lake's table of duplicates is empty
    assert found == {
        "two parts": [11],
        "hope": [1, 2, 10],
        "elaborate": [12],
        "short answer": [1, 3, 6],
        "later turn": [10],
        "example_0": [],
        "example_1": [],
    }


@each_page(DECISIONS)
def test_a_decision_has_its_sections(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.name[:4]}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Question", "Choice", "Price"]
    sections = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    assert all(section.strip() for section in sections)
    assert len(text.splitlines()) <= 60, "one page at most"


def test_decisions_are_numbered_and_listed() -> None:
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04d}" for number in range(1, len(DECISIONS) + 1)]
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    titles = {page.name: page.read_text(encoding="utf-8").split("\n")[0][8:] for page in DECISIONS}
    assert re.findall(r"^- \[\d+\]\((.+?)\): (.+)$", index, re.MULTILINE) == list(titles.items())


def test_the_changelog_has_short_lines() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert [
        line for line in lines if line.startswith("- ") and (len(line.split()) > 25 or not line.endswith("."))
    ] == []
