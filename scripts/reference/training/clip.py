"""Records CLIP's symmetric contrastive loss."""

from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F

from .. import checkpoints, vocabularies
from ..checkpoints import Checkpoint
from ..configurations import clip_config, old_clip_preprocessor, transformer
from ..record import Expected, Preparation
from .blip import PICTURES, TEXTS
from .gradients import record_loss

TOKENS, LIMIT, SIDE = 530, 32, 24
END = TOKENS - 1


def checkpoint():
    vision = {**transformer(16, 32, 2, 2, "quick_gelu", 1e-5), "image_size": SIDE, "patch_size": 8}
    text = {
        **transformer(16, 32, 2, 2, "quick_gelu", 1e-5), "vocab_size": TOKENS, "max_position_embeddings": LIMIT,
        "bos_token_id": TOKENS - 2, "eos_token_id": END, "pad_token_id": 1,
    }
    return Checkpoint("clip", ["CLIPModel"], clip_config(vision, text, 12), old_clip_preprocessor(SIDE), seed=62)


def exact_softmax(values, dim, dtype=None):
    """`transformers` takes CLIP's softmax in float32 whatever its input; in float64 that hides the differences."""
    return values.softmax(dim=dim)


def record(out: Path):
    """The class's own loss; texts padded with the end token, no mask."""
    folder, expected = out / "model", Expected()
    checkpoints.save(checkpoint(), folder)
    vocabularies.save_clip_tokenizer(folder, *vocabularies.small_clip(TOKENS))
    model = checkpoints.load(checkpoint(), folder, "CLIPModel")
    preparation = Preparation(folder)
    rows = [preparation.ids(text, LIMIT)[0] for text in TEXTS]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=END)
    pixels = torch.cat([preparation.pixels(name) for name in PICTURES])

    def loss_of(model):
        output = model(input_ids=ids, pixel_values=pixels.to(model.logit_scale.dtype), return_loss=True)
        logits = output.logits_per_image
        per_image, per_text = (logits.logsumexp(dim=axis) - logits.diag() for axis in (1, 0))
        torch.testing.assert_close((per_image.mean() + per_text.mean()) / 2, output.loss)
        return output.loss, {"logits_per_image": logits}

    expected.json = {
        "pictures": PICTURES,
        "captions": {"texts": TEXTS, "lengths": [len(row) for row in rows], "ids": ids.tolist()},
    }
    expected.tensor("input.pixels", pixels)
    with mock.patch.object(F, "softmax", exact_softmax):
        record_loss(expected, "clip", model, loss_of)
    expected.write(out)
