"""What each command of the command line does: a function of its parsed options. What is heavy is imported when it runs."""

import json
import os
import re
import sys
from dataclasses import fields, replace
from pathlib import Path

from minillm.config import IGNORE, GenerateConfig, TrainConfig, preset, with_options
from minillm.errors import UserError, require

MODEL_OPTIONS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                 "head_dim", "rms_norm_eps", "rope_theta", "initializer_range", "o_proj_init_gain")
OPTIONS = "options.json"                    # in the folder of a run: what its command said, for --resume


def chosen(options, config_class) -> dict:
    """The options that are fields of a config dataclass."""
    return {field.name: getattr(options, field.name) for field in fields(config_class) if hasattr(options, field.name)}


def read_source(options, source=None):
    from minillm.text.corpora import read_corpus
    return read_corpus(source or options.source, megabytes=options.megabytes,
                       seed=options.data_seed,
                       data_dir=options.data_dir, globs=tuple(options.glob),
                       encoding=options.encoding)


def read_file(path, options) -> str:
    """The text of one file that an option names. Raises UserError."""
    from minillm.text.corpora import check_encoding, read_text
    check_encoding(options.encoding)
    return read_text(Path(path), encoding=options.encoding)


def make_tokenizer(options, corpus, engine: str = "library"):
    """The tokenizer that the options ask for: loaded, of characters, or trained on the training split."""
    from minillm.text import tokenizer as tokenizers
    if options.tokenizer:
        return tokenizers.load(options.tokenizer)
    if options.characters:
        return tokenizers.train_characters(corpus.train + corpus.validation)
    return tokenizers.train(corpus.train, options.vocab_size, engine=engine)


def open_or_prepare(options, folder, replace=True, check=lambda tokenizer: None):
    """(dataset, tokenizer) of a dataset folder, or of text that `data.prepare` puts into `folder`.

    `check(tokenizer)` may refuse before anything is written.
    """
    from minillm.text import tokenizer as tokenizers
    from minillm.text.dataset import DESCRIPTION, open_dataset, prepare
    if (Path(options.source) / DESCRIPTION).is_file():
        dataset, made = open_dataset(options.source), tokenizers.load(options.source)
        check(made)
        return dataset, made
    corpus = read_source(options)
    made = make_tokenizer(options, corpus)
    check(made)
    return prepare(corpus, made, folder, replace), made


def default_out(source) -> str:
    """Where a run goes that is not told where: runs/book for book.txt."""
    return str(Path("runs") / (Path(source).resolve().stem or "text"))


def recorded_options(out, command: str) -> dict:
    """The options with which the run in `out` was started, {} where unknown; its text is its tokens."""
    from minillm.files import read_json
    try:
        values = read_json(Path(out) / OPTIONS)
    except UserError:
        return {}
    plain = {name: value for name, value in values.get("options", {}).items()
             if isinstance(value, (str, int, float, bool, list, type(None)))}
    if values.get("command") != command:
        return {}
    own = Path(out) / "data"
    if command == "pretrain" and (own / "dataset.json").is_file():
        plain["source"] = str(own)
    return plain


def record_options(out, command: str, options):
    """Write what `recorded_options` reads."""
    from minillm.files import write_json
    values = {name: value for name, value in vars(options).items()
              if name not in ("run", "parser", "out", "resume", "command") and not callable(value)}
    write_json(Path(out) / OPTIONS, {"command": command, "options": values})


def warn_of_devices(console, options, train):
    """Say that more devices than cores do not help."""
    from minillm.training.display import say
    cores = os.cpu_count() or 1
    if options.twin == "jax" and train.cpu_devices > max(2, cores):
        say(console, f"warning: --cpu-devices is {train.cpu_devices} and this machine has {cores} "
                     f"cores: more devices than "
                     "cores make training slower", style="bold yellow")


def story_recipe(console, options, config, dataset):
    """The config with what the story world's recipe sets and no option does; says so."""
    from minillm.text import storyworld
    from minillm.training.display import say
    if dataset.floor_nats is None or options.o_proj_init_gain is not None:
        return config
    say(console, f"story recipe: o_proj starts as {storyworld.RECIPE['o_proj_init_gain']:g} x the transpose "
                 "of v_proj; --o-proj-init-gain 0 gives the ordinary start")
    return replace(config, **storyworld.RECIPE)


def pretrain(options):
    if options.source is None:
        raise UserError("SOURCE is missing: give a text file, a folder, or a name such as "
                        "storyworld"
                        + (f"; {options.out} does not say what it was trained on" if options.resume else "")
                        + " (see minillm pretrain --help)")
    options.out = options.out or default_out(options.source)
    train = with_options(TrainConfig(), **chosen(options, TrainConfig))
    overrides = {name: getattr(options, name) for name in (*MODEL_OPTIONS, "tie_word_embeddings")}
    config = with_options(preset(options.model, vocab_size=1, context=train.context), **overrides)
    from rich.console import Console
    from minillm import training
    from minillm.training.display import say
    from minillm.architecture.llama import count
    console = Console()
    training.check_folder(options.out, options.resume)
    training.check_memory(config, train, options.twin)

    def check(made):
        nonlocal config
        special = made.special_tokens.get("<|endoftext|>")
        config = replace(config, vocab_size=made.vocab_size, bos_token_id=special,
                         eos_token_id=special)
        training.check_memory(config, train, options.twin)
        training.prepare_folder(options.out, options.resume)

    dataset, made = open_or_prepare(options, Path(options.out) / "data", not options.resume, check)
    if not options.resume:
        record_options(options.out, "pretrain", options)
    warn_of_devices(console, options, train)
    config = story_recipe(console, options, config, dataset)
    say(console, f"{dataset.description}: {len(dataset.train):,} training tokens, {len(dataset.validation):,} held out, "
                 f"vocabulary {made.vocab_size:,}")
    say(console, f"model: {count(config):,} parameters in {config.num_hidden_layers} layers of {config.hidden_size}, "
                 f"{config.num_attention_heads} heads over {config.num_key_value_heads}; {train.steps:,} steps of "
                 f"{train.batch_size} x {train.context} tokens read the text "
                 f"{training.epochs(dataset, train, train.steps):.3g} times; twin: {options.twin}")
    summary = train_and_draw(console, options.out, config, train, dataset, made, options.twin,
                             options.resume,
                             keep=options.keep)
    prompt = "" if config.bos_token_id is not None else f' --prompt "{beginning(dataset, made, config)}"'
    finish(console, summary, train, f"pretrain --resume --out {quoted(options.out)}", options.out,
           f"generate {quoted(options.out)}{prompt}")


def finish(console, summary, train, again: str, out, following: str):
    """Print how a run went, and the command that comes next."""
    from minillm import training
    from minillm.training.display import say, say_how_it_went
    if not summary["done"]:
        holds = ("" if summary["model_step"] == summary["step"] else
                 f"; the folder holds the model of step {summary['model_step']:,}")
        say(console, f"saved at step {summary['step']:,} of {train.steps:,}{holds}. Continue "
                     f"with: minillm {again}")
        return
    say(console, f"{summary['tokens']:,} tokens in {summary['seconds']:.0f} s, {summary['tokens_per_second']:,.0f} tokens/s "
                 f"while training. Checkpoint, log and curve (loss.png) are in {out}")
    if say_how_it_went(console, summary, training.read_metrics(Path(out) / training.METRICS)):
        say(console, f"next: minillm {following}")


def quoted(path) -> str:
    """A path as it is typed in a shell: in quotes where it holds a space."""
    return f'"{path}"' if " " in str(path) else str(path)


def beginning(dataset, tokenizer, config) -> str:
    """A prompt that the tokenizer knows and every shell accepts: words from the held-out text."""
    text = tokenizer.decode(dataset.validation[:2000].tolist())
    words = re.search(r"\w(?:[\w ,.]*\w)?", text)
    return words[0][: max(1, min(16, config.max_position_embeddings // 2))].rstrip() if words else ""


def distill(options):
    from rich.console import Console
    from minillm import distillation, training
    from minillm.config import DistillConfig
    from minillm.training.display import say
    from minillm.loading import load
    if options.teacher is None:
        raise UserError("TEACHER is missing: give the folder of a checkpoint (see minillm distill "
                        "--help)")
    from minillm.architecture.llama import count
    train = with_options(TrainConfig(), **chosen(options, TrainConfig))
    how = with_options(DistillConfig(), **chosen(options, DistillConfig), kept=options.top_k if options.cache else 0)
    overrides = {name: getattr(options, name) for name in (*MODEL_OPTIONS, "tie_word_embeddings")}
    config = with_options(preset(options.student, vocab_size=1, context=train.context), **overrides)
    console, out, teacher = Console(), Path(options.out), load(options.teacher)
    config = replace(config, vocab_size=teacher.config.vocab_size, bos_token_id=teacher.config.bos_token_id,
                     eos_token_id=teacher.config.eos_token_id)
    distillation.check_context(teacher, train.context)
    training.check_memory(config, train, options.twin)
    training.prepare_folder(out, options.resume)
    dataset = distillation.text(out, teacher, how, train, source_of_text(options), lambda source: read_source(options, source),
                                twin=options.twin, resume=options.resume, say=lambda text: say(console, text))
    distillation.check(config, train, how, teacher, dataset)
    if not options.resume:
        record_options(out, "distill", options)
    warn_of_devices(console, options, train)
    if how.start == "random":
        config = story_recipe(console, options, config, dataset)
    say(console, f"teacher: {options.teacher}, {teacher.config.num_hidden_layers} layers of {teacher.config.hidden_size}; "
                 f"{dataset.description}: {len(dataset.train):,} training tokens")
    say(console, f"student: {count(config):,} parameters in {config.num_hidden_layers} layers of {config.hidden_size}, start "
                 f"{how.start}; {how.objective}, {train.steps:,} steps of {train.batch_size} x "
                 f"{train.context} tokens read the "
                 f"text {training.epochs(dataset, train, train.steps):.3g} times; twin: "
                 f"{options.twin}")

    def run(callbacks):
        return distillation.run(out, config, train, how, teacher, dataset, twin=options.twin, resume=options.resume, callbacks=callbacks,
                                cache=options.cache, say=lambda text: say(console, text),
                                keep_model=options.keep)

    summary = train_and_draw(console, out, config, train, dataset, teacher.tokenizer, options.twin, run=run)
    finish(console, summary, train, f"distill --resume --out {quoted(out)}", out,
           f"evaluate {quoted(out)}")


def source_of_text(options):
    """What --data says, or the data that the teacher was trained with, or None. Raises UserError where text is needed."""
    from minillm.text.dataset import DESCRIPTION
    own = Path(options.teacher) / "data"
    source = options.source or (str(own) if (own / DESCRIPTION).is_file() else None)
    if source is None and options.objective != "responses":
        raise UserError(f"{options.teacher}: has no dataset beside it: name with --data what the "
                        f"student is to read")
    return source


def train_and_draw(console, folder, config, train, dataset, tokenizer, twin, resume=False,
                   lines=None, run=None,
                   keep=None) -> dict:
    """Run the training loop (or `run(callbacks)`) under a live display and draw its curve; returns the summary."""
    from minillm import training
    from minillm.training import display
    floor = training.held_out(dataset, train.context).floor_per_token
    callbacks = display.Display(console, train, floor)
    try:
        summary = run(callbacks) if run else training.run(folder, config, train, dataset, tokenizer, twin=twin, resume=resume,
                                                      callbacks=callbacks, keep=keep)
    finally:
        callbacks.finished()
    levels = ({} if floor is None else {"floor": floor}) | (lines or {})
    display.draw_curve(training.read_metrics(Path(folder) / training.METRICS), Path(folder) / "loss.png",
                       f"{dataset.name}: {config.num_hidden_layers} layers of {config.hidden_size}",
                       levels,
                       training.epochs(dataset, train, train.steps))
    return summary


def demo(options):
    from minillm.cli.demo import run
    return run(options.out, steps=options.steps, seed=options.seed, twin=options.twin)


def evaluate(options):
    from minillm import training
    from minillm.loading import load, twin_package
    import numpy as np
    loaded = load(options.path, options.tokenizer, options.dtype)
    loaded.check_twin(options.twin)
    config, params = loaded.config, loaded.params
    model = twin_package(options.twin)
    context = options.context or config.max_position_embeddings
    if not 1 <= context <= config.max_position_embeddings:
        raise UserError(f"--context is {context}: the model reads 1 to {config.max_position_embeddings} tokens")
    if options.batch_size < 1:
        raise UserError(f"--batch-size is {options.batch_size}: it must be at least 1")
    rows = rows_to_measure(options, loaded, context)
    record = training.evaluate(model, params, config, rows, options.batch_size)
    loss = record.pop("held_out")
    if not np.isfinite(loss):
        raise UserError(f"{options.path}: the loss is {loss}: weights of this model, or products of them, are not finite")
    result = {"path": str(options.path), "twin": options.twin, "context": context,
              "tokens": int(np.sum(rows.targets_NT != IGNORE)), "loss": loss,
              "perplexity": float(np.exp(min(loss, 700))), **record}
    if options.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name.replace('_', ' '):20} {value:.4f}" if isinstance(value, float) else f"{name.replace('_', ' '):20} {value}")


def rows_to_measure(options, loaded, context: int):
    """The rows of --text or --data, or of the data that the model was trained with."""
    import numpy as np
    from minillm import training
    from minillm.text.dataset import open_dataset, windows
    config, made = loaded.config, loaded.tokenizer
    if options.text:
        if made is None:
            raise UserError(f"{options.path}: there is no tokenizer.json, so text cannot become tokens")
        text = read_file(options.text, options)
        tokens = [*loaded.begin, *made.encode(text)]
        if len(tokens) < 2 or len(tokens) == len(loaded.begin):
            raise UserError(f"{options.text}: " + ("too short to measure" if text else "the file is empty")
                            + ": give a text of at least two tokens")
        return training.HeldOut(*windows(np.array(tokens), context), 0, None, len(made.decode_bytes(tokens[1:])))
    folder = Path(options.data or Path(options.path) / "data")
    if not options.data and not folder.exists():
        raise UserError(f"{options.path}: has no dataset beside it: give --text FILE or --data DIR")
    dataset = open_dataset(folder)
    if dataset.vocab_size > config.vocab_size:
        raise UserError(f"{folder}: made with a vocabulary of {dataset.vocab_size}, the model has {config.vocab_size}")
    return training.held_out(dataset, context)


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
        times = [time.perf_counter()]
        if i:
            print("\n---")
        for piece in model.generate(prompt, options.twin, tuple(options.stop), lambda: times.append(time.perf_counter()),
                                    not options.no_begin, **chosen(options, GenerateConfig)):
            print(piece, end="", flush=True)
        print()
        if not options.quiet:
            print(speed(len(times) - 1, times[-1] - times[0], options.twin), file=sys.stderr)


def speed(tokens: int, seconds: float, twin: str) -> str:
    """What `generate` says at the end; the time is that from the prompt to the last token."""
    included = "reading the prompt" + (" and compiling" if twin == "jax" else "") + " included"
    rate = ""
    if tokens and seconds:
        rate = f" in {seconds:.2f} s ({included}), {tokens / seconds:,.0f} tokens/s"
    return f"[{tokens} new tokens{rate}, twin: {twin}]"


def keep_compiled():
    """Keep what JAX compiles in the user's cache folder: the next run with the same shapes begins at once."""
    import jax
    from minillm.text.corpora import cache_folder
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)


def data(options):
    from minillm.text.dataset import describe
    if options.show is not None:
        if options.show < 1:
            raise UserError(f"--show is {options.show}: it must be at least 1")
        for text in read_source(options).train[: options.show]:
            print(text, end="\n\n")
        return
    dataset, _ = open_or_prepare(options, options.out)
    print(json.dumps(describe(dataset), indent=2))


def tokenizer(options):
    from minillm.text import tokenizer as tokenizers
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


def inspect(options):
    from minillm.inspection import report
    from minillm.loading import load
    report.may_write(options.out)
    model = load(options.path, options.tokenizer, options.dtype)
    if not options.effort > 0:
        raise UserError(f"--effort is {options.effort}: it must be above 0")
    prompts = [prompt_of(text, model, options.ids) for text in (options.prompt, options.corrupt)]
    against = None if options.against is None else load(options.against, options.tokenizer, options.dtype)
    text = None if options.text is None else read_file(options.text, options)
    if options.twin == "jax":
        keep_compiled()
    found = report.contents(model, *prompts, against, text, options.effort, options.twin,
                            lambda line: print(f"[{line}]", file=sys.stderr))
    size = report.write(options.out, found)
    wrong = [check["name"] for check in found["checks"] if check["verdict"] == "fails"]
    print(f"{options.out}: {size / 1e6:.2f} MB, {len(found['tokens'])} tokens. " + (
        f"not a page about this model: {found['broken']}" if "broken" in found else
        f"FAILS: {', '.join(wrong)}" if wrong else f"{sum(c['verdict'] == 'holds' for c in found['checks'])} identities hold"))
    return 1 if wrong or "broken" in found else 0


def prompt_of(text, model, ids: bool):
    """A prompt as it was given: text, or token ids. Raises UserError."""
    if text is None or not ids:
        return text
    try:
        return [int(each) for each in text.split()]
    except ValueError:
        raise UserError(f"{text!r} holds something that is not a token id: with --ids, give "
                        f"numbers with spaces between") from None


def inspect_config(options):
    from minillm.formats.describe import describe
    found = describe(options.path)
    if options.json:
        print(json.dumps(found))
    else:
        from minillm.training.display import show_description
        show_description(found)
    return 1 if found["refused"] else 0


def convert(options):
    from minillm.loading import load
    from minillm.formats.checkpoint import copy_texts
    source, out = Path(options.path), Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: already exists and is not an empty folder: give a new one")
    model = load(source, options.tokenizer)
    from minillm.architecture.quantized import scheme_of
    scheme = scheme_of(model.params)
    if scheme:                                              # the float numbers that its integers stand for
        from minillm.quantization.model import dequantize_params
        model = replace(model, params=dequantize_params(model.params))
    model.save(out, options.dtype)
    if source.is_dir():
        copy_texts(source, out)
    print(f"{out}: {model.source} in Hugging Face's format, {options.dtype}" + (f", made float again from {scheme}" if scheme else ""))


def quantize(options):
    import numpy as np
    from minillm.quantization import model as quantizing
    from minillm.formats.checkpoint import copy_texts
    from minillm.loading import load
    from minillm.architecture.quantized import scheme_named
    source, out = Path(options.path), Path(options.out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: already exists and is not an empty folder: give a new one")
    scheme = scheme_named(options.scheme, options.zero_point, options.activations)
    require(min(options.rows, options.measured_rows) >= 1, "--rows and --measured-rows", min(options.rows, options.measured_rows),
            "at least 1")
    require(0 <= options.alpha <= 1, "--alpha", options.alpha, "between 0 and 1")
    require(options.threshold > 0, "--threshold", options.threshold, "above 0")
    model = load(source, options.tokenizer)
    try:
        quantizing.refuse_quantized(model.params)
        tokens_NT = calibration_rows(options, model)
        params = quantizing.quantize_model(model.params, model.config, scheme, options.method, tokens_NT, options.alpha,
                                           options.threshold, lambda text: print(text, file=sys.stderr))
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    made = replace(model, params=params)
    made.save(out, method=options.method)
    if source.is_dir():
        copy_texts(source, out)
    errors = quantizing.matrix_errors(model.params, params)
    found = {"path": str(out), "scheme": str(scheme), "method": options.method, **quantizing.size(params),
             "file_bytes": (out / "model.safetensors").stat().st_size,
             "worst": sorted(errors, key=lambda row: -row["relative"])[:5]}
    if options.text or options.data or (source / "data").is_dir():
        rows = rows_to_measure(options, model, model.config.max_position_embeddings)
        found |= quantizing.compare(model.params, params, model.config, rows.tokens_NT[: options.measured_rows],
                                    rows.targets_NT[: options.measured_rows], options.twin)
        drifts = quantizing.drift(model.params, params, model.config, rows.tokens_NT[:4])
    else:
        random = np.random.default_rng(0).integers(0, model.config.vocab_size, (2, min(64, model.config.max_position_embeddings)))
        drifts = quantizing.drift(model.params, params, model.config, random)
    found["drift"] = drifts
    if options.figure:
        quantizing.draw(errors, drifts, options.figure, f"{source.name}: {scheme}, {options.method}")
    if options.json:
        print(json.dumps(found))
    else:
        from minillm.training.display import show_quantized
        show_quantized(found)


def export(options):
    from minillm.formats.gguf import export as write
    from minillm.loading import load
    out = Path(options.out)
    if out.exists():
        raise UserError(f"{out}: already exists: give the name of a new file")
    model = load(options.path, options.tokenizer)
    floats = write(out, model)
    print(f"{out}: {model.source} as GGUF, {out.stat().st_size:,} bytes; llama.cpp runs it: llama-cli -m {out}")
    if floats:
        print(f"in float32, because GGUF's groups of 32 do not divide their rows: {len(floats)} matrices ({', '.join(floats[:3])}{', ...' if len(floats) > 3 else ''})")


def calibration_rows(options, model):
    """--rows rows of the calibration text: --calibration, or what the model was trained on; None where no method needs one."""
    import numpy as np
    if options.method == "round":
        return None
    context = min(256, model.config.max_position_embeddings)
    if options.calibration:
        if model.tokenizer is None:
            raise UserError(f"{options.path}: there is no tokenizer.json, so text cannot become "
                            f"tokens")
        tokens = np.array([*model.begin,
                           *model.tokenizer.encode(read_file(options.calibration, options))])
    elif (Path(options.path) / "data").is_dir():
        from minillm.text.dataset import open_dataset
        tokens = open_dataset(Path(options.path) / "data").train[: context * options.rows]
    else:
        raise UserError(f"--method {options.method} needs a calibration text: give --calibration FILE")
    if len(tokens) < context:
        raise UserError(f"the calibration text has {len(tokens)} tokens: at least one row of {context} is needed")
    count = min(options.rows, len(tokens) // context)
    return np.asarray(tokens[: count * context]).astype(np.int32).reshape(count, context)


def parity(options):
    from minillm.inspection import parity as check
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
        from minillm.training.display import show_parity
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
    from minillm.cli.chat import run
    return run(options)


def lesson(options):
    from minillm.course.lessons import command
    return command(options)


def assignment(options):
    from minillm.assignments import command
    return command(options)


def compare_curve(options):
    from minillm.training.curves import command
    return command(options)
