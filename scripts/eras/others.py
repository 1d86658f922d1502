"""The checkpoints of the tools around transformers: open_clip, sentence-transformers, peft, and torch.save itself."""

import json
from importlib.metadata import version
from pathlib import Path

import torch
import transformers
from PIL import Image

import checkpoints
import results
import words
from rows import CAPTIONS, Row


def short(tool):
    """As `0.4` of 0.4.0."""
    return ".".join(version(tool).split(".")[:2])


# open_clip

def open_clip_config(**more):
    vision = {"image_size": checkpoints.SIDE, "patch_size": checkpoints.PATCH, "width": checkpoints.WIDTH, "layers": 2,
              "head_width": checkpoints.WIDTH // 2}
    text = {"context_length": 40, "vocab_size": len(words.CLIP), "width": checkpoints.WIDTH, "heads": 2, "layers": 2}
    return {"embed_dim": checkpoints.PROJECTION, **more, "vision_cfg": vision, "text_cfg": text}


def open_clip_row(saved_by, options, **more):
    def make(folder, picture, scratch):
        import open_clip
        from open_clip.push_to_hf_hub import save_for_hf
        from open_clip.tokenizer import HFTokenizer

        (scratch / "tiny.json").write_text(json.dumps(open_clip_config(**more)))
        open_clip.add_model_config(scratch / "tiny.json")
        model = open_clip.create_model("tiny")
        checkpoints.tokenizer("CLIP", Path("words")).save_pretrained("words")
        tokenizer = HFTokenizer("words")
        config = open_clip.get_model_config("tiny")
        save_for_hf(checkpoints.with_seeded_weights(model), tokenizer, config, str(folder), **options)
        return open_clip_results(folder, picture)

    return Row("open_clip_torch", "open_clip.CLIP", saved_by, make)


@torch.no_grad()
def open_clip_results(folder, picture):
    import open_clip
    from open_clip.tokenizer import HFTokenizer

    config = folder.parent / "again.json"
    config.write_text(json.dumps(json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]))
    open_clip.add_model_config(config)
    config.unlink()
    model, _, prepare = open_clip.create_model_and_transforms("again")
    open_clip.load_checkpoint(model.eval(), str(folder / "open_clip_pytorch_model.bin"))
    tokenizer = HFTokenizer(str(folder))
    image = model.encode_image(prepare(Image.open(picture))[None], normalize=True)
    texts, cosines = [], []
    for text in words.TEXTS:
        vector = model.encode_text(tokenizer([text], context_length=40), normalize=True)
        ids = torch.tensor([tokenizer.tokenizer(text)["input_ids"]])
        texts.append(results.text_entry(text, ids, vector))
        cosines.append((image @ vector.T)[0, 0])
    logits = model.logit_scale.exp() * torch.stack(cosines)
    return {"image_vector": results.numbers(image), "texts": texts, "probabilities": results.numbers(logits.softmax(-1))}


# sentence-transformers

def sentence_transformers_row():
    def make(folder, picture, scratch):
        import sentence_transformers

        start = Path("start")  # relative, for the model notes it
        checkpoints.model("CLIPModel").save_pretrained(str(start))
        checkpoints.processor("CLIP", Path("words")).save_pretrained(str(start))
        old = version("sentence-transformers").startswith("2.")
        modules = [sentence_transformers.models.CLIPModel(str(start))] if old else None
        model = sentence_transformers.SentenceTransformer(None if old else str(start), modules=modules, device="cpu")
        model.save(str(folder))
        return sentence_transformers_results(folder, picture, start)

    return Row("sentence-transformers", "CLIPModel", "SentenceTransformer.save()", make)


def sentence_transformers_results(folder, picture, words_folder):
    """With Pillow's resizing also in the versions that prefer torchvision's."""
    from sentence_transformers import SentenceTransformer

    old = version("sentence-transformers").startswith("2.")
    model = SentenceTransformer(str(folder), device="cpu", **({} if old else {"processor_kwargs": {"backend": "pil"}}))
    read = results.read_tokenizer("CLIP", words_folder)

    def vector(thing):
        return model.encode(thing, convert_to_tensor=True, normalize_embeddings=True)

    texts = [results.text_entry(text, results.ids_of(read, text), vector(text)) for text in words.TEXTS]
    return {"image_vector": results.numbers(vector(Image.open(picture).convert("RGB"))), "texts": texts}


# peft

LOUDNESS = 0.4**0.5  # of an adapter's matrices, beside those of a model: found by trying, for captions that change and vary


def peft_results(class_name, folder, base, picture):
    import peft

    start = getattr(transformers, class_name).from_pretrained(str(base))
    merged = peft.PeftModel.from_pretrained(start, str(folder)).merge_and_unload()
    return results.of_model(merged.eval(), class_name, base, picture)


def peft_row(base, class_name, out, **lora):
    """An adapter on the model of another row, and what is computed once it was merged."""
    def make(folder, picture, scratch):
        import peft

        kind = getattr(transformers, class_name)
        (scratch / base).mkdir(parents=True)
        (scratch / base / "model").symlink_to(out / base / "model")  # so that the adapter names it without this machine's paths
        start = kind.from_pretrained(f"{base}/model")
        adapter = peft.get_peft_model(start, peft.LoraConfig(r=4, lora_alpha=16, **lora))
        with torch.no_grad():
            for name, parameter in adapter.named_parameters():
                if "lora_" in name:
                    parameter.copy_(torch.from_numpy(LOUDNESS * checkpoints.seeded(name, tuple(parameter.shape))))
        adapter.save_pretrained(str(folder))
        return peft_results(class_name, folder, out / base / "model", picture)

    return Row("peft", class_name, "save_pretrained()", make, {"base": base})


# torch.save

def torch_row(saved_by, save):
    """A folder whose weights were saved by hand, as training scripts do."""
    def make(folder, picture, scratch):
        model = checkpoints.model("CLIPModel")
        model.config.architectures = ["CLIPModel"]
        model.config.save_pretrained(str(folder))
        checkpoints.processor("CLIP", Path("words")).save_pretrained(str(folder))
        save(model, folder / "pytorch_model.bin")
        return results.of_model(model, "CLIPModel", folder, picture)

    return Row("torch", "CLIPModel", saved_by, make)


def legacy(model, file):
    torch.save(model.state_dict(), file, _use_new_zipfile_serialization=False)


def data_parallel(model, file):
    torch.save(torch.nn.DataParallel(model).state_dict(), file)


def compiled(model, file):
    torch.save(torch.compile(model).state_dict(), file)


def channels_last(model, file):
    torch.save(model.to(memory_format=torch.channels_last).state_dict(), file)


def training(model, file):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.save({"epoch": 1, "state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}, file)


def rows(era, out):
    """Name -> row, of the tools that are in this era's environment."""
    if era == "transformers-4.30":
        return {
            f"open_clip-{short('open_clip_torch')}": open_clip_row("save_for_hf()", {}, quick_gelu=True),
            f"sentence-transformers-{short('sentence-transformers')}": sentence_transformers_row(),
            f"peft-{short('peft')}": peft_row(f"{era}-blip-captioning", CAPTIONS, out, target_modules=["query", "value"]),
            f"torch-{short('torch')}-legacy": torch_row("torch.save(…, _use_new_zipfile_serialization=False)", legacy),
            f"torch-{short('torch')}-data-parallel": torch_row("torch.save(DataParallel(model).state_dict())", data_parallel),
        }
    if era == "transformers-4.45":
        lora = {"target_modules": ["q_proj", "v_proj"], "use_rslora": True}
        return {f"peft-{short('peft')}": peft_row(f"{era}-clip", "CLIPModel", out, **lora)}
    if era == "transformers-5.24":
        lora = {"target_modules": ["query", "value", "qkv", "fc1"]}
        return {
            f"open_clip-{short('open_clip_torch')}": open_clip_row("save_for_hf()", {}),
            f"sentence-transformers-{short('sentence-transformers')}": sentence_transformers_row(),
            f"peft-{short('peft')}": peft_row(f"{era}-blip-captioning", CAPTIONS, out, **lora),
            f"torch-{short('torch')}-compiled": torch_row("torch.save(torch.compile(model).state_dict())", compiled),
            f"torch-{short('torch')}-channels-last": torch_row("torch.save(model.to(memory_format=torch.channels_last).state_dict())", channels_last),
            f"torch-{short('torch')}-training": torch_row('torch.save({"state_dict": …, "optimizer": …})', training),
        }
    return {}
