"""Small tokenizers of SigLIP's two kinds, as transformers saves them, and its weights under timm's names."""

import io
import shutil
from pathlib import Path

import sentencepiece
import timm
import torch
from safetensors.torch import load_file, save_file
from transformers import SiglipTokenizer
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

WORDS = "a photo of a cat and a dog in the sun, a hut under a yellow tree, stripes in blue and orange, grey letters and "
WORDS += "numbers of them, a very long text that goes on and on, two men on a beach, a red circle on a green hill"


def save_sentencepiece(folder: Path, count):
    """spiece.model and tokenizer_config.json of version 1: `count` pieces trained on a few words.

    Its table of normalisation has two lines alone: the usual one is 240 KB. They make one letter of another and a space
    of a sign.
    """
    rules = folder / "rules.tsv"
    rules.write_text("E9\t65\nB4\t20 301\n", encoding="utf-8")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(WORDS.replace(",", "").split(" ") * 3 + [WORDS] * 3), model_writer=model, vocab_size=count,
        model_type="unigram", pad_id=-1, bos_id=-1, eos_id=1, unk_id=2, user_defined_symbols=[], control_symbols=["<pad>"],
        normalization_rule_tsv=str(rules), minloglevel=2, num_threads=1, hard_vocab_limit=False,
        required_chars="".join(map(chr, range(ord("a"), ord("z") + 1))) + "0123456789",
    )
    rules.unlink()
    (folder / "spiece.model").write_bytes(model.getvalue())
    SiglipTokenizer(str(folder / "spiece.model"), model_max_length=16).save_pretrained(folder)


def save_gemma(folder: Path, count):
    """tokenizer.json and tokenizer_config.json of version 2: bytes, letters and the commonest pairs, an end token."""
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"])}
    for token in [*(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *"abcdefghijklmnopqrstuvwxyz"]:
        vocabulary[token] = len(vocabulary)
    merges = []
    for pair in ["t h", "th e", "i n", "a n", "an d", "o n", "e r", "r e", "o f", "c a", "ca t", "p h"]:
        left, right = pair.split(" ")
        merges.append((left, right))
        vocabulary[left + right] = len(vocabulary)
    assert len(vocabulary) <= count
    tokenizer = Siglip2Tokenizer(vocab=vocabulary, merges=merges, add_eos_token=True)
    tokenizer.save_pretrained(folder)


def save_timm(source: Path, folder: Path, model, pixels):
    """The weights of `source` under the names of open_clip and timm, the other files as they are. timm's own image encoder
    gets them, and says the same as the reference."""
    config = model.config.vision_config
    trunk = timm.models.VisionTransformer(
        img_size=config.image_size, patch_size=config.patch_size, embed_dim=config.hidden_size, depth=config.num_hidden_layers,
        num_heads=config.num_attention_heads, mlp_ratio=config.intermediate_size / config.hidden_size, class_token=False,
        global_pool="map", num_classes=0, act_layer="gelu_tanh",
    ).eval()
    weights = load_file(source / "model.safetensors")
    named = {name: weights[theirs] for name, theirs in timm_names(config.num_hidden_layers)}
    for block in range(config.num_hidden_layers):
        for leaf in ("weight", "bias"):
            parts = [weights[f"vision_model.encoder.layers.{block}.self_attn.{part}_proj.{leaf}"] for part in "qkv"]
            named[f"blocks.{block}.attn.qkv.{leaf}"] = torch.cat(parts)
    named["pos_embed"] = named["pos_embed"][None]
    for leaf in ("weight", "bias"):
        stacked = weights[f"vision_model.head.attention.in_proj_{leaf}"]
        queries, rest = stacked.split([config.hidden_size, 2 * config.hidden_size])
        named |= {f"attn_pool.q.{leaf}": queries, f"attn_pool.kv.{leaf}": rest}
    trunk.load_state_dict({name: tensor.float() for name, tensor in named.items()})
    with torch.no_grad():
        difference = trunk(pixels) - model.get_image_features(pixel_values=pixels).pooler_output
    assert difference.abs().max() < 1e-5, difference.abs().max()
    tensors = {f"visual.trunk.{name}": tensor for name, tensor in named.items()}
    tensors |= open_clip_texts(weights, model.config.text_config.num_hidden_layers)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "preprocessor_config.json", "spiece.model", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "open_clip_model.safetensors")


def timm_names(depth):
    """Names in timm and in the reference, of what both have alike."""
    head, layer = "vision_model.head", "vision_model.encoder.layers"
    pairs = [("patch_embed.proj", "vision_model.embeddings.patch_embedding"), ("norm", "vision_model.post_layernorm"),
             ("attn_pool.proj", f"{head}.attention.out_proj"), ("attn_pool.norm", f"{head}.layernorm")]
    pairs += [(f"attn_pool.mlp.fc{number}", f"{head}.mlp.fc{number}") for number in (1, 2)]
    for block in range(depth):
        for timms, own in (("norm1", "layer_norm1"), ("norm2", "layer_norm2"), ("attn.proj", "self_attn.out_proj"),
                           ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2")):
            pairs.append((f"blocks.{block}.{timms}", f"{layer}.{block}.{own}"))
    yield "pos_embed", "vision_model.embeddings.position_embedding.weight"
    yield "attn_pool.latent", f"{head}.probe"
    for timms, own in pairs:
        for leaf in ("weight", "bias"):
            yield f"{timms}.{leaf}", f"{own}.{leaf}"


def open_clip_texts(weights, depth):
    """The text encoder under open_clip's names, and what stands beside both encoders."""
    named = {"logit_scale": weights["logit_scale"], "logit_bias": weights["logit_bias"]}
    named["text.token_embedding.weight"] = weights["text_model.embeddings.token_embedding.weight"]
    named["text.positional_embedding"] = weights["text_model.embeddings.position_embedding.weight"]
    for leaf in ("weight", "bias"):
        named[f"text.ln_final.{leaf}"] = weights[f"text_model.final_layer_norm.{leaf}"]
        named[f"text.text_projection.{leaf}"] = weights[f"text_model.head.{leaf}"]
        for block in range(depth):
            theirs, ours = f"text_model.encoder.layers.{block}", f"text.transformer.resblocks.{block}"
            parts = [weights[f"{theirs}.self_attn.{part}_proj.{leaf}"] for part in "qkv"]
            named[f"{ours}.attn.in_proj_{leaf}"] = torch.cat(parts)
            for own, name in (("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("attn.out_proj", "self_attn.out_proj"),
                              ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):
                named[f"{ours}.{own}.{leaf}"] = weights[f"{theirs}.{name}.{leaf}"]
    return named
