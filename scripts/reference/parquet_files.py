"""Parquet files of vectors as other programs write them, and the vectors as JSON: tests/golden/parquet.

    python scripts/reference/parquet_files.py

Needs pyarrow 26.0.1 and duckdb 2.0.1.
"""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).resolve().parents[2] / "tests/golden/parquet"
ROWS, WIDTH = 300, 5


def vector(row):
    """Numbers that a float holds exactly; a few of them often, so that a dictionary is worth it."""
    return [((row * 7 + place * 3) % 11 - 5) / 8 for place in range(WIDTH)]


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [{"id": f"picture {row}", "path": f"/pictures/{row % 100}/é{row}.jpg", "vector": vector(row)} for row in range(ROWS)]
    (FOLDER / "expected.json").write_text(json.dumps(rows[:: ROWS // 10], ensure_ascii=False) + "\n")
    table = pa.Table.from_pylist(rows, schema=pa.schema([("id", pa.string()), ("path", pa.string()), ("vector", pa.list_(pa.float32()))]))
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    # Small pages, so that rows end in the middle of none and there are several; small groups.
    pq.write_table(table, FOLDER / "plain.parquet", row_group_size=128, data_page_size=512, write_batch_size=16, **plain)
    pq.write_table(table, FOLDER / "dictionary.parquet", compression="none")
    doubles = table.set_column(2, "vector", table["vector"].cast(pa.list_(pa.float64())))
    pq.write_table(doubles, FOLDER / "doubles.parquet", **plain)
    fixed = table.set_column(2, "vector", table["vector"].cast(pa.list_(pa.float32(), WIDTH)))
    pq.write_table(fixed, FOLDER / "fixed.parquet", **plain)
    pq.write_table(table, FOLDER / "compressed.parquet", compression="snappy")
    pq.write_table(table.select(["id", "path"]), FOLDER / "without-vectors.parquet", **plain)
    ragged = [dict(row, vector=row["vector"][: 4 + place % 2]) for place, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(ragged, schema=table.schema), FOLDER / "ragged.parquet", **plain)
    missing = [dict(row, vector=None) if place == 7 else row for place, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(missing, schema=table.schema), FOLDER / "missing.parquet", **plain)
    collection = table  # DuckDB finds it by this name
    assert collection.num_rows == ROWS
    duckdb.sql(f"COPY (SELECT id, path, vector FROM collection) TO '{FOLDER}/duckdb.parquet' (FORMAT parquet, COMPRESSION uncompressed)")


if __name__ == "__main__":
    main()
