"""Looking inside: `minillm inspect`."""

import shlex
import sys
from pathlib import Path

from minillm.cli.measure import add_context, check_length, context_of, warn_of_memory
from minillm.cli.options import add_checkpoint, add_encoding, add_twin, read_file
from minillm.cli.parsing import add_command
from minillm.cli.progress import telling
from minillm.errors import UserError

# inspection.report has the same: this file imports nothing heavy
PANELS = ("checks", "lens", "ablation", "patching", "neurons", "circuits")


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "inspect", inspect,
        "look inside: one offline HTML page about what a model does with a prompt",
        'minillm inspect runs/nano "Once there was a doctor named Amara"\n'
        '  minillm inspect runs/nano "... Amara gave" --corrupt "... Bjorn gave"')
    add_checkpoint(command)
    command.add_argument("prompt", metavar="TEXT", nargs="?",
                         help="what the model reads (with --pairs, the first pair if left out)")
    command.add_argument("--corrupt", metavar="TEXT",
                         help="a second prompt of as many tokens, to patch between the two")
    command.add_argument("--against", metavar="PATH",
                         help="another checkpoint of the same shape: the error of each layer")
    command.add_argument(
        "--text", metavar="FILE",
        help="a text in which to look for what activates neurons (default: the model writes one)")
    command.add_argument(
        "--pairs", metavar="FILE",
        help="patch heads in every pair of prompts, take them out of the clean ones, and average: "
        "clean, corrupt, target and rival token of a pair a line, tabs between")
    command.add_argument(
        "--mean", metavar="FILE",
        help="take heads and MLPs out by their mean over these prompts too, one a line")
    add_encoding(command)
    add_target(command)
    command.add_argument(
        "--effort", type=float, metavar="SECONDS",
        help="time for what --panels names, estimated for two cores (default: 5 and 0.07 for "
        "each token); what does not fit is estimated or left out, and the page says what brings it")
    command.add_argument(
        "--panels", default=",".join(PANELS), metavar="NAMES",
        help="what to measure of what takes time, with commas between; the rest is always there")
    add_reading(command)
    add_context(command, "tokens of a prompt")
    command.add_argument(
        "--out", metavar="FILE",
        help="the page (default: report.html, or the first of report-2.html, ... that is free)")
    command.add_argument("--live", action="store_true",
                         help="put the model into the page (in int8 where it is larger than "
                         "20 MB): change the prompt there, take out, patch and steer")
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
    if options.effort is not None and not options.effort > 0:
        raise UserError(f"--effort is {options.effort}: it must be above 0")
    pairs = pairs_of(model, options)
    if options.prompt is None:
        if not pairs:
            raise UserError("there is no TEXT: give what the model shall read, or --pairs FILE")
        prompts = [pairs[0].clean, pairs[0].corrupt]
    else:
        prompts = [prompt_of(model, text, options) for text in (options.prompt, options.corrupt)]
    mean_texts = [] if options.mean is None else [
        prompt_of(model, line, options)
        for line in read_file(options.mean, options).splitlines() if line.strip()]
    if options.mean is not None and not mean_texts:
        raise UserError(f"{options.mean}: holds no prompt: one a line")
    longest = max(len(prompt) for prompt in [*prompts, *mean_texts] if prompt is not None)
    check_length(longest, context_of(options, model), "the prompt")
    warn_of_memory(model, longest, options.twin, 1, estimate(model.config, longest))
    if options.rival is not None and options.target is None:
        raise UserError("--rival needs --target: the token whose logit it is taken from")
    target = None
    if options.target is not None:
        target = patching.target(model, options.target, options.rival)
    elif options.prompt is None:
        target = patching.target(model, pairs[0].target, pairs[0].rival)
    live = live_part(model, options) if options.live else None
    against = text = None
    if options.against is not None:
        against = load(options.against, options.tokenizer, options.dtype)
    if options.text is not None:
        text = read_file(options.text, options)
    with telling("reading") as tell:
        page = report.contents(model, *prompts, against, text, options.effort, options.twin, tell,
                               panels, target, f"minillm {shlex.join(sys.argv[1:])}", pairs,
                               mean_texts)
    if live:
        page["live"] = live
    size = report.write(out, page)
    broken = page.get("broken")
    failed = [check["name"] for check in page["checks"] if check["verdict"] == "fails"]
    holding = sum(check["verdict"] == "holds" for check in page["checks"])
    if broken:
        verdict = f"not a page about this model: {broken}"
    elif failed:
        verdict = f"FAILS: {', '.join(failed)}"
    else:
        verdict = f"{holding} identities hold" if holding else "Not checked"
    print(f"{out}: {size / 1e6:.2f} MB, {len(page['tokens'])} tokens. {verdict}")
    return 1 if failed or broken else 0


def live_part(model, options) -> dict:
    """The model and its prompts for the page. Raises UserError for what does not run in one."""
    from minillm.architecture.tree import flatten
    from minillm.cli.playground import rounded
    from minillm.in_page.page import LARGEST, live

    if options.prompt is None or options.ids or options.special or options.chat:
        raise UserError("--live reads what one types: give TEXT, without --ids, --special, --chat")
    model = model.on("numpy")
    if sum(leaf.nbytes for leaf in flatten(model.params).values()) > LARGEST:
        model = rounded(model, "int8-channel")
    return live(model, options.prompt, options.corrupt or "")


def pairs_of(model, options) -> list:
    """The pairs of --pairs, their prompts as tokens. Raises UserError."""
    from minillm.inspection import patching
    from minillm.inspection.pairs import Pair, read_pairs

    if options.pairs is None:
        return []
    found = []
    for number, pair in enumerate(read_pairs(read_file(options.pairs, options), options.pairs), 1):
        try:
            clean, corrupt = (prompt_of(model, text, options)
                              for text in (pair.clean, pair.corrupt))
            patching.equally_long(model, clean, corrupt)
            wanted = patching.target(model, *(word if not options.ids or word is None else int(word)
                                              for word in (pair.target, pair.rival)))
        except (UserError, ValueError) as error:
            raise UserError(f"{options.pairs}: pair {number}: {error}") from None
        found.append(Pair(clean, corrupt, wanted.token, wanted.rival))
    return found


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
        return with_special(model, as_message(model, options.path, text), begin=False)
    return with_special(model, text) if options.special else model.prompt_ids(text)


def as_message(model, path, text: str) -> str:
    """A user's message in the checkpoint's chat template, as far as where the answer begins.

    Raises UserError.
    """
    from minillm import chat_template

    template = model.chat_template
    if template is None and Path(path).is_dir():
        template = chat_template.find(Path(path))  # says what is wrong with a damaged one
    if template is None:
        raise UserError(f"{path}: has no chat template: leave --chat out")
    return chat_template.render(template, [{"role": "user", "content": text}], model.marks)


def with_special(model, text: str, begin: bool = True) -> list[int]:
    """The ids of a text whose special tokens are tokens. Raises UserError."""
    ids = model.prompt_ids(text, begin)  # refuses what has no tokenizer, or no room
    start = len(ids) - len(model.tokenizer.encode(text))
    return ids[:start] + model.tokenizer.encode(text, allow_special=True)
