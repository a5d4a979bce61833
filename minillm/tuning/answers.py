"""What a model answers, many questions at once."""

from dataclasses import replace

import numpy as np

from minillm.config import GenerateConfig, check_prompt
from minillm.errors import UserError, printable
from minillm.loading import Model, twin_package
from minillm.tuning.rendering import ask_template

ROWS = 64  # questions that are answered at once
NEW_TOKENS, MORE = 32, 8  # of an answer, and beyond the longest right one
ROOM = 16  # prompts are padded to a multiple of this, so that few shapes are compiled


def answer_room(model: Model, examples) -> int:
    """How many tokens an answer may have: more than any right answer to these examples."""
    longest = max(len(model.tokenizer.encode(example.answer)) for example in examples)
    return max(NEW_TOKENS, longest + MORE)


def prompts(model: Model, questions: list[str], room: int) -> list[list[int]]:
    """The tokens that the model reads before it answers each question.

    Raises UserError for one that leaves less than `room` tokens of the context for its answer.
    """
    asked = [([{"role": "user", "content": question}], True) for question in questions]
    result = []
    for question, answer in zip(questions, ask_template(model, asked)):
        if "error" in answer:
            why = printable(answer["error"], quoted=False)
            raise UserError(f"{model.source}: its chat template refuses the question "
                            f"{printable(question, 40)} ({why})")
        result.append(model.tokenizer.encode(answer["text"], allow_special=True))
        check_prompt(result[-1], replace(model.config, max_position_embeddings=max(
            1, model.config.max_position_embeddings - room)))
    return result


def write(model: Model, asked: list[list[int]], sampling: GenerateConfig, twin: str = "jax",
          params=None, rows: int = ROWS, length: int = 0) -> list[list[int]]:
    """The tokens that the model writes after each prompt, its end-of-text token included.

    The coins are a function of `sampling.seed` and of the place of a prompt among the others.
    `rows` and `length` (at least that of the longest prompt) are shapes that are compiled once.
    """
    package, written, new = twin_package(twin), [[] for _ in asked], sampling.max_new_tokens
    longest = -(-max([length, *map(len, asked)]) // ROOM) * ROOM
    params = package.to_device(model.params) if params is None else params
    for first in range(0, len(asked), rows):
        some = asked[first : first + rows]
        some = some + some[:1] * (rows - len(some) if len(asked) > rows else 0)  # one shape
        coins_NB = np.random.default_rng([sampling.seed, first]).random(
            (longest + new - 1, len(some)), np.float32)
        coins_BN = [coins_N[len(prompt) - 1 :][:new] for coins_N, prompt in zip(coins_NB.T, some)]
        for row, token in package.generate_batch(params, some, model.config, sampling,
                                                 model.answer_ends, coins_BN, longest + new):
            if first + row < len(asked):
                written[first + row].append(token)
    return written


def texts(model: Model, written: list[list[int]]) -> list[str]:
    """The answers as texts, without the token that ends them."""
    return [model.tokenizer.decode(ids[:-1] if ids and ids[-1] in model.answer_ends else ids)
            for ids in written]
