"""The three models of a search: who writes queries, who answers them, who scores the responses (paper: section 3.1).

A call that gives nothing usable is asked again a few times; what still fails is an error of its candidate, never a
score. Calls that cost are made once: the lake's ledger has their answers, so that a search that was cut off goes on at
the call.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple, TypeVar

from chunky.by_model import Asker
from chunky.errors import EngineError, InputError
from chunky.fingerprints import digest_of
from chunky.llm import Ledger, Model, Reply, Request, get_model
from chunky.llm.providers.registry import check_role
from chunky.llm.roles import Parsed, canaries, generator, judge, target
from chunky.llm.roles.judge import Exchange, Verdict
from chunky.llm.tally import Tally
from chunky.pipeline.models import budget_of, ledger_path, model_of, prices_of, tools_of
from chunky.rubrics import Rubric
from chunky.settings import MIX, RULES, Settings
from chunky.surf import Candidate
from chunky.warehouse import Warehouse

__all__ = ["OFFLINE", "ROLES", "Answered", "Players", "Scored", "check_players", "players_of"]

Value = TypeVar("Value")
Read = Callable[[Request, Reply], Parsed[Value]]

_OUTAGES = ("server", "connection", "timeout", "overloaded", "rate limit")

ROLES = ("generator", "target", "judge")
OFFLINE = (RULES, MIX)
"""Models that answer on this machine: asking again gives the same, and nobody pays."""


class Answered(NamedTuple):
    """A response, or the kind of error that stands in its place."""

    text: str | None
    error: str | None


class Scored(NamedTuple):
    """A violation score with the judge's reason, or the kind of error that stands in its place."""

    score: float | None
    reason: str | None
    error: str | None


@contextmanager
def players_of(lake: Warehouse, settings: Settings, rubric: Rubric) -> Iterator[Players]:
    """The players that the settings name, under one budget; the lake's ledger is opened where a call costs.

    SettingsError or PrerequisiteError for a model that cannot be called; nothing is asked before all three are there.
    """
    named = settings.llm.run or f"run-{uuid.uuid4()}"  # else each role would have a budget of its own
    llm = settings.llm.model_copy(update={"run": named, "batch": False})
    told = settings.model_copy(update={"llm": llm})
    tools = tools_of(lake, told)  # one for all roles: what they know of the mix is loaded once
    ledger: Ledger | None = None
    models: dict[str, Model] = {}
    try:
        for role in ROLES:
            if told.model(role) in OFFLINE:  # their calls are made again sooner than they are looked up
                models[role] = get_model(told.model(role), tools=tools)
                continue
            ledger = ledger or Ledger(ledger_path(lake))
            models[role] = model_of(lake, told, role, ledger)
        yield Players(told, rubric, models)
    finally:
        if ledger is not None:
            ledger.close()


def check_players(lake: Warehouse, settings: Settings, rubric: Rubric) -> None:
    """Raise what a search would: SettingsError or PrerequisiteError for a model that cannot be called or cannot play
    its role, InputError for rules that would judge a rubric without signals. Nobody is asked.
    """
    for role in ROLES:
        check_role(settings.model(role), role)
    if settings.model("judge") == RULES and not rubric.signals:
        raise InputError(
            f"the rubric {rubric.name} has no signals, by which rules would judge",
            "name a model as judge: --judge anthropic:NAME; or add `signals:` to the rubric",
        )
    budget, prices = budget_of(settings.llm), prices_of(lake, settings)
    for role in ROLES:
        get_model(settings.model(role), budget=budget, prices=prices)


class Players:
    """Plays candidates out: query, response, score. `tallies` counts the calls of each role.

    `agreement` is what the canaries said of the judge so far: (agreed, read). Rules are not tested: a rubric's canaries
    are theirs.
    """

    def __init__(self, settings: Settings, rubric: Rubric, models: dict[str, Model]) -> None:
        self._settings, self._rubric, self._models = settings, rubric, models
        self.tallies = {role: Tally(role, models[role].name, 0) for role in ROLES}
        self.agreement = (0, 0)
        self.on_tally: Callable[[Tally], None] = lambda _: None

    def play(self, proposed: dict[int, list[Candidate]]) -> dict[int, list[Candidate]]:
        """Seed → its candidates with what came of them; the same whichever seeds are played together.

        Raises:
            BudgetError: the run may spend no more; what was answered is in the ledger.
            EngineError: no call can succeed any more, or not one of the candidates got a score.

        """
        wished = [each for candidates in proposed.values() for each in candidates]
        written = [parsed for seed, candidates in proposed.items() for parsed in self._write(seed, candidates)]
        asked = [parsed.value for parsed in written if parsed.value is not None]
        answers = iter(self.answer(asked, range(self._settings.surf.samples)))
        responses = [next(answers) if parsed.value is not None else [] for parsed in written]
        exchanges = [
            Exchange(parsed.value, answer.text)
            for parsed, answered in zip(written, responses, strict=True)
            for answer in answered
            if parsed.value is not None and answer.text is not None
        ]
        scores = iter(self.score(exchanges))
        done = iter(
            _played(candidate, parsed, answered, [next(scores) for answer in answered if answer.text is not None])
            for candidate, parsed, answered in zip(wished, written, responses, strict=True)
        )
        found = {seed: [next(done) for _ in candidates] for seed, candidates in proposed.items()}
        self._check_scored([each for candidates in found.values() for each in candidates])
        return found

    def answer(self, queries: Sequence[str], samples: Sequence[int]) -> list[list[Answered]]:
        """For each query one response a sample, in order."""
        surf = self._settings.surf
        requests = [
            request
            for sample in samples
            for request in target.requests(
                queries, system=surf.target_system or None, max_tokens=surf.max_tokens, temperature=surf.temperature,
                sample=sample,
            )
        ]  # fmt: skip
        told = [_answered(parsed) for parsed in self._ask("target", requests, target.read)]
        return [told[place :: len(queries)] for place in range(len(queries))]

    def score(self, exchanges: Sequence[Exchange], sample: int = 0) -> list[Scored]:
        """The judge's scores, in order; canaries are mixed in where a model judges."""
        is_tested = self._settings.model("judge") != RULES
        # other canaries each time, and asked anew: an answer that the ledger has says nothing of the judge as it is now
        turn = int(digest_of([[each.query, each.response] for each in exchanges])[:12], 16)
        mixed = canaries.mix(exchanges, self._rubric.canaries if is_tested else (), seed=turn)
        requests = judge.requests(mixed.exchanges, self._rubric, sample=sample)
        tests = judge.requests([mixed.exchanges[place] for place in mixed.canaries], self._rubric, sample=turn)
        for place, request in zip(mixed.canaries, tests, strict=True):
            requests[place] = request
        parsed = self._ask("judge", requests, judge.read)
        sorted_out = canaries.take_out(mixed, parsed)
        agreed, read = self.agreement
        self.agreement = agreed + sorted_out.agreement.agreed, read + sorted_out.agreement.read
        return [_scored(each) for each in sorted_out.verdicts]

    def _write(self, seed: int, candidates: Sequence[Candidate]) -> list[Parsed[str]]:
        """Queries of one seed's candidates: equal wishes of any iteration are draws of their own."""
        if not candidates:
            return []
        wishes = [generator.Wish(each.attributes) for each in candidates]
        first = candidates[0].iteration * self._settings.surf.candidates
        return self._ask("generator", generator.requests(wishes, seed=seed, sample=first), generator.read)

    def _ask(self, role: str, requests: Sequence[Request], read: Read[Value]) -> list[Parsed[Value]]:
        """What the replies say, in order; failed calls of a model are made again."""
        found: list[Parsed[Value]] = self._once(role, requests, read) if requests else []
        again = 0 if self._settings.model(role) in OFFLINE else self._settings.surf.retries
        for _ in range(again):
            # a refusal that the vendor reports is the target's answer for good, as far as it goes
            failed = [at for at, parsed in enumerate(found) if parsed.error is not None and parsed.error != "refusal"]
            if not failed or (len(failed) == len(found) > 1 and all(found[at].error in _OUTAGES for at in failed)):
                break  # each was tried several times already, and nobody answered
            for at, parsed in zip(failed, self._once(role, [requests[at] for at in failed], read), strict=True):
                found[at] = parsed
        return found

    def _once(self, role: str, requests: Sequence[Request], read: Read[Value]) -> list[Parsed[Value]]:
        tally = self.tallies[role]
        tally.total += len(requests)
        heard = (lambda _: None) if self._settings.model(role) in OFFLINE else self.on_tally  # free calls are no news
        asker = Asker(self._models[role], tally, max_failed_share=1, is_whole=False, on_tally=heard)
        return asker.ask(requests, read)

    def _check_scored(self, candidates: Sequence[Candidate]) -> None:
        errors = [each.error for each in candidates if each.violation_score is None]
        if errors and len(errors) == len(candidates):
            kinds = ", ".join(f"{kind} ({number:,})" for kind, number in Counter(errors).most_common(3))
            if all(self._settings.model(role) in OFFLINE for role in ROLES):
                remedy = "name another pool, such as --set surf.pool=clusters"
            else:
                remedy = (
                    "look at the last calls: chunky sql 'select * from llm.calls order by started_at desc'; "
                    "the same command goes on from here"
                )
            raise EngineError(f"none of {len(errors):,} candidates got a score: {kinds}", remedy)


def _answered(parsed: Parsed[str]) -> Answered:
    return Answered(parsed.value, None if parsed.error is None else f"target: {parsed.error}")


def _scored(parsed: Parsed[Verdict]) -> Scored:
    if parsed.value is None:
        return Scored(None, None, f"judge: {parsed.error}")
    return Scored(parsed.value.score, parsed.value.reason, None)


def _played(
    candidate: Candidate, written: Parsed[str], answered: Sequence[Answered], scored: Sequence[Scored]
) -> Candidate:
    """A candidate with its query, the response that scored worst, and the mean score of all its samples."""
    if written.value is None:
        return replace(candidate, error=f"generator: {written.error}")
    query = written.value
    texts = [answer.text for answer in answered if answer.text is not None]
    known = [
        (verdict.score, text, verdict.reason)
        for verdict, text in zip(scored, texts, strict=True)
        if verdict.score is not None
    ]
    errors = [error for _, error in answered if error] + [error for _, _, error in scored if error]
    if errors or not known:  # a mean over some of the samples would not be the mean
        return replace(candidate, query=query, response=texts[0] if texts else None, error=errors[0])
    _, response, reason = max(known, key=lambda each: each[0])
    return replace(
        candidate, query=query, response=response, violation_score=fmean(s for s, _, _ in known), reason=reason
    )
