"""Embeds a collection by several workers of Ray Data, each a part of it. A worker that dies is replaced, and the new one
goes on with the part where it was.

    python examples/ray/embed.py MODEL PICTURES FOLDER [parts] [--kill]

FOLDER then holds part-1.parquet and so on, which any database reads together. --kill shows it: the worker of the first
part is killed once its first rows are written. With several machines, FOLDER and PICTURES lie on a disk that all see.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import ray

OBSCURA = os.environ.get("OBSCURA", "obscura")
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Linux: a worker that is killed must not leave obscura behind, which would hold the file."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def embed(row, model, pictures, folder, parts, kill):
    """One part; --resume goes on with what a worker before this one has written."""
    name = os.path.join(folder, f"part-{row['part']}.parquet")
    command = [OBSCURA, "embed", model, pictures, "--write", name, "--resume", "--shard", f"{row['part']}/{parts}"]
    journal, marker = f"{name}.journal", os.path.join(folder, "killed")
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    if kill and row["part"] == 1 and not os.path.exists(marker):
        while not os.path.exists(journal) or sum(1 for _ in open(journal)) < 2:
            time.sleep(0.01)
        open(marker, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)  # this worker, in the middle of its work
    errors = run.communicate()[1]
    return {"part": row["part"], "code": run.returncode, "errors": errors}


def main(model, pictures, folder, parts="2", *options):
    parts, kill = int(parts), "--kill" in options
    os.makedirs(folder, exist_ok=True)
    ray.init(num_cpus=parts, include_dashboard=False, log_to_driver=False)
    paths = [os.path.abspath(path) if os.path.exists(path) else path for path in (model, pictures)]
    started = time.perf_counter()
    given = {"model": paths[0], "pictures": paths[1], "folder": os.path.abspath(folder), "parts": parts, "kill": kill}
    rows = ray.data.from_items([{"part": part + 1} for part in range(parts)], override_num_blocks=parts)
    done = rows.map(embed, fn_kwargs=given).take_all()
    seconds = time.perf_counter() - started
    written = sum(pq.read_metadata(os.path.join(folder, f"part-{part + 1}.parquet")).num_rows for part in range(parts))
    for part in sorted(done, key=lambda part: part["part"]):
        print(f"part {part['part']}: exit code {part['code']}", part["errors"].strip(), sep="\n" if part["errors"] else "")
    killed = ", one worker killed on the way" if os.path.exists(os.path.join(folder, "killed")) else ""
    print(f"Ray {ray.__version__}: {written} vectors in {seconds:.1f} s with {parts} workers{killed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
