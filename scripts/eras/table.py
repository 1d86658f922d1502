"""Writes the table of docs/checkpoints.md: what each era's tools saved, and what obscura makes of it.

    python scripts/eras/table.py FOLDER OBSCURA DOCUMENT

Every row is loaded by the program OBSCURA, here and now, and all that its wanted.json records is compared. Needs nothing
but Python. Exits with 1 when a row is not right, after the table was written.
"""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

BEGIN, END = "<!-- by scripts/eras/reference-eras --table -->", "<!-- end of the table -->"
KINDS = {
    "CLIPModel": "CLIP", "open_clip.CLIP": "CLIP", "CLIPTextModelWithProjection": "CLIP's text encoder",
    "CLIPVisionModelWithProjection": "CLIP's image encoder", "BlipForConditionalGeneration": "BLIP, captions",
    "BlipForImageTextRetrieval": "BLIP, retrieval", "BlipForQuestionAnswering": "BLIP, questions",
}


def cosine(ours, theirs):
    if len(ours) != len(theirs):
        return 0.0
    length = math.sqrt(sum(x * x for x in ours) * sum(x * x for x in theirs))
    return sum(a * b for a, b in zip(ours, theirs)) / length


class Obscura:
    """The command line on one row."""

    def __init__(self, program, folder, wanted):
        self.program, self.folder, self.wanted = program, folder, wanted
        self.picture = str(folder.parent / "picture.png")

    def run(self, command, *arguments):
        base = ["--base", str(self.folder.parent / self.wanted["base"] / "model")] if "base" in self.wanted else []
        call = [self.program, command, str(self.folder / "model"), *arguments, *base, "--dtype", "f32", "--json"]
        done = subprocess.run(call, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[0].replace(f"{self.folder}/model: ", ""))
        return json.loads(done.stdout)

    def differences(self):
        """What is not as recorded, in words."""
        wanted = self.wanted["wanted"]
        if "image_vector" in wanted:
            yield from self.vector("the picture's vector", [self.picture], wanted["image_vector"])
        for text in wanted.get("texts", []):
            yield from self.vector(f"the vector of {text['text']!r}", ["--text", text["text"]], text["vector"])
        for case in wanted.get("captions", []):
            prompt = ["--prompt", case["prompt"]] if case["prompt"] else []
            found = self.run("caption", self.picture, *prompt, "--max-new-tokens", "12")["tokens"]
            yield from self.ids(f"the caption {case['prompt']!r}", found, case["ids"])
        for case in wanted.get("answers", []):
            found = self.run("answer", self.picture, "--question", case["question"], "--max-new-tokens", "10")["tokens"]
            yield from self.ids(f"the answer to {case['question']!r}", found, case["ids"])
        for case in wanted.get("matches", []):
            found = self.run("match", self.picture, case["text"])["matches"][0]
            for score in ("probability", "similarity"):
                if abs(found[score] - case[score]) > 1e-4:
                    yield f"{score} of {case['text']!r} is {found[score]}, expected {case[score]}"

    def vector(self, what, arguments, wanted):
        turned = 1 - cosine(self.run("embed", *arguments)["embedding"], wanted)
        if not turned < 1e-5:
            yield f"{what} is turned by {turned:.1e}"

    def ids(self, what, found, wanted):
        if found != wanted:
            yield f"{what} is {found}, expected {wanted}"


def written(model):
    """The weights and what lies beside them, as the table names them."""
    names = sorted(str(file.relative_to(model)) for file in model.rglob("*") if file.is_file())
    weights = [name for name in names if re.search(r"\.(safetensors|bin)$", name)]
    if len(weights) > 1 and "-of-" in weights[0]:
        index = next(name for name in names if ".index." in name)
        weights = [re.sub(r"-\d+-of-\d+", "-*", weights[0]), index]
    texts = [name for name in names if Path(name).name in TEXTS]
    return ", ".join(f"`{name}`" for name in weights), ", ".join(f"`{name}`" for name in texts)


TEXTS = ["preprocessor_config.json", "processor_config.json", "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt",
         "open_clip_config.json", "modules.json", "adapter_config.json"]


def row(folder, program):
    """The table's line of one folder, and whether obscura is right."""
    wanted = json.loads((folder / "wanted.json").read_text())
    try:
        wrong = "; ".join(Obscura(program, folder, wanted).differences())
    except (RuntimeError, json.JSONDecodeError) as error:
        wrong = str(error)
    weights, texts = written(folder / "model")
    newest = wanted["newest"]
    today = "the same" if newest.get("same") else "an error" if "error" in newest else "other numbers"
    call = ", ".join([f"`{wanted['saved_by']}`", *([wanted["note"]] if "note" in wanted else [])])
    cells = [f"{wanted['tool']} {wanted['version']}", KINDS[wanted["class"]], call, weights, texts,
             f"no: {wrong}" if wrong else "yes", f"{today} ({newest['version']})"]
    if wrong:
        print(f"{folder.name}: {wrong}")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |", not wrong


def order(folder):
    """By tool, then by version as numbers."""
    tool, version, *rest = re.match(r"([a-z_-]+)-([\d.]+)(.*)", folder.name).groups()
    tools = ["transformers", "open_clip", "sentence-transformers", "peft", "torch"]
    return tools.index(tool), [int(part) for part in version.split(".")], rest


def main():
    out, program, document = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    rows = [row(folder, program) for folder in sorted((file.parent for file in out.glob("*/wanted.json")), key=order)]
    lines = ["| Saved by | Model | Call | Weights | Beside them | Loads, and is right | The newest release computes |",
             "|---|---|---|---|---|---|---|", *(line for line, _ in rows)]
    head, rest = document.read_text().split(BEGIN)
    _, tail = rest.split(END)
    document.write_text("\n".join([head + BEGIN, "", *lines, "", END + tail]))
    right = sum(is_right for _, is_right in rows)
    print(f"{right} of {len(rows)} are right")
    sys.exit(right < len(rows))


if __name__ == "__main__":
    main()
