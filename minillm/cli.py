"""The command line. Each command is a function of its parsed options; what is heavy is imported when a command runs.

Exit status: 0 done, 1 a check failed, 2 the user's input was wrong (one line on standard error).
"""

import argparse
import json
import os
import sys
from dataclasses import MISSING, fields, replace
from pathlib import Path

from minillm import __version__
from minillm.config import PRESETS, GenerateConfig, ModelConfig, TrainConfig, preset, with_options
from minillm.errors import UserError

MODEL_OPTIONS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                 "head_dim", "rms_norm_eps", "rope_theta", "initializer_range")
DEMO_STEPS = 900
HELP = {
    "steps": "training steps, one batch each", "batch_size": "rows of a batch", "context": "tokens of a row",
    "optimizer": "adamw, or muon for the matrices inside the layers", "learning_rate": "AdamW's peak rate",
    "muon_learning_rate": "Muon's peak rate", "muon_momentum": "memory of Muon's running mean",
    "final_learning_rate": "the last step's, as a share of the peak",
    "warmup_steps": "steps until the peak", "beta1": "memory of the gradient's running mean",
    "beta2": "memory of the squared gradient's running mean", "eps": "added to the root in AdamW",
    "weight_decay": "decoupled, on matrices only", "max_grad_norm": "clip the global gradient norm to this",
    "seed": "of parameters, batches and samples", "steps_per_dispatch": "steps compiled into one loop (jax)",
    "eval_every": "steps between evaluations", "eval_rows": "held-out rows of an evaluation (the last uses all)",
    "save_every": "steps between checkpoints", "sample_every": "steps between samples of text; 0: none",
    "matmul_precision": "float32, or bfloat16 products on an accelerator",
    "cpu_devices": "a CPU poses as this many devices, which share each batch (jax)",
    "max_new_tokens": "write at most this many tokens", "temperature": "0 always takes the most probable token",
    "top_k": "choose among the k most probable; 0: among all", "top_p": "choose among the fewest that reach this share",
    "min_p": "leave out what is less probable than this share of the most probable token",
    "repetition_penalty": "above 1: tokens already in the text become less probable",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")        # a console that lacks a character of the text shows a ? for it
    try:
        options = parser().parse_args(arguments)
        return options.run(options) or 0
    except UserError as error:
        print(f"minillm: {' '.join(str(error).split())}", file=sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())     # the reader left: nothing more to say
        return 0
    except (OSError, MemoryError) as error:
        print(f"minillm: {' '.join(str(error).split()) or 'out of memory'}", file=sys.stderr)
    except KeyboardInterrupt:
        print("minillm: interrupted", file=sys.stderr)
        return 130
    return 2


class Parser(argparse.ArgumentParser):
    """One line for a wrong option, instead of the whole usage."""

    def error(self, message):
        raise UserError(f"{message} (see {self.prog} --help)")


class HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the lines of examples and shows every default that there is."""

    def _get_help_string(self, action):
        shown = action.option_strings and not (action.default is None or action.default is False or action.default == "")
        return super()._get_help_string(action) if shown else action.help


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = Parser(
        prog="minillm", formatter_class=HelpFormatter, allow_abbrev=False,
        description="A LLaMA that you can read in an afternoon, train on a laptop, shrink, open up, and grade.",
        epilog="start here:\n  minillm demo\n\nhelp of a command:\n  minillm pretrain --help")
    top.add_argument("--version", action="version", version=f"minillm {__version__}")
    top.set_defaults(run=lambda options: top.print_help())
    commands = top.add_subparsers(title="commands", metavar="COMMAND")

    def command(name, run, help, example):
        new = commands.add_parser(name, help=help, formatter_class=HelpFormatter, allow_abbrev=False,
                                  description=f"{help[0].upper()}{help[1:]}.", epilog=f"example:\n  {example}")
        new.set_defaults(run=run)
        return new

    new = command("demo", demo, "train a small LLaMA on built-in stories and show what it learned", "minillm demo")
    new.add_argument("--out", default="runs/demo", metavar="DIR", help="folder of the run")
    new.add_argument("--steps", type=int, default=DEMO_STEPS, help=HELP["steps"])
    new.add_argument("--seed", type=int, default=0, help=HELP["seed"])
    add_twin(new)

    new = command("pretrain", pretrain, "train a LLaMA on text",
                  "minillm pretrain storyworld --model nano --out runs/nano\n"
                  "  minillm pretrain book.txt --model tiny --steps 2000 --out runs/book")
    add_source(new)
    new.add_argument("--out", required=True, metavar="DIR", help="folder of the run: the checkpoint, its log, its curve")
    new.add_argument("--resume", action="store_true", help="continue the run in --out, bit for bit")
    new.add_argument("--model", default="nano", metavar="NAME|DEPTH",
                     help=f"preset ({', '.join(f'{name} = {depth}' for name, depth in PRESETS.items())}) or depth: "
                          "layers = heads = depth, width = 32 x depth")
    add_twin(new)
    add_config(new.add_argument_group("training"), TrainConfig)
    group = new.add_argument_group("model (each overrides --model)")
    for field in fields(ModelConfig):
        if field.name in MODEL_OPTIONS:
            group.add_argument(option(field.name), type=field.type, metavar="N", help="as in Hugging Face's config.json")
    group.add_argument("--tie-word-embeddings", action=argparse.BooleanOptionalAction, default=None,
                       help="one matrix for embedding and head")

    new = command("evaluate", evaluate, "measure a model's loss on text", "minillm evaluate runs/nano --text book.txt --json")
    new.add_argument("path", metavar="PATH", help="folder of a checkpoint, or a llama2.c .bin file")
    new.add_argument("--tokenizer", metavar="FILE", help="tokenizer.bin of a llama2.c .bin file, where several lie beside it")
    what = new.add_mutually_exclusive_group()
    what.add_argument("--text", metavar="FILE", help="a UTF-8 text file, read as one document")
    what.add_argument("--data", metavar="DIR", help="a dataset folder: its validation split "
                                                    "(default: the one the model was trained with)")
    new.add_argument("--context", type=int, metavar="N", help="tokens of a row (default: the model's)")
    new.add_argument("--batch-size", type=int, default=16, metavar="N", help=HELP["batch_size"])
    new.add_argument("--json", action="store_true", help="print one JSON object")
    add_twin(new)

    new = command("generate", generate, "write text with a model",
                  'minillm generate runs/nano --prompt "Once upon a time" --temperature 0.8')
    new.add_argument("path", metavar="PATH", help="folder of a checkpoint, or a llama2.c .bin file")
    new.add_argument("--prompt", nargs="+", default=[""], metavar="TEXT", help="begin with this; several: one text each")
    new.add_argument("--stop", nargs="+", default=[], metavar="TEXT", help="end before the first of these that is written")
    add_config(new, GenerateConfig)
    new.add_argument("--tokenizer", metavar="FILE", help="tokenizer.bin of a llama2.c .bin file, where several lie beside it")
    new.add_argument("--quiet", action="store_true", help="print the text alone, no speed at the end")
    add_twin(new)

    new = command("data", data, "turn text into a dataset folder: tokens, split, tokenizer",
                  "minillm data storyworld --megabytes 10 --out data/stories\n  minillm data storyworld --show 3")
    add_source(new)
    where = new.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="DIR", help="folder of the dataset")
    where.add_argument("--show", type=int, metavar="N", help="only print N documents of the text")

    new = command("tokenizer", tokenizer, "train a tokenizer, or see what one does to a text",
                  "minillm tokenizer train storyworld --vocab-size 1024 --out data/tokenizer\n"
                  '  minillm tokenizer encode data/tokenizer "Once upon a time"\n'
                  "  minillm tokenizer decode data/tokenizer 45 310 27")
    actions = new.add_subparsers(required=True, metavar="train|encode|decode")

    def action(name, help, example):
        new = actions.add_parser(name, help=help, formatter_class=HelpFormatter, allow_abbrev=False,
                                 description=f"{help[0].upper()}{help[1:]}.", epilog=f"example:\n  {example}")
        new.set_defaults(run=tokenizer, action=name)
        return new

    new = action("train", "learn merges from text", "minillm tokenizer train book.txt --vocab-size 1024 --out data/tokenizer")
    add_source(new)
    new.add_argument("--engine", choices=("library", "written"), default="library",
                     help="the tokenizers library, or minillm's own written-out BPE: same result, slower")
    new.add_argument("--out", required=True, metavar="DIR", help="folder for tokenizer.json")
    new = action("encode", "text to token ids", 'minillm tokenizer encode data/tokenizer "Once upon a time"')
    new.add_argument("path", metavar="PATH", help="folder or tokenizer.json")
    new.add_argument("text", metavar="TEXT")
    new = action("decode", "token ids to text", "minillm tokenizer decode data/tokenizer 45 310 27")
    new.add_argument("path", metavar="PATH", help="folder or tokenizer.json")
    new.add_argument("ids", metavar="ID", type=int, nargs="+")
    return top


def option(name: str) -> str:
    """learning_rate -> --learning-rate."""
    return "--" + name.replace("_", "-")


def add_twin(new):
    new.add_argument("--twin", choices=("numpy", "jax"), default="jax", help="which implementation runs the model")


def add_config(group, config_class):
    """An option for every field of a config dataclass, with its type and default."""
    for field in fields(config_class):
        default = None if field.default is MISSING else field.default
        group.add_argument(option(field.name), type=field.type, default=default, metavar="N", help=HELP[field.name])


def add_source(new):
    """The text to read, and how to cut it into tokens."""
    new.add_argument("source", metavar="SOURCE", help="storyworld, python-docs, shakespeare, tinystories, "
                                                      "a text file, a folder of text files, or a dataset folder")
    new.add_argument("--megabytes", type=float, metavar="N", help="at most this much text (default: all; storyworld: 10)")
    new.add_argument("--data-dir", metavar="DIR", help="where downloads are kept (default: the user's cache folder)")
    new.add_argument("--vocab-size", type=int, default=1792, metavar="N", help="tokens of the tokenizer that is trained")
    new.add_argument("--tokenizer", metavar="PATH", help="use this tokenizer, train none")
    new.add_argument("--characters", action="store_true", help="one token per character, train none")
    new.add_argument("--data-seed", type=int, default=0, metavar="N", help="of the generated stories and of the split")


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
    loaded = load(options.path, options.tokenizer)
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
        start = [] if config.bos_token_id is None else [config.bos_token_id]
        tokens = start + made.encode(text)
        if len(tokens) < 2:
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
    model = load(options.path, options.tokenizer)
    GenerateConfig(**chosen(options, GenerateConfig))
    for prompt in options.prompt:
        model.prompt_ids(prompt)                    # all are refused or none, before the first is shown
    if options.twin == "jax":
        keep_compiled()
    for i, prompt in enumerate(options.prompt):
        times = []
        if i:
            print("\n---")
        for piece in model.generate(prompt, options.twin, tuple(options.stop), lambda: times.append(time.perf_counter()),
                                    **chosen(options, GenerateConfig)):
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
