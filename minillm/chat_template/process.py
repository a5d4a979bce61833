"""Chat templates: how a checkpoint wants a conversation written as one text.

A template is a program that came with the checkpoint (in the language Jinja), so it is never run in this process: see
child.py. What it gives is what transformers' apply_chat_template gives.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from minillm.errors import UserError, printable
from minillm.files import read_json

SECONDS = 5.0
CHILD = Path(__file__).with_name("child.py")


def find(folder) -> str | None:
    """The chat template of a Hugging Face folder, or None. Raises UserError for a file that is damaged."""
    folder = Path(folder)
    try:
        if (folder / "chat_template.jinja").is_file():
            return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder / 'chat_template.jinja'}: cannot be read ({printable(error)})") from None
    for name in ("chat_template.json", "tokenizer_config.json"):
        found = read_json(folder / name).get("chat_template") if (folder / name).is_file() else None
        if isinstance(found, list):                               # several by name
            named = {entry.get("name"): entry.get("template") for entry in found
                     if isinstance(entry, dict)}
            found = named.get("default")
        if found is not None and not isinstance(found, str):
            raise UserError(f"{folder / name}: its chat_template is {printable(found)}, not a text")
        if found:
            return found
    return None


def special_tokens(folder) -> dict[str, str]:
    """bos_token, eos_token ... of a folder, for its template. Raises UserError for a damaged file."""
    values = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):  # the second goes first
        path = Path(folder) / name
        values |= read_json(path) if path.is_file() else {}
    plain = {name: value.get("content") if isinstance(value, dict) else value
             for name, value in values.items() if name.endswith("_token")}
    return {name: value for name, value in plain.items() if isinstance(value, str)}


def render(template: str, messages: list[dict], special: dict[str, str],
           add_generation_prompt: bool = True, seconds: float = SECONDS) -> str:
    """The conversation as one text, up to where the model's answer begins.

    messages: [{"role": "system"|"user"|"assistant", "content": text}, ...]. Raises UserError for a template that does not
    work, refuses the conversation, reaches outside its sandbox, or needs more time or memory than a template should.
    """
    answer, = render_each(template, [(messages, add_generation_prompt)], special, seconds)
    if "error" in answer:
        raise UserError(
            f"the chat template does not work: {printable(answer['error'], quoted=False)}")
    return answer["text"]


def render_each(template: str, conversations: list[tuple[list[dict], bool]],
                special: dict[str, str], seconds: float = SECONDS) -> list[dict]:
    """Many conversations in one process, each with whether an answer is to begin at its end.

    Returns for each {"text"}, or {"error"} where the template refuses it. Raises UserError for a
    template that ends its process, or that needs too much time.
    """
    if find_spec("jinja2") is None:
        raise UserError("a chat template needs the jinja2 package: pip install jinja2")
    each = [special | {"messages": messages, "add_generation_prompt": begins, "tools": None,
                       "documents": None} for messages, begins in conversations]
    asked = json.dumps({"template": template, "each": each}).encode()
    try:                # -I: no module from the working folder or the user's environment
        done = subprocess.run([sys.executable, "-I", str(CHILD)], input=asked, capture_output=True,
                              timeout=seconds)
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise UserError(f"the chat template was stopped after {seconds:g} s") from None
    except ValueError:
        raise UserError(
            "the chat template ended its process: it needs too much memory, or worse") from None
