"""Finding input files: folders, patterns, links, the hub, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from chunky.corpus import ReadOptions, discover, file_digest
from chunky.corpus.sources import chunk_name, hub_address, hub_patterns
from chunky.errors import FileFault, InputError, PrerequisiteError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    names = ["b.jsonl", "a.parquet", "c.txt", ".hidden.jsonl", "README.md", "deep/er/d.json.gz",
             "deep/dataset_info.json", ".git/e.jsonl", "deep/f.CSV", "g.parquet.gz", "_old/h.jsonl"]  # fmt: skip
    for name in names:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path / "tree"


def names(paths: list[str], root: Path) -> list[str]:
    return [os.path.relpath(source.file, root) for source in discover(paths)]


def test_folders_are_searched_for_known_names(tree: Path) -> None:
    expected = ["_old/h.jsonl", "a.parquet", "b.jsonl", "deep/er/d.json.gz", "deep/f.CSV", "g.parquet.gz"]
    assert names([str(tree)], tree) == expected
    assert names([str(tree / "b.jsonl"), str(tree)], tree) == ["b.jsonl", *[n for n in expected if n != "b.jsonl"]]


def test_patterns_and_named_files(tree: Path) -> None:
    assert names([str(tree / "**" / "*.json*")], tree) == [
        "_old/h.jsonl", "b.jsonl", "deep/dataset_info.json", "deep/er/d.json.gz",
    ]  # fmt: skip
    assert names([str(tree / "c.txt")], tree) == ["c.txt"]
    assert names([str(tree / "de*")], tree) == ["deep/er/d.json.gz", "deep/f.CSV"]
    odd = tree / "a[1].jsonl"
    odd.write_text("x")
    assert names([str(odd)], tree) == ["a[1].jsonl"]


def test_one_file_under_two_names_is_one_source(tree: Path) -> None:
    (tree / "link.jsonl").symlink_to(tree / "b.jsonl")
    assert names([str(tree / "b.jsonl"), str(tree / "link.jsonl")], tree) == ["b.jsonl"]


def test_relative_paths_are_told_absolutely(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    source = discover(["b.jsonl"])[0]
    assert (source.file, source.chunk, source.bytes) == (str(tree / "b.jsonl"), "b", 1)


def test_what_cannot_be_read_is_refused(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "gone.jsonl").symlink_to(tree / "nowhere")
    os.mkfifo(tree / "pipe")
    for path in ("missing.jsonl", "*.nothing", "empty", "gone.jsonl", "pipe"):
        with pytest.raises(InputError) as caught:
            discover([str(tree / path)])
        assert caught.value.remedy
    with pytest.raises(InputError):
        discover([])


@pytest.mark.parametrize(
    ("path", "chunk"),
    [
        ("/x/alpaca_en.parquet", "alpaca_en"),
        ("a.b.JSONL.gz", "a.b"),
        ("train-00003-of-00017.parquet", "train"),
        ("noname", "noname"),
        (".jsonl", ".jsonl"),
        ("two words.tsv.zst", "two words"),
    ],
)
def test_chunk_names(path: str, chunk: str) -> None:
    assert chunk_name(path) == chunk


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jsonl"
    with open(path, "wb") as file:
        file.write(b"x")
    (source,) = discover([str(tmp_path)])
    assert source.chunk == "caf\\xe9"
    source.file.encode()
    assert len(file_digest(source)) == 64


def test_digests_follow_bytes_and_options(tree: Path) -> None:
    one, other = discover([str(tree / "a.parquet"), str(tree / "b.jsonl")])
    assert file_digest(one) == file_digest(other) == file_digest(one, ReadOptions())
    assert file_digest(one) != file_digest(one, ReadOptions(chunk="c"))
    (tree / "b.jsonl").write_text("y")
    assert file_digest(one) != file_digest(other)
    (tree / "b.jsonl").unlink()
    with pytest.raises(FileFault):
        file_digest(other)


def test_hub_addresses() -> None:
    assert hub_address("hf://datasets/org/name") == ("org/name", None, None)
    assert hub_address("hf://datasets/org/name@v1/data/*.parquet") == ("org/name", "v1", "data/*.parquet")
    assert hub_patterns("data/*.parquet") == ["data/*.parquet"]
    assert hub_patterns("data") == ["data", "data/**"]
    assert "**/*.jsonl.gz" in hub_patterns(None)
    for bad in ("hf://datasets/org", "hf://models/org/name", "hf://datasets/org/name@"):
        with pytest.raises(InputError):
            hub_address(bad)


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(PrerequisiteError, match=r"chunky\[hf\]"):
        discover(["hf://datasets/org/name"])


class _Hub(BaseHTTPRequestHandler):
    """Enough of a hub to serve one data set."""

    FILES: ClassVar[dict[str, bytes]] = {
        "data/train-00000-of-00002.jsonl": b'{"prompt": "q", "response": "r"}\n',
        "data/b.csv": b"a,b\n1,2\n",
        "README.md": b"# hello\n",
        "dataset_info.json": b"{}",
    }
    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0]
        files = f"/datasets/org/name/resolve/{self.COMMIT}/"
        if path in ("/api/datasets/org/name/revision/main", "/api/datasets/org/name/revision/v1"):
            self._send(json.dumps({"id": "org/name", "sha": self.COMMIT, "siblings": []}).encode(), with_body)
        elif path == f"/api/datasets/org/name/tree/{self.COMMIT}":
            tree = [{"type": "file", "path": name, "size": len(body), "oid": name} for name, body in self.FILES.items()]
            self._send(json.dumps(tree).encode(), with_body)
        elif path.startswith(files):
            self._send(self.FILES[path.removeprefix(files)], with_body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send(self, body: bytes, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{hash(body)}"')
        self.send_header("X-Repo-Commit", self.COMMIT)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    pytest.importorskip("huggingface_hub")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def discover_in_child(hub: str, cache: Path, path: str) -> list[str]:
    """The hub's package reads its endpoint when it is imported, hence a process of its own."""
    code = (
        "import sys; from chunky.corpus import discover; from chunky.errors import InputError\n"
        "try: print(*[f'{s.file}|{s.chunk}|{s.bytes}' for s in discover(sys.argv[1:])], sep='\\n')\n"
        "except InputError as error: print('refused', error.remedy)"
    )
    keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = keep | {"HF_ENDPOINT": hub, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "*"}
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code, path], env=environment, cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def test_hub_data_sets_are_fetched(hub: str, tmp_path: Path) -> None:
    name = "hf://datasets/org/name"
    assert discover_in_child(hub, tmp_path, f"{name}@v1/data/*.csv") == [f"{name}@v1/data/b.csv|b|8"]
    assert discover_in_child(hub, tmp_path, name) == [
        f"{name}/data/b.csv|b|8",
        f"{name}/data/train-00000-of-00002.jsonl|train|33",
    ]
    (refused,) = discover_in_child(hub, tmp_path, "hf://datasets/org/other")
    assert refused.startswith("refused check the name")
