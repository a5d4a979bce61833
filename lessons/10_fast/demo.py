"""Lesson 10: one training step in NumPy, in JAX and in PyTorch, and where the time goes."""

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from minillm.course.demos import main, measured

HERE = Path(__file__).parent
YARDSTICK = HERE.parents[1] / "benchmarks"                # torch_llama.py lies there, in a clone
WAYS = {"NumPy": "NumPy", "eager": "JAX, each operation by itself", "jit": "JAX, compiled, one step a dispatch", "scan": "JAX, compiled, many steps a dispatch",
        "torch": "PyTorch", "torch compiled": "PyTorch, compiled"}
NUMBERS = ("float64, NumPy", "float32, NumPy", "float32, JAX", "bfloat16, JAX")
ROUNDS = 2


def compute(console, full):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(YARDSTICK), os.environ.get("PYTHONPATH", "")])}
    sys.path.insert(0, str(HERE))
    try:
        import contenders
        contenders.one_core()                                        # before NumPy starts its threads
        import parts
    finally:
        sys.path.remove(str(HERE))
    sizes, runs, first, times = list(contenders.SIZES), {}, {}, {}
    torch = find_spec("torch") and YARDSTICK.is_dir()
    others = start(("torch", "torch compiled") if full else ("torch",), environment) if torch else {}       # their own processor time counts, so they may run beside
    for size in sizes:
        console.print(f"compiling, {size} ...")
        runs[size] = {"NumPy": contenders.numpy_steps(size)}
        for way in ("jit", "scan", "eager") if full or size == "small" else ("jit", "scan"):
            began = time.process_time()
            runs[size][way] = contenders.jax_steps(size, way)
            runs[size][way][0]()
            first[size, way] = time.process_time() - began
    for process in others.values():
        first |= {(size, name): seconds for size, name, seconds in answer(process)}
    for size in sizes:
        for _ in range(ROUNDS):                       # interleaved, so that a change in the machine's mood meets all of them
            for way, (run, steps) in runs[size].items():
                times.setdefault((size, way), []).append(contenders.seconds(run, steps, contenders.SIZES[size][-1]))
            for process in others.values():
                for name, seconds in answer(process, size).items():
                    times.setdefault((size, name), []).append(seconds)
    stop(others)
    times = {(size, way): min(times.get((size, way), [0])) for size in sizes for way in WAYS}
    for size in sizes:
        console.print(f"{size}: " + ", ".join(f"{label} {1e3 * times[size, way]:.2f} ms" for way, label in WAYS.items()))
    numbers, found = parts.kinds_of_number(), {}
    for size in sizes:
        found |= of_size(size, times, first, parts.of_numpy(size), parts.of_jax(size, runs[size]["jit"][0].program), contenders.SIZES[size][-2], parts, numbers["bytes_a_second"])
    found |= (cores(environment) if full else {}) | of_numbers(numbers)
    found |= {f"{name}_{i}": measured(value, band["low"], band["high"]) for name, band in found.items() if isinstance(band["value"], list)
              for i, value in enumerate(band["value"]) if not isinstance(value, list)}                 # a page names one number at a time
    tokens = {size: contenders.SIZES[size][4] * contenders.SIZES[size][5] for size in sizes}
    config = {size: contenders.setting(size)[0] for size in sizes}
    from minillm.architecture.llama import count, table
    from minillm.architecture.tree import flatten
    from minillm.in_jax.generate import ROOM
    arrays = 3 * len(flatten(table(config["small"]))) + 1                    # parameters, two moments, the number of the step
    return {"exact": {"sizes": sizes, "room": ROOM, "arrays": arrays, "parameters": {size: count(config[size]) for size in sizes}, "tokens": tokens,
                      "width": {size: config[size].hidden_size for size in sizes}, "steps": {size: contenders.SIZES[size][-2] for size in sizes}}, "measured": found}


def start(kinds, environment):
    """{kind: process of contenders.py}."""
    return {kind: subprocess.Popen([sys.executable, str(HERE / "contenders.py"), *kind.split()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=environment) for kind in kinds}


def answer(process, size=None):
    """The next line of a process, after asking for a size."""
    if size:
        process.stdin.write(size + "\n")
        process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args}: ended with status {process.wait()}")
    return json.loads(line)


def stop(processes):
    for process in processes.values():
        process.stdin.close()
        process.wait()


def cores(environment):
    """How many times faster the large step is with two cores than with one, by the clock on the wall."""
    found, processes = {}, start(("one", "two", "devices"), environment)
    for process in processes.values():
        answer(process)
    for _ in range(2 * ROUNDS):
        for kind, process in processes.items():
            for name, seconds in answer(process, "large").items():
                found.setdefault((kind, name), []).append(seconds)
    stop(processes)
    best = {key: min(values) for key, values in found.items()}
    gains = [best["one", "NumPy"] / best["two", "NumPy"], best["one", "scan"] / best["two", "scan"], best["one", "scan"] / best["devices", "scan"]]
    return {"cores": measured(gains, 0.3, 8)}


def of_size(size, times, first, numpy, jax, many, parts, bytes_a_second):
    """What is kept of the measurements at one size: ratios, counts, and shares of the step."""
    import jax.numpy as jnp
    import numpy as np
    step = {way: times[size, way] for way in WAYS}
    starts = {"NumPy": numpy["operations"] * parts.start_of_operation(np), "eager": jax["operations"] * parts.start_of_operation(jnp) + jax["tracing"],
              "jit": jax["start"], "scan": jax["start"] / many}
    products = {"NumPy": numpy["products"]} | dict.fromkeys(("eager", "jit", "scan"), jax["products"])
    compiled = {way: first.get((size, way), 0) for way in ("jit", "scan", "torch compiled")}
    found = {
        "times": measured([step[way] / step["scan"] for way in WAYS], 0, 2000),
        "compiling": measured([seconds / step["scan"] for seconds in compiled.values()], 0, 1e6),
        "pays": measured(compiled["jit"] / max(step["NumPy"] - step["jit"], 1e-6), 0, 1e8),
        "starts": measured([starts[way] / step[way] if step[way] else 0 for way in starts], 0, 2),
        "products": measured([products[way] / step[way] if step[way] else 0 for way in products], 0, 2),
        "operations": measured([numpy["operations"], jax["operations"], 1, 1 / many], 0, 20000),
        "one_start": measured([parts.start_of_operation(jnp) / parts.start_of_operation(np), jax["start"] / parts.start_of_operation(np)], 1, 10000),
        "others": measured(numpy["others"] / step["NumPy"], 0, 2),
        "moving": measured([numpy["bytes"] / bytes_a_second / step["NumPy"], jax["kernel_bytes"] / bytes_a_second / step["scan"]], 0, 20),
        "tracing": measured(jax["tracing"] / step["eager"] if step["eager"] else 0, 0, 2),
        "kernels": measured(jax["kernels"], 50, 5000), "dots": measured(jax["dots"], 20, 500),
        "bytes": measured(jax["bytes"] / jax["kernel_bytes"], 1, 20), "dot_flops": measured(jax["dot_flops"] / jax["flops"], 0.5, 1.5),
        "flops_a_byte": measured(jax["flops"] / jax["kernel_bytes"], 0.5, 500), "speed": measured(jax["dot_flops"] / step["scan"], 1e8, 1e14)}
    return {f"{size}_{name}": value for name, value in found.items()}


def of_numbers(times):
    unit = {name: times[name]["float32, JAX"] for name in ("square", "vector")}
    speed = 2 * 1024**3 / times["square"]["float32, JAX"]
    return {"number_times": measured([[times[name][kind] / unit[name] for kind in NUMBERS] for name in unit], 0.01, 100),
            "number_errors": measured(times["square_errors"], 0, 0.1), "product_speed": measured(speed / 1e9, 1, 1e5),
            "bytes_a_second": measured(times["bytes_a_second"] / 1e9, 0.1, 1e4), "balance": measured(speed / times["bytes_a_second"], 0.5, 1000)}


if __name__ == "__main__":
    main(globals())
