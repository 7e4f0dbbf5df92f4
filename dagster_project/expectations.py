"""Great Expectations over the catalog's watches, on pandas projections from Arrow.

Each watch becomes one column of a small frame that DuckDB projects, so that no text travels: a null share needs only
whether there is a value, the largest share of a value only the shares. Great Expectations' own DuckDB engine is not
used: with duckdb-engine every expectation fails, because the connection is closed before the result is fetched.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from chunky.lens import Lens
from chunky.tables import Table, Watch

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_ROWS = 1_000_000  # ten expectations over so many rows take about a second
KINDS = ("null_share", "mean", "median", "max_share", "rows")
_PER_ROW = ("null_share", "mean", "median")


@dataclass(frozen=True)
class Verdict:
    """One expectation's result; `observed` and `is_kept` are None where a table holds nothing to observe."""

    kind: str
    column: str
    expectation: str
    low: float
    high: float
    observed: float | None
    is_kept: bool | None

    def record(self) -> dict[str, Any]:
        """Flat values for a metadata table; unknowns are empty text, as such tables hold no null."""
        return {name: "" if value is None else value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Verdict:
        """The verdict that `record` was made from."""
        values: dict[str, Any] = {name: None if value == "" else value for name, value in record.items()}
        return cls(**values)

    def sentence(self) -> str:
        """What was seen, in words."""
        seen = "nothing to observe" if self.observed is None else f"{self.observed:.4g}"
        return f"{self.kind} of {self.column}: {seen} (expected {self.low:g} to {self.high:g})"


def judge(entry: Table, lens: Lens) -> list[Verdict]:
    """Verdict of Great Expectations on each watch of `entry`, in catalog order.

    Per-row watches look at a fixed sample of about SAMPLE_ROWS rows when the table is longer (chosen by the hash of
    its key); shares of values and row counts are exact.
    """
    total = int(lens.table(f"select count(*) as total from {_quoted(entry.name)}")["total"][0].as_py())
    verdicts: dict[str, Verdict] = {}
    for watches, frame in _frames(entry, lens, total):
        verdicts |= _validate(watches, frame)
    return [verdicts[name] for name in named(entry)]


def named(entry: Table) -> dict[str, Watch]:
    """The watches of `entry` by the name of the column that each looks at in its projection."""
    return {f"{number}_{watch.kind}_{watch.column}": watch for number, watch in enumerate(entry.watches)}


def _frames(entry: Table, lens: Lens, total: int) -> Iterator[tuple[dict[str, Watch], pd.DataFrame]]:
    """Watches by column, with the frame that has these columns."""
    import pandas as pd

    watches = named(entry)
    if per_row := {name: watch for name, watch in watches.items() if watch.kind in _PER_ROW}:
        yield per_row, lens.table(projection(entry, per_row, total)).to_pandas()
    for name, watch in watches.items():
        if watch.kind == "max_share":
            yield {name: watch}, lens.table(_shares(entry, name, watch)).to_pandas()
        elif watch.kind == "rows":
            yield {name: watch}, pd.DataFrame({name: [float(total)]})


def projection(entry: Table, watches: Mapping[str, Watch], total: int) -> str:
    """SQL of the per-row projection of `watches`; identifiers come from the catalog alone."""
    columns = ", ".join(
        f'case when "{watch.column}" is not null then 1.0 end as "{name}"'
        if watch.kind == "null_share"
        else f'"{watch.column}"::double as "{name}"'
        for name, watch in watches.items()
    )
    sql = f"select {columns} from {_quoted(entry.name)}"
    if total <= SAMPLE_ROWS:
        return sql
    key = ", ".join(f'"{name}"' for name in entry.key)
    return f"{sql} where hash({key}) % {math.ceil(total / SAMPLE_ROWS)} = 0"


def _shares(entry: Table, name: str, watch: Watch) -> str:
    column = f'"{watch.column}"'
    return (
        f'select count(*) / sum(count(*)) over () as "{name}" from {_quoted(entry.name)} '
        f"where {column} is not null group by {column}"
    )


def _quoted(name: str) -> str:
    schema, short = name.split(".")
    return f'"{schema}"."{short}"'


def _expectation(column: str, watch: Watch) -> Any:
    """The expectation that says what a watch means of `column` of its projection."""
    gxe = _great_expectations().expectations
    if watch.kind == "null_share":
        low, high = 1 - watch.high, 1 - watch.low
        return gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(column=column, min_value=low, max_value=high)
    kinds = {
        "mean": gxe.ExpectColumnMeanToBeBetween,
        "median": gxe.ExpectColumnMedianToBeBetween,
        "max_share": gxe.ExpectColumnMaxToBeBetween,
        "rows": gxe.ExpectColumnMaxToBeBetween,
    }
    return kinds[watch.kind](column=column, min_value=watch.low, max_value=watch.high)


def _validate(watches: Mapping[str, Watch], frame: pd.DataFrame) -> dict[str, Verdict]:
    gx = _great_expectations()
    expectations = [_expectation(column, watch) for column, watch in watches.items()]
    types = {wanted.column: wanted.expectation_type for wanted in expectations}
    if frame.empty:
        return {column: _verdict(watch, types[column], None) for column, watch in watches.items()}
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset("projection")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    results = batch.validate(gx.ExpectationSuite("watches", expectations=expectations)).results
    found = {result.expectation_config.kwargs["column"]: result for result in results}
    return {column: _verdict(watch, types[column], found[column]) for column, watch in watches.items()}


def _great_expectations() -> Any:
    """The package, imported late (4 s) and without its usage statistics."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "module 'sre_(constants|parse)' is deprecated", DeprecationWarning)
        import great_expectations
    return great_expectations


def _verdict(watch: Watch, expectation: str, result: Any) -> Verdict:
    observed: float | None = None if result is None else result.result.get("observed_value")
    if observed is not None and watch.kind == "null_share":
        observed = 1 - observed
    if observed is None or math.isnan(observed):
        return Verdict(watch.kind, watch.column, expectation, watch.low, watch.high, None, None)
    return Verdict(watch.kind, watch.column, expectation, watch.low, watch.high, float(observed), bool(result.success))
