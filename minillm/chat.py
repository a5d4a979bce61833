"""`minillm chat`: a conversation in the terminal, by the checkpoint's own chat template; without one, it goes on with your text."""

import sys
from pathlib import Path

from minillm import chat_template
from minillm.commands import chosen, keep_compiled
from minillm.config import GenerateConfig, check_prompt
from minillm.errors import UserError
from minillm.loading import load
from minillm.tokenizer import decode_stream

HINT = "/new starts over, /quit or Ctrl-D ends"


def run(options):
    """Read lines, write answers, until the end of the input. Raises UserError for a model that cannot."""
    model = load(options.path, options.tokenizer, options.dtype)
    model.check_twin(options.twin)
    how = GenerateConfig(**chosen(options, GenerateConfig))
    model.prompt_ids("a")                                            # a model without a tokenizer cannot talk
    folder = Path(options.path)
    template = chat_template.find(folder) if folder.is_dir() else None
    if options.system and template is None:
        raise UserError(f"{options.path}: has no chat template, so there is no place for "
                        f"--system: leave it out")
    begin = [{"role": "system", "content": options.system}] if options.system else []
    special = chat_template.special_tokens(folder) if template else {}
    if template:
        chat_template.render(template, begin + [{"role": "user", "content": "a"}], special)      # refused now or never
    if options.twin == "jax":
        keep_compiled()
    print(f"[{HINT}]" if template else f"[this checkpoint has no chat template: it continues what "
                                       f"you type; {HINT}]",
          file=sys.stderr)
    messages = list(begin)
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "")
        except EOFError:
            return
        if line.strip() == "/quit":
            return
        if line.strip() == "/new":
            messages = list(begin)
        elif line.strip():
            asked = messages + [{"role": "user", "content": line}]
            try:
                answer = "".join(say(model, asked, template, special, how, options.twin))
            except UserError as error:                               # a conversation that is too long, mostly
                print(f"minillm: {error}: /new starts over", file=sys.stderr)
            else:
                messages = asked + [{"role": "assistant", "content": answer}] if template else messages


def say(model, messages, template, special, how: GenerateConfig, twin: str):
    """Print the answer as it comes, and yield its pieces."""
    if template:
        ids = model.tokenizer.encode(chat_template.render(template, messages, special), allow_special=True)
        check_prompt(ids, model.config)
    else:
        ids = model.prompt_ids(messages[-1]["content"])
    ends = set(model.tokenizer.special_tokens.values())
    written = (token for token in model.continuation(ids, twin, how) if token not in ends)
    try:
        for piece in decode_stream(model.tokenizer, written):
            print(piece, end="", flush=True)
            yield piece
    except KeyboardInterrupt:                                        # enough of this answer
        pass
    print()
