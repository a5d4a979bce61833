"""What rewards teach beside right answers: GRPO, rejection sampling, DPO and SFT, from two models.

    python benchmarks/rewards.py MODEL --starts early --json FILE
    python benchmarks/rewards.py MODEL --starts careless --ways grpo --json FILE

MODEL is the folder of a finished `minillm demo`. Each seed begins with an sft run, of two kinds:

    early      stopped after `--early` steps, before the model knows its digits
    careless   whole, on answers of which the share CARELESS forget every carry (see `careless`)

and goes on from there in four ways:

    grpo       `--steps` steps of `--answers` answers, groups of 8
    rejection  as many answers to the same number of questions, all written by the first model; sft
               on those that are right, on as many answers as grpo reads (arXiv:2308.01825)
    dpo        pairs of a right and a wrong answer, 32 of them a step
    pairs      sft on the right answers of the same pairs, as many steps of as many questions

`alike` says how much the questions have in common: the mean cosine between gradients of GRPO by
BATCHES batches of ALIKE answers, groups of 16, to other questions, and to the same ones.

Accuracy is that of the most probable answers to held-out questions; the share of right samples and
pass@8 are at temperature 1; forgetting is the loss on held-out stories, in nats a story. One JSON
object; each run is added when it is done.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np

from minillm import in_jax, load, training, tuning
from minillm.config import GenerateConfig, TrainConfig, TuneConfig
from minillm.in_jax.preference import compare_loss_and_grads
from minillm.loading import keep_compiled, twin_package
from minillm.text.dataset import open_dataset
from minillm.tuning.compared import PAIRS
from minillm.tuning.conversations import Conversation
from minillm.tuning.rewarded import Writer
from minillm.tuning.sums import parse

NEW_TOKENS, TIMES = 32, 8
CARELESS, STEPS = 0.7, 1500             # the share of answers without carries, and sft's steps on it
BATCHES, ALIKE = 8, 256
EARLY = TrainConfig(context=176, batch_size=8, optimizer="muon", learning_rate=2e-3,
                    muon_learning_rate=0.01, weight_decay=0.0, warmup_steps=20, eval_every=200,
                    eval_rows=32, save_every=1000)
SFT = replace(EARLY, optimizer="adamw", learning_rate=5e-4)
WAYS = ("grpo", "rejection", "dpo", "pairs")
STARTS = ("early", "careless")


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


def tuned(folder, start, task, method: str, train: TrainConfig, talks, options,
          answers: int | None = None) -> dict:
    """Tune the model in `start` and measure the result; of the task's examples, or of `talks`
    where they are given, so many `answers` a step."""
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
        if answers:
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


def careless(question: str) -> str:
    """The answer to a sum by steps of someone who forgets to carry, and to borrow."""
    said = parse(question)
    a, digits, columns = int(said["a"]), [], []
    t = int(said["b"] if "b" in said else said["t"])
    while True:
        if "b" in said:
            first, second, found = a % 10, t % 10, a % 10 + t % 10
            last, sign = a < 10 and t < 10, "+"
        else:
            last, sign = t < 20, "-"
            first = t if last else t % 10 + 10 * (t % 10 < a % 10)
            second = a if last else a % 10
            found = first - second
        columns.append(f"{first}{sign}{second}={found}")
        digits.append(str(found if last else found % 10))
        if last:
            break
        a, t = a // 10, t // 10
    answer = " ".join([*columns, str(int("".join(reversed(digits))))])
    return f"{answer} {said['fruit']}" if "fruit" in said else answer


def careless_talks(task, examples: int, seed: int) -> list[Conversation]:
    """Examples of which the share CARELESS are answered without carries."""
    rng = np.random.default_rng([seed, 8])
    return [Conversation([one.messages[0], {"role": "assistant", "content": (
                careless(one.question) if rng.random() < CARELESS else one.answer)}], one.question)
            for one in task.some("train", examples, seed)]


def alike(start, task, options, seed: int) -> dict:
    """How much the gradients of GRPO agree: by other answers to the same questions, and by answers
    to other questions. Means of cosines."""
    model = tuning.with_template(load(start))
    train, tune = replace(SFT, batch_size=ALIKE, seed=seed), TuneConfig("grpo", beta=0.0, group=16)
    data = tuning.read_data(task.name, model, train.context, 64, seed, options.difficulty)
    writer, params = Writer(model, data, train, tune, "jax"), in_jax.to_device(model.params)
    gradient = jax.jit(partial(compare_loss_and_grads, config=model.config, tune=tune))
    rows = []
    for step in range(BATCHES):
        one, _ = writer.batch(params, step)
        for half in ({name: x[k::2] for name, x in one.items()} for k in (0, 1)):
            log_p_BT = in_jax.read_log_p(params, half["tokens_BT"], half["targets_BT"],
                                         model.config)
            half |= {"old_BT": log_p_BT, "reference_BT": log_p_BT}
            row = np.concatenate([np.ravel(x) for x in jax.tree.leaves(gradient(params, half)[1])])
            rows.append(row / np.linalg.norm(row))
    cosines_NN, at = np.stack(rows) @ np.stack(rows).T, np.arange(len(rows)) // 2
    same, itself = at[:, None] == at, np.eye(len(rows), dtype=bool)
    return {"same": float(cosines_NN[same & ~itself].mean()),
            "other": float(cosines_NN[~same].mean())}


def of_seed(seed: int, task, options, add):
    """The runs of one seed; `add(name, result)` takes each."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.starts:
            start, talks, steps = Path(folder) / kind, None, options.early
            if kind == "careless":
                talks, steps = careless_talks(task, options.examples, seed), STEPS
            train = replace(EARLY, steps=steps, seed=seed)
            first = tuned(start, options.model, task, "sft", train, talks, options)
            add(kind, first | {"alike": alike(start, task, options, seed)})
            for way in options.ways:
                one = gone_on(Path(folder) / f"{kind}_{way}", start, way, task, options, seed)
                add(f"{way} from {kind}", one)


def gone_on(out, start, way: str, task, options, seed: int) -> dict:
    """One of WAYS on from the model in `start`."""
    train = replace(SFT, steps=options.steps, seed=seed)
    graded = replace(train, batch_size=options.answers)
    if way == "grpo":
        return tuned(out, start, task, way, replace(graded, learning_rate=options.rate), None,
                     options)
    if way == "rejection":
        began = time.perf_counter()
        talks = own_right_answers(start, task, options.steps * options.answers, seed)
        seconds = time.perf_counter() - began
        if not talks:
            raise SystemExit("rejection: no sampled answer is right: begin with a longer sft run, "
                             "or leave it out of --ways")
        one = tuned(out, start, task, "sft", train, talks, options, options.answers)
        return one | {"seconds": one["seconds"] + seconds, "right_answers": len(talks)}
    if way == "dpo":
        return tuned(out, start, task, way, replace(graded, learning_rate=1e-4), None, options)
    talks = task.conversations("train", PAIRS, seed)
    return tuned(out, start, task, "sft", train, talks, options, options.answers // 2)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("model")
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--starts", nargs="+", default=list(STARTS), choices=STARTS)
    options.add_argument("--early", type=int, default=800, help="steps of the first sft run")
    options.add_argument("--steps", type=int, default=150, help="of each way after it")
    options.add_argument("--task", default="steps", choices=tuning.TASKS)
    options.add_argument("--difficulty", type=int, default=2, help="digits of the numbers of sums")
    options.add_argument("--answers", type=int, default=128, help="of a step")
    options.add_argument("--rate", type=float, default=4e-4, help="learning rate of grpo")
    options.add_argument("--beta", type=float, default=0.0, help="of grpo")
    options.add_argument("--examples", type=int, default=20_000)
    options.add_argument("--questions", type=int, default=400)
    options.add_argument("--stories", type=int, default=64)
    options.add_argument("--cpu-devices", type=int, default=2, help="1 where one core is free")
    options.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    options.add_argument("--json")
    options = options.parse_args()
    keep_compiled()
    task = tuning.task_of(options.task, options.difficulty)
    results = {"setting": {name: getattr(options, name) for name in
                           ("task", "difficulty", "early", "steps", "answers", "rate", "beta",
                            "examples", "questions", "stories")},
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
