"""Vectors in DuckDB: exact search without an index, then an HNSW index of its extension vss.

    python in_duckdb.py vectors.parquet MODEL
"""

import os
import sys
import tempfile

import duckdb
import pyarrow.parquet as pq
from duckdb_extensions import import_extension

from measure import NEAREST, Clock, measure


def main(file, model):
    width = int(len(pq.read_table(file, columns=["vector"]).slice(0, 1)["vector"][0]))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "pictures.duckdb")
        import_extension("vss")  # from PyPI; where the network allows it, INSTALL vss does the same
        base = duckdb.connect(path)
        base.execute("LOAD vss; SET hnsw_enable_experimental_persistence = true")
        clock = Clock()
        with clock("load"):
            base.execute(f"CREATE TABLE pictures AS SELECT id, path, vector::FLOAT[{width}] AS vector FROM '{file}'")
        base.execute("CHECKPOINT")

        def search(query):
            numbers = ", ".join(map(str, query.tolist()))
            order = f"array_cosine_distance(vector, [{numbers}]::FLOAT[{width}])"
            return [id for (id,) in base.execute(f"SELECT id FROM pictures ORDER BY {order} LIMIT {NEAREST}").fetchall()]

        measure(f"DuckDB {duckdb.__version__}, no index", file, model, search, os.path.getsize(path), clock.seconds)
        with clock("index"):
            base.execute("CREATE INDEX nearest ON pictures USING HNSW (vector) WITH (metric = 'cosine')")
        base.execute("CHECKPOINT")
        measure(f"DuckDB {duckdb.__version__}, HNSW of vss", file, model, search, os.path.getsize(path), clock.seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
