"""Record shapes: what each spelling of a conversation becomes."""

from __future__ import annotations

from typing import Any

import pytest

from chunky.corpus import ReadOptions
from chunky.corpus.records import Exchange, chunk_of, conversation_id, convert
from chunky.corpus.turns import Rejected
from tests.malformed import turns

PLAIN = ReadOptions()


def taken(record: Any, **options: Any) -> list[Exchange]:
    return convert(record, ReadOptions(**options)).exchanges


def said(*pairs: str) -> list[dict[str, str]]:
    return [dict(zip(("from", "value"), pair.split(": ", 1), strict=True)) for pair in pairs]


@pytest.mark.parametrize(
    ("shape", "record", "expected"),
    [
        ("messages", {"messages": turns("q", "r")}, [(None, "q", "r")]),
        ("messages", {"messages": turns("q", "r", "q2", "r2")}, [(None, "q", "r"), (None, "q2", "r2")]),
        ("messages", {"messages": [{"role": "developer", "content": ""}, *turns("q", "r")]}, [("", "q", "r")]),
        ("messages", {"messages": turns([{"type": "text", "text": "a"}, {"text": "b"}], ["c", "d"])},
         [(None, "ab", "cd")]),
        ("messages", {"messages": turns("q", "r"), "prompt": "x", "response": "y"}, [(None, "q", "r")]),
        ("prompt", {"messages": None, "prompt": "x", "response": "y"}, [(None, "x", "y")]),
        ("messages", {"system": "s", "messages": turns("q", "r")}, [("s", "q", "r")]),
        ("messages", {"system": "s", "messages": [{"role": "system", "content": "own"}, *turns("q", "r")]},
         [("own", "q", "r")]),
        ("conversations", {"conversations": said("system: s", "human: q", "gpt: r")}, [("s", "q", "r")]),
        ("conversations", {"conversations": said("user: a", "human: b", "chatgpt: c", "bard: d")},
         [(None, "a\n\nb", "c\n\nd")]),
        ("conversations", {"conversations": said("human: a", "function_call: f", "observation: o", "gpt: c")},
         [(None, "a", "f"), (None, "o", "c")]),
        ("conversations", {"conversation": [{"speaker": "Human", "text": "a"}, {"speaker": "AI", "text": "b"}]},
         [(None, "a", "b")]),
        ("instruction", {"instruction": "i", "input": "x", "output": "o"}, [(None, "i\n\nx", "o")]),
        ("instruction", {"instruction": "i", "input": " ", "output": "o"}, [(None, "i", "o")]),
        ("instruction", {"instruction": "", "input": "x", "output": "o"}, [(None, "x", "o")]),
        ("instruction", {"instruction": "i", "input": None, "response": "o", "system": " "}, [(None, "i", "o")]),
        ("instruction", {"instruction": "i", "output": "o", "history": [["a", "b"], ["c", "d"]], "system": "s"},
         [("s", "a", "b"), ("s", "c", "d"), ("s", "i", "o")]),
        ("prompt", {"prompt": "q", "completion": "r"}, [(None, "q", "r")]),
        ("prompt", {"question": "q", "answer": "r", "system_prompt": "s"}, [("s", "q", "r")]),
        ("prompt", {"query": "q", "response": "r"}, [(None, "q", "r")]),
        ("prompt", {"input": "q", "output": "r"}, [(None, "q", "r")]),
        ("prompt", {"prompt": turns("a", "b", "c"), "completion": {"role": "assistant", "content": "d"}},
         [(None, "a", "b"), (None, "c", "d")]),
        ("preference", {"chosen": turns("q", "good"), "rejected": turns("q", "bad")}, [(None, "q", "good")]),
        ("preference", {"prompt": "q", "chosen": "good", "rejected": "bad"}, [(None, "q", "good")]),
        ("preference", {"prompt": "q", "chosen": turns("", "good")[1:], "rejected": []}, [(None, "q", "good")]),
        ("preference", {"prompt": "q", "chosen": turns("q", "good"), "rejected": []}, [(None, "q", "good")]),
        ("preference", {"instruction": "i", "input": "x", "chosen": "good", "rejected": "b"},
         [(None, "i\n\nx", "good")]),
        ("preference", {"chosen": "\n\nHuman: a\n\nAssistant: b \n\nHuman: c\n\nAssistant: d", "rejected": ""},
         [(None, "a", "b "), (None, "c", "d")]),
        ("preference", {"prompt": "\n\nHuman: a\n\nAssistant:", "chosen": " b", "rejected": ""}, [(None, "a", "b")]),
    ],
)  # fmt: skip
def test_shapes_are_recognized(shape: str, record: dict[str, Any], expected: list[tuple[Any, str, str]]) -> None:
    conversation = convert(record, PLAIN)
    assert (conversation.shape, conversation.exchanges) == (shape, [Exchange(*row) for row in expected])
    if "messages" not in record or record["messages"] is not None:
        assert convert(record, ReadOptions(shape=shape)).exchanges == conversation.exchanges


def test_a_forced_shape_overrides_the_order() -> None:
    record = {
        "messages": turns("q", "r"),
        "instruction": "i",
        "output": "o",
        "conversations": said("human: a", "gpt: b"),
    }
    assert taken(record)[0].query == "q"
    assert taken(record, shape="instruction")[0].query == "i"
    assert taken({**record, "messages": None}, shape="conversations")[0].query == "a"
    assert taken({"a": "x", "b": "y", "c": "z"}, query_column="a", response_column="b", system_column="c") == [
        Exchange("z", "x", "y")
    ]


def test_turns_that_answer_nothing_are_counted() -> None:
    messages = turns("", "hello", "q", "r", "bye")
    conversation = convert({"messages": messages[1:]}, PLAIN)
    assert conversation.exchanges == [Exchange(None, "q", "r")]
    assert (conversation.unanswered, conversation.unprompted) == (1, 1)


def test_a_later_system_message_takes_over() -> None:
    system = [{"role": "system", "content": text} for text in ("one", "two", "three")]
    messages = [system[0], system[1], *turns("a", "b"), system[2], *turns("c", "d")]
    assert taken({"messages": messages}) == [Exchange("one\n\ntwo", "a", "b"), Exchange("three", "c", "d")]


def test_a_turn_that_only_calls_a_tool_is_its_calls() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"name": "f", "arguments": "é"}]}
    result = {"role": "tool", "content": "42"}
    exchanges = taken({"messages": [*turns("q"), call, result, *turns("", "r")[1:]]})
    assert exchanges == [Exchange(None, "q", '[{"name":"f","arguments":"é"}]'), Exchange(None, "42", "r")]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"id": "x"}, "x"),
        ({"id": 0}, "0"),
        ({"id": 12.0}, "12"),
        ({"id": 1e300, "uuid": "u"}, "u"),
        ({"id": None, "conversation_id": " ", "prompt_id": "p"}, "p"),
        ({"id": True}, None),
        ({"id": {"a": 1}}, None),
        ({}, None),
    ],
)
def test_conversation_ids(record: dict[str, Any], expected: str | None) -> None:
    assert conversation_id(record, PLAIN) == expected


def test_chunks_come_from_the_option_the_record_or_the_file() -> None:
    assert chunk_of({"source": "s", "dataset": "d"}, PLAIN, "file") == "s"
    assert chunk_of({"source": " ", "dataset": "d"}, PLAIN, "file") == "d"
    assert chunk_of({"source": 5}, PLAIN, "file") == "file"
    assert chunk_of({"source": "s"}, ReadOptions(chunk="c"), "file") == "c"
    assert chunk_of({"source": "s", "x": "y"}, ReadOptions(chunk_column="x"), "file") == "y"
    with pytest.raises(Rejected, match="no chunk"):
        chunk_of({"source": "s"}, ReadOptions(chunk_column="x"), "file")


def test_id_column_is_obeyed() -> None:
    assert conversation_id({"id": "a", "key": "b"}, ReadOptions(id_column="key")) == "b"
