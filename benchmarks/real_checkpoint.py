"""A checkpoint that people use, SmolLM2-135M-Instruct, beside transformers and llama.cpp, in one
run on one machine.

    python benchmarks/real_checkpoint.py [PATH] [--only ROW ...] [--rounds 3] [--json FILE]

PATH is the model as a GGUF file or a folder (default: what `minillm get smollm2` brings). Rows:

    evaluate   the loss of 2,001 tokens of Python's documentation: seconds and peak memory
    inspect    a page about 5, 200 and 1,000 tokens, compilation included: seconds, memory, verdict
    gptq       int4-group32 by GPTQ from 16,384 tokens: seconds and peak memory
    first      seconds from the command to the first token, nothing compiled yet and compiled before
    generate   tokens a second, everyone in turn; a ratio of each to transformers

Every figure is of a process of its own, peak memory is what it held at most. A row that is measured
again replaces the one in FILE, with its machine; the others stay. Needs torch, transformers,
xllamacpp. All of it takes about ten minutes on two cores; `--only` chooses.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from minillm.cli import peers
from minillm.cli.bench import START, machine, peak_memory

PROMPT = "Once upon a time"
READ, WRITTEN = 64, 48  # tokens of the prompt and after it, row `generate`
FORMS = ("float32", "int8-channel", "int8-channel-a8", "int8-group32", "int4-group32")
LLAMA_CPP = {"F32": None, "Q8_0": "int8-group32", "Q4_0": "int4-group32"}
ROOM = 4096  # tokens of llama.cpp's cache
CONTEXT = 1024  # of `minillm evaluate`, and so of all
RESULTS = Path(__file__).parent / "results" / "real_checkpoint.json"


# ---- What the others do, each in a process of its own -----------------------------------------


def quiet_transformers(folder):
    """The model in float32, on as many threads as there are cores."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(os.cpu_count())
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def transformers_evaluate(folder, ids):
    """The mean loss of the ids, cut into rows as `minillm evaluate` does."""
    import torch

    model, total = quiet_transformers(folder), 0.0
    with torch.no_grad():
        for i in range(0, len(ids) - 1, CONTEXT):
            row = torch.tensor(ids[i : i + CONTEXT + 1])
            logits = model(row[None, :-1]).logits[0]
            total += float(torch.nn.functional.cross_entropy(logits, row[1:], reduction="sum"))
    return total / (len(ids) - 1)


TURNS = {"transformers": peers.transformers, "llama.cpp": peers.llama_cpp}


def other(job, path, *about):
    """What a process of `others` does: one answer, or, as a contender, one for each line."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # llama.cpp tells much
    if job == "evaluate":
        print(json.dumps(transformers_evaluate(path, *about)), file=answers, flush=True)
    else:
        turn = TURNS[about[0]](path, "float32", ROOM)
        if job == "turn":
            turn([5] * about[1], about[2])  # the first time is not counted
        for line in ["first"] if job == "first" else sys.stdin:
            answer = peak_memory() if line.strip() == "memory" else turn([5] * about[1], about[2])
            print(json.dumps({"value": answer}), file=answers, flush=True)
    os._exit(0)  # llama.cpp's server does not end by itself


def others(job, *about) -> list[str]:
    """The command of such a process."""
    return [sys.executable, str(Path(__file__)), "--process", json.dumps([job, *about])]


# ---- Measuring --------------------------------------------------------------------------------


def measured(command, cache: Path | None = None) -> dict:
    """{"seconds", "peak_bytes", "status", "out"} of a command; `cache`: where it keeps programs."""
    env = os.environ | ({"XDG_CACHE_HOME": str(cache)} if cache else {})
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=err, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        out.seek(0), err.seek(0)
        said, complaint = out.read(), err.read()
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        raise SystemExit(
            f"{' '.join(map(str, command))[:200]}\nended with {code}: {complaint[-2000:]}"
        )
    return {
        "seconds": seconds,
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "status": code,
        "out": said,
    }


def minillm(*arguments) -> list:
    return [sys.executable, "-m", "minillm", *map(str, arguments)]


class Files:
    """The model in the forms that the rows need, each made when it is first asked for."""

    def __init__(self, path: Path, place: Path):
        self.path, self.place, self._model = path, place, None

    @property
    def model(self):
        if self._model is None:
            from minillm.loading import load

            self._model = load(self.path)
        return self._model

    def folder(self) -> Path:
        """A Hugging Face folder, float32."""
        if not (self.place / "hf").exists():
            measured(minillm("convert", self.path, "--out", self.place / "hf"))
        return self.place / "hf"

    def gguf(self, kind: str) -> Path:
        """A GGUF file whose matrices are all of this kind."""
        from dataclasses import replace

        from minillm.architecture.quantized import scheme_named
        from minillm.formats.gguf import export
        from minillm.quantization.model import quantize_model

        file, scheme = self.place / f"{kind}.gguf", LLAMA_CPP[kind]
        if not file.exists():
            params = self.model.params
            if scheme:
                params = quantize_model(params, self.model.config, scheme_named(scheme))
            export(file, replace(self.model, params=params))
        return file

    def text(self, count: int) -> Path:
        """A file of about so many tokens of Python's documentation."""
        from minillm.text.corpora import read_corpus

        file, megabytes = self.place / f"{count}.txt", 0.1 + 1e-5 * count
        text = "\n\n".join(read_corpus("python-docs", megabytes=megabytes).train)
        ids = self.model.tokenizer.encode(text)[: count - len(self.model.begin)]
        file.write_text(self.model.tokenizer.decode(ids), encoding="utf-8")
        return file

    def ids(self, count: int) -> list[int]:
        """The tokens of that file."""
        return self.model.text_ids(self.text(count).read_text(encoding="utf-8"))


# ---- Rows: each gives {who: {...}} ------------------------------------------------------------


def evaluate(files: Files, _) -> dict:
    text, ids, found = files.text(2001), files.ids(2001), {}
    for twin in ("jax", "numpy"):
        run = measured(
            minillm("evaluate", files.path, "--text", text, "--twin", twin, "--json"),
            files.place / "cache-evaluate",
        )
        found[f"minillm {twin}"] = run | {"loss": json.loads(run.pop("out"))["loss"]}
    run = measured(others("evaluate", str(files.folder()), ids))
    found["transformers"] = run | {"loss": json.loads(run.pop("out"))}
    run = measured(others("first", str(files.gguf("F32")), "llama.cpp", len(ids), 1))
    run.pop("out")  # it gives no loss: it reads the tokens
    return found | {"llama.cpp F32, reads them": run}


def inspect(files: Files, _) -> dict:
    found = {}
    for count in (5, 200, 1000):
        ids, out = " ".join(map(str, files.ids(count))), files.place / f"{count}.html"
        run = measured(
            minillm("inspect", files.path, ids, "--ids", "--out", out),
            files.place / f"cache-{count}",
        )
        verdict = run.pop("out").strip().rpartition(". ")[2]
        found[f"{count} tokens"] = run | {"verdict": verdict, "page_bytes": out.stat().st_size}
    return found


def gptq(files: Files, _) -> dict:
    out = files.place / "gptq"
    run = measured(
        minillm(
            "quantize",
            files.path,
            "--scheme",
            "int4-group32",
            "--method",
            "gptq",
            "--calibration",
            files.text(20_000),
            "--rows",
            64,
            "--out",
            out,
        ),
        files.place / "cache-gptq",
    )
    run.pop("out")
    return {"minillm": run}


def first(files: Files, _) -> dict:
    found = {}
    for twin in ("jax", "numpy"):
        command = minillm(
            "generate",
            files.path,
            "--prompt",
            PROMPT,
            "--max-new-tokens",
            1,
            "--temperature",
            0,
            "--quiet",
            "--twin",
            twin,
        )
        for when in ("cold", "warm"):
            found[f"minillm {twin}, {when}"] = measured(
                command, files.place / f"cache-first-{twin}"
            )
    for name, path in (("transformers", files.folder()), ("llama.cpp", files.gguf("F32"))):
        found[name] = measured(
            others("first", str(path), name, 4, 0 if name == "transformers" else 1)
        )
    for run in found.values():
        run.pop("out")
    return found


class Contender:
    """A process that reads and writes once for each line it is sent."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )

    def ask(self, what: str):
        print(what, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise SystemExit(answer["error"])
        return answer["value"]

    def end(self):
        self.process.kill()
        self.process.communicate()


def generate(files: Files, rounds: int) -> dict:
    names = {}
    for twin in ("jax", "numpy"):
        for form in FORMS:
            about = json.dumps([str(files.path), None, twin, form, READ, WRITTEN])
            names[f"minillm {twin} {form}"] = [sys.executable, "-c", START, about]
    names["transformers float32"] = others(
        "turn", str(files.folder()), "transformers", READ, WRITTEN
    )
    for kind in LLAMA_CPP:
        names[f"llama.cpp {kind}"] = others(
            "turn", str(files.gguf(kind)), "llama.cpp", READ, WRITTEN
        )
    found = {}
    contenders = {}
    try:
        for name, command in names.items():
            contenders[name] = Contender(command)
            if name.startswith("minillm"):
                contenders[name].ask("start")  # loads, compiles
            found[name] = {"read": [], "write": []}
        for _ in range(rounds):
            for name, contender in contenders.items():
                read, write = contender.ask("turn")
                found[name]["read"].append(READ / read)
                found[name]["write"].append(WRITTEN / write)
        for name, contender in contenders.items():
            found[name]["peak_bytes"] = contender.ask("memory")
    finally:
        for contender in contenders.values():
            contender.end()
    return found


ROWS = {
    "evaluate": evaluate,
    "inspect": inspect,
    "gptq": gptq,
    "first": first,
    "generate": generate,
}


def shown(results: dict) -> str:
    """The rows as tables of at most 80 columns."""
    lines = []
    for row, about in results.items():
        lines += ["", f"{row}: {about['machine']['processor']}, {about['machine']['cores']} cores"]
        base = about["found"].get("transformers float32", {})
        for name, run in about["found"].items():
            if "write" in run:
                rate = statistics.median(run["write"])
                figures = f"{rate:8.1f} tokens/s  {rate / statistics.median(base['write']):6.2f} x"
            else:
                figures = (
                    f"{run['seconds']:8.1f} s {run.get('loss', run.get('verdict', ''))!s:>22.22}"
                )
            lines.append(f"  {name:32} {figures}  {run['peak_bytes'] / 1e6:7,.0f} MB")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", nargs="?", type=Path, metavar="PATH")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE")
    parser.add_argument("--process", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.process:
        return other(*json.loads(options.process))
    if options.path is None:
        from minillm.formats.get import get

        options.path = get("smollm2")
    with tempfile.TemporaryDirectory() as place:
        files = Files(options.path, Path(place))
        for row in options.only:
            began = time.perf_counter()
            found = ROWS[row](files, options.rounds)
            results = (
                json.loads(options.json.read_text(encoding="utf-8"))
                if options.json.exists()
                else {}
            )
            results[row] = {"machine": machine(), "found": found}
            results = {name: results[name] for name in ROWS if name in results}
            options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
            print(
                shown({row: results[row]}), f"\n  [{time.perf_counter() - began:.0f} s]", flush=True
            )


if __name__ == "__main__":
    main()
