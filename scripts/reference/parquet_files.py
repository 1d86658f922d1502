"""Parquet files of vectors as other programs write them, and the vectors as JSON: tests/golden/parquet.

    python scripts/reference/parquet_files.py

Needs pyarrow 26.0.1, duckdb 2.0.1, polars 2.1.0, lancedb 0.40.0 and ray[data] 2.60.0.
"""

import json
import shutil
import tempfile
from pathlib import Path

import duckdb
import lancedb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import ray

FOLDER = Path(__file__).resolve().parents[2] / "tests/golden/parquet"
ROWS, WIDTH = 300, 5
PLAIN = {"compression": "none", "use_dictionary": False, "write_statistics": False}


def vector(row):
    """Numbers that a half-precision float holds exactly; a few of them often, so that a dictionary is worth it."""
    return [((row * 7 + place * 3) % 11 - 5) / 8 for place in range(WIDTH)]


def write(name, table, **options):
    pq.write_table(table, FOLDER / f"{name}.parquet", **options)


def with_lists(table, kind):
    return table.set_column(table.column_names.index("vector"), "vector", table["vector"].cast(kind))


def of_pyarrow(table, rows):
    # Small pages, so that rows end in the middle of none and there are several; small groups.
    write("plain", table, row_group_size=128, data_page_size=512, write_batch_size=16, **PLAIN)
    write("dictionary", table, compression="none")
    write("doubles", with_lists(table, pa.list_(pa.float64())), **PLAIN)
    write("halves", with_lists(table, pa.list_(pa.float16())), **PLAIN)
    write("fixed", with_lists(table, pa.list_(pa.float32(), WIDTH)), **PLAIN)
    write("snappy", table, compression="snappy")
    write("gzip", table, compression="gzip")
    write("zstd-pages-2", table, compression="zstd", data_page_version="2.0", data_page_size=512, write_batch_size=16)
    write("brotli", table, compression="brotli")
    write("ids", table.select(["id", "vector"]), compression="zstd")
    numbers = pa.array(range(ROWS), pa.int64())
    write("numbers-for-ids", table.select(["vector"]).append_column("id", numbers), compression="zstd")
    write("without-vectors", table.select(["id", "path"]), compression="zstd")
    ragged = [dict(row, vector=row["vector"][: 4 + place % 2]) for place, row in enumerate(rows)]
    write("ragged", pa.Table.from_pylist(ragged, schema=table.schema), compression="zstd")
    missing = [dict(row, vector=None) if place == 7 else row for place, row in enumerate(rows)]
    write("missing", pa.Table.from_pylist(missing, schema=table.schema), compression="zstd")


def of_others(table, rows):
    """As each writes by itself, when nothing is said of compression or types."""
    collection = table  # DuckDB finds it by this name
    assert collection.num_rows == ROWS
    duckdb.sql(f"COPY (SELECT id, path, vector FROM collection) TO '{FOLDER}/duckdb.parquet' (FORMAT parquet)")
    pl.from_arrow(table).write_parquet(FOLDER / "polars.parquet")
    with tempfile.TemporaryDirectory() as folder:
        pictures = lancedb.connect(folder).create_table("pictures", with_lists(table, pa.list_(pa.float32(), WIDTH)))
        write("lancedb", pictures.to_arrow())
    ray.init(num_cpus=1, include_dashboard=False)
    with tempfile.TemporaryDirectory() as folder:
        tensors = [dict(row, vector=np.array(row["vector"], np.float32)) for row in rows]
        ray.data.from_items(tensors, override_num_blocks=1).write_parquet(folder)
        (file,) = Path(folder).glob("*.parquet")
        shutil.copyfile(file, FOLDER / "ray.parquet")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"picture {row}", "path": f"/pictures/{row % 100}/é{row}.jpg", "vector": vector(row)} for row in range(ROWS)]
    (FOLDER / "expected.json").write_text(json.dumps(rows[:: ROWS // 10], ensure_ascii=False) + "\n")
    table = pa.Table.from_pylist(rows, schema=pa.schema([("id", pa.string()), ("path", pa.string()), ("vector", pa.list_(pa.float32()))]))
    of_pyarrow(table, rows)
    of_others(table, rows)


if __name__ == "__main__":
    main()
