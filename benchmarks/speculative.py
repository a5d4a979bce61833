"""What drafts are worth: speculative decoding (arXiv:2211.17192) with each, beside plain decoding.

    python benchmarks/speculative.py MODEL DRAFT [DRAFT ...] --json FILE [--texts 8] [--twins jax]

MODEL is a run of minillm pretrain storyworld with its data; a text goes on from the first tokens of
a held-out story. Of each draft, by temperature and by how many tokens it is ahead: the share of
drafted tokens that is accepted, tokens for each pass of the model, tokens/s. Rounds are
interleaved, the first is left out (it compiles), and the median counts. Greedy texts must equal
the plain ones.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import minillm
from minillm.architecture.llama import count
from minillm.config import GenerateConfig
from minillm.loading import Draft, keep_compiled, twin_package
from minillm.text.dataset import open_dataset

AHEAD, TEMPERATURES, ROUNDS, PROMPT, TOKENS = (4, 8), (0.0, 1.0), 3, 8, 120


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("model")
    options.add_argument("drafts", nargs="+")
    options.add_argument("--json", required=True, help="write the figures here")
    options.add_argument("--texts", type=int, default=8, help="texts of a round")
    options.add_argument("--twins", nargs="+", default=("numpy", "jax"))
    options = options.parse_args()
    keep_compiled()
    model, data = minillm.load(options.model), open_dataset(Path(options.model) / "data")
    prompts = [data.validation[at : at + PROMPT].tolist() for at in data.validation_starts]
    drafts = {Path(path).name: minillm.load(path) for path in options.drafts}
    for draft in drafts.values():
        Draft(draft).check(model, "numpy")
    sizes = {name: count(draft.config) for name, draft in drafts.items()}
    results = {"model": count(model.config), "drafts": sizes, "plain": [], "rows": []}
    for twin in options.twins:
        for temperature in TEMPERATURES:
            plain, rows = compare(twin, temperature, model, drafts, prompts[: options.texts])
            about = {"twin": twin, "temperature": temperature}
            results["plain"].append(about | {"tokens_per_second": plain})
            results["rows"] += [about | row for row in rows]
            Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def compare(twin, temperature, model, drafts, prompts):
    """(tokens/s of plain decoding, a row for each draft and number of tokens ahead)."""
    model = model.on(twin)
    drafts = {name: draft.on(twin) for name, draft in drafts.items()}
    ways = [(None, 0), *((name, ahead) for name in drafts for ahead in AHEAD)]
    speeds, passes, texts = {way: [] for way in ways}, {way: [] for way in ways}, {}
    for round_ in range(ROUNDS):
        for way in ways:
            began = time.perf_counter()
            texts[way] = [list(text) for text in write(twin, way, temperature, model, drafts,
                                                       prompts, round_, passes[way])]
            tokens = sum(map(len, texts[way]))
            if round_:
                speeds[way].append(tokens / (time.perf_counter() - began))
    base, rows = statistics.median(speeds[None, 0]), []
    for name, ahead in ways[1:]:
        way = name, ahead
        per_pass, speed = statistics.mean(passes[way]), statistics.median(speeds[way])
        rows.append({"draft": name, "ahead": ahead, "accepted": per_pass / ahead,
                     "tokens_a_pass": 1 + per_pass, "tokens_per_second": speed,
                     "ratio": speed / base, "same_text": texts[way] == texts[None, 0]})
        print(twin, temperature, rows[-1], flush=True)
        assert temperature or rows[-1]["same_text"]
    return base, rows


def write(twin, way, temperature, model, drafts, prompts, round_, passes):
    """The texts of one round, one by one."""
    package, (name, ahead) = twin_package(twin), way
    for i, prompt in enumerate(prompts):
        how = GenerateConfig(TOKENS, temperature, seed=100 * round_ + i)
        ends = model.config.end_tokens
        if name is None:
            yield package.generate(model.params, prompt, model.config, how, ends)
        else:
            draft = drafts[name]
            yield package.speculate(model.params, draft.params, prompt, model.config, draft.config,
                                    how, ends, ahead, passes.append)


if __name__ == "__main__":
    main()
