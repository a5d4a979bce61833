"""Promises: what counts in the loss is what the assistant says, whatever the template;
conversations are packed whole; what is no conversation is one line that names its row."""

import json
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from minillm import chat_template, load
from minillm.config import IGNORE, TrainConfig
from minillm.errors import UserError
from minillm.formats import gguf
from minillm.tuning import task_of, with_template
from minillm.tuning.conversations import Conversation, read_conversations, split
from minillm.tuning.data import marked, read_data
from minillm.tuning.packing import packed
from minillm.tuning.rendering import rendered

TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 and 3?"},
        {"role": "assistant", "content": "5"}, {"role": "user", "content": "How much is the kite?"},
        {"role": "assistant", "content": "Six coins."}]
CHATML = ("{% for m in messages %}{{ '[' + m.role + ']\\n' + m.content + eos_token + '\\n' }}"
          "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]\\n' }}{% endif %}bye")
TRIMS = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}Q {{ m.content | trim }}"
         " A {% elif m.role == 'assistant' %}{{ m.content | trim }}{{ eos_token }}{% endif %}"
         "{% endfor %}")


def texts_that_count(model, one):
    return marked(model, one).split("[[")[1:]


@pytest.mark.parametrize("template", [None, TRIMS])
def test_the_answers_count_and_nothing_else(small, template):
    model = with_template(replace(small, chat_template=template))
    one, = rendered(model, [Conversation(TALK, "here")])
    assert [part.split("]]")[0] for part in texts_that_count(model, one)] == [
        "5<|endoftext|>", "Six coins.<|endoftext|>"]
    whole = chat_template.render(model.chat_template, TALK, model.marks, False)
    assert model.tokenizer.decode(one.tokens.tolist()) == whole
    ids = model.tokenizer.encode(chat_template.render(model.chat_template, TALK[:2], model.marks),
                                 allow_special=True)
    assert one.tokens[: len(ids)].tolist() == ids and not one.counts[: len(ids)].any()
    assert one.counts[len(ids)]          # what chat asks, token by token, and the answer after it


def test_the_plain_template_writes_one_beginning_and_ends_every_message(small):
    model = with_template(small)
    text = chat_template.render(model.chat_template, TALK[1:3], model.marks, False)
    assert text == ("<|endoftext|><|user|>\nWhat is 2 and 3?<|endoftext|>\n<|assistant|>\n"
                    "5<|endoftext|>\n")
    assert with_template(model) == model
    without = with_template(replace(small, begin=()))
    text = chat_template.render(without.chat_template, TALK[1:], without.marks)
    assert text.startswith("<|user|>")


@pytest.mark.parametrize("template, says", [
    (CHATML, "rewrites earlier messages"),
    ("{% for m in messages %}{{ m.content }} {% endfor %}", "ends the answer with no end-of-text"),
    ("{{ raise_exception('no system here') }}", "refuses it .*no system here"),
    ("{% for m in messages %}{{ m.content | upper }}{{ eos_token }}{% endfor %}",
     "does not come back")])
def test_a_template_that_cannot_be_masked_is_one_line(small, template, says):
    model = with_template(replace(small, chat_template=template))
    with pytest.raises(UserError, match=says) as error:
        rendered(model, [Conversation(TALK, "talks.jsonl: row 7")])
    assert str(error.value).startswith("talks.jsonl: row 7: ")


def test_an_answer_with_a_special_token_is_refused(small):
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b<|endoftext|>c"}]
    with pytest.raises(UserError, match="special tokens"):
        rendered(with_template(small), [Conversation(talk, "row 1")])


def test_conversations_are_packed_whole(small):
    model, task = with_template(small), task_of("sums")
    read = rendered(model, task.conversations("train", 60))
    rows = packed(read, 96, seed=1)
    found = []
    for tokens, targets in zip(rows.tokens_RT, rows.targets_RT):
        assert np.all((targets == IGNORE) | (np.append(tokens[1:], targets[-1]) == targets))
        found.append(int(np.sum(targets != IGNORE)))
    assert sum(found) == sum(int(one.counts.sum()) for one in read)
    inside = ["".join(map(chr, np.append(row, 0))) for row in rows.tokens_RT]
    for one in read:                     # each stands in one row, uncut but for its last token
        assert any("".join(map(chr, one.tokens[:-1])) in row for row in inside)
    assert len(rows.tokens_RT) < 60 and "60 conversations" in rows.report


def test_batches_are_a_function_of_the_seed_and_read_every_row(small):
    rows = packed(rendered(with_template(small), task_of("desk").conversations("train", 40)), 96)
    train = TrainConfig(batch_size=3, seed=5)
    whole, *parts = (rows.batches(train, *ends) for ends in ((0, 9), (0, 4), (4, 9)))
    assert np.array_equal(whole[0], np.concatenate([part[0] for part in parts]))
    first = rows.batches(replace(train, batch_size=len(rows.tokens_RT)), 0, 1)[0][0]
    assert sorted(map(tuple, first)) == sorted(map(tuple, rows.tokens_RT))


def jsonl(path, *rows):
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows),
                    encoding="utf-8")
    return path


GOOD = {"messages": TALK[1:3], "id": "a"}
BAD = {"not json": ("{", "row 2: is not JSON"), "a list": ([1], "row 2: is no conversation"),
       "no messages": ({"text": "a"}, "row 2: is no conversation"),
       "a role": ({"messages": [{"role": "robot", "content": "a"}]}, "has the role 'robot'"),
       "no text": ({"messages": [{"role": "user", "content": 3}]}, "message 1: is no message"),
       "empty": ({"messages": [TALK[1], {"role": "assistant", "content": " "}]},
                 "message 2: is an empty answer"),
       "no answer": ({"messages": [TALK[1]]}, "row 2: has no answer"),
       "the id": (GOOD, "row 2: has the id 'a' of row 1")}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_one_line(name, tmp_path):
    row, says = BAD[name]
    path = jsonl(tmp_path / "talks.jsonl", GOOD, row)
    with pytest.raises(UserError, match=says) as error:
        read_conversations(path)
    assert "\n" not in str(error.value) and str(error.value).startswith(str(path))


def test_a_conversation_longer_than_a_row_is_named(small, tmp_path):
    long = {"messages": [TALK[1], {"role": "assistant", "content": "5 " * 200}]}
    path = jsonl(tmp_path / "talks.jsonl", *[GOOD | {"id": i} for i in range(5)], "", long)
    with pytest.raises(UserError, match=r"row 7: has \d+ tokens, and a row holds 96: shorten"):
        read_data(path, with_template(small), 96, 100)


def test_the_same_conversation_is_never_on_both_sides(tmp_path):
    rows = [{"messages": [{"role": "user", "content": str(i % 40)}, TALK[2]]} for i in range(80)]
    train, held_out = split(read_conversations(jsonl(tmp_path / "a.jsonl", *rows)), "a")
    assert len(train) + len(held_out) == 80 and held_out
    assert not {str(a.messages) for a in train} & {str(b.messages) for b in held_out}
    with pytest.raises(UserError, match="too few"):
        split(read_conversations(jsonl(tmp_path / "b.jsonl", GOOD)), "b")


def test_the_template_goes_along_into_a_folder_and_a_gguf_file(small, tmp_path):
    model = with_template(small)
    model.save(tmp_path / "folder")
    assert load(tmp_path / "folder").chat_template == model.chat_template
    if find_spec("gguf"):
        gguf.export(tmp_path / "model.gguf", model)
        assert load(tmp_path / "model.gguf").chat_template == model.chat_template


@pytest.mark.needs("transformers")
def test_transformers_writes_the_same_conversation(small, tmp_path):
    from transformers import AutoTokenizer
    model = with_template(small)
    model.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for messages, begins in ((TALK, False), (TALK[:2], True)):
        ours = chat_template.render(model.chat_template, messages, model.marks, begins)
        assert theirs.apply_chat_template(messages, tokenize=False,
                                          add_generation_prompt=begins) == ours
        ids = theirs.apply_chat_template(messages, tokenize=True, add_generation_prompt=begins,
                                         return_dict=False)
        assert ids == model.tokenizer.encode(ours, allow_special=True)
