"""Tuning: `minillm tune`, from a model that goes on to one that answers."""

from functools import partial
from pathlib import Path

from minillm.cli.bench import peak_memory
from minillm.cli.options import add_config, add_twin, chosen
from minillm.cli.parsing import add_command
from minillm.cli.task import DIFFICULTY, add_difficulty
from minillm.cli.train import add_run, finish, quoted, record_options
from minillm.config import TrainConfig, TuneConfig, with_options
from minillm.errors import UserError
from minillm.files import megabytes

# What suits a model that knows its language already; --help shows them.
DEFAULTS = {"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.0, "steps": 500,
            "warmup_steps": 20, "context": None, "sample_every": 100}
CONTEXT = 256  # of rows, where the model reads as many


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "tune", tune, "teach a model to answer, from conversations",
        "minillm tune runs/demo --data desk --optimizer muon --learning-rate 6e-3 \\\n"
        "    --batch-size 8 --context 176 --steps 300 --out runs/desk\n"
        "  minillm tune models/smollm2 --data talks.jsonl --method lora --out runs/talks\n"
        "  minillm tune --resume --out runs/desk")
    command.usage = "minillm tune [PATH] --data NAME|FILE --out DIR [options]"
    command.add_argument("path", metavar="PATH", nargs="?",
                         help="the model to begin with: any that minillm opens; not needed with "
                         "--resume")
    command.add_argument(
        "--data", metavar="NAME|FILE",
        help="sums, steps, desk, or a JSON Lines file with {\"messages\": [...]} in every row")
    command.add_argument("--out", required=True, metavar="DIR",
                         help="folder of the run: the model or its adapter, its log, its curve")
    add_run(command)
    command.add_argument("--examples", type=int, default=20_000, metavar="N",
                         help="learn from at most so many conversations")
    add_difficulty(command)
    command.add_argument("--data-seed", type=int, default=0, metavar="N",
                         help="seed of the built-in data")
    command.add_argument("--replay", type=float, default=0.0, metavar="X",
                         help="share of rows that are text of before, so that less is forgotten")
    command.add_argument("--replay-text", metavar="SOURCE",
                         help="that text: a file, a dataset folder, or storyworld (default: what "
                         "the model in PATH was trained on)")
    add_twin(command)
    add_config(command.add_argument_group("how it learns"), TuneConfig)
    add_config(command.add_argument_group("training"), TrainConfig)
    command.set_defaults(**DEFAULTS)


def tune(options):
    """Tune a model. Raises UserError as training.run, and for data that is no conversations."""
    for name in ("path", "data"):
        if getattr(options, name) is None:
            flag = "PATH" if name == "path" else "--data"
            raise UserError(f"{flag} is missing: name the model to begin with, and what it is to "
                            "learn from (see minillm tune --help)")
    from rich.console import Console

    from minillm import training, tuning
    from minillm.loading import load
    from minillm.training.display import say

    console = Console()
    tune = with_options(TuneConfig(), **chosen(options, TuneConfig))
    training.check_folder(options.out, options.resume)
    whole = options.resume and tune.method == "sft"  # then the folder is all that is needed
    model = tuning.with_template(load(options.out if whole else options.path))
    longest = model.config.max_position_embeddings
    options.context = options.context or min(CONTEXT, longest)
    train = with_options(TrainConfig(), **chosen(options, TrainConfig))
    if train.context > longest:
        raise UserError(f"--context {train.context}: {options.path} reads {longest} tokens at most")
    training.check_twin(train, options.twin)
    tuning.check(model, train, tune)
    tuning.check_replay(options.replay, tune)
    before = text_of_before(options) if options.replay else None
    if not tune.adapts:
        training.check_memory(model.config, train, options.twin)
    tuning.ready(train, options.twin)
    data = tuning.read_data(options.data, model, train.context, options.examples,
                            options.data_seed, options.difficulty)
    if options.replay:
        data = tuning.with_replay(data, model, options.replay, before, train.seed)
    tuning.check_task(data, tune)
    if tune.adapts:  # the model stays as it is: once in memory, where it is computed with
        model = model.on(options.twin)
    training.prepare_folder(options.out, options.resume)
    if not options.resume:
        record_options(options)
    say(console, f"{data.name}: {data.train.report}; {data.held_out.conversations} held out")
    say(console, "the first of them, what counts in [[ ]]:")
    say(console, data.first.strip(), style="italic")
    summary = tuned(console, options, model, train, tune, data)
    following = f"chat {quoted(options.out)} --temperature 0"
    if data.task is not None:
        following = f"evaluate {quoted(options.out)} --task {data.name}"
        if options.difficulty != DIFFICULTY:
            following += f" --difficulty {options.difficulty}"
    finish(console, summary, train, options, following)


def text_of_before(options) -> Path | str:
    """What --replay reads. Raises UserError."""
    folder = Path(options.path) / "data"
    if not options.replay_text and not folder.is_dir():
        raise UserError(f"{options.path}: has no dataset beside it, so --replay knows no text: "
                        "give --replay-text FILE, or storyworld")
    return options.replay_text or folder


def tuned(console, options, model, train, tune, data) -> dict:
    """Train under a live display, draw the curve, say what it cost; returns the summary."""
    from minillm import training, tuning
    from minillm.training import display

    callbacks = display.Display(console, train)
    run = partial(tuning.run, options.out, model, train, tune, data, twin=options.twin)
    try:
        summary = run(resume=options.resume, keep=options.keep, callbacks=callbacks)
    finally:
        callbacks.finished()
    display.draw_curve(training.read_metrics(Path(options.out) / training.METRICS),
                       Path(options.out) / "loss.png", f"{data.name}: {tune.method}",
                       epochs=summary["epochs"])
    display.say(console, f"{tuning.cost(model, tune)}; the process took {megabytes(peak_memory())} "
                "at its highest")
    return summary
