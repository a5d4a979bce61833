"""The command line: every command and option. What a command does is in commands.py.

Exit status: 0 done, 1 a check failed, 2 the user's input was wrong (one line on standard error).
"""

import argparse
import difflib
import os
import re
import sys
import textwrap
from dataclasses import MISSING, fields

from minillm import __version__
from minillm.cli import commands
from minillm.config import (OBJECTIVES, OPTIMIZERS, PRECISIONS, PRESETS, DistillConfig,
                            GenerateConfig, ModelConfig,
                            TrainConfig)
from minillm.errors import UserError

DEMO_STEPS = 900
HELP = {
    "steps": "training steps, one batch each",
    "batch_size": "rows in a batch",
    "context": "tokens in a row",
    "optimizer": "muon trains the matrices inside the layers with Muon and the rest with AdamW; "
                 "adamw trains everything with AdamW",
    "learning_rate": "AdamW's peak learning rate",
    "muon_learning_rate": "Muon's peak learning rate",
    "muon_momentum": "decay of Muon's running mean of gradients",
    "final_learning_rate": "learning rate of the last step, as a share of the peak",
    "warmup_steps": "steps until the learning rate reaches its peak",
    "beta1": "decay of AdamW's running mean of gradients",
    "beta2": "decay of AdamW's running mean of squared gradients",
    "eps": "added to AdamW's square root",
    "weight_decay": "decoupled weight decay, on matrices only",
    "max_grad_norm": "clip the global gradient norm to this",
    "seed": "seed of all random numbers",
    "steps_per_dispatch": "steps compiled into one loop (jax)",
    "eval_every": "steps between evaluations",
    "eval_rows": "held-out rows in an evaluation during training; all at the end",
    "save_every": "steps between saves",
    "sample_every": "steps between samples of text; 0: no samples",
    "matmul_precision": "precision of matrix products; bfloat16 is for accelerators",
    "cpu_devices": "split a CPU into this many devices, which share each batch (jax); at most the "
                   "number of cores",
    "max_new_tokens": "write at most this many tokens",
    "temperature": "0: always take the most probable token",
    "top_k": "sample from the k most probable tokens; 0: from all",
    "top_p": "sample from the fewest tokens whose probabilities reach this sum",
    "min_p": "leave out tokens less probable than this share of the most probable one",
    "repetition_penalty": "above 1: tokens that are already in the text become less probable",
}
SHAPE = {
    "hidden_size": "width of the residual stream (default: 32 x depth)",
    "intermediate_size": "width of the feed-forward layer (default: 8/3 of the hidden size, a "
                         "multiple of 32)",
    "num_hidden_layers": "layers (default: depth)",
    "num_attention_heads": "query heads (default: depth)",
    "num_key_value_heads": "key/value heads, a divisor of the query heads (default: half of "
                           "depth, depth where it is odd)",
    "head_dim": "numbers in a head, even (default: 32)",
    "rms_norm_eps": "added under RMSNorm's square root (default: 1e-05)",
    "rope_theta": "base of the rotary angles (default: 10000)",
    "initializer_range": "standard deviation of the first weights (default: 1/sqrt(32 x depth))",
    "o_proj_init_gain": "o_proj starts as so many times the transpose of v_proj; 0: random, as other "
                        "matrices (default: 0; 6 where the text is the story world)",
}
CHOICES = {"optimizer": OPTIMIZERS, "matmul_precision": PRECISIONS}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")        # a console that lacks a character of the text shows a ? for it
    try:
        return run(arguments)
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


def run(arguments) -> int:
    """Run one command; one with --resume has the defaults with which its run was started."""
    options = parser().parse_args(arguments)
    if getattr(options, "resume", False):
        named = options.command == "pretrain" and options.source
        folder = options.out or (named and commands.default_out(options.source))
        if not folder:
            raise UserError(f"--resume needs --out DIR, the folder of the run "
                            f"(see minillm {options.command} --help)")
        known = vars(options).keys() - {"run", "parser", "command", "resume", "out"}
        recorded = commands.recorded_options(folder, options.command)
        recorded = {name: value for name, value in recorded.items() if name in known}
        options = parser({options.command: recorded | {"out": folder}}).parse_args(arguments)
    return options.run(options) or 0


class Parser(argparse.ArgumentParser):
    """One line for a wrong option, instead of the whole usage, and what may have been meant."""

    def parse_args(self, args=None, namespace=None):
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return options

    def error(self, message):
        wrong = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)$", message)
        if wrong:
            word, known = wrong[1], re.findall(r"[\w.-]+", wrong[2])
        else:
            word = (re.search(r"unrecognized arguments: (--[\w-]+)", message) or ("", ""))[1]
            known = [name for action in self._actions for name in action.option_strings]
        bare = {name.lstrip("-"): name for name in known}
        near = difflib.get_close_matches(word.lstrip("-"), bare, 1, 0.7) if word else []
        if near:
            message = f"{message.partition(' (choose from')[0]}: did you mean {bare[near[0]]}?"
        raise UserError(f"{message} (see {self.prog} --help)")


class HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the lines of examples, and shows the default of every option that takes a value."""

    def _get_help_string(self, action):
        if not action.option_strings or action.nargs == 0:
            return action.help
        if action.required:
            return f"{action.help} (required)"
        if action.default is None or action.default in ([], [""]):
            return action.help if "default" in action.help else f"{action.help} (default: none)"
        return super()._get_help_string(action)


def parser(defaults: dict[str, dict] | None = None) -> argparse.ArgumentParser:
    """All commands and their options; `defaults` gives other defaults to some commands."""
    top = Parser(
        prog="minillm", formatter_class=HelpFormatter, allow_abbrev=False,
        description="A small LLaMA that you can read in an afternoon and train on a laptop,\n"
                    "with a course and automatically checked exercises.",
        epilog="start here:\n  minillm demo\n\nhelp of a command:\n  minillm pretrain --help")
    top.add_argument("--version", action="version", version=f"minillm {__version__}")
    top.set_defaults(run=lambda options: top.print_help(), parser=top)
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND")

    def command(name, run, help, example):
        new = subparsers.add_parser(name, help=help, formatter_class=HelpFormatter, allow_abbrev=False,
                                  description=sentence(help), epilog=f"example:\n  {example}")
        new.set_defaults(run=run, parser=new, command=name)
        return new

    new = command("demo", commands.demo, "train a small LLaMA on built-in stories and show what it learned", "minillm demo")
    new.add_argument("--out", default="runs/demo", metavar="DIR", help="folder of the run")
    new.add_argument("--steps", type=int, default=DEMO_STEPS, metavar="N", help=HELP["steps"])
    new.add_argument("--seed", type=int, default=0, metavar="N", help=HELP["seed"])
    add_twin(new)

    new = command("pretrain", commands.pretrain, "train a LLaMA on text",
                  "minillm pretrain storyworld --model nano --out runs/nano\n"
                  "  minillm pretrain book.txt --model tiny --steps 2000 --out runs/book\n"
                  "  minillm pretrain --resume --out runs/book")
    new.usage = "minillm pretrain [SOURCE] [options]"
    add_source(new, optional=True)
    new.add_argument("--out", metavar="DIR",
                     help="folder of the run: the model, its log, its curve (default: runs/ and "
                          "the name of SOURCE)")
    add_run(new)
    new.add_argument("--model", default="nano", metavar="NAME|DEPTH",
                     help=f"a preset "
                          f"({', '.join(f'{name} = {depth}' for name, depth in PRESETS.items())}) "
                          f"or a depth: "
                          "layers = heads = depth, width = 32 x depth")
    add_twin(new)
    add_config(new.add_argument_group("training"), TrainConfig)
    add_shape(new.add_argument_group("model (each overrides --model)"))

    new = command("distill", commands.distill, "train a small model from a large one's answers",
                  "minillm distill runs/small --student nano --out runs/student\n"
                  "  minillm distill runs/small --objective responses --out runs/student\n"
                  "  minillm distill --resume --out runs/student")
    new.usage = "minillm distill [TEACHER] --out DIR [options]"
    new.add_argument("teacher", metavar="TEACHER", nargs="?",
                     help="folder of a checkpoint, or a llama2.c .bin file; not needed with "
                          "--resume")
    new.add_argument("--student", default="nano", metavar="NAME|DEPTH", help="the student: a preset or a depth, as pretrain's --model")
    new.add_argument("--out", required=True, metavar="DIR",
                     help="folder of the run: the model, its log, its curve")
    add_run(new)
    how = DistillConfig()
    group = new.add_argument_group("how it learns")
    group.add_argument("--objective", choices=OBJECTIVES, default=how.objective,
                       help="soft: the teacher's probabilities; reverse: KL the other way; on-policy: the teacher scores what the "
                            "student writes; responses: only text that the teacher wrote")
    group.add_argument("--alpha", type=float, default=how.alpha, metavar="X", help="the teacher's share in the loss; 0: plain training")
    group.add_argument("--temperature", type=float, default=how.temperature, metavar="X",
                       help="divides the logits of teacher and student")
    group.add_argument("--student-share", type=float, default=how.student_share, metavar="X",
                       help="on-policy: the share of dispatches whose rows the student writes")
    group.add_argument("--start", choices=("random", "pruned"), default=how.start,
                       help="where the student begins: pruned takes layers and widths of the teacher")
    group.add_argument("--cache", metavar="DIR", help="keep the teacher's answers there, for this and other students")
    group.add_argument("--top-k", type=int, default=32, metavar="N", help="how many tokens of each answer the cache keeps")
    group.add_argument("--responses", type=int, default=how.responses, metavar="N", help="texts that the teacher writes")
    group.add_argument("--writing-temperature", type=float, default=how.writing_temperature, metavar="X",
                       help="temperature at which the teacher or the student writes")
    group = new.add_argument_group("text")
    group.add_argument("--data", dest="source", metavar="SOURCE",
                       help="as pretrain's SOURCE (default: the text the teacher was trained on); "
                            "with responses, only to measure")
    add_text(group)
    add_twin(new)
    add_config(new.add_argument_group("training"), TrainConfig)
    add_shape(new.add_argument_group("student (each overrides --student)"))

    new = command("evaluate", commands.evaluate, "measure a model's loss on text", "minillm evaluate runs/nano --text book.txt --json")
    add_checkpoint(new)
    what = new.add_mutually_exclusive_group()
    what.add_argument("--text", metavar="FILE",
                      help="a text file to measure on, read as one document")
    what.add_argument("--data", metavar="DIR", help="a dataset folder: its validation split "
                                                    "(default: the one the model was trained on)")
    add_encoding(new)
    new.add_argument("--context", type=int, metavar="N",
                     help="tokens in a row (default: the model's context)")
    new.add_argument("--batch-size", type=int, default=16, metavar="N", help=HELP["batch_size"])
    new.add_argument("--json", action="store_true", help="print one JSON object")
    add_twin(new)

    new = command("generate", commands.generate, "write text with a model",
                  'minillm generate runs/nano --prompt "Once upon a time" --temperature 0.8')
    add_checkpoint(new)
    new.add_argument("--prompt", nargs="+", default=[""], metavar="TEXT",
                     help="the text to continue; several prompts give one text each")
    new.add_argument("--stop", nargs="+", default=[], metavar="TEXT",
                     help="end before the first of these texts that is written")
    add_config(new, GenerateConfig)
    new.add_argument("--no-begin", action="store_true", help="put no beginning-of-text token before the prompt")
    new.add_argument("--quiet", action="store_true", help="print the text alone, no speed at the end")
    add_twin(new)

    new = command("chat", commands.chat,
                  "talk with a model; one without a chat template continues what you type",
                  "minillm chat SmolLM2-135M-Instruct --temperature 0.7")
    add_checkpoint(new)
    new.add_argument("--system", metavar="TEXT", help="the system message that begins the conversation")
    add_config(new, GenerateConfig)
    add_twin(new)

    new = command("inspect", commands.inspect, "look inside: one offline HTML page about what a model does with a prompt",
                  'minillm inspect runs/nano "Once there was a doctor named Amara"\n'
                  '  minillm inspect runs/nano "... Amara gave" --corrupt "... Bjorn gave"')
    add_checkpoint(new)
    new.add_argument("prompt", metavar="TEXT", help="what the model reads")
    new.add_argument("--corrupt", metavar="TEXT", help="a second prompt of as many tokens, to patch between the two")
    new.add_argument("--against", metavar="PATH", help="another checkpoint of the same shape: the error of each layer")
    new.add_argument("--text", metavar="FILE",
                     help="a text in which to look for what activates neurons (default: the model "
                          "writes one)")
    add_encoding(new)
    new.add_argument("--effort", type=float, default=10.0, metavar="X",
                     help="operations to spend on ablation and patching, in 10^12; beyond that, "
                          "heads are left out or estimated")
    new.add_argument("--ids", action="store_true", help="the prompts are token ids, with spaces between")
    new.add_argument("--out", default="report.html", metavar="FILE", help="the page")
    add_twin(new)

    new = command("inspect-config", commands.inspect_config,
                  "describe a checkpoint: sizes, memory, tokenizer, and what minillm refuses",
                  "minillm inspect-config DIR")
    new.add_argument("path", metavar="PATH", help="folder of a checkpoint, or a llama2.c .bin file")
    new.add_argument("--json", action="store_true", help="print one JSON object")

    new = command("convert", commands.convert, "write a checkpoint as a Hugging Face folder, for transformers, vLLM, llama.cpp",
                  "minillm convert stories260K.bin --out stories260K --dtype bfloat16")
    new.add_argument("path", metavar="PATH", help="folder of a checkpoint, or a llama2.c .bin file")
    new.add_argument("--tokenizer", metavar="FILE", help="tokenizer.bin of a llama2.c .bin file, where several lie beside it")
    new.add_argument("--out", required=True, metavar="DIR", help="the new folder")
    new.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32", help="how its numbers are stored")

    new = command("quantize", commands.quantize,
                  "write a model in fewer bits, and say what that costs",
                  "minillm quantize runs/nano --scheme int8-channel --out runs/nano-int8\n"
                  "  minillm quantize runs/nano --scheme int4-group32 --method gptq --out r4")
    new.add_argument("path", metavar="PATH", help="folder of a checkpoint, or a llama2.c .bin file")
    new.add_argument("--tokenizer", metavar="FILE", help="tokenizer.bin of a llama2.c .bin file, where several lie beside it")
    new.add_argument("--scheme", required=True, metavar="NAME", help="int8 or int4, with a scale per tensor, channel or 32 numbers: "
                                                                     "int8-channel, int8-group32, int4-group32 ...")
    new.add_argument("--zero-point", action="store_true",
                     help="map the smallest to the largest number to integers, not a range around 0")
    new.add_argument("--activations", action="store_true",
                     help="quantize activations to int8 too: products of integers, fast in jax")
    new.add_argument("--method", choices=("round", "gptq", "smoothquant", "llm-int8"), default="round",
                     help="how integers are chosen; all but round need a calibration text")
    new.add_argument("--alpha", type=float, default=0.5, metavar="X",
                     help="smoothquant: how much moves from activations into weights")
    new.add_argument("--threshold", type=float, default=6.0, metavar="X", help="llm-int8: inputs that reach this stay float")
    new.add_argument("--calibration", metavar="FILE",
                     help="the calibration text (default: the text in the model's data folder)")
    new.add_argument("--rows", type=int, default=32, metavar="N",
                     help="rows of the calibration text, of 256 tokens each")
    add_encoding(new)
    what = new.add_mutually_exclusive_group()
    what.add_argument("--text", metavar="FILE", help="a text file to measure on")
    what.add_argument("--data", metavar="DIR", help="a dataset folder to measure on: its validation split (default: the model's own)")
    new.add_argument("--out", required=True, metavar="DIR", help="the new folder")
    new.add_argument("--measured-rows", type=int, default=256, metavar="N", help="measure on at most this many rows")
    new.add_argument("--figure", metavar="FILE", help="draw the error of every matrix and the drift through the layers")
    new.add_argument("--json", action="store_true", help="print one JSON object")
    add_twin(new)

    new = command("export", commands.export, "write a LLaMA as GGUF, for llama.cpp on a phone or a Raspberry Pi",
                  "minillm quantize runs/nano --scheme int8-group32 --out runs/nano-q8\n  minillm export runs/nano-q8 --out nano-q8.gguf")
    new.add_argument("path", metavar="PATH", help="a folder quantized with int8-group32 or int4-group32, or of float numbers")
    new.add_argument("--tokenizer", metavar="FILE", help="tokenizer.bin of a llama2.c .bin file, where several lie beside it")
    new.add_argument("--out", required=True, metavar="FILE", help="the new .gguf file")

    new = command("parity", commands.parity, "compare every activation with another implementation's, and name the first "
                  "that differs", "minillm parity DIR --against transformers\n  minillm parity DIR --against numpy --twin jax")
    add_checkpoint(new)
    new.add_argument("--against", metavar="WHAT", help="transformers, numpy, jax, or a golden file")
    new.add_argument("--save", metavar="FILE", help="write the activations as a golden file")
    new.add_argument("--prompt", metavar="TEXT", help="the text to compare on (default: random tokens)")
    new.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random tokens")
    new.add_argument("--tolerance", type=float, default=1e-4, metavar="X",
                     help="the largest difference allowed, as a share of the largest number")
    new.add_argument("--json", action="store_true", help="print one JSON object")
    add_twin(new, default="numpy")

    new = command("data", commands.data, "turn text into a dataset folder: tokens, split, tokenizer",
                  "minillm data storyworld --megabytes 10 --out data/stories\n  minillm data storyworld --show 3")
    add_source(new)
    where = new.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="DIR", help="folder of the dataset")
    where.add_argument("--show", type=int, metavar="N", help="only print N documents of the text")

    new = command("tokenizer", commands.tokenizer,
                  "train a tokenizer, or see how one splits a text",
                  "minillm tokenizer train storyworld --vocab-size 1024 --out data/tokenizer\n"
                  '  minillm tokenizer encode data/tokenizer "Once upon a time"\n'
                  "  minillm tokenizer decode data/tokenizer 45 310 27")
    actions = new.add_subparsers(required=True, metavar="train|encode|decode")

    def action(name, help, example):
        new = actions.add_parser(name, help=help, formatter_class=HelpFormatter, allow_abbrev=False,
                                 description=sentence(help), epilog=f"example:\n  {example}")
        new.set_defaults(run=commands.tokenizer, action=name, parser=new)
        return new

    new = action("train", "learn merges from text", "minillm tokenizer train book.txt --vocab-size 1024 --out data/tokenizer")
    add_source(new)
    new.add_argument("--engine", choices=("library", "written"), default="library",
                     help="library: the tokenizers package; written: minillm's own BPE, slower, "
                          "with the same result")
    new.add_argument("--out", required=True, metavar="DIR", help="folder for tokenizer.json")
    new = action("encode", "text to token ids", 'minillm tokenizer encode data/tokenizer "Once upon a time"')
    new.add_argument("path", metavar="PATH", help="folder or tokenizer.json")
    new.add_argument("text", metavar="TEXT", help="the text")
    new = action("decode", "token ids to text", "minillm tokenizer decode data/tokenizer 45 310 27")
    new.add_argument("path", metavar="PATH", help="folder or tokenizer.json")
    new.add_argument("ids", metavar="ID", type=int, nargs="+", help="token ids")
    new = command("compare-curve", commands.compare_curve,
                  "compare the loss of a run with reference runs: is it normal?",
                  "minillm compare-curve runs/demo")
    new.add_argument("run_folder", metavar="RUN", help="folder of a run of minillm demo or minillm pretrain")
    new.add_argument("--reference", metavar="NAME",
                     help="demo or nano (default: the one whose settings are most similar)")
    new.add_argument("--out", metavar="FILE", help="where to draw (default: normal.png in the folder of the run)")
    new.add_argument("--json", action="store_true", help="print one JSON object")

    add_lesson(command("lesson", commands.lesson, "the course: read a lesson, run its demo, check your exercise",
                       "minillm lesson list\n  minillm lesson check 1"))
    add_assignment(command("assignment", commands.assignment, "assignments: hand lessons out to a class, check yourself, grade safely",
                           "minillm assignment new --lessons 03,05 --out hw1\n  minillm assignment grade SUBMISSIONS --key hw1/key --out grades"))
    for name, values in (defaults or {}).items():
        subparsers.choices[name].set_defaults(**values)
    return top


def add_lesson(new):
    """`minillm lesson ACTION`; what they do is in course/lessons.py."""
    actions = new.add_subparsers(required=True, metavar="list|open|run|check|solution|notebook")

    def action(name, help, example):
        new = actions.add_parser(name, help=help, formatter_class=HelpFormatter, allow_abbrev=False,
                                 description=sentence(help), epilog=f"example:\n  {example}")
        new.set_defaults(action=name, parser=new)
        if name != "list":
            new.add_argument("lesson", metavar="LESSON", help="its number, or its name")
        new.add_argument("--folder", metavar="DIR", help="where you work (default: minillm-course in your home folder)")
        return new

    action("list", "the lessons, and how far you are", "minillm lesson list")
    new = action("open", "show a lesson in the browser, and where your copy of its exercise is", "minillm lesson open 1")
    new.add_argument("--no-browser", action="store_true", help="only say where the files are")
    new = action("run", "run the demo of a lesson: a table, figures and results.json", "minillm lesson run 1")
    new.add_argument("--full", action="store_true", help="the slower version, where a lesson has one")
    new = action("check", "check your copy of the exercise; it is made on the first use", "minillm lesson check 1")
    new.add_argument("file", nargs="?", metavar="FILE", help="check this file instead")
    new.add_argument("--seed", type=int, metavar="N", help="of the random inputs (default: new ones each time)")
    new.add_argument("--json", action="store_true", help="print one JSON object")
    new = action("solution", "show the reference solution with a discussion, once your exercise has all points",
                 "minillm lesson solution 1")
    new.add_argument("--show", action="store_true", help="show it before your exercise has all points")
    action("notebook", "write the lesson as a Jupyter notebook", "minillm lesson notebook 1")


def add_assignment(new):
    """`minillm assignment ACTION`; what they do is in assignments/."""
    actions = new.add_subparsers(required=True, metavar="new|check|submit|grade|gradescope")

    def action(name, help, example):
        new = actions.add_parser(name, help=help, formatter_class=HelpFormatter, allow_abbrev=False,
                                 description=sentence(help), epilog=f"example:\n  {example}")
        new.set_defaults(action=name, parser=new)
        return new

    def add_sandbox(new):
        new.add_argument("--sandbox", choices=("auto", "bubblewrap", "none"), default="auto",
                         help="where submissions run: auto is bubblewrap, and refuses where that does not work; none protects against nothing")

    new = action("new", "make a handout for students and a key for the teacher", "minillm assignment new --lessons 03,05 --out hw1 --due 2026-10-01T23:59+02:00")
    new.add_argument("--lessons", required=True, metavar="LIST", help="numbers or names, with commas between")
    new.add_argument("--out", required=True, metavar="DIR", help="a new folder, for handout/ and key/")
    new.add_argument("--points", metavar="LIST", help="LESSON=N shares N points among a lesson's tasks, LESSON.TASK=N gives a task N (default: the lesson's)")
    new.add_argument("--seed-per-student", action="store_true", help="each student's hidden inputs are their own, made from the key and the name")
    new.add_argument("--due", metavar="TIME", help="as 2026-10-01T23:59+02:00; without an offset it is UTC")
    new.add_argument("--late", type=float, default=0.0, metavar="N", help="percent of the points that each day begun after that costs")
    new.add_argument("--title", metavar="TEXT", help="of the assignment (default: its lessons)")
    new.add_argument("--install", metavar="SPEC", help="what pip installs for students (default: a wheel of this minillm, put into the handout)")
    new.add_argument("--seconds", type=float, default=10.0, metavar="N", help="time limit of a task (three times that where a lesson needs JAX)")
    new.add_argument("--memory", type=int, default=1024, metavar="N", help="memory limit in MB (at least 3072 where a lesson needs JAX)")
    add_sandbox(new)
    new = action("check", "check your work by the public checks; hidden ones decide the grade", "minillm assignment check")
    new.add_argument("folder", nargs="?", default=".", metavar="DIR", help="the handout")
    new.add_argument("--only", metavar="LESSON[.TASK]", help="check this file alone; with a task, only that one decides the exit status")
    new.add_argument("--seed", type=int, metavar="N", help="of the random inputs (default: new ones each time)")
    new.add_argument("--json", action="store_true", help="print one JSON object")
    new.add_argument("--classroom50", metavar="FILE", help="also write the result that Classroom 50 reads")
    new = action("submit", "make the archive to hand in: the named files, nothing else", "minillm assignment submit --name ada")
    new.add_argument("folder", nargs="?", default=".", metavar="DIR", help="the handout")
    new.add_argument("--name", required=True, help="yours: the archive's name")
    new.add_argument("--out", metavar="FILE", help="the archive (default: NAME.zip in the handout)")
    new = action("grade", "grade a folder of submissions, each in a sandbox; go on after an interruption", "minillm assignment grade SUBMISSIONS --key hw1/key --out grades")
    new.add_argument("submissions", metavar="DIR", help="a folder or a .zip for each student, or a platform's download, as a folder or a .zip")
    new.add_argument("--key", required=True, metavar="DIR", help="the key")
    new.add_argument("--out", required=True, metavar="DIR", help="for grades.csv, class.html, students/ and results/")
    new.add_argument("--jobs", type=int, metavar="N", help="submissions at a time (default: as many as cores)")
    new.add_argument("--times", metavar="FILE", help="CSV with the columns student and time: when each was handed in, for --late")
    new.add_argument("--extensions", metavar="FILE", help="CSV with the columns student, due, grace: due times of their own, minutes of grace")
    new.add_argument("--overrides", metavar="FILE", help="CSV with the columns student, task, points, note: points that you set")
    new.add_argument("--roster", metavar="FILE", help="CSV of the class, as Canvas or Moodle export it: who is absent, and ids for --lms")
    new.add_argument("--lms", choices=("canvas", "moodle"), help="also write the table that the platform imports (needs --roster)")
    new.add_argument("--only", metavar="NAME", help="grade this student again, and nobody else")
    new.add_argument("--anonymous", action="store_true", help="no names in class.html and class.txt")
    new.add_argument("--names", action="store_true", help="only show which files are whose, and grade nothing")
    add_sandbox(new)
    new = action("gradescope", "write Gradescope's autograder archive, and workflows for GitHub and Classroom 50", "minillm assignment gradescope hw1")
    new.add_argument("folder", metavar="DIR", help="what minillm assignment new made")
    new.add_argument("--visibility", choices=("visible", "after_due_date", "after_published", "hidden"), default="visible", help="when students see each task's result")
    new.add_argument("--leaderboard", action="store_true", help="show the points on a leaderboard")
    new.add_argument("--install", metavar="SPEC", help="what pip installs in the workflows for GitHub and Classroom 50 (default: as the handout)")


def sentence(text: str) -> str:
    """A help text as a sentence, in lines of at most 79 characters."""
    return textwrap.fill(f"{text[0].upper()}{text[1:]}" + "." * (text[-1] != "?"), 79)


def option(name: str) -> str:
    """learning_rate -> --learning-rate."""
    return "--" + name.replace("_", "-")


def add_twin(new, default: str = "jax"):
    new.add_argument("--twin", choices=("numpy", "jax"), default=default, help="which implementation runs the model")


def add_checkpoint(new):
    """The checkpoint to run: a path, and how to read it."""
    new.add_argument("path", metavar="PATH", help="folder of a checkpoint, or a llama2.c .bin file")
    new.add_argument("--tokenizer", metavar="FILE", help="tokenizer.bin of a llama2.c .bin file, where several lie beside it")
    new.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32",
                     help="how matrices are kept in memory; sums are float32 always (bfloat16: jax only)")


def add_config(group, config_class):
    """An option for every field of a config dataclass, with its type and default."""
    for field in fields(config_class):
        default = None if field.default is MISSING else field.default
        choices = CHOICES.get(field.name)
        group.add_argument(option(field.name), type=field.type, default=default, choices=choices,
                           help=HELP[field.name],
                           metavar=None if choices else kind(field))


def kind(field) -> str:
    """How --help names the value of a field: N for a whole number, X for any number."""
    return "N" if field.type is int else "X"


def add_shape(group):
    """An option for every field of a model's shape that the dial sets."""
    for field in fields(ModelConfig):
        if field.name in commands.MODEL_OPTIONS:
            group.add_argument(option(field.name), type=field.type, metavar=kind(field),
                               help=SHAPE[field.name])
    group.add_argument("--tie-word-embeddings", action=argparse.BooleanOptionalAction, default=None,
                       help="use one matrix for embedding and head (default: one matrix)")


def add_run(new):
    """How a run of training is kept and continued."""
    new.add_argument("--resume", action="store_true",
                     help="continue the run in --out, bit for bit; it knows its other options")
    new.add_argument("--keep", choices=("best", "last"),
                     help="the model in --out: the one with the lowest held-out loss, or the last "
                          "(default: best; last where the "
                          "exact floor of the text is known)")


def add_source(new, optional: bool = False):
    """The text to read, and how to split it into tokens."""
    new.add_argument("source", metavar="SOURCE", nargs="?" if optional else None,
                     help="a text file, a folder of text files, a dataset folder, or a name: "
                          "storyworld, python-docs, shakespeare, tinystories, tinystories-small"
                          + ("; not needed with --resume" if optional else ""))
    add_text(new)
    new.add_argument("--vocab-size", type=int, default=1792, metavar="N",
                     help="size of the vocabulary to learn; a short text gives fewer")
    new.add_argument("--tokenizer", metavar="PATH",
                     help="use this tokenizer (default: learn one from the text)")
    new.add_argument("--characters", action="store_true",
                     help="one token for each character; nothing is learned")


def add_text(new):
    """Which text is read, and how much of it."""
    new.add_argument("--glob", action="append", default=[], metavar="PATTERN",
                     help="files of a folder to read, such as '*.py'; may be given several times "
                          "(default: text and source files, "
                          "by their suffix)")
    add_encoding(new)
    new.add_argument("--megabytes", type=float, metavar="X",
                     help="read at most this much text (default: all; storyworld: 10)")
    new.add_argument("--data-dir", metavar="DIR",
                     help="where downloads are kept (default: your cache folder)")
    new.add_argument("--data-seed", type=int, default=0, metavar="N",
                     help="seed of the generated stories and of the split")


def add_encoding(new):
    """How to read what is not UTF-8."""
    new.add_argument("--encoding", metavar="NAME",
                     help="encoding of text files that are not UTF-8, such as utf-16 or latin-1 "
                                                        "(default: refuse them)")
