"""Vocabulary of post-training files: the names that columns, turns and speakers go by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"

# Whoever is not the assistant speaks to it: tool results and observations stand on the side that is answered,
# so that no turn is lost and the response to a tool result has that result as its query.
ROLES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("system", "developer"), SYSTEM),
        **dict.fromkeys(("user", "human", "prompter", "instruction"), USER),
        **dict.fromkeys(("tool", "observation", "function", "tool_response", "function_response", "ipython"), USER),
        **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model", "bot", "ai", "chatbot"), ASSISTANT),
        **dict.fromkeys(("function_call", "tool_call"), ASSISTANT),
    }
)

ROLE_KEYS = ("role", "from", "speaker")
TEXT_KEYS = ("content", "value", "text")
CALL_KEYS = ("tool_calls", "function_call")

MESSAGE_COLUMNS = ("messages",)
CONVERSATION_COLUMNS = ("conversations", "conversation")
CHOSEN, REJECTED = "chosen", "rejected"
INSTRUCTION, INPUT, HISTORY = "instruction", "input", "history"
# `input` comes last: beside another prompt column it is context, alone it is the prompt
QUERY_COLUMNS = ("prompt", "query", "question", "instruction", "problem", "input")
RESPONSE_COLUMNS = ("response", "completion", "output", "answer", "solution")
SYSTEM_COLUMNS = ("system", "system_prompt", "system_message")
CHUNK_COLUMNS = ("chunk", "source", "dataset", "dataset_name", "source_dataset", "dataset_source", "data_source")
ID_COLUMNS = (
    "id",
    "conversation_id",
    "uuid",
    "prompt_id",
    "conversation_hash",
    "example_id",
    "sample_id",
    "record_id",
    "uid",
    "_id",
)

LIST_COLUMNS = (*MESSAGE_COLUMNS, *CONVERSATION_COLUMNS)
KNOWN_COLUMNS = frozenset(
    (*LIST_COLUMNS, CHOSEN, REJECTED, HISTORY, *QUERY_COLUMNS, *RESPONSE_COLUMNS, *SYSTEM_COLUMNS, *CHUNK_COLUMNS)
) | frozenset(ID_COLUMNS)
# A JSON object that holds one of these lists is a record itself, not a wrapper around the records.
RECORD_LISTS = frozenset((*LIST_COLUMNS, CHOSEN, REJECTED, HISTORY, *QUERY_COLUMNS, *RESPONSE_COLUMNS))
MAX_CHUNK_CHARS = 200
