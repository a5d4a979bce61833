"""What each command of the command line does: a function of its parsed options. What is heavy is imported when it runs."""

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

from minillm.config import GenerateConfig, TrainConfig, preset, with_options
from minillm.errors import UserError

MODEL_OPTIONS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                 "head_dim", "rms_norm_eps", "rope_theta", "initializer_range")


def chosen(options, config_class) -> dict:
    """The options that are fields of a config dataclass."""
    return {field.name: getattr(options, field.name) for field in fields(config_class) if hasattr(options, field.name)}


def read_source(options):
    from minillm.corpora import read_corpus
    return read_corpus(options.source, megabytes=options.megabytes, seed=options.data_seed, data_dir=options.data_dir)


def make_tokenizer(options, corpus, engine: str = "library"):
    """The tokenizer that the options ask for: loaded, of characters, or trained on the training split."""
    from minillm import tokenizer as tokenizers
    if options.tokenizer:
        return tokenizers.load(options.tokenizer)
    if options.characters:
        return tokenizers.train_characters(corpus.train + corpus.validation)
    return tokenizers.train(corpus.train, options.vocab_size, engine=engine)


def open_or_prepare(options, folder, replace=True):
    """(dataset, tokenizer) of a dataset folder, or of text, tokenized into `folder`; see `data.prepare` for `replace`."""
    from minillm import tokenizer as tokenizers
    from minillm.data import DESCRIPTION, open_dataset, prepare
    if (Path(options.source) / DESCRIPTION).is_file():
        return open_dataset(options.source), tokenizers.load(options.source)
    corpus = read_source(options)
    made = make_tokenizer(options, corpus)
    return prepare(corpus, made, folder, replace), made


def pretrain(options):
    train = with_options(TrainConfig(), **chosen(options, TrainConfig))
    overrides = {name: getattr(options, name) for name in (*MODEL_OPTIONS, "tie_word_embeddings")}
    config = with_options(preset(options.model, vocab_size=1, context=train.context), **overrides)
    from rich.console import Console
    from minillm import training
    from minillm.display import say
    from minillm.params import count
    console = Console()
    training.prepare_folder(options.out, options.resume)
    dataset, made = open_or_prepare(options, Path(options.out) / "data", replace=not options.resume)
    special = made.special_tokens.get("<|endoftext|>")
    config = replace(config, vocab_size=made.vocab_size, bos_token_id=special, eos_token_id=special)
    say(console, f"{dataset.description}: {len(dataset.train):,} training tokens, {len(dataset.validation):,} held out, "
                 f"vocabulary {made.vocab_size:,}")
    say(console, f"model: {count(config):,} parameters in {config.num_hidden_layers} layers of {config.hidden_size}, "
                 f"{config.num_attention_heads} heads over {config.num_key_value_heads}; {train.steps:,} steps of "
                 f"{train.batch_size} x {train.context} tokens, twin: {options.twin}")
    summary = train_and_draw(console, options.out, config, train, dataset, made, options.twin, options.resume)
    if not summary["done"]:
        say(console, f"saved at step {summary['step']:,} of {train.steps:,}. Continue with the same command and --resume.")
        return
    say(console, f"{summary['tokens']:,} tokens in {summary['seconds']:.0f} s, {summary['tokens_per_second']:,.0f} tokens/s "
                 f"while training. Checkpoint, log and curve (loss.png) are in {options.out}")
    say(console, f"next: minillm generate {options.out}" + (' --prompt "Once"' if special is None else ""))


def train_and_draw(console, folder, config, train, dataset, tokenizer, twin, resume=False, lines=None) -> dict:
    """Run the training loop under a live display and draw its curve; returns the summary."""
    from minillm import display, training
    floor = training.held_out(dataset, train.context).floor_per_token
    watch = display.Display(console, train, floor)
    try:
        summary = training.run(folder, config, train, dataset, tokenizer, twin=twin, resume=resume, watch=watch)
    finally:
        watch.finished()
    levels = ({} if floor is None else {"floor": floor}) | (lines or {})
    display.draw_curve(training.read_metrics(Path(folder) / training.METRICS), Path(folder) / "loss.png",
                       f"{dataset.name}: {config.num_hidden_layers} layers of {config.hidden_size}", levels)
    return summary


def demo(options):
    from minillm.demo import run
    return run(options.out, steps=options.steps, seed=options.seed, twin=options.twin)


def evaluate(options):
    from minillm import training
    from minillm.data import open_dataset, windows
    from minillm.loading import load, twin_package
    import numpy as np
    loaded = load(options.path, options.tokenizer, options.dtype)
    loaded.check_twin(options.twin)
    config, params, made = loaded.config, loaded.params, loaded.tokenizer
    model = twin_package(options.twin)
    context = options.context or config.max_position_embeddings
    if not 1 <= context <= config.max_position_embeddings:
        raise UserError(f"--context is {context}: the model reads 1 to {config.max_position_embeddings} tokens")
    if options.batch_size < 1:
        raise UserError(f"--batch-size is {options.batch_size}: it must be at least 1")
    if options.text:
        from minillm.corpora import read_text
        if made is None:
            raise UserError(f"{options.path}: there is no tokenizer.json, so text cannot become tokens")
        text = read_text(Path(options.text))
        tokens = [*loaded.begin, *made.encode(text)]
        if len(tokens) < 2 or len(tokens) == len(loaded.begin):
            raise UserError(f"{options.text}: too short to measure anything: give a text of at least two tokens")
        rows = training.HeldOut(*windows(np.array(tokens), context), 0, None, len(made.decode_bytes(tokens[1:])))
    else:
        folder = Path(options.data or Path(options.path) / "data")
        if not options.data and not folder.exists():
            raise UserError(f"{options.path}: was not trained on data of its own: give --text FILE or --data DIR")
        dataset = open_dataset(folder)
        if dataset.vocab_size > config.vocab_size:
            raise UserError(f"{folder}: made with a vocabulary of {dataset.vocab_size}, the model has {config.vocab_size}")
        rows = training.held_out(dataset, context)
    record = training.losses(model, params, config, rows, options.batch_size)
    loss = record.pop("held_out")
    if not np.isfinite(loss):
        raise UserError(f"{options.path}: the loss is {loss}: weights of this model, or products of them, are not finite")
    result = {"path": str(options.path), "twin": options.twin, "context": context,
              "tokens": int(np.sum(rows.targets_NT >= 0)), "loss": loss,
              "perplexity": float(np.exp(min(loss, 700))), **record}
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name.replace('_', ' '):20} {value:.4f}" if isinstance(value, float) else f"{name.replace('_', ' '):20} {value}")


def generate(options):
    import time
    from minillm.loading import load
    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    GenerateConfig(**chosen(options, GenerateConfig))
    for prompt in options.prompt:
        model.prompt_ids(prompt, not options.no_begin)      # all are refused or none, before the first is shown
    if options.twin == "jax":
        keep_compiled()
    for i, prompt in enumerate(options.prompt):
        times = []
        if i:
            print("\n---")
        for piece in model.generate(prompt, options.twin, tuple(options.stop), lambda: times.append(time.perf_counter()),
                                    not options.no_begin, **chosen(options, GenerateConfig)):
            print(piece, end="", flush=True)
        print()
        if not options.quiet:
            speed = f", {(len(times) - 1) / (times[-1] - times[0]):,.0f} tokens/s" if len(times) > 20 else ""
            print(f"[{len(times)} new tokens{speed}, twin: {options.twin}]", file=sys.stderr)


def keep_compiled():
    """Keep what JAX compiles in the user's cache folder: the next run with the same shapes begins at once."""
    import jax
    from minillm.corpora import cache_folder
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def data(options):
    from minillm.data import describe
    if options.show is not None:
        if options.show < 1:
            raise UserError(f"--show is {options.show}: it must be at least 1")
        for text in read_source(options).train[: options.show]:
            print(text, end="\n\n")
        return
    dataset, _ = open_or_prepare(options, options.out)
    print(json.dumps(describe(dataset), indent=2))


def tokenizer(options):
    from minillm import tokenizer as tokenizers
    if options.action == "train":
        corpus = read_source(options)
        made = make_tokenizer(options, corpus, options.engine)
        made.save(Path(options.out))
        sample = "".join(corpus.validation)[:200_000]
        print(f"{made.vocab_size:,} tokens, {len(sample.encode()) / len(made.encode(sample)):.2f} bytes per token on held-out "
              f"text; saved in {options.out}")
    elif options.action == "encode":
        made = tokenizers.load(options.path)
        ids = made.encode(options.text)
        print(*ids)
        print(*(repr(made.decode([i])) for i in ids), file=sys.stderr)
    else:
        print(tokenizers.load(options.path).decode(options.ids))


def inspect_config(options):
    from minillm.describe import describe
    found = describe(options.path)
    if options.json:
        print(json.dumps(found))
    else:
        from minillm.display import show_description
        show_description(found)
    return 1 if found["refused"] else 0


def convert(options):
    from minillm.loading import load
    from minillm.checkpoint import copy_texts
    source, out = Path(options.path), Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there already and is not an empty folder: give a new one")
    model = load(source, options.tokenizer)
    model.save(out, options.dtype)
    if source.is_dir():
        copy_texts(source, out)
    print(f"{out}: {model.source} in Hugging Face's format, {options.dtype}")


def parity(options):
    from minillm import parity as check
    from minillm.loading import load
    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    theirs = None
    if options.against in ("numpy", "jax", "transformers"):
        tokens_BT = parity_tokens(options, model)
    elif options.against:
        tokens_BT, theirs = check.golden(options.against)
        if tokens_BT.ndim != 2 or tokens_BT.size == 0 or tokens_BT.min() < 0 or tokens_BT.max() >= model.config.vocab_size:
            raise UserError(f"{options.against}: its tokens are not rows of ids below vocab_size ({model.config.vocab_size})")
    elif options.save:
        tokens_BT = parity_tokens(options, model)
    else:
        raise UserError("--against or --save is needed: what to compare with, or where to write what others compare with")
    ours = check.record(model, tokens_BT, options.twin)
    if options.save:
        check.save(options.save, tokens_BT, ours)
        print(f"{options.save}: {len(ours)} activations of {tokens_BT.size} tokens")
    if not options.against:
        return 0
    if options.against == "transformers":
        if not Path(options.path).is_dir():
            raise UserError(f"{options.path}: transformers opens folders only: minillm convert makes one")
        theirs = check.reference(options.path, tokens_BT, model.config)
    elif theirs is None:
        theirs = check.record(model, tokens_BT, options.against)
    rows = check.compare(ours, theirs, options.tolerance)
    if not rows:
        raise UserError(f"{options.against}: has no activation that this model has")
    first = next((row for row in rows if not row["same"]), None)
    if options.json:
        print(json.dumps({"tolerance": options.tolerance, "first": first and first["tap"], "taps": rows}))
    else:
        from minillm.display import show_parity
        show_parity(rows, first, options.tolerance)
    return 0 if first is None else 1


def parity_tokens(options, model):
    """The tokens of --prompt, or random ones."""
    import numpy as np
    if options.prompt is not None:
        return np.array([model.prompt_ids(options.prompt)])
    length = min(32, model.config.max_position_embeddings)
    return np.random.default_rng(options.seed).integers(0, model.config.vocab_size, (2, length))


def chat(options):
    from minillm.chat import run
    return run(options)


def lesson(options):
    from minillm.course.lessons import command
    return command(options)


def compare_curve(options):
    from minillm.curves import command
    return command(options)
