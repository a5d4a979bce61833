"""What tuning teaches and what it costs: sums and the desk from a demo's model, whole and by LoRA.

    python benchmarks/tuning.py MODEL [--seeds 3] [--questions 400] [--json FILE]

MODEL is the folder of a finished `minillm demo`. For each task, method and seed: accuracy on
held-out questions before and after (by kind, too), the loss of the right answers, and the loss on
held-out stories before and after, in nats a story. GRPO begins with the sft run that was stopped
early. "replay25" is sft with a quarter of the rows from the stories of before. One JSON object;
each run is added when it is done, and one that FILE has is not run again.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

from minillm import load, training, tuning
from minillm.cli.bench import machine
from minillm.config import GenerateConfig, TrainConfig, TuneConfig
from minillm.loading import twin_package
from minillm.text.dataset import open_dataset

TRAIN = TrainConfig(context=176, batch_size=8, optimizer="muon", learning_rate=6e-3,
                    muon_learning_rate=0.02, weight_decay=0.0, warmup_steps=20, eval_every=500,
                    eval_rows=32, save_every=1000)
LORA = replace(TRAIN, optimizer="adamw", learning_rate=5e-3)
GRPO = replace(TRAIN, optimizer="adamw", learning_rate=3e-4, batch_size=64, eval_every=50)
METHODS = {"sft": TRAIN, "lora": LORA, "grpo": GRPO, "high": TRAIN}  # high: sums at desk's rates
REPLAY = {"replay10": 0.1, "replay25": 0.25, "replay50": 0.5}  # sft with so many rows of stories
# Sums are learned better at a third of the rates, which the desk (facts by heart) likes high.
GENTLE = {"learning_rate": 2e-3, "muon_learning_rate": 0.01}
STEPS = {"sums": {"sft": 6000, "lora": 6000, "early": 2000, "grpo": 300},
         "steps": {"sft": 1500, "high": 4500, "lora": 6000, "early": 500, "grpo": 100},
         "desk": {"sft": 300, "lora": 1500, "early": 100, "grpo": 75}}


def measured(path, task, questions: int, twin: str) -> dict:
    """Accuracy, loss of the answers, nats a story of the model in a folder."""
    model = tuning.with_template(load(path))
    examples = task.some("validation", questions)
    sampling = GenerateConfig(max_new_tokens=32, temperature=0)
    rewards, _ = tuning.graded(model, examples, task.reward, sampling, twin)
    kinds = sorted({example.kind for example in examples})
    return {"accuracy": float(rewards.mean()), "questions": len(examples),
            "by_kind": {kind: float(rewards[[e.kind == kind for e in examples]].mean())
                        for kind in kinds},
            "answer_loss": tuning.answer_loss(model, examples, twin)}


def stories(path, data, rows: int, twin: str) -> float:
    """Nats a story on held-out stories."""
    model = load(path)
    held_out = training.held_out(data, model.config.max_position_embeddings, rows)
    params = model.on(twin).params
    return training.evaluate(twin_package(twin), params, model.config, held_out,
                             16)["nats_per_document"]


def tuned(folder, start, task, method: str, train: TrainConfig, options) -> dict:
    """Tune and measure; what a run gave."""
    model = tuning.with_template(load(start))
    tune = TuneConfig(method="sft" if method in (*REPLAY, "high") else method)
    tuning.ready(train, options.twin)
    data = tuning.read_data(task.name, model, train.context, options.examples, train.seed)
    if method in REPLAY:
        data = tuning.with_replay(data, model, REPLAY[method], Path(options.model) / "data",
                                  train.seed)
    began = time.perf_counter()
    summary = tuning.run(folder, model, train, tune, data, twin=options.twin, keep="last")
    seconds = time.perf_counter() - began
    dataset = open_dataset(Path(options.model) / "data")
    return {**measured(folder, task, options.questions, options.twin), "steps": train.steps,
            "cpu_devices": train.cpu_devices, "seconds": seconds,
            "tokens_per_second": summary["tokens_per_second"],
            "nats_per_story": stories(folder, dataset, options.stories, options.twin)}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("model")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--examples", type=int, default=60_000)
    options.add_argument("--questions", type=int, default=400)
    options.add_argument("--stories", type=int, default=256)
    options.add_argument("--tasks", nargs="+", default=["sums", "steps", "desk"])
    options.add_argument("--methods", nargs="+", default=["sft", "lora", "grpo"])
    options.add_argument("--twin", default="jax")
    options.add_argument("--cpu-devices", type=int, default=2, help="1 where one core is free")
    options.add_argument("--json")
    options = options.parse_args()
    data = open_dataset(Path(options.model) / "data")
    results = {"machine": machine(), "runs": {}, "before": {
        "nats_per_story": stories(options.model, data, options.stories, options.twin)}}
    if options.json and Path(options.json).exists():
        results = json.loads(Path(options.json).read_text(encoding="utf-8"))
    for name in options.tasks:
        task = tuning.task_of(name)
        if name not in results["before"]:
            results["before"][name] = measured(options.model, task, options.questions, options.twin)
        for seed, method in product(range(options.seeds), options.methods):
            if f"{name}/{method}/{seed}" in results["runs"]:
                continue
            for run, one in of_method(task, method, seed, options).items():
                results["runs"][f"{name}/{run}/{seed}"] = one
                print(f"{name} {run} seed {seed}: {one['accuracy']:.1%} right, "
                      f"{one['nats_per_story']:.1f} nats a story, {one['seconds']:.0f} s", flush=True)
            if options.json:
                Path(options.json).write_text(json.dumps(results, indent=1) + "\n",
                                              encoding="utf-8")


def of_method(task, method: str, seed: int, options) -> dict:
    """{the method: what it gave}, or {"early", "grpo"}: an sft run that is stopped while it is
    often wrong, and what rewards made of it."""
    steps, runs = STEPS[task.name], {}
    with tempfile.TemporaryDirectory() as folder:
        start = options.model
        if method == "grpo":
            start = Path(folder) / "start"
            early = of_task(task, replace(TRAIN, steps=steps["early"], seed=seed), options)
            runs["early"] = tuned(start, options.model, task, "sft", early, options)
        usual = "sft" if method in REPLAY else method
        train = replace(METHODS[usual], steps=steps[usual], seed=seed)
        train = of_task(task, train, options, gentle=method != "high")
        runs[method] = tuned(Path(folder) / "run", start, task, method, train, options)
    return runs


def of_task(task, train: TrainConfig, options, gentle: bool = True) -> TrainConfig:
    """The settings as they suit the task and the machine."""
    gentle = gentle and task.name == "steps" and train.optimizer == "muon"
    return replace(train, cpu_devices=options.cpu_devices, **(GENTLE if gentle else {}))


if __name__ == "__main__":
    main()
