"""Hosted embeddings through OpenAI's real client, against a server on this machine that misbehaves on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from chunky.embedders import HashingEmbedder, get_embedder
from chunky.errors import ChunkyError, EngineError, PrerequisiteError, SettingsError

pytest.importorskip("openai")
KEY = "sk-secret-0123456789"
ORACLE = HashingEmbedder(24)
Answer = tuple[int, Any]


def good(texts: list[str]) -> list[dict[str, Any]]:
    vectors = ORACLE.encode(texts) * 3  # servers need not normalize
    return [{"object": "embedding", "index": place, "embedding": row.tolist()} for place, row in enumerate(vectors)]


class Server(ThreadingHTTPServer):
    """Answers what `answers` say, in turn, then well."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Callable[[list[str]], Answer]] = []
        self.asked: list[list[str]] = []
        self.keys: list[str | None] = []

    @property
    def name(self) -> str:
        return f"openai:toy@http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert (self.path, asked["model"]) == ("/v1/embeddings", "toy")
        self.server.asked.append(asked["input"])
        self.server.keys.append(self.headers["authorization"])
        answer = self.server.answers.pop(0) if self.server.answers else lambda texts: (200, good(texts))
        status, data = answer(asked["input"])
        body = json.dumps({"object": "list", "model": "toy", "data": data, "usage": {}} if status == 200 else data)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body.encode())))
        self.send_header("retry-after-ms", "1")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for proxy in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def status(code: int, text: str = "no") -> Callable[[list[str]], Answer]:
    return lambda _: (code, {"error": {"message": text}})


def test_vectors_are_of_unit_norm_and_in_order(server: Server) -> None:
    embedder = get_embedder(server.name)
    texts = [f"sentence number {n}" for n in range(600)] + ["sentence number 3", ""]
    found = embedder.encode(texts)
    assert np.abs(found - ORACLE.encode(texts)).max() < 1e-6
    assert [len(batch) for batch in server.asked] == [256, 256, 89], "distinct texts, in batches"
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert embedder.dimensions == 24
    assert embedder.encode([]).shape == (0, 24)
    assert (embedder.device, embedder.dtype) == (server.name.split("@")[1], "float16")
    assert json.loads(embedder.identity) == {"name": "openai:toy", "address": embedder.device}


def test_a_request_stays_below_the_limit_of_tokens(server: Server) -> None:
    get_embedder(server.name).encode([f"{n} " + "word " * 3_000 for n in range(100)])
    assert max(sum(len(text.encode()) for text in batch) for batch in server.asked) <= 250_000
    assert sum(map(len, server.asked)) == 100


def test_dimensions_are_asked_for_once(server: Server) -> None:
    embedder = get_embedder(server.name)
    assert (embedder.dimensions, embedder.dimensions) == (24, 24)
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_what_passes_is_tried_again(server: Server, code: int) -> None:
    server.answers = [status(code), status(code)]
    assert np.allclose(get_embedder(server.name).encode(["a b"]), ORACLE.encode(["a b"]), atol=1e-6)
    assert len(server.asked) == 3


def test_an_answer_in_another_order_is_put_right(server: Server) -> None:
    server.answers = [lambda texts: (200, good(texts)[::-1])]
    texts = ["one", "two words", "three words here"]
    assert np.allclose(get_embedder(server.name).encode(texts), ORACLE.encode(texts), atol=1e-6)


BAD: dict[str, tuple[Callable[[list[str]], Answer], type[ChunkyError], str]] = {
    "short": (lambda texts: (200, good(texts)[:-1]), EngineError, "3 texts with 2 vectors"),
    "one twice": (lambda texts: (200, [*good(texts)[:-1], good(texts)[0]]), EngineError, "not one for each"),
    "none": (lambda _: (200, []), EngineError, "0 vectors"),
    "nothing": (lambda _: (200, None), EngineError, "127.0.0.1"),
    "lengths differ": (
        lambda texts: (200, [one | {"embedding": one["embedding"][: 9 + one["index"]]} for one in good(texts)]),
        EngineError,
        "vectors of",
    ),
    "zero": (lambda texts: (200, [one | {"embedding": [0.0] * 24} for one in good(texts)]), EngineError, "direction"),
    "empty": (lambda texts: (200, [one | {"embedding": []} for one in good(texts)]), EngineError, "vectors of"),
    "bad request": (status(400, f"your key {KEY} is nice"), EngineError, "status 400"),
    "refused": (status(401, f"bad key {KEY}"), PrerequisiteError, "refused the key"),
    "forbidden": (status(403), PrerequisiteError, "refused the key"),
    "no model": (status(404), PrerequisiteError, "no model 'toy'"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_unusable_answer_is_an_error_without_the_key(server: Server, case: str) -> None:
    answer, kind, says = BAD[case]
    server.answers = [answer]
    with pytest.raises(kind, match=says) as raised:
        get_embedder(server.name).encode(["one", "two", "three"])
    shown = repr(raised.value) + str(raised.value) + repr(raised.value.__cause__)
    assert KEY not in shown
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_server_that_never_recovers_is_an_error(server: Server) -> None:
    server.answers = [status(500, f"{KEY} again")] * 20
    with pytest.raises(EngineError, match="status 500") as raised:
        get_embedder(server.name).encode(["one"])
    assert KEY not in str(raised.value)
    assert len(server.asked) == 7, "asked once and six times again"


def test_another_dimension_later_is_an_error(server: Server) -> None:
    embedder = get_embedder(server.name)
    assert embedder.dimensions == 24
    server.answers = [lambda texts: (200, [one | {"embedding": one["embedding"][:12]} for one in good(texts)])]
    with pytest.raises(EngineError, match=r"\[12\] numbers, not 24"):
        embedder.encode(["one"])


def test_the_key_is_shown_nowhere(server: Server) -> None:
    embedder = get_embedder(server.name)
    shown = [embedder.identity, embedder.name, embedder.device, repr(embedder), repr(vars(embedder))]
    assert KEY not in " ".join(shown)


def test_openai_itself_needs_a_key_and_a_server_of_ones_own_does_not(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(PrerequisiteError, match="set OPENAI_API_KEY"):
        get_embedder("openai:text-embedding-3-small")
    assert get_embedder(server.name).encode(["one"]).shape == (1, 24)


def test_without_the_client_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(PrerequisiteError, match=r"chunky\[openai\]"):
        get_embedder("openai:text-embedding-3-small")


@pytest.mark.parametrize("address", ["localhost:8000", "ftp://x/v1", "http://", "http://u:p@host/v1", "http://x:y/v1"])
def test_a_bad_address_is_refused_and_its_password_not_shown(address: str) -> None:
    with pytest.raises(SettingsError) as raised:
        get_embedder(f"openai:toy@{address}")
    assert "u:p" not in str(raised.value)
