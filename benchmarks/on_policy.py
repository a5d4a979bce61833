"""On-policy distillation of a student that can already write: what helps, and what collapses.

    minillm pretrain storyworld --context 176 --batch-size 8 --steps 3000 --out runs/nano
    python benchmarks/on_policy.py runs/nano --json FILE [--seeds 3] [--minutes 10]

A student (2 layers of 64) learns the soft targets of the teacher for SOFT steps. Every arm goes on
from there for the same number of operations, in all of its STEPS or a few less: more soft targets,
reverse KL on text, and on-policy (half of the dispatches on what the student writes) by
KL(student || teacher), JSD(1/2) and KL(teacher || student), at a fifth of the first rates; and
on-policy at the first rates themselves.

Measured: held-out nats a story (HELD_OUT stories); of WRITTEN stories at temperature 1 the share
that is possible, how many of those differ, and their exact mean -log p under the grammar; `own`,
the mean nats that the student gives to its own texts, its entropy (a teacher's is near the floor,
a collapsed student's far below); and how its first texts begin. Each result is saved when it is
there, and not made again.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import minillm
from minillm import distillation, in_jax, training
from minillm.architecture.llama import count, init
from minillm.architecture.tree import tree_map
from minillm.config import IGNORE, DistillConfig, GenerateConfig, TrainConfig, preset
from minillm.in_jax.sharding import use_cpu_devices
from minillm.loading import keep_compiled
from minillm.text import storyworld
from minillm.text.dataset import open_dataset

SOFT, STEPS, WRITTEN, HELD_OUT = 1000, 300, 512, 128
FIRST = TrainConfig(steps=SOFT, batch_size=8, context=176, warmup_steps=20, cpu_devices=1,
                    eval_every=10_000, save_every=10_000)
LOW = replace(FIRST, steps=STEPS, learning_rate=1.2e-3, muon_learning_rate=4e-3)
ON_POLICY = DistillConfig(objective="on-policy")
ARMS = {                                                    # name: (how it learns, at which rates)
    "soft": (DistillConfig(), LOW),
    "on-policy": (ON_POLICY, LOW),
    "on-policy, first rates": (ON_POLICY, replace(FIRST, steps=STEPS)),
    "on-policy, JSD": (replace(ON_POLICY, jsd_beta=0.5), LOW),
    "reverse": (DistillConfig(objective="reverse"), LOW),
    "on-policy, forward": (replace(ON_POLICY, jsd_beta=0.0), LOW),
    "on-policy, always": (replace(ON_POLICY, student_share=1.0), LOW)}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("teacher", help="a run of minillm pretrain storyworld, with its data")
    options.add_argument("--json", required=True, help="add the results to this file")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--work", default="runs/on_policy", help="folder of the soft students")
    options.add_argument("--minutes", type=float, default=1e9, help="begin nothing after this long")
    options = options.parse_args()
    keep_compiled()
    use_cpu_devices(1)
    bench = Bench(options)
    for seed in range(options.seeds):
        for arm in ("start", *ARMS):
            bench.run(arm, seed)


class Bench:
    """The teacher, its text, the soft students, and the file of results."""

    def __init__(self, options):
        self.path, self.work = Path(options.json), Path(options.work)
        self.until = time.time() + 60 * options.minutes
        self.teacher = minillm.load(options.teacher)
        self.dataset = open_dataset(Path(options.teacher) / "data")
        marks = {name: getattr(self.teacher.config, name) for name in
                 ("vocab_size", "bos_token_id", "eos_token_id")}
        self.config = preset(2, context=FIRST.context, **marks, **storyworld.RECIPE)
        self.rows = training.held_out(self.dataset, FIRST.context, HELD_OUT)
        self.results = {"setting": {
            "student_parameters": count(self.config), "soft_steps": SOFT, "steps": STEPS,
            "teacher_parameters": count(self.teacher.config), "written": WRITTEN,
            "floor": self.rows.floor_nats / self.rows.documents}, "runs": {}}
        if self.path.exists():
            self.results = json.loads(self.path.read_text(encoding="utf-8"))
        if "teacher" not in self.results["runs"]:
            self.save("teacher", self.teacher.params, self.teacher.config)

    def run(self, arm: str, seed: int):
        """One run, unless it is there or the time is over."""
        if f"{arm}/{seed}" in self.results["runs"] or time.time() > self.until:
            return
        folder, began = self.work / str(seed), time.time()
        if arm == "start":
            how, train = DistillConfig(), replace(FIRST, seed=seed)
            first = init(self.config, np.random.default_rng(seed))
        else:
            how, train = ARMS[arm]
            train = replace(train, seed=seed + 100, steps=self.steps(how))
            first = minillm.load(folder).params
        take = distillation.steps_of(in_jax, self.teacher, self.dataset, self.config, train, how)
        begin = in_jax.init_state(first)
        for _, state, _ in training.steps(in_jax, begin, self.dataset, self.config, train, take):
            pass
        params = tree_map(np.asarray, state["params"])
        if arm == "start":
            replace(self.teacher, config=self.config, params=params).save(folder)
        self.save(f"{arm}/{seed}", params, self.config, steps=train.steps,
                  seconds=time.time() - began)

    def steps(self, how: DistillConfig) -> int:
        """Steps for the operations of STEPS soft ones: a token costs 6 a parameter to learn from,
        2 to ask the teacher, 2 to write."""
        asked = 6 * count(self.config) + 2 * count(self.teacher.config)
        share = how.student_share if how.objective == "on-policy" else 0
        return round(STEPS * asked / (asked + share * 2 * count(self.config)))

    def save(self, name: str, params, config, **about):
        result = measure(params, config, self.teacher.tokenizer, self.rows) | about
        self.results["runs"][name] = result
        text = json.dumps(self.results, indent=1, ensure_ascii=False) + "\n"
        self.path.write_text(text, encoding="utf-8")
        print(name, {k: v for k, v in result.items() if k != "texts"}, flush=True)


def measure(params, config, tokenizer, rows) -> dict:
    """What a model is worth as a writer of stories, and its held-out loss."""
    coins_NB = np.random.default_rng(7).random((FIRST.context - 1, WRITTEN), np.float32)
    first_B = np.full(WRITTEN, config.bos_token_id, np.int32)
    settled = in_jax.to_device(params)
    tokens_BN = np.asarray(in_jax.write_rows(settled, first_B, coins_NB, config, GenerateConfig()))
    lengths, possible, exact = [], [], []
    for row in tokens_BN:
        ends = np.flatnonzero(np.isin(row, config.end_tokens))
        lengths.append(ends[0] + 1 if len(ends) else len(row))
        text = tokenizer.decode(row[: ends[0] if len(ends) else None].tolist())
        try:
            log_p = storyworld.parse(text).log_probability if len(ends) else None
        except ValueError:
            log_p = None
        if log_p is not None:
            possible.append(text)
            exact.append(-log_p)
    read_BN = np.concatenate([first_B[:, None], tokens_BN[:, :-1]], axis=1).astype(np.int32)
    inside_BN = np.arange(tokens_BN.shape[1]) < np.array(lengths)[:, None]
    targets_BN = np.where(inside_BN, tokens_BN, IGNORE).astype(np.int32)
    own_N, _ = training.row_nats(in_jax, params, config, read_BN, targets_BN, 16)
    return {"nats": training.evaluate(in_jax, params, config, rows, 16)["nats_per_document"],
            "possible": len(possible) / WRITTEN, "distinct": len(set(possible)),
            "exact": float(np.mean(exact)) if exact else None, "own": float(own_N.mean()),
            "length": float(np.mean(lengths)),
            "texts": [" ".join(tokenizer.decode(row[:60].tolist()).split())
                      for row in tokens_BN[:3]]}


if __name__ == "__main__":
    main()
