"""Embeddings of a server that speaks OpenAI's protocol, through OpenAI's own client: `openai:NAME[@http://host/v1]`.

The client retries with growing pauses where that may help (429, 5xx, broken connections). The key comes from the
environment alone and shows up in no error, log or fingerprint.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import numpy as np
from pydantic import SecretStr

from chunky.embedders.embedder import Vectors, cleaned, unit
from chunky.errors import EngineError, PrerequisiteError, SettingsError

if TYPE_CHECKING:
    import openai

KEY_VARIABLE: Final = "OPENAI_API_KEY"
_ADDRESS: Final = "https://api.openai.com/v1"
_BATCH_TEXTS: Final = 256
_BATCH_BYTES: Final = 250_000  # a request may hold 300,000 tokens, and a token is at least a byte
_RETRIES: Final = 6  # pauses of 0.5, 1, 2, 4, 8, 8 s, or what the server asks for
_TIMEOUT_SECONDS: Final = 60


class HostedEmbedder:
    """An embedding model behind an address. What its weights are nobody tells: the identity is name and address."""

    dtype = "float16"

    def __init__(self, model: str, address: str | None = None) -> None:
        """PrerequisiteError without the client or, for OpenAI's own address, the key; SettingsError for no address."""
        self._model = model
        self.device = _checked(address) if address else _ADDRESS
        self.device_reason = "the model runs on a server"
        self.name = f"openai:{model}" + (f"@{address}" if address else "")
        self.identity = json.dumps({"name": f"openai:{model}", "address": self.device}, sort_keys=True)
        self._key = SecretStr(os.environ.get(KEY_VARIABLE, ""))
        if not self._key.get_secret_value():
            if address is None:
                raise PrerequisiteError(
                    f"{self.name} needs a key", f"set {KEY_VARIABLE}, or use the embedder minilm, which needs none"
                )
            self._key = SecretStr("none")  # servers of one's own ask for none, but the client insists
        self._client = _client(self._key, self.device)
        self._dimensions: int | None = None

    @property
    def dimensions(self) -> int:
        """Length of a vector; the first use asks the server."""
        if self._dimensions is None:
            self.encode(["How long is a vector?"])
        return self._dimensions or 0

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of `texts`: shape (n, dimensions), float32; distinct texts are sent once.

        PrerequisiteError when the server refuses the key; EngineError when it fails for good, or answers short, out
        of range or in another dimension.
        """
        clean = [cleaned(text) for text in texts]
        distinct = sorted(set(clean), key=lambda text: (len(text), text))
        blocks = [self._ask(batch) for batch in _batches(distinct)]
        if not blocks:
            return np.empty((0, self.dimensions), dtype=np.float32)
        vectors = np.concatenate(blocks)
        places = {text: place for place, text in enumerate(distinct)}
        return np.asarray(vectors[[places[text] for text in clean]])

    def _ask(self, batch: list[str]) -> Vectors:
        import openai

        try:
            answer = self._client.embeddings.create(model=self._model, input=batch, encoding_format="float")
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise PrerequisiteError(
                f"{self.device} refused the key (status {error.status_code})", f"set {KEY_VARIABLE} to a valid key"
            ) from None  # the client's own error quotes the answer, and an answer may quote the key
        except openai.NotFoundError:
            raise PrerequisiteError(f"{self.device} has no model {self._model!r}", "check the name") from None
        except openai.APIStatusError as error:
            raise EngineError(
                f"{self.device} answered with status {error.status_code}: {self._redacted(error.message)}",
                "try again later: what is embedded already is kept",
            ) from None
        except (openai.OpenAIError, ValueError, TypeError) as error:  # no connection, or an answer that is no answer
            raise EngineError(
                f"{self.device} gave no usable answer: {self._redacted(str(error))}", "check the address and the server"
            ) from None
        return self._vectors(answer, len(batch))

    def _vectors(self, answer: openai.types.CreateEmbeddingResponse, wanted: int) -> Vectors:
        """Vectors in the order of the question, whatever the order of the answer."""
        data = sorted(answer.data or [], key=lambda one: one.index)
        if [one.index for one in data] != list(range(wanted)):
            raise EngineError(
                f"{self.device} answered {wanted} texts with {len(data)} vectors, not one for each",
                "check the server: it must give one vector, with its index, for each text",
            )
        lengths = {len(one.embedding) for one in data}
        if lengths != {self._dimensions or len(data[0].embedding)} or lengths == {0}:
            raise EngineError(
                f"{self.device} gave vectors of {sorted(lengths)} numbers, not {self._dimensions or 'one length'}",
                "check that one model alone answers there",
            )
        self._dimensions = lengths.pop()
        return unit(np.array([one.embedding for one in data], dtype=np.float64), self.name)

    def _redacted(self, text: str) -> str:
        return text.replace(self._key.get_secret_value(), "…")[:300]


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode())
        if batch and (len(batch) == _BATCH_TEXTS or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if batch:
        yield batch


def _checked(address: str) -> str:
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SettingsError(f"{address!r} is no address", "write e.g. openai:NAME@http://localhost:8000/v1")
    if parts.username or parts.password:  # it would stand in every fingerprint
        raise SettingsError("an address must not hold a password", f"put the key into {KEY_VARIABLE}")
    return address.rstrip("/")


def _client(key: SecretStr, address: str) -> openai.OpenAI:
    try:
        import openai
    except ImportError:
        raise PrerequisiteError("OpenAI's client is not installed", "pip install 'chunky[openai]'") from None
    return openai.OpenAI(
        api_key=key.get_secret_value(), base_url=address, max_retries=_RETRIES, timeout=_TIMEOUT_SECONDS
    )
