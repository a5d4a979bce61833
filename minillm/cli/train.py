"""Training: `minillm pretrain`, `minillm distill`, and `minillm compare-curve` on how it went."""

import json
import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from minillm.cli.hosts import NAMES, add_hosts, check_hosts, run_as_host
from minillm.cli.options import (
    SHAPE,
    add_config,
    add_json,
    add_shape,
    add_source,
    add_text,
    add_twin,
    chosen,
    flag,
    open_or_prepare,
    read_source,
    training_and_model,
)
from minillm.cli.parsing import add_command
from minillm.config import OBJECTIVES, PRESETS, DistillConfig, TrainConfig, with_options
from minillm.errors import UserError

OPTIONS = "options.json"  # in the folder of a run: what its command said, for --resume
# Other defaults for --from: what a trained model knows is lost at the rates of a fresh one.
FROM = {"optimizer": "adamw", "learning_rate": 1e-4, "weight_decay": 0.0, "model": None,
        "vocab_size": None, "context": None}


def add_commands(commands):
    """Add the commands of this file."""
    add_pretrain(commands)
    add_distill(commands)
    add_compare_curve(commands)


# ---- pretrain --------------------------------------------------------------------------------


def add_pretrain(commands):
    command = add_command(
        commands, "pretrain", pretrain, "train a LLaMA on text",
        "minillm pretrain storyworld --model nano --out runs/nano\n"
        "  minillm pretrain book.txt --model tiny --steps 2000 --out runs/book\n"
        "  minillm pretrain book.txt --from models/smollm2 --out runs/smollm2-book\n"
        "  minillm pretrain --resume --out runs/book")
    command.usage = "minillm pretrain [SOURCE] [options]"
    add_source(command, optional=True)
    command.add_argument(
        "--out", metavar="DIR",
        help="folder of the run: the model, its log, its curve (default: runs/ and "
        "the name of SOURCE)")
    add_run(command)
    presets = ", ".join(f"{name} = {depth}" for name, depth in PRESETS.items())
    command.add_argument(
        "--model", default="nano", metavar="NAME|DEPTH",
        help=f"a preset ({presets}) or a depth: layers = heads = depth, width = 32 x depth")
    command.add_argument(
        "--from", dest="start_from", metavar="PATH",
        help="go on from a trained model: its parameters, shape, tokenizer and chat template "
             "(default: start at random); then other defaults hold: "
             f"{FROM['optimizer']}, learning rate {FROM['learning_rate']:g}, no weight decay")
    add_twin(command)
    add_config(command.add_argument_group("training"), TrainConfig)
    add_hosts(command)
    add_shape(command.add_argument_group("model (each overrides --model)"))


def add_run(command):
    """How a run of training is kept and continued."""
    command.add_argument("--resume", action="store_true",
                         help="continue the run in --out, bit for bit; it knows its other options")
    command.add_argument(
        "--keep", choices=("best", "last"),
        help="the model in --out: the one with the lowest held-out loss, or the last "
        "(default: best; last where the exact floor of the text is known)")


def pretrain(options):
    if options.source is None:
        unknown = f"; {options.out} does not say what it was trained on" if options.resume else ""
        raise UserError("SOURCE is missing: give a text file, a folder, or a name such as "
                        f"storyworld{unknown} (see minillm pretrain --help)")
    options.out = options.out or default_out(options.source)
    check_hosts(options)
    if options.hosts == 1:
        return pretrain_on(options)
    if not options.start_from:
        training_and_model(options, options.model)  # refuses wrong settings before others wait
    from minillm.training import check_folder

    check_folder(options.out, options.resume)
    return run_as_host(options, pretrain_on)


def pretrain_on(options, hosts=None):
    """Train as one of `hosts`; None: alone."""
    if options.start_from:
        train, config, method, text = trained_model(options)
    else:
        train, config, method, text = *training_and_model(options, options.model), None, {}
    from rich.console import Console

    from minillm import distillation, training
    from minillm.training.display import say

    if hosts is None:
        hosts = training.ALONE
        training.check_folder(options.out, options.resume)
    console = Console(quiet=not hosts.first)
    training.check_twin(train, options.twin)
    training.check_memory(config, train, options.twin)

    def check(tokenizer):
        nonlocal config
        if not options.start_from:
            config = with_vocabulary(config, tokenizer)
        elif not distillation.same_tokenizer(tokenizer, text["tokenizer"]):
            raise UserError(
                f"{options.source}: was cut into tokens by another tokenizer than that of "
                f"{options.start_from}: give the text itself, not a dataset folder")
        training.check_memory(config, train, options.twin)
        if hosts.first:
            training.prepare_folder(options.out, options.resume)

    folder = Path(options.out) / "data"
    if not hosts.first:
        hosts.wait()
        options.source = str(folder) if folder.is_dir() else options.source
    dataset, tokenizer = open_or_prepare(options, folder, not options.resume, check, **text)
    if hosts.first:
        hosts.wait()
        if not options.resume:
            record_options(options)
    warn_of_devices(console, options, train)
    say(console, f"{dataset.description}: {len(dataset.train):,} training tokens, "
        f"{len(dataset.validation):,} held out, vocabulary {tokenizer.vocab_size:,}")
    if not options.start_from:
        config = story_recipe(console, options, config, dataset)
    origin = f" of {options.start_from}" if options.start_from else ""
    say(console, f"model: {size(config)}{origin}; {reading(dataset, train)}; twin: {options.twin}")
    run = partial(training.run, options.out, config, train, dataset, tokenizer, keep=options.keep)
    run = partial(run, twin=options.twin, resume=options.resume, method=method or training.Method(),
                  hosts=hosts)
    summary = train_and_draw(console, options.out, config, train, dataset, run, first=hosts.first)
    if not hosts.first:
        return
    following = f"generate {quoted(options.out)}"
    if config.bos_token_id is None:
        following += f' --prompt "{first_words(dataset, tokenizer, config)}"'
    finish(console, summary, train, options, following)


def with_vocabulary(config, tokenizer):
    """The config of a fresh model for a tokenizer: its vocabulary, its end-of-text token."""
    end_of_text = tokenizer.special_tokens.get("<|endoftext|>")
    return replace(config, vocab_size=tokenizer.vocab_size, bos_token_id=end_of_text,
                   eos_token_id=end_of_text)


def trained_model(options):
    """(TrainConfig, config, Method, how text is cut) of a run that goes on from `--from`.

    A run that is resumed needs its own folder alone. Raises UserError.
    """
    from minillm import training
    from minillm.loading import load

    shape = ("model", "vocab_size", "tokenizer", "characters", *SHAPE, "tie_word_embeddings")
    given = [flag(name) for name in shape if getattr(options, name) not in (None, "", [])
             and (name, getattr(options, name)) != ("characters", False)]
    if given:
        raise UserError(
            f"{given[0]}: with --from the model is {options.start_from}, with its shape "
            f"and tokenizer: leave {given[0]} out")
    training.check_folder(options.out, options.resume)
    source = options.out if options.resume else options.start_from
    model = load(source)
    check_trainable(model, source)
    longest = model.config.max_position_embeddings
    if options.context is None:
        options.context = min(TrainConfig.context, longest)
    train = with_options(TrainConfig(), **chosen(options, TrainConfig))
    if train.context > longest:
        raise UserError(f"--context {train.context}: {source} reads {longest} tokens at most")
    method = training.Method(begin=lambda: load(options.start_from).params,
                             describe=partial(describe_as, replace(model, params={}), Path(source)))
    return train, model.config, method, {"tokenizer": model.tokenizer,
                                         "mark": model.config.bos_token_id}


def check_trainable(model, source):
    """Refuse a model that cannot be trained on. Raises UserError."""
    from minillm.architecture.family import family
    from minillm.architecture.quantized import scheme_of

    if not family(model.config).backward_by_hand:
        raise UserError(f"{source}: a {family(model.config).name} can be read and run, not trained")
    if scheme_of(model.params):
        raise UserError(
            f"{source}: its matrices are quantized: train the model that it was made from")
    if model.tokenizer is None:
        raise UserError(f"{source}: has no tokenizer, so text cannot become tokens")


def describe_as(model, source: Path, folder: Path):
    """Write into `folder` what `source` says of a model, its own texts as they are."""
    from minillm.formats import checkpoint

    checkpoint.save_description(folder, model.config, {}, model.tokenizer, add_bos_token=bool(
                                    model.begin), template=model.chat_template, marks=model.marks)
    if source.is_dir():
        checkpoint.copy_texts(source, folder)


def story_recipe(console, options, config, dataset):
    """The config with what the story world's recipe sets and no option does; says so."""
    from minillm.text import storyworld
    from minillm.training.display import say

    if dataset.floor_nats is None or options.o_proj_init_gain is not None:
        return config
    say(console, f"story recipe: o_proj starts as {storyworld.RECIPE['o_proj_init_gain']:g} x the "
        "transpose of v_proj; --o-proj-init-gain 0 gives the ordinary start")
    return replace(config, **storyworld.RECIPE)


def default_out(source) -> str:
    """Where a run goes that is not told where: runs/book for book.txt."""
    return str(Path("runs") / (Path(source).resolve().stem or "text"))


def first_words(dataset, tokenizer, config) -> str:
    """A prompt that the tokenizer knows and every shell accepts: words from the held-out text."""
    text = tokenizer.decode(dataset.validation[:2000].tolist())
    words = re.search(r"\w(?:[\w ,.]*\w)?", text)
    longest = max(1, min(16, config.max_position_embeddings // 2))
    return words[0][:longest].rstrip() if words else ""


# ---- distill ---------------------------------------------------------------------------------


def add_distill(commands):
    command = add_command(commands, "distill", distill,
                          "train a small model from a large one's answers",
                          "minillm distill runs/small --student nano --out runs/student\n"
                          "  minillm distill runs/small --objective responses --out runs/student\n"
                          "  minillm distill --resume --out runs/student")
    command.usage = "minillm distill [TEACHER] --out DIR [options]"
    command.add_argument(
        "teacher", metavar="TEACHER", nargs="?",
        help="folder of a checkpoint, or a llama2.c .bin file; not needed with --resume")
    command.add_argument("--student", default="nano", metavar="NAME|DEPTH",
                         help="the student: a preset or a depth, as pretrain's --model")
    command.add_argument("--from", dest="start_from", metavar="PATH",
                         help="go on from a student that was trained before, as on-policy needs: "
                         "its parameters and shape (default: start anew); then other defaults "
                         "hold, as with pretrain's --from")
    command.add_argument("--out", required=True, metavar="DIR",
                         help="folder of the run: the model, its log, its curve")
    add_run(command)
    add_objective(command.add_argument_group("how it learns"))
    text = command.add_argument_group("text")
    text.add_argument("--data", dest="source", metavar="SOURCE",
                      help="as pretrain's SOURCE (default: the text the teacher was trained on); "
                      "with responses, only to measure")
    add_text(text)
    add_twin(command)
    add_config(command.add_argument_group("training"), TrainConfig)
    add_shape(command.add_argument_group("student (each overrides --student)"))


def add_objective(group):
    """What the student learns from the teacher, and how."""
    defaults = DistillConfig()
    group.add_argument(
        "--objective", choices=OBJECTIVES, default=defaults.objective,
        help="soft: the teacher's probabilities; reverse: KL the other way; on-policy: the "
        "teacher scores what the student writes; responses: only text that the teacher wrote")

    def add_number(flag, kind, default, help):
        metavar = "N" if kind is int else "X"
        group.add_argument(flag, type=kind, default=default, metavar=metavar, help=help)

    add_number("--alpha", float, defaults.alpha,
               "the teacher's share in the loss; 0: plain training")
    add_number("--temperature", float, defaults.temperature,
               "divides the logits of teacher and student")
    add_number("--student-share", float, defaults.student_share,
               "on-policy: the share of dispatches whose rows the student writes")
    add_number("--jsd-beta", float, defaults.jsd_beta,
               "on-policy: 1 for KL(student || teacher), 0 for KL(teacher || student), between for "
               "the JSD(beta) of the two")
    group.add_argument(
        "--start", choices=("random", "pruned"), default=defaults.start,
        help="where the student begins: pruned takes layers and widths of the teacher")
    group.add_argument("--cache", metavar="DIR",
                       help="keep the teacher's answers there, for this and other students")
    add_number("--top-k", int, 32, "how many tokens of each answer the cache keeps")
    add_number("--responses", int, defaults.responses, "texts that the teacher writes")
    add_number("--writing-temperature", float, defaults.writing_temperature,
               "temperature at which the teacher or the student writes")


def distill(options):
    from rich.console import Console

    from minillm import distillation, training
    from minillm.loading import load
    from minillm.training.display import say

    if options.teacher is None:
        raise UserError(
            "TEACHER is missing: give the folder of a checkpoint (see minillm distill --help)")
    train, config = training_and_model(options, options.student)
    settings = with_options(DistillConfig(), **chosen(options, DistillConfig),
                            kept=options.top_k if options.cache else 0)
    console, out, teacher = Console(), Path(options.out), load(options.teacher)
    student = None
    if options.start_from:
        student = load(options.out if options.resume else options.start_from)
        distillation.check_student(student, teacher, settings)
        check_trainable(student, options.start_from)
        config = student.config
        context = train.context if options.context else config.max_position_embeddings
        train = replace(train, context=min(context, config.max_position_embeddings))
    vocabulary = ("vocab_size", "bos_token_id", "eos_token_id")
    config = replace(config, **{name: getattr(teacher.config, name) for name in vocabulary})
    distillation.check_context(teacher, train.context)
    training.check_twin(train, options.twin)
    training.check_memory(config, train, options.twin)
    training.prepare_folder(out, options.resume)
    common = dict(twin=options.twin, resume=options.resume, say=lambda text: say(console, text))
    source, read = source_of_text(options), partial(read_source, options)
    dataset = distillation.text(out, teacher, settings, train, source, read, **common)
    distillation.check(config, train, settings, teacher, dataset)
    if not options.resume:
        record_options(options)
    warn_of_devices(console, options, train)
    if settings.start == "random" and student is None:
        config = story_recipe(console, options, config, dataset)
    say(console, f"teacher: {options.teacher}, {teacher.config.num_hidden_layers} layers of "
        f"{teacher.config.hidden_size}; {dataset.description}: "
        f"{len(dataset.train):,} training tokens")
    say(console, f"student: {size(config)}, start {options.start_from or settings.start}; "
        f"{settings.objective}, {reading(dataset, train)}; twin: {options.twin}")
    run = partial(distillation.run, out, config, train, settings, teacher, dataset, **common)
    run = partial(run, cache=options.cache, keep_model=options.keep, student=student)
    summary = train_and_draw(console, out, config, train, dataset, run)
    finish(console, summary, train, options, f"evaluate {quoted(out)}")


def source_of_text(options) -> str | None:
    """What --data says, or the data that the teacher was trained with, or None.

    Raises UserError where text is needed.
    """
    from minillm.text.dataset import DESCRIPTION

    teachers = Path(options.teacher) / "data"
    source = options.source or (str(teachers) if (teachers / DESCRIPTION).is_file() else None)
    if source is None and options.objective != "responses":
        raise UserError(
            f"{options.teacher}: has no dataset beside it: name with --data what the student is "
            "to read")
    return source


# ---- Both: the run ---------------------------------------------------------------------------


def size(config) -> str:
    """A model in a few words."""
    from minillm.architecture.llama import count

    tables = config.vocab_size * config.hidden_size * (1 if config.tie_word_embeddings else 2)
    most = (f"; most parameters ({tables:,}) are for the vocabulary of {config.vocab_size:,}"
            if 2 * tables > count(config) else "")
    return (f"{count(config):,} parameters; layers: {config.num_hidden_layers} of width "
            f"{config.hidden_size}; heads: {config.num_attention_heads} for queries, "
            f"{config.num_key_value_heads} for keys and values{most}")


def reading(dataset, train) -> str:
    """How much of the text a run reads, in a few words."""
    from minillm import training

    return (f"{train.steps:,} steps of {train.batch_size} x {train.context} tokens read the text "
            f"{training.epochs(dataset, train, train.steps):.3g} times")


def train_and_draw(console, folder, config, train, dataset, run, levels=None,
                   first: bool = True) -> dict:
    """Train by `run(callbacks=)` under a live display and draw the loss curve; returns the summary.

    `levels`: {name: loss} to compare with; only the `first` host draws.
    """
    from minillm import training
    from minillm.training import display

    floor = training.held_out(dataset, train.context).floor_per_token
    callbacks = display.Display(console, train, floor)
    try:
        summary = run(callbacks=callbacks)
    finally:
        callbacks.finished()
    if not first:
        return summary
    display.draw_curve(training.read_metrics(Path(folder) / training.METRICS),
                       Path(folder) / "loss.png",
                       f"{dataset.name}: {config.num_hidden_layers} layers of {config.hidden_size}",
                       ({} if floor is None else {"floor": floor}) | (levels or {}),
                       training.epochs(dataset, train, train.steps))
    return summary


def finish(console, summary, train, options, following: str):
    """Print how a run went, and the command that comes next."""
    from minillm import training
    from minillm.training.display import say, say_how_it_went

    step, out = summary["step"], options.out
    if not summary["done"]:
        model_step = summary["model_step"]
        holds = "" if model_step == step else f"; the folder holds the model of step {model_step:,}"
        say(console, f"saved at step {step:,} of {train.steps:,}{holds}. Continue with: "
            f"minillm {options.command} --resume --out {quoted(out)}")
        return
    say(console, f"{summary['tokens']:,} tokens in {summary['seconds']:.0f} s, "
        f"{summary['tokens_per_second']:,.0f} tokens/s while training. Checkpoint, log and curve "
        f"(loss.png) are in {out}")
    records = training.read_metrics(Path(out) / training.METRICS)
    if say_how_it_went(console, summary, records, getattr(options, "method", None) == "dpo"):
        say(console, f"next: minillm {following}")


def warn_of_devices(console, options, train):
    """Say that more devices than cores do not help."""
    from minillm.training.display import say

    cores = os.cpu_count() or 1
    if options.twin == "jax" and train.cpu_devices > max(2, cores):
        say(console, f"warning: --cpu-devices is {train.cpu_devices} and this machine has {cores} "
            "cores: more devices than cores make training slower", style="bold yellow")


def quoted(path) -> str:
    """A path as it is typed in a shell: in quotes where it holds a space."""
    return f'"{path}"' if " " in str(path) else str(path)


# ---- Both: --resume, --from -------------------------------------------------------------------


def defaults_of(options) -> dict:
    """Other defaults, where a run is resumed or goes on from a trained model; else {}.

    Raises UserError as `options_to_resume`.
    """
    if getattr(options, "resume", False):
        return options_to_resume(options)
    return FROM if getattr(options, "start_from", None) else {}


def options_to_resume(options) -> dict:
    """The options with which the run to continue was started. Raises UserError without --out."""
    source = options.source if options.command == "pretrain" else None
    folder = options.out or (source and default_out(source))
    if not folder:
        raise UserError("--resume needs --out DIR, the folder of the run "
                        f"(see minillm {options.command} --help)")
    known = vars(options).keys() - {"run", "parser", "command", "resume", "out"}
    recorded = recorded_options(folder, options.command)
    return {name: value for name, value in recorded.items() if name in known} | {"out": folder}


def recorded_options(out, command: str) -> dict:
    """What `record_options` wrote into `out`, {} where unknown; the text of a run is its tokens."""
    from minillm.files import read_json

    try:
        values = read_json(Path(out) / OPTIONS)
    except UserError:
        return {}
    plain = {name: value for name, value in values.get("options", {}).items()
             if isinstance(value, (str, int, float, bool, list, type(None)))}
    if values.get("command") != command:
        return {}
    data = Path(out) / "data"
    if command == "pretrain" and (data / "dataset.json").is_file():
        plain["source"] = str(data)
    return plain


def record_options(options):
    """Write the options of a run into its folder."""
    from minillm.files import write_json

    values = {name: value for name, value in vars(options).items()
              if name not in ("run", "parser", "out", "resume", "command", *NAMES)
              and not callable(value)}
    write_json(Path(options.out) / OPTIONS, {"command": options.command, "options": values})


# ---- compare-curve ---------------------------------------------------------------------------


def add_compare_curve(commands):
    command = add_command(commands, "compare-curve", compare_curve,
                          "compare the loss of a run with reference runs: is it normal?",
                          "minillm compare-curve runs/demo")
    command.add_argument("run_folder", metavar="RUN",
                         help="folder of a run of minillm demo or minillm pretrain")
    command.add_argument("--reference", metavar="NAME",
                         help="demo or nano (default: the one whose settings are most similar)")
    command.add_argument("--out", metavar="FILE",
                         help="where to draw (default: normal.png in the folder of the run)")
    add_json(command)


def compare_curve(options) -> int:
    """0 where the run is normal, 1 where it is not."""
    from minillm.training import curves

    curve, model, train = curves.read_run(options.run_folder)
    references = curves.references()
    name = options.reference or curves.nearest(model, train)
    if name not in references:
        raise UserError(f"--reference {name}: there is no reference of this name: choose from "
                        f"{', '.join(references)}")
    reference, differences = references[name], []
    if curve.text != curves.TEXT:
        differences.append(f"text {curve.text or 'unknown'} (reference: {curves.TEXT})")
    differences += curves.differences(model, train, reference)
    lines, normal = curves.compare(curve, reference, model["vocab_size"])
    if differences:
        lines.insert(1, "these settings differ, so the curve may differ too: "
                     + "; ".join(differences))
    out = Path(options.out or Path(options.run_folder) / "normal.png")
    curves.draw(curve, reference, out, str(options.run_folder))
    if options.json:
        result = {"reference": name, "normal": normal, "differences": differences, "lines": lines}
        print(json.dumps(result | {"figure": str(out)}))
    else:
        print("\n".join(lines))
        print(f"{'normal' if normal else 'not normal'}; drawn in {out}")
    return 0 if normal else 1
