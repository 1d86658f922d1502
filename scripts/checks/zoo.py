"""Every model configuration of open_clip, scaled down, against obscura: see scripts/zoo.

A configuration keeps all its options and loses size: two layers of two heads, few pixels, a small vocabulary. The
weights are seeded noise. timm's image encoders of SigLIP have their sizes by name, so they are not scaled, their texts are. open_clip saves each model in its own format, loads that folder again (`local-dir:`) and
computes the vectors of a picture and of some texts with its own transforms and tokenizer; obscura does the same with the
folder. RoBERTa and XLM-RoBERTa lie in the folder, too, with a config.json of their own, for which open_clip would ask the hub.
Configurations with another encoder of timm or one of transformers are not built: their folder has the configuration alone,
which is what obscura refuses.
"""

import argparse
import copy
import gzip
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np  # noqa: E402
import open_clip  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from open_clip.transform import PreprocessCfg, image_transform_v2  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

torch.set_grad_enabled(False)
ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden/zoo"
PICTURE = ROOT / "tests/pictures/landscape.png"
TEXTS = ["a cat", "  The red house,\tand the sea  ", "two of them are here"]
LARGEST_DIFFERENCE = 1e-5

# How the pretrained models of these names see pictures (open_clip's pretrained.py); others crop, bicubic.
PIXELS = {
    "CLIPA": {"resize_mode": "squash", "interpolation": "bilinear"},
    "worldwide": {"resize_mode": "squash"},
    "378": {"resize_mode": "squash"},
    "SigLIP": {"resize_mode": "squash", "mean": [0.5] * 3, "std": [0.5] * 3},
}


def letters():
    """The bytes as CLIP's vocabulary spells them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + place) for place in range(len(hidden))]


def clip_merges(count=120):
    """The first merges of open_clip's own vocabulary."""
    text = gzip.open(open_clip.tokenizer.default_bpe()).read().decode()
    return text.split("\n")[1:1 + count]


def clip_tokenizer(folder):
    """vocab.json and merges.txt; and open_clip's own class over the same merges."""
    merges = clip_merges()
    words = letters() + [letter + "</w>" for letter in letters()] + ["".join(merge.split()) for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    with tempfile.NamedTemporaryFile(suffix=".gz") as file:
        file.write(gzip.compress("\n".join(["version", *merges]).encode()))
        file.flush()
        simple = open_clip.tokenizer.SimpleTokenizer(bpe_path=file.name)
    assert simple.vocab_size == len(words)
    return len(words), simple


def bert_tokenizer(folder):
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] a cat the red house , and sea two of them are here".split()
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    transformers.BertTokenizer.from_pretrained(folder).save_pretrained(folder)
    (folder / "vocab.txt").unlink()
    return len(words)


def sentence_tokenizer(folder, normalised):
    """XLM-RoBERTa's tokenizer over a small unigram model of SentencePiece; `normalised`: with the tables of NFKC, which
    are 300 KB."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2
    corpus = [text for text in TEXTS for _ in range(40)] + ["the cat and the house", "red, here, two of them"] * 20
    with tempfile.TemporaryDirectory() as scratch:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus), model_prefix=f"{scratch}/model", vocab_size=48, hard_vocab_limit=False,
            normalization_rule_name="nmt_nfkc" if normalised else "identity", minloglevel=2)
        model = sentencepiece_model_pb2.ModelProto.FromString(Path(f"{scratch}/model.model").read_bytes())
    # fairseq's order of the special tokens, which XLM-RoBERTa has kept.
    words = [(word, 0.0) for word in ("<s>", "<pad>", "</s>", "<unk>")]
    words += [(piece.piece, piece.score) for piece in model.pieces[3:]] + [("<mask>", 0.0)]
    tables = model.normalizer_spec.precompiled_charsmap or None
    transformers.XLMRobertaTokenizer(vocab=words, _spm_precompiled_charsmap=tables).save_pretrained(folder)
    return len(transformers.AutoTokenizer.from_pretrained(folder))


def roberta_tokenizer(folder):
    """RoBERTa's bytes and a few merges."""
    words = ["<s>", "<pad>", "</s>", "<unk>", *letters()]
    merges = [("t", "h"), ("th", "e"), ("\u0120", "c"), ("\u0120c", "at"), ("a", "t"), ("\u0120", "the"), ("h", "ou"), ("o", "u")]
    words += [left + right for left, right in merges] + ["<mask>"]
    vocabulary = {word: place for place, word in enumerate(words)}
    transformers.RobertaTokenizer(vocab=vocabulary, merges=merges).save_pretrained(folder)
    return len(transformers.AutoTokenizer.from_pretrained(folder))


def language_model(folder, name, vocabulary, width):
    """config.json of a small encoder of transformers, in the model's own folder."""
    kind = {"roberta": transformers.RobertaConfig, "xlm-roberta": transformers.XLMRobertaConfig, "bert": transformers.BertConfig}
    config = kind[language_kind(name)](
        vocab_size=vocabulary, hidden_size=width, num_hidden_layers=2, num_attention_heads=2, intermediate_size=2 * width,
        max_position_embeddings=82, **({} if name.startswith("bert") else {"type_vocab_size": 1, "layer_norm_eps": 1e-5}))
    settings = config.to_diff_dict() | {"model_type": config.model_type}
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")


def language_kind(name):
    return re.sub(r"-(base|large).*$", "", name or "")


def siglip_tokenizer(folder, name):
    """Small ones of SigLIP's two kinds."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from reference import siglip
    count = 340
    (siglip.save_gemma if "SigLIP2" in name else siglip.save_sentencepiece)(folder, count)
    return count


def small(model_cfg, width=64, head_width=None):
    """The configuration scaled down, its options kept: heads are as wide as they were, or `head_width`."""
    cfg = copy.deepcopy(model_cfg)
    vision, text = cfg["vision_cfg"], cfg["text_cfg"]
    if vision.get("timm_model_name"):
        # Without a projection texts are as wide as pictures.
        is_projected = text.get("proj_type", "linear") != "none"
        text |= {"layers": 2, "width": width if is_projected else cfg["embed_dim"], "heads": 2}
        return cfg
    if isinstance(vision["layers"], list):
        vision |= {"layers": [1, 2, 1, 1], "width": 4, "head_width": 32, "image_size": 64}
    else:
        head = head_width or vision.get("head_width", 64)
        side = vision.get("patch_size") or 16
        vision |= {"layers": 2, "width": 2 * head, "image_size": 3 * side}
        if head_width:
            vision["head_width"] = head_width
    if not text.get("hf_model_name"):
        text |= {"layers": 2, "width": width, "heads": 2}
    if "multimodal_cfg" in cfg:
        # The decoder reads the texts' states and looks at pooled tokens, or at the image encoder's own.
        seen = width if vision.get("attentional_pool") else vision["width"]
        text["width"] = cfg["embed_dim"] = seen
        cfg["multimodal_cfg"] |= {"layers": 2, "width": seen, "heads": 2}
        return cfg
    cfg["embed_dim"] = 24 if text.get("proj_type", "linear") == "linear" else width
    return cfg


def seeded(name, tensor, seed=5):
    """Values by name. No tensor is trivial, so that none can be overlooked."""
    random = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    noise = random.standard_normal(tuple(tensor.shape), dtype=np.float32)
    if name in ("logit_scale", "logit_bias"):
        return np.float32(2.6592) + 0 * noise
    if name.endswith("running_var"):
        return np.exp(np.float32(0.3) * noise)
    if name.endswith(("bias", "running_mean")):
        return np.float32(0.1) * noise
    if "ls_" in name:
        return np.float32(0.5) + np.float32(0.2) * noise
    if "bn3" in name:
        return np.float32(0.5) + np.float32(0.1) * noise
    if name.endswith(("cls_emb", "attn_pool.query")):
        return noise
    if any(part in name for part in ("bn", "ln_", "downsample.1", "norm", "LayerNorm")):
        return 1 + np.float32(0.1) * noise
    if "embedding" in name:
        return np.float32(0.5 if "position" in name else 1.0) * noise
    is_right = name.endswith("proj") or name.endswith("text_projection")
    fan_in = tensor.shape[0] if is_right else int(np.prod(tensor.shape[1:]))
    return np.float32(1.4) * noise / np.sqrt(np.float32(max(fan_in, 1)))


def save(name, cfg, pixels, folder, dtype=torch.float32, normalised=True):
    """A folder in open_clip's own format. Returns open_clip's tokenizer where it is no part of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text, simple = cfg["text_cfg"], None
    kind = text.get("hf_tokenizer_name", "")
    if kind.startswith("roberta"):
        vocabulary = roberta_tokenizer(folder)
    elif "xlm" in kind:
        vocabulary = sentence_tokenizer(folder, normalised)
    elif "bert" in kind:
        vocabulary = bert_tokenizer(folder)
    elif "SigLIP" in kind:
        vocabulary = siglip_tokenizer(folder, kind)
    else:
        vocabulary, simple = clip_tokenizer(folder)
    if name_of_encoder := text.get("hf_model_name"):
        language_model(folder, name_of_encoder, vocabulary, 64 if normalised else 16)
        # The folder that open_clip is in while it reads the name.
        text |= {"hf_model_name": ".", "hf_model_pretrained": False}
        os.chdir(folder)
    else:
        text["vocab_size"] = vocabulary
    # The class takes no `custom_text`: that chooses the class.
    custom = cfg.pop("custom_text", False) or "hf_model_name" in text
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    made = (open_clip.CoCa if "multimodal_cfg" in cfg else kind)(**cfg)
    tensors = {}
    for tensor_name, tensor in made.state_dict().items():
        if tensor.is_floating_point():
            tensor = torch.from_numpy(np.asarray(seeded(tensor_name, tensor))).reshape(tensor.shape)
            tensor = tensor.to(dtype)
        tensors[tensor_name] = tensor.contiguous()
    save_file(tensors, folder / "open_clip_model.safetensors")
    if custom:
        cfg["custom_text"] = True
    text.pop("hf_model_pretrained", None)
    preprocess = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD} | pixels
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": cfg, "preprocess_cfg": preprocess}, indent=2) + "\n")
    return simple


def reference(folder, simple):
    """What open_clip computes of a folder: ids and unit vectors."""
    os.chdir(folder)  # where a text encoder of transformers is called "."
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    prepare = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}") if simple is None else simple
    # A text encoder of transformers says how many positions it has, not where its texts are cut.
    ids = tokenize(TEXTS, context_length=model.context_length if simple else tokenize.context_length)
    os.chdir(ROOT)
    image = model.encode_image(prepare(Image.open(PICTURE))[None], normalize=True)[0]
    return {"ids": ids.tolist(), "picture": image.tolist(), "texts": model.encode_text(ids, normalize=True).tolist()}


def ask(obscura, folder, *arguments):
    """The vectors that obscura prints, or a complaint."""
    ran = subprocess.run([obscura, "embed", str(folder), *arguments, "--json", "--dtype", "f32"],
                         capture_output=True, text=True)
    if ran.returncode:
        return ran.stderr.strip()
    return [json.loads(line)["embedding"] for line in ran.stdout.splitlines() if line.strip()]


def writes_as_open_clip(obscura, folder, ids_of):
    """What is wrong with a CoCa's caption, greedily chosen: open_clip's search takes a class that transformers has dropped."""
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    prepare = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    pixels, ids = prepare(Image.open(PICTURE))[None], [ids_of["<|startoftext|>"]]
    end = ids_of["<|endoftext|>"]
    while ids[-1] not in (end, 0):
        logits = model(pixels, torch.tensor([ids]), output_labels=False)["logits"][0, -1]
        if len(ids) < 5:
            logits[end] = -torch.inf
        ids.append(end if len(ids) == 11 else int(logits.argmax()))
    ran = subprocess.run([obscura, "caption", str(folder), str(PICTURE), "--beams", "1", "--max-new-tokens", "11", "--min-length", "5",
                          "--json", "--dtype", "f32"], capture_output=True, text=True)
    if ran.returncode:
        return ran.stderr.strip()
    found = json.loads(ran.stdout.splitlines()[-1])["tokens"]
    return None if found == ids else f"writes {found} instead of {ids}"


def difference(found, expected):
    """1 - cosine, in double precision."""
    found, expected = np.float64(found), np.float64(expected)
    return 1 - found @ expected / np.linalg.norm(found) / np.linalg.norm(expected)


def compare(obscura, folder, expected):
    found = [ask(obscura, folder, str(PICTURE)), ask(obscura, folder, "--text", *TEXTS)]
    for answer in found:
        if isinstance(answer, str):
            return answer
    pairs = zip(found[0] + found[1], [expected["picture"], *expected["texts"]])
    return max(difference(one, two) for one, two in pairs)


def kind_of(cfg):
    vision, text = cfg["vision_cfg"], cfg["text_cfg"]
    if "multimodal_cfg" in cfg:
        return f"CoCa with {text['hf_model_name']}" if text.get("hf_model_name") else "CoCa"
    if vision.get("timm_model_name"):
        return "SigLIP (timm)" if "init_logit_bias" in cfg and not text.get("hf_model_name") else f"timm: {vision['timm_model_name']}"
    if name := text.get("hf_model_name"):
        known = {"roberta": "RoBERTa", "xlm-roberta": "XLM-RoBERTa"}
        return known.get(language_kind(name), f"text encoder {name}")
    if isinstance(vision["layers"], list):
        return "ResNet"
    if text.get("no_causal_mask"):
        return "CLIPA"
    if text.get("pool_type") == "eos":
        return "MetaCLIP 2"
    return "ViT"


NATIVE = ("ViT", "ResNet", "CLIPA", "MetaCLIP 2", "SigLIP (timm)", "CoCa", "RoBERTa", "XLM-RoBERTa")


def names_encoder(message, cfg):
    """Whether a refusal says which part it is about."""
    names = ["CoCa"] if "multimodal_cfg" in cfg else []
    names += [cfg["vision_cfg"].get("timm_model_name"), cfg["text_cfg"].get("hf_model_name")]
    return any(name and name in message for name in names)


def check(obscura, name, scratch):
    """A row of the table: name, kind, whether it is as it should be, what came."""
    cfg = open_clip.get_model_config(name)
    kind, folder = kind_of(cfg), scratch / name
    if kind not in NATIVE:
        folder.mkdir(parents=True)
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": cfg, "preprocess_cfg": {}}))
        save_file({"logit_scale": torch.zeros(())}, folder / "open_clip_model.safetensors")
        came = ask(obscura, folder, str(PICTURE))
        right = isinstance(came, str) and names_encoder(came, cfg)
        came = came.replace(f"{folder}: ", "") if isinstance(came, str) else "computed, which is wrong"
        return name, kind, right, "refused: " + re.sub(r"^error: ", "", came.splitlines()[0])
    pixels = next((pixels for part, pixels in PIXELS.items() if part in name), {})
    is_large = kind == "SigLIP (timm)"
    simple = save(name, small(cfg), pixels, folder, torch.float16 if is_large else torch.float32)
    came = compare(obscura, folder, reference(folder, simple))
    if kind == "CoCa" and not isinstance(came, str):
        came = writes_as_open_clip(obscura, folder, json.loads((folder / "vocab.json").read_text())) or came
    shutil.rmtree(folder)
    if isinstance(came, str):
        return name, kind, False, "refused: " + came
    return name, kind, came <= LARGEST_DIFFERENCE, f"differs by {max(came, 0):.0e}"


def write_table(rows):
    counts = Counter("computed" if kind in NATIVE else "refused" for _, kind, right, _ in rows if right)
    lines = [
        "# open_clip's zoo",
        "",
        "Generated by `scripts/zoo`: do not edit. Every model configuration of open_clip "
        f"{open_clip.__version__}, scaled down to two layers and a small vocabulary with all its options kept (SigLIP's image "
        "encoders in full), saved by "
        "open_clip in its own format, and computed by open_clip and by `obscura embed --dtype f32`. The number is the largest "
        "1 - cosine of a picture's and three texts' vectors; at most 1e-5 is right. Of a CoCa the ids of a caption, greedily chosen, "
        "are equal, too.",
        "",
        f"{counts['computed']} of {len(rows)} are computed, {counts['refused']} are refused by the name of their encoder, "
        f"{len(rows) - sum(counts.values())} are wrong. What of a configuration is read: [configurations.md](configurations.md).",
        "",
        "| Configuration | Kind | obscura |",
        "|---|---|---|",
    ]
    for name, kind, right, came in rows:
        lines.append(f"| {name} | {kind} | {'' if right else '**wrong** '}{came.replace('|', '/')} |")
    (ROOT / "docs/zoo.md").write_text("\n".join(lines) + "\n")


def golden_models():
    """One small model of each working kind, and of options that no configuration of the zoo has."""
    def like(name, **more):
        cfg = small(open_clip.get_model_config(name), width=16, head_width=8)
        cfg["vision_cfg"] |= {"patch_size": 8, "image_size": 24}
        for section, options in more.items():
            cfg[section] |= options
        return cfg
    default = like("ViT-B-16", vision_cfg={"image_size": 48})
    del default["vision_cfg"]["patch_size"]
    yield "vit", default, {}
    yield "layer-scale", like("ViT-M-16-alt", text_cfg={"ls_init_value": 0.1, "mlp_ratio": 2.0}), {"resize_mode": "longest", "fill_color": 90}
    yield "clipa", like("ViT-L-14-CLIPA"), PIXELS["CLIPA"]
    yield "metaclip-2", like("ViT-H-14-worldwide-quickgelu"), PIXELS["worldwide"]
    custom = like(
        "ViT-B-16",
        vision_cfg={"norm_kwargs": {"eps": 1e-2}, "pool_type": "avg", "no_ln_pre": True},
        text_cfg={"norm_kwargs": {"eps": 1e-3}, "pool_type": "first", "no_causal_mask": True, "proj_bias": True},
    )
    yield "options", custom | {"custom_text": True}, {"interpolation": "bilinear"}
    bare = like("ViT-B-16", text_cfg={"proj_type": "none", "pool_type": "last"})
    yield "no-projection", bare | {"embed_dim": 16}, {}
    yield "roberta", like("roberta-ViT-B-32"), {}
    yield "xlm-roberta", like("xlm-roberta-base-ViT-B-32", text_cfg={"hf_proj_type": "linear", "context_length": 12}), {}
    bert = {"hf_model_name": "bert-base", "hf_tokenizer_name": "bert-base", "hf_pooler_type": "cls_pooler", "hf_proj_type": None}
    yield "bert", like("roberta-ViT-B-32", text_cfg=bert) | {"embed_dim": 16}, {}


def make_golden(names):
    """Those of these names, or all."""
    for name, cfg, pixels in golden_models():
        if names and name not in names:
            continue
        folder = GOLDEN / name
        shutil.rmtree(folder, ignore_errors=True)
        simple = save(name, cfg, pixels, folder, torch.float16, normalised=False)
        expected = reference(folder, simple)
        rounded = {key: [[float(f"{x:.9g}") for x in row] for row in value] if key == "texts" else value
                   for key, value in expected.items()}
        rounded["picture"] = [float(f"{x:.9g}") for x in rounded["picture"]]
        wanted = {"open_clip": open_clip.__version__, "image": PICTURE.name, "text": TEXTS, **rounded}
        (folder / "expected.json").write_text(json.dumps(wanted) + "\n")
        print(name, sum(file.stat().st_size for file in folder.iterdir()) // 1000, "KB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--obscura", required=True)
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("names", nargs="*")
    chosen = parser.parse_args()
    if chosen.golden:
        return make_golden(chosen.names)
    if not chosen.names:
        make_golden([])
    rows, obscura = [], str(Path(chosen.obscura).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        for name in chosen.names or open_clip.list_models():
            rows.append(check(obscura, name, Path(scratch)))
            print(*rows[-1], sep="  ")
    if not chosen.names:
        write_table(rows)
    sys.exit(not all(right for _, _, right, _ in rows))


if __name__ == "__main__":
    main()
