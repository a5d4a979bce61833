"""Looking inside: `minillm inspect`."""

import shlex
import sys
from pathlib import Path

from minillm.cli.measure import add_context, check_length, context_of, warn_of_memory
from minillm.cli.options import add_checkpoint, add_encoding, add_twin, read_file
from minillm.cli.parsing import add_command
from minillm.cli.progress import telling
from minillm.errors import UserError

EFFORT = 1.5  # inspection.report has the same: this file imports nothing heavy
PANELS = ("checks", "lens", "ablation", "patching", "neurons")


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "inspect", inspect,
        "look inside: one offline HTML page about what a model does with a prompt",
        'minillm inspect runs/nano "Once there was a doctor named Amara"\n'
        '  minillm inspect runs/nano "... Amara gave" --corrupt "... Bjorn gave"')
    add_checkpoint(command)
    command.add_argument("prompt", metavar="TEXT", help="what the model reads")
    command.add_argument("--corrupt", metavar="TEXT",
                         help="a second prompt of as many tokens, to patch between the two")
    command.add_argument("--against", metavar="PATH",
                         help="another checkpoint of the same shape: the error of each layer")
    command.add_argument(
        "--text", metavar="FILE",
        help="a text in which to look for what activates neurons (default: the model writes one)")
    add_encoding(command)
    add_target(command)
    command.add_argument(
        "--effort", type=float, default=EFFORT, metavar="X",
        help="operations to spend on ablation and patching, in 10^12; beyond that, "
        "heads are left out or estimated")
    command.add_argument(
        "--panels", default=",".join(PANELS), metavar="NAMES",
        help="what to measure of what takes time, with commas between; the rest is always there")
    add_reading(command)
    add_context(command, "tokens of a prompt")
    command.add_argument(
        "--out", metavar="FILE",
        help="the page (default: report.html, or the first of report-2.html, ... that is free)")
    command.add_argument("--force", action="store_true", help="replace the page at --out")
    add_twin(command)


def add_target(command):
    """The pair of tokens whose difference of logits is measured."""
    command.add_argument("--target", metavar="TOKEN",
                         help="measure the logit of this token after the prompt, such as ' Mary' "
                         "(default: with --corrupt, the answers of the two prompts)")
    command.add_argument("--rival", metavar="TOKEN",
                         help="less the logit of this one, such as ' John'")


def add_reading(command):
    """How prompts become tokens."""
    how = command.add_mutually_exclusive_group()
    how.add_argument("--ids", action="store_true",
                     help="the prompts are token ids, with spaces between")
    how.add_argument("--special", action="store_true",
                     help="special tokens such as <|im_start|> in the prompts are tokens, not text")
    how.add_argument(
        "--chat", action="store_true",
        help="the prompts are messages of a user, put into the checkpoint's chat template")


def inspect(options) -> int:
    """0, or 1 where an identity that must hold fails, or the model's numbers are not finite."""
    from minillm.in_page.page import free_name
    from minillm.inspection import estimate, patching, report
    from minillm.loading import load

    out = options.out or free_name("report")
    report.may_write(out, options.force)
    panels = [name for name in options.panels.split(",") if name]
    for name in set(panels) - set(PANELS):
        raise UserError(f"--panels: {name!r} is not one of {', '.join(PANELS)}")
    model = load(options.path, options.tokenizer, options.dtype).on(options.twin)
    if not options.effort > 0:
        raise UserError(f"--effort is {options.effort}: it must be above 0")
    prompts = [prompt_of(model, text, options) for text in (options.prompt, options.corrupt)]
    longest = max(len(prompt) for prompt in prompts if prompt is not None)
    check_length(longest, context_of(options, model), "the prompt")
    warn_of_memory(model, longest, options.twin, 1, estimate(model.config, longest))
    if options.rival is not None and options.target is None:
        raise UserError("--rival needs --target: the token whose logit it is taken from")
    target = None
    if options.target is not None:
        target = patching.target(model, options.target, options.rival)
    against = text = None
    if options.against is not None:
        against = load(options.against, options.tokenizer, options.dtype)
    if options.text is not None:
        text = read_file(options.text, options)
    with telling("reading") as tell:
        page = report.contents(model, *prompts, against, text, options.effort, options.twin, tell,
                               panels, target, f"minillm {shlex.join(sys.argv[1:])}")
    size = report.write(out, page)
    broken = page.get("broken")
    failed = [check["name"] for check in page["checks"] if check["verdict"] == "fails"]
    holding = sum(check["verdict"] == "holds" for check in page["checks"])
    if broken:
        verdict = f"not a page about this model: {broken}"
    elif failed:
        verdict = f"FAILS: {', '.join(failed)}"
    else:
        verdict = f"{holding} identities hold"
    print(f"{out}: {size / 1e6:.2f} MB, {len(page['tokens'])} tokens. {verdict}")
    return 1 if failed or broken else 0


def prompt_of(model, text: str | None, options):
    """A prompt as tokens, or None: text, ids, text with special tokens, or a message. Raises
    UserError."""
    if text is None:
        return None
    if options.ids:
        try:
            return [int(word) for word in text.split()]
        except ValueError:
            raise UserError(
                f"{text!r} holds something that is not a token id: with --ids, give numbers with "
                "spaces between") from None
    if options.chat:
        return with_special(model, as_message(options.path, text), begin=False)
    return with_special(model, text) if options.special else model.prompt_ids(text)


def as_message(path, text: str) -> str:
    """A user's message in the checkpoint's chat template, as far as where the answer begins.

    Raises UserError.
    """
    from minillm import chat_template

    folder = Path(path)
    template = chat_template.find(folder) if folder.is_dir() else None
    if template is None:
        raise UserError(f"{path}: has no chat template: leave --chat out")
    messages = [{"role": "user", "content": text}]
    return chat_template.render(template, messages, chat_template.special_tokens(folder))


def with_special(model, text: str, begin: bool = True) -> list[int]:
    """The ids of a text whose special tokens are tokens. Raises UserError."""
    ids = model.prompt_ids(text, begin)  # refuses what has no tokenizer, or no room
    start = len(ids) - len(model.tokenizer.encode(text))
    return ids[:start] + model.tokenizer.encode(text, allow_special=True)
