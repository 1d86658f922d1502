"""Which checkpoints are made with a version of transformers: what its users save, in the forms that were new in its days."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import torch
import transformers

import checkpoints
import results

CAPTIONS, RETRIEVAL, ANSWERS = "BlipForConditionalGeneration", "BlipForImageTextRetrieval", "BlipForQuestionAnswering"
TEXT, VISION = "CLIPTextModelWithProjection", "CLIPVisionModelWithProjection"


@dataclass
class Row:
    """One checkpoint to be made: `make(folder, picture, scratch)` fills the folder and returns what it computes."""

    tool: str
    class_name: str
    saved_by: str  # in the words of a program
    make: Callable
    more: dict = field(default_factory=dict)  # further keys of wanted.json


def era():
    """The version as two numbers."""
    return tuple(int(part) for part in transformers.__version__.split(".")[:2])


def saved(class_name, slow=False, half=False, shared_head=False, legacy_end=False, **options):
    """A model and its processor in one folder, saved with these options of save_pretrained."""
    family = "CLIP" if class_name.startswith("CLIP") else "Blip"

    def make(folder, picture, scratch):
        model = checkpoints.model(class_name, **({"legacy_end": legacy_end} if family == "CLIP" else {}))
        if shared_head:
            checkpoints.share_head(model)
        (model.half() if half else model).save_pretrained(str(folder), **options)
        checkpoints.processor(family, Path("words"), slow).save_pretrained(str(folder))
        variant = {"variant": options["variant"]} if "variant" in options else {}
        return results.of_folder(class_name, folder, picture, **variant)

    words = ", ".join(f"{name}={value!r}" for name, value in options.items())
    start = "half()." if half else ""
    note = "the head still the word table" if shared_head else "eos_token_id 2" if legacy_end and era() >= (4, 32) else ""
    more = {"note": note} if note else {}
    return Row("transformers", class_name, f"{start}save_pretrained({words})", make, more)


def part(class_name):
    """One encoder alone, with what belongs to it: the tokenizer of a text encoder, the image processor of the other."""
    def make(folder, picture, scratch):
        checkpoints.model(class_name).save_pretrained(str(folder))
        texts = class_name.startswith("CLIPText")
        (checkpoints.tokenizer("CLIP", Path("words")) if texts else checkpoints.image_settings("CLIP")).save_pretrained(str(folder))
        return results.of_folder(class_name, folder, picture)

    return Row("transformers", class_name, "save_pretrained()", make)


def saved_twice():
    """A folder that a model was saved into whole, and later another in shards: the reference goes on to load the first."""
    def make(folder, picture, scratch):
        model = checkpoints.model("CLIPModel")
        model.save_pretrained(str(folder))
        checkpoints.processor("CLIP", Path("words")).save_pretrained(str(folder))
        with torch.no_grad():
            model.visual_projection.weight.neg_()
        model.save_pretrained(str(folder), max_shard_size="30KB")
        return results.of_folder("CLIPModel", folder, picture)

    return Row("transformers", "CLIPModel", "save_pretrained(max_shard_size='30KB')", make, {"note": "into another's folder"})


def saved_over(old):
    """An old folder that was loaded, changed, and saved in place: the old files stay where the new ones have other names."""
    def make(folder, picture, scratch):
        shutil.copytree(old, folder, dirs_exist_ok=True)
        processor = transformers.BlipProcessor.from_pretrained(str(folder))
        processor.image_processor.image_mean = [0.5, 0.5, 0.5]
        processor.save_pretrained(str(folder))
        getattr(transformers, CAPTIONS).from_pretrained(str(folder)).save_pretrained(str(folder))
        return results.of_folder(CAPTIONS, folder, picture)

    return Row("transformers", CAPTIONS, "save_pretrained()", make, {"note": "into the folder of 4.45 that it came from"})


def transformers_rows(out):
    """Name -> row, of the installed version; `out` has the rows of earlier eras."""
    now, old = era(), era() < (4, 32)
    rows = {"clip": saved("CLIPModel", legacy_end=old)}
    special = {
        (4, 21): {"clip-sharded": saved("CLIPModel", legacy_end=True, max_shard_size="30KB")},
        (4, 26): {
            "blip-captioning": saved(CAPTIONS),
            "blip-captioning-shared-head": saved(CAPTIONS, shared_head=True),
            "blip-retrieval": saved(RETRIEVAL),
            "blip-vqa": saved(ANSWERS, slow=True),
        },
        (4, 30): {
            "clip-safetensors": saved("CLIPModel", legacy_end=True, safe_serialization=True),
            "blip-captioning": saved(CAPTIONS),
            "blip-retrieval": saved(RETRIEVAL),
            "blip-vqa": saved(ANSWERS, safe_serialization=True),
        },
        (4, 36): {
            "clip-fp16": saved("CLIPModel", half=True, variant="fp16"),
            "blip-captioning": saved(CAPTIONS),
        },
        (4, 45): {
            "blip-captioning": saved(CAPTIONS, max_shard_size="30KB"),
            "blip-retrieval": saved(RETRIEVAL, safe_serialization=False),
            "blip-vqa": saved(ANSWERS),
        },
        (4, 55): {
            "clip-fp16-sharded": saved("CLIPModel", half=True, variant="fp16", max_shard_size="20KB"),
            "clip-text": part(TEXT),
            "clip-vision": part(VISION),
            "blip-captioning": saved(CAPTIONS),
            "blip-vqa": saved(ANSWERS),
        },
        (4, 57): {"blip-captioning": saved(CAPTIONS), "blip-retrieval": saved(RETRIEVAL), "blip-vqa": saved(ANSWERS)},
        (5, 0): {"blip-captioning": saved(CAPTIONS), "blip-retrieval": saved(RETRIEVAL)},
        (5, 6): {"blip-captioning": saved(CAPTIONS)},
        (5, 24): {
            "clip-legacy-end": saved("CLIPModel", legacy_end=True),
            "clip-saved-twice": saved_twice(),
            "clip-text": part(TEXT),
            "clip-vision": part(VISION),
            "blip-captioning": saved(CAPTIONS, max_shard_size="30KB"),
            "blip-captioning-over-4.45": saved_over(out / "transformers-4.45-blip-captioning/model"),
            "blip-retrieval": saved(RETRIEVAL),
            "blip-vqa": saved(ANSWERS),
        },
    }
    rows.update(special[now])
    return {f"transformers-{now[0]}.{now[1]}-{name}": row for name, row in rows.items()}
