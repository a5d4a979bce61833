"""Numbers of the story world: lengths, entropy, the distance of n-gram models from the floor, speed.

Run: python benchmarks/storyworld_stats.py [--megabytes 5] [--seed 0]
"""

import argparse
import itertools
import json
import math
import re
import time
from pathlib import Path

import numpy as np

from minillm.text import storyworld
from minillm.text.ngram import ngram_loss

HELD_OUT_STORIES = 1000


def tokens(text: str, ids: dict[str, int]) -> list[int]:
    """Ids of words, marks and paragraph breaks of a story, and of its end; new ones are added to `ids`."""
    pieces = re.findall(r"\n\n|[A-Za-z]+|[^\sA-Za-z]", text) + ["end of story"]
    return [ids.setdefault(piece, len(ids)) for piece in pieces]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=5, help="text for the n-gram models (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the corpus (default: 0)")
    parser.add_argument("--json", help="write the main figures here")
    arguments = parser.parse_args()

    started = time.perf_counter()
    train = storyworld.corpus(arguments.seed, "train", int(arguments.megabytes * 1e6))
    seconds = time.perf_counter() - started
    lengths = [len(text.split()) for text in train]
    n_bytes = sum(len(text.encode()) for text in train)
    words = {word.lower() for text in train for word in re.findall(r"[A-Za-z]+", text)}
    print(f"{len(train)} training stories, {n_bytes / 1e6:.2f} MB, {n_bytes / 1e6 / seconds:.1f} MB/s")
    print(f"words per story: mean {np.mean(lengths):.1f}, min {min(lengths)}, max {max(lengths)}; "
          f"bytes per story: mean {n_bytes / len(train):.1f}; different words: {len(words)}")

    floor = storyworld.entropy()
    estimate = storyworld.entropy_estimate(np.random.default_rng(arguments.seed), 5000)
    print(f"entropy, exact: {floor:.3f} nats per story, {floor / storyworld.mean_words():.4f} nats per word, "
          f"{floor / storyworld.mean_length() / math.log(2):.4f} bits per byte")
    print(f"entropy, estimated: {estimate.nats_per_story:.3f} nats per story "
          f"(s.e. {estimate.standard_error:.3f})")

    held_out = list(itertools.islice(storyworld.stories(arguments.seed + 1, "validation"), HELD_OUT_STORIES))
    ids = {}
    train_docs, held_out_docs = ([tokens(text, ids) for text in texts] for texts in (train, held_out))
    mean_tokens = np.mean([len(document) for document in held_out_docs])
    print(f"{len(ids)} kinds of token (words and marks), {mean_tokens:.1f} per story with its end")
    figures = {"entropy": floor, "entropy_per_word": floor / storyworld.mean_words(), "words_per_story": float(np.mean(lengths)),
               "different_words": len(words)}
    for order, name in enumerate(("unigram", "bigram", "trigram", "4-gram"), start=1):
        loss = ngram_loss(train_docs, held_out_docs, order, len(ids))
        figures[name] = loss
        print(f"{name:8} {loss:7.2f} nats per story, {loss / mean_tokens:.3f} nats per token, "
              f"{loss / floor:.3f} times the floor")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
