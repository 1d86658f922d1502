"""What a model in a folder computes, loaded as its users load it: by from_pretrained, with the installed version."""

import torch
import transformers
from PIL import Image

import words

CAPTION_TOKENS, ANSWER_TOKENS = 12, 10


def pixels(family, folder, picture):
    """By the class that resizes with Pillow, which the reference of every other test is, too."""
    names = [f"{family}ImageProcessorPil", f"{family}ImageProcessor", f"{family}FeatureExtractor"]
    kind = next(getattr(transformers, name) for name in names if hasattr(transformers, name))
    image = Image.open(picture).convert("RGB")
    return kind.from_pretrained(str(folder))(images=image, return_tensors="pt")["pixel_values"].float()


def read_tokenizer(family, folder):
    name = "CLIPTokenizer" if family == "CLIP" else "BertTokenizer"
    return (getattr(transformers, name + "Fast", None) or getattr(transformers, name)).from_pretrained(str(folder))


def of_folder(class_name, folder, picture, texts_folder=None, **options):
    """Everything that is compared, of the model in `folder`; parts come without a processor of their own."""
    model = getattr(transformers, class_name).from_pretrained(str(folder), **options).float().eval()
    return of_model(model, class_name, texts_folder or folder, picture)


def of_model(model, class_name, folder, picture):
    """The same of a model in memory; `folder` has its processor."""
    family = "CLIP" if class_name.startswith("CLIP") else "Blip"
    compute = {
        "CLIPModel": clip, "CLIPTextModelWithProjection": clip_text, "CLIPVisionModelWithProjection": clip_vision,
        "BlipForConditionalGeneration": caption, "BlipForImageTextRetrieval": retrieval,
        "BlipForQuestionAnswering": answers,
    }[class_name]
    with torch.no_grad():
        seen = None if class_name.startswith("CLIPText") else pixels(family, folder, picture)
        read = None if class_name.startswith("CLIPVision") else read_tokenizer(family, folder)
        return compute(model, seen, read)


def numbers(tensor):
    """A vector with the digits that a float32 has."""
    return [float(f"{value:.9g}") for value in tensor.reshape(-1).tolist()]


def ids_of(read, text):
    return torch.tensor([read(text)["input_ids"]])


def text_entry(text, ids, vector):
    return {"text": text, "ids": ids[0].tolist(), "vector": numbers(vector)}


def clip(model, seen, read):
    every = [(text, ids_of(read, text)) for text in words.TEXTS]
    results = [model(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=seen) for _, ids in every]
    texts = [text_entry(text, ids, result.text_embeds) for (text, ids), result in zip(every, results)]
    logits = torch.cat([result.logits_per_image for result in results], dim=1)
    return {"image_vector": numbers(results[0].image_embeds), "texts": texts, "probabilities": numbers(logits.softmax(-1))}


def clip_text(model, _, read):
    every = [(text, ids_of(read, text)) for text in words.TEXTS]
    return {"texts": [text_entry(text, ids, model(input_ids=ids).text_embeds) for text, ids in every]}


def clip_vision(model, seen, _):
    return {"image_vector": numbers(model(pixel_values=seen).image_embeds)}


def caption(model, seen, read):
    options = {"max_new_tokens": CAPTION_TOKENS, "num_beams": 1, "do_sample": False}
    prompt = torch.tensor([read("a red")["input_ids"]])
    free = model.generate(pixel_values=seen, **options)
    begun = model.generate(pixel_values=seen, input_ids=prompt, attention_mask=torch.ones_like(prompt), **options)
    return {"captions": [{"prompt": "", "ids": free[0].tolist()}, {"prompt": "a red", "ids": begun[0].tolist()}]}


def retrieval(model, seen, read):
    normalize = torch.nn.functional.normalize
    image = normalize(model.vision_proj(model.vision_model(seen)[0][:, 0]), dim=-1)
    texts, matches = [], []
    for text in words.TEXTS:
        ids = ids_of(read, text)
        given = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        vector = normalize(model.text_proj(model.text_encoder(**given)[0][:, 0]), dim=-1)
        texts.append(text_entry(text, ids, vector))
        itm = model(pixel_values=seen, **given, use_itm_head=True)[0]
        itc = model(pixel_values=seen, **given, use_itm_head=False)[0]
        matches.append({"text": text, "probability": itm.softmax(-1)[0, 1].item(), "similarity": itc[0, 0].item()})
    return {"image_vector": numbers(image), "texts": texts, "matches": matches}


def answers(model, seen, read):
    options = {"max_new_tokens": ANSWER_TOKENS, "num_beams": 1, "do_sample": False}
    found = []
    for question in words.QUESTIONS:
        ids = ids_of(read, question)
        answer = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=seen, **options)
        found.append({"question": question, "ids": answer[0].tolist()})
    return {"answers": found}
