"""The two judges of a trace by models (paper: appendix D.1.2): one describes a text, one picks cruxes of ten sentences.

Judge 1 is the extractor that the lake's attributes came from: it sees the failing query, or the failing response, and
nothing else. Judge 2 sees the rubric and the ten sentences, not the response. An answer that cannot be used makes its
failure one that cannot be traced, with the reason; it never becomes a default.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from chunky import turf
from chunky.by_model import Asker
from chunky.corpus.ids import signed_hash
from chunky.errors import SettingsError
from chunky.llm import Ledger, Model, Reply, Request, get_model
from chunky.llm.roles import Parsed, crux_picker, extractor
from chunky.llm.roles.extractor import Side, Text
from chunky.llm.tally import Tally
from chunky.pipeline.models import ledger_path, model_of
from chunky.pipeline.trace_cruxes import vectors_of
from chunky.pipeline.trace_vectors import F32, SentenceVectors
from chunky.settings import RULES, Settings
from chunky.turf import Failure
from chunky.warehouse import Warehouse

SIDES: tuple[Side, Side] = ("query", "response")
ATTRIBUTES = extractor.COUNT  # of each side, in the paper's method and from models (appendix D.1.1)

Failed = dict[int, str]
"""failure_id → why there is no answer about it."""


class Told(NamedTuple):
    """What a judge said, as a frame, and which failures it said nothing usable about."""

    frame: pl.DataFrame
    failed: Failed


class Judges:
    """Who plays the roles of a trace, under one budget; the lake's ledger is opened when a model plays one.

    Calls are made one by one, also with `llm.batch`: nobody waits a day for a trace. Answers are those of the build,
    so that a text of the mix costs nothing.
    """

    def __init__(self, lake: Warehouse, settings: Settings, vectors: SentenceVectors) -> None:
        named = settings.llm.run or f"run-{uuid.uuid4()}"  # else each role would have a budget of its own
        llm = settings.llm.model_copy(update={"run": named, "batch": False})
        self._lake, self._settings = lake, settings.model_copy(update={"llm": llm})
        self._vectors = vectors
        self._known: dict[str, F32] = {}
        self._ledger: Ledger | None = None
        self._models: dict[str, Model] = {}

    def open(self, role: str) -> None:
        """Find who plays `role`; SettingsError or PrerequisiteError as `model_of` raises them."""
        if self._settings.model(role) == RULES:  # no call that anybody pays: no ledger, which a read-only lake has not
            self._models[role] = get_model(RULES, tools={"embed": self._embed})
            return
        self._ledger = self._ledger or Ledger(ledger_path(self._lake))
        self._models[role] = model_of(self._lake, self._settings, role, self._ledger)

    def close(self) -> None:
        """Let the ledger go."""
        if self._ledger is not None:
            self._ledger.close()

    def describe(self, failures: Sequence[Failure]) -> Told:
        """Ten attributes of each side of each failure, blind; in the columns of `RulesExtractor`."""
        texts = {(side, getattr(each, side)): None for each in failures for side in SIDES}
        asked = [Text(side, text) for side, text in texts]
        told = dict(zip(texts, self._ask("extractor", extractor.requests(asked), extractor.read), strict=True))
        rows: list[tuple[int, str, int, str, str, int]] = []
        failed: Failed = {}
        for failure in failures:
            for side in SIDES:
                parsed = told[side, getattr(failure, side)]
                if parsed.value is None:
                    failed.setdefault(failure.failure_id, self._why("extractor", f"describe its {side}", parsed))
                    continue
                rows += [
                    (failure.failure_id, side, rank, sentence, "model", signed_hash(side, sentence))
                    for rank, sentence in enumerate(parsed.value.attributes, 1)
                ]
        return Told(pl.DataFrame(rows, schema=_DESCRIBED, orient="row"), failed)

    def pick(self, failures: Sequence[Failure], candidates: pl.DataFrame) -> Told:
        """The candidates that a judge holds responsible, three of a failure, most responsible first.

        `candidates` are the ten of each failure, best first, with columns failure_id, attribute, attribute_id; all
        their columns come back, with those of a weight: 1 where there is nothing to weigh.
        """
        own = {key[0]: part for key, part in candidates.group_by("failure_id", maintain_order=True)}
        asked = [each for each in failures if each.failure_id in own]
        if self._settings.model("crux_picker") == RULES:
            self._learn(asked, candidates)
        requests: list[Request] = []
        for each in asked:
            suspects = crux_picker.Suspects(tuple(own[each.failure_id]["attribute"]), each.query)
            requests += crux_picker.requests([suspects], each.rubric)
        parts, failed = [candidates.clear()], Failed()
        for each, parsed in zip(asked, self._ask("crux_picker", requests, crux_picker.read), strict=True):
            if parsed.value is None:
                failed[each.failure_id] = self._why("crux_picker", "pick its cruxes", parsed)
            else:
                parts.append(own[each.failure_id][list(parsed.value.places)])
        unweighed = pl.lit(None, pl.Float64)
        picked = pl.concat(parts).with_columns(
            crux_weight=pl.lit(1.0), rubric_similarity=unweighed, query_similarity=unweighed, top_relevance=pl.lit(1.0)
        )
        return Told(picked, failed)

    def _learn(self, failures: Sequence[Failure], candidates: pl.DataFrame) -> None:
        """Find the vectors that the rules will ask for at once: one by one they took a second of CPU time a failure."""
        places, rows = vectors_of(candidates, self._vectors)
        known = candidates.select("attribute", "attribute_id").unique().iter_rows()
        self._known = {sentence: rows[places[attribute_id]] for sentence, attribute_id in known}
        self._embed([text for each in failures for text in (each.query, *turf.behaviors_of(each.rubric))])

    def _embed(self, texts: Sequence[str]) -> F32:
        """Unit vectors of texts, float32 (n, d)."""
        strange = list(dict.fromkeys(text for text in texts if text not in self._known))
        if strange:
            self._known |= dict(zip(strange, self._vectors.encode(strange), strict=True))
        return np.stack([self._known[text] for text in texts])

    def _ask(
        self, role: str, requests: Sequence[Request], read: Callable[[Request, Reply], Parsed[Any]]
    ) -> list[Parsed[Any]]:
        """What the replies say, in order. EngineError and BudgetError where no further call can succeed."""
        if not requests:
            return []
        model = self._models[role]
        tally = Tally(role, model.name, len(requests))
        asker = Asker(model, tally, max_failed_share=1, is_whole=False, on_tally=lambda _: None)
        return asker.ask(requests, read)

    def _why(self, role: str, what: str, parsed: Parsed[Any]) -> str:
        return f"{self._models[role].name} as {role} did not {what} ({parsed.error}: {parsed.detail})"


_DESCRIBED = {
    "failure_id": pl.Int64, "side": pl.String, "attribute_rank": pl.Int32, "attribute": pl.String, "family": pl.String,
    "attribute_id": pl.Int64,
}  # fmt: skip


def same_extractor(lake: Warehouse, settings: Settings) -> None:
    """SettingsError where a model described the lake and the settings name none to describe a failure alike."""
    if settings.model("extractor") != RULES:
        return
    facts: Mapping[str, str] = next(iter(lake.parts("attributes.texts").values())).provenance
    built = json.loads(facts.get("inputs", "{}")).get("model", "anthropic:NAME")
    raise SettingsError(
        "a model found the attributes of this lake, and the extractor of the settings is rules",
        f"let the same describe the failure: --set extractor={built}",
    )
