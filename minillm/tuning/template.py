"""The chat template of a model that has none: every message between its role and an end of text.

    <|user|>
    What is 2 and 3?<|endoftext|>
    <|assistant|>
    5<|endoftext|>

It is ChatML's idea without tokens of its own: the role marks are ordinary text, and what ends a
message is the end-of-text token that the model has already. So no row of the embedding is new, and
the template works with any tokenizer. (Zephyr writes the same, Tunstall et al. 2023,
arXiv:2310.16944.) It is saved with the model: transformers' `apply_chat_template` and llama.cpp
find it there.
"""

from dataclasses import replace

from minillm.errors import UserError
from minillm.formats.checkpoint import tokenizer_config
from minillm.loading import Model

MESSAGES = ("{% for message in messages %}{{ '<|' + message['role'] + '|>\\n'"
            " + message['content'] + eos_token + '\\n' }}{% endfor %}")
ANSWER = """{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"""


def with_template(model: Model) -> Model:
    """The model with a chat template, its own or the plain one. Raises UserError."""
    if model.tokenizer is None:
        raise UserError(f"{model.source}: has no tokenizer, so conversations cannot become tokens")
    names = tokenizer_config(model.config, model.tokenizer, bool(model.begin))
    marks = {name: text for name, text in names.items() if name in ("bos_token", "eos_token")}
    model = replace(model, marks=marks | model.marks)
    if model.chat_template is not None:
        return model
    if "eos_token" not in model.marks:
        raise UserError(f"{model.source}: has no end-of-text token, so no answer could end: train "
                        "it with a tokenizer that has one")
    begin = "{{ bos_token }}" if model.begin and "bos_token" in model.marks else ""
    return replace(model, chat_template=begin + MESSAGES + ANSWER)
