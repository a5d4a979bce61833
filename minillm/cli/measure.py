"""Measuring: `minillm evaluate`, `minillm parity` and `minillm inspect-config`."""

import json
import sys
from pathlib import Path

from minillm.cli.options import (
    HELP,
    add_checkpoint,
    add_encoding,
    add_json,
    add_path,
    add_twin,
    read_file,
)
from minillm.cli.parsing import add_command
from minillm.cli.progress import telling
from minillm.cli.task import add_task, evaluate_task
from minillm.config import IGNORE
from minillm.errors import UserError
from minillm.files import gigabytes

CONTEXT = 1024  # longer rows take memory and time that grow with their square


def add_commands(commands):
    """Add the commands of this file."""
    add_evaluate(commands)
    add_score(commands)
    add_parity(commands)
    add_inspect_config(commands)


# ---- evaluate --------------------------------------------------------------------------------


def add_evaluate(commands):
    command = add_command(commands, "evaluate", evaluate, "measure a model's loss on text",
                          "minillm evaluate runs/nano --text book.txt --json\n"
                          "  minillm evaluate runs/sums --task sums")
    add_checkpoint(command)
    what = command.add_mutually_exclusive_group()
    what.add_argument("--text", metavar="FILE",
                      help="a text file to measure on, read as one document")
    what.add_argument(
        "--data", metavar="DIR",
        help="a dataset folder: its validation split (default: the one the model was trained on)")
    add_task(command)
    add_encoding(command)
    add_context(command)
    command.add_argument("--batch-size", type=int, default=16, metavar="N", help=HELP["batch_size"])
    add_json(command)
    add_twin(command)


def evaluate(options):
    if options.task:
        return evaluate_task(options, lambda some, model: rows_to_measure(
            some, model, context_of(some, model)))
    import numpy as np

    from minillm import training
    from minillm.loading import load, twin_package

    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    context = context_of(options, model)
    if options.batch_size < 1:
        raise UserError(f"--batch-size is {options.batch_size}: it must be at least 1")
    rows = rows_to_measure(options, model, context)
    model, twin = model.on(options.twin), twin_package(options.twin)
    warn_of_memory(model, context, options.twin)
    with telling("reading") as tell:
        record = training.evaluate(twin, model.params, model.config, rows, options.batch_size,
                                   row_by_row(tell, options.twin))
    loss = record.pop("held_out")
    if not np.isfinite(loss):
        raise UserError(
            f"{options.path}: the loss is {loss}: weights of this model, or products of them, are "
            "not finite")
    result = {
        "path": str(options.path),
        "twin": options.twin,
        "context": context,
        "tokens": int(np.sum(rows.targets_NT != IGNORE)),
        "loss": loss,
        "perplexity": float(np.exp(min(loss, 700))),
        **record,
    }
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        shown = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name.replace('_', ' '):20} {shown}")


def add_context(command, what: str = "tokens in a row"):
    """How long the rows are that a text is cut into, or how long a text may be."""
    command.add_argument(
        "--context", type=int, metavar="N",
        help=f"{what}, at least 1 (default: the model's context, but at most {CONTEXT})")


def context_of(options, model) -> int:
    """--context, or its default. Raises UserError."""
    longest = model.config.max_position_embeddings
    context = min(longest, CONTEXT) if options.context is None else options.context
    if not 1 <= context <= longest:
        raise UserError(f"--context is {context}: the model reads 1 to {longest} tokens")
    return context


def check_length(tokens: int, context: int, what: str = "the text"):
    """Refuse a text longer than --context, which is there to be raised. Raises UserError."""
    if tokens > context:
        raise UserError(
            f"{what} has {tokens:,} tokens, more than --context {context:,}: shorten it, or give "
            f"--context {tokens} (time and memory grow with the square of the length)")


def warn_of_memory(model, length: int, twin: str, copies: int = 1, recorded: int = 0):
    """Say on standard error how much memory is needed, where that is more than 2 GB.

    `copies`: how many such models are measured, each kept for NumPy and, in JAX, on its device.
    `recorded`: bytes of activations that are kept.
    """
    from minillm.architecture.tree import flatten
    from minillm.training.evaluation import memory_needed

    kept = sum(leaf.nbytes for leaf in flatten(model.params).values())
    need = memory_needed(model.config, length, kept * copies * (2 if twin == "jax" else 1))
    need += recorded
    if need > 2e9:
        print(f"[this needs about {gigabytes(need)} of memory]", file=sys.stderr)


def row_by_row(tell, twin: str):
    """A `progress` for `evaluate`: in JAX, the first batch is compiled too."""

    def progress(done: int, rows: int):
        begins = "compiling, then " if twin == "jax" and not done else ""
        tell(f"{begins}row {done + 1} of {rows}")

    return progress


def rows_to_measure(options, model, context: int):
    """The rows of --text or --data, or of the data that the model was trained with."""
    import numpy as np

    from minillm import training
    from minillm.text import tokenizer as tokenizers
    from minillm.text.dataset import open_dataset, windows

    if options.text:
        text = read_file(options.text, options)
        tokens = model.text_ids(text)
        if len(tokens) < 2 or len(tokens) == len(model.begin):
            wrong = "too short to measure" if text else "the file is empty"
            raise UserError(f"{options.text}: {wrong}: give a text of at least two tokens")
        n_bytes = len(model.tokenizer.decode_bytes(tokens[1:]))
        return training.HeldOut(*windows(np.array(tokens), context), 0, None, n_bytes)
    folder = Path(options.data or Path(options.path) / "data")
    if not options.data and not folder.exists():
        raise UserError(f"{options.path}: has no dataset beside it: give --text FILE or --data DIR")
    dataset = open_dataset(folder)
    if dataset.vocab_size > model.config.vocab_size:
        raise UserError(f"{folder}: made with a vocabulary of {dataset.vocab_size}, the model has "
                        f"{model.config.vocab_size}")
    if model.tokenizer and not tokenizers.same_tokenizer(tokenizers.load(folder), model.tokenizer):
        raise UserError(
            f"{folder}: was cut into tokens by another tokenizer than {options.path} has: its "
            "numbers mean other tokens; give the text itself with --text")
    return training.held_out(dataset, context)


# ---- score -----------------------------------------------------------------------------------


def add_score(commands):
    command = add_command(
        commands, "score", score, "compare how likely a model finds continuations of a prompt",
        'minillm score DIR --prompt "The nurse said that" --options " she" " he"\n'
        '  minillm score DIR --file prompts.txt --options " she" " he"\n'
        "  minillm score DIR --file pairs.tsv --json")
    add_checkpoint(command)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--prompt", metavar="TEXT", help="what stands before the options")
    what.add_argument(
        "--file", metavar="FILE",
        help="a prompt a line; without --options, its options after it, with tabs between, "
        "the first of them the one that is expected")
    command.add_argument("--options", nargs="+", metavar="TEXT",
                         help="continuations; a word of its own begins with a space")
    add_context(command, "tokens of a prompt with an option")
    add_encoding(command)
    add_json(command)
    add_twin(command)


def score(options):
    from minillm.inspection import scoring
    from minillm.loading import load

    prompts, choices = prompts_and_options(options)
    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    longest = max(len(scoring.continued(model, prompt, option)[0])
                  for prompt, some in zip(prompts, choices) for option in some)
    check_length(longest, context_of(options, model), "the longest prompt with its option")
    warn_of_memory(model, longest, options.twin)
    with telling("reading") as tell:
        found = scoring.score(model, prompts, choices, options.twin, row_by_row(tell, options.twin))
    rows = [{"prompt": prompt, "options": [{"option": each.option, "log_p": each.log_p,
                                            "tokens": each.tokens} for each in some]}
            for prompt, some in zip(prompts, found)]
    summary = summarized(found) if len(found) > 1 else {}
    if options.json:
        print(json.dumps({"path": str(options.path), "prompts": rows, **summary}))
    else:
        show_scores(prompts, found, summary)


def prompts_and_options(options) -> tuple[list[str], list[list[str]]]:
    """The prompts, and the options of each. Raises UserError."""
    if options.file is None:
        if not options.options:
            raise UserError("--prompt needs --options: the continuations to compare")
        return [options.prompt], [options.options]
    lines = [line for line in read_file(options.file, options).splitlines() if line.strip()]
    if not lines:
        raise UserError(f"{options.file}: holds no prompt: one a line")
    if options.options:
        return lines, [options.options] * len(lines)
    prompts, choices = [], []
    for number, line in enumerate(lines, 1):
        prompt, *some = line.split("\t")
        if len(some) < 2 or not all(some):
            raise UserError(
                f"{options.file}: line {number} has no two options after its prompt, with tabs "
                "between: write them, or give --options for all prompts")
        prompts.append(prompt), choices.append(some)
    return prompts, choices


def summarized(found) -> dict:
    """What many prompts say together: of the first option against the second, and against all."""
    from minillm.inspection.scoring import mean_interval, share_interval

    leads = [some[0].log_p - some[1].log_p for some in found if len(some) > 1]
    if len(leads) < len(found):
        return {}
    wins = sum(some[0].log_p == max(each.log_p for each in some) for some in found)
    mean, half = mean_interval(leads)
    share, low, high = share_interval(wins, len(found))
    return {
        "first_minus_second": mean,
        "first_minus_second_95": half,
        "first_wins": share,
        "first_wins_95": [low, high],
    }


def show_scores(prompts, found, summary: dict):
    """Print a line for every option, and what they say together."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from minillm.errors import printable

    console = Console()
    for prompt, some in zip(prompts, found):
        console.print(escape(printable(prompt, quoted=False)), style="bold")
        grid = Table("option", "log p (nats)", "a token", "tokens", box=None, padding=(0, 2, 0, 2))
        for each in sorted(some, key=lambda each: -each.log_p):
            numbers = f"{each.log_p:.4f}", f"{each.per_token:.4f}", str(each.tokens)
            grid.add_row(escape(printable(each.option)), *numbers)
        console.print(grid)
    if summary:
        low, high = summary["first_wins_95"]
        print(f"first - second option: {summary['first_minus_second']:+.4f} "
              f"± {summary['first_minus_second_95']:.4f} nats (95%, {len(found)} prompts)\n"
              f"the first is the likeliest: {100 * summary['first_wins']:.1f}% "
              f"({100 * low:.1f}% to {100 * high:.1f}%)")


# ---- parity ----------------------------------------------------------------------------------


def add_parity(commands):
    command = add_command(
        commands, "parity", parity,
        "compare every activation with another implementation's, and name the first that differs",
        "minillm parity DIR --against transformers\n"
        "  minillm parity DIR --against numpy --twin jax")
    add_checkpoint(command)
    command.add_argument("--against", metavar="WHAT",
                         help="transformers, numpy, jax, or a golden file")
    command.add_argument("--save", metavar="FILE", help="write the activations as a golden file")
    command.add_argument("--prompt", metavar="TEXT",
                         help="the text to compare on (default: random tokens)")
    add_context(command, "tokens of the text")
    command.add_argument("--seed", type=int, default=0, metavar="N",
                         help="seed of the random tokens")
    command.add_argument("--tolerance", type=float, default=1e-4, metavar="X",
                         help="the largest difference allowed, as a share of the largest number")
    add_json(command)
    add_twin(command, default="numpy")


def parity(options) -> int:
    """0 where all activations agree, 1 where they do not."""
    from minillm import inspection
    from minillm.inspection import parity as check
    from minillm.loading import load

    if not (options.against or options.save):
        raise UserError(
            "--against or --save is needed: what to compare with, or where to write what others "
            "compare with")
    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    theirs = None
    if options.against in (None, "numpy", "jax", "transformers"):
        tokens_BT = tokens_to_compare(options, model)
    else:
        tokens_BT, theirs = check.golden(options.against)
        check_tokens(tokens_BT, options.against, model.config.vocab_size)
    rows, length = tokens_BT.shape
    check_length(length, context_of(options, model))
    recorded = 2 * inspection.estimate(model.config, length, rows)
    warn_of_memory(model, length, options.twin, 2, recorded)
    ours = check.record(model, tokens_BT, options.twin)
    if options.save:
        check.save(options.save, tokens_BT, ours)
        print(f"{options.save}: {len(ours)} activations of {tokens_BT.size} tokens")
    if not options.against:
        return 0
    if options.against == "transformers":
        if not Path(options.path).is_dir():
            raise UserError(
                f"{options.path}: transformers opens folders only: minillm convert makes one")
        theirs = check.reference(options.path, tokens_BT, model.config)
    elif theirs is None:
        theirs = check.record(model, tokens_BT, options.against)
    rows = check.compare(ours, theirs, options.tolerance)
    if not rows:
        raise UserError(f"{options.against}: has no activation that this model has")
    first = next((row for row in rows if not row["same"]), None)
    if options.json:
        tap = first and first["tap"]
        print(json.dumps({"tolerance": options.tolerance, "first": tap, "taps": rows}))
    else:
        show_parity(rows, first, options.tolerance)
    return 0 if first is None else 1


def tokens_to_compare(options, model):
    """The tokens of --prompt, or random ones: (B, T)."""
    import numpy as np

    if options.prompt is not None:
        return np.array([model.prompt_ids(options.prompt)])
    length = min(32, model.config.max_position_embeddings)
    return np.random.default_rng(options.seed).integers(0, model.config.vocab_size, (2, length))


def check_tokens(tokens_BT, path, vocab_size: int):
    """Raise UserError unless the tokens of a golden file are rows of token ids."""
    in_range = tokens_BT.size and 0 <= tokens_BT.min() and tokens_BT.max() < vocab_size
    if tokens_BT.ndim != 2 or not in_range:
        raise UserError(f"{path}: its tokens are not rows of ids below vocab_size ({vocab_size})")


def show_parity(rows: list[dict], first: dict | None, tolerance: float):
    """Print the differences, tap by tap, and the verdict."""
    from rich.console import Console
    from rich.table import Table

    from minillm.training.display import say

    console = Console()
    grid = Table("activation", "largest difference", "relative", "", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        mark = "" if row["same"] else "[bold red]differs[/]"
        grid.add_row(row["tap"], f"{row['difference']:.2e}", f"{row['relative']:.2e}", mark)
    console.print(grid)
    if first is None:
        say(console, f"the same to {tolerance:g} at all {len(rows)} activations")
    else:
        say(console,
            f"{first['tap']} is the first that differs: by {first['relative']:.2e} of its largest "
            f"number (tolerance {tolerance:g})")


# ---- inspect-config --------------------------------------------------------------------------


def add_inspect_config(commands):
    command = add_command(
        commands, "inspect-config", inspect_config,
        "describe a checkpoint: sizes, memory, tokenizer, and what minillm refuses",
        "minillm inspect-config DIR")
    add_path(command)
    add_json(command)


def inspect_config(options) -> int:
    """0 where minillm.load reads the checkpoint, 1 where it refuses something."""
    from minillm.formats.describe import describe
    from minillm.loading import load

    description = describe(options.path)
    if "adapter" in description and not description["refused"]:
        try:
            load(options.path)  # reads the base model: is it the one that the adapter is for?
        except UserError as error:
            description["refused"].append(str(error))
    if options.json:
        print(json.dumps(description))
    else:
        show_description(description)
    return 1 if description["refused"] else 0


def show_description(description: dict):
    """Print what `describe` returned: a table a part, then what is refused."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from minillm.training.display import say

    console = Console()
    say(console, f"{description['path']}: {description['format']}")
    for title, rows in sections(description):
        say(console, title, style="bold")
        grid = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for name, value in rows.items():
            grid.add_row(f"  {name.replace('_', ' ')}", escape(str(value)))
        console.print(grid)
    for reason in description["refused"]:
        say(console, f"refused: {reason}", style="bold red")
    if not description["refused"]:
        say(console, "nothing is refused: minillm.load reads it")


def adapter_rows(about: dict) -> dict:
    """What describe_adapter says of an adapter, ready to print."""
    rows = {name: f"{value:,}" if isinstance(value, int) else value
            for name, value in about.items() if value is not None}
    if "targets" in rows:
        rows["targets"] = ", ".join(about["targets"])
    if {"parameters", "base_parameters"} <= rows.keys():
        rows["parameters"] += f"  {about['parameters'] / about['base_parameters']:.1%} of the base"
    return rows


def sections(description: dict):
    """(title, {name: value}) of each part of a description, ready to print."""
    from minillm.errors import printable
    from minillm.files import megabytes

    def plain(values):
        return {name: printable(value, quoted=False) for name, value in values.items()}

    if "adapter" in description:
        yield "adapter", plain(adapter_rows(description["adapter"]))
    if "config" in description:
        yield "config", plain(description["config"])
    if "parameters" in description:
        sizes, cache = description["parameters"], description["kv_cache"]
        yield ("parameters",
               {part: f"{size:>13,}  {size / sizes['total']:6.1%}" for part, size in sizes.items()})
        yield ("memory of the parameters",
               {kind: megabytes(size) for kind, size in description["memory"].items()})
        yield ("keys and values kept while writing (float32)",
               {"a token": f"{cache['bytes_per_token']:,} bytes",
                "the whole context": megabytes(cache["bytes_of_the_context"])})
    if "files" in description:
        files = description["files"]
        counts = {kind: size if isinstance(size, str) else f"{size:,}"
                  for kind, size in files["numbers"].items()}
        numbers = ", ".join(f"{kind}: {count}" for kind, count in counts.items())
        yield ("files",
               {"number": files["number"], "size": megabytes(files["bytes"]), "numbers": numbers})
    if "tokenizer" in description:
        yield "tokenizer", plain(description["tokenizer"])
