"""A page that one can send to a friend: `minillm playground`."""

from pathlib import Path

from minillm.cli.options import add_path, add_tokenizer_bin
from minillm.cli.parsing import add_command


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "playground", playground,
        "write one HTML page that holds a small model and runs it: type a prompt, see its "
        "attention, take a head out",
        "minillm playground runs/nano --int8 --out story.html")
    add_path(command)
    add_tokenizer_bin(command)
    fewer = command.add_mutually_exclusive_group()
    fewer.add_argument("--int8", action="store_const", dest="scheme", const="int8-channel",
                       help="round the matrices to int8, a scale for each output (a quarter of "
                       "the size)")
    fewer.add_argument("--int4", action="store_const", dest="scheme", const="int4-group32",
                       help="round them to 4 bits, a scale for each 32 numbers (a seventh)")
    command.add_argument("--prompt", default="", metavar="TEXT", help="what the page begins with")
    command.add_argument(
        "--out", metavar="FILE",
        help="the page (default: playground.html, or the first of playground-2.html, ... that is "
        "free)")
    command.add_argument("--force", action="store_true", help="replace the page at --out")


def playground(options):
    from minillm.files import megabytes, write_atomically
    from minillm.in_page import page
    from minillm.loading import load

    out = Path(options.out) if options.out else page.free_name("playground")
    page.may_write(out, options.force)
    model = load(options.path, options.tokenizer)
    if options.prompt:
        model.prompt_ids(options.prompt)
    if options.scheme:
        model = rounded(model, options.scheme)
    html = page.playground(model, Path(options.path).resolve().name, options.prompt).encode()
    write_atomically(out, html)
    print(f"{out}: {megabytes(len(html))}, the model inside. Open it in a browser; it needs no "
          "network.")


def rounded(model, scheme: str):
    """The model with its matrices rounded to a scheme of quantized.NAMES. Raises UserError."""
    from dataclasses import replace

    from minillm.architecture.quantized import scheme_named
    from minillm.errors import UserError
    from minillm.quantization.model import quantize_model

    try:
        params = quantize_model(model.params, model.config, scheme_named(scheme))
    except UserError as error:
        raise UserError(f"{model.source}: {error}") from None
    return replace(model, params=params)
