"""Makes a large collection of a small one, to try databases with: each vector again and again, each time a little off.

    python collection.py vectors.parquet large.parquet [100000]

Real vectors lie in clusters, as these do; random ones would lie all over, and no index is any good at those.
"""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

OFF = 0.04  # of the noise in each number; vectors have length one


def main(source, target, count="100000"):
    count = int(count)
    table = pq.read_table(source)
    vectors = np.stack(table["vector"].to_numpy())
    random = np.random.default_rng(1)
    many = vectors[np.arange(count) % len(vectors)] + OFF * random.standard_normal((count, vectors.shape[1]), dtype=np.float32)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    again = [f"{name}#{number // len(vectors)}" for number, name in enumerate(np.resize(table["id"].to_numpy(), count))]
    rows = table.take(np.arange(count) % len(vectors))
    rows = rows.set_column(0, "id", pa.array(again))
    flat = pa.array(many.reshape(-1))
    lists = pa.ListArray.from_arrays(np.arange(0, flat.__len__() + 1, vectors.shape[1], dtype=np.int32), flat)
    rows = rows.set_column(rows.column_names.index("vector"), "vector", lists)
    pq.write_table(rows, target)
    print(f"{target}: {count} vectors of {vectors.shape[1]} numbers")


if __name__ == "__main__":
    main(*sys.argv[1:])
