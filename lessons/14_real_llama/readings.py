"""Reads a LLaMA rightly and in wrong ways, and names the first activation that each wrong reading gets wrong.

    python lessons/14_real_llama/readings.py PATH [--prompt TEXT] [--text FILE] [--tokens N] [--json FILE]

PATH is a folder in Hugging Face's format, or a llama2.c .bin file with its tokenizer beside it. The right reading is compared with
`transformers` where that is installed, else with minillm's other twin; every wrong one with what the right one was compared with.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import minillm
from minillm.architecture.quantized import scheme_of
from minillm.architecture.tree import tree_map
from minillm.config import ModelConfig
from minillm.errors import UserError
from minillm.formats.checkpoint import no_tokenizer
from minillm.formats.describe import describe
from minillm.in_numpy.model import forward, init_cache
from minillm.inspection import parity

TOLERANCE = 3e-5                                       # of the largest number of an activation: above rounding, below a wrong eps
TAPS = ("resid_pre", "attn_in", "q", "k", "v", "pattern", "z", "attn_out", "resid_mid", "mlp_in", "mlp_pre", "mlp_up", "mlp_post", "mlp_out",
        "resid_post")                                  # of a layer: what hooks on the modules of transformers see
PROMPT = "Once upon a time, there was a little girl named Lily."
TEXT = ("One day, a boy named Tim went to the park with his mom. He saw a big dog and was scared. His mom said, \"The dog is nice. "
        "You can pet him.\" Tim put out his hand and the dog licked it. Tim was happy.")         # written for lesson 04


@dataclass(frozen=True)
class Reading:
    """What a loader made of a checkpoint. `tiled`: query head h uses key/value head h % K, which is h // G in every LLaMA."""

    config: ModelConfig
    params: dict
    tiled: bool = False


def right(model) -> Reading:
    return Reading(model.config, model.params)


# ---- The wrong ones. Each gives None where it would be no mistake in this model --------------------------------

def theta(model):
    """Another base of the rotary angles: that of Llama 3, or, where it is that, of LLaMA."""
    other = 500_000.0 if model.config.rope_theta != 500_000.0 else 10_000.0
    return replace(right(model), config=replace(model.config, rope_theta=other))


def eps(model):
    """Another eps of the norms: what transformers takes where config.json is silent, or, where it is that, LLaMA's."""
    other = 1e-6 if model.config.rms_norm_eps != 1e-6 else 1e-5
    return replace(right(model), config=replace(model.config, rms_norm_eps=other))


def layout(model):
    """The columns of q and k reordered as if they had been in the other layout of rotary pairs (lesson 04)."""
    E = model.config.head_dim
    order = np.arange(E).reshape(-1, 2).T.ravel()                          # 0, 2, 4, ... 1, 3, 5, ...
    order = np.argsort(order) if model.source.endswith("(llama2.c)") else order

    def reordered(layer):
        return layer | {name: layer[name].reshape(len(layer[name]), -1, E)[:, :, order].reshape(layer[name].shape) for name in ("q_proj", "k_proj")}

    return with_layers(model, reordered)


def groups(model):
    """Key/value heads dealt out in turn, 0 1 0 1, not to neighbours, 0 0 1 1."""
    K, H = model.config.num_key_value_heads, model.config.num_attention_heads
    return replace(right(model), tiled=True) if 1 < K < H else None


def head(model):
    """A head of its own taken to be tied to the embedding; or a tied one taken to be one of its own, which then begins at random."""
    if "lm_head" in model.params:
        return replace(right(model), params={name: value for name, value in model.params.items() if name != "lm_head"})
    D, V = model.config.hidden_size, model.config.vocab_size
    return replace(right(model), params=model.params | {"lm_head": 0.02 * np.random.default_rng(0).standard_normal((D, V), np.float32)})


def square(model):
    """Matrices turned only where their shape asks for it: square ones stay as (out, in)."""
    if model.config.num_attention_heads * model.config.head_dim != model.config.hidden_size:
        return None
    return with_layers(model, lambda layer: layer | {name: layer[name].T for name in ("q_proj", "o_proj")})


def half(model):
    """bfloat16 read as float16: the same 16 bits."""
    def misread(leaf):
        if leaf.ndim < 2:
            return leaf
        bits = (np.ascontiguousarray(leaf, np.float32).view(np.uint32) + 0x8000) >> 16
        return bits.astype(np.uint16).view(np.float16).astype(np.float32)

    return replace(right(model), params=tree_map(misread, model.params))


def with_layers(model, change: Callable) -> Reading:
    return replace(right(model), params=model.params | {"layers": [change(layer) for layer in model.params["layers"]]})


WRONG = {"theta": theta, "eps": eps, "layout": layout, "groups": groups, "head": head, "square": square, "half": half}
ABOUT = {"theta": "another theta", "eps": "another eps", "layout": "the other layout of rotary pairs", "groups": "groups in the other order",
         "head": "head tied (or not) against the config", "square": "square matrices not turned", "half": "bfloat16 read as float16"}


# ---- Running a reading ------------------------------------------------------------------------------------------

def run(reading: Reading, tokens_BT, cache=None, tap=lambda name, x: x):
    """(logits, cache) of minillm's own forward; the order of groups is changed by a tap on its way."""
    return forward(reading.params, np.asarray(tokens_BT), reading.config, cache, tiling(reading.config, tap) if reading.tiled else tap)


def tiling(config: ModelConfig, tap):
    """A tap that gives every query head the keys and values of head h % K. What it shows is in the order of the query heads."""
    K, G = config.num_key_value_heads, config.queries_per_key
    across = np.arange(K * G).reshape(G, K).T.ravel()              # at place k * G + g: the head that meets key head k

    def moved(x, order):
        return x.reshape(x.shape[0], K * G, *x.shape[3:])[:, order].reshape(x.shape)

    def see(name, x):
        kind = name.rpartition(".")[2]
        if kind == "rot_q":
            return moved(tap(name, x), across)
        if kind == "pattern":
            tap(name, moved(x, np.argsort(across)))
            return x
        return tap(name, moved(x, np.argsort(across)) if kind == "z" else x)

    return see


def record(reading: Reading, tokens_BT) -> dict:
    """The activations that transformers' hooks can see, by tap name, in the order of the computation."""
    seen = {}

    def keep(name, x):
        if wanted(name):
            seen[name] = x
        return x

    run(reading, tokens_BT, tap=keep)
    return seen


def wanted(name: str) -> bool:
    return not name.startswith("layers.") or name.rpartition(".")[2] in TAPS


def golden(model, tokens_BT) -> tuple[str, dict]:
    """Who read it, and what he saw: transformers where it is installed, else the JAX twin; written to a file and read back."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(model.source)
        if not folder.is_dir():                                      # a llama2.c file: transformers wants a folder
            folder = Path(place, "model")
            model.save(folder)
        try:
            quiet()
            who, seen = "transformers", parity.reference(folder, tokens_BT, model.config)
        except UserError:
            who, seen = "the JAX twin", parity.record(model, tokens_BT, "jax")
        parity.save(Path(place, "golden.safetensors"), tokens_BT, {name: x for name, x in seen.items() if wanted(name)})
        return who, parity.golden(Path(place, "golden.safetensors"))[1]


def quiet():
    """No progress bars of transformers, where it is there."""
    try:
        from transformers.utils import logging
        logging.disable_progress_bar()
    except ImportError:
        pass


def write(reading: Reading, ids, tokens: int) -> list[int]:
    """The most probable next token, again and again."""
    room = min(len(ids) + tokens, reading.config.max_position_embeddings)
    logits, cache = run(reading, [ids], init_cache(reading.config, 1, room))
    made = []
    while len(ids) + len(made) < room:
        made.append(int(np.argmax(logits[0, -1])))
        if made[-1] in reading.config.end_tokens:
            break
        if len(ids) + len(made) < room:
            logits, cache = run(reading, [made[-1:]], cache)
    return made


def loss(reading: Reading, rows) -> float:
    """Nats per token of some texts, each a list of token ids with its beginning."""
    nats = []
    for ids in rows:
        logits = run(reading, [ids[:-1]])[0][0].astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        nats += (np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(ids) - 1), ids[1:]]).tolist()
    return float(np.mean(nats))


def check(model):
    """Refuse what this lesson cannot read wrongly. Raises UserError."""
    if not isinstance(model.config, ModelConfig):
        raise UserError(f"{model.source}: not a LLaMA: these wrong readings are a LLaMA's")
    if scheme_of(model.params):
        raise UserError(f"{model.source}: is quantized: give the checkpoint that it was made from")
    if model.tokenizer is None:
        raise UserError(f"{model.source}: {no_tokenizer(model.source)}")


def look(model, prompt: str, rows, tokens: int, say=lambda line: None) -> dict:
    """Everything about one checkpoint: {"reference", "right": {...}, "theta": {...}, ...}; a reading that is no mistake here is None."""
    ids = model.prompt_ids(prompt)
    who, theirs = golden(model, np.array([ids]))
    found = {"reference": who}
    for name, reading in {"right": right(model), **{name: wrong(model) for name, wrong in WRONG.items()}}.items():
        if reading is None:
            found[name] = None
            continue
        with np.errstate(all="ignore"):
            rows_of_taps = parity.compare(record(reading, np.array([ids])), theirs, TOLERANCE)
            found[name] = {"first": next((row["tap"] for row in rows_of_taps if not row["same"]), None),
                           "taps": [row["tap"] for row in rows_of_taps], "relative": [row["relative"] for row in rows_of_taps],
                           "loss": loss(reading, rows), "text": model.tokenizer.decode(write(reading, ids, tokens))}
        say(f"{ABOUT.get(name, name)}: first that differs from {who}: {found[name]['first'] or 'none'}; {found[name]['loss']:.4f} nats a token")
    return found


# ---- What is printed ---------------------------------------------------------------------------------------------

def what_it_is(about: dict) -> dict:
    """The description of `minillm inspect-config` in a few lines."""
    config = about["config"]
    numbers = about["files"]["numbers"]
    return {"format": about["format"], "parameters": f"{about['parameters']['total']:,}",
            **{f"of them {part}": f"{size:,}" for part, size in about["parameters"].items() if part != "total"},
            "numbers in the file": ", ".join(f"{count:,} {kind}" if isinstance(count, int) else f"{count} {kind}" for kind, count in numbers.items()),
            "layers, width, feed-forward": f"{config['num_hidden_layers']}, {config['hidden_size']}, {config['intermediate_size']}",
            "query heads, key/value heads, size": f"{config['num_attention_heads']}, {config['num_key_value_heads']}, {config['head_dim']}",
            "theta, eps": f"{config['rope_theta']:g}, {config['rms_norm_eps']:g}", "head": "tied" if config["tie_word_embeddings"] else "its own",
            "context": f"{config['max_position_embeddings']:,} tokens", "cache": f"{about['kv_cache']['bytes_per_token']:,} bytes a token",
            "vocabulary": f"{config['vocab_size']:,} ({about['tokenizer'].get('model', 'no tokenizer')})",
            "before a prompt": " ".join(map(str, about["tokenizer"].get("before_a_prompt", []))) or "nothing"}


def tables(what: dict, found: dict, title: str):
    """(name, rich table) of a checkpoint: what it is, where each reading breaks, what each writes."""
    from rich.table import Table
    table = Table("", "", title=title)
    for name, value in what.items():
        table.add_row(name, value)
    yield "what", table
    readings = Table("read with", "first that differs", "by", "logits differ by", "nats a token", title=f"{title}: against {found['reference']}, in parts of the largest number")
    texts = Table("read with", "what it writes", title=f"{title}: always the most probable token")
    for name in ("right", *WRONG):
        row, label = found[name], ABOUT.get(name, "nothing wrong")
        if row is None:
            readings.add_row(label, "(no mistake here)", "-", "-", "-")
            continue
        at = row["taps"].index(row["first"]) if row["first"] else int(np.argmax(row["relative"]))
        readings.add_row(label, row["first"] or f"none (most: {row['taps'][at]})", *(f"{row['relative'][i]:.1e}" for i in (at, -1)), f"{row['loss']:.4f}")
        texts.add_row(label, " ".join(row["text"].split()))
    yield "readings", readings
    yield "texts", texts


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("path", help="folder of a LLaMA, or a llama2.c .bin file")
    options.add_argument("--prompt", default=PROMPT, help="what the readings continue")
    options.add_argument("--text", help="a UTF-8 text file to measure on, a few hundred words (default: a short text)")
    options.add_argument("--tokens", type=int, default=40, help="how many tokens each reading writes")
    options.add_argument("--json", help="write the results there")
    options = options.parse_args()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
    try:
        model = minillm.load(options.path)
        check(model)
        text = Path(options.text).read_text(encoding="utf-8") if options.text else TEXT
        ids = [*model.begin, *model.tokenizer.encode(text)][: model.config.max_position_embeddings]
        found = look(model, options.prompt, [ids], options.tokens, print)
    except (UserError, OSError) as error:
        print(f"readings.py: {error}", file=sys.stderr)
        return 2
    what = what_it_is(describe(options.path))
    from rich.console import Console
    for _, table in tables(what, found, Path(options.path).stem):
        Console(highlight=False).print(table)
    if options.json:
        results = {"name": Path(options.path).stem, "prompt": options.prompt, "what": what, "found": found}
        Path(options.json).write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
