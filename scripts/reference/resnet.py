"""What a CLIP with a ResNet computes, stage by stage: `CLIP` of open_clip, which `transformers` has no class for.

The model folder is as open_clip pushes one to the hub: open_clip_config.json, open_clip_model.safetensors and the
tokenizer's files. Pictures are prepared by open_clip's transform, whose crop lies where
torchvision puts it. Keys are described in tests/golden/README.md.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
from open_clip.model import CLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from safetensors.torch import save_file
from transformers import AutoTokenizer
from transformers.image_transforms import convert_to_rgb

from . import pictures, vocabularies
from . import record as recording
from .checkpoints import CLIP_MEAN, CLIP_STD
from .clip import LONG_TEXT, TEXTS
from .record import Expected, rounded, unit


def small():
    """Stages of one and two blocks; a mean and standard deviation of its own come from the configuration."""
    return {
        "model_cfg": {
            "embed_dim": 20, "quick_gelu": True,
            "vision_cfg": {"image_size": 64, "layers": [1, 2, 1, 1], "width": 4, "head_width": 32, "patch_size": None},
            "text_cfg": {"context_length": 77, "vocab_size": 1000, "width": 32, "heads": 4, "layers": 2},
        },
        "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD},
    }


def full():
    """RN50 as OpenAI made it."""
    return {
        "model_cfg": {
            "embed_dim": 1024, "quick_gelu": True,
            "vision_cfg": {"image_size": 224, "layers": [3, 4, 6, 3], "width": 64, "patch_size": None},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
        },
        "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD},
    }


def seeded(seed, name, tensor):
    """Values by name, as `checkpoints.seeded` makes them: no sum is zero, and no statistic is the one of a new model."""
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    noise = random.standard_normal(tuple(tensor.shape), dtype=np.float32)
    if name == "logit_scale":
        return np.float32(2.6592) + 0 * noise
    if name.endswith("running_var"):
        return np.exp(np.float32(0.3) * noise)
    if name.endswith("running_mean") or name.endswith("bias"):
        return np.float32(0.1) * noise
    if "bn3" in name:  # a quieter branch, or a deep ResNet grows louder from block to block
        return np.float32(0.5) + np.float32(0.1) * noise
    if any(part in name for part in ("bn", "ln_", "downsample.1")):
        return 1 + np.float32(0.1) * noise
    if "embedding" in name:
        return np.float32(0.5 if "position" in name else 1.0) * noise
    fan_in = tensor.shape[0] if name == "text_projection" else int(np.prod(tensor.shape[1:]))
    gain = 1.5 if any(part in name for part in ("q_proj", "k_proj", "in_proj")) else 1.0
    if tensor.dim() == 4:
        gain = 1.414  # what ReLU takes away
    return np.float32(gain) * noise / np.sqrt(np.float32(fan_in))


def save(config, folder: Path, seed, dtype):
    """Writes the folder and returns the reference model in float32."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    entries = config["model_cfg"]["text_cfg"]["vocab_size"]
    merges = vocabularies.clip_merges()
    whole = (vocabularies.clip_vocabulary(merges), merges)
    vocabularies.save_clip_tokenizer(folder, *(whole if entries == 49408 else vocabularies.small_clip(entries)))
    model = CLIP(**config["model_cfg"]).eval()
    weights = {}
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            tensor = torch.from_numpy(np.array(seeded(seed, name, tensor), dtype=np.float32)).to(dtype)
        weights[name] = tensor.contiguous()
    save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    model.load_state_dict(weights)
    return model.float()


def make(config, out: Path, names, seed, dtype=torch.float16):
    """The whole folder: model/, expected.safetensors, expected.json."""
    model = save(config, out / "model", seed, dtype)
    record(model, config, out / "model", names).write(out)


@torch.no_grad()
def record(model, config, folder, names):
    expected = Expected()
    size = config["model_cfg"]["vision_cfg"]["image_size"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [*TEXTS, LONG_TEXT]
    limit = model.context_length
    ids = [tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")["input_ids"] for text in texts]
    text_embeds = []
    for index, row in enumerate(ids):
        padded = torch.nn.functional.pad(row, (0, limit - row.shape[1]))  # as open_clip's own tokenizer does
        hidden = model.token_embedding(padded) + model.positional_embedding
        hidden = model.ln_final(model.transformer(hidden, attn_mask=model.attn_mask))
        expected.tensor(f"text_hidden/{index}", hidden[0, : row.shape[1]])
        text_embeds.append(unit(model.encode_text(padded)))
        expected.tensor(f"text_embeds/{index}", text_embeds[-1][0])
    probabilities = {}
    for name in names:
        pixels = prepare(name, size)
        expected.tensor(f"pixels/{name}", pixels[0])
        visual = model.visual
        stem = visual.stem(pixels)
        places = visual.layer4(visual.layer3(visual.layer2(visual.layer1(stem))))
        embeds = unit(model.encode_image(pixels))
        assert torch.equal(embeds, unit(visual.attnpool(places))), "the stages differ from the whole"
        expected.tensor(f"patches/{name}", channels_last(stem))
        expected.tensor(f"vision/{name}", channels_last(places))
        expected.tensor(f"image_embeds/{name}", embeds[0])
        logits = model.logit_scale.exp() * embeds @ torch.cat(text_embeds).T
        expected.tensor(f"logits_per_image/{name}", logits[0])
        probabilities[name] = [rounded(value) for value in logits[0].softmax(dim=-1)]
    expected.json = {
        "class": "open_clip.CLIP",
        "pictures": names,
        "texts": texts,
        "text_ids": [row[0].tolist() for row in ids],
        "probabilities": probabilities,
    }
    return expected


def channels_last(places):
    """[1, C, H, W] to [H * W, C]."""
    return places[0].permute(1, 2, 0).flatten(0, 1)


def prepare(name, size):
    """[1, 3, S, S] by open_clip's own transform, of a picture that `transformers` has made RGB: open_clip would resize first."""
    transform = image_transform_v2(PreprocessCfg(size=size, mean=CLIP_MEAN, std=CLIP_STD), is_train=False)
    return transform(convert_to_rgb(pictures.load(recording.PICTURES / name)))[None]
