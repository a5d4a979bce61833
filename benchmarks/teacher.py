"""What a teacher costs whose stories are possible: one recipe, runs of growing length, fresh text.

    python benchmarks/teacher.py --json FILE [--runs NAME ...] [--minutes 30]

Rows never repeat: a run begins one at every story at most once. (The last tokens of a row are the
next story's first ones, so that these are read twice.) Measured after each run (RUNS, each with
SEEDS): nats a held-out story above their exact floor; of WRITTEN stories written at temperature 1
how many the grammar could have written, and at COOL; why the others are impossible (see
story_faults.py); CPU minutes. A run that was interrupted goes on, the figures of a run that FILE
has are kept, and a run that is stopped after --minutes is measured as it is.

Then what the last teacher, that of seed 0, is worth (STUDENTS, each with SEEDS): students of about
a quarter and a twentieth of its size from the text alone and from its soft targets, the smallest
also from the middling student (arXiv:1902.03393); possible stories of each, how many words the
grammar reads before it stops (`words`, of all texts), and what of its drafts the teacher accepts.
"""

import argparse
import json
import signal
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import minillm
from minillm import distillation, in_jax, training
from minillm.architecture.llama import count
from minillm.cli.bench import machine
from minillm.config import DistillConfig, GenerateConfig, ModelConfig, TrainConfig, preset
from minillm.in_jax.sharding import use_cpu_devices
from minillm.inspection.scoring import share_interval
from minillm.loading import keep_compiled
from minillm.text import storyworld, tokenizer
from minillm.text.corpora import read_corpus
from minillm.text.dataset import open_dataset, prepare
from minillm.training.callbacks import Callbacks
from speculative import PROMPT, compare
from story_faults import fault, stop

MEGABYTES, VALIDATION, VOCAB_SIZE, CONTEXT = 130.0, 0.01, 1792, 168
WRITTEN, AT_ONCE, HELD_OUT, COOL = 1024, 256, 512, 0.8
TRAIN = TrainConfig(batch_size=8, context=CONTEXT, warmup_steps=20, eval_rows=64, save_every=200,
                    cpu_devices=1)


def of(steps: int, **rates) -> TrainConfig:
    """TRAIN for so many steps, without weight decay."""
    return replace(TRAIN, steps=steps, weight_decay=0.0, **rates)


# The longer a run, the lower its rates: a third of the usual ones, and half of Muon's.
GENTLE = {"learning_rate": 2e-3, "muon_learning_rate": 0.01}
SIZES = {"num_hidden_layers": 3, "num_key_value_heads": 4}  # beside those of nano: 128 wide
RUNS = {"short": of(900), "long": of(10_000, **GENTLE)}
STUDENTS = {                                                # name: (shape, what it learns from)
    "quarter, text": ("quarter", None), "quarter, soft": ("quarter", "teacher"),
    "twentieth, text": ("twentieth", None), "twentieth, soft": ("twentieth", "teacher"),
    "twentieth, soft from the quarter": ("twentieth", "quarter, soft")}
SHAPES = {"quarter": {}, "twentieth": dict(             # beside a width of 64
    hidden_size=16, intermediate_size=48, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
    initializer_range=0.25)}
STUDENT_TRAINS = {"quarter": of(2000, eval_every=1000, **GENTLE),
                  "twentieth": replace(TRAIN, steps=1000, eval_every=500)}
SEEDS, TEXTS = (0, 1, 2), 8


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", required=True, help="add the figures to this file")
    options.add_argument("--runs", nargs="+", default=[*RUNS], help="of RUNS")
    options.add_argument("--students", nargs="*", default=[*STUDENTS], help="of STUDENTS")
    options.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of both")
    options.add_argument("--minutes", type=float, default=1e9, help="stop training after so long")
    options.add_argument("--work", default="runs/teacher", help="folder of text and models")
    options = options.parse_args()
    keep_compiled()
    use_cpu_devices(1)
    bench = Bench(Path(options.json), Path(options.work), time.time() + 60 * options.minutes)
    for name in options.runs:
        for seed in options.seeds:
            bench.run(f"{name}/{seed}", replace(RUNS[name], seed=seed))
    teacher = bench.folder(f"{options.runs[-1]}/0")
    for name in options.students:
        for seed in options.seeds:
            bench.student(name, seed, *STUDENTS[name], teacher)
    if len(bench.results["students"]) == len(STUDENTS) * len(SEEDS) and time.time() < bench.until:
        bench.drafts(teacher)


class Stop(Callbacks):
    """Ends a training when it is late, as Ctrl-C does: it saves, and can be resumed."""

    def __init__(self, until: float):
        self.until = until

    def stepped(self, step: int, loss: float, tokens_per_second: float):
        if time.time() > self.until:
            signal.raise_signal(signal.SIGTERM)


class Bench:
    """The text, and the file of figures."""

    def __init__(self, path: Path, work: Path, until: float):
        self.path, self.work, self.until = path, work, until
        if not (work / "data").exists():
            corpus = read_corpus("storyworld", megabytes=MEGABYTES, validation_fraction=VALIDATION)
            made = tokenizer.train(corpus.train[:20_000], VOCAB_SIZE)
            prepare(corpus, made, work / "data")
        self.dataset = open_dataset(work / "data")
        self.tokenizer = tokenizer.load(work / "data")
        self.rows = training.held_out(self.dataset, CONTEXT, HELD_OUT)
        self.results = {"machine": machine(), "setting": {
            "written": WRITTEN, "held_out": HELD_OUT, "stories": len(self.dataset.train_starts),
            "floor": self.rows.floor_nats / self.rows.documents, "cool": COOL,
            "entropy": storyworld.entropy()}, "runs": {}, "students": {}}
        if path.exists():
            self.results = json.loads(path.read_text(encoding="utf-8"))

    def config(self, depth, **changes) -> ModelConfig:
        config = preset(depth, vocab_size=self.tokenizer.vocab_size, context=CONTEXT,
                        **storyworld.RECIPE, **changes)
        mark = self.tokenizer.special_tokens[tokenizer.END_OF_TEXT]
        return replace(config, bos_token_id=mark, eos_token_id=mark)

    def run(self, name: str, train: TrainConfig):
        """Train a teacher and measure it, unless that is done."""
        if self.results["runs"].get(name, {}).get("step") == train.steps:
            return
        config = self.config("nano", **SIZES)
        train = replace(train, eval_every=max(1, train.steps // 10))
        rows = train.steps * train.batch_size
        assert rows <= len(self.dataset.train_starts), f"{name}: {rows:,} rows: raise MEGABYTES"
        folder = self.folder(name)
        cost = self.trained(training.run, folder, config, train, self.dataset, self.tokenizer,
                            callbacks=Stop(self.until))
        curve = [[record["step"], record["nats_per_document"]] for record
                 in training.read_metrics(folder / training.METRICS) if "held_out" in record]
        params = minillm.load(folder).params
        changed = {key: value for key, value in asdict(train).items()
                   if key in ("steps", "batch_size", "learning_rate", "muon_learning_rate",
                              "weight_decay")}
        self.save("runs", name, {**SIZES, "parameters": count(config), **changed,
                                 **cost, "curve": curve, **self.measure(params, config)})

    def student(self, name: str, seed: int, shape: str, source: str | None, teacher: Path):
        """Train a student and measure it, unless that is done or the time is over."""
        key, train = f"{name}/{seed}", replace(STUDENT_TRAINS[shape], seed=seed)
        if key in self.results["students"] or time.time() > self.until:
            return
        config, folder = self.config(2, **SHAPES[shape]), self.folder(key)
        if source is None:
            run, how = training.run, (self.dataset, self.tokenizer)
        else:
            said_by = teacher if source == "teacher" else self.folder(f"{source}/{seed}")
            run, how = distillation.run, (DistillConfig(), minillm.load(said_by), self.dataset)
        cost = self.trained(run, folder, config, train, *how, callbacks=Stop(self.until))
        if cost["step"] == train.steps:
            params = minillm.load(folder).params
            self.save("students", key, {"parameters": count(config), **cost,
                                        **self.measure(params, config)})

    def drafts(self, teacher: Path):
        """What of each student's drafts the teacher accepts, and tokens/s over plain decoding."""
        data = self.dataset
        prompts = [data.validation[at : at + PROMPT].tolist() for at in data.validation_starts]
        students = {key: minillm.load(self.folder(key)) for key in self.results["students"]}
        _, rows = compare("jax", 1.0, minillm.load(teacher), students, prompts[:TEXTS])
        self.results["drafts"] = rows
        self.write()

    def folder(self, name: str) -> Path:
        return self.work / name.replace(",", "").replace(" ", "_").replace("/", "_")

    def trained(self, run, folder, config, train, *how, **options) -> dict:
        """What a run cost: tokens, and CPU minutes (those of this call, scaled to all steps; None
        where it only found the run done)."""
        began, resume = time.process_time(), (folder / training.STATE).exists()
        summary = run(folder, config, train, *how, resume=resume, **options)
        minutes = (time.process_time() - began) / 60
        tokens = summary["step"] * train.batch_size * CONTEXT
        return {"step": summary["step"], "tokens": tokens,
                "cpu_minutes": minutes * tokens / summary["tokens"] if summary["tokens"] else None}

    def measure(self, params, config) -> dict:
        """Nats above the floor, possible stories at two temperatures, and why others are none."""
        held_out = training.evaluate(in_jax, params, config, self.rows, 16)
        texts = self.texts(params, config, 1.0)
        stops = [stop(text) for text, _ in texts]
        faults = Counter(why if ended else "no end" for (_, why), (_, ended) in zip(stops, texts))
        possible = faults.pop(None, 0)
        cool = sum(ended and fault(text) is None
                   for text, ended in self.texts(params, config, COOL))
        exact = [-storyworld.parse(text).log_probability
                 for (text, ended), (_, why) in zip(texts, stops) if ended and why is None]
        return {"nats": held_out["nats_per_document"], "above_floor": held_out["above_floor"],
                "possible": possible, "interval": share_interval(possible, WRITTEN)[1:],
                "cool": cool, "cool_interval": share_interval(cool, WRITTEN)[1:],
                "words": float(np.mean([len(text[:place].split())
                                        for (text, _), (place, _) in zip(texts, stops)])),
                "exact": float(np.mean(exact)) if exact else None,
                "faults": dict(faults.most_common())}

    def texts(self, params, config, temperature: float) -> list[tuple[str, bool]]:
        """WRITTEN texts, each with whether it has ended where the context does."""
        settled, rng, texts = in_jax.to_device(params), np.random.default_rng(7), []
        for _ in range(0, WRITTEN, AT_ONCE):
            coins_NB = rng.random((CONTEXT, AT_ONCE), np.float32)
            first_B = np.full(AT_ONCE, config.bos_token_id, np.int32)
            tokens_BN = np.asarray(in_jax.write_rows(settled, first_B, coins_NB, config,
                                                     GenerateConfig(temperature=temperature))[0])
            for row in tokens_BN:
                ends = np.flatnonzero(row == config.eos_token_id)
                text = self.tokenizer.decode(row[: ends[0] if len(ends) else None].tolist())
                texts.append((text, len(ends) > 0))
        return texts

    def save(self, kind: str, name: str, found: dict):
        self.results[kind][name] = found
        self.write()
        print(name, {key: value for key, value in found.items() if key != "curve"}, flush=True)

    def write(self):
        text = json.dumps(self.results, indent=1) + "\n"
        self.path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
