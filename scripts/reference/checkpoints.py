"""Configurations and seeded weights, written in Hugging Face layout.

The configuration files are in the style of the official repositories, old keys and omissions included.
Tensor names are those of the official files; two kinds of copy that some of them hold are written to some
checkpoints and not to others, because a reader has to take both:

- `*.position_ids` (int64 buffers): in the official CLIP safetensors and in the official BLIP
  `pytorch_model.bin`; here in `clip-quick`, `blip-caption-untied` and `blip-caption/pytorch`.
- the tied LM head (`text_decoder.cls.predictions.decoder.weight` and `.bias`), equal to the word embeddings
  and to `text_decoder.cls.predictions.bias`: `save_pretrained` leaves both out, the official
  `pytorch_model.bin` holds them; here in `blip-caption/pytorch`. In `blip-caption-untied` they are there and
  differ from the embeddings.

A tensor's values depend on the seed and on its name alone, through numpy's PCG64. So checkpoints with
the same seed and widths share the tensors that they both have, and the union of several is one model.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    ChineseCLIPConfig,
    ChineseCLIPModel,
    CLIPConfig,
    CLIPModel,
    SiglipConfig,
    SiglipModel,
)

from . import siglip, vocabularies
from .record import write_json

CLASSES = {
    "CLIPModel": (CLIPModel, CLIPConfig),
    "ChineseCLIPModel": (ChineseCLIPModel, ChineseCLIPConfig),
    "SiglipModel": (SiglipModel, SiglipConfig),
    "BlipForConditionalGeneration": (BlipForConditionalGeneration, BlipConfig),
    "BlipForImageTextRetrieval": (BlipForImageTextRetrieval, BlipConfig),
    "BlipForQuestionAnswering": (BlipForQuestionAnswering, BlipConfig),
}
POSITION, CROSS = 4.0, 0.8  # found by trying: captions that vary within themselves and between pictures
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


@dataclass
class Checkpoint:
    """One model folder to be made."""

    name: str
    classes: list  # the first one's name is what the reference runs; several make a union of tensors
    config: dict
    preprocessor: dict
    dtype: torch.dtype = torch.float32  # of the file; the reference computes in float32 from these values
    seed: int = 1
    sharded: bool = False
    position_ids: bool = False
    decoder_tokens: bool = False
    logit_scale: float = 2.6592
    logit_bias: float = -2.0  # SigLIP's
    sentencepiece: bool = False  # SigLIP's tokenizer: version 1 has spiece.model, version 2 tokenizer.json
    end_bias: float = 0.0  # added to the LM head's bias of [SEP], so that captions end
    branch: float = 1.0  # how loud the text layers are beside their residual; deep models repeat one token at 1
    full: bool = False
    rounding: torch.dtype = None  # the values are rounded to this type first; `dtype` if None
    pytorch: bool = False  # write the weights once more, as pytorch_model.bin


def seeded(seed, name, tensor, checkpoint):
    """The values of the tensor `name`: scaled so that the outputs of random layers depend on their inputs.

    Linear layers keep the variance of what they are given (times a gain), norms are near one, and no
    bias is zero, so that a forgotten one shows. The library's own initialisation (0.02 everywhere, zeros,
    1e-10) leaves every output the same whatever the picture.
    """
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    noise = random.standard_normal(tensor.shape, dtype=np.float32)
    leaf = name.rsplit(".", 1)[-1]
    if name == "logit_scale":
        return np.float32(checkpoint.logit_scale) + 0 * noise
    if name == "logit_bias":
        return np.float32(checkpoint.logit_bias) + 0 * noise
    if "norm" in name.lower():  # LayerNorm, layer_norm1, pre_layrnorm ...
        return (1 + 0.1 * noise) if leaf == "weight" else 0.1 * noise
    if leaf == "bias":
        return 0.1 * noise
    if "word_embeddings" in name:  # the tied head reads them too: logits spread by about 3.5
        return np.float32(3.5) * noise / np.sqrt(np.float32(tensor.shape[-1]))
    if "embeddings.position_embeddings" in name:
        return np.float32(POSITION) * noise / np.sqrt(np.float32(tensor.shape[-1]))
    if "embedding" in name and "patch_embedding" not in name:
        return np.float32(0.5 if "position" in name else 1.0) * noise
    fan_in = int(np.prod(tensor.shape[1:]))
    branch = np.float32(checkpoint.branch if name.startswith("text_") and name.endswith("output.dense.weight") else 1)
    return branch * gain_of(name) * noise / np.sqrt(np.float32(fan_in))


def gain_of(name):
    """How much louder than its input a linear layer is. Attention is sharpened, or it averages all away."""
    if any(part in name for part in (".query.", ".key.", "q_proj", "k_proj", "qkv")):
        return np.float32(1.5)
    if "crossattention.self.value" in name or "crossattention.output" in name:
        return np.float32(CROSS)  # what the decoder says must depend on the picture
    if "predictions.decoder" in name:  # an untied head speaks as loudly as a tied one
        return np.float32(3.5)
    return np.float32(1.0)


def weights_of(checkpoint):
    """Name -> tensor in the file's type, of every class of the checkpoint; tied copies left out."""
    weights = {}
    for class_name in checkpoint.classes:
        model_class, config_class = CLASSES[class_name]
        with torch.device("meta"):
            model = model_class(config_class(**json.loads(json.dumps(checkpoint.config))))
        tied = set(model.all_tied_weights_keys) if checkpoint.config.get("tie_word_embeddings", True) else set()
        buffers = {name for name, _ in model.named_buffers()}
        for name, tensor in model.state_dict().items():
            if name in weights or name in tied or name in buffers:
                continue
            values = seeded(checkpoint.seed, name, tensor, checkpoint)
            if name in ("text_decoder.cls.predictions.bias", "text_decoder.cls.predictions.decoder.bias"):
                # one and the same parameter in the reference, tied or not
                values = seeded(checkpoint.seed, "text_decoder.cls.predictions.bias", tensor, checkpoint)
                values[checkpoint.config["text_config"]["sep_token_id"]] += checkpoint.end_bias
            rounded = torch.from_numpy(np.array(values, dtype=np.float32)).to(checkpoint.rounding or checkpoint.dtype)
            weights[name] = rounded.to(checkpoint.dtype)
    return weights


def with_position_ids(weights):
    """The weights and the int64 buffers that some official files carry."""
    extra = {}
    for name, tensor in weights.items():
        if name.endswith("position_embedding.weight") or name.endswith("position_embeddings.weight"):
            stem = name.rsplit(".", 2)[0]
            extra[stem + ".position_ids"] = torch.arange(tensor.shape[0]).unsqueeze(0).clone()
    return {**extra, **weights}


def save(checkpoint, folder: Path):
    """Writes the whole model folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(checkpoint.config, architectures=checkpoint.classes)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps(checkpoint.preprocessor, indent=2) + "\n")
    save_tokenizer(checkpoint, folder)
    weights = weights_of(checkpoint)
    if checkpoint.position_ids:
        weights = with_position_ids(weights)
    if checkpoint.sharded:
        save_shards(weights, folder)
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    if checkpoint.pytorch:
        half = {name: tensor.to(torch.float16) for name, tensor in weights.items()}
        save_pytorch(half, folder.parent / "pytorch")


def save_tokenizer(checkpoint, folder: Path):
    if checkpoint.config["model_type"] == "clip":
        merges = vocabularies.clip_merges()
        full = (vocabularies.clip_vocabulary(merges), merges)
        vocabularies.save_clip_tokenizer(folder, *(full if checkpoint.full else vocabularies.small_clip()))
    elif checkpoint.config["model_type"] == "siglip":
        save = siglip.save_sentencepiece if checkpoint.sentencepiece else siglip.save_gemma
        save(folder, checkpoint.config["text_config"]["vocab_size"])
    else:
        entries = vocabularies.bert_vocabulary() if checkpoint.full else vocabularies.small_bert()
        vocabularies.save_bert_tokenizer(folder, entries, checkpoint.decoder_tokens)


def save_shards(weights, folder: Path, count=3):
    """model-0000N-of-0000M.safetensors and their index, cut where a shard has its part of the bytes."""
    total = sum(tensor.nbytes for tensor in weights.values())
    shards, size = [{}], 0
    for name, tensor in weights.items():
        if size > total / count and len(shards) < count:
            shards, size = [*shards, {}], 0
        shards[-1][name] = tensor
        size += tensor.nbytes
    places = {}
    for number, shard in enumerate(shards, 1):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        places.update({name: file for name in shard})
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def save_pytorch(weights, folder: Path):
    """pytorch_model.bin as the official BLIP repositories hold it: position_ids and both tied copies in it.

    The tied copies share storage with what they copy, as they do in a model's own state_dict. Zip members of
    torch.save carry no time stamp, so the file is reproducible.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = with_position_ids(weights)
    held["text_decoder.cls.predictions.decoder.weight"] = held["text_decoder.bert.embeddings.word_embeddings.weight"]
    held["text_decoder.cls.predictions.decoder.bias"] = held["text_decoder.cls.predictions.bias"]
    torch.save(held, folder / "pytorch_model.bin")


def load(checkpoint, folder: Path, class_name):
    """The reference model: eager attention, float32, on the CPU, from the files just written."""
    model = CLASSES[class_name][0].from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()
