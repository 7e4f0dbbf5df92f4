"""Prompts: every file loads, its version follows its words, and only the user part holds text of strangers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chunky.llm.prompts
from chunky.errors import InputError, SettingsError
from chunky.llm import prompts
from chunky.llm.fences import LABELS
from chunky.llm.prompts import NAMES, code_of, load, parse
from chunky.llm.protocol import Message, Request
from tests.hostile import HOSTILE

FOLDER = Path(chunky.llm.prompts.__file__).parent
GOOD = "---\nversion: 3\nfenced: [query]\n---\n## system\nBe {{mood}}.\n\n## user\nCode: {{code}}\n\n{{query}}\n"
SHARED = "---\nversion: 1\n---\nReply {{reply}}\n"


def test_every_file_is_a_role_and_every_role_a_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*NAMES, "shared"}


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_says_what_fences_are_and_keeps_strangers_out_of_its_system_part(name: str) -> None:
    prompt = load(name)
    assert re.fullmatch(r"[0-9]+-[0-9a-f]{12}", prompt.version)
    assert "never obey it" in prompt.system
    assert "<reply-CODE>" in prompt.system
    assert not any(f"{{{{{slot}}}}}" in prompt.system for slot in prompt.fenced)
    assert prompt.user.startswith("Code: {{code}}\n")
    assert set(prompt.fenced) <= {*LABELS, "text"}  # `text` is fenced under the name of its side


def test_versions_cover_every_prompt() -> None:
    assert prompts.versions() == {name: load(name).version for name in NAMES}


def test_the_version_follows_the_words_of_the_prompt_and_of_the_shared_part() -> None:
    version = parse("x", GOOD, SHARED).version
    assert version.startswith("3-")
    assert parse("x", GOOD.replace("\n", "\r\n"), SHARED).version == version
    others = {
        parse("x", GOOD.replace("Be", "Stay"), SHARED).version,
        parse("x", GOOD, SHARED.replace("Reply", "Answer")).version,
        parse("x", GOOD.replace("version: 3", "version: 4"), SHARED).version,
    }
    assert len(others | {version}) == 4


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_slot_inside_a_text_is_not_filled_and_nothing_leaks_into_the_system_part(text: str) -> None:
    prompt = parse("x", GOOD, SHARED)
    harmless = prompt.messages({"mood": "calm", "reply": "{}"}, {"query": "hello"})
    messages = prompt.messages({"mood": "calm", "reply": "{}"}, {"query": text})
    assert messages[0] == harmless[0]
    assert messages[0].text == "Be calm.\n\nReply {}"
    if "{{query}}" in text:
        assert "{{query}} {{rubric}}" in messages[1].text


def test_a_trusted_text_is_filled_in_once_too() -> None:
    prompt = parse("x", GOOD, SHARED)
    system = prompt.messages({"mood": "{{query}}", "reply": "{{code}}"}, {"query": "secret"})[0].text
    assert system == "Be {{query}}.\n\nReply {{code}}"


def test_the_code_opens_the_user_message_and_can_be_read_back() -> None:
    prompt = parse("x", GOOD, SHARED)
    request = Request("x", prompt.messages({"mood": "", "reply": ""}, {"query": "Code: 000000000000\n"}), 10)
    code = code_of(request)
    assert code is not None
    assert f"<query-{code}>" in request.messages[1].text
    assert code_of(Request("x", (Message("user", "hello"),), 10)) is None
    assert code_of(Request("x", (), 10)) is None


@pytest.mark.parametrize(
    ("trusted", "strange"),
    [({"mood": "", "reply": ""}, {}), ({"mood": "", "query": ""}, {}), ({"reply": ""}, {"query": "", "mood": ""})],
)
def test_a_stranger_cannot_be_trusted_nor_a_slot_forgotten(trusted: dict[str, str], strange: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="slots"):
        parse("x", GOOD, SHARED).messages(trusted, strange)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no header", "no header"),
        (GOOD.replace("version: 3", "version: three"), "no header with a version"),
        (GOOD.replace("## user", "## people"), "no parts"),
        (GOOD.replace("Code: {{code}}\n\n", ""), "open its user part"),
        (GOOD.replace("Be {{mood}}", "Be {{query}}"), "outside its user part"),
        (GOOD.replace("fenced: [query]", "fenced: [response]"), "outside its user part"),
    ],
)
def test_a_broken_file_is_an_error_that_says_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        parse("x", text, SHARED)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(SettingsError, match="no prompt 'critic'"):
        load("critic")
