"""The reference itself, timed: PyTorch on the CPU with the `transformers` package, for scripts/bench.

    python scripts/benchmark/pytorch.py MODEL OUT THREADS

MODEL is clip, retrieval, caption or vqa; OUT is what scripts/benchmark/prepare.py wrote. A line of JSON says that the
model is loaded; then each line of standard input names what to measure, and is answered with a line of JSON,
{"times": milliseconds by name, "result": what came out}. Pixels and ids are ready beforehand.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import (
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
    BlipForQuestionAnswering,
    CLIPModel,
    logging,
)

CLASSES = {
    "clip": CLIPModel,
    "retrieval": BlipForImageTextRetrieval,
    "caption": BlipForConditionalGeneration,
    "vqa": BlipForQuestionAnswering,
}
BATCH = 50  # texts encoded at once, of similar lengths


def unit(vector):
    return vector / vector.norm(dim=-1, keepdim=True)


class Arrivals:
    """Gets the prompt and then each token as it is chosen."""

    def __init__(self):
        self.times = []

    def put(self, _):
        self.times.append(time.perf_counter())

    def end(self):
        pass


class Runner:
    def __init__(self, kind, out, threads):
        torch.set_num_threads(threads)
        self.expected = json.loads((out / "expected.json").read_text())
        folder = out / "models" / self.expected["folders"][kind]
        start = time.perf_counter()
        self.model = CLASSES[kind].from_pretrained(folder, dtype=torch.float32).eval()
        self.load = 1000 * (time.perf_counter() - start)
        side, name = (224, "clip") if kind == "clip" else (384, "blip")
        pixels = np.fromfile(out / f"{name}.f32", dtype=np.float32).reshape(1, 3, side, side)
        self.pixels, self.kind, self.known = torch.from_numpy(pixels), kind, None

    def image(self):
        if self.kind == "clip":
            return {"vector": self.clip_image().tolist()}
        states = self.model.vision_model(pixel_values=self.pixels).last_hidden_state
        return {"vector": unit(self.model.vision_proj(states[:, 0]))[0].tolist()}

    def clip_image(self):
        return unit(self.model.visual_projection(self.model.vision_model(pixel_values=self.pixels).pooler_output))[0]

    def embed(self, rows):
        longest = max(len(row) for row in rows)
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        return unit(self.model.text_projection(self.model.text_model(input_ids=ids).pooler_output))

    def text(self):
        return {"vector": self.embed([self.expected["clip"]["text"]["ids"]])[0].tolist()}

    def embed_labels(self):
        ids = self.expected["clip"]["labels"]["ids"]
        places = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        batches = [places[start : start + BATCH] for start in range(0, len(places), BATCH)]
        found = torch.cat([self.embed([ids[place] for place in batch]) for batch in batches])
        self.known = torch.empty_like(found)
        self.known[torch.tensor(places)] = found

    def labels(self):
        self.embed_labels()
        return self.classify()

    def classify(self):
        best = (self.known @ self.clip_image()).topk(5).indices.tolist()
        return {"best": [self.expected["clip"]["labels"]["names"][place] for place in best]}

    def write(self, beams=1, streamer=None):
        config, tokens = self.model.config.text_config, self.expected["tokens"]
        states = self.model.vision_model(pixel_values=self.pixels).last_hidden_state
        ids = self.model.text_decoder.generate(
            input_ids=torch.tensor([[config.bos_token_id]]), encoder_hidden_states=states, eos_token_id=config.sep_token_id,
            pad_token_id=config.pad_token_id, num_beams=beams, min_length=tokens, max_new_tokens=tokens, streamer=streamer,
        )
        return {"tokens": ids[0].tolist()}

    def beam(self):
        return self.write(self.expected["beams"])

    def answer(self):
        question = torch.tensor([self.expected["blip"]["question"]])
        tokens = self.expected["answerTokens"]
        ids = self.model.generate(
            input_ids=question, pixel_values=self.pixels, attention_mask=torch.ones_like(question), min_length=tokens, max_new_tokens=tokens
        )
        return {"tokens": ids[0].tolist()}

    def measure(self, work):
        if work == "classify" and self.known is None:
            self.embed_labels()
        arrivals = Arrivals()
        start = time.perf_counter()
        result = self.write(streamer=arrivals) if work == "caption" else getattr(self, work)()
        times = {work: 1000 * (time.perf_counter() - start)}
        if work == "caption":
            tokens = [1000 * (arrival - start) for arrival in arrivals.times[1:]]
            times = {"first-token": tokens[0], "token": (tokens[-1] - tokens[0]) / (len(tokens) - 1), **times}
        return {"times": times, "result": result}


def main():
    kind, out, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with torch.inference_mode():
        runner = Runner(kind, out, threads)
        print(json.dumps({"times": {"load": runner.load}, "info": {"torch": torch.__version__}}), flush=True)
        for line in sys.stdin:
            print(json.dumps(runner.measure(line.strip())), flush=True)


main()
