"""Decoding speed, greedy: both twins against plain C, Hugging Face's generate and llama2.c, in one run.

    python benchmarks/decoding_speed.py [--rounds 3] [--only 15M] [--llama2c PATH/TO/run] [--json FILE]

Shapes of the TinyLlamas (260K, 15M, 110M parameters) and of SmolLM2-135M with random weights; 200 new tokens a round, rounds
interleaved, compilation apart; one text at a time, and in JAX also 8 and 32 texts at once. Plain C is plain_llama.c beside this file, built with -Ofast and OpenMP where there is a C compiler: the loops
of llama2.c, which takes part itself where --llama2c names its program (its Makefile's `runomp`). Hugging Face takes part where
torch and transformers are installed (`pip install -e ".[parity]"`).
"""

import argparse
import json
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minillm.architecture.llama import count, init
from minillm.config import GenerateConfig, ModelConfig


def shape(hidden, inner, layers, heads, kv_heads, vocab, context) -> ModelConfig:
    return ModelConfig(vocab_size=vocab, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers,
                       num_attention_heads=heads, num_key_value_heads=kv_heads, head_dim=hidden // heads,
                       max_position_embeddings=context, bos_token_id=1, eos_token_id=None)


SIZES = {"260K": shape(64, 172, 5, 8, 4, 512, 512), "15M": shape(288, 768, 6, 6, 6, 32000, 256),
         "110M": shape(768, 2048, 12, 12, 12, 32000, 1024)}
SHAPES = SIZES | {"SmolLM2": shape(576, 1536, 30, 9, 3, 49152, 2048)}
NEW_TOKENS, BATCHES = 200, {"jax, 8 texts": 8, "jax, 32 texts": 32}


def worker(kind: str, size: str):
    """Write NEW_TOKENS once, say how long the first time took, then once more for every line on standard input."""
    config = SHAPES[size]
    params = init(config, np.random.default_rng(0))
    if kind in BATCHES:
        from minillm import in_jax
        params, rows = in_jax.by_rows(params), BATCHES[kind]

        def run() -> float:
            began, how = time.perf_counter(), GenerateConfig(NEW_TOKENS, temperature=0)
            written = sum(1 for _ in in_jax.generate_batch(params, [[1]] * rows, config, how))
            assert written == rows * NEW_TOKENS
            return written / (time.perf_counter() - began)
    elif kind in ("numpy", "jax"):
        from importlib import import_module
        generate = import_module(f"minillm.in_{kind}").generate
        if kind == "jax":
            import jax
            params = jax.tree.map(jax.numpy.asarray, params)

        def run() -> float:
            times = [time.perf_counter()]
            for _ in generate(params, [1], config, GenerateConfig(NEW_TOKENS, temperature=0)):
                times.append(time.perf_counter())
            assert len(times) == NEW_TOKENS + 1
            return NEW_TOKENS / (times[-1] - times[0])
    else:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM
        model = LlamaForCausalLM(LlamaConfig(
            vocab_size=config.vocab_size, hidden_size=config.hidden_size, intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers, num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads, max_position_embeddings=config.max_position_embeddings,
            tie_word_embeddings=True, eos_token_id=None)).eval()

        def run() -> float:
            began = time.perf_counter()
            with torch.no_grad():
                tokens = model.generate(torch.tensor([[1]]), max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0)
            assert tokens.shape == (1, NEW_TOKENS + 1)
            return NEW_TOKENS / (time.perf_counter() - began)
    began = time.perf_counter()
    run()
    print(json.dumps(time.perf_counter() - began), flush=True)
    for _ in sys.stdin:
        print(json.dumps(run()), flush=True)


def llama2c_files(folder: Path, size: str) -> list[str]:
    """A checkpoint of zeros and a tokenizer in llama2.c's format: its time does not depend on the weights."""
    c = SHAPES[size]
    with open(folder / "model.bin", "wb") as file:
        file.write(struct.pack("<7i", c.hidden_size, c.intermediate_size, c.num_hidden_layers, c.num_attention_heads,
                               c.num_key_value_heads, c.vocab_size, c.max_position_embeddings))
        file.truncate(28 + 4 * (count(c) + c.max_position_embeddings * c.head_dim))
    with open(folder / "tokenizer.bin", "wb") as file:
        file.write(struct.pack("<i", 8))
        for i in range(c.vocab_size):
            word = f"w{i}".encode()
            file.write(struct.pack("<fi", -float(i), len(word)) + word)
    return [str(folder / "model.bin"), "-z", str(folder / "tokenizer.bin"), "-t", "0", "-n", str(NEW_TOKENS + 1)]


def plain_c(folder: Path) -> str:
    """The program of plain_llama.c; "" without a C compiler."""
    if not shutil.which("gcc"):
        return ""
    subprocess.run(["gcc", "-Ofast", "-fopenmp", "-march=native", Path(__file__).parent / "plain_llama.c", "-lm", "-o",
                    folder / "plain_llama"], check=True)
    return str(folder / "plain_llama")


def plain_c_round(program: str, size: str, group: int = 0) -> float:
    """Tokens/s; in int8 with a scale for `group` numbers, or in float32."""
    c = SHAPES[size]
    sizes = (c.hidden_size, c.intermediate_size, c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads, c.vocab_size,
             NEW_TOKENS)
    return float(subprocess.run([program, *map(str, sizes), *([str(group)] if group else [])], capture_output=True, check=True, env=both_cores()).stdout)


def both_cores() -> dict:
    """The environment, with a thread of OpenMP for each core."""
    return os.environ | {"OMP_NUM_THREADS": str(os.cpu_count())}


def llama2c_round(program: str, arguments: list[str]) -> float:
    done = subprocess.run([program, *arguments], capture_output=True, env=both_cores())
    return float(re.search(rb"tok/s: ([0-9.]+)", done.stderr).group(1))


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", choices=SHAPES)
    options.add_argument("--llama2c", help="llama2.c's program")
    options.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options.add_argument("--json", help="write the figures here")
    options = options.parse_args()
    if options.worker:
        return worker(*options.worker)
    results = {}
    for size in [options.only] if options.only else SHAPES:
        workers, speeds = {}, {}
        for kind in ("jax", *BATCHES, "numpy", "transformers"):
            process = subprocess.Popen([sys.executable, __file__, "--worker", kind, size], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            first = process.stdout.readline()
            if first:
                workers[kind], speeds[kind] = process, []
                print(f"{size}: {kind}: first round {float(first):.1f} s", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            arguments, compiled = llama2c_files(Path(folder), size), plain_c(Path(folder))
            for _ in range(options.rounds):
                for kind, process in workers.items():
                    process.stdin.write("go\n")
                    process.stdin.flush()
                    speeds[kind].append(json.loads(process.stdout.readline()))
                if compiled:
                    speeds.setdefault("plain C", []).append(plain_c_round(compiled, size))
                if options.llama2c:
                    speeds.setdefault("llama2.c", []).append(llama2c_round(options.llama2c, arguments))
        for process in workers.values():
            process.stdin.close()
            process.wait()
        base = statistics.median(speeds.get("transformers", speeds["numpy"]))
        for kind, values in speeds.items():
            print(f"{size}: {kind:13} {statistics.median(values):9,.0f} tokens/s  {statistics.median(values) / base:6.2f} times "
                  f"{'transformers' if 'transformers' in speeds else 'numpy'}  ({', '.join(f'{v:,.0f}' for v in values)})", flush=True)
        results[size] = speeds
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
