"""Real English that every machine has, Python's own documentation: bits per byte of held-out text.

    python benchmarks/python_docs.py [--model 2] [--steps 300] [--seeds 3] [--json FILE]

minillm      what `minillm pretrain python-docs --model 2 --steps 300 --cpu-devices 1` trains in
             JAX, with all other defaults; the model of the last step
transformers LlamaForCausalLM of the same shape with its own start, trained in PyTorch: the same
             tokenizer, the same rows in the same order, the same warm-up and cosine; AdamW as LLaMA
             (arXiv:2302.13971, section 2.3) at the best of several rates, found with seed 0 on the
             held-out text itself
PPM          ppm.py of the best order, which has read the training text; once goes on learning from
             the held-out text, as a compressor does, once it does not
xz -9        size(training + held-out text) - size(training text); its window, 64 MiB, holds both

The models pay for the end-of-text token between documents, PPM and xz for a zero byte there; the
bits are divided by the bytes of the text alone. The models read windows of 256 tokens side by side
and learn nothing from what is held out. `new` is of the bytes that are in no stretch of 32 bytes
that the training text has: docstrings come again word for word in other modules. Needs torch and
transformers. One core; about six minutes. Each run is written when it is done, and one that FILE
has is not run again. The text depends on Python's version, so its SHA-256 stands with the figures.
"""

import argparse
import json
import lzma
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minillm import in_jax, load, training
from minillm.architecture.llama import count, init
from minillm.cli.bench import machine
from minillm.config import IGNORE, TrainConfig, preset
from minillm.files import write_json
from minillm.in_jax.sharding import use_cpu_devices
from minillm.in_numpy.optimizer import schedule
from minillm.text import tokenizer as tokenizers
from minillm.text.corpora import read_corpus
from minillm.text.dataset import prepare
from ppm import PPM

RESULTS = Path(__file__).parent / "results" / "python_docs.json"
VOCABULARY = 1792                                    # the default of `minillm pretrain`
REPEAT = 32                                          # so many bytes that occur again are no chance
SHAPE = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim",
         "num_attention_heads", "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
         "tie_word_embeddings")
ADAMW = {"betas": (0.9, 0.95), "eps": 1e-8}


@dataclass(frozen=True)
class Text:
    """Both texts as bytes, a zero byte before each document; `size` counts the held-out text alone.

    `new` (bytes of held_out,): is the byte in no stretch of REPEAT bytes that `train` has?
    """

    train: bytes
    held_out: bytes
    size: int
    new: np.ndarray


def text_of(corpus) -> Text:
    """The corpus as bytes."""
    train, held_out = (b"".join(b"\0" + document.encode() for document in documents)
                       for documents in (corpus.train, corpus.validation))
    known = {train[i : i + REPEAT] for i in range(len(train) - REPEAT + 1)}
    new = np.ones(len(held_out), bool)
    for i in range(len(held_out) - REPEAT + 1):
        if held_out[i : i + REPEAT] in known:
            new[i : i + REPEAT] = False
    return Text(train, held_out, len(held_out) - len(corpus.validation), new)


def figures(bits, text: Text) -> dict:
    """Bits per byte from what each byte of the held-out text costs: all of it, and what is new."""
    bits = np.asarray(bits)
    return {"bits_per_byte": float(bits.sum() / text.size), "new": float(bits[text.new].mean())}


def of_model(logits, dataset, tokenizer, context: int, text: Text) -> dict:
    """The figures of a model: `logits(tokens_BT)` is an array (B, T, V)."""
    rows = training.held_out(dataset, context)
    bits = []
    for i in range(0, len(rows.tokens_NT), 16):
        counted = rows.targets_NT[i : i + 16] != IGNORE
        targets = rows.targets_NT[i : i + 16][counted]
        x = logits(rows.tokens_NT[i : i + 16])[counted].astype(np.float64)
        x -= x.max(axis=-1, keepdims=True)
        bits.append(np.log2(np.exp(x).sum(axis=-1)) - x[range(len(x)), targets] / np.log(2))
    special = tokenizer.special_tokens.values()                  # each is a zero byte of the text
    lengths = np.array([1 if token in special else len(tokenizer.pieces[token])
                        for token in range(tokenizer.vocab_size)])
    lengths = lengths[dataset.validation[1:]]
    # Every byte of a token costs the same; the mark that closes the last document is paid for the
    # one that opens the first.
    return figures(np.roll(np.repeat(np.concatenate(bits) / lengths, lengths), 1), text)


def with_minillm(dataset, tokenizer, text, config, train) -> dict:
    """Train in JAX and measure."""
    began = time.process_time()
    begin = in_jax.init_state(init(config, np.random.default_rng(train.seed)))
    *_, (_, state, _) = training.steps(in_jax, begin, dataset, config, train)
    seconds, params = time.process_time() - began, state["params"]

    def logits(tokens_BT):
        return np.asarray(in_jax.read(params, in_jax.stream(params, tokens_BT, config)[0]))

    found = of_model(logits, dataset, tokenizer, train.context, text)
    check(found, params, config, dataset)
    return found | {"cpu_seconds": seconds}


def check(found: dict, params, config, dataset):
    """Refuse figures that are not those of `minillm pretrain` at its end."""
    rows = training.held_out(dataset, config.max_position_embeddings)
    ours = training.evaluate(in_jax, params, config, rows, 16)["bits_per_byte"]
    assert abs(ours / found["bits_per_byte"] - 1) < 1e-5, (found, ours)


def with_transformers(dataset, tokenizer, text, config, train, rate: float) -> dict:
    """Train in PyTorch and measure in PyTorch; minillm must find the same in the model's folder."""
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

    def logits(tokens_BT):
        return model(torch.tensor(tokens_BT, dtype=torch.long), use_cache=False).logits

    weights = list(model.parameters())
    groups = [{"params": [w for w in weights if w.ndim == 2], "weight_decay": train.weight_decay},
              {"params": [w for w in weights if w.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, **ADAMW)
    began = time.process_time()
    for step in range(train.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * float(schedule(step, train))
        tokens_NBT, targets_NBT = training.batches(dataset, train, step, step + 1)
        targets = torch.tensor(targets_NBT[0], dtype=torch.long).flatten()
        cross_entropy(logits(tokens_NBT[0]).flatten(0, 1), targets).backward()
        torch.nn.utils.clip_grad_norm_(weights, train.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
    seconds = time.process_time() - began
    with torch.no_grad():
        found = of_model(lambda tokens_BT: logits(tokens_BT).numpy(), dataset, tokenizer,
                         train.context, text)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        loaded = load(folder)
    check(found, loaded.params, loaded.config, dataset)
    return found | {"cpu_seconds": seconds}


def with_ppm(text, order: int) -> dict:
    """PPM that has read the training text: learning from the held-out text, and not (`frozen`)."""
    began = time.process_time()
    ppm, both = PPM(order), text.train + text.held_out
    ppm.bits(text.train)
    frozen = figures(ppm.bits(both, len(text.train), learn=False), text)
    found = figures(ppm.bits(both, len(text.train)), text)
    return found | {"frozen": frozen, "cpu_seconds": time.process_time() - began}


def with_xz(text) -> dict:
    """xz -9 that has read the training text."""
    began = time.process_time()
    both, train = (len(lzma.compress(each, preset=9))
                   for each in (text.train + text.held_out, text.train))
    return {"bits_per_byte": 8 * (both - train) / text.size,
            "cpu_seconds": time.process_time() - began}


def measure(options, corpus, text, dataset, tokenizer):
    """Make the runs that the file does not have yet."""
    end = tokenizer.special_tokens[tokenizers.END_OF_TEXT]
    trains = [TrainConfig(steps=options.steps, seed=seed, cpu_devices=1)
              for seed in range(options.seeds)]
    config = preset(options.model, vocab_size=tokenizer.vocab_size, context=trains[0].context,
                    bos_token_id=end, eos_token_id=end)
    setting = {
        "text": corpus.description, "fingerprint": corpus.fingerprint(), "model": options.model,
        "documents": [len(corpus.train), len(corpus.validation)],
        "bytes": [dataset.train_bytes, dataset.validation_bytes],
        "repeat": REPEAT, "repeated": float(1 - text.new.mean()),
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

    about = dataset, tokenizer, text, config
    run("xz -9", with_xz, text)
    orders = {order: run(f"PPM order {order}", with_ppm, text, order) for order in options.orders}
    order = min(orders, key=orders.get)
    run("minillm/0", with_minillm, *about, trains[0])
    tried = {rate: run(f"transformers {rate:g}/0", with_transformers, *about, trains[0], rate)
             for rate in options.rates}
    best = min(tried, key=tried.get)
    for train in trains[1:]:
        run(f"minillm/{train.seed}", with_minillm, *about, train)
        run(f"transformers {best:g}/{train.seed}", with_transformers, *about, train, best)

    def mean(who: str, what: str = "bits_per_byte") -> float:
        return float(np.mean([runs[f"{who}/{train.seed}"][what] for train in trains]))

    results["best"] = {"rate": best, "order": order}
    results["mean"] = {
        "minillm": mean("minillm"), "transformers": mean(f"transformers {best:g}"),
        "ppm": orders[order], "xz": runs["xz -9"]["bits_per_byte"],
        "new": {"minillm": mean("minillm", "new"), "ppm": runs[f"PPM order {order}"]["new"],
                "transformers": mean(f"transformers {best:g}", "new")}}
    write_json(options.json, results)


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="2", help="a preset or a depth, as of pretrain")
    options.add_argument("--steps", type=int, default=300)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--rates", type=float, nargs="+", default=[8e-3, 1.6e-2, 4e-3])
    options.add_argument("--orders", type=int, nargs="+", default=[4, 5, 6])
    options.add_argument("--json", type=Path, default=RESULTS, metavar="FILE")
    options = options.parse_args()
    use_cpu_devices(1)
    corpus = read_corpus("python-docs")
    tokenizer = tokenizers.train(corpus.train, VOCABULARY)
    with tempfile.TemporaryDirectory() as folder:
        dataset = prepare(corpus, tokenizer, Path(folder) / "data")
        measure(options, corpus, text_of(corpus), dataset, tokenizer)


if __name__ == "__main__":
    main()
