"""A text encoder of sentence-transformers in the space of another model, and what sentence-transformers computes of it.

It stands for clip-ViT-B-32-multilingual-v1: a DistilBERT, its mean, and a projection. The teacher is `clip-quick`: the
projection is solved for, so that a text in English and the same in German get the teacher's vector of the English one.

Made with sentence-transformers 6.2.0, transformers 5.24.0 and torch 2.9.0.
"""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

PAIRS = {
    "a photo of a cat": "ein Foto einer Katze",
    "a hut under a yellow sun": "eine Hütte unter einer gelben Sonne",
    "stripes in blue and orange": "Streifen in Blau und Orange",
    "grey letters": "graue Buchstaben",
    "the sea at night": "das Meer bei Nacht",
}
PROBE = "a photo of the sea at night"  # by which albums tell models apart
MORE = ["Ein FOTO, einer Katze!", "a photo of a cat that sits on " + "the sea and " * 12]  # cut
LENGTH = 20
WIDTH, HIDDEN, POSITIONS = 32, 48, 32


def words():
    """A cased vocabulary of the words above and of letters."""
    texts = [PROBE, *PAIRS, *PAIRS.values()]
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    known += sorted({word for text in texts for word in text.replace(",", " ").split()})
    letters = sorted({letter for text in texts for letter in text if letter.isalpha()})
    return known + [piece for letter in letters for piece in (letter, f"##{letter}") if piece not in known]


def seeded(name, tensor):
    random = np.random.Generator(np.random.PCG64([41, zlib.crc32(name.encode())]))
    noise = torch.from_numpy(random.standard_normal(tensor.shape, dtype=np.float32))
    if "norm" in name.lower():
        return 1 + 0.1 * noise if name.endswith("weight") else 0.1 * noise
    if name.endswith("bias"):
        return 0.1 * noise
    if "embedding" in name:
        return (0.5 if "position" in name else 1.0) * noise
    return 1.2 * noise / tensor.shape[1] ** 0.5


@torch.no_grad()
def teacher_vectors(folder: Path, texts):
    import transformers
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rows = [tokenizer([text], return_tensors="pt") for text in texts]
    return torch.cat([model.get_text_features(input_ids=row["input_ids"]).pooler_output for row in rows])


@torch.no_grad()
def make(out: Path, teacher: Path):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules.dense import Dense
    from sentence_transformers.base.modules.transformer import Transformer
    from sentence_transformers.sentence_transformer.modules.pooling import Pooling
    from transformers import BertTokenizer, DistilBertConfig, DistilBertModel

    start, folder = out / "start", out / "model"
    shutil.rmtree(out, ignore_errors=True)
    start.mkdir(parents=True)
    (start / "vocab.txt").write_text("\n".join(words()) + "\n")
    BertTokenizer.from_pretrained(start, do_lower_case=False).save_pretrained(start)
    config = DistilBertConfig(vocab_size=len(words()), dim=WIDTH, n_layers=2, n_heads=4, hidden_dim=HIDDEN,
                              max_position_embeddings=POSITIONS)
    model = DistilBertModel(config).eval()
    for name, parameter in model.named_parameters():
        parameter.copy_(seeded(name, parameter))
    model.save_pretrained(start)
    encoder = Transformer(str(start), max_seq_length=LENGTH)
    pooled = SentenceTransformer(modules=[encoder, Pooling(WIDTH)], device="cpu")
    lessons = [(PROBE, PROBE)] + [pair for english, german in PAIRS.items() for pair in ((english, english), (german, english))]
    states = pooled.encode([text for text, _ in lessons], convert_to_tensor=True, batch_size=1)
    wanted = teacher_vectors(teacher, [english for _, english in lessons])
    matrix = torch.linalg.lstsq(states.double(), wanted.double(), driver="gelsd").solution.T.float()
    dense = Dense(WIDTH, wanted.shape[1], bias=False, activation_function=torch.nn.Identity(), init_weight=matrix.contiguous())
    whole = SentenceTransformer(modules=[encoder, Pooling(WIDTH), dense], device="cpu")
    whole.save(str(folder), create_model_card=False)
    shutil.rmtree(start)
    for one in (folder / "tokenizer_config.json", folder / "config.json"):
        settings = json.loads(one.read_text())
        one.write_text(json.dumps({key: value for key, value in settings.items() if not key.startswith("_")}, indent=2) + "\n")
    whole = SentenceTransformer(str(folder), device="cpu")
    texts = [PROBE, *PAIRS, *PAIRS.values(), *MORE]
    vectors = whole.encode(texts, batch_size=1)
    ids = [whole.preprocess([text])["input_ids"][0].tolist() for text in texts]
    import sentence_transformers
    import transformers
    expected = {
        "tool": f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}",
        "pairs": PAIRS, "texts": texts, "ids": ids,
        "vectors": [[float(f"{value:.8g}") for value in vector] for vector in vectors],
    }
    (out / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
