"""`minillm bench`: how fast a model reads and writes on this machine, and what memory it takes."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import product
from tempfile import TemporaryDirectory, TemporaryFile

from minillm.cli import peers
from minillm.cli.forms import bytes_a_token, peak_memory, scheme_of_form
from minillm.cli.options import add_json, add_path, add_tokenizer_bin
from minillm.cli.parsing import add_command
from minillm.config import GenerateConfig
from minillm.errors import UserError

MATRIX = 2**26  # numbers of the matrix that measures the machine: 256 MB, more than any cache holds


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "bench", bench, "measure how fast a model reads and writes here",
        "minillm bench runs/nano\n"
        "  minillm bench PATH --forms float32 int8-channel int8-channel-a8 --json\n"
        "  minillm bench PATH --forms float32 int8-group32 --peers llama.cpp transformers\n"
        "  minillm bench PATH --forms float32 int8-group32 --llama2c llama2.c")
    add_path(command)
    add_tokenizer_bin(command)
    command.add_argument("--twins", nargs="+", choices=("numpy", "jax"), default=["numpy", "jax"],
                         help="which implementations take part")
    command.add_argument("--peers", nargs="+", choices=tuple(peers.PACKAGES), default=[],
                         help="other programs that take part, in the forms that they have")
    command.add_argument("--llama2c", metavar="DIR",
                         help="llama2.c takes part, too: the folder where make built its run "
                              "(float32) and runq (int8-group32)")
    command.add_argument("--forms", nargs="+", default=["float32"], metavar="FORM",
                         help="how matrices are kept: float32, float16, bfloat16, or a scheme of "
                              "minillm quantize; -a8 at its end quantizes activations too")
    command.add_argument("--prompt-tokens", type=int, default=64, metavar="N",
                         help="tokens of the prompt that is read")
    command.add_argument("--new-tokens", type=int, default=64, metavar="N",
                         help="tokens that are written after it")
    command.add_argument("--batches", nargs="+", type=int, default=[], metavar="N",
                         help="write N texts at once, too (after one token each)")
    command.add_argument("--rounds", type=int, default=3, metavar="N",
                         help="rounds; in each, everyone reads and writes once, in turn")
    add_json(command)


def bench(options):
    """Measure each twin in each form, in a process of its own, and print a table.

    The processes take turns, so that what else the machine does falls on all alike. The first call,
    which compiles, is timed apart. Raises UserError for a form that a twin does not have.
    """
    kinds = list(product(options.twins, options.forms))
    for twin, form in kinds:
        scheme_of_form(form)
        if (twin, form) == ("numpy", "bfloat16"):
            raise UserError("--forms bfloat16 is for --twins jax: NumPy has no such numbers")
    if min(options.prompt_tokens, options.new_tokens, options.rounds, *options.batches) < 1:
        raise UserError("--prompt-tokens, --new-tokens, --batches and --rounds are whole numbers "
                        "of at least 1")
    peers.taking_part(options)
    rate = bandwidth()
    with ExitStack() as stack:
        places = {kind: str(options.path) for kind in kinds}
        places |= peers.prepared(options, stack.enter_context(TemporaryDirectory()))
        workers = [_Worker(options, *kind, place) for kind, place in places.items()]
        for worker in workers:
            stack.callback(worker.end)
        results = [worker.ask("start") for worker in workers]
        times = [[worker.ask("turn") for worker in workers] for _ in range(options.rounds)]
        memory = [worker.ask("memory") for worker in workers]
    for result, peak, *rounds in zip(results, memory, *times, strict=True):
        read, write, *batches = zip(*rounds)
        result["read"] = [options.prompt_tokens / seconds for seconds in read]
        result["write"] = [options.new_tokens / seconds for seconds in write]
        result["batches"] = {size: [size * options.new_tokens / seconds for seconds in each]
                             for size, each in zip(options.batches, batches, strict=True)}
        result["peak_bytes"] = peak
        result["share"] = result["bytes"] * statistics.median(result["write"]) / rate
    report = {"path": str(options.path), "machine": machine(), "bytes_per_second": rate,
              "prompt_tokens": options.prompt_tokens, "new_tokens": options.new_tokens,
              "results": results}
    if options.json:
        print(json.dumps(report))
    else:
        show(report)


def show(report: dict):
    """The report as a table of at most 80 columns."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console, about = Console(), report["machine"]
    console.print(f"{about['processor']}, {about['cores']} cores; a matrix times a vector reads "
                  f"{report['bytes_per_second'] / 1e9:.1f} GB/s", highlight=False)
    console.print(f"{report['path']}: reads {report['prompt_tokens']} tokens, writes "
                  f"{report['new_tokens']}", highlight=False)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("twin form", overflow="fold")  # where the numbers need the room
    for name in ("first s", "reads/s", "writes/s", "range", "MB", "share", "peak MB"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in report["results"]:
        low, high = min(row["write"]), max(row["write"])
        table.add_row(f"{row['twin']} {row['form']}", f"{row['first_token_seconds']:.1f}",
                      f"{statistics.median(row['read']):,.0f}",
                      f"{statistics.median(row['write']):,.1f}", f"{low:,.0f}-{high:,.0f}",
                      f"{row['bytes'] / 1e6:,.1f}", f"{row['share']:.0%}",
                      f"{row['peak_bytes'] / 1e6:,.0f}")
    console.print(table)
    console.print(
        "first s: seconds to the first token, loading and compiling included. reads/s,\n"
        "writes/s: tokens a second, medians. MB: what a token is multiplied with. share:\n"
        "MB x writes/s, as a share of what the machine reads.", highlight=False)
    for row in report["results"]:
        one = statistics.median(row["write"])
        for size, each in row["batches"].items():
            rate = statistics.median(each)
            console.print(f"{row['twin']} {row['form']}, {size} texts at once: {rate:,.1f} "
                          f"tokens/s, {rate / one:.1f} times one", highlight=False)


def machine() -> dict:
    """What identifies the machine in a table."""
    import psutil

    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.split(":")[1].strip() for line in file
                         if line.startswith("model name")), name)
    except OSError:
        pass                                                     # not Linux
    return {"processor": name, "cores": psutil.cpu_count(logical=True),
            "system": platform.platform(), "python": platform.python_version()}


def bandwidth() -> float:
    """Bytes a second that this machine reads in a matrix times a vector, the best of five."""
    import numpy as np

    w, x = np.ones((MATRIX // 4096, 4096), np.float32), np.ones(4096, np.float32)
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        w @ x
        best = max(best, w.nbytes / (time.perf_counter() - began))
    return best


class _Worker:
    """One twin or peer with the model in one form, in a process of its own: a line in, a JSON line
    out. `place`: the model's path; of a peer, what peers.answers_of takes."""

    def __init__(self, options, twin: str, form: str, place):
        self.name = f"{twin} {form}"
        about = [place, options.tokenizer, twin, form, options.prompt_tokens, options.new_tokens,
                 options.batches]
        self.talk = TemporaryFile("w+", encoding="utf-8", errors="replace")   # llama.cpp tells much
        self.process = subprocess.Popen([sys.executable, "-c", START, json.dumps(about)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.talk, encoding="utf-8")

    def end(self):
        self.process.terminate()
        self.process.communicate()
        self.talk.close()

    def ask(self, what: str):
        """What the process answers. Raises UserError where it refuses or has ended."""
        try:
            print(what, file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.wait()
            self.talk.seek(0)
            last = (self.talk.read().strip().splitlines() or ["it said nothing"])[-1]
            raise UserError(f"{self.name}: its process ended ({last[:200]}): if this machine has "
                            "too little memory for all of them, choose fewer --forms") from None
        if "error" in answer:
            raise UserError(answer["error"])
        return answer["value"]


START = "import json, sys; from minillm.cli.bench import work; work(*json.loads(sys.argv[1]))"


def work(path, tokenizer, twin: str, form: str, prompt_tokens: int, new_tokens: int, batches):
    """What a worker's process does: answers a line with a line."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)                                      # what a library prints is not an answer
        try:
            answers = None
            for line in sys.stdin:
                answers = answers or answers_of(path, tokenizer, twin, form, prompt_tokens,
                                                new_tokens, batches)     # loaded when it is asked
                print(json.dumps({"value": answers[line.strip()]()}), file=out, flush=True)
        except UserError as error:
            print(json.dumps({"error": str(error)}), file=out, flush=True)


def answers_of(path, tokenizer, twin: str, form: str, prompt_tokens: int, new_tokens: int,
               batches: list[int]) -> dict:
    """{what a worker is asked: how it finds the answer}. Loads the model. Raises UserError."""
    import numpy as np

    from minillm.loading import load, twin_package
    from minillm.quantization.model import quantize_model

    if twin in peers.FORMS:
        return peers.answers_of(path, twin, form, prompt_tokens, new_tokens)
    began, scheme = time.perf_counter(), scheme_of_form(form)
    model = load(path, tokenizer, form if scheme is None else "float32")
    config = model.config
    if prompt_tokens + new_tokens >= config.max_position_embeddings:
        raise UserError(f"{path}: reads {config.max_position_embeddings} tokens: choose fewer "
                        "--prompt-tokens or --new-tokens")
    if scheme is not None:
        model = replace(model, params=quantize_model(model.params, config, scheme))
    size = bytes_a_token(model.params)
    model, rng = model.on(twin, writing=True), np.random.default_rng(0)

    def once() -> list[float]:
        """When the call began, and when each token was there."""
        prompt = rng.integers(0, config.vocab_size, prompt_tokens).tolist()
        settings = GenerateConfig(max_new_tokens=new_tokens + 1, temperature=0)
        times = [time.perf_counter()]
        for _ in twin_package(twin).generate(model.params, prompt, config, settings):
            times.append(time.perf_counter())
        return times

    def batch(size: int) -> float:
        """Seconds of `size` texts that are written at once."""
        prompts = rng.integers(0, config.vocab_size, (size, 1)).tolist()
        settings = GenerateConfig(max_new_tokens=new_tokens, temperature=0)
        began = time.perf_counter()
        for _ in twin_package(twin).generate_batch(model.params, prompts, config, settings):
            pass
        return time.perf_counter() - began

    def start() -> dict:
        first = once()[1] - began
        turn()                                                   # a second time, all is compiled
        return {"twin": twin, "form": form, "first_token_seconds": first, "bytes": size}

    def turn() -> list[float]:
        times = once()
        return [times[1] - times[0], times[-1] - times[1], *map(batch, batches)]

    return {"start": start, "turn": turn, "memory": peak_memory}
