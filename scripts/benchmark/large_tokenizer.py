#!/usr/bin/env python3
"""What a tokenizer.json as large as Gemma's, which SigLIP 2 has, takes to load: 256,000 tokens, half a million merges.

    python3 scripts/benchmark/large_tokenizer.py [FOLDER]
    python3 scripts/benchmark/large_tokenizer.py --into MODEL   # only puts such a tokenizer.json into MODEL, for measure-load.mjs

Makes one of invented words in FOLDER [target/large-tokenizer], beside the small SigLIP 2 of tests/golden with a table of as
many tokens, and embeds a text by it: with target/release/obscura and in Node.js, with that tokenizer and with the small one
of the same model. The difference is the tokenizer's. Needs target/release/obscura and www/pkg (scripts/test builds both).
"""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/siglip2/model"
TOKENS = 256_000
TABLE = "text_model.embeddings.token_embedding.weight"
NODE = """
import { load } from "%s/www/node.js";
const model = await load(%s, { device: "cpu", dtype: "q8", cache: false });
await model.embed({ text: "a cat" });
await model.dispose();
"""


def words():
    """All words of up to three of 63 letters, and some ideographs to make it as many; and all ways to put one together."""
    letters = ["\u2581", *map(chr, (*range(48, 58), *range(65, 91), *range(97, 123)))]
    pairs = [left + right for left in letters for right in letters]
    known = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    known += letters + pairs + [pair + letter for pair in pairs for letter in letters]
    known += [chr(0x4E00 + place) for place in range(TOKENS - len(known))]
    merges = [list(pair) for pair in pairs]
    merges += [part for pair in pairs for letter in letters for part in ([pair, letter], [letter, pair])]
    return {word: place for place, word in enumerate(known)}, merges


def make(folder):
    """The model with the large tokenizer, and with its own."""
    table = json.loads((GOLDEN / "tokenizer.json").read_text())
    tensors = lengthened((GOLDEN / "model.safetensors").read_bytes())
    config = json.loads((GOLDEN / "config.json").read_text())
    config["text_config"]["vocab_size"] = TOKENS
    for name in ("large", "small"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file in ("preprocessor_config.json", "tokenizer_config.json"):
            shutil.copy(GOLDEN / file, folder / name / file)
        (folder / name / "model.safetensors").write_bytes(tensors)
        (folder / name / "config.json").write_text(json.dumps(config))
    (folder / "small/tokenizer.json").write_text(json.dumps(table))
    return write_large(table, folder / "large")


def write_large(table, folder):
    """tokenizer.json like this one with all the words: bytes and merges."""
    table["model"]["vocab"], table["model"]["merges"] = words()
    text = json.dumps(table, ensure_ascii=False, indent=2)
    (folder / "tokenizer.json").write_text(text)
    return len(text.encode()), len(table["model"]["merges"])


def lengthened(file):
    """A safetensors file with a token table of zeros behind its rows."""
    length = struct.unpack("<Q", file[:8])[0]
    header, data, chunks, position = json.loads(file[8:8 + length]), file[8 + length:], [], 0
    header.pop("__metadata__", None)
    for name, entry in sorted(header.items(), key=lambda pair: pair[1]["data_offsets"]):
        start, end = entry["data_offsets"]
        part = data[start:end]
        if name == TABLE:
            part = part.ljust(len(part) // entry["shape"][0] * TOKENS, b"\0")
            entry["shape"][0] = TOKENS
        entry["data_offsets"] = [position, position + len(part)]
        position += len(part)
        chunks.append(part)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(chunks)


def measure(command):
    """Seconds of processor time and most memory in MB of a process, the least of three."""
    found = []
    for _ in range(3):
        reader = f"import resource, subprocess, sys\nr = subprocess.run({command!r}, capture_output=True, text=True)\n"
        reader += "used = resource.getrusage(resource.RUSAGE_CHILDREN)\nprint(used.ru_utime + used.ru_stime, used.ru_maxrss)\n"
        reader += "sys.exit(r.stderr if r.returncode else 0)"
        ran = subprocess.run([sys.executable, "-c", reader], capture_output=True, text=True, check=True)
        seconds, memory = map(float, ran.stdout.split())
        found.append((seconds, memory / 1000))
    return min(time for time, _ in found), min(memory for _, memory in found)


def main():
    if sys.argv[1:2] == ["--into"]:
        size, merges = write_large(json.loads((GOLDEN / "tokenizer.json").read_text()), Path(sys.argv[2]))
        return print(f"{TOKENS} tokens, {merges} merges, {size / 1e6:.1f} MB")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/large-tokenizer").resolve()
    size, merges = make(folder)
    print(f"{TOKENS} tokens, {merges} merges, {size / 1e6:.1f} MB")
    for where in ("native", "Node.js"):
        sums = {}
        for name in ("small", "large"):
            model = str(folder / name)
            if where == "native":
                command = [str(ROOT / "target/release/obscura"), "embed", model, "--text", "a cat", "--dtype", "q8", "--json"]
            else:
                command = ["node", "--input-type=module", "-e", NODE % (ROOT, json.dumps(model))]
            sums[name] = measure(command)
        (short, little), (long, much) = sums["small"], sums["large"]
        print(f"{where}: {short:.2f} s and {little:.0f} MB with a small tokenizer, {long:.2f} s and {much:.0f} MB with the large one: "
              f"{long - short:.2f} s and {much - little:.0f} MB more")


if __name__ == "__main__":
    main()
