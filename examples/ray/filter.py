#!/usr/bin/env python3
"""CapFilt over a collection that is too large for one machine: `obscura filter` in the workers of Ray Data.

    python -m venv VENV && VENV/bin/pip install -r examples/ray/requirements.txt
    VENV/bin/python examples/ray/filter.py MODEL pictures.jsonl OUT --workers 4 --threads 2

`pictures.jsonl`, or a folder of such files, has a line for each picture: {"image": "a.jpg", "captions": ["a dog"]}, with
the captions or without. OUT becomes a folder of JSON lines, one file a block. Ray reads the blocks, hands them to
whichever worker is free, starts a dead worker again with the block that it was at, and does all of this on one machine
or on a cluster (`--address`), whose machines all see MODEL, the pictures and the program under the same paths.

Each worker is an actor that holds one `obscura filter MODEL - -`: the model is loaded once, lines go in and come out.
What a picture's caption becomes depends on --seed and the picture's name alone, and so neither on the number of workers
nor on the order of the blocks. `place` in OUT's lines counts within a worker and is left out.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import ray


class CaptionFilter:
    """One `obscura filter` between two pipes."""

    def __init__(self, program, model, images, options, threads):
        environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
        command = [program, "filter", model, "-", "-", "--images", images, *options]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def __call__(self, batch):
        """{"line": texts}, a line of input each, to {"line": texts}, a line of output each."""
        # A blank line would have no answer; Ray leaves out empty ones only.
        lines = [line.lstrip("\ufeff").strip() or "null" for line in batch["line"]]
        writer = threading.Thread(target=self.write, args=(lines,))  # both pipes are short: write beside reading
        writer.start()
        found = [self.process.stdout.readline() for _ in lines]
        writer.join()
        if not all(found):
            self.explain_end()
        return {"line": [without_place(line) for line in found]}

    def explain_end(self):
        """A program that was killed may be started again, with its worker; one that refused its work may not."""
        code = self.process.wait()
        if code < 0:
            os._exit(1)  # Ray starts the worker again, with the same block
        raise RuntimeError(f"obscura filter ended with code {code}; its message is in the worker's log")

    def write(self, lines):
        try:
            self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the reader notices that nothing comes


def without_place(line):
    fields = json.loads(line)
    del fields["place"]
    return json.dumps(fields, ensure_ascii=False)


class Lines(ray.data.datasource.BlockBasedFileDatasink):
    """The texts of the column `line` as they are, one a line, a file for each block."""

    def write_block_to_file(self, block, file):
        for line in block.to_arrow()["line"].to_pylist():
            file.write(line.encode() + b"\n")


def check_room(wanted):
    """Workers that take every CPU would wait for ever for a block: reading and writing them takes one, too."""
    there = int(ray.cluster_resources().get("CPU", 0))
    if wanted >= there:
        sys.exit(f"the workers take {wanted} of Ray's {there} CPUs, and one is to be left for reading: fewer --workers or --threads, or more --cpus")


def main():
    root = Path(__file__).resolve().parents[2]
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model")
    options.add_argument("data", type=Path)
    options.add_argument("output", type=Path)
    options.add_argument("--images", type=Path, help="the folder of the pictures [default: that of the lines]")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--threads", type=int, default=1, help="of each worker, which Ray counts as CPUs")
    options.add_argument("--batch", type=int, default=64, help="pictures handed to a worker at once")
    options.add_argument("--blocks", type=int, help="parts of the input, which are files of the output")
    options.add_argument("--threshold", default="0.5")
    options.add_argument("--seed", default="1")
    options.add_argument("--program", default=str(root / "target" / "release" / "obscura"))
    options.add_argument("--address", help="of a cluster; without, this machine")
    options.add_argument("--cpus", type=int, help="that Ray may count on this machine [default: those that there are]")
    given = options.parse_args()
    if given.output.exists():
        sys.exit(f"{given.output} is there already")

    ray.init(address=given.address, num_cpus=given.cpus)
    check_room(given.workers * given.threads)
    images = given.images or (given.data if given.data.is_dir() else given.data.parent)
    endings = ["jsonl"] if given.data.is_dir() else None  # pictures may lie beside them
    lines = ray.data.read_text(str(given.data.resolve()), file_extensions=endings).rename_columns({"text": "line"})
    if given.blocks:
        lines = lines.repartition(given.blocks)
    filtered = lines.map_batches(
        CaptionFilter,
        fn_constructor_args=(
            given.program, given.model, str(images.resolve()),
            ["--threshold", given.threshold, "--seed", given.seed], given.threads,
        ),
        batch_size=given.batch,
        num_cpus=given.threads,
        compute=ray.data.ActorPoolStrategy(size=given.workers),
    )
    filtered.write_datasink(Lines(str(given.output.resolve()), file_format="jsonl"))
    print(filtered.stats() if os.environ.get("OBSCURA_STATS") else f"{given.output} is written")


if __name__ == "__main__":
    main()
