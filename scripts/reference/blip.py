"""What the three BLIP classes compute, stage by stage. Keys are described in tests/golden/README.md."""

import torch

from .generation import OPTIONS, case
from .record import Expected, Preparation, rounded, unit

PROMPTS = ["a picture of", "the color is"]
TEXTS = ["a hut under a yellow sun", "grey letters on a page", "a man with a dog", "what?"]
QUESTIONS = ["what color is the sun?", "how many circles are there", "Is it night?"]
ANSWERS = ["yellow", "red and blue", "three", "no", "a large grey cat"]
QUESTION_LIMIT = 35  # tokens, as in BLIP's own code


def record_vision(model, preparation, expected, names, with_pixels):
    """Pixels, patches and the vision encoder's output; returns picture -> [1, 1 + N, D]."""
    states = {}
    for name in names:
        pixels = preparation.pixels(name)
        states[name] = model.vision_model(pixel_values=pixels).last_hidden_state
        expected.tensor(f"vision/{name}", states[name][0])
        if with_pixels:
            expected.tensor(f"pixels/{name}", pixels[0])
            expected.tensor(f"patches/{name}", model.vision_model.embeddings(pixels)[0])
    return states


def record_interpolated(model, preparation, expected, names, size):
    for name in names:
        pixels = preparation.pixels(name, size)
        states = model.vision_model(pixel_values=pixels, interpolate_pos_encoding=True).last_hidden_state
        expected.tensor(f"interpolated/pixels/{name}", pixels[0])
        expected.tensor(f"interpolated/vision/{name}", states[0])
    expected.json["interpolated"] = {"size": size, "pictures": names}


@torch.no_grad()
def record_caption(model, folder, names, interpolated_size, logits_of):
    """BlipForConditionalGeneration. `logits_of`: how many pictures get their logits recorded."""
    preparation, expected = Preparation(folder), Expected()
    separator = model.config.text_config.sep_token_id
    states = record_vision(model, preparation, expected, names, with_pixels=True)
    captions = {}
    for name in names:
        def run(prompt=None, **options):
            return write_from(model, states[name], start(model, preparation, prompt), **options)

        check_whole(model, preparation, name, run)
        captions[name] = {
            key: case(run, model.text_decoder, preparation, separator, options) for key, options in OPTIONS.items()
        }
        captions[name]["prompted"] = [prompted(run, model, preparation, separator, prompt) for prompt in PROMPTS]
    for name in names[:logits_of]:
        ids = torch.tensor([captions[name]["greedy"]["ids"]])
        output = model.text_decoder(input_ids=ids, encoder_hidden_states=states[name])
        expected.tensor(f"logits/{name}", output.logits[0])
    expected.json = {
        "class": "BlipForConditionalGeneration",
        "pictures": names,
        "logits": names[:logits_of],
        "options": OPTIONS,
        "captions": captions,
    }
    record_interpolated(model, preparation, expected, names[:1], interpolated_size)
    return expected


def start(model, preparation, prompt):
    """[1, T]: what a caption starts from, [DEC] and the prompt's tokens; without a prompt [DEC] alone."""
    ids = preparation.ids(prompt, 512)[:, :-1] if prompt is not None else torch.zeros((1, 1), dtype=torch.long)
    ids[:, 0] = model.config.text_config.bos_token_id
    return ids


def write_from(model, states, ids, **options):
    """What the `generate` of both generating classes ends with: the decoder's own, over an encoder's states."""
    config = model.config.text_config
    return model.text_decoder.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        eos_token_id=config.sep_token_id,
        pad_token_id=config.pad_token_id,
        encoder_hidden_states=states,
        encoder_attention_mask=torch.ones(states.shape[:2], dtype=torch.long),
        **options,
    )


def check_whole(model, preparation, name, run):
    """The pieces above must be what the class's own `generate` does, with a prompt and without."""
    pixels = preparation.pixels(name)
    ids = preparation.ids(PROMPTS[0], 512)
    whole = [model.generate(pixel_values=pixels),
             model.generate(pixel_values=pixels, input_ids=ids, attention_mask=torch.ones_like(ids))]
    assert [row.tolist() for row in whole] == [run().tolist(), run(PROMPTS[0]).tolist()]


def prompted(run, model, preparation, separator, prompt):
    ids = preparation.ids(prompt, 512)[0].tolist()
    cases = {key: case(lambda **more: run(prompt=prompt, **more), model.text_decoder, preparation, separator, OPTIONS[key])
             for key in ("greedy", "beam3")}
    return {"prompt": prompt, "input_ids": ids, **cases}


@torch.no_grad()
def record_retrieval(model, folder, names):
    """BlipForImageTextRetrieval: both heads, each text on its own, so that nothing is padded."""
    preparation, expected = Preparation(folder), Expected()
    states = record_vision(model, preparation, expected, names, with_pixels=False)
    ids = [preparation.ids(text, QUESTION_LIMIT) for text in TEXTS]
    for index, row in enumerate(ids):
        hidden = model.text_encoder(input_ids=row).last_hidden_state
        expected.tensor(f"text_hidden/{index}", hidden[0])
        expected.tensor(f"text_embeds/{index}", unit(model.text_proj(hidden[:, 0]))[0])
    probabilities = {}
    for name in names:
        pixels = preparation.pixels(name)
        outputs = [model(input_ids=row, pixel_values=pixels, use_itm_head=True) for row in ids]
        logits = torch.cat([output.itm_score for output in outputs])
        cosines = torch.cat([model(input_ids=row, pixel_values=pixels, use_itm_head=False).itm_score[0] for row in ids])
        expected.tensor(f"itm_logits/{name}", logits)
        expected.tensor(f"itc/{name}", cosines)
        expected.tensor(f"image_embeds/{name}", unit(model.vision_proj(states[name][:, 0]))[0])
        probabilities[name] = [rounded(value) for value in logits.softmax(dim=-1)[:, 1]]
        if name in names[:2]:
            for index, output in enumerate(outputs):
                expected.tensor(f"itm_hidden/{name}/{index}", output.question_embeds[0])
    expected.json = {
        "class": "BlipForImageTextRetrieval",
        "pictures": names,
        "hidden_pictures": names[:2],
        "texts": TEXTS,
        "text_ids": [row[0].tolist() for row in ids],
        "probabilities": probabilities,
    }
    return expected


def question_states(model, ids, states):
    """[1, T, D]: the question encoder's output, every mask all ones."""
    return model.text_encoder(input_ids=ids, encoder_hidden_states=states).last_hidden_state


def answer_from(model, question, **options):
    """The rest of BlipForQuestionAnswering.generate, from question states on."""
    return write_from(model, question, start(model, None, None), **options)


def log_likelihood(model, ids, question):
    """Sum over ids[1:] of log p(id | ids before it, question), ids being [DEC], the answer's tokens, [SEP].

    The sum that `rank_answer` of BLIP's own code sorts by (there as a loss with reduction "none", summed over
    the tokens), without label smoothing, which belongs to training.
    """
    logits = model.text_decoder(input_ids=ids, encoder_hidden_states=question).logits[0, :-1]
    return logits.log_softmax(dim=-1).gather(1, ids[0, 1:, None]).sum()


def answer_cases(model, preparation, question):
    """Greedy, beam search and ranking for one question."""
    separator = model.config.text_config.sep_token_id
    found = {
        key: case(lambda **more: answer_from(model, question, **more), model.text_decoder, preparation, separator, options)
        for key, options in {key: OPTIONS[key] for key in ("greedy", "beam3", "beam3_early_stopping")}.items()
    }
    found["ranking"] = []
    for answer in ANSWERS:
        ids = preparation.ids(answer, QUESTION_LIMIT)
        ids[:, 0] = model.config.text_config.bos_token_id
        value = log_likelihood(model, ids, question)
        found["ranking"].append({"answer": answer, "ids": ids[0].tolist(), "log_likelihood": rounded(value)})
    return found


@torch.no_grad()
def record_answers(model, folder, names, hidden_of):
    """BlipForQuestionAnswering, and the same with the states of three frames in a row."""
    preparation, expected = Preparation(folder), Expected()
    states = record_vision(model, preparation, expected, names, with_pixels=False)
    ids = [preparation.ids(question, QUESTION_LIMIT) for question in QUESTIONS]
    answers = {}
    for name in names:
        answers[name] = {}
        for index, row in enumerate(ids):
            question = question_states(model, row, states[name])
            found = answers[name][str(index)] = answer_cases(model, preparation, question)
            whole = model.generate(input_ids=row.clone(), pixel_values=preparation.pixels(name))[0]
            assert whole.tolist()[: len(found["greedy"]["ids"])] == found["greedy"]["ids"], "steps differ from generate"
            if name in names[:hidden_of]:
                expected.tensor(f"question_hidden/{name}/{index}", question[0])
                answer = torch.tensor([found["greedy"]["ids"]])
                logits = model.text_decoder(input_ids=answer, encoder_hidden_states=question).logits
                if index == 0:
                    expected.tensor(f"logits/{name}/{index}", logits[0])
    frames = (names * 3)[:3]
    joined = torch.cat([states[name] for name in frames], dim=1)  # [1, 3 * (1 + N), D], first frame first
    question = question_states(model, ids[0], joined)
    expected.tensor("frames/question_hidden", question[0])
    expected.json = {
        "class": "BlipForQuestionAnswering",
        "pictures": names,
        "hidden_pictures": names[:hidden_of],
        "questions": QUESTIONS,
        "question_ids": [row[0].tolist() for row in ids],
        "candidates": ANSWERS,
        "options": {key: OPTIONS[key] for key in ("greedy", "beam3", "beam3_early_stopping")},
        "answers": answers,
        "frames": {"pictures": frames, "question": 0, **answer_cases(model, preparation, question)},
    }
    return expected
