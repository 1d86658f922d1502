"""Small CLIPs and BLIPs with seeded weights, made by whichever version of transformers is installed.

A tensor's values follow from its name alone, so every era starts from the same numbers; where two eras then
compute different things, their code differs.
"""

import zlib

import numpy as np
import torch
import transformers

import words

SIDE, PATCH, WIDTH, PROJECTION = 20, 5, 16, 12
ENCODER = {"hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**ENCODER, "image_size": SIDE, "patch_size": PATCH}
SEED, END_BIAS = 10, 3.0  # found by trying: captions and answers of several words, some of which end


def seeded(name, shape):
    """Values for the tensor `name`, scaled so that what random layers put out depends on what they are given."""
    random = np.random.Generator(np.random.PCG64([SEED, zlib.crc32(name.encode())]))
    noise = random.standard_normal(shape, dtype=np.float32)
    if name.endswith("logit_scale"):
        return np.full(shape, 2.5, np.float32)
    if "norm" in name.lower() or ".ln_" in name or name.startswith("ln_"):
        return 0.1 * noise + np.float32(name.endswith("weight"))
    if name.endswith("predictions.bias"):
        noise[words.SEP] += END_BIAS / 0.1
    if noise.ndim < 2:
        return 0.1 * noise
    if "predictions.decoder" in name or "word_embeddings" in name:
        return noise * np.float32(3.5 / WIDTH**0.5)
    if "position_embeddings" in name:
        return noise
    if "embedding" in name and "patch" not in name:
        return noise * np.float32(0.5)
    gain = 1.5 if any(part in name for part in ("query", "key", "qkv", "q_proj", "k_proj", "in_proj")) else 1.0
    return noise * np.float32(gain / noise[0].size ** 0.5)


def with_seeded_weights(model):
    """The model with every parameter set, each once: one that is tied to another stays so."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(np.asarray(seeded(name, tuple(parameter.shape)), dtype=np.float32)))
    return model.eval()


def clip_config(legacy_end=False):
    """A CLIP's configuration. With the legacy end, `eos_token_id` is 2 as in all files before transformers 4.32."""
    end = 2 if legacy_end else words.END
    text = {**ENCODER, "vocab_size": len(words.CLIP), "max_position_embeddings": 40, "bos_token_id": words.BEGIN,
            "eos_token_id": end, "pad_token_id": 1}
    sides = {"projection_dim": PROJECTION}
    text_config, vision_config = transformers.CLIPTextConfig(**text, **sides), transformers.CLIPVisionConfig(**VISION, **sides)
    if hasattr(transformers.CLIPConfig, "from_text_vision_configs"):
        return transformers.CLIPConfig.from_text_vision_configs(text_config, vision_config, **sides)
    return transformers.CLIPConfig(text_config=text_config.to_dict(), vision_config=vision_config.to_dict(), **sides)


def blip_config():
    """A BLIP's configuration, with the numbers that the official files have: `eos_token_id` is not what ends a caption."""
    text = {**ENCODER, "vocab_size": words.BERT_ENTRIES, "max_position_embeddings": 40, "encoder_hidden_size": WIDTH,
            "bos_token_id": words.DECODE, "eos_token_id": 2, "sep_token_id": words.SEP, "pad_token_id": words.PAD}
    return transformers.BlipConfig(text_config=text, vision_config=dict(VISION), image_text_hidden_size=PROJECTION)


def model(class_name, **clip):
    config = blip_config() if class_name.startswith("Blip") else clip_config(**clip)
    if class_name.startswith(("CLIPText", "CLIPVision")):
        config = config.text_config if class_name.startswith("CLIPText") else config.vision_config
    return with_seeded_weights(getattr(transformers, class_name)(config))


def share_head(captioner):
    """Makes the head the word table again, as it is in the official files; training has not moved them apart."""
    with torch.no_grad():
        table = captioner.text_decoder.bert.embeddings.word_embeddings.weight
        captioner.text_decoder.cls.predictions.decoder.weight.copy_(table)
    return captioner


def image_settings(family):
    """The class of the image processor that users of this version get, and what it is given."""
    size = {"shortest_edge": SIDE} if family == "CLIP" else {"height": SIDE, "width": SIDE}
    settings = {"size": size, "crop_size": {"height": SIDE, "width": SIDE}} if family == "CLIP" else {"size": size}
    if not hasattr(transformers, "CLIPImageProcessor"):  # before 4.25
        return transformers.CLIPFeatureExtractor(size=SIDE, crop_size=SIDE)
    return settings_class(family)(**settings)


def settings_class(family):
    """From 4.55 on, where torchvision is installed, the fast class is what `AutoProcessor` makes."""
    fast, plain = f"{family}ImageProcessorFast", f"{family}ImageProcessor"
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    has_torchvision = getattr(transformers.utils, "is_torchvision_available", lambda: False)()
    name = fast if (4, 55) <= version and has_torchvision and hasattr(transformers, fast) else plain
    return getattr(transformers, name)


def tokenizer(family, folder, slow=False):
    """The tokenizer of this version, read from plain vocabulary files that are written into `folder`."""
    (words.write_clip if family == "CLIP" else words.write_bert)(folder)
    plain = "CLIPTokenizer" if family == "CLIP" else "BertTokenizer"
    kind = getattr(transformers, plain if slow else plain + "Fast", None) or getattr(transformers, plain)
    return kind.from_pretrained(str(folder))


def processor(family, folder, slow=False):
    pair = image_settings(family), tokenizer(family, folder, slow)
    return (transformers.CLIPProcessor if family == "CLIP" else transformers.BlipProcessor)(*pair)
