"""Writing: `minillm generate` and `minillm chat`."""

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from minillm.cli.measure import warn_of_memory
from minillm.cli.options import add_checkpoint, add_config, add_twin, chosen, flag
from minillm.cli.parsing import add_command
from minillm.cli.progress import telling
from minillm.config import GenerateConfig, check_draft, check_prompt
from minillm.errors import UserError, printable
from minillm.files import read_json

BATCH = 32  # texts that are written at once, at most
COMMANDS_OF_CHAT = "/new starts over, /quit or Ctrl-D ends"


def add_commands(commands):
    """Add the commands of this file."""
    command = add_command(
        commands, "generate", generate, "write text with a model",
        'minillm generate runs/nano --prompt "Once upon a time" --temperature 0.8')
    add_checkpoint(command)
    command.add_argument("--prompt", nargs="+", default=[""], metavar="TEXT",
                         help="the text to continue; several prompts give one text each, "
                         "written at once")
    command.add_argument("--stop", nargs="+", default=[], metavar="TEXT",
                         help="end before the first of these texts that is written")
    add_config(command, GenerateConfig)
    command.add_argument("--draft", metavar="PATH",
                         help="a smaller model with the same tokenizer: it drafts tokens, which "
                         "the model checks several at a time; the distribution of the text stays "
                         "the model's own (default: no draft)")
    command.add_argument("--draft-tokens", type=int, default=4, metavar="N",
                         help="tokens that the draft writes before each check")
    command.add_argument("--special", action="store_true",
                         help="special tokens in a prompt, such as <|im_start|>, are those tokens "
                         "(otherwise they are read as ordinary text)")
    command.add_argument("--escapes", action="store_true",
                         help=r"\n and \t in --prompt and --stop are a new line and a tab")
    command.add_argument("--no-begin", action="store_true",
                         help="put no beginning-of-text token before the prompt")
    command.add_argument("--quiet", action="store_true",
                         help="print the text alone, no speed at the end")
    add_twin(command)

    command = add_command(commands, "chat", chat,
                          "talk with a model; one without a chat template continues what you type",
                          "minillm chat SmolLM2-135M-Instruct --temperature 0.7")
    add_checkpoint(command)
    command.add_argument("--system", metavar="TEXT",
                         help="the system message that begins the conversation")
    add_config(command, GenerateConfig)
    add_twin(command)


# ---- generate --------------------------------------------------------------------------------


def generate(options):
    import time

    from minillm.loading import Draft, load

    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    sampling = chosen(options, GenerateConfig)
    GenerateConfig(**sampling)
    draft = None
    if options.draft:
        draft = Draft(load(options.draft, options.tokenizer, options.dtype), options.draft_tokens)
        draft.check(model, options.twin)
    begin, prompts, stop = not options.no_begin, options.prompt, options.stop
    if options.escapes:
        prompts, stop = ([unescaped(text) for text in texts] for texts in (prompts, stop))
    # all are accepted before the first is shown
    lengths = [len(model.prompt_ids(prompt, begin, options.special)) for prompt in prompts]
    warn_of_memory(model, max(lengths), options.twin)
    model = model.on(options.twin, writing=True)
    full = model.config.max_position_embeddings - options.max_new_tokens
    if len(prompts) > 1 and not draft:
        at_once(model, prompts, options, dict(stop=tuple(stop), begin=begin, **sampling))
        if not options.quiet:
            say_full(model, max(lengths) > full)
            say_unused(options.path)
        return
    if draft:
        for length in lengths:
            check_draft(min(length + options.max_new_tokens, model.config.max_position_embeddings),
                        draft.model.config)
        draft = replace(draft, model=draft.model.on(options.twin, writing=True))
    for i, prompt in enumerate(prompts):
        times = [time.perf_counter()]
        if i:
            print("\n---")
        pieces = model.generate(prompt, options.twin, tuple(stop), lambda: times.append(
                                    time.perf_counter()), begin, options.special, draft,
                                **sampling)
        print(until_the_first(pieces, times, options), end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()
        if not options.quiet:
            print(speed(len(times) - 1, times[-1] - times[0], options.twin), file=sys.stderr)
            if draft and draft.accepted:
                print(speculation(draft), file=sys.stderr)
                draft.accepted.clear()
            say_full(model, lengths[i] > full and len(times) - 1 == (
                model.config.max_position_embeddings - lengths[i]))
    if not options.quiet:
        say_unused(options.path)


def until_the_first(pieces, times: list, options) -> str:
    """The prompt and what shows the first new token, whose wait is told on standard error."""
    what = "compiling, then reading the prompt" if options.twin == "jax" else "reading the prompt"
    text = ""
    with nullcontext() if options.quiet else telling(what):
        for piece in pieces:
            text += piece
            if len(times) > 1:
                break
    return text


def at_once(model, prompts: list[str], options, settings: dict):
    """Print the text of each prompt: a batch is written at once, the first of it as it comes."""
    import time

    for first in range(0, len(prompts), BATCH):
        times = [time.perf_counter()]
        texts = model.generate_each(
            prompts[first : first + BATCH], options.twin, allow_special=options.special,
            on_token=lambda times=times: times.append(time.perf_counter()), **settings)
        for i, text in enumerate(texts):
            if first + i:
                print("\n---")
            for piece in text:
                print(piece, end="", flush=True)
            print()
        if not options.quiet:
            print(speed(len(times) - 1, times[-1] - times[0], options.twin), file=sys.stderr)


def say_full(model, full: bool):
    """Say that a text ended where the context does."""
    if full:
        print(f"[the context of {model.config.max_position_embeddings} tokens is full]",
              file=sys.stderr)


def unescaped(text: str) -> str:
    """The text with its escapes (two characters) for a new line and a tab replaced by these."""
    return text.replace(r"\n", "\n").replace(r"\t", "\t")


def say_unused(path):
    """Tell which ways to sample a checkpoint suggests: minillm follows its own options alone."""
    file = Path(path) / "generation_config.json"
    asked = read_json(file) if file.is_file() else {}
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    usual = {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": None,
             "repetition_penalty": 1.0}
    found = {name: asked[name] for name in names
             if asked.get(name, usual[name]) not in (usual[name], None)}
    if found:
        shown = " ".join(f"{flag(name)} {printable(value)}" for name, value in found.items())
        print(f"[generation_config.json suggests {shown}: not used unless you ask]",
              file=sys.stderr)


def speed(tokens: int, seconds: float, twin: str) -> str:
    """What `generate` says at the end; `seconds` are those from the prompt to the last token."""
    included = "reading the prompt" + (" and compiling" if twin == "jax" else "") + " included"
    rate = ""
    if tokens and seconds:
        rate = f" in {seconds:.2f} s ({included}), {tokens / seconds:,.0f} tokens/s"
    return f"[{tokens} new tokens{rate}, twin: {twin}]"


def speculation(draft) -> str:
    """What `generate` says of a draft at the end."""
    passes, accepted = len(draft.accepted), sum(draft.accepted)
    return (f"[{passes} pass{'es' * (passes > 1)} of the model, "
            f"{1 + accepted / passes:.2f} tokens a pass: {accepted / passes / draft.ahead:.0%} "
            "of the drafted tokens accepted]")


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
    template, special = model.chat_template, model.marks
    if template is None and Path(options.path).is_dir():
        template = chat_template.find(options.path)  # says what is wrong with a damaged one
    if options.system and template is None:
        raise UserError(
            f"{options.path}: has no chat template, so there is no place for --system: leave it out"
        )
    begin = [{"role": "system", "content": options.system}] if options.system else []
    if template:  # one that does not work is refused before the first question
        chat_template.render(template, [*begin, {"role": "user", "content": "a"}], special)
    model = model.on(options.twin, writing=True)  # once, not at every answer
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
    tokens = (token for token in model.continuation(ids, twin, sampling, None, model.answer_ends)
              if token not in ends)
    pieces = []
    try:
        for piece in decode_stream(model.tokenizer, tokens):
            print(piece, end="", flush=True)
            pieces.append(piece)
    except KeyboardInterrupt:
        pass
    print()
    return "".join(pieces)
