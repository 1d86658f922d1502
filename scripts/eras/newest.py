"""Has the newest tools load what those of every era saved, and notes in each wanted.json whether they compute the same.

    python scripts/eras/newest.py FOLDER [ROW...]

Where they do not, or cannot, that is what users meet who bring an old checkpoint to a new version: docs/checkpoints.md
says so, row by row.
"""

import json
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402

import others  # noqa: E402
import results  # noqa: E402


def computed(wanted, folder, out, picture):
    model = folder / "model"
    if wanted["tool"] == "open_clip_torch":
        return others.open_clip_results(model, picture)
    if wanted["tool"] == "sentence-transformers":
        inner = model / "0_CLIPModel"
        return others.sentence_transformers_results(model, picture, inner if inner.exists() else model)
    if wanted["tool"] == "peft":
        return others.peft_results(wanted["class"], model, out / wanted["base"] / "model", picture)
    variant = {"variant": "fp16"} if "variant" in wanted["saved_by"] else {}
    return results.of_folder(wanted["class"], model, picture, **variant)


def turned(ours, theirs):
    """One minus the cosine."""
    ours, theirs = torch.tensor(ours, dtype=torch.float64), torch.tensor(theirs, dtype=torch.float64)
    return 1 - torch.nn.functional.cosine_similarity(ours, theirs, dim=0).item()


def is_same(new, old):
    """Ids equal, vectors and scores within what the tests allow."""
    if isinstance(old, dict):
        return all(is_same(new[key], value) for key, value in old.items())
    if isinstance(old, list) and old and isinstance(old[0], float):
        return turned(new, old) < 1e-5
    if isinstance(old, list):
        return len(new) == len(old) and all(is_same(*pair) for pair in zip(new, old))
    return abs(new - old) < 1e-4 if isinstance(old, float) else new == old


def note(folder, out):
    """Whether the newest tool makes the same of one row, or an error."""
    file = folder / "wanted.json"
    wanted = json.loads(file.read_text())
    tool = wanted["tool"] if wanted["tool"] != "torch" else "transformers"
    newest = {"tool": tool, "version": version(tool)}
    try:
        newest["same"] = is_same(computed(wanted, folder, out, out / "picture.png"), wanted["wanted"])
    except Exception as error:  # whatever a library says of a file that it does not take
        newest["error"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"[:200]
    file.write_text(json.dumps({**wanted, "newest": newest}, indent=1, allow_nan=False) + "\n")
    return {key: value for key, value in newest.items() if key in ("same", "error")}


def main():
    out = Path(sys.argv[1]).resolve()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folders = sorted(file.parent for file in out.glob("*/wanted.json"))
    for folder in folders:
        if not sys.argv[2:] or folder.name in sys.argv[2:]:
            print(folder.name, note(folder, out), flush=True)


if __name__ == "__main__":
    main()
