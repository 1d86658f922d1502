"""LoRA adapters of PEFT for the golden CLIP and BLIP, and what the models compute with them merged.

Each adapter is made and saved by PEFT; seeded noise stands for training. What is expected is what PEFT's
`merge_and_unload` gives after the adapter was read from its file again. transformers' own loading, which leaves the
adapter beside the weights, is held against it: it gives the same, but for BLIP's head, which is the word table, too
(`TIED`). tests/golden/README.md describes the files.
"""

import json
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import BlipForConditionalGeneration, CLIPModel, CLIPTextModel

from .record import Preparation, rounded, write_json

PICTURE, TEXT = "landscape.png", "a hut under a yellow sun"
FLOAT = {"dtype": torch.float32, "attn_implementation": "eager"}
CLASSES = {"clip-quick": CLIPModel, "blip-caption": BlipForConditionalGeneration, "blip-caption-untied": BlipForConditionalGeneration}

CLIP_LAYERS, BLIP_LAYERS = ["q_proj", "v_proj", "fc1"], ["query", "value", "qkv", "fc1"]
# Base and settings of each adapter.
ADAPTERS = {
    "clip-plain": ("clip-quick", dict(r=2, lora_alpha=4, target_modules=CLIP_LAYERS)),
    "clip-patterns": ("clip-quick", dict(
        r=2, lora_alpha=3, target_modules="all-linear", use_rslora=True,
        rank_pattern={"q_proj": 3, r"vision_model.*fc1": 4}, alpha_pattern={r"layers\.1\.mlp\.fc1": 7, "visual_projection": 1})),
    "clip-embeddings": ("clip-quick", dict(
        r=2, lora_alpha=4, target_modules=["token_embedding", "position_embedding", "patch_embedding", "k_proj"])),
    "clip-parts": ("clip-quick", dict(
        r=2, lora_alpha=4, target_modules=["q_proj", "fc2"], layers_to_transform=[1], layers_pattern="layers",
        exclude_modules=["vision_model.encoder.layers.1.mlp.fc2"],
        modules_to_save=["visual_projection", "final_layer_norm"], bias="all")),
    "blip-plain": ("blip-caption", dict(r=2, lora_alpha=4, target_modules=BLIP_LAYERS)),
    "blip-second": ("blip-caption", dict(r=3, lora_alpha=6, target_modules=r".*text_decoder.*\.(query|dense)")),
    "blip-all-linear": ("blip-caption", dict(r=2, lora_alpha=4, target_modules="all-linear")),
    "blip-embeddings": ("blip-caption", dict(
        r=2, lora_alpha=4, target_modules=["word_embeddings", "position_embeddings", "patch_embedding", "key"])),
    "blip-biases": ("blip-caption", dict(
        r=2, lora_alpha=4, target_modules=["query", "qkv", "patch_embedding", "decoder"], lora_bias=True, bias="lora_only")),
    "blip-words": ("blip-caption", dict(r=2, lora_alpha=4, target_modules=BLIP_LAYERS, modules_to_save=["word_embeddings"])),
    "blip-head": ("blip-caption", dict(r=2, lora_alpha=4, target_modules=BLIP_LAYERS, modules_to_save=["predictions.decoder"])),
    "blip-untied": ("blip-caption-untied", dict(r=2, lora_alpha=4, target_modules=["query", "decoder"])),
}
# Where merging moves the word table with the head, or the head with the table.
TIED = ["blip-all-linear", "blip-embeddings", "blip-biases"]
# What is loaded: base and adapters in their order.
LOADS = {
    **{name: (base, [name]) for name, (base, _) in ADAPTERS.items()},
    "clip-text": ("clip-quick", ["clip-text"]),
    "blip-two": ("blip-caption", ["blip-plain", "blip-second"]),
}


def noise(model, strength):
    """Training, for want of one: every number that would have been trained."""
    for place, (name, parameter) in enumerate(sorted(model.named_parameters())):
        if parameter.requires_grad:
            drawn = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(place))
            parameter.data.add_(drawn * strength * (1.0 if "lora_" in name else 0.3))


def save(golden, name, folder, strength=0.15):
    base, settings = ADAPTERS[name]
    torch.manual_seed(11)
    adapted = get_peft_model(load(golden, base), LoraConfig(**settings))
    noise(adapted, strength)
    adapted.save_pretrained(folder)


def load(golden, base):
    return CLASSES[base].from_pretrained(golden / base / "model", **FLOAT).eval()


def save_text(golden, folder):
    """Made for the text encoder alone, whose names begin further in."""
    torch.manual_seed(11)
    adapted = get_peft_model(CLIPTextModel.from_pretrained(golden / "clip-quick/model", **FLOAT), LoraConfig(
        r=2, lora_alpha=4, target_modules=["q_proj", "fc2"]))
    noise(adapted, 0.15)
    adapted.save_pretrained(folder)


def edit_config(folder, **fields):
    """As whoever published the adapter might have it: sorted, with a base on the hub."""
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    for key in ("target_modules", "exclude_modules"):
        if isinstance(config[key], list):
            config[key] = sorted(config[key])
    path.write_text(json.dumps({**config, **fields}, indent=2, sort_keys=True) + "\n")


def as_half(folder):
    """Numbers of half the size, as training in half precision leaves them."""
    path = folder / "adapter_model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})


def as_old(folder):
    """The names and the format of PEFT's first versions."""
    path = folder / "adapter_model.safetensors"
    tensors = {name.replace("lora_A.", "lora_A.default.").replace("lora_B.", "lora_B.default."): tensor for name, tensor in load_file(path).items()}
    torch.save(tensors, folder / "adapter_model.bin")
    path.unlink()


def merged(golden, out, base, names):
    model = load(golden, base)
    for name in names:
        if name == "clip-text":
            text = CLIPTextModel.from_pretrained(golden / base / "model", **FLOAT).eval()
            text = PeftModel.from_pretrained(text, out / name).merge_and_unload()
            model.text_model.load_state_dict(text.state_dict())
        else:
            model = PeftModel.from_pretrained(model, out / name).merge_and_unload()
    return model.eval()


@torch.no_grad()
def results(golden, base, model):
    prepared = Preparation(golden / base / "model")
    pixels = prepared.pixels(PICTURE)
    if isinstance(model, CLIPModel):
        output = model(pixel_values=pixels, **prepared.tokenizer(TEXT, return_tensors="pt"))
        return {"image": output.image_embeds[0].tolist(), "text": output.text_embeds[0].tolist()}
    settings = {"output_scores": True, "return_dict_in_generate": True, "do_sample": False, "num_beams": 1, "max_new_tokens": 12}
    output = model.generate(pixel_values=pixels, **settings)
    scores = model.text_decoder.compute_transition_scores(output.sequences, output.scores, normalize_logits=True)
    return {"ids": output.sequences[0].tolist(), "score": rounded(scores[0].mean())}


def results_of(expected):
    return {key: value for key, value in expected.items() if key not in ("base", "adapters")}


def difference(one, other):
    if "ids" in one:
        return 0.0 if one["ids"] == other["ids"] and abs(one["score"] - other["score"]) < 1e-5 else 1.0
    cosines = [torch.nn.functional.cosine_similarity(torch.tensor(one[k]), torch.tensor(other[k]), dim=0) for k in one]
    return float(max(1 - cosine for cosine in cosines))


def by_transformers(golden, out, base, name):
    """What a folder gives that has both the model and the adapter."""
    with tempfile.TemporaryDirectory() as both:
        shutil.copytree(golden / base / "model", both, dirs_exist_ok=True)
        shutil.copytree(out / name, both, dirs_exist_ok=True)
        return results(golden, base, CLASSES[base].from_pretrained(both, **FLOAT).eval())


def record(golden: Path, out: Path):
    warnings.filterwarnings("ignore", module="peft")
    shutil.rmtree(out, ignore_errors=True)
    for name in ADAPTERS:
        save(golden, name, out / name)
    save_text(golden, out / "clip-text")
    for folder in sorted(out.iterdir()):
        (folder / "README.md").unlink()
        base = "owner/" + ADAPTERS.get(folder.name, ("clip-quick",))[0]
        # PEFT takes the second field back when it finds no layers that it is for.
        edit_config(folder, base_model_name_or_path=base, **({"fan_in_fan_out": True} if folder.name == "clip-patterns" else {}))
    as_half(out / "blip-words")
    as_half(out / "blip-head")
    expected = {}
    for name, (base, adapters) in LOADS.items():
        found = results(golden, base, merged(golden, out, base, adapters))
        plain = results(golden, base, load(golden, base))
        assert difference(found, plain) > 1e-3, f"{name} changes nothing"
        if len(adapters) == 1 and name != "clip-text":
            others = difference(found, by_transformers(golden, out, base, adapters[0]))
            assert (others > 1e-3) == (name in TIED), f"{name}: transformers differs by {others}"
        expected[name] = {"base": base, "adapters": adapters, **found}
    as_old(out / "blip-head")  # which PEFT reads as before, and transformers 5.24 from no folder on this machine
    assert results(golden, "blip-caption", merged(golden, out, "blip-caption", ["blip-head"])) == results_of(expected["blip-head"])
    write_json(out / "expected.json", {"picture": PICTURE, "text": TEXT, "loads": expected})
