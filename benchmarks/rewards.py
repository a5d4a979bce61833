"""What rewards teach beside right answers: GRPO, rejection sampling, DPO and SFT from one model.

    python benchmarks/rewards.py MODEL [--seeds 0 1 2] [--early 150] [--steps 60] [--json FILE]

MODEL is the folder of a finished `minillm demo`. Each seed begins with an sft run that is stopped
early, and goes on from there in four ways:

    grpo       `--steps` steps of 64 answers, groups of 8
    rejection  as many answers to the same number of questions, all written by the first model; sft
               on those that are right, on as many answers as grpo reads (arXiv:2308.01825)
    dpo        pairs of a right and a wrong answer, 32 of them a step
    pairs      sft on the right answers of the same pairs, as many steps of as many questions

Accuracy is that of the most probable answers to held-out questions; the share of right samples and
pass@8 are at temperature 1; forgetting is the loss on held-out stories, in nats a story. One JSON
object; each run is added when it is done.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from minillm import load, training, tuning
from minillm.config import GenerateConfig, TrainConfig, TuneConfig
from minillm.loading import twin_package
from minillm.text.dataset import open_dataset
from minillm.tuning.compared import PAIRS
from minillm.tuning.conversations import Conversation

NEW_TOKENS, TIMES, ANSWERS = 32, 8, 64
EARLY = TrainConfig(context=176, batch_size=8, optimizer="muon", learning_rate=2e-3,
                    muon_learning_rate=0.01, weight_decay=0.0, warmup_steps=20, eval_every=200,
                    eval_rows=32, save_every=1000)
GRPO = replace(EARLY, optimizer="adamw", learning_rate=5e-4, batch_size=ANSWERS)
SFT = replace(EARLY, optimizer="adamw", learning_rate=5e-4)
WAYS = ("grpo", "rejection", "dpo", "pairs")


def measured(folder, task, options) -> dict:
    """Accuracy, share of right samples, pass@8 and nats a story of the model in a folder."""
    model = tuning.with_template(load(folder))
    examples = task.some("validation", options.questions)
    greedy = GenerateConfig(max_new_tokens=NEW_TOKENS, temperature=0)
    first, _ = tuning.graded(model, examples, task.reward, greedy, "jax")
    learned, _ = tuning.graded(model, task.some("train", options.questions), task.reward, greedy,
                               "jax")
    drawn, _ = tuning.graded(model, examples[: options.questions // 4], task.reward,
                             GenerateConfig(max_new_tokens=NEW_TOKENS), "jax", TIMES)
    stories = training.held_out(open_dataset(Path(options.model) / "data"),
                                model.config.max_position_embeddings, options.stories)
    losses = training.evaluate(twin_package("jax"), model.on("jax").params, model.config, stories,
                               16)
    return {"accuracy": float(first.mean()), "questions": len(examples),
            "train_accuracy": float(learned.mean()),
            "samples_right": float(drawn.mean()), "pass_at_8": float(drawn.max(axis=1).mean()),
            "nats_per_story": losses["nats_per_document"]}


def tuned(folder, start, task, method: str, train: TrainConfig, options, talks=None,
          answers: int = ANSWERS) -> dict:
    """Tune the model in `start` and measure the result; of `talks`, so many `answers` a step, where
    they are given instead of the task's examples."""
    train = replace(train, cpu_devices=options.cpu_devices)
    model = tuning.with_template(load(start))
    tune = TuneConfig(method=method, beta=options.beta if method == "grpo" else 0.1)
    tuning.ready(train, "jax")
    if talks is None:
        data = tuning.read_data(task.name, model, train.context, options.examples, train.seed,
                                options.difficulty)
    else:
        data = tuning.of_conversations(
            task.name, model, train.context, talks, task.conversations("validation", 64))
        rows = answers * len(data.train.tokens_RT) / data.train.conversations
        train = replace(train, batch_size=max(1, round(rows)))
    began = time.perf_counter()
    tuning.run(folder, model, train, tune, data, keep="last")
    seconds = time.perf_counter() - began
    log = training.read_metrics(Path(folder) / training.METRICS)
    curve = [round(record["reward"], 3) for record in log if "reward" in record]
    return {**measured(folder, task, options), "steps": train.steps, "seconds": seconds,
            **({"rewards": curve} if curve else {})}


def own_right_answers(start, task, answers: int, seed: int) -> list[Conversation]:
    """Of so many sampled answers, eight to a question, those that are right."""
    model = tuning.with_template(load(start))
    examples = task.some("train", answers // TIMES, seed + 1)
    asked = tuning.prompts(model, [e.question for e in examples for _ in range(TIMES)], NEW_TOKENS)
    written = tuning.texts(model, tuning.write(
        model, asked, GenerateConfig(max_new_tokens=NEW_TOKENS, seed=seed), "jax"))
    return [Conversation([example.messages[0], {"role": "assistant", "content": answer.strip()}],
                         example.question)
            for example, answer in zip(np.repeat(examples, TIMES), written)
            if task.reward(example.question, answer)]


def of_seed(seed: int, task, options, add):
    """The runs of one seed; `add(name, result)` takes each."""
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        early = replace(EARLY, steps=options.early, seed=seed)
        add("early", tuned(start, options.model, task, "sft", early, options))
        train = replace(SFT, steps=options.steps, seed=seed)
        for way in options.ways:
            out = Path(folder) / way
            if way == "grpo":
                one = tuned(out, start, task, way, replace(GRPO, steps=options.steps, seed=seed),
                            options)
            elif way == "rejection":
                began = time.perf_counter()
                talks = own_right_answers(start, task, options.steps * ANSWERS, seed)
                seconds = time.perf_counter() - began
                one = tuned(out, start, task, "sft", train, options, talks)
                one |= {"seconds": one["seconds"] + seconds, "right_answers": len(talks)}
            elif way == "dpo":
                pairs = replace(GRPO, learning_rate=1e-4, steps=options.steps, seed=seed)
                one = tuned(out, start, task, way, pairs, options)
            else:
                talks = task.conversations("train", PAIRS, seed)
                one = tuned(out, start, task, "sft", train, options, talks, ANSWERS // 2)
            add(way, one)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("model")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--early", type=int, default=150, help="steps of the first sft run")
    options.add_argument("--steps", type=int, default=60, help="of each way after it")
    options.add_argument("--task", default="sums", choices=tuning.TASKS)
    options.add_argument("--difficulty", type=int, default=1, help="digits of the numbers of sums")
    options.add_argument("--beta", type=float, default=0.02, help="of grpo")
    options.add_argument("--examples", type=int, default=20_000)
    options.add_argument("--questions", type=int, default=400)
    options.add_argument("--stories", type=int, default=64)
    options.add_argument("--cpu-devices", type=int, default=2, help="1 where one core is free")
    options.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    options.add_argument("--json")
    options = options.parse_args()
    task = tuning.task_of(options.task, options.difficulty)
    results = {"setting": {name: getattr(options, name) for name in
                           ("task", "difficulty", "early", "steps", "beta", "examples", "questions",
                            "stories")},
               "runs": {}}
    if options.json and Path(options.json).exists():
        results["runs"] = json.loads(Path(options.json).read_text(encoding="utf-8"))["runs"]

    def add(name, one):
        results["runs"][name] = one
        print(f"{name}: {one['accuracy']:.1%} right (of train "
              f"{one['train_accuracy']:.1%}), samples {one['samples_right']:.1%}, pass@8 "
              f"{one['pass_at_8']:.1%}, {one['nats_per_story']:.1f} nats a story, "
              f"{one['seconds']:.0f} s", flush=True)
        if options.json:
            Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")

    for seed in options.seeds:
        of_seed(seed, task, options, lambda name, one, seed=seed: add(f"{name}/{seed}", one))


if __name__ == "__main__":
    main()
