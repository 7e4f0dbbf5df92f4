"""The contenders of `benchmarks.vectors`: ours and the peers, each in a process of its own, over the same vectors."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks import common

# Kernels that OpenBLAS can be told to use; one that the processor lacks ends the process and is left out.
KERNELS = ("", "Haswell", "Zen", "SkylakeX", "Cooperlake")
TOP = 1000


def vectors(options: argparse.Namespace) -> Any:
    """The generated vectors, float16 (n, d): an array, or a tensor on a CUDA device, the same in every process."""
    import numpy as np

    return np.load(options.vectors) if options.device == "cpu" else generated(options, options.rows)


def generated(options: argparse.Namespace, rows: int) -> Any:
    """The first rows of what `benchmarks.vectors.generate` describes, float16 (rows, d), made on the device."""
    import torch

    rng = torch.Generator(options.device).manual_seed(1)

    def unit(count: int) -> Any:
        made = torch.randn((count, options.width), generator=rng, device=options.device)
        return torch.nn.functional.normalize(made, dim=1)

    centers = unit(max(options.clusters // 4, 1))
    found = torch.empty((rows, options.width), dtype=torch.float16, device=options.device)
    for start in range(0, rows, 1 << 15):
        part = found[start : start + (1 << 15)]
        noise = unit(1 << 15)  # always a whole block, so that fewer rows are the first of more
        near = centers[torch.randint(len(centers), (1 << 15,), generator=rng, device=options.device)]
        part.copy_(torch.nn.functional.normalize(near + noise, dim=1)[: len(part)])
    return found


def in_memory(options: argparse.Namespace) -> Any:
    """The generated vectors as peers take them: an array of float32."""
    import numpy as np

    found = vectors(options)
    return found.astype(np.float32) if options.device == "cpu" else found.cpu().numpy().astype(np.float32)


def queries(options: argparse.Namespace) -> Any:
    """The generated queries, float32 (q, d)."""
    import numpy as np

    rng = np.random.default_rng(2)
    found = rng.standard_normal((options.queries, options.width), dtype=np.float32)
    if options.device == "cpu":
        near = np.load(options.vectors, mmap_mode="r")[: options.queries].astype(np.float32)
    else:
        near = generated(options, options.queries).float().cpu().numpy()
    found = near + 0.8 * found / np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def device_peak(options: argparse.Namespace) -> dict[str, Any]:
    """The most memory that torch held on a CUDA device."""
    if options.device == "cpu":
        return {}
    import torch

    return {"device peak GiB": round(torch.cuda.max_memory_allocated() / 2**30, 1)}


def kernels() -> list[str]:
    """The BLAS kernels that are loaded: which one runs can halve or double a figure."""
    import threadpoolctl

    return [
        f"{pool.get('internal_api')} {pool.get('architecture') or ''} × {pool['num_threads']}".replace("  ", " ")
        for pool in threadpoolctl.threadpool_info()
    ]


def measured_inertia(options: argparse.Namespace, found: Any, centroids: Any) -> float:
    """Sum of squared distances to the nearest of the centroids made unit, by our exact assignment."""
    import numpy as np

    from chunky.clusters import assign
    from chunky.clusters.sums import to_unit
    from chunky.devices import pick

    near = assign(found, to_unit(np.asarray(centroids)), engine="torch", device=pick(options.device))
    return float(2 * np.sum(1 - near.similarities.astype(np.float64)))


def kmeans_chunky(options: argparse.Namespace) -> dict[str, Any]:
    """Our k-means with torch; the time is that of an iteration, seeding told apart."""
    import numpy as np

    from chunky.clusters import State, kmeans
    from chunky.devices import pick

    marks: list[tuple[float, float]] = []

    class Clock:
        def load(self) -> State | None:
            return None

        def save(self, state: State) -> None:
            marks.append((time.perf_counter(), sum(os.times()[:4])))

    found, weights = vectors(options), np.ones(options.rows, np.int64)
    device = pick(options.device)
    started, used = time.perf_counter(), sum(os.times()[:4])
    result = kmeans(
        found, weights, options.clusters, seed=0, iterations=options.iterations, tolerance=0, engine="torch",
        device=device, checkpoint=Clock(),
    )  # fmt: skip
    count = result.iterations
    return {
        "seconds": (marks[-1][0] - marks[0][0]) / count, "cpu": (marks[-1][1] - marks[0][1]) / count,
        "inertia": result.inertia, "seeding s": marks[0][0] - started, "seeding CPU s": marks[0][1] - used,
        "kernels": kernels(), "device": device.reason, **device_peak(options),
    }  # fmt: skip


def kmeans_faiss(kernel: str) -> Callable[[argparse.Namespace], dict[str, Any]]:
    """`faiss.Kmeans` over all points (it would take 256 a centroid), with the BLAS kernel named."""

    def run(options: argparse.Namespace) -> dict[str, Any]:
        if kernel:
            os.environ["OPENBLAS_CORETYPE"] = kernel
        faiss = common.peer("faiss", "faiss-cpu")
        trained = in_memory(options)
        clustering = faiss.Kmeans(
            options.width, options.clusters, niter=options.iterations, spherical=True, seed=1,
            max_points_per_centroid=options.rows // options.clusters + 1, gpu=options.device.startswith("cuda"),
        )  # fmt: skip
        facts = common.answer(lambda: {"error": float(clustering.train(trained))})
        return {
            "seconds": facts["seconds"] / options.iterations, "cpu": facts["cpu"] / options.iterations,
            "inertia": measured_inertia(options, vectors(options), clustering.centroids), "kernels": kernels(),
        }  # fmt: skip

    return run


def kmeans_minibatch(options: argparse.Namespace) -> dict[str, Any]:
    """scikit-learn's MiniBatchKMeans, epoch after epoch until its inertia is ours (or ten); the time is the total."""
    common.peer("sklearn", "scikit-learn")
    from sklearn.cluster import MiniBatchKMeans

    found, trained = vectors(options), in_memory(options)
    clustering = MiniBatchKMeans(options.clusters, batch_size=16_384, n_init=1, init="random", random_state=0)
    seconds, used, inertia, epochs = 0.0, 0.0, float("inf"), 0
    while inertia > options.target and epochs < 10:
        facts = common.answer(lambda: _epoch(clustering, trained))
        seconds, used, epochs = seconds + facts["seconds"], used + facts["cpu"], epochs + 1
        inertia = measured_inertia(options, found, clustering.cluster_centers_)
    return {"seconds": seconds, "cpu": used, "inertia": inertia, "epochs": epochs, "kernels": kernels()}


def _epoch(clustering: Any, trained: Any) -> dict[str, Any]:
    for start in range(0, len(trained), 16_384):
        clustering.partial_fit(trained[start : start + 16_384])
    return {}


def kmeans_torch(options: argparse.Namespace) -> dict[str, Any]:
    """A plain torch loop: 16-bit products, argmax, index_add; neither exact nor the same twice."""
    import torch

    device = "cuda" if options.device.startswith("cuda") else "cpu"
    found = torch.as_tensor(vectors(options))
    kind = torch.float16 if device == "cuda" else torch.float32
    centroids = found[
        torch.randperm(len(found), generator=torch.Generator().manual_seed(0))[: options.clusters].to(device)
    ].float()
    rows = max((1 << (30 if device == "cuda" else 22)) // options.clusters, 16)

    def work() -> dict[str, Any]:
        nonlocal centroids
        for _ in range(options.iterations):
            sums = torch.zeros_like(centroids)
            for part in torch.split(found, rows):
                labels = (part.to(kind) @ centroids.to(kind).T).argmax(1)
                sums.index_add_(0, labels, part.float())
            centroids = torch.nn.functional.normalize(sums, dim=1)
        if device == "cuda":
            torch.cuda.synchronize()
        return {}

    facts = common.answer(work)
    inertia = measured_inertia(options, found if device == "cuda" else vectors(options), centroids.cpu().numpy())
    each = {name: facts[name] / options.iterations for name in ("seconds", "cpu")}
    return {**each, "inertia": inertia, "kernels": kernels()}


def _best_of(options: argparse.Namespace, ask: Callable[[Any], Any], **facts: Any) -> dict[str, Any]:
    """Time of one batch of queries, the best of `repeats` after one that is not counted."""
    asked = queries(options)
    ask(asked)
    runs = [common.answer(lambda: {"done": ask(asked) is not None}) for _ in range(options.repeats)]
    return {
        "seconds": min(r["seconds"] for r in runs),
        "cpu": min(r["cpu"] for r in runs),
        **facts,
        "kernels": kernels(),
    }


def search_chunky(options: argparse.Namespace) -> dict[str, Any]:
    """Our torch index; a few queries are compared with the oracle, untimed."""
    import numpy as np

    from chunky.devices import pick
    from chunky.indexes import open_index

    found, device = vectors(options), pick(options.device)
    started = time.perf_counter()
    index = open_index("torch", found, device)
    opening = time.perf_counter() - started
    some = queries(options)[:4]
    # On a CUDA device the oracle, which runs on the CPU, is given what it can read in a minute.
    few = found if options.device == "cpu" else found[:200_000]
    ours = (index if options.device == "cpu" else open_index("torch", few, device)).search(some, TOP)
    oracle = open_index("numpy", few, device).search(some, TOP)
    exact = np.array_equal(ours.positions, oracle.positions) and np.array_equal(ours.scores, oracle.scores)
    return _best_of(
        options, lambda asked: index.search(asked, TOP), **{"opening s": opening, "is the oracle's": bool(exact)}
    ) | device_peak(options)


def search_torch(options: argparse.Namespace) -> dict[str, Any]:
    """A plain product and `topk`, in 16 bits on a CUDA device: neither exact nor the same everywhere."""
    import torch

    found = torch.as_tensor(vectors(options))
    kind = torch.float32 if options.device == "cpu" else torch.float16
    found = found.to(kind)

    def ask(asked: Any) -> Any:
        scores = torch.from_numpy(asked).to(options.device, kind) @ found.T
        return scores.topk(TOP).indices.cpu()

    return _best_of(options, ask)


def search_faiss(kernel: str) -> Callable[[argparse.Namespace], dict[str, Any]]:
    """`IndexFlatIP` as it is, with the BLAS kernel named; its ranking is that of float32 sums."""

    def run(options: argparse.Namespace) -> dict[str, Any]:
        if kernel:
            os.environ["OPENBLAS_CORETYPE"] = kernel
        faiss = common.peer("faiss", "faiss-cpu")
        index = faiss.IndexFlatIP(options.width)
        if options.device.startswith("cuda"):
            index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        index.add(in_memory(options))
        return _best_of(options, lambda asked: index.search(asked, TOP))

    return run


def _arrow(options: argparse.Namespace, kind: str) -> Any:
    import pyarrow as pa

    values = in_memory(options).astype(kind)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), options.width)
    return pa.table({"i": pa.array(range(len(values)), pa.int64()), "vector": lists})


def search_lancedb(options: argparse.Namespace) -> dict[str, Any]:
    """LanceDB without an index, float32, one query after the other."""
    lancedb = common.peer("lancedb", "lancedb")
    table = lancedb.connect(str(options.vectors) + ".lance").create_table(
        "vectors", _arrow(options, "float32"), mode="overwrite"
    )

    def ask(asked: Any) -> list[int]:
        return [len(table.search(query).distance_type("dot").select(["i"]).limit(TOP).to_arrow()) for query in asked]

    return _best_of(options, ask)


def search_duckdb(options: argparse.Namespace) -> dict[str, Any]:
    """DuckDB's `array_cosine_similarity` over a table in memory, one query after the other."""
    import duckdb

    connection = duckdb.connect()
    connection.register("given", _arrow(options, "float32"))
    connection.execute("create table vectors as select * from given")
    connection.unregister("given")
    sql = f"select i from vectors order by array_cosine_similarity(vector, ?::float[{options.width}]) desc limit {TOP}"

    def ask(asked: Any) -> list[int]:
        return [len(connection.execute(sql, [query.tolist()]).fetchall()) for query in asked]

    return _best_of(options, ask)


def embedding_chunky(options: argparse.Namespace) -> dict[str, Any]:
    """Our embedder minilm over distinct sentences."""
    embedders = common.peer("chunky.embedders", "a chunky that has embedders")
    embedder = embedders.get_embedder("minilm", options.device)
    texts = sentences(options.rows)
    embedder.encode(texts[:64])
    return common.answer(lambda: {"done": len(embedder.encode(texts))})


def embedding_plain(options: argparse.Namespace) -> dict[str, Any]:
    """sentence-transformers as it comes, float32, the same weights."""
    package = common.peer("sentence_transformers", "sentence-transformers")
    model = package.SentenceTransformer(options.model, device=options.device)
    texts = sentences(options.rows)
    model.encode(texts[:64])
    return common.answer(lambda: {"done": len(model.encode(texts, show_progress_bar=False))})


def sentences(count: int) -> list[str]:
    """Distinct sentences of 5 to 19 words, as attributes are."""
    import random

    rng = random.Random(3)
    words = ["query", "response", "asks", "code", "about", "opens", "formal", "table", "answer", "list", "long"]
    return [f"The query {number} " + " ".join(rng.choices(words, k=rng.randint(2, 16))) for number in range(count)]


KMEANS: dict[str, common.Contender] = {
    "chunky": kmeans_chunky,
    **{f"faiss {kernel}".strip(): kmeans_faiss(kernel) for kernel in KERNELS},
    "torch loop": kmeans_torch,
    "sklearn minibatch, in all": kmeans_minibatch,
}
SEARCH: dict[str, common.Contender] = {
    "chunky": search_chunky,
    **{f"faiss {kernel}".strip(): search_faiss(kernel) for kernel in KERNELS},
    "torch loop": search_torch,
    "lancedb": search_lancedb,
    "duckdb": search_duckdb,
}
EMBEDDING: dict[str, common.Contender] = {"chunky": embedding_chunky, "sentence-transformers fp32": embedding_plain}
