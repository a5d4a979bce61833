"""Conversations become tokens, and which of them are the assistant's.

Nothing is guessed from the look of a text. The template itself is asked twice for every answer: the
conversation up to where the answer begins, as `minillm chat` asks it, and the conversation with the
answer. What the second has more is the answer: it and the token that ends it count in the loss,
what a template writes after that does not. Then the tokens are read back: together they must be the
text, and those that count must end in the answer.
"""

from dataclasses import dataclass

import numpy as np

from minillm import chat_template
from minillm.errors import UserError, printable
from minillm.loading import Model
from minillm.tuning.conversations import Conversation

AT_ONCE, SECONDS = 1000, 30.0  # texts in a process of the template, and its time


@dataclass(frozen=True, eq=False)
class Rendered:
    """`tokens` (n,) of a conversation, and for each whether it `counts`: the assistant wrote it.

    `where` says in words where the conversation stands.
    """

    tokens: np.ndarray
    counts: np.ndarray
    where: str


def ask_template(model: Model, asked: list[tuple[list[dict], bool]]) -> list[dict]:
    """What the template gives for each: {"text"} or {"error"}. Raises UserError."""
    return [answer for first in range(0, len(asked), AT_ONCE) for answer in
            chat_template.render_each(model.chat_template, asked[first : first + AT_ONCE],
                                      model.marks, SECONDS)]


def rendered(model: Model, conversations: list[Conversation]) -> list[Rendered]:
    """The conversations as tokens. Raises UserError, naming the row."""
    asked = [part for each in conversations for part in questions(each.messages)]
    answers = iter(ask_template(model, asked))
    return [one(model, each.messages, [next(answers) for _ in questions(each.messages)], each.where)
            for each in conversations]


def questions(messages: list[dict]) -> list[tuple[list[dict], bool]]:
    """What the template is asked: up to each answer, with each answer, and everything."""
    places = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
    parts = [(messages[: i + more], not more) for i in places for more in (0, 1)]
    return [*parts, (messages, False)]


def one(model: Model, messages, texts: list[dict], where: str) -> Rendered:
    """A conversation whose `questions` the template answered with `texts`. Raises UserError."""
    for text in texts:
        if "error" in text:
            raise UserError(f"{where}: the chat template refuses it "
                            f"({printable(text['error'], quoted=False)}): change the row")
    *parts, whole = (text["text"] for text in texts)
    ids, counts, at = [], [], 0
    contents = [message["content"] for message in messages if message["role"] == "assistant"]
    for before, through, content in zip(parts[::2], parts[1::2], contents):
        if not (through.startswith(before) and whole.startswith(through)):
            raise UserError(f"{where}: the chat template rewrites earlier messages when later ones "
                            "come: give every answer a row of its own")
        prompt = model.tokenizer.encode(before[at:], allow_special=True)
        answer = model.tokenizer.encode(through[len(before) :], allow_special=True)
        end = next((i for i, token in enumerate(answer) if token in model.answer_ends), None)
        if end is None:
            raise UserError(f"{where}: the chat template ends the answer with no end-of-text "
                            "token, so the model would never stop: choose another template")
        check_answer(model, answer[:end], content, where)
        ids += prompt + answer
        counts += [False] * len(prompt) + [i <= end for i in range(len(answer))]
        at = len(through)
    tail = model.tokenizer.encode(whole[at:], allow_special=True)
    ids, counts = ids + tail, counts + [False] * len(tail)
    if model.tokenizer.decode(ids) != whole:
        raise UserError(f"{where}: its tokens do not give the text back: this tokenizer cannot be "
                        "used to tune")
    return Rendered(np.array(ids, np.int32), np.array(counts, bool), where)


def check_answer(model: Model, ids: list[int], content: str, where: str):
    """Refuse tokens that are not the answer: the round trip. Raises UserError."""
    if not model.tokenizer.decode(ids).strip().endswith(content.strip()):
        raise UserError(f"{where}: the answer {printable(content, 40)} does not come back from the "
                        "chat template as it is: leave special tokens out of it")
