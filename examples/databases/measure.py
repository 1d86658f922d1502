"""What the examples share: vectors of texts, by obscura; exact search; and how much of it an index finds."""

import json
import os
import subprocess
import time

import numpy as np
import pyarrow.parquet as pq

OBSCURA = os.environ.get("OBSCURA", "obscura")
NEAREST = 10
TEXTS = [
    "a dog", "two cats", "a house below a star", "an apple and a horse", "a red car", "three balloons", "a train on the left",
    "a guitar and a book", "a fish", "a clock above a snowman", "a butterfly on a blue background", "a sailboat", "bananas",
    "an umbrella and a sun", "an elephant to the right of a tree", "a key", "a rose and a carrot", "a bus", "a pizza", "a duck",
]


def queries(model):
    """The vector of each text."""
    command = [OBSCURA, "embed", model, "--json", "--text", *TEXTS]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [np.array(json.loads(line)["embedding"], dtype=np.float32) for line in lines]


def collection(file):
    """{ids, vectors}"""
    table = pq.read_table(file, columns=["id", "vector"])
    return table["id"].to_numpy(), np.stack(table["vector"].to_numpy())


def measure(name, file, model, search, size, seconds):
    """Asks for every text; `search(vector)` gives ids, the nearest first. `seconds`: {what: how long it took}."""
    ids, vectors = collection(file)
    texts = queries(model)
    search(texts[0])  # the first is slower: files are opened
    found, started = [], time.perf_counter()
    for query in texts:
        found.append(search(query))
    milliseconds = (time.perf_counter() - started) / len(texts) * 1e3
    exact = [set(ids[np.argsort(-(vectors @ query))[:NEAREST]]) for query in texts]
    recall = np.mean([len(set(nearest) & wanted) / NEAREST for nearest, wanted in zip(found, exact)])
    took = ", ".join(f"{what} {value:.1f} s ({len(ids) / value:,.0f} vectors a second)" for what, value in seconds.items())
    print(f"{name}: {took}; a query {milliseconds:.1f} ms, recall@{NEAREST} {recall:.3f}, {size / 1e6:.0f} MB")
    print(f"  {TEXTS[0]}: {', '.join(found[0][:3])}")


def size_of(folder):
    """Bytes of all files in a folder."""
    return sum(os.path.getsize(os.path.join(where, name)) for where, _, names in os.walk(folder) for name in names)


class Clock:
    """Seconds of each step: with clock("index"): ..."""

    def __init__(self):
        self.seconds = {}

    def __call__(self, what):
        self.what = what
        return self

    def __enter__(self):
        self.started = time.perf_counter()

    def __exit__(self, *_):
        self.seconds[self.what] = time.perf_counter() - self.started
