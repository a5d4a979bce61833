"""Conversations to learn from: a JSON Lines file, one {"messages": [{"role", "content"}, ...]} a
line.

That is the layout that most tuning data has. A row may have an "id", which must be its own; what
else it has is left alone. A row that is no conversation is refused by its number: a model that
learned from half of a file would be a surprise.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from minillm.errors import UserError, printable
from minillm.text.corpora import read_text
from minillm.tuning.examples import one_in

ROLES = ("system", "user", "assistant")
HELD_OUT = 10  # one conversation in so many is held out


@dataclass(frozen=True)
class Conversation:
    """`messages` [{"role", "content"}, ...], and in words where they stand."""

    messages: list[dict]
    where: str


def read_conversations(path) -> list[Conversation]:
    """The conversations of a file. Raises UserError, naming the row."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file, and it is not a task (sums, desk): give a "
                        'JSON Lines file with {"messages": [...]} in every row')
    rows, known = [], {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        row = conversation(line, f"{path}: row {number}")
        name = row.get("id")
        if name is not None and repr(name) in known:
            raise UserError(f"{path}: row {number}: has the id {printable(name)} of row "
                            f"{known[repr(name)]}: give it its own, or leave one of them out")
        known[repr(name)] = number
        messages = [{name: message[name] for name in ("role", "content")}
                    for message in row["messages"]]
        rows.append(Conversation(messages, f"{path}: row {number}"))
    if not rows:
        raise UserError(f"{path}: holds no conversation: write one a row")
    return rows


def conversation(line: str, where: str) -> dict:
    """A row, checked. Raises UserError."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{where}: is not JSON ({printable(error)}): write one object a row") from None
    messages = row.get("messages") if isinstance(row, dict) else None
    if not isinstance(messages, list) or not messages:
        raise UserError(f'{where}: is no conversation: write {{"messages": [{{"role": "user", '
                        f'"content": "..."}}, {{"role": "assistant", "content": "..."}}]}}')
    for i, message in enumerate(messages, 1):
        check_message(message, f"{where}, message {i}")
    if not any(message["role"] == "assistant" for message in messages):
        raise UserError(f"{where}: has no answer to learn from: add a message of the assistant")
    return row


def check_message(message, where: str):
    """Refuse what is no message. Raises UserError."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), str):
        raise UserError(f'{where}: is no message: write {{"role": "...", "content": "text"}}')
    if message.get("role") not in ROLES:
        raise UserError(f"{where}: has the role {printable(message.get('role'))}: write "
                        f"{', '.join(ROLES[:2])} or {ROLES[2]}")
    if message["role"] == "assistant" and not message["content"].strip():
        raise UserError(f"{where}: is an empty answer: write one, or leave the row out")


def split(conversations: list[Conversation], path) -> tuple[list, list]:
    """(to learn from, held out): one in HELD_OUT by its content, so that twins never part."""
    parts = [], []
    for each in conversations:
        parts[one_in(HELD_OUT, json.dumps(each.messages))].append(each)
    train, held_out = parts
    if len(conversations) < 2 or not train:
        raise UserError(f"{path}: has {len(conversations)} conversations, too few to hold one out: "
                        "write more")
    return (train, held_out) if held_out else (train[:-1], train[-1:])
