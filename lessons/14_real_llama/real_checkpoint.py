"""Makes real_checkpoint.json: llama2.c's stories260K, read rightly and wrongly, beside transformers.

    python lessons/14_real_llama/real_checkpoint.py stories260K.bin        (its tokenizer, tok512.bin, beside it)

The file is Andrej Karpathy's, 1 MB, trained on TinyStories: https://huggingface.co/karpathy/tinyllamas, folder stories260K. It is
not part of this repository; what was measured on it is.
"""

import hashlib
import json
import sys
from pathlib import Path

import readings

import minillm
from minillm.formats.describe import describe


def main(path):
    model = minillm.load(path)
    ids = [*model.begin, *model.tokenizer.encode(readings.TEXT)]
    found = readings.look(model, readings.PROMPT, [ids], 40, print)
    results = {"name": Path(path).stem, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(), "prompt": readings.PROMPT,
               "what": readings.what_it_is(describe(path)), "found": found}
    out = Path(__file__).with_name("real_checkpoint.json")
    out.write_text(json.dumps(rounded(results), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(out)


def rounded(value):
    """Numbers to four digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main(sys.argv[1])
