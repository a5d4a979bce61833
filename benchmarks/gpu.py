"""Training at 125M parameters on one GPU: the JAX twin against compiled PyTorch, in one run.

    python benchmarks/gpu.py [--size 125M] [--rounds 5] [--json FILE]

NOT RUN ON A GPU YET: it was written on a machine without one, where `--size tiny` runs it on the
CPU. Both keep float32 parameters and moments and compute in bfloat16, with sums in float32; both
have fused attention: `jax.nn.dot_product_attention` (cuDNN's) and scaled_dot_product_attention.
PyTorch does as nanoGPT does: torch.compile, autocast, fused AdamW. Needs torch. Contenders live in
processes of their own and take turns. MFU is FLOP by scale_plan.py over the peak of the device.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from minillm.config import ModelConfig, TrainConfig

sys.path.insert(0, str(Path(__file__).parent))
from scale_plan import flop_per_token  # noqa: E402

SIZES = {   # config, settings, steps of a round; 125M is GPT-2 small's shape with a LLaMA's parts
    "125M": (ModelConfig(vocab_size=50304, hidden_size=768, intermediate_size=2048,
                         num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=12,
                         head_dim=64, max_position_embeddings=1024),
             TrainConfig(batch_size=32, context=1024, optimizer="adamw", cpu_devices=1), 20),
    "tiny": (ModelConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                         max_position_embeddings=32),
             TrainConfig(batch_size=4, context=32, optimizer="adamw", cpu_devices=1), 2),
}
# Dense bfloat16, in TFLOP/s, by a word of the device's name (NVIDIA's data sheets).
PEAKS = {"H100": 989.4, "H200": 989.4, "A100": 312.0, "L4": 121.0, "4090": 165.2}
CONTENDERS = ("minillm (jax)", "pytorch, compiled")


def fused_attend(q_BKGTE, k_BKSE, v_BKSE, start, slopes_KG=None, tap=None):
    """`minillm.in_jax.ops.attend` by one fused kernel, for whole texts: start is 0."""
    import jax

    assert start == 0 and slopes_KG is None
    B, K, G, T, E = q_BKGTE.shape
    q_BTHE = q_BKGTE.reshape(B, K * G, T, E).swapaxes(1, 2)
    kernel = "cudnn" if jax.default_backend() == "gpu" else "xla"
    z_BTHE = jax.nn.dot_product_attention(q_BTHE, k_BKSE.swapaxes(1, 2), v_BKSE.swapaxes(1, 2),
                                          is_causal=True, implementation=kernel)
    return z_BTHE.swapaxes(1, 2).reshape(B, K, G, T, E)


def jax_steps(config, train):
    """(a function that takes N steps, the name of the device)."""
    import jax
    import jax.numpy as jnp

    from minillm.architecture.llama import init
    from minillm.in_jax import model
    from minillm.in_jax.ops import cross_entropy
    from minillm.in_jax.train import init_state, take_step

    model.attend = fused_attend

    def loss(params, tokens_BT, targets_BT):
        half = jax.tree.map(lambda w: w.astype(jnp.bfloat16), params)
        logits_BTV, _ = model.forward(half, tokens_BT, config)
        return cross_entropy(logits_BTV.astype(jnp.float32), targets_BT)

    def step(state, batch):
        return take_step(state, *jax.value_and_grad(loss)(state["params"], *batch), train)

    steps = jax.jit(lambda state, *batches: jax.lax.scan(step, state, batches), donate_argnums=0)
    state = init_state(init(config, np.random.default_rng(0)))

    def run(tokens_NBT, targets_NBT):
        nonlocal state
        state, metrics = steps(state, tokens_NBT, targets_NBT)
        return float(metrics["loss"][-1])

    return run, jax.devices()[0].device_kind


def torch_steps(config, train):
    """The same in PyTorch."""
    import torch

    from torch_llama import Llama

    gpu = torch.cuda.is_available()
    device = "cuda" if gpu else "cpu"
    torch.set_float32_matmul_precision("high")
    model = Llama(config).to(device)
    compiled = torch.compile(model) if gpu else model      # no compiler is needed to test it
    optimizer = torch.optim.AdamW(model.parameters(), lr=train.learning_rate, fused=gpu,
                                  betas=(train.beta1, train.beta2), weight_decay=train.weight_decay)

    def run(tokens_NBT, targets_NBT):
        batches = (torch.from_numpy(x).long().to(device) for x in (tokens_NBT, targets_NBT))
        for tokens, targets in zip(*batches):
            with torch.autocast(device, torch.bfloat16):
                loss = compiled(tokens, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), train.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return loss.item()                                 # waits for the device

    return run, torch.cuda.get_device_name() if gpu else "cpu"


def worker(name: str, size: str):
    """Compile, say so, then run a round for every line on standard input."""
    config, train, count = SIZES[size]
    tokens_NBT = np.random.default_rng(0).integers(
        0, config.vocab_size, (count, train.batch_size, train.context + 1)).astype(np.int32)
    batches = tokens_NBT[..., :-1].copy(), tokens_NBT[..., 1:].copy()
    run, device = (jax_steps if "jax" in name else torch_steps)(config, train)
    run(*batches)
    print(json.dumps(device), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        loss = run(*batches)
        speed = batches[0].size / (time.perf_counter() - began)
        print(json.dumps({"tokens_per_second": speed, "loss": loss}), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--size", choices=SIZES, default="125M")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--json", help="write the figures here")
    options.add_argument("--worker", help=argparse.SUPPRESS)
    options = options.parse_args()
    if options.worker:
        return worker(options.worker, options.size)
    config, train, _ = SIZES[options.size]
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}     # two share the memory
    workers = {name: subprocess.Popen(
        [sys.executable, __file__, "--size", options.size, "--worker", name], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for name in CONTENDERS}
    devices = {name: json.loads(process.stdout.readline()) for name, process in workers.items()}
    rounds = {name: [] for name in workers}
    for _ in range(options.rounds):
        for name, process in workers.items():
            process.stdin.write("go\n")
            process.stdin.flush()
            rounds[name].append(json.loads(process.stdout.readline()))
    for process in workers.values():
        process.communicate()
    peak = next((p for word, p in PEAKS.items() if word in devices[CONTENDERS[0]]), None)
    results = {"size": options.size, "devices": devices, "contenders": {}}
    for name, found in rounds.items():
        speed = statistics.median(r["tokens_per_second"] for r in found)
        mfu = peak and speed * flop_per_token(config, train.context) / (peak * 1e12)
        results["contenders"][name] = {"tokens_per_second": speed, "mfu": mfu, "rounds": found}
        print(f"{name:20} {speed:12,.0f} tokens/s   MFU "
              f"{'unknown' if mfu is None else f'{mfu:.1%}'}   loss {found[-1]['loss']:.3f}")
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
