"""Accepted pairs: what a team wants its mix to teach, written down with a reason and a date.

`accepted.yaml` holds a list of entries:

    - trigger: contains “in two parts”      # text of the trigger as `chunky diff` prints it, exact or with * and ?
      behavior: ends with *hope*
      reason: house style for two-part answers
      date: 2026-01-31
      until: 2026-12-31                     # optional; silent up to and including that day

An accepted pair is told apart and does not count as a difference. Pure: text and dates in, judgments out.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from chunky.errors import InputError

if TYPE_CHECKING:
    from chunky.diff import News

_REQUIRED = ("trigger", "behavior", "reason", "date")
_REMEDY = "write `trigger`, `behavior`, `reason` and `date: YYYY-MM-DD`, and `until` if you like; see docs/diff.md"


@dataclass(frozen=True)
class Entry:
    """One accepted pair; `until` is the last day on which it counts, None for ever."""

    trigger: str
    behavior: str
    reason: str
    date: datetime.date
    until: datetime.date | None = None

    def covers(self, news: News) -> bool:
        """Whether the entry means this pair: both texts equal, or matched as patterns with `*` and `?`."""
        return all(
            pattern == text or fnmatchcase(text, pattern.replace("[", "[[]"))
            for pattern, text in ((self.trigger, news.trigger_text), (self.behavior, news.behavior_text))
        )


@dataclass(frozen=True)
class Judged:
    """News that count, accepted news with the entry that silences each, and what is wrong with the list."""

    news: tuple[News, ...]
    accepted: tuple[tuple[News, Entry], ...]
    complaints: tuple[str, ...]


def parse(where: str, text: str) -> list[Entry]:
    """Entries of a file's `text`; InputError naming `where`, the entry and what it lacks."""
    import yaml

    try:
        listed = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-02-30 is a ValueError
        raise InputError(f"{where} is no valid YAML: {error}", _REMEDY) from error
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise InputError(f"{where} holds no list", _REMEDY)
    return [_entry(f"{where}, entry {number}", item) for number, item in enumerate(listed, 1)]


def _entry(where: str, item: Any) -> Entry:
    if not isinstance(item, dict):
        raise InputError(f"{where} is no mapping", _REMEDY)
    missing = [name for name in _REQUIRED if not str(item.get(name) or "").strip()]
    unknown = sorted(str(name) for name in set(item) - {*_REQUIRED, "until"})
    if missing or unknown:
        lacks = f" lacks {', '.join(missing)}" if missing else ""
        strange = f" does not know {', '.join(unknown)}" if unknown else ""
        raise InputError(f"{where}{lacks}{' and' if lacks and strange else ''}{strange}", _REMEDY)
    trigger, behavior, reason = (str(item[name]).strip() for name in ("trigger", "behavior", "reason"))
    until = None if item.get("until") is None else _day(where, "until", item["until"])
    return Entry(trigger, behavior, reason, _day(where, "date", item["date"]), until)


def _day(where: str, name: str, value: Any) -> datetime.date:
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError as error:
        raise InputError(f"{where}: {name} is {value!r}", _REMEDY) from error


def judge(told: Sequence[News], entries: Sequence[Entry], today: datetime.date) -> Judged:
    """Set accepted headlines apart. An entry silences a headline with all that is folded beneath it.

    An entry that means only a folded pair takes that pair out and leaves the headline. Entries that mean nothing here,
    or that ran out, are complained of.
    """
    valid = [entry for entry in entries if entry.until is None or entry.until >= today]
    used: set[Entry] = set()
    news: list[News] = []
    accepted: list[tuple[News, Entry]] = []
    for headline in told:
        entry = next((entry for entry in valid if entry.covers(headline)), None)
        if entry is not None:
            accepted.append((headline, entry))
            used |= {entry, *(e for e in valid if any(e.covers(other) for other in headline.folded))}
            continue
        silenced = {e: other for e in valid for other in headline.folded if e.covers(other)}
        used |= set(silenced)
        accepted += [(other, e) for e, other in silenced.items()]
        rest = tuple(other for other in headline.folded if not any(e.covers(other) for e in silenced))
        news.append(_with_folded(headline, rest))
    complaints = [f"the entry {e.trigger!r} → {e.behavior!r} ran out on {e.until}" for e in entries if e not in valid]
    complaints += [f"the entry {e.trigger!r} → {e.behavior!r} matches no news" for e in valid if e not in used]
    return Judged(tuple(news), tuple(accepted), tuple(complaints))


def _with_folded(headline: News, folded: tuple[News, ...]) -> News:
    from dataclasses import replace

    return replace(headline, folded=folded)
