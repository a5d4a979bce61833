"""A model at hand: `minillm get`."""

from minillm.cli.parsing import add_command


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(commands, "get", get, "fetch a model, check it, and say where it is",
                          "minillm get smollm2\n  minillm get HuggingFaceTB/SmolLM2-135M")
    command.add_argument(
        "name", metavar="NAME",
        help="smollm2 (135M parameters, answers questions), stories260K, stories15M, stories110M, "
        "OWNER/NAME of the Hugging Face hub, or OWNER/NAME/FILE.gguf")
    command.add_argument("--out", metavar="DIR",
                         help="where to put it (default: your cache folder)")


def get(options):
    from minillm.cli.train import quoted
    from minillm.formats.get import get as fetched

    path = fetched(options.name, options.out)
    print(f"{path}")
    print(f"next: minillm inspect-config {quoted(path)}")
