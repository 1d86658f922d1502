#!/usr/bin/env python3
"""What `obscura search --min-score` leaves out of drawn scenes, and what it should not have.

    python3 scripts/checks/search_cut_off.py SPLIT [--pictures 150] [--obscura target/release/obscura] [--model ...]

SPLIT is a folder of `obscura scenes`. Each thing that is in some of its pictures is searched for by "a THING", by vectors
alone (against the null query) and, of a BLIP, with the matching head's look at all. Printed for several cut-offs: precision and recall
over all pictures of all searches, and how many searches among the pictures without the thing find nothing, as they should.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

CUT_OFFS = [0.0, 0.05, 0.2, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", type=Path)
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--obscura", default="target/release/obscura")
    parser.add_argument("--model", default="www/models/pictograms.gguf")
    given = parser.parse_args()
    lines = (given.split / "captions.jsonl").read_text().splitlines()[: given.pictures]
    things = {}
    for line in map(json.loads, lines):
        path = str((given.split / line["image"]).resolve())
        things[path] = {thing["object"] for thing in line["facts"]["things"]}
    words = sorted(set().union(*things.values()))

    def obscura(*arguments):
        return subprocess.run([given.obscura, *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    with tempfile.TemporaryDirectory() as folder:
        album = f"{folder}/album"
        obscura("album", "add", given.model, album, *things)
        ways = [("vectors and the null query", 0)]
        if json.loads(obscura("inspect", given.model, "--json"))["architecture"] == "blip":
            ways.append(("the matching head", given.pictures))
        for how, rerank in ways:
            found = {}
            for word in words:
                text = obscura("search", given.model, album, "--text", f"a {word}", "--limit", given.pictures, "--rerank",
                               rerank, "--min-score", 0, "--json")
                found[word] = {one["key"]: one["probability"] for one in json.loads(text)["found"]}
            print(f"{how}: {len(words)} searches among {len(things)} pictures")
            for cut_off in CUT_OFFS:
                show(cut_off, found, things)


def show(cut_off, found, things):
    kept = [(word, key) for word, scores in found.items() for key, score in scores.items() if score >= cut_off]
    right = sum(word in things[key] for word, key in kept)
    wanted = sum(word in there for word in found for there in things.values())
    empty = sum(all(word in things[key] or score < cut_off for key, score in scores.items()) for word, scores in found.items())
    print(f"  {cut_off:<5}  precision {right / max(len(kept), 1):6.1%}  recall {right / wanted:6.1%}  "
          f"nothing where there is none: {empty} of {len(found)}")


if __name__ == "__main__":
    main()
