"""What a call costs: a price file that users edit, exact amounts, and an upper bound before the call.

Amounts are integers of 1e-9 dollars ("nano"), because a budget summed in floats over two million calls drifts. A model
without a price has no cost, not a cost of zero: whoever holds a budget refuses it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from chunky.errors import SettingsError
from chunky.llm.protocol import Request

_T = TypeVar("_T")
NANO = 1_000_000_000
_SHIPPED = Path(__file__).with_name("prices.toml")
# Tokens that a vendor adds around the text: chat template, and for a schema the instructions that go with it.
_FIXED_TOKENS, _SCHEMA_TOKENS, _MESSAGE_TOKENS = 64, 1_024, 16
_KEYS = {"input_usd_per_million", "output_usd_per_million", "is_free", "batch_discount", "as_of"}
_DISCOUNT_KEYS = {"discount", "as_of"}


@dataclass(frozen=True)
class Price:
    """Price of one model: 1e-15 dollars a token (exact for any fraction of a cent per million), and its date."""

    input_femto: int
    output_femto: int
    as_of: date
    batch_discount: Decimal | None = None  # the part of the price that a batch saves; None: nobody told it

    def less(self, discount: Decimal) -> Price:
        """The price with a part of it taken off, rounded up."""
        rest = 1 - discount
        inputs, outputs = (
            int((amount * rest).to_integral_value(ROUND_CEILING)) for amount in (self.input_femto, self.output_femto)
        )
        return replace(self, input_femto=inputs, output_femto=outputs)

    def nano(self, input_tokens: int, output_tokens: int) -> int:
        """Cost of a call in 1e-9 dollars, rounded up."""
        return -(-(input_tokens * self.input_femto + output_tokens * self.output_femto) // 1_000_000)


def usd(nano: int | None) -> float | None:
    """Dollars of an amount in 1e-9 dollars; unknown stays unknown."""
    return None if nano is None else nano / NANO


def nano_of(dollars: float) -> int:
    """An amount of dollars in 1e-9 dollars, rounded down: a limit is never rounded up."""
    return int(Decimal(str(dollars)) * NANO)


def most_tokens(request: Request) -> int:
    """More input tokens than any byte-level tokenizer can make of the request: one for each UTF-8 byte, and the fixed
    ones around them. About four times the usual count of English text; the difference is released after the call.
    """
    texts = sum(len(message.text.encode("utf-8", "replace")) + _MESSAGE_TOKENS for message in request.messages)
    schema = 0 if request.schema is None else len(json.dumps(request.schema)) + _SCHEMA_TOKENS
    return texts + schema + _FIXED_TOKENS


@dataclass(frozen=True)
class Prices:
    """Prices by name or pattern of model, in the order in which they are tried."""

    by_model: Mapping[str, Price]
    origin: str
    batch_discounts: Mapping[str, Decimal] = field(default_factory=dict)

    def find(self, model: str) -> Price | None:
        """Price of a model (`anthropic:NAME`, `openai:NAME@URL`): by its name, else by the first pattern that fits."""
        return _fitting(self.by_model, model)

    def find_batch(self, model: str) -> Price | None:
        """Price of a model inside a batch: the discount of its own entry, else of the first pattern in [batches]; None
        where nobody told one. A model that is free is free in a batch.
        """
        price = self.find(model)
        if price is None or not (price.input_femto or price.output_femto):
            return price
        discount = price.batch_discount
        if discount is None:
            discount = _fitting(self.batch_discounts, model)
        return None if discount is None else price.less(discount)

    def demand(self, model: str) -> Price:
        """Price of a model; SettingsError, saying where to write one, when nobody told it."""
        price = self.find(model)
        if price is None:
            raise SettingsError(
                f"no price is known for {model} (looked in {self.origin}), so no budget can hold",
                f'add [models."{model}"] with input_usd_per_million, output_usd_per_million, as_of; or is_free = true',
            )
        return price

    def demand_batch(self, model: str) -> Price:
        """Price of a model inside a batch; SettingsError, saying where to write one, when nobody told it."""
        self.demand(model)
        price = self.find_batch(model)
        if price is None:
            raise SettingsError(
                f"no batch discount is known for {model} (looked in {self.origin}), so no budget can hold",
                f'add batch_discount = 0.5 to its entry, or [batches."{model.partition(":")[0]}:*"] with discount and'
                " as_of; 0 where batches save nothing",
            )
        return price


def _fitting(entries: Mapping[str, _T], model: str) -> _T | None:
    """The entry of a model: by its name, else by the first pattern that fits."""
    if model in entries:
        return entries[model]
    return next((entry for name, entry in entries.items() if fnmatchcase(model, name)), None)


def load_prices(*paths: Path) -> Prices:
    """Prices of the files that exist, earlier ones first, then the shipped file; SettingsError names a bad entry."""
    by_model: dict[str, Price] = {}
    discounts: dict[str, Decimal] = {}
    there = [path for path in (*paths, _SHIPPED) if path.is_file()]
    for path in there:
        content = _content(path)
        for model, entry in content["models"].items():
            by_model.setdefault(model, _price(path, model, entry))
        for model, entry in content["batches"].items():
            discounts.setdefault(model, _discount(path, model, entry))
    return Prices(by_model, ", ".join(str(path) for path in (*paths, _SHIPPED)), discounts)


def set_price(path: Path, model: str, price: Mapping[str, Any]) -> None:
    """Write the price of one model (keys as in the file) to the top of a user's file, keeping the other entries.

    Comments of the file are lost. SettingsError when the entry makes no sense.
    """
    _price(path, model, price)
    kept = _content(path) if path.is_file() else {"models": {}, "batches": {}}
    models = {model: dict(price)} | {name: entry for name, entry in kept["models"].items() if name != model}
    blocks = []
    for table, entries in (("models", models), ("batches", kept["batches"])):
        for name, entry in entries.items():
            lines = [f"[{table}.{json.dumps(name)}]", *(f"{key} = {_toml(value)}" for key, value in entry.items())]
            blocks.append("\n".join(lines) + "\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(blocks), encoding="utf-8")


def _toml(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | str) else str(value)


def _content(path: Path) -> dict[str, dict[str, Any]]:
    """The tables [models] and [batches] of a file, empty where it has none."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no valid TOML: {error}", "correct the file") from error
    tables = {"models": content.pop("models", {}), "batches": content.pop("batches", {})}
    if content or not all(isinstance(table, dict) for table in tables.values()):
        raise SettingsError(
            f"{path} holds something else than models and discounts of batches",
            'name each as [models."provider:name"] or [batches."provider:*"]',
        )
    return tables


def _discount(path: Path, model: str, entry: object) -> Decimal:
    """What batches of a model or of all models of a provider save."""
    if not isinstance(entry, Mapping) or set(entry) != _DISCOUNT_KEYS or not isinstance(entry["as_of"], date):
        raise SettingsError(
            f"{path}: the batch discount of {model} is not understood", "its keys are discount and as_of = YYYY-MM-DD"
        )
    return _part(path, model, entry["discount"])


def _part(path: Path, model: str, value: object) -> Decimal:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1:
        raise SettingsError(
            f"{path}: {value!r} is no batch discount of {model}", "give the part saved, from 0 to below 1: half is 0.5"
        )
    return Decimal(str(value))


def _price(path: Path, model: str, entry: object) -> Price:
    if not isinstance(entry, Mapping) or set(entry) - _KEYS:
        raise SettingsError(
            f"{path}: the price of {model} is not understood", f"its keys are {', '.join(sorted(_KEYS))}"
        )
    as_of = entry.get("as_of")
    if not isinstance(as_of, date):
        raise SettingsError(f"{path}: the price of {model} has no date", "add as_of = YYYY-MM-DD, the day you looked")
    if entry.get("is_free") is True:
        return Price(0, 0, as_of)
    return Price(
        _femto(path, model, entry.get("input_usd_per_million")),
        _femto(path, model, entry.get("output_usd_per_million")),
        as_of,
        None if "batch_discount" not in entry else _part(path, model, entry["batch_discount"]),
    )


def _femto(path: Path, model: str, value: object) -> int:
    """Dollars per million tokens → 1e-15 dollars a token, rounded up."""
    try:
        amount = (
            Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else Decimal("NaN")
        )
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise SettingsError(
            f"{path}: {value!r} is no price of {model}", "give dollars per million tokens above 0, or is_free = true"
        )
    return int((amount * 1_000_000_000).to_integral_value(rounding=ROUND_CEILING))
