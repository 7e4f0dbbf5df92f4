"""What the models of a search will take at most, before one is asked."""

from __future__ import annotations

from chunky.llm.protocol import Request
from chunky.llm.roles import canaries, generator, judge, target
from chunky.llm.roles.judge import Exchange
from chunky.pipeline.estimates import Estimate, estimated
from chunky.pipeline.models import ledger_of
from chunky.pipeline.players import OFFLINE, ROLES
from chunky.pipeline.searching import audit_of, settings_of
from chunky.settings import Settings
from chunky.warehouse import Warehouse

# A candidate as it usually is: three attributes, a query of two sentences, a response of a hundred words.
_ATTRIBUTES = tuple(f"The query speaks of {'a plain thing ' * 3}{number}." for number in range(1, 4))
_QUERY = "I have a plain question about an ordinary thing. " * 2
_RESPONSE = "This is what is usually said of such things in a few words. " * 9


def search_estimates(lake: Warehouse, settings: Settings, audit: str, seeds: int) -> list[Estimate]:
    """One estimate for each role that a model plays in `seeds` searches of an audit; none of them makes a call.

    Bounds: every search may converge before its last iteration, and equal queries are answered once. Raises what
    opening the models raises, but for a missing key; MissingTable for an audit that is not there.
    """
    this = audit_of(lake, audit)
    told = settings_of(settings, this)
    one_by_one = told.model_copy(update={"llm": told.llm.model_copy(update={"batch": False})})  # as searches ask
    limits = told.surf
    candidates = seeds * limits.iterations * limits.candidates
    fresh = seeds * limits.failures * limits.fresh_samples
    tests = [
        canaries.number(len(this.rubric.canaries), rows)
        for rows in (*[seeds * limits.candidates * limits.samples] * limits.iterations, fresh)
    ]
    calls = {
        "generator": candidates,
        "target": candidates * limits.samples + fresh,
        "judge": candidates * limits.samples + fresh + sum(tests),
    }
    samples: dict[str, list[Request]] = {
        "generator": generator.requests([generator.Wish(_ATTRIBUTES)]),
        "target": target.requests([_QUERY], system=limits.target_system or None, max_tokens=limits.max_tokens),
        "judge": judge.requests([Exchange(_QUERY, _RESPONSE)], this.rubric),
    }
    with ledger_of(lake) as ledger:
        return [
            estimated(
                lake, one_by_one, ledger, role, candidates, calls[role], samples[role], what="candidates", is_bound=True
            )
            for role in ROLES
            if told.model(role) not in OFFLINE
        ]
