"""The path of one model: text, tokens, a pretrained teacher, in int8, a pruned and distilled student, in int8, opened up.

    minillm pretrain storyworld --model nano --out runs/nano                                 # the teacher; 7 minutes on two cores
    minillm distill runs/nano --student 2 --start pruned --cache runs/kept --steps 500 --batch-size 8 --context 176 --warmup-steps 20 \\
        --eval-every 100 --eval-rows 256 --cpu-devices 1 --out runs/student                  # the student; a minute
    python benchmarks/path_of_a_model.py runs/nano runs/student --json benchmarks/results/path_of_a_model.json

(The student is also what benchmarks/distillation.py leaves in its --work folder, as 100_pruned_soft_0.) At every station: bytes on
disk; nats per story on the first 256 held-out stories, with the standard error of what lies above their exact floor (paired, story by
story); tokens/s of one text, greedy, in both twins: the fastest of some interleaved rounds, so that what else the machine does
disturbs less. Text and tokens are charged as if every byte, or every token, were equally likely. About two minutes.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

import minillm
from minillm import in_jax, training
from minillm.architecture.llama import count
from minillm.architecture.quantized import Scheme
from minillm.config import GenerateConfig
from minillm.formats import checkpoint
from minillm.inspection import report
from minillm.loading import twin_package
from minillm.quantization.model import quantize_params
from minillm.text.dataset import open_dataset

HELD_OUT, CONTEXT, TOKENS, ROUNDS = 256, 176, 160, 6
PROMPT = "Once there was a weaver named Vera, and the students said she was bold and nosy. Her best friend was Nadia, who was clever."


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("teacher", type=Path, help="a run of minillm pretrain storyworld, with its data folder")
    options.add_argument("student", type=Path, help="a run of minillm distill, or of benchmarks/distillation.py")
    options.add_argument("--json", metavar="FILE", type=Path, required=True)
    options.add_argument("--part", choices=("all", "losses", "speeds"), default="all", help="speeds want a quiet machine: measure them later")
    options = options.parse_args()
    data = open_dataset(options.teacher / "data")
    models = {"teacher": minillm.load(options.teacher), "student": minillm.load(options.student)}
    with tempfile.TemporaryDirectory() as work:
        folders = {"teacher": options.teacher, "student": options.student}
        for name in ("teacher", "student"):
            folders[f"int8 {name}"] = Path(work) / name
            checkpoint.save_model(folders[f"int8 {name}"], models[name].config, quantize_params(models[name].params, Scheme()),
                                  models[name].tokenizer)
            models[f"int8 {name}"] = minillm.load(folders[f"int8 {name}"])
        if options.part == "speeds":
            results = json.loads(options.json.read_text(encoding="utf-8"))
        else:
            results = measured(options, data, models, folders, Path(work))
        results["lost"] = results["models"]["int8 student"]["nats"] - results["models"]["teacher"]["nats"]
        if options.part != "losses":
            for name, speeds in speeds_of(models).items():
                results["models"][name] |= speeds
    options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


def measured(options, data, models, folders, work: Path) -> dict:
    """Everything but the speeds."""
    rows, floor_N = training.held_out(data, CONTEXT, HELD_OUT), np.array(data.floor_nats[:HELD_OUT])
    found = {name: {"parameters": count(model.config), "bytes": (folders[name] / "model.safetensors").stat().st_size,
                    **loss(model, rows, floor_N)} for name, model in models.items()}
    tokens, vocabulary = np.diff(data.validation_starts[: HELD_OUT + 1]).mean(), models["teacher"].config.vocab_size
    return {"stories": HELD_OUT, "context": CONTEXT, "floor": float(floor_N.mean()), "written": TOKENS, "text": text(data),
            "tokens": {"a_story": float(tokens), "vocabulary": vocabulary, "nats": float(tokens * np.log(vocabulary))},
            "training": summary_of(options.teacher), "distilling": summary_of(options.student), "models": found,
            "opened": opened_up(models["int8 student"], work / "report.html")}


def summary_of(run: Path) -> dict:
    """What a run wrote about itself: steps, tokens, seconds."""
    return json.loads((run / "summary.json").read_text(encoding="utf-8"))


def text(data) -> dict:
    """Bytes of text: what was trained on, and of one held-out story, at ln 256 nats each."""
    a_story = data.validation_bytes / len(data.validation_starts)
    return {"trained_on": int(data.train_bytes), "trained_on_tokens": len(data.train), "a_story": a_story, "nats": a_story * float(np.log(256))}


def loss(model, rows, floor_N) -> dict:
    """Nats per story, and how far that is above the floor with its standard error over stories."""
    nats_N, _ = training.row_nats(in_jax, model.params, model.config, rows.tokens_NT, rows.targets_NT, 16)
    above_N = nats_N - floor_N
    return {"nats": float(nats_N.mean()), "above": float(above_N.mean()), "standard_error": float(above_N.std(ddof=1) / np.sqrt(len(above_N)))}


def speeds_of(models) -> dict:
    """Tokens/s of every model in both twins; the first round compiles."""
    seconds = {name: {"numpy": [], "jax": []} for name in models}
    params = {(name, "numpy"): model.params for name, model in models.items()}
    params |= {(name, "jax"): in_jax.to_device(model.params) for name, model in models.items()}
    for _ in range(ROUNDS + 1):
        for name, model in models.items():
            for twin in ("numpy", "jax"):
                began = time.perf_counter()
                written = list(twin_package(twin).generate(params[name, twin], [model.config.bos_token_id], model.config,
                                                           GenerateConfig(TOKENS, temperature=0)))
                seconds[name][twin].append((time.perf_counter() - began) / len(written))
    return {name: {f"tokens_per_second_{twin}": 1 / min(times[1:]) for twin, times in of_twin.items()} for name, of_twin in seconds.items()}


def opened_up(model, path: Path) -> dict:
    """The report of `minillm inspect` about it."""
    began = time.perf_counter()
    found = report.contents(model, PROMPT, twin="numpy")
    return {"bytes": report.write(path, found), "seconds": time.perf_counter() - began, "tokens": len(found["tokens"]),
            "identities": sum(check["verdict"] == "holds" for check in found["checks"]), "checks": len(found["checks"]),
            "worst": max(check["difference"] for check in found["checks"] if check["difference"] is not None)}


if __name__ == "__main__":
    main()
