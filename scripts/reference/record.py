"""What every recorder needs: writing tensors and JSON, loading a checkpoint's own preprocessing."""

import math
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import AutoImageProcessor, AutoTokenizer

from . import pictures
from .readable_json import write_json

# Where a path is stated once for all modules; `configure` sets it.
PICTURES = Path("tests/pictures")


class Expected:
    """Collects named float32 tensors and one JSON object, and writes both beside a model."""

    def __init__(self):
        self.tensors = {}
        self.json = {}

    def tensor(self, name, value):
        array = value.detach().to(torch.float32).cpu().numpy() if isinstance(value, torch.Tensor) else value
        array = np.ascontiguousarray(array, dtype=np.float32)
        if not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
        self.tensors[name] = array

    def write(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.tensors, folder / "expected.safetensors")
        write_json(folder / "expected.json", self.json)


class Preparation:
    """A checkpoint's tokenizer and its Pillow image processor."""

    def __init__(self, model_folder: Path):
        self.tokenizer = AutoTokenizer.from_pretrained(model_folder)
        self.processor = AutoImageProcessor.from_pretrained(model_folder, backend="pil")
        assert type(self.processor).__name__.endswith("Pil"), type(self.processor)

    def pixels(self, name, size=None):
        """[1, 3, S, S] of the picture `name`; `size` overrides the checkpoint's image size."""
        options = {}
        if size is not None and "shortest_edge" in dict(self.processor.size):
            options = {"size": {"shortest_edge": size}, "crop_size": {"height": size, "width": size}}
        elif size is not None:
            options = {"size": {"height": size, "width": size}}
        image = pictures.load(PICTURES / name)
        return self.processor(images=image, return_tensors="pt", **options)["pixel_values"]

    def ids(self, text, max_length, **padding):
        """[1, T]: the text with its special tokens, cut to `max_length`, padded only if asked."""
        options = {"truncation": True, "max_length": max_length, "return_tensors": "pt"}
        return self.tokenizer(text, **options, **padding)["input_ids"]

    def text(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def unit(vector):
    """A vector divided by its length."""
    return vector / vector.norm(dim=-1, keepdim=True)


def rounded(value, digits=9):
    """A float for JSON; the digits kept are more than float32 holds."""
    number = float(value)
    return number if number == 0 else round(number, digits - 1 - math.floor(math.log10(abs(number))))
