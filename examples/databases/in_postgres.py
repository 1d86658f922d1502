"""Vectors in PostgreSQL with pgvector, with an HNSW index.

    DATABASE="dbname=pictures" python in_postgres.py vectors.parquet MODEL
"""

import os
import sys

import psycopg
import pyarrow.parquet as pq

from measure import NEAREST, Clock, measure


def main(file, model):
    table = pq.read_table(file)
    width = len(table["vector"][0])
    with psycopg.connect(os.environ.get("DATABASE", ""), autocommit=True) as base:
        base.execute("CREATE EXTENSION IF NOT EXISTS vector")
        version = base.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]
        base.execute("DROP TABLE IF EXISTS pictures")
        base.execute(f"CREATE TABLE pictures (id text, path text, vector vector({width}))")
        base.execute("SET maintenance_work_mem = '512MB'; SET max_parallel_maintenance_workers = 0")
        clock = Clock()
        with clock("load"), base.cursor() as cursor:
            with cursor.copy("COPY pictures FROM STDIN") as copy:
                for batch in table.select(["id", "path", "vector"]).to_batches(max_chunksize=1000):
                    for row in batch.to_pylist():
                        copy.write_row((row["id"], row["path"], str(row["vector"])))
        with clock("index"):
            # Vectors have length one: the inner product orders them as the cosine does, and takes less.
            base.execute("CREATE INDEX ON pictures USING hnsw (vector vector_ip_ops)")
        base.execute("SET hnsw.ef_search = 80")

        def search(query):
            found = base.execute(f"SELECT id FROM pictures ORDER BY vector <#> %s::vector LIMIT {NEAREST}", (str(query.tolist()),))
            return [id for (id,) in found]

        size = base.execute("SELECT pg_total_relation_size('pictures')").fetchone()[0]
        name = f"PostgreSQL {base.info.server_version // 10000}, pgvector {version}, HNSW"
        measure(name, file, model, search, size, clock.seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
