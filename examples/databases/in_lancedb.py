"""Vectors in LanceDB, with an index of inverted lists and product quantization whose best are compared exactly.

    python in_lancedb.py vectors.parquet MODEL
"""

import sys
import tempfile

import lancedb
import pyarrow as pa
import pyarrow.parquet as pq

from measure import NEAREST, Clock, measure, size_of


def main(file, model):
    table = pq.read_table(file)
    width = len(table["vector"][0])
    # LanceDB takes lists of one fixed length for vectors; Parquet has only lists.
    fixed = table["vector"].combine_chunks().cast(pa.list_(pa.float32(), width))
    table = table.set_column(table.column_names.index("vector"), "vector", fixed)
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        with clock("load"):
            pictures = lancedb.connect(folder).create_table("pictures", table)
        with clock("index"):
            pictures.create_index(metric="cosine", index_type="IVF_PQ", num_partitions=64, num_sub_vectors=width // 8)

        def search(query):
            found = pictures.search(query).distance_type("cosine").nprobes(16).refine_factor(10).limit(NEAREST)
            return found.select(["id", "_distance"]).to_arrow()["id"].to_pylist()

        name = f"LanceDB {lancedb.__version__}, IVF_PQ"
        measure(name, file, model, search, size_of(folder), clock.seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
