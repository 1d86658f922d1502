#!/usr/bin/env python3
"""Writes tests/golden/metrics, what the reference implementations of the metrics compute:

    python -m venv VENV && VENV/bin/pip install pycocoevalcap==1.2
    VENV/bin/python scripts/reference/metrics.py [vqaEval.py]

captions.json: BLEU and CIDEr-D of seeded random captions, by pycocoevalcap's scorers.
tokens.json:   texts and their tokens, by pycocoevalcap's PTBTokenizer, which needs Java on the path.
answers.json:  normalised answers and their accuracies, by the official evaluation of VQA, whose file
               PythonEvaluationTools/vqaEvaluation/vqaEval.py in the repository GT-Vision-Lab/VQA is
               given as an argument (a file for Python 2; its `print` is what is adapted here). Left
               alone without it.
"""

import json
import random
import re
import sys
from pathlib import Path

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

FOLDER = Path(__file__).resolve().parent.parent.parent / "tests" / "golden" / "metrics"

OBJECTS = "cat dog apple house tree car fish star boat bird".split()
COLOURS = "red green blue yellow".split()
PLACES = ["next to", "above", "to the left of", "on"]

TEXTS = [
    "A man riding a wave on top of a surfboard.",
    "Two dogs, one brown and one white, are running!",
    "A man's dog isn't near the dogs' house; it's outside.",
    "There's a t-shirt and a well-worn baseball cap",
    "It's 10:30 a.m. in the U.S. and the sign says \"STOP\"...",
    "a clock at 10:30pm on St. James street.",
    "They've got 3.5 of 1,000 apples (the red ones) for $5 or 50%",
    "A red/blue car and a black/white cat",
    "She cannot, they're gonna, we'll, I'm, he'd've",
    "Don’t look — it’s “quoted” … really",
    "a café with crème brûlée",
    "what?! no!!! ok?",
    "Mr. Smith & Mrs. Jones vs. the others, etc.",
    "a 20-year-old tree, the 1st of 3",
    "No. 7 is here, no. No.",
    "the 80's and the '80s rock 'n' roll",
    "  double   spaces\tand tabs ",
    "picture [a] {b} (c)",
    "half an orange ½ + 1/2 = 1",
    "y'all 'tis o'clock ma'am 'em",
    "#hash @someone # 1 a_b",
    ".",
    "a--b - c -- d",
    "A. B. C and d.",
    "temperature of -5 or .5",
]

ANSWERS = [
    "Yes", "yes.", "the red car", "A dog, and a cat", "two", "2", "10", "ten", "none", "zero", "1,000", "1000",
    "dont know", "don't know", "couldntve", "couldn'tve", "somebody'd", "yall'd've", "lets go", "it's", "its",
    "black/white", "black and white", "t-shirt", "t shirt", "3.5", ".5", "u.s.a.", "what ?", "what?", "left-hand side",
    "  spaces  inside ", "an apple", "apple", "(red)", "( red )", "12:30", "Im", "ow's'at", "a", "one,two", "no!", "5.",
]  # fmt: skip


def write(name, value):
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, ensure_ascii=False, indent=1)
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")


def sentence(random):
    def thing():
        return ["a", random.choice(COLOURS), random.choice(OBJECTS)]

    words = thing()
    for _ in range(random.randrange(3)):
        words += random.choice([["and"], random.choice(PLACES).split()]) + thing()
    return words


def disturbed(random, words):
    """Some words fewer, doubled or exchanged; now and then something else altogether."""
    if random.random() < 0.1:
        return random.choice([[], ["a"], ["zebra", "crossing"], sentence(random)])
    result = []
    for word in words:
        result += random.choices([[word], [], [word, word], [random.choice(OBJECTS)]], [12, 1, 1, 1])[0]
    return result


def corpus(random, pictures, references, longest):
    """`longest`: generated captions are cut there; short ones are what BLEU's length penalty is for."""
    sets = []
    for _ in range(pictures):
        words = sentence(random)
        given = [words] + [disturbed(random, words) or words for _ in range(random.randint(*references) - 1)]
        random.shuffle(given)
        sets.append((" ".join(disturbed(random, words)[:longest]), [" ".join(text) for text in given]))
    hypotheses = {index: [caption] for index, (caption, _) in enumerate(sets)}
    truths = {index: given for index, (_, given) in enumerate(sets)}
    bleu, _ = Bleu(4).compute_score(truths, hypotheses, verbose=0)
    cider, each = Cider().compute_score(truths, hypotheses)
    return {
        "captions": [{"caption": caption, "references": given} for caption, given in sets],
        "bleu": [float(value) for value in bleu],
        "cider": float(cider),
        "cider_each": [float(value) for value in each],
    }


def captions():
    seeded = random.Random(1)
    shapes = [(50, (1, 5), 99), (12, (1, 1), 99), (8, (5, 5), 7), (1, (3, 3), 99)]
    return [corpus(seeded, *shape) for shape in shapes]


def tokens():
    tokenized = PTBTokenizer().tokenize({index: [{"caption": text}] for index, text in enumerate(TEXTS)})
    return [{"text": text, "tokens": tokenized[index][0].split()} for index, text in enumerate(TEXTS)]


class Questions:
    """What the official evaluation asks of its data classes, for one question."""

    def __init__(self, entry):
        self.qa = {0: entry}

    def getQuesIds(self):
        return [0]


def answers(script):
    source = re.sub(r'print "(.*?)"', r'print("\1")', Path(script).read_text(encoding="utf-8"))
    module = {"__name__": "vqaEval"}
    exec(compile(source, script, "exec"), module)
    seeded = random.Random(2)
    evaluation = module["VQAEval"](Questions({}), Questions({}), n=14)
    evaluation.updateProgress = lambda _: None
    normalized = [
        {"text": text, "normalized": evaluation.processDigitArticle(evaluation.processPunctuation(text.strip()))}
        for text in ANSWERS
    ]
    cases = [("2", ["two"] * 10), ("Yes", ["yes"] * 10), (" Yes", ["Yes"] * 10), ("2", ["two"] * 9 + ["Two"])]
    for _ in range(36):
        pool = seeded.sample(ANSWERS, seeded.randint(1, 4))
        cases.append((seeded.choice(pool + ANSWERS[:2]), [seeded.choice(pool) for _ in range(10)]))
    judged = []
    for answer, given in cases:
        entry = {"answers": [{"answer": text, "answer_id": index} for index, text in enumerate(given)]}
        entry |= {"question_type": "what", "answer_type": "other"}
        one = module["VQAEval"](Questions(entry), Questions({"answer": answer}), n=14)
        one.updateProgress = lambda _: None
        one.evaluate()
        judged.append({"answer": answer, "given": given, "accuracy": one.accuracy["overall"] / 100})
    return {"normalized": normalized, "judged": judged}


def main():
    write("captions.json", captions())
    write("tokens.json", tokens())
    if len(sys.argv) > 1:
        write("answers.json", answers(sys.argv[1]))


if __name__ == "__main__":
    main()
