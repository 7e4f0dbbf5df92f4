"""The attribute pool of a search, from the lake or from a file (paper: section 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from chunky import turf
from chunky.corpus import Source
from chunky.errors import InputError, MissingTable
from chunky.lens import Lens
from chunky.pipeline.frame import frame_of
from chunky.settings import Settings
from chunky.warehouse import Warehouse

__all__ = ["is_own", "known_attributes", "pool_attributes", "row_attributes"]

_COLUMNS = ("attribute", "text", "summary", "cluster")
_ROWS = 20_000  # rows of which a candidate may borrow attributes: drawn by hash, some 20 MB

_POOL = {
    "clusters": """
select coalesce(cluster_name, cluster) as attribute
from clusters.summaries as summaries left join clusters.names using (cluster_id)
where summaries.side = 'query' order by cluster_id
""",
    "attributes": "select attribute from attributes.texts where side = 'query' order by attribute_id",
}
_OF_ROWS = """
select list(attribute order by attribute_rank) as attributes
from attributes.row_attributes as ranked inner join attributes.texts as texts using (attribute_id)
where texts.side = 'query' and attribute_rank <= 10
    and row_id in (select row_id from corpus.rows order by hash(row_id) limit ?)
group by row_id order by row_id
"""


_KNOWN = """
select attribute
from wanted
where attribute in (select attribute from attributes.texts where side = 'query')
    or attribute in (select cluster_name from clusters.names where side = 'query' and cluster_name is not null)
"""
_RECORD = 'give it an attribute, as in {"attribute": "The query is about bees."}'


def pool_attributes(lake: Warehouse, settings: Settings) -> list[str]:
    """The attributes that the settings name."""
    named = settings.surf.pool
    if named in _POOL:
        table = "clusters.summaries" if named == "clusters" else "attributes.texts"
        if not lake.parts(table):
            raise MissingTable(
                f"{table} is not built yet", "build it: chunky build; or name a pool: --set surf.pool=FILE"
            )
        with Lens(lake, settings) as lens:
            return frame_of(lens.table(_POOL[named]))["attribute"].to_list()
    path = Path(named)
    if not path.is_file():
        raise InputError(f"there is no pool {named!r}", f"name one of {', '.join(_POOL)}, or a file of attributes")
    found: list[str] = []
    source = Source(str(path), str(path), "", path.stat().st_size)
    for number, record in enumerate(turf.read_records(source, _COLUMNS), 1):
        if record is None:
            continue
        if isinstance(record, InputError):
            raise InputError(f"{path}, record {number:,}: {record.problem}", _RECORD)
        text = next((record[name] for name in _COLUMNS if record.get(name)), None)
        if not isinstance(text, str):
            raise InputError(f"{path}, record {number:,} has no attribute", f"give it a field {', '.join(_COLUMNS)}")
        found.append(text)
    return found


def is_own(settings: Settings) -> bool:
    """Whether the pool is a file of the user's."""
    return settings.surf.pool not in _POOL


def known_attributes(lake: Warehouse, settings: Settings, attributes: Sequence[str]) -> list[str]:
    """Those that some row of the mix has, by the mix's own sentences, in their order: what rules can recombine."""
    wanted = pl.DataFrame({"attribute": pl.Series(list(attributes), dtype=pl.String)})
    with Lens(lake, settings) as lens, lens.registered(wanted=wanted.unique().to_arrow()):
        known = set(frame_of(lens.table(_KNOWN))["attribute"].to_list())
    return [each for each in attributes if each in known]


def row_attributes(lake: Warehouse, settings: Settings) -> list[list[str]]:
    """Attributes of rows of the mix, where candidates borrow some."""
    if not settings.surf.row_attributes:
        return []
    with Lens(lake, settings) as lens:
        return frame_of(lens.table(_OF_ROWS, [_ROWS]))["attributes"].to_list()
