"""Makes the checkpoints of one era, with the packages of the environment that runs this, and records what they compute.

    python scripts/eras/make.py ERA FOLDER [ROW...]

Writes FOLDER/ROW/model, which the era's own tool saves, and FOLDER/ROW/wanted.json. scripts/eras/reference-eras calls it.
"""

import json
import os
import platform
import shutil
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402

import others  # noqa: E402
import picture  # noqa: E402
from rows import Row, transformers_rows  # noqa: E402

PACKAGES = ["transformers", "torch", "tokenizers", "safetensors", "pillow", "open_clip_torch", "peft", "sentence-transformers"]


def installed(packages):
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:
            pass  # not in this era's environment
    return found


def record(row: Row, folder: Path, picture_file: Path):
    """One row: the folder as its tool saves it, and what the same versions compute of it once loaded again."""
    shutil.rmtree(folder, ignore_errors=True)
    model = folder / "model"
    model.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # some tools note the paths that they were given: these are short, and the same everywhere
        wanted = row.make(model, picture_file, Path(scratch))
        os.chdir(folder)
    (model / "README.md").unlink(missing_ok=True)  # a card to be filled in
    header = {"tool": row.tool, "version": version(row.tool), "python": platform.python_version(), "with": installed(PACKAGES)}
    written = {**header, "class": row.class_name, "saved_by": row.saved_by, **row.more, "wanted": wanted}
    (folder / "wanted.json").write_text(json.dumps(written, indent=1, allow_nan=False) + "\n")


def record_defaults(era, out: Path):
    """The configurations that hold nothing but defaults: some versions write those down, others leave them out."""
    for family, model in (("CLIP", "CLIPModel"), ("Blip", "BlipForConditionalGeneration")):
        if hasattr(transformers, model):
            config = getattr(transformers, f"{family}Config")(architectures=[model])
            with tempfile.TemporaryDirectory() as scratch:
                config.save_pretrained(scratch)
                shutil.copy(Path(scratch) / "config.json", out / f"{family.lower()}-{era}.json")


def main():
    era, out, *names = sys.argv[1:]
    out = Path(out).resolve()
    torch.set_num_threads(1)
    torch.manual_seed(21)
    transformers.logging.set_verbosity_error()
    getattr(transformers.logging, "disable_progress_bar", lambda: None)()
    if not (out / "picture.png").exists():
        picture.draw(out / "picture.png")
    rows = {**transformers_rows(out), **others.rows(era, out)}
    for name in names or rows:
        record(rows[name], out / name, out / "picture.png")
        print(name, flush=True)
    defaults = out.parent / "configurations"
    defaults.mkdir(exist_ok=True)
    record_defaults(era, defaults)


if __name__ == "__main__":
    main()
