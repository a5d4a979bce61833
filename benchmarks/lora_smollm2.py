"""SmolLM2-135M learns the service desk by LoRA: what it takes, what it gains, what it forgets, and
how fast peft does the same.

    python benchmarks/lora_smollm2.py PATH [--steps 200] [--questions 100] [--json FILE]

PATH is the model as a GGUF file or a folder. Every figure is of a process of its own: `minillm
evaluate` before, `minillm tune`, `minillm evaluate` after; the most that each held, and the most
of a few steps on one device with --recompute. The speeds are of steps that minillm and peft
(transformers, float32) take in turn, over the same rows, beside the same matrices, with the same
rank and AdamW. Needs torch, transformers, peft. About half an hour on
two cores. Results are written part by part: a command that was stopped goes on with the next one,
given the same --json and --work.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from real_checkpoint import Contender, measured, minillm

ROWS, CONTEXT, RANK, ALPHA, RATE = 4, 128, 8, 16, 1e-3
TEXT_TOKENS = 4000  # tokens of ordinary English
TURN = 2  # steps in a turn
LEAST_STEPS = 4  # enough to see the memory of training and of evaluating
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RESULTS = Path(__file__).parent / "results" / "lora_smollm2.json"


# ---- Processes that take steps in turn ----------------------------------------------------------


def steps_of_minillm(path, threads: int):
    """A function that takes TURN steps."""
    import numpy as np

    from minillm import in_jax, tuning
    from minillm.architecture.adapters import init_adapters
    from minillm.config import TrainConfig
    from minillm.loading import load

    train = TrainConfig(steps=200, batch_size=ROWS, context=CONTEXT, optimizer="adamw",
                        learning_rate=RATE, weight_decay=0.0, cpu_devices=threads)
    tuning.ready(train, "jax")
    model = tuning.with_template(load(path))
    data = tuning.read_data("desk", model, CONTEXT, 2000)
    base, rng = in_jax.to_device(model.params), np.random.default_rng(0)
    state = in_jax.init_state(init_adapters(model.params, tuple(TARGETS), RANK, rng))
    first = 0

    def turn():
        nonlocal state, first
        batches = data.train.batches(train, first, first + TURN)
        state, _ = in_jax.adapter_steps(state, base, *batches, model.config, train, ALPHA / RANK)
        first += TURN

    return turn


def steps_of_peft(folder, threads: int):
    """As steps_of_minillm, with peft and transformers; the rows are beside the model."""
    import numpy as np
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(threads)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS,
                                             task_type="CAUSAL_LM"))
    model.train()
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, betas=(0.9, 0.99), weight_decay=0.0)
    rows = np.load(Path(folder) / "rows.npz")
    tokens = torch.tensor(rows["tokens"].astype(np.int64))
    targets = torch.tensor(rows["targets"].astype(np.int64))
    place = 0

    def turn():
        nonlocal place
        for _ in range(TURN):
            logits = model(tokens[place : place + ROWS]).logits
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), targets[place : place + ROWS].flatten())
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            place = (place + ROWS) % (len(tokens) - ROWS)

    return turn


STEPPERS = {"minillm": steps_of_minillm, "peft": steps_of_peft}


def stepper(name: str, path: str, threads: str):
    """Answers each line: seconds of a turn, or the most bytes that this process held."""
    from minillm.cli.bench import peak_memory

    turn = STEPPERS[name](path, int(threads))
    turn()  # compiles; not counted
    for line in sys.stdin:
        if line.strip() == "memory":
            answer = peak_memory()
        else:
            began = time.perf_counter()
            turn()
            answer = time.perf_counter() - began
        print(json.dumps({"value": answer}), flush=True)


def write_rows(path, folder):
    """The rows that minillm learns from, for the others; and a text of ordinary English."""
    import numpy as np

    from minillm import tuning
    from minillm.loading import load
    from minillm.text.corpora import read_corpus

    model = tuning.with_template(load(path))
    rows = tuning.read_data("desk", model, CONTEXT, 2000).train
    np.savez(Path(folder) / "rows.npz", tokens=rows.tokens_RT, targets=rows.targets_RT)
    text = "\n\n".join(read_corpus("python-docs", megabytes=0.2).train)
    ids = model.tokenizer.encode(text)[:TEXT_TOKENS]
    (Path(folder) / "text.txt").write_text(model.tokenizer.decode(ids), encoding="utf-8")


def process(job, *about) -> list[str]:
    """The command of a process of this file."""
    return [sys.executable, str(Path(__file__)), "--process", json.dumps([job, *map(str, about)])]


# ---- Measuring ----------------------------------------------------------------------------------


def speeds(folder, rounds: int, threads: int) -> dict:
    """{"minillm": {"tokens_per_second": [...], "peak_bytes"}, "peft": ...}: turns by turns."""
    contenders = {name: Contender(process("steps", name, folder, threads)) for name in STEPPERS}
    found = {name: {"tokens_per_second": []} for name in contenders}
    try:
        for _ in range(rounds):
            for name, contender in contenders.items():
                rate = TURN * ROWS * CONTEXT / contender.ask("turn")
                found[name]["tokens_per_second"].append(rate)
        for name, contender in contenders.items():
            found[name]["peak_bytes"] = contender.ask("memory")
    finally:
        for contender in contenders.values():
            contender.end()
    return found


def asked(path, text, questions: int, *more) -> dict:
    """What `minillm evaluate --task desk` says, and the process's seconds and bytes."""
    run = measured(minillm("evaluate", path, "--task", "desk", "--questions", questions, "--text",
                           text, "--batch-size", 2, "--context", CONTEXT, "--json", *more))
    found = run | json.loads(run.pop("out"))
    return {name: found[name] for name in found if name not in ("path", "before", "status")}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE")
    parser.add_argument("--threads", type=int, default=2, help="of both sides; pin the command to "
                        "as many cores")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep the models in this folder, "
                        "so that parts can be run one by one")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--process", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.process:
        job, *about = json.loads(options.process)
        return stepper(*about) if job == "steps" else write_rows(*about)
    with tempfile.TemporaryDirectory() as place:
        measure(options, options.work or Path(place))


def measure(options, place: Path):
    """Take the parts that the results do not have yet, and write each when it is done."""
    from minillm.cli.bench import machine

    folder, run = place / "hf", place / "run"
    text = folder / "text.txt"
    results = {"machine": machine(), "rows": ROWS, "context": CONTEXT, "rank": RANK,
               "steps": options.steps, "threads": options.threads, "text_tokens": TEXT_TOKENS}
    if options.json.exists():
        old = json.loads(options.json.read_text(encoding="utf-8"))
        lost = () if run.exists() or "after" in old else ("tune",)   # its adapter is asked after it
        results |= {part: old[part] for part in PARTS if part in old and part not in lost}
    if not text.exists():
        measured(minillm("convert", options.path, "--out", folder))
        measured(process("rows", folder, folder))
    parts = {"before": lambda: asked(folder, text, options.questions),
             "tune": lambda: tuned(folder, run, options, options.steps, options.threads),
             "least": lambda: tuned(folder, place / "least", options, LEAST_STEPS, 1,
                                    "--recompute"),
             "after": lambda: asked(run, text, options.questions, "--before", folder),
             "speed": lambda: speeds(folder, options.rounds, options.threads)}
    for part in options.parts:
        if part not in results:
            results[part] = parts[part]()
            print(f"{part}: {SAYS[part](results[part])}", flush=True)
            options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def tuned(folder, run, options, steps: int, devices: int, *more) -> dict:
    """`minillm tune --method lora`: its seconds and bytes, and what it says at the end."""
    found = measured(minillm(
        "tune", folder, "--data", "desk", "--method", "lora", "--rank", RANK, "--alpha", ALPHA,
        "--steps", steps, "--batch-size", ROWS, "--context", CONTEXT,
        "--learning-rate", RATE, "--examples", 2000, "--eval-every", steps,
        "--eval-rows", 16, "--save-every", steps, "--sample-every", 0,
        "--cpu-devices", devices, *more, "--out", run))
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    trained = next(line for line in found["out"].splitlines() if line.startswith("trained"))
    return found | {"out": trained, "tokens_per_second": summary["tokens_per_second"]}


PARTS = ("before", "tune", "after", "least", "speed")
SAYS = {"before": lambda found: f"{found['accuracy']:.1%} right",
        "tune": lambda found: (f"{found['seconds']:.0f} s, at most "
                               f"{found['peak_bytes'] / 1e9:.2f} GB"),
        "after": lambda found: (f"{found['accuracy']:.1%} right, forgetting "
                                f"{found['forgetting']}"),
        "least": lambda found: f"at most {found['peak_bytes'] / 1e9:.2f} GB",
        "speed": lambda found: ", ".join(
            f"{name} {statistics.median(one['tokens_per_second']):.0f} tokens/s, at most "
            f"{one['peak_bytes'] / 1e9:.2f} GB" for name, one in found.items())}


if __name__ == "__main__":
    main()
