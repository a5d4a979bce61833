"""Looking inside: `minillm inspect`."""

import sys

from minillm.cli.options import add_checkpoint, add_encoding, add_twin, keep_compiled, read_file
from minillm.cli.parsing import add_command
from minillm.errors import UserError


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands,
        "inspect",
        inspect,
        "look inside: one offline HTML page about what a model does with a prompt",
        'minillm inspect runs/nano "Once there was a doctor named Amara"\n'
        '  minillm inspect runs/nano "... Amara gave" --corrupt "... Bjorn gave"',
    )
    add_checkpoint(command)
    command.add_argument("prompt", metavar="TEXT", help="what the model reads")
    command.add_argument(
        "--corrupt",
        metavar="TEXT",
        help="a second prompt of as many tokens, to patch between the two",
    )
    command.add_argument(
        "--against",
        metavar="PATH",
        help="another checkpoint of the same shape: the error of each layer",
    )
    command.add_argument(
        "--text",
        metavar="FILE",
        help="a text in which to look for what activates neurons (default: the model writes one)",
    )
    add_encoding(command)
    command.add_argument(
        "--effort",
        type=float,
        default=10.0,
        metavar="X",
        help="operations to spend on ablation and patching, in 10^12; beyond that, "
        "heads are left out or estimated",
    )
    command.add_argument(
        "--ids", action="store_true", help="the prompts are token ids, with spaces between"
    )
    command.add_argument("--out", default="report.html", metavar="FILE", help="the page")
    add_twin(command)


def inspect(options) -> int:
    """0, or 1 where an identity that must hold fails, or the model's numbers are not finite."""
    from minillm.inspection import report
    from minillm.loading import load

    report.may_write(options.out)
    model = load(options.path, options.tokenizer, options.dtype)
    if not options.effort > 0:
        raise UserError(f"--effort is {options.effort}: it must be above 0")
    prompts = [prompt_of(text, options.ids) for text in (options.prompt, options.corrupt)]
    against = text = None
    if options.against is not None:
        against = load(options.against, options.tokenizer, options.dtype)
    if options.text is not None:
        text = read_file(options.text, options)
    if options.twin == "jax":
        keep_compiled()
    page = report.contents(
        model,
        *prompts,
        against,
        text,
        options.effort,
        options.twin,
        lambda line: print(f"[{line}]", file=sys.stderr),
    )
    size = report.write(options.out, page)
    broken = page.get("broken")
    failed = [check["name"] for check in page["checks"] if check["verdict"] == "fails"]
    holding = sum(check["verdict"] == "holds" for check in page["checks"])
    if broken:
        verdict = f"not a page about this model: {broken}"
    elif failed:
        verdict = f"FAILS: {', '.join(failed)}"
    else:
        verdict = f"{holding} identities hold"
    print(f"{options.out}: {size / 1e6:.2f} MB, {len(page['tokens'])} tokens. {verdict}")
    return 1 if failed or broken else 0


def prompt_of(text: str | None, ids: bool):
    """A prompt as it was given: text, or with `ids` a list of token ids. Raises UserError."""
    if text is None or not ids:
        return text
    try:
        return [int(word) for word in text.split()]
    except ValueError:
        raise UserError(
            f"{text!r} holds something that is not a token id: with --ids, give numbers with "
            "spaces between"
        ) from None
