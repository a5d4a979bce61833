"""Makes real_checkpoint.json: a llama2.c checkpoint read with the right layout and with the other one.

    python lessons/04_positions/real_checkpoint.py stories260K.bin        (its tokenizer, tok512.bin, beside it)

The file is Andrej Karpathy's, 1 MB, trained on TinyStories: https://huggingface.co/karpathy/tinyllamas, folder stories260K.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from demo import into_halves, reordered

import minillm
from minillm.architecture.llama import count

PROMPT, TOKENS = "Once upon a time, there was a little girl named Lily.", 60
TEXT = ("One day, a boy named Tim went to the park with his mom. He saw a big dog and was scared. His mom said, \"The dog is nice. "
        "You can pet him.\" Tim put out his hand and the dog licked it. Tim was happy.")         # written for this lesson


def main(path):
    model = minillm.load(path)
    back = np.argsort(into_halves(model.config.head_dim))          # load() made halves: so the file's own order comes back
    as_filed = [reordered(layer, model.config, back) for layer in model.params["layers"]]
    found = {"name": Path(path).stem, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(), "parameters": count(model.config),
             "uniform": float(np.log(model.config.vocab_size)), "prompt": PROMPT}
    for name, layers in (("right", model.params["layers"]), ("wrong", as_filed)):
        read = minillm.loading.Model(model.config, model.params | {"layers": layers}, model.tokenizer, name, model.begin)
        text = "".join(read.generate(PROMPT, twin="numpy", max_new_tokens=TOKENS, temperature=0.0))
        found[name] = {"text": " ".join(text.split()), "loss": loss(read)}
    out = Path(__file__).with_name("real_checkpoint.json")
    out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(out.read_text(encoding="utf-8"))


def loss(model):
    """Nats per token of TEXT."""
    ids = np.array([*model.begin, *model.tokenizer.encode(TEXT)])
    logits = model.logits(ids[None, :-1])[0].astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(ids) - 1), ids[1:]]
    return round(float(np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen)), 4)


if __name__ == "__main__":
    main(sys.argv[1])
