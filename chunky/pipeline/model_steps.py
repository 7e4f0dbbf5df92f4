"""The steps in which models speak: attributes of the texts, names of the clusters; and the record of their calls.

Each is read → ask → write. What was paid for is in the ledger as soon as it is there, so that a step which is killed
goes on from there: its next run asks again, and the ledger answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.parquet as pq

from chunky.by_model import Asker, extraction, naming
from chunky.by_model.extraction import Block, sentences_schema
from chunky.clusters.naming import name_by_medoid
from chunky.lens import Lens
from chunky.llm import Ledger
from chunky.llm.books import calls_reader, state
from chunky.llm.protocol import Request
from chunky.llm.roles import Parsed, extractor, summarizer
from chunky.llm.tally import Tally
from chunky.pipeline.frame import Built, Progress, frame_of, meter, run_step, silent, texts
from chunky.pipeline.models import ledger_of, ledger_path, model_of
from chunky.settings import RULES, Settings
from chunky.tables import TABLES
from chunky.warehouse import Transaction, Warehouse

_NONE_BY_MODEL = ("attributes.words", "attributes.topics")  # what only rules need to know a text's topic

_SENTENCES = """
select
    attribute_id,
    any_value(side) as side,
    any_value(attribute) as attribute,
    'model' as family,
    any_value(counts.rows) as rows,
    null::double as attribute_weight,
    null::bigint as same_as,
    'model' as kind,
    null::varchar as position,
    null::varchar as definition,
from new_sentences
inner join (select attribute_id, count(*) as rows from new_attributes group by attribute_id) as counts
    using (attribute_id)
group by attribute_id
order by attribute_id
"""
_CLUSTERS = """
select
    summaries.cluster_id,
    summaries.side,
    summaries.cluster,
    list({'text': attribute, 'count': texts.rows} order by texts.rows desc, attribute)[:?] as commonest,
from clusters.summaries
inner join clusters.assignments using (cluster_id)
inner join attributes.texts using (attribute_id)
where summaries.attributes >= ?
group by all
order by summaries.cluster_id
"""


def nothing(table: str) -> pa.Table:
    """No rows of a table."""
    return TABLES[table].arrow_schema.empty_table()


def build_attributes_by_model(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Ask a model what each side of each row is like (the tables of the step `attributes`)."""

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        with Ledger(ledger_path(lake)) as ledger:
            asker = _Opened(lake, settings, "extractor", ledger)
            progress("texts that repeat", 0, None)
            repeats = extraction.find_repeats(lambda: texts(lake, silent))
            asking = asker.begin(sum(repeats.distinct.values()), progress)
            if settings.llm.batch:
                asking.fetch(extraction.questions(lambda: texts(lake, silent), repeats), extractor.read)
            blocks = extraction.extract(
                lambda: texts(lake, silent), repeats, lambda requests: asking.ask(requests, extractor.read)
            )
            _write_attributes(lake, lens, transaction, facts, blocks)
        for table in _NONE_BY_MODEL:
            transaction.write(table, nothing(table), facts)

    return run_step(lake, settings, "attributes", work)


def build_names(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Name each cluster (`clusters.names`)."""
    model = settings.model("summarizer")

    def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
        # one sentence alone is its own name, and no model is paid for it
        least = 2 if model != RULES else 2**62
        plain = frame_of(lens.table("select * from clusters.summaries where attributes < ?", [least]))
        with transaction.open("clusters.names", facts) as names:
            names.write(name_by_medoid(plain).to_arrow())
            if model == RULES:
                return
            clusters = frame_of(lens.table(_CLUSTERS, [naming.SHOWN, least]))
            with Ledger(ledger_path(lake)) as ledger:
                asking = _Opened(lake, settings, "summarizer", ledger).begin(clusters.height, progress)

                def ask(requests: Sequence[Request]) -> list[Parsed[str]]:
                    return asking.ask(requests, summarizer.read)

                if settings.llm.batch:
                    asking.fetch(naming.questions(clusters), summarizer.read)
                for part in naming.name(clusters, ask, model):
                    names.write(part.to_arrow())

    return run_step(lake, settings, "names", work)


def build_calls(lake: Warehouse, settings: Settings, progress: Progress = silent) -> Built:
    """Copy the record of model calls from the ledger (`llm.calls`)."""
    with ledger_of(lake) as ledger:

        def work(lens: Lens, transaction: Transaction, facts: dict[str, str]) -> None:
            transaction.write("llm.calls", calls_reader(ledger), facts)

        return run_step(lake, settings, "calls", work, {"ledger": state(ledger)})


def forget_failures(lake: Warehouse) -> int:
    """Make the steps stale in which calls failed, so that the next build asks again; returns how many had failed.

    What was answered is in the ledger, and costs nothing then.
    """
    count = 0
    for table, failed in (("attributes.failures", "true"), ("clusters.names", "error is not null")):
        with Lens(lake) as lens:
            found = len(lens.table(f"select 1 from {table} where {failed}"))
        if found:
            with lake.transaction(table) as transaction:
                transaction.drop(table, ())
            count += found
    return count


class _Opened:
    """A role's model, opened before any work is done: a missing key or price is told at once."""

    def __init__(self, lake: Warehouse, settings: Settings, role: str, ledger: Ledger) -> None:
        self._model = model_of(lake, settings, role, ledger)
        self._role, self._limits = role, settings.llm

    def begin(self, total: int, progress: Progress) -> Asker:
        tally = Tally(self._role, self._model.name, total)
        told: Callable[[Tally], None] = meter(progress, f"calls of the {self._role}")
        told(tally)
        return Asker(self._model, tally, max_failed_share=self._limits.max_failed_share, on_tally=told)


def _write_attributes(
    lake: Warehouse, lens: Lens, transaction: Transaction, facts: dict[str, str], blocks: Iterator[Block]
) -> None:
    """Attributes chunk by chunk as they come; then the sentences, counted by SQL, since memory may not hold them."""
    scratch = lake.root / ".scratch" / "attributes"
    scratch.mkdir(parents=True, exist_ok=True)
    written = scratch / "sentences.parquet"
    with (
        transaction.open("attributes.failures", facts) as failures,
        pq.ParquetWriter(written, sentences_schema()) as sentences,
    ):

        def by_chunk() -> Iterator[tuple[str, pa.Table]]:
            for block in blocks:
                failures.write(block.failures)
                sentences.write_table(block.sentences)
                yield from block.chunks

        # the lake's files stand in order of chunk, so each chunk comes once
        parts = [
            transaction.write("attributes.row_attributes", (rows for _, rows in group), facts, (chunk,))
            for chunk, group in groupby(by_chunk(), key=itemgetter(0))
        ]
    told = lens.connection.read_parquet(str(written))
    ranked = lens.connection.read_parquet([str(lake.root / part.file) for part in parts], hive_partitioning=False)
    with lens.registered(new_sentences=told, new_attributes=ranked):
        transaction.write("attributes.texts", lens.batches(_SENTENCES), facts)
    shutil.rmtree(scratch)
