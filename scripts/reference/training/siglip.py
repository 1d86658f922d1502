"""Records SigLIP's loss of each pair by itself."""

from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F

from .. import checkpoints
from ..checkpoints import Checkpoint
from ..configurations import siglip_config, siglip_preprocessor, transformer
from ..record import Expected, Preparation
from .blip import PICTURES, TEXTS
from .clip import exact_softmax
from .gradients import record_loss

TOKENS, LIMIT, SIDE = 100, 16, 24


def checkpoint():
    tower = transformer(16, 32, 2, 2, "", 0)
    config = siglip_config({**tower, "image_size": SIDE, "patch_size": 8},
                           {**tower, "max_position_embeddings": LIMIT, "vocab_size": TOKENS})
    return Checkpoint("siglip", ["SiglipModel"], config, siglip_preprocessor(SIDE, 3), seed=63, logit_scale=1.5,
                      sentencepiece=True)


def record(out: Path):
    """The class's own loss; texts filled up, no mask. Gradients under the names that obscura gives the tensors."""
    folder, expected = out / "model", Expected()
    checkpoints.save(checkpoint(), folder)
    model = checkpoints.load(checkpoint(), folder, "SiglipModel")
    preparation = Preparation(folder)
    ids = torch.cat([preparation.ids(text, LIMIT, padding="max_length") for text in TEXTS])
    pixels = torch.cat([preparation.pixels(name) for name in PICTURES])

    def loss_of(model):
        output = model(input_ids=ids, pixel_values=pixels.to(model.logit_scale.dtype), return_loss=True)
        return output.loss, {"logits_per_image": output.logits_per_image}

    rows = ids.tolist()
    expected.json = {
        "pictures": PICTURES,
        "captions": {"texts": TEXTS, "lengths": [row.index(1) + 1 for row in rows], "ids": rows},
    }
    expected.tensor("input.pixels", pixels)
    with mock.patch.object(F, "softmax", exact_softmax):
        record_loss(expected, "clip", model, loss_of)
    rename(expected)
    expected.write(out)


def rename(expected):
    """What the reference holds stacked is three tensors in obscura, and the text encoder's head has CLIP's name."""
    renamed = {}
    for key, value in expected.tensors.items():
        stem, stacked, leaf = key.partition("attention.in_proj_")
        if stacked:
            parts = value.reshape(3, value.shape[0] // 3, *value.shape[1:])
            renamed |= {f"{stem}attention.{part}_proj.{leaf}": parts[place].copy() for place, part in enumerate("qkv")}
        else:
            renamed[key.replace("text_model.head", "text_projection")] = value
    expected.tensors = renamed
    expected.json["losses"]["clip"]["parameters"] = sum(".grad." in key for key in renamed)
