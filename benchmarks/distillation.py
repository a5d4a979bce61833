"""What a student learns from data, from soft targets, from responses, by reverse KL and on-policy: an honest comparison.

    minillm pretrain storyworld --model nano --out runs/nano                   # the teacher, and the data of all
    python benchmarks/distillation.py runs/nano --json FILE [--seeds 3] [--minutes 10]

The same student (2 layers of 64) with the same first values, learning rates, order of rows and number of tokens in every arm
of a seed, with all of the stories and with 3% of them; held-out nats per story (256 stories), beside their exact floor, at the
end and at the best evaluation (every 100 steps: what early stopping would keep), and the share of 128 stories written by the
student that the grammar could have written. The arms:

    data            plain training
    more data       plain training with the compute of soft targets: (6 N_student + 2 N_teacher) / (6 N_student) times the steps
    soft            alpha = 1, T = 1: the teacher's probabilities alone, of its top 32 kept on disk (the lost mass is a result)
    responses       plain training on stories that the teacher wrote: as many as rows are trained on, or 3% of the data's number
    reverse         KL(student || teacher) on the data, from the same top 32
    on-policy       the same with a live teacher, half of the dispatches on text that the student writes
    pruned data     plain training from layers and widths picked from the teacher
    pruned soft     soft targets from there
    pruned reverse, pruned on-policy    reverse KL and on-policy from there: both are meant for students that can write already

Then, for one seed, whether a conclusion hangs on a setting: half and twice the learning rates, alpha, temperature. And what
each model costs: parameters, bytes, tokens/s. Each result is saved when it is there, and not made again. About 45 minutes.
"""

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import minillm
from minillm import distillation, in_jax, training
from minillm.architecture.llama import count, init
from minillm.config import DistillConfig, GenerateConfig, TrainConfig, preset
from minillm.formats import checkpoint
from minillm.in_jax.sharding import use_cpu_devices
from minillm.loading import keep_compiled
from minillm.text import storyworld
from minillm.text.dataset import open_dataset, prepare

STUDENT = 2
TRAIN = TrainConfig(steps=500, batch_size=8, context=176, warmup_steps=20, eval_every=100, eval_rows=256, save_every=100_000,
                    cpu_devices=1)
SCARCE, HELD_OUT, WRITTEN, KEPT = 0.03, 256, 128, 32
ARMS = {
    "data": None, "soft": DistillConfig(kept=KEPT), "responses": None, "reverse": DistillConfig(objective="reverse", kept=KEPT),
    "more data": None, "on-policy": DistillConfig(objective="on-policy"),
    "pruned data": DistillConfig(alpha=0.0, start="pruned"), "pruned soft": DistillConfig(start="pruned", kept=KEPT),
    "pruned reverse": DistillConfig(objective="reverse", start="pruned", kept=KEPT),
    "pruned on-policy": DistillConfig(objective="on-policy", start="pruned")}
ORDER = (("data", "soft"), ("responses", "reverse"), ("on-policy", "more data"), ("pruned soft", "pruned data"),
         ("pruned reverse", "pruned on-policy"))
SETTINGS = {                                                       # one seed: does a conclusion hang on a setting?
    "data, half the rates": ("data", None, 0.5), "data, twice the rates": ("data", None, 2.0),
    "soft, half the rates": ("soft", DistillConfig(kept=KEPT), 0.5),
    "soft, twice the rates": ("soft", DistillConfig(kept=KEPT), 2.0),
    "soft, alpha 0.5": ("soft", DistillConfig(alpha=0.5, kept=KEPT), 1.0),
    "soft, T = 2": ("soft", DistillConfig(temperature=2.0), 1.0),
    "soft, all tokens of a live teacher": ("soft", DistillConfig(), 1.0),
    "on-policy, always": ("on-policy", DistillConfig(objective="on-policy", student_share=1.0), 1.0)}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("teacher", help="a run of minillm pretrain storyworld --model nano, with its data folder")
    options.add_argument("--json", required=True, help="add the results to this file")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--work", default="runs/distillation", help="folder for runs, responses and kept targets")
    options.add_argument("--minutes", type=float, default=1e9, help="begin nothing new after this long; run again to go on")
    options = options.parse_args()
    keep_compiled()
    use_cpu_devices(TRAIN.cpu_devices)
    bench = Bench(options)
    for arms in ORDER:                                            # whole comparisons first, where the time is short
        for seed in range(options.seeds):
            for data in ("3%", "100%"):
                for arm in arms:
                    bench.run(f"{data}/{arm}/{seed}", arm, ARMS[arm], data, seed)
    for data in ("100%", "3%"):
        for name, (arm, how, rates) in SETTINGS.items():
            bench.run(f"{data}/{name}/0", arm, how, data, 0, rates)
    bench.cost()


class Bench:
    """The teacher, its texts, and the file of results, to which every run adds itself."""

    def __init__(self, options):
        self.path, self.work, self.until = Path(options.json), Path(options.work), time.time() + 60 * options.minutes
        self.results = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {"runs": {}}
        self.folder, self.teacher = Path(options.teacher), minillm.load(options.teacher)
        whole = open_dataset(self.folder / "data")
        whole = replace(whole, validation=whole.validation[: whole.validation_starts[HELD_OUT] + 1],
                        validation_starts=whole.validation_starts[:HELD_OUT], floor_nats=whole.floor_nats[:HELD_OUT])
        few = int(SCARCE * len(whole.train_starts))
        self.data = {"100%": whole, "3%": replace(whole, train=whole.train[: whole.train_starts[few] + 1], fingerprint="3%",
                                                  train_starts=whole.train_starts[:few])}
        self.config = replace(preset(STUDENT, vocab_size=self.teacher.config.vocab_size, context=TRAIN.context, **storyworld.RECIPE),
                              bos_token_id=self.teacher.config.bos_token_id, eos_token_id=self.teacher.config.eos_token_id)
        self.ratio = 1 + 2 * count(self.teacher.config) / (6 * count(self.config))
        if "setting" not in self.results:
            rows = training.held_out(whole, TRAIN.context)
            teacher = training.evaluate(in_jax, self.teacher.params, self.teacher.config, rows, 16)
            self.results["setting"] = {
                "student_parameters": count(self.config), "teacher_parameters": count(self.teacher.config),
                "steps": TRAIN.steps, "tokens": TRAIN.steps * TRAIN.batch_size * TRAIN.context, "compute_ratio": self.ratio,
                "stories": {name: len(data.train_starts) for name, data in self.data.items()},
                "floor": teacher["floor_per_document"], "teacher": teacher["nats_per_document"],
                "teacher_valid": self.valid(self.teacher.params, self.teacher.config)}
            self.save()

    def run(self, name: str, arm: str, how: DistillConfig | None, data: str, seed: int, rates: float = 1.0):
        """One run, unless it is there or the time is over."""
        if name in self.results["runs"] or time.time() > self.until:
            return
        train = replace(TRAIN, seed=seed, learning_rate=rates * TRAIN.learning_rate,
                        muon_learning_rate=rates * TRAIN.muon_learning_rate)
        if arm == "more data":
            train = replace(train, steps=round(self.ratio * train.steps))
        dataset = self.responses(data) if arm == "responses" else self.data[data]
        folder = self.work / name.replace("/", "_").replace("%", "").replace(" ", "_").replace(",", "")
        began = time.time()
        resume = (folder / training.STATE).exists()
        if how is None:
            summary = training.run(folder, self.config, train, dataset, self.teacher.tokenizer, resume=resume)
        else:
            summary = distillation.run(folder, self.config, train, how, self.teacher, dataset, resume=resume,
                                       cache=self.work / f"kept_{data[:-1]}" if how.kept else None)
        curve = [record["nats_per_document"] for record in training.read_metrics(folder / training.METRICS)
                 if "nats_per_document" in record]
        config, params, _ = checkpoint.load_model(folder)
        self.results["runs"][name] = {"nats": summary["nats_per_document"], "best": min(curve), "curve": curve,
                                      "valid": self.valid(params, config), "seconds": summary["seconds"],
                                      "tokens_per_second": summary["tokens_per_second"]}
        if how is not None and how.kept:
            kept = json.loads((self.work / f"kept_{data[:-1]}" / "targets.json").read_text(encoding="utf-8"))
            self.results["runs"][name]["lost_mass"] = kept["lost_mass"]
        self.save()
        print(f"{name}: {summary['nats_per_document']:.2f} nats a story (best {min(curve):.2f}), "
              f"{100 * self.results['runs'][name]['valid']:.0f}% of its stories are possible, {time.time() - began:.0f} s", flush=True)

    def responses(self, data: str):
        """Stories that the teacher wrote, as a dataset folder that is measured on the same held-out stories."""
        folder = self.work / f"responses_{data[:-1]}"
        if not (folder / "dataset.json").exists():
            number = TRAIN.steps * TRAIN.batch_size if data == "100%" else len(self.data[data].train_starts)
            how, began = DistillConfig(objective="responses", responses=number), time.time()
            texts = list(distillation.write_texts(self.teacher, how, TRAIN.context))
            corpus = distillation.corpus_of([text for text, _ in texts], self.teacher, how, 0, self.data[data])
            prepare(corpus, self.teacher.tokenizer, folder)
            self.results.setdefault("responses", {})[data] = {
                "texts": number, "ended": sum(ended for _, ended in texts) / number, "seconds": time.time() - began}
            self.save()
        return open_dataset(folder)

    def valid(self, params, config) -> float:
        """The share of stories written by a model that the grammar could have written."""
        coins_NB = np.random.default_rng(7).random((TRAIN.context, WRITTEN), np.float32)
        first_B = np.full(WRITTEN, config.bos_token_id, np.int32)
        tokens_BN = np.asarray(in_jax.write_rows(in_jax.to_device(params), first_B, coins_NB, config, GenerateConfig())[0])
        possible = 0
        for row in tokens_BN:
            ends = np.flatnonzero(np.isin(row, config.end_tokens))
            try:
                storyworld.parse(self.teacher.tokenizer.decode(row[: ends[0] if len(ends) else None].tolist()))
                possible += len(ends) > 0
            except ValueError:
                pass
        return possible / len(tokens_BN)

    def cost(self):
        """Quality against parameters, bytes and tokens/s: teacher and student, and both in int8 where quantize.py is there."""
        if time.time() > self.until or any(f"100%/soft/{seed}" not in self.results["runs"] for seed in range(1)):
            return
        rows = training.held_out(self.data["100%"], TRAIN.context)
        student = minillm.load(self.work / "100_soft_0")
        models = {"teacher": (self.teacher.config, self.teacher.params), "student": (student.config, student.params)}
        try:
            from minillm.architecture.quantized import Scheme
            from minillm.quantization.model import quantize_params
            models |= {f"int8 {name}": (config, quantize_params(params, Scheme())) for name, (config, params) in models.items()}
        except ImportError:
            print("int8: minillm/quantization/model.py is not there, so there are no such rows")
        table = {}
        for name, (config, params) in models.items():
            table[name] = {"parameters": count(config), "bytes": size_of(params),
                           "nats": training.evaluate(in_jax, params, config, rows, 16)["nats_per_document"]}
        for twin in ("numpy", "jax"):
            speeds = {name: [] for name in models}
            for _ in range(4):                                     # interleaved; the first round compiles
                for name, (config, params) in models.items():
                    speeds[name].append(speed(twin, params, config))
            for name in models:
                table[name][f"tokens_per_second_{twin}"] = statistics.median(speeds[name][1:])
        self.results["cost"], self.results["training"] = table, self.training_speed()
        self.save()
        print(json.dumps(table, indent=2))

    def plain(self, state, first, end):
        return in_jax.train_steps(state, *training.batches(self.data["3%"], TRAIN, first, end), self.config, TRAIN)

    def training_speed(self) -> dict:
        """Tokens/s of the student's steps in each arm: medians of interleaved dispatches, compilation apart."""
        arms = {"data": DistillConfig(alpha=0.0), "soft, live teacher": DistillConfig(), "soft, kept": ARMS["soft"],
                "on-policy, student writes": DistillConfig(objective="on-policy", student_share=1.0)}
        first = init(self.config, np.random.default_rng(0))
        kept = distillation.keep(self.work / "kept_3", self.teacher, self.data["3%"], TRAIN.context, KEPT, in_jax)
        steps = {name: distillation.steps_of(in_jax, self.teacher, self.data["3%"], self.config, TRAIN, how, kept if how.kept else None)
                 or self.plain for name, how in arms.items()}
        states, seconds = {name: in_jax.init_state(first) for name in arms}, {name: [] for name in arms}
        for step in range(0, 60, 10):
            for name in arms:
                began = time.perf_counter()
                states[name], _ = steps[name](states[name], step, step + 10)
                seconds[name].append(time.perf_counter() - began)
        tokens = 10 * TRAIN.batch_size * TRAIN.context
        return {name: tokens / statistics.median(times[1:]) for name, times in seconds.items()}

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")


def size_of(params) -> int:
    """Bytes of all arrays in a tree of any kind."""
    if isinstance(params, dict):
        return sum(map(size_of, params.values()))
    return sum(map(size_of, params)) if isinstance(params, (list, tuple)) else params.nbytes


def speed(twin: str, params, config, tokens: int = 160) -> float:
    """Tokens/s of one text, greedy."""
    from importlib import import_module
    generate, began = import_module(f"minillm.in_{twin}").generate, time.perf_counter()
    written = list(generate(params, [config.bos_token_id], config, GenerateConfig(tokens, temperature=0)))
    return len(written) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
