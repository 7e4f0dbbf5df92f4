"""The models of a lake: its ledger, its prices, and who plays a role under which budget.

The ledger is `LAKE/llm/ledger.sqlite`: one for all pipelines and processes that work on the lake.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from chunky.attributes import Fitted, extract_texts
from chunky.embedders import get_embedder
from chunky.errors import MissingTable, SettingsError
from chunky.lens import Lens
from chunky.llm import Budget, Ledger, Model, Policy, Prices, get_model, load_prices
from chunky.llm.books import state
from chunky.pipeline.mix_answers import MixAnswers
from chunky.pipeline.prompts import Prompts
from chunky.sections import Llm
from chunky.settings import RULES, Settings
from chunky.warehouse import Warehouse

__all__ = [
    "budget_of",
    "ledger_of",
    "ledger_path",
    "ledger_state",
    "model_of",
    "prices_of",
    "roles_by_models",
    "tools_of",
]

ROLES = ("extractor", "summarizer")  # those that a build has
_LIMIT = "max_cost_"


def roles_by_models(settings: Settings) -> dict[str, str]:
    """Role of a build → specification of the model that plays it; none where rules do."""
    return {role: settings.model(role) for role in ROLES if settings.model(role) != RULES}


def ledger_path(lake: Warehouse) -> Path:
    """Where the lake's ledger is, or will be."""
    return lake.root / "llm" / "ledger.sqlite"


@contextmanager
def ledger_of(lake: Warehouse) -> Iterator[Ledger]:
    """The lake's ledger; one in memory, and empty, where nothing was ever asked: looking makes no file."""
    path = ledger_path(lake)
    with Ledger(path if path.is_file() else None) as ledger:
        yield ledger


def ledger_state(lake: Warehouse) -> str:
    """What changes whenever the lake's books do."""
    with ledger_of(lake) as ledger:
        return state(ledger)


def prices_of(lake: Warehouse, settings: Settings) -> Prices:
    """The lake's prices; SettingsError when the file that the settings name is not there."""
    named = settings.llm.prices
    if named and not Path(named).is_file():
        raise SettingsError(f"there is no price file {named} (setting llm.prices)", "correct the path")
    return load_prices(Path(named) if named else lake.root / "prices.toml")


def budget_of(limits: Llm) -> Budget:
    """The budget of a run: the whole, and the roles that have a limit of their own."""
    values = limits.model_dump()
    roles = {name.removeprefix(_LIMIT): value for name, value in values.items() if name.startswith(_LIMIT)}
    return Budget(
        limits.run or f"run-{uuid.uuid4()}",
        limits.max_cost,
        {role: value for role, value in roles.items() if value is not None},
    )


def tools_of(lake: Warehouse, settings: Settings) -> dict[str, Callable[..., Any]]:
    """What the providers `rules` and `mix` need to know of the lake, each loaded when it is first used.

    For `rules`: the extractor, fitted by the step `attributes`, the embedder, and the generator; for `mix`: answers.
    """

    @cache
    def fitted() -> Fitted:
        with Lens(lake, settings) as lens:
            tables = {name: lens.table(f"select * from attributes.{name}") for name in ("texts", "words", "topics")}
        if "model" in tables["texts"]["family"].unique().to_pylist() or not tables["texts"].num_rows:
            raise MissingTable("the lake has no attributes by rules", "build them: chunky build --set extractor=rules")
        return Fitted.load(tables)

    def extract(side: str, text: str) -> list[str]:
        query, response = (text, "") if side == "query" else ("", text)
        found = extract_texts(query, response, fitted())
        return found.filter(side=side).sort("attribute_rank")["attribute"].to_list()

    def embed(texts: Sequence[str]) -> Any:
        return get_embedder(settings.embeddings.embedder, settings.embeddings.device).encode(list(texts))

    return {
        "extract": extract,
        "embed": embed,
        "generate": Prompts(lake, settings, fitted),
        "answer": MixAnswers(lake, settings),
    }


def model_of(lake: Warehouse, settings: Settings, role: str, ledger: Ledger) -> Model:
    """Who plays `role`.

    SettingsError for no model, or one without a price under a budget; PrerequisiteError for a missing key or package.
    """
    limits = settings.llm
    return get_model(
        settings.model(role), ledger=ledger, budget=budget_of(limits), prices=prices_of(lake, settings),
        max_in_flight=limits.max_in_flight,
        policy=Policy(max_attempts=limits.max_attempts, timeout=limits.timeout_seconds), tools=tools_of(lake, settings),
        batch=limits.batch,
    )  # fmt: skip
