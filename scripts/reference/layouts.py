"""Checkpoints in forms that other tools write, and what the libraries compute of them: tests/golden/layouts.

    python scripts/reference/layouts.py tests/golden/layouts

Wants torch 2.9, transformers 5.24, open_clip_torch 3.3, pillow. Weights are seeded noise. In the files that torch.save and
torch.jit.save write all tensors are views of one small storage, so that they stay small and views are read, too.
"""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")
import numpy as np  # noqa: E402
import open_clip  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from open_clip.model import CLIP  # noqa: E402
from PIL import Image  # noqa: E402

TEXT = "a cat"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = [*LETTERS, *(letter + "</w>" for letter in LETTERS), "at</w>", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
SIZE = 32
MEAN, STD = open_clip.constants.OPENAI_DATASET_MEAN, open_clip.constants.OPENAI_DATASET_STD


def picture(root):
    """A picture whose rows and columns all differ."""
    y, x = np.mgrid[0:48, 0:40]
    waves = [127 + 100 * np.sin(x * a + y * b) for a, b in ((0.31, 0.09), (0.11, 0.27), (0.43, -0.21))]
    image = Image.fromarray(np.stack(waves, -1).clip(0, 255).astype("uint8"))
    image.save(root / "picture.png")
    return image


def seeded(model, seed):
    for place, (name, tensor) in enumerate(sorted(model.named_parameters())):
        generator = torch.Generator().manual_seed(1000 * seed + place)
        noise = torch.randn(tensor.shape, generator=generator)
        is_norm = "norm" in name.lower() or "layrnorm" in name or ".ln_" in name or name.startswith("ln_")
        if is_norm:
            noise = 0.1 * noise + (1 if name.endswith("weight") else 0)
        elif name.endswith("logit_scale"):
            noise = torch.tensor(2.0)
        elif tensor.dim() > 1:
            noise = noise * (0.3 if "embed" in name and "patch" not in name else 0.9 / tensor[0].numel() ** 0.5)
        else:
            noise = 0.1 * noise
        tensor.copy_(noise.half().float())
    return model.eval()


def words(folder):
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(WORDS)}))
    (folder / "merges.txt").write_text("#version: 0.2\na t</w>\nc at</w>\n")
    return transformers.CLIPTokenizer.from_pretrained(folder)


def images(folder):
    settings = {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": SIZE}, "resample": 3,
        "do_center_crop": True, "crop_size": {"height": SIZE, "width": SIZE}, "do_rescale": True, "do_normalize": True,
        "image_mean": list(MEAN), "image_std": list(STD),
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n")


def clip_config(**text):
    text = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, vocab_size=len(WORDS),
                max_position_embeddings=12, projection_dim=12, eos_token_id=len(WORDS) - 1, bos_token_id=len(WORDS) - 2,
                pad_token_id=1) | text
    vision = dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=SIZE,
                  patch_size=8, projection_dim=12)
    return transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)


def numbers(tensor):
    return [round(float(number), 7) for number in tensor.reshape(-1)]


def write(folder, **expected):
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


def fresh(root, name):
    folder = root / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def shared(state, seed):
    """The state with every tensor of more than one dimension made a view of one storage."""
    generator = torch.Generator().manual_seed(seed)
    largest = max(tensor.numel() for tensor in state.values())
    base = torch.randn(largest + 64 * len(state), generator=generator).half() * 0.12
    found = {}
    for place, (name, tensor) in enumerate(state.items()):
        if tensor.dim() < 2:
            found[name] = tensor.half() if tensor.is_floating_point() else tensor
            continue
        start = 64 * place
        shape = tensor.shape
        if tensor.dim() == 4:  # channels last
            out, channels, height, width = shape
            strides = (channels * height * width, 1, width * channels, channels)
        else:  # every other matrix by columns, as weight.T is
            strides = (shape[1], 1) if place % 2 else (1, shape[0])
        found[name] = base.as_strided(shape, strides, start)
    return found


def processed(image):
    made = transformers.CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    return made(images=image, return_tensors="pt")["pixel_values"].float()


def torch_forms(root, image):
    """One state dictionary in the format from before PyTorch 1.6, and as a trainer of Lightning saves it."""
    model = seeded(transformers.CLIPModel(clip_config()), 1)
    state = shared(model.state_dict(), 2)
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    wrapped = {"model." + name: tensor for name, tensor in state.items()}
    trainer = {"state_dict": wrapped, "epoch": 1, "hyper_parameters": {"lr": 0.1}, "loss": torch.tensor(0.5)}
    for name, saved, options in (("legacy", state, {"_use_new_zipfile_serialization": False}), ("lightning", trainer, {})):
        folder = fresh(root, name)
        tokenizer = words(folder)
        images(folder)
        model.config.save_pretrained(folder)
        torch.save(saved, folder / "pytorch_model.bin", **options)
        ids = tokenizer([TEXT], return_tensors="pt")["input_ids"]
        found = model(input_ids=ids, pixel_values=processed(image))
        write(folder, text=TEXT, image_vector=numbers(found.image_embeds), text_vector=numbers(found.text_embeds))


def torchscript(root, image):
    """As OpenAI published CLIP: a module of TorchScript, 64 numbers a head, quick_gelu."""
    folder = fresh(root, "torchscript")
    vision = dict(layers=1, width=64, patch_size=8, image_size=SIZE)
    text = dict(context_length=12, vocab_size=len(WORDS), width=64, heads=1, layers=1)
    model = seeded(CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text, quick_gelu=True), 3)
    state = shared(model.state_dict(), 4)
    model.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    tokenizer = words(folder)
    ids = tokenizer([TEXT], return_tensors="pt")["input_ids"]
    padded = torch.nn.functional.pad(ids, (0, 12 - ids.shape[1]))
    preprocess = open_clip.image_transform(SIZE, is_train=False, mean=MEAN, std=STD)
    image_vector = model.encode_image(preprocess(image)[None])
    write(folder, text=TEXT, image_vector=numbers(image_vector), text_vector=numbers(model.encode_text(padded)))
    for name, tensor in model.named_parameters():
        tensor.data = state[name]
    torch.jit.save(torch.jit.script(model), folder / "ViT-S-8.pt")
    torch.save({"epoch": 3, "name": "run", "state_dict": {"module." + name: tensor for name, tensor in state.items()},
                "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}}, folder / "epoch_3.pt")


def parts(root, image):
    """CLIP's encoders alone, with and without their projections, as transformers 5.24 saves them."""
    whole = seeded(transformers.CLIPModel(clip_config()), 5)
    own = whole.state_dict()
    pixels = processed(image)
    for name, kind, section in (
        ("text", transformers.CLIPTextModel, "text"),
        ("text-projected", transformers.CLIPTextModelWithProjection, "text"),
        ("picture", transformers.CLIPVisionModel, "vision"),
        ("picture-projected", transformers.CLIPVisionModelWithProjection, "vision"),
    ):
        folder = fresh(root, name)
        part = kind(getattr(whole.config, section + "_config")).eval()
        part.load_state_dict({key: own.get(key, own.get(f"{section}_model.{key}")) for key in part.state_dict()})
        part.save_pretrained(folder)
        if section == "vision":
            images(folder)
            found = part(pixel_values=pixels)
            vector = found.image_embeds if "projected" in name else found.pooler_output
            write(folder, image_vector=numbers(vector))
            continue
        tokenizer = words(folder)
        ids = tokenizer([TEXT], return_tensors="pt")["input_ids"]
        found = part(input_ids=ids)
        vector = found.text_embeds if "projected" in name else found.pooler_output
        empty = tokenizer([""], padding="max_length", max_length=12, return_tensors="pt")["input_ids"]
        empty = torch.where(torch.arange(12) < 2, empty, len(WORDS) - 1)
        write(folder, text=TEXT, text_vector=numbers(vector), states=numbers(found.last_hidden_state),
              empty_states=numbers(part(input_ids=empty).last_hidden_state))


def blip_model(root, image):
    """`BlipModel`, which compares pictures and texts as CLIP does."""
    folder = fresh(root, "blip-model")
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "the", "sea", "two", "dogs", "[DEC]", "[ENC]"]
    (folder / "vocab.txt").write_text("\n".join(entries) + "\n")
    tokenizer = transformers.BertTokenizer.from_pretrained(folder)
    text = dict(hidden_size=16, encoder_hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
                vocab_size=len(entries), max_position_embeddings=16, bos_token_id=11, sep_token_id=3, eos_token_id=3,
                pad_token_id=0)
    vision = dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=SIZE,
                  patch_size=8)
    config = transformers.BlipConfig(text_config=text, vision_config=vision, projection_dim=12)
    model = seeded(transformers.BlipModel(config), 6)
    model.save_pretrained(folder)
    made = transformers.BlipImageProcessorPil(size={"height": SIZE, "width": SIZE})
    transformers.BlipProcessor(made, tokenizer).save_pretrained(folder)
    labels = [TEXT, "the sea", "two dogs"]
    ids = tokenizer(labels, padding=True, return_tensors="pt")
    pixels = made(images=image, return_tensors="pt")["pixel_values"].float()
    found = model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"], pixel_values=pixels)
    write(folder, text=TEXT, image_vector=numbers(found.image_embeds), text_vector=numbers(found.text_embeds[0]),
          labels=labels, scores=numbers(found.logits_per_image.softmax(-1)))


def main():
    root = Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    image = picture(root)
    torch_forms(root, image)
    torchscript(root, image)
    parts(root, image)
    blip_model(root, image)


if __name__ == "__main__":
    main()
