"""Writing: `minillm generate` and `minillm chat`."""

import sys
from pathlib import Path

from minillm.cli.options import add_checkpoint, add_config, add_twin, chosen
from minillm.cli.parsing import add_command
from minillm.config import GenerateConfig, check_prompt
from minillm.errors import UserError

COMMANDS_OF_CHAT = "/new starts over, /quit or Ctrl-D ends"


def add_commands(commands):
    """Add the commands of this file."""
    command = add_command(
        commands,
        "generate",
        generate,
        "write text with a model",
        'minillm generate runs/nano --prompt "Once upon a time" --temperature 0.8',
    )
    add_checkpoint(command)
    command.add_argument(
        "--prompt",
        nargs="+",
        default=[""],
        metavar="TEXT",
        help="the text to continue; several prompts give one text each",
    )
    command.add_argument(
        "--stop",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="end before the first of these texts that is written",
    )
    add_config(command, GenerateConfig)
    command.add_argument(
        "--no-begin",
        action="store_true",
        help="put no beginning-of-text token before the prompt",
    )
    command.add_argument(
        "--quiet", action="store_true", help="print the text alone, no speed at the end"
    )
    add_twin(command)

    command = add_command(
        commands,
        "chat",
        chat,
        "talk with a model; one without a chat template continues what you type",
        "minillm chat SmolLM2-135M-Instruct --temperature 0.7",
    )
    add_checkpoint(command)
    command.add_argument(
        "--system",
        metavar="TEXT",
        help="the system message that begins the conversation",
    )
    add_config(command, GenerateConfig)
    add_twin(command)


# ---- generate --------------------------------------------------------------------------------


def generate(options):
    import time

    from minillm.loading import load

    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    sampling = chosen(options, GenerateConfig)
    GenerateConfig(**sampling)
    begin = not options.no_begin
    for prompt in options.prompt:  # all are accepted before the first is shown
        model.prompt_ids(prompt, begin)
    model = model.on(options.twin)
    for i, prompt in enumerate(options.prompt):
        times = [time.perf_counter()]
        if i:
            print("\n---")
        for piece in model.generate(
            prompt,
            options.twin,
            tuple(options.stop),
            lambda: times.append(time.perf_counter()),
            begin,
            **sampling,
        ):
            print(piece, end="", flush=True)
        print()
        if not options.quiet:
            print(speed(len(times) - 1, times[-1] - times[0], options.twin), file=sys.stderr)


def speed(tokens: int, seconds: float, twin: str) -> str:
    """What `generate` says at the end; `seconds` are those from the prompt to the last token."""
    included = "reading the prompt" + (" and compiling" if twin == "jax" else "") + " included"
    rate = ""
    if tokens and seconds:
        rate = f" in {seconds:.2f} s ({included}), {tokens / seconds:,.0f} tokens/s"
    return f"[{tokens} new tokens{rate}, twin: {twin}]"


# ---- chat ------------------------------------------------------------------------------------


def chat(options):
    """Read lines, write answers, until the end of the input.

    By the checkpoint's own chat template; without one, the model continues each line. Raises
    UserError for a model or a template that cannot.
    """
    from minillm import chat_template
    from minillm.loading import load

    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    sampling = GenerateConfig(**chosen(options, GenerateConfig))
    model.prompt_ids("a")  # refuses a model without a tokenizer
    folder = Path(options.path)
    template = chat_template.find(folder) if folder.is_dir() else None
    if options.system and template is None:
        raise UserError(
            f"{options.path}: has no chat template, so there is no place for --system: leave it out"
        )
    begin = [{"role": "system", "content": options.system}] if options.system else []
    special = chat_template.special_tokens(folder) if template else {}
    if template:  # one that does not work is refused before the first question
        chat_template.render(template, [*begin, {"role": "user", "content": "a"}], special)
    model = model.on(options.twin)  # once, not at every answer
    without = "this checkpoint has no chat template: it continues what you type; "
    print(f"[{'' if template else without}{COMMANDS_OF_CHAT}]", file=sys.stderr)
    messages = list(begin)
    for line in lines():
        if line == "/new":
            messages = list(begin)
            continue
        asked = [*messages, {"role": "user", "content": line}]
        try:
            written = answer(model, asked, template, special, sampling, options.twin)
        except UserError as error:  # a conversation that is too long, mostly
            print(f"minillm: {error}: /new starts over", file=sys.stderr)
        else:
            messages = [*asked, {"role": "assistant", "content": written}] if template else messages


def lines():
    """What the user types, line by line, until /quit or the end of the input."""
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "")
        except EOFError:
            return
        if line.strip() == "/quit":
            return
        if line.strip():
            yield "/new" if line.strip() == "/new" else line


def answer(model, messages, template, special, sampling: GenerateConfig, twin: str) -> str:
    """Print the model's answer as it comes; Ctrl-C ends it. Returns what was printed."""
    from minillm import chat_template
    from minillm.text.tokenizer import decode_stream

    if template:
        text = chat_template.render(template, messages, special)
        ids = model.tokenizer.encode(text, allow_special=True)
        check_prompt(ids, model.config)
    else:
        ids = model.prompt_ids(messages[-1]["content"])
    ends = set(model.tokenizer.special_tokens.values())
    tokens = (token for token in model.continuation(ids, twin, sampling) if token not in ends)
    pieces = []
    try:
        for piece in decode_stream(model.tokenizer, tokens):
            print(piece, end="", flush=True)
            pieces.append(piece)
    except KeyboardInterrupt:
        pass
    print()
    return "".join(pieces)
