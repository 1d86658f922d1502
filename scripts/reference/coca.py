"""What open_clip's CoCa computes, stage by stage, and what its `generate` writes.

The model folders are as open_clip pushes one to the hub. Keys are described in tests/golden/README.md.

`generate` takes a class that transformers had up to 4.56 (`BeamSearchScorer`): with a newer one it asks for transformers
to be installed. So the captions are written by a process of their own, with the older packages in a folder: that of
OLD_TRANSFORMERS, or else one that is made in target/reference.
"""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from .record import Expected, rounded, unit

OLD = ["transformers==4.55.4", "huggingface_hub==0.34.4", "tokenizers==0.21.4"]
TEXTS = ["a photo of a cat", "a hut under a yellow sun", "stripes, in blue & orange!", "a"]
LONG_TEXT = "a very long text that " + "goes on and on, " * 9  # cut at the context length
START, END = "<|startoftext|>", "<|endoftext|>"

# Case -> what is given to `generate` beside the picture.
OPTIONS = {
    "default": {},
    "greedy": {"generation_type": "top_k", "top_k": 1},
    "greedy_seq_len_9": {"generation_type": "top_k", "top_k": 1, "seq_len": 9, "min_seq_len": 8},
    "greedy_min_seq_len_12": {"generation_type": "top_k", "top_k": 1, "min_seq_len": 12},
    "greedy_repetition_1.3": {"generation_type": "top_k", "top_k": 1, "repetition_penalty": 1.3},
    "top_p_0.000001": {"generation_type": "top_p", "top_p": 1e-6},
    "beam2": {"num_beams": 2, "num_beam_groups": 1},
    "beam3_groups_3": {"num_beams": 3},
    "beam4_groups_2": {"num_beams": 4, "num_beam_groups": 2, "seq_len": 12},
    "beam5_min_seq_len_9": {"num_beams": 5, "num_beam_groups": 1, "min_seq_len": 9},
    "beam6_repetition_1.5": {"repetition_penalty": 1.5},
}


def pooled():
    """As the two released ones: pooled by attention into another width. The decoder looks at seven of eight."""
    from .checkpoints import CLIP_MEAN, CLIP_STD
    return {
        "model_cfg": {
            "embed_dim": 12,
            "vision_cfg": {
                "image_size": 24, "layers": 2, "width": 16, "head_width": 8, "patch_size": 8, "attentional_pool": True,
                "attn_pooler_heads": 4, "attn_pooler_queries": 8, "output_tokens": True,
            },
            "text_cfg": {
                "context_length": 40, "vocab_size": 560, "width": 12, "heads": 2, "layers": 2, "embed_cls": True,
                "output_tokens": True,
            },
            "multimodal_cfg": {
                "context_length": 40, "vocab_size": 560, "width": 12, "heads": 3, "layers": 2, "attn_pooler_heads": 4,
            },
            "custom_text": True,
        },
        "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD},
    }


def bare():
    """As coca_base: the decoder looks at the patches. And options that no released model has."""
    config = pooled()
    model = config["model_cfg"] | {"quick_gelu": True}
    for name in ("attentional_pool", "attn_pooler_heads", "attn_pooler_queries"):
        del model["vision_cfg"][name]
    model["vision_cfg"] |= {"width": 12, "head_width": 6, "pool_type": "avg", "final_ln_after_pool": True}
    model["text_cfg"] |= {"context_length": 44, "ls_init_value": 0.1, "proj_bias": True, "mlp_ratio": 2.0}
    model["multimodal_cfg"] |= {"ls_init_value": 0.1, "mlp_ratio": 3}
    return config | {"model_cfg": model}


def full():
    """coca_ViT-B-32."""
    import open_clip
    from .checkpoints import CLIP_MEAN, CLIP_STD
    return {"model_cfg": open_clip.get_model_config("coca_ViT-B-32"), "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD}}


def less():
    """At full size a call takes seconds."""
    for name in set(OPTIONS) - {"default", "greedy", "beam4_groups_2"}:
        del OPTIONS[name]


def seeded(seed, name, tensor):
    """Values by name: no tensor is trivial. The end token and token 0, which ends texts, too, are likelier than others."""
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    noise = random.standard_normal(tuple(tensor.shape), dtype=np.float32)
    if name == "logit_scale":
        return np.float32(2.6592) + 0 * noise
    if name.endswith("bias"):
        return np.float32(0.1) * noise
    if "ls_" in name:
        return np.float32(0.5) + np.float32(0.2) * noise
    if "ln_" in name:
        return 1 + np.float32(0.1) * noise
    if name.endswith(("embedding", "embedding.weight", "cls_emb", "query")):
        return np.float32(0.5 if "position" in name else 1.0) * noise
    is_right = name.endswith(("visual.proj", "text_projection"))
    fan_in = tensor.shape[0] if is_right else int(np.prod(tensor.shape[1:]))
    values = np.float32(1.5) * noise / np.sqrt(np.float32(fan_in))
    if name == "text_decoder.text_projection":
        values[:, [0, -1]] *= np.float32(2.2)
    return values


def save(config, folder: Path, seed, dtype):
    """Writes the folder and returns the reference model in float32, and its tokenizer."""
    from . import vocabularies
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    entries, merges = config["model_cfg"]["text_cfg"]["vocab_size"], vocabularies.clip_merges()
    whole = (vocabularies.clip_vocabulary(merges), merges)
    vocabularies.save_clip_tokenizer(folder, *(whole if entries == 49408 else vocabularies.small_clip(entries)))
    model = build(config)
    weights = {}
    for name, tensor in model.state_dict().items():
        tensor = torch.from_numpy(np.array(seeded(seed, name, tensor), dtype=np.float32)).to(dtype)
        weights[name] = tensor.contiguous()
    save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    model.load_state_dict(weights)
    return model.float()


def build(config):
    from open_clip.coca_model import CoCa
    options = {name: value for name, value in config["model_cfg"].items() if name != "custom_text"}
    return CoCa(**options).eval()


def make(config, out: Path, names, seed, dtype=torch.float16):
    """The whole folder: model/, expected.safetensors, expected.json."""
    model = save(config, out / "model", seed, dtype)
    record(model, config, out / "model", names).write(out)


@torch.no_grad()
def record(model, config, folder, names):
    from transformers import AutoTokenizer
    from .resnet import prepare
    expected = Expected()
    size = config["model_cfg"]["vision_cfg"]["image_size"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [*TEXTS, LONG_TEXT]
    limit = config["model_cfg"]["text_cfg"]["context_length"]
    ids = [tokenizer(text, truncation=True, max_length=limit, return_tensors="pt")["input_ids"] for text in texts]
    text_embeds = []
    for index, row in enumerate(ids):
        padded = torch.nn.functional.pad(row, (0, limit - row.shape[1]))  # as open_clip's own tokenizer does
        text_embeds.append(model.encode_text(padded))
        expected.tensor(f"text_embeds/{index}", text_embeds[-1][0])
    # Token 0 within a text: what is behind it is hidden.
    odd = torch.tensor([[*ids[0][0, :3].tolist(), 0, *ids[0][0, 3:].tolist()]])
    expected.tensor("text_embeds/odd", model.encode_text(torch.nn.functional.pad(odd, (0, limit - odd.shape[1])))[0])
    pixels = {name: prepare(name, size) for name in names}
    captions = written(folder, pixels, tokenizer)
    probabilities = {}
    for name in names:
        expected.tensor(f"pixels/{name}", pixels[name][0])
        visual = model.visual
        states = visual.transformer(visual._embeds(pixels[name]))
        expected.tensor(f"vision/{name}", states[0])
        embeds, looked_at = model._encode_image(pixels[name])
        expected.tensor(f"looked_at/{name}", looked_at[0])
        expected.tensor(f"image_embeds/{name}", embeds[0])
        logits = model.logit_scale.exp() * embeds @ torch.cat(text_embeds).T
        expected.tensor(f"logits_per_image/{name}", logits[0])
        probabilities[name] = [rounded(value) for value in logits[0].softmax(dim=-1)]
        row = torch.tensor([[*captions[name]["default"]["ids"][:4], 0, *captions[name]["default"]["ids"][4:9]]])
        captions[name]["read"] = row[0].tolist()
        expected.tensor(f"logits/{name}", model(pixels[name], row, output_labels=False)["logits"][0])
        expected.tensor(f"attention/{name}", attention(model, states, looked_at, row)[0])
    expected.json = {
        "class": "open_clip.CoCa", "pictures": names, "texts": texts, "text_ids": [row[0].tolist() for row in ids],
        "odd_ids": odd[0].tolist(), "probabilities": probabilities, "options": OPTIONS, "captions": captions,
    }
    return expected


def attention(model, states, looked_at, ids):
    """Where each token looked, [1, T, N]: the decoder's layer two thirds up, averaged over heads, on what it looks at; of
    that in turn where the pooler's queries had looked, the class token left out."""
    decoder, (_, hidden) = model.text_decoder, model._encode_text(ids)
    layer, mask = max(2 * len(decoder.resblocks) // 3 - 1, 0), decoder.attn_mask[: ids.shape[1], : ids.shape[1]]
    for place in range(layer):
        hidden = decoder.resblocks[place](hidden, attn_mask=mask)
        hidden = decoder.cross_attn[place](hidden, k_x=looked_at, v_x=looked_at)
    hidden, block = decoder.resblocks[layer](hidden, attn_mask=mask), decoder.cross_attn[layer]
    context = block.ln_1_kv(looked_at)
    maps = block.attn(block.ln_1(hidden), context, context, need_weights=True)[1]
    pooler = model.visual.attn_pool
    if pooler is None:
        return maps
    context = pooler.ln_k(states)
    places = pooler.attn(pooler.ln_q(pooler.query)[None], context, context, need_weights=True)[1]
    return (maps @ places[:, 1:])[:, :, 1:]


def written(folder, pixels, tokenizer):
    """{picture: {case: {ids, text}}} by `generate`, in a process with the older transformers."""
    packages = os.environ.get("OLD_TRANSFORMERS") or "target/reference/transformers-4.55"
    if not Path(packages).exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packages, *OLD], check=True)
    task = {"folder": str(folder), "start": tokenizer.convert_tokens_to_ids(START), "end": tokenizer.convert_tokens_to_ids(END)}
    task["options"] = OPTIONS
    task["pixels"] = {name: value.flatten().tolist() for name, value in pixels.items()}
    program = f"import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r}); from reference.coca import generate_all; generate_all()"
    ran = subprocess.run([sys.executable, "-B", "-c", program], input=json.dumps(task), capture_output=True, text=True,
                         env=os.environ | {"PYTHONPATH": packages})
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    captions = json.loads(ran.stdout)
    for cases in captions.values():
        for case in cases.values():
            case["text"] = tokenizer.decode(case["ids"], skip_special_tokens=True).strip()
    return captions


@torch.no_grad()
def generate_all():
    """Reads a task, prints the captions. A case is kept as stable if a little noise on the head changes nothing."""
    from safetensors.torch import load_file
    torch.set_num_threads(1)
    task = json.load(sys.stdin)
    config = json.loads((Path(task["folder"]) / "open_clip_config.json").read_text())
    model = build(config)
    model.load_state_dict(load_file(Path(task["folder"]) / "open_clip_model.safetensors"))
    size = config["model_cfg"]["vision_cfg"]["image_size"]
    head = model.text_decoder.text_projection.clone()
    captions = {}
    for name, values in task["pixels"].items():
        pixels = torch.tensor(values).reshape(1, 3, size, size)
        captions[name] = {}
        for case, options in task["options"].items():
            rows = []
            for seed in range(4 if size < 100 else 2):
                noise = torch.randn(head.shape, generator=torch.Generator().manual_seed(seed))
                model.text_decoder.text_projection.data = head + (1e-4 * noise if seed else 0)
                output = model.generate(pixels, sot_token_id=task["start"], eos_token_id=task["end"], **options)
                rows.append(output[0].tolist())
            captions[name][case] = {"ids": rows[0], "stable": all(row == rows[0] for row in rows)}
    print(json.dumps(captions))
