"""The contenders of lesson 10: one training step of one LLaMA, done in different ways. demo.py starts some of them as processes.

    python lessons/10_fast/contenders.py KIND

KIND: torch, torch compiled (processor time on one core); one, two, devices (NumPy and JAX by the clock on the wall: on one core, on all,
on all as two devices). Prints a line of JSON, [[size, name, seconds until the first call is done]], then, for every line with a size
on standard input, {name: seconds of one step}.
"""

import json
import os
import sys
import time

VOCABULARY = 512
SIZES = {                                    # D, F, layers, heads, batch, context, steps in one dispatch, seconds of one measurement
    "small": (64, 172, 1, 2, 4, 32, 32, 0.1), "large": (256, 688, 1, 8, 4, 128, 4, 0.25)}


def setting(size):
    """config, train, tokens_NBT, targets_NBT of a size."""
    import numpy as np

    from minillm.config import ModelConfig, TrainConfig
    D, F, L, H, B, T, N, _ = SIZES[size]
    config = ModelConfig(vocab_size=VOCABULARY, hidden_size=D, intermediate_size=F, num_hidden_layers=L, num_attention_heads=H, num_key_value_heads=H,
                         head_dim=D // H, max_position_embeddings=T)
    tokens_NBT = np.random.default_rng(0).integers(0, VOCABULARY, (N, B, T + 1)).astype(np.int32)
    train = TrainConfig(batch_size=B, context=T, optimizer="adamw", learning_rate=1e-3)
    return config, train, tokens_NBT[..., :-1].copy(), tokens_NBT[..., 1:].copy()


def parameters(config):
    import numpy as np

    from minillm.architecture.llama import init
    return init(config, np.random.default_rng(0))


def numpy_steps(size):
    """(a function that takes some steps, how many)."""
    from minillm import in_numpy
    config, train, tokens_NBT, targets_NBT = setting(size)
    state = in_numpy.init_state(parameters(config))

    def run():
        nonlocal state
        state, _ = in_numpy.train_step(state, tokens_NBT[0], targets_NBT[0], config, train)
    return run, 1


def jax_steps(size, way):
    """(a function that takes some steps, how many). way "eager": each operation by itself; "jit": one step a dispatch; "scan": many.

    Compiled ahead of the first call, so that it is known how long that takes; `run.program` is the program.
    """
    import jax

    from minillm.in_jax import init_state, train_step
    from minillm.in_jax.train import _train_steps
    config, train, tokens_NBT, targets_NBT = setting(size)
    state, batch = init_state(parameters(config)), (tokens_NBT, targets_NBT) if way == "scan" else (tokens_NBT[0], targets_NBT[0])
    if way == "eager":
        def step(state, *batch):
            return train_step.__wrapped__(state, *batch, config, train)
    else:
        step = (_train_steps if way == "scan" else train_step).lower(state, *batch, config, train).compile()

    def run():
        nonlocal state
        state, _ = step(state, *batch)
        jax.block_until_ready(state)
    run.program = step
    return run, len(tokens_NBT) if way == "scan" else 1


def torch_steps(size, compiled):
    """minillm's yardstick, benchmarks/torch_llama.py; without compilation the same with torch.compile left out."""
    import tempfile
    from unittest import mock
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()          # compiled anew, not found from an earlier run
    import torch

    import torch_llama
    torch.set_num_threads(1)
    config, train, tokens_NBT, targets_NBT = setting(size)
    with mock.patch("torch.compile", torch.compile if compiled else lambda model: model):
        steps = torch_llama.stepper(config, train)
    return lambda: steps(tokens_NBT, targets_NBT), len(tokens_NBT)


def seconds(run, steps, budget, clock=time.process_time):
    """Seconds of one step, the mean over as many runs as fit in `budget`. The processor's time does not count waiting for other programs."""
    runs, began = 0, clock()
    while clock() - began < budget:
        run()
        runs += 1
    return (clock() - began) / (runs * steps)


def one_core(which=max):
    """From here on this process uses one core, the last or the first; before NumPy and JAX start. Where a process cannot be tied to a core, the libraries are told."""
    for library in ("OPENBLAS", "MKL", "OMP", "VECLIB"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {which(range(os.cpu_count()))})


def made(kind):
    """{(size, name): make}, make() giving (run, steps), of a process."""
    if kind.startswith("torch"):
        return {(size, kind): lambda size=size: torch_steps(size, kind.endswith("compiled")) for size in SIZES}
    return {("large", "scan"): lambda: jax_steps("large", "scan")} | ({} if kind == "devices" else {("large", "NumPy"): lambda: numpy_steps("large")})


def main(kind):
    wall = kind in ("one", "two", "devices")
    if kind not in ("two", "devices"):
        one_core(min)
    elif hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count()))                # what started this may be tied to one
    if kind == "devices":
        from minillm.in_jax.sharding import use_cpu_devices
        use_cpu_devices(2)
    runs, first, clock = {}, [], time.perf_counter if wall else time.process_time
    for (size, name), make in made(kind).items():
        began = clock()
        run, steps = make()
        run()
        first.append((size, name, clock() - began))
        runs.setdefault(size, {})[name] = run, steps
    print(json.dumps(first), flush=True)
    for size in sys.stdin:
        size = size.strip()
        print(json.dumps({name: seconds(run, steps, SIZES[size][-1], clock) for name, (run, steps) in runs.get(size, {}).items()}), flush=True)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
