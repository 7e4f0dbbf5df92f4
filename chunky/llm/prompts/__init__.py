"""Prompts as files: one per role in this folder, with a version that changes whenever a word does.

A file begins with a header between two `---` lines (`version`, and `fenced`: the slots that hold text of strangers),
then `## system` and `## user`. A slot is `{{name}}`. The system part holds trusted slots only, so it is the same for
all calls of a stage and providers can cache it; the user part opens with the code of the call. `shared.md` follows
every system part: it says what fences are and how to reply.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from chunky.errors import InputError, PrerequisiteError, SettingsError
from chunky.llm.fences import CODE, code_for, fence
from chunky.llm.protocol import Message, Request

__all__ = ["NAMES", "Prompt", "code_of", "load", "parse", "versions"]

_FOLDER = Path(__file__).parent
NAMES = ("crux_picker", "extractor", "generator", "judge", "perturber", "summarizer")
"""Prompts that travel with the package; each is the role of that name."""

_SLOT = re.compile(r"\{\{([a-z_]+)\}\}")
_FILE = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
_PARTS = re.compile(r"\A\s*## system\n(.*?)\n## user\n(.*)\Z", re.DOTALL)
_OPENING = "Code: {{code}}\n"
_CODE_LINE = re.compile(rf"\ACode: ({CODE})\n")


@dataclass(frozen=True)
class Prompt:
    """A prompt: its parts with their slots, which slots are fenced, and its version, `<number>-<digest of its text>`.

    The digest covers the shared part too.
    """

    name: str
    version: str
    system: str
    user: str
    fenced: tuple[str, ...]

    def messages(
        self,
        trusted: Mapping[str, str],
        strange: Mapping[str, str],
        *,
        seed: int = 0,
        labels: Mapping[str, str] | None = None,
    ) -> tuple[Message, ...]:
        """The prompt with its slots filled, in one pass: a slot inside a filled-in text stays text.

        Args:
            trusted: our own words, by slot.
            strange: texts of strangers, by fenced slot; each is fenced under its slot's name or its label.
            seed: of the code.
            labels: fence names that differ from the slot's.

        Raises:
            SettingsError: a slot is missing, unknown, or strange where it is trusted.

        """
        wanted = set(_SLOT.findall(self.system + self.user)) - {"code"}
        if set(strange) != set(self.fenced) or set(trusted) | set(strange) != wanted:
            raise SettingsError(
                f"the prompt {self.name} has the slots {', '.join(sorted(wanted))}, "
                f"of which {', '.join(self.fenced)} hold text of strangers",
                "fill each of them, and no other",
            )
        code = code_for(strange, seed)
        named = labels or {}
        fences = {slot: fence(named.get(slot, slot), text, code) for slot, text in strange.items()}
        values = {**trusted, **fences, "code": code}
        system, user = (_SLOT.sub(lambda slot: values[slot[1]], text).strip() for text in (self.system, self.user))
        return (Message("system", system), Message("user", user))


def code_of(request: Request) -> str | None:
    """The code of a call, which opens its user message; None for a request that fences nothing."""
    for message in reversed(request.messages):
        if message.role == "user":
            found = _CODE_LINE.match(message.text)
            return found[1] if found else None
    return None


@cache
def load(name: str) -> Prompt:
    """The prompt of a role; SettingsError for a name that is none of `NAMES`."""
    if name not in NAMES:
        raise SettingsError(f"there is no prompt {name!r}", f"known: {', '.join(NAMES)}")
    return parse(name, _read(name), _read("shared"))


def versions() -> dict[str, str]:
    """Version of every prompt, by role: what a fingerprint must cover beside the code, since prompts are no Python."""
    return {name: load(name).version for name in NAMES}


def parse(name: str, text: str, shared: str) -> Prompt:
    """A prompt from the texts of its file and of the shared one.

    Raises:
        InputError: no header, no version, a part missing, a code line that is not the first, or a stranger's text
            outside the user part.

    """
    header, body = _header(name, text)
    _, shared_body = _header("shared", shared)
    parts = _PARTS.match(body)
    if not parts:
        raise _broken(name, "has no parts", "write `## system` and, below it, `## user`")
    fenced = tuple(header.get("fenced", ()))
    system, user = f"{parts[1].strip()}\n\n{shared_body.strip()}\n", parts[2].strip() + "\n"
    if not user.startswith(_OPENING) or "{{code}}" in system:
        raise _broken(name, "does not open its user part with the code", f"begin it with `{_OPENING.strip()}`")
    if set(fenced) & set(_SLOT.findall(system)) or not set(fenced) <= set(_SLOT.findall(user)):
        raise _broken(name, "shows text of strangers outside its user part", "move those slots below `## user`")
    digest = sha256("\0".join((system, user, *fenced)).encode()).hexdigest()[:12]
    return Prompt(name, f"{header['version']}-{digest}", system, user, fenced)


def _header(name: str, text: str) -> tuple[dict[str, Any], str]:
    found = _FILE.match(text.replace("\r\n", "\n"))
    header = yaml.safe_load(found[1]) if found else None
    if not found or not isinstance(header, dict) or not isinstance(header.get("version"), int):
        raise _broken(name, "has no header with a version", "begin the file with `---`, `version: 1`, `---`")
    return header, found[2]


def _broken(name: str, what: str, remedy: str) -> InputError:
    return InputError(f"the prompt {name} {what}", remedy)


def _read(name: str) -> str:
    path = _FOLDER / f"{name}.md"
    if not path.is_file():
        raise PrerequisiteError(f"the prompt {name}.md is not installed", "reinstall the package: pip install chunky")
    return path.read_text(encoding="utf-8")
