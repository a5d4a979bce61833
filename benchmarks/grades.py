"""Four ways to learn from grades, from the same first model at equal compute, many seeds.

    python benchmarks/grades.py [--seeds 5] [--steps 300] [--json FILE]

The model, its questions and its first training are those of lesson 17's demo: single digits are
added, and what cannot be known is to be called so. Every way reads `--steps` x 140 answers:

    grpo       140 answers of the model as it is at that step, in groups of 10
    rejection  as many of the first model's answers are sampled and graded, then sft on those that
               are right (arXiv:2308.01825)
    dpo        of the same samples, pairs of a right and a wrong answer to one question
    pairs      sft on the right answers of these pairs, as many as dpo reads of them

Right is exact: the probability of the right answer, the mean over all 140 questions. KL is that of
the questions' answers from the first model, in nats. One core; about a minute a seed.
"""

import argparse
import importlib.util
import json
import time
from pathlib import Path

import numpy as np

from minillm.cli.bench import machine
from minillm.config import TrainConfig, TuneConfig

LESSON = Path(__file__).parents[1] / "lessons" / "17_rewards" / "demo.py"
RESULTS = Path(__file__).parent / "results" / "grades.json"
BETA = 0.1  # of dpo
WAYS = {"grpo": 1.5e-3, "rejection": 1.5e-3, "dpo": 5e-4, "pairs": 1.5e-3}  # and their rates


def lesson():
    """Lesson 17's demo, as a module."""
    spec = importlib.util.spec_from_file_location("rewards_demo", LESSON)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def graded(demo, params, config, count: int, rng):
    """`count` answers of a model to random questions: (questions, answers, which are right)."""
    from minillm.in_jax import generate_batch
    everything, asked, answers = demo.questions(), [], []
    while len(asked) < count:
        some = everything[rng.integers(len(everything), size=len(everything))]
        asked += list(some)
        answers += demo.write(generate_batch, params, config, some, 1, rng)
    asked, answers = np.array(asked[:count]), answers[:count]
    return asked, answers, np.array([demo.truth(*one) for one in zip(asked, answers)], bool)


def pairs_of(asked, answers, right, rng) -> list[tuple[int, int]]:
    """(index of a right answer, index of a wrong one to the same question), each answer once."""
    pairs, by_question = [], {}
    for i, question in enumerate(asked):
        by_question.setdefault(tuple(question), ([], []))[not right[i]].append(i)
    for good, bad in by_question.values():
        pairs += zip(rng.permutation(good), rng.permutation(bad))
    return pairs


def learned(demo, way: str, first, config, steps: int, seed: int):
    """The parameters after so many steps of one way."""
    from minillm.in_jax import to_device
    from minillm.in_jax.preference import compare_step, read_log_p
    from minillm.in_jax.train import init_state, train_step

    size, rng = demo.QUESTIONS * demo.GROUP, np.random.default_rng([seed, 7])
    train = TrainConfig(steps=steps, batch_size=size, context=demo.ASKED + demo.ROOM,
                        optimizer="adamw", learning_rate=WAYS[way], warmup_steps=10,
                        weight_decay=0.0, cpu_devices=1)
    state, reference = init_state(to_device(first)), to_device(first)
    asked, answers, right = graded(demo, reference, config, steps * size, rng)
    pairs = pairs_of(asked, answers, right, rng)
    good = {"rejection": np.flatnonzero(right), "pairs": np.array([i for i, _ in pairs])}
    for _ in range(steps):
        if way in good:
            chosen = rng.choice(good[way], size if way == "rejection" else size // 2)
            batch = demo.rows(asked[chosen], [answers[i] for i in chosen])
            state, _ = train_step(state, *batch, config, train)
            continue
        chosen = np.array(pairs)[rng.integers(len(pairs), size=size // 2)].reshape(-1)
        tokens_BT, targets_BT = demo.rows(asked[chosen], [answers[i] for i in chosen])
        batch = {"tokens_BT": tokens_BT, "targets_BT": targets_BT,
                 "reference_BT": read_log_p(reference, tokens_BT, targets_BT, config)}
        state, _ = compare_step(state, batch, config, train, TuneConfig(method="dpo", beta=BETA))
    return state["params"]


def measured(demo, params, first, config, seed: int) -> dict:
    """Right answers, pass@8, KL from the first model, right most probable answers."""
    from minillm.in_jax import generate_batch, to_device
    found = demo.looked(params, to_device(first), config, seed)
    greedy = demo.write(generate_batch, params, config, demo.questions(), 0,
                        np.random.default_rng(0))
    right = [demo.truth(*one) for one in zip(demo.questions(), greedy)]
    return {"right": found["truth"], "greedy": float(np.mean(right)), "pass_at_8": found["pass8"],
            "kl": found["kl"]}


def means(runs: dict) -> dict:
    """{way: {what: mean over the seeds}}."""
    ways = {name.split("/")[0]: [] for name in runs}
    for name, run in runs.items():
        ways[name.split("/")[0]].append(run)
    return {way: {what: float(np.mean([run[what] for run in some])) for what in some[0]}
            for way, some in ways.items()}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--steps", type=int, default=300)
    options.add_argument("--json", type=Path, default=RESULTS)
    options = options.parse_args()
    from minillm.in_jax.sharding import use_cpu_devices
    use_cpu_devices(1)
    demo, results = lesson(), {"machine": machine(), "steps": options.steps, "beta": BETA,
                               "rates": WAYS, "runs": {}}
    demo.STEPS = options.steps
    demo.EVERY = options.steps
    for seed in range(options.seeds):
        first, config = demo.first_model(seed)
        results["runs"][f"first/{seed}"] = measured(demo, first, first, config, seed)
        for way in WAYS:
            began = time.perf_counter()
            params = (demo.rewarded(first, config, "truth", 0.0, seed)[1] if way == "grpo" else
                      learned(demo, way, first, config, options.steps, seed))
            seconds = time.perf_counter() - began
            results["runs"][f"{way}/{seed}"] = measured(demo, params, first, config, seed) | {
                "seconds": seconds}
        for name, one in results["runs"].items():
            if name.endswith(f"/{seed}"):
                print(name, ", ".join(f"{what} {value:.3f}" for what, value in one.items()),
                      flush=True)
        results["means"] = means(results["runs"])
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
