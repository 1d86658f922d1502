"""Runs the reference's `generate` and reports ids, text and score; checks that the ids are no coin toss."""

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from .record import rounded

# Case -> what is given to `generate` beside the picture. `max_new_tokens` is the reference's default, 20.
# `min_length` counts every id, [DEC] and the prompt included, as the reference does.
OPTIONS = {
    "greedy": {},
    "beam3": {"num_beams": 3},
    "beam3_length_penalty_2": {"num_beams": 3, "length_penalty": 2.0},
    "beam3_length_penalty_0": {"num_beams": 3, "length_penalty": 0.0},
    "beam3_early_stopping": {"num_beams": 3, "early_stopping": True},
    "beam4_min_length_8": {"num_beams": 4, "min_length": 8},
    "greedy_min_length_8": {"min_length": 8},
    "greedy_max_new_tokens_3": {"max_new_tokens": 3},
    "beam3_max_new_tokens_5": {"num_beams": 3, "max_new_tokens": 5},
    "greedy_repetition_1.3": {"repetition_penalty": 1.3},
    "beam3_repetition_1.3": {"num_beams": 3, "repetition_penalty": 1.3},
    "greedy_no_repeat_1": {"no_repeat_ngram_size": 1},
    "greedy_no_repeat_2": {"no_repeat_ngram_size": 2},
    "beam3_no_repeat_2": {"num_beams": 3, "no_repeat_ngram_size": 2},
    "beam3_no_repeat_3": {"num_beams": 3, "no_repeat_ngram_size": 3, "repetition_penalty": 1.1},
}


NOISES = 4  # how many times each case is run with noise


def less():
    """At full size a call takes seconds: fewer cases, fewer repetitions."""
    global NOISES
    NOISES = 1
    for name in set(OPTIONS) - {"greedy", "beam3", "beam3_early_stopping", "greedy_repetition_1.3"}:
        del OPTIONS[name]


class Noise(LogitsProcessor):
    """Adds a little to every score: ids that change under it hang on rounding, and would test nothing."""

    def __init__(self, seed, size=1e-3):
        self.generator, self.size = torch.Generator().manual_seed(seed), size

    def __call__(self, input_ids, scores):
        return scores + self.size * torch.randn(scores.shape, generator=self.generator)


def strip(ids, separator):
    """The ids up to the first [SEP], which is kept; the reference pads finished beams after it."""
    ids = [int(value) for value in ids]
    return ids[: ids.index(separator) + 1] if separator in ids else ids


def case(generate, decoder, preparation, separator, options):
    """One call of `generate` (a function of keyword arguments) as {"ids", "score", "text", "stable"}, for
    beams with "others": {"ids", "score"} of the other texts that the search finished, best first.

    score: for beams `sequences_scores`, the sum of log-probabilities divided by (number of generated tokens
    ** length_penalty); for greedy the mean log-probability of the generated tokens under the scores that
    the choice was made from, after the processors (repetition penalty, minimum length).
    stable: no id changes when noise of 0.001 is added to every score of every step, for `NOISES` seeds.
    """
    output = generate(return_dict_in_generate=True, output_scores=True, **options)
    ids = strip(output.sequences[0], separator)
    if options.get("num_beams", 1) > 1:
        score = output.sequences_scores[0]
    else:
        steps = decoder.compute_transition_scores(output.sequences, output.scores, normalize_logits=True)[0]
        generated = len(ids) - (output.sequences.shape[1] - len(output.scores))
        score = steps[:generated].mean()
    noisy = [generate(logits_processor=LogitsProcessorList([Noise(seed)]), **options)[0] for seed in range(NOISES)]
    found = {
        "ids": ids,
        "score": rounded(score),
        "text": preparation.text(ids),
        "stable": all(strip(other, separator) == ids for other in noisy),
    }
    if "num_beams" in options:
        found["others"] = others(generate, separator, options)
    return found


def others(generate, separator, options):
    """All finished texts of a beam search but the best. Those that never ended have a score of -1e9."""
    output = generate(return_dict_in_generate=True, output_scores=True, num_return_sequences=options["num_beams"], **options)
    rows = zip(output.sequences, output.sequences_scores)
    return [{"ids": strip(ids, separator), "score": rounded(score)} for ids, score in rows if score > -1e8][1:]
