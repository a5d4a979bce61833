"""Real English that every machine has, Python's own documentation: bits per byte of held-out text.

    python benchmarks/python_docs.py [--steps 500] [--seeds 3] [--json FILE]

minillm      what `minillm pretrain python-docs --cpu-devices 1 --steps 500` trains: nano, with all
             other defaults, in JAX; the model of the last step
transformers LlamaForCausalLM of the same shape with its own start, trained in PyTorch: the same
             tokenizer, the same rows in the same order, the same warm-up and cosine; AdamW as LLaMA
             (arXiv:2302.13971, section 2.3) at the best of several rates, found with seed 0 on the
             held-out text itself
PPM          ppm.py of the best order, which has read the training text; once goes on learning from
             the held-out text, as a compressor does, once it does not
xz -9        size(training + held-out text) - size(training text); its window, 64 MiB, holds both

The models pay for the end-of-text token between documents, PPM and xz for a zero byte there; the
bits are divided by the bytes of the text alone. The models read windows of 256 tokens side by side
and learn nothing from what is held out. Needs torch and transformers. One core; half an hour. Each
run is written when it is done, and one that FILE has is not run again. The text depends on Python's
version, so its SHA-256 stands with the figures.
"""

import argparse
import json
import lzma
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from minillm import in_jax, load, training
from minillm.architecture.llama import count, init
from minillm.cli.bench import machine
from minillm.config import TrainConfig, preset
from minillm.files import write_json
from minillm.in_jax.sharding import use_cpu_devices
from minillm.in_numpy.optimizer import schedule
from minillm.text import tokenizer as tokenizers
from minillm.text.corpora import read_corpus
from minillm.text.dataset import prepare
from ppm import PPM

RESULTS = Path(__file__).parent / "results" / "python_docs.json"
MODEL, VOCABULARY = "nano", 1792                     # the defaults of `minillm pretrain`
SHAPE = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim",
         "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
         "tie_word_embeddings")
ADAMW = {"betas": (0.9, 0.95), "eps": 1e-8}


def bits_per_byte(params, config, dataset) -> float:
    """Over all of the held-out text, as `minillm pretrain` says it at the end."""
    rows = training.held_out(dataset, config.max_position_embeddings)
    return training.evaluate(in_jax, params, config, rows, 16)["bits_per_byte"]


def with_minillm(dataset, config, train) -> dict:
    """Train in JAX and measure."""
    began = time.process_time()
    begin = in_jax.init_state(init(config, np.random.default_rng(train.seed)))
    *_, (_, state, _) = training.steps(in_jax, begin, dataset, config, train)
    seconds = time.process_time() - began
    return {"bits_per_byte": bits_per_byte(state["params"], config, dataset),
            "cpu_seconds": seconds}


def with_transformers(dataset, config, train, rate: float) -> dict:
    """Train in PyTorch and measure, in PyTorch and with minillm, which must say the same."""
    import torch
    import transformers
    from torch.nn.functional import cross_entropy

    torch.manual_seed(train.seed)
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        **{name: getattr(config, name) for name in SHAPE}))
    assert sum(w.numel() for w in model.parameters()) == count(config)

    def nats(tokens_BT, targets_BT, **options):
        logits_BTV = model(torch.tensor(tokens_BT, dtype=torch.long), use_cache=False).logits
        targets_BT = torch.tensor(targets_BT, dtype=torch.long)
        return cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten(), **options)

    weights = list(model.parameters())
    groups = [{"params": [w for w in weights if w.ndim == 2], "weight_decay": train.weight_decay},
              {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, **ADAMW)
    began = time.process_time()
    for step in range(train.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * float(schedule(step, train))
        tokens_NBT, targets_NBT = training.batches(dataset, train, step, step + 1)
        nats(tokens_NBT[0], targets_NBT[0]).backward()
        torch.nn.utils.clip_grad_norm_(weights, train.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.process_time() - began
    rows = training.held_out(dataset, config.max_position_embeddings)
    parts = range(0, len(rows.tokens_NT), 16)
    with torch.no_grad():
        total = sum(nats(rows.tokens_NT[i : i + 16], rows.targets_NT[i : i + 16],
                         reduction="sum").item() for i in parts)
    found = total / np.log(2) / rows.text_bytes
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        loaded = load(folder)
    ours = bits_per_byte(loaded.params, loaded.config, dataset)
    assert abs(ours / found - 1) < 1e-5, (found, ours)
    return {"bits_per_byte": found, "cpu_seconds": seconds}


def as_bytes(documents: list[str]) -> bytes:
    """All documents, a zero byte before each."""
    return b"".join(b"\0" + document.encode() for document in documents)


def with_ppm(corpus, order: int) -> dict:
    """PPM that has read the training text: learning from the held-out text, and not (`frozen`)."""
    ppm, began = PPM(order), time.process_time()
    train, held_out = as_bytes(corpus.train), as_bytes(corpus.validation)
    ppm.bits(train)
    bits = {name: ppm.bits(train + held_out, len(train), learn)
            for name, learn in (("frozen", False), ("bits_per_byte", True))}
    text = sum(len(document.encode()) for document in corpus.validation)
    return {name: value / text for name, value in bits.items()} | {
        "cpu_seconds": time.process_time() - began}


def with_xz(corpus) -> dict:
    """xz -9 that has read the training text."""
    began = time.process_time()
    train, held_out = as_bytes(corpus.train), as_bytes(corpus.validation)
    size = len(lzma.compress(train + held_out, preset=9)) - len(lzma.compress(train, preset=9))
    text = sum(len(document.encode()) for document in corpus.validation)
    return {"bits_per_byte": 8 * size / text, "cpu_seconds": time.process_time() - began}


def measure(options, corpus, dataset, tokenizer):
    """Make the runs that the file does not have yet."""
    end = tokenizer.special_tokens[tokenizers.END_OF_TEXT]
    trains = [TrainConfig(steps=options.steps, seed=seed, cpu_devices=1)
              for seed in range(options.seeds)]
    config = preset(MODEL, vocab_size=tokenizer.vocab_size, context=trains[0].context,
                    bos_token_id=end, eos_token_id=end)
    setting = {
        "text": corpus.description, "fingerprint": corpus.fingerprint(), "model": MODEL,
        "documents": [len(corpus.train), len(corpus.validation)],
        "bytes": [dataset.train_bytes, dataset.validation_bytes],
        "training_tokens": len(dataset.train), "held_out_tokens": len(dataset.validation),
        "vocabulary": config.vocab_size, "parameters": count(config),
        "tokens": options.steps * trains[0].batch_size * trains[0].context,
        "epochs": training.epochs(dataset, trains[0], options.steps),
        "train": {name: value for name, value in asdict(trains[0]).items() if name != "seed"},
        "adamw": {"betas": list(ADAMW["betas"]), "eps": ADAMW["eps"]}}
    results = {"machine": machine(), "setting": setting, "runs": {}}
    if options.json.exists():
        results = json.loads(options.json.read_text(encoding="utf-8"))
        if results["setting"] != setting:
            sys.exit(f"{options.json}: was measured with another text or other settings: "
                     "give another --json")
    runs = results["runs"]

    def run(name: str, job, *about):
        if name not in runs:
            runs[name] = job(*about)
            print(f"{name}: {runs[name]['bits_per_byte']:.4f} bits per byte, "
                  f"{runs[name]['cpu_seconds']:.0f} CPU seconds", flush=True)
            write_json(options.json, results)
        return runs[name]["bits_per_byte"]

    run("xz -9", with_xz, corpus)
    run("minillm/0", with_minillm, dataset, config, trains[0])
    tried = {rate: run(f"transformers {rate:g}/0", with_transformers, dataset, config, trains[0],
                       rate) for rate in options.rates}
    best = min(tried, key=tried.get)
    for train in trains[1:]:
        run(f"minillm/{train.seed}", with_minillm, dataset, config, train)
        run(f"transformers {best:g}/{train.seed}", with_transformers, dataset, config, train, best)
    orders = {order: run(f"PPM order {order}", with_ppm, corpus, order) for order in options.orders}
    order = min(orders, key=orders.get)

    def mean(who: str) -> float:
        return float(np.mean([runs[f"{who}/{train.seed}"]["bits_per_byte"] for train in trains]))

    results["best"] = {"rate": best, "order": order}
    results["mean"] = {
        "minillm": mean("minillm"), "transformers": mean(f"transformers {best:g}"),
        "ppm": orders[order], "ppm_frozen": runs[f"PPM order {order}"]["frozen"],
        "xz": runs["xz -9"]["bits_per_byte"]}
    write_json(options.json, results)


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=500)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--rates", type=float, nargs="+", default=[2e-3, 4e-3, 8e-3])
    options.add_argument("--orders", type=int, nargs="+", default=[4, 5, 6])
    options.add_argument("--json", type=Path, default=RESULTS, metavar="FILE")
    options = options.parse_args()
    use_cpu_devices(1)
    corpus = read_corpus("python-docs")
    tokenizer = tokenizers.train(corpus.train, VOCABULARY)
    with tempfile.TemporaryDirectory() as folder:
        measure(options, corpus, prepare(corpus, tokenizer, Path(folder) / "data"), tokenizer)


if __name__ == "__main__":
    main()
