"""Promise: a chat template gives the text that transformers gives, and a hostile one gives one line and nothing else.

The expected texts were made by transformers 5.23 (apply_chat_template); where it is installed the comparison is run again.
"""

import io
import json
import time

import numpy as np
import pytest

from helpers import random_config
from minillm import chat_template, cli
from minillm.architecture.llama import init
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.text import tokenizer

TALK = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi \"there\" <b>"},
        {"role": "assistant", "content": "Hello é"}, {"role": "user", "content": "Bye"}]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
CHATML = ("{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nDefault<|im_end|>\\n' }}"
          "{% endif %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
TEMPLATES = {
    "chatml": (CHATML, "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi \"there\" <b><|im_end|>\n<|im_start|>assistant\n"
               "Hello é<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"),
    "trimmed blocks and lines": ("{{ bos_token }}\n  {% for m in messages %}\n    {% if m.role == 'user' %}\n[INST] {{ m.content | trim }} [/INST]"
                                 "\n    {% elif m.role == 'assistant' %}\n{{ m.content }}{{ eos_token }}\n    {% endif %}\n  {% endfor %}\n",
                                 "<s>\n[INST] Hi \"there\" <b> [/INST]\nHello é</s>\n[INST] Bye [/INST]\n"),
    "tojson": ("{{ messages[1] | tojson }}{{ messages[2] | tojson(indent=1) }}",
               "{\"role\": \"user\", \"content\": \"Hi \\\"there\\\" <b>\"}{\n \"role\": \"assistant\",\n \"content\": \"Hello é\"\n}"),
    "loop controls": ("{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}{{ m.content }};{% if loop.index > 2 %}"
                      "{% break %}{% endif %}{% endfor %}", "Hi \"there\" <b>;Hello é;"),
    "namespace and generation": ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% generation %}{{ ns.n }}"
                                 "{% endgeneration %}{% endfor %}", "1234"),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_gives_what_transformers_gives(name):
    template, expected = TEMPLATES[name]
    assert chat_template.render(template, TALK, SPECIAL) == expected


@pytest.mark.needs("transformers")
def test_transformers_still_gives_the_same():
    from transformers.utils import chat_template_utils as utils
    for template, expected in TEMPLATES.values():
        texts, _ = utils.render_jinja_template([TALK], chat_template=template, add_generation_prompt=True, **SPECIAL)
        assert texts == [expected]


ATTACKS = {
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ cycler.__init__.__globals__.os.popen('touch exploded').read() }}",
    "attribute filter": "{{ (raise_exception | attr('__globals__'))['os'] }}",
    "include": "{% include '/etc/passwd' %}", "import": "{% import 'os' as os %}{{ os }}",
    "endless": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "memory": "{{ ('a' * 10**10) | length }}", "power": "{{ 10 ** (10 ** 9) }}", "format": "{{ '{:2000000000}'.format(1) | length }}",
    "percent": "{{ '%2000000000d' % 1 }}", "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "output": "{% for a in range(90000) %}" + "x" * 1000 + "{% endfor %}", "change": "{{ messages.append(1) }}",
    "syntax": "{% if %}", "unknown": "{{ nothing.at.all }}", "raises": "{{ raise_exception('no\\n\\x1b[31m\u202e way') }}",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_template_is_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    with pytest.raises(UserError, match="chat template") as error:
        chat_template.render(ATTACKS[name], TALK, SPECIAL, seconds=2)
    assert str(error.value).isprintable() and len(str(error.value)) < 400
    assert time.monotonic() - began < 30                           # it did end: how fast is not the point
    assert not list(tmp_path.iterdir())


def test_where_templates_stand(tmp_path):
    assert chat_template.find(tmp_path) is None
    config = tmp_path / "tokenizer_config.json"
    for value, expected in ((None, None), ("a", "a"), ([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}], "d"),
                            ([{"name": "rag", "template": "t"}], None)):
        config.write_text(json.dumps({"chat_template": value, "bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": None}))
        assert chat_template.find(tmp_path) == expected
    assert chat_template.special_tokens(tmp_path) == SPECIAL
    config.write_text(json.dumps({"chat_template": 3}))
    with pytest.raises(UserError, match="tokenizer_config.json"):
        chat_template.find(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("j", encoding="utf-8")
    assert chat_template.find(tmp_path) == "j"
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(UserError, match="chat_template.jinja"):
        chat_template.find(tmp_path)


@pytest.fixture
def folder(tmp_path):
    made = tokenizer.train(["user says hello, assistant says hello back"] * 3, 300, special_tokens=("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    config = random_config(np.random.default_rng(0), vocab_size=made.vocab_size, max_position_embeddings=128)
    checkpoint.save_model(tmp_path / "model", config, init(config, np.random.default_rng(1)), made)
    return tmp_path / "model"


def talk(folder, monkeypatch, capsys, lines, *options):
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(line + "\n" for line in lines)))
    status = cli.main(["chat", str(folder), "--twin", "numpy", "--max-new-tokens", "8", "--temperature", "0", *options])
    return status, *capsys.readouterr()


def test_a_conversation_in_the_terminal(folder, monkeypatch, capsys):
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": CHATML}), encoding="utf-8")
    status, out, err = talk(folder, monkeypatch, capsys, ["hello", "/new", "hello", "", "hello", "/quit", "never read"])
    answers = out.splitlines()
    assert status == 0 and "/quit" in err and "template" not in err
    assert out.count("\n") >= 3 and answers[0] == answers[1]       # the same from the same start
    status, out, err = talk(folder, monkeypatch, capsys, ["hello " * 300])
    assert status == 0 and "128" in err and "/new" in err          # too long: said, and the conversation goes on
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}", encoding="utf-8")
    status, out, err = talk(folder, monkeypatch, capsys, ["hello"])
    assert (status, out, err.count("\n")) == (2, "", 1) and "chat template" in err


def test_without_a_template_it_goes_on_with_the_text(folder, monkeypatch, capsys):
    status, out, err = talk(folder, monkeypatch, capsys, ["hello", "hello"])
    assert status == 0 and "no chat template" in err and out
    status, out, err = talk(folder, monkeypatch, capsys, ["hello"], "--system", "Be kind.")
    assert status == 2 and "--system" in err
