"""What we export is the same model in llama.cpp: its tokens, its greedy text, its chat (optional:
`make parity`)."""

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minillm
from helpers import random_config, random_params, random_relative
from minillm.architecture.mistral import MistralConfig
from minillm.architecture.quantized import scheme_named
from minillm.architecture.qwen2 import Qwen2Config
from minillm.architecture.qwen3 import Qwen3Config
from minillm.architecture.smollm3 import SmolLM3Config, every
from minillm.config import ModelConfig, RopeScaling
from minillm.formats import get, gguf
from minillm.loading import Model
from minillm.quantization.model import quantize_model
from minillm.text import storyworld, tokenizer as tokenizers

pytestmark = pytest.mark.needs("xllamacpp", "gguf")

PARTS = ["the cat", "don't", "DON'T", "we’ll", "1984", "10,000.50", " ", "  ", "\n", "\n\n", "\t",
         "日本語", "한국어", "Größe", "naïve", "😀", "👩‍👧", "x=1;", "def f(x):\n    return x*2",
         '"quoted"', "(a)", "http://a.b/c?d=e", "Hello", "WORLD", "١٢٣", "…", "—", "foo_bar", "...",
         "'s", "#!", "\r\n", "a1b2", "３"]
STORIES = [story[:300] for story in storyworld.corpus(0, "train", 60_000)]


def texts(count: int) -> list[str]:
    rng = random.Random(0)
    return ["".join(rng.choice(PARTS) + rng.choice(["", " ", " ", "\n"])
                    for _ in range(rng.randint(1, 12))) for _ in range(count)]


TOKENIZER = tokenizers.train([*STORIES, *texts(200)], 700)


def ask(path, asked_texts=(), prompts=(), count=30, chat=None) -> dict:
    asked = dict(path=str(path), texts=list(asked_texts), prompts=list(prompts), count=count,
                 chat=chat)
    done = subprocess.run([sys.executable, Path(__file__).with_name("ask_llama_cpp.py")],
                          timeout=500, input=json.dumps(asked), capture_output=True,
                          encoding="utf-8")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def model(kind, seed, **fixed):
    rng = np.random.default_rng(seed)
    shape = dict(vocab_size=TOKENIZER.vocab_size, hidden_size=64, intermediate_size=96, head_dim=16,
                 num_attention_heads=4, num_key_value_heads=2, bos_token_id=0, eos_token_id=0,
                 max_position_embeddings=256, rope_theta=10000.0, rms_norm_eps=1e-5,
                 mlp_bias=False) | fixed
    if kind is not ModelConfig:
        del shape["mlp_bias"]
    config = random_config(rng,
                           **shape) if kind is ModelConfig else random_relative(kind, rng, **shape)
    if kind is SmolLM3Config:
        config = replace(config, no_rope_layers=every(4, config.num_hidden_layers))
    return Model(config, random_params(config, rng), TOKENIZER, "test", (0,))


LLAMA3 = RopeScaling("llama3", 32.0, 8192, low_freq_factor=1.0, high_freq_factor=4.0)


@pytest.mark.parametrize("kind, fixed", [
    (ModelConfig, {}), (ModelConfig, {"attention_bias": True, "head_dim": 32}),
    (ModelConfig, {"rope_scaling": RopeScaling("linear", 4.0)}),
    (ModelConfig, {"rope_scaling": LLAMA3, "rope_theta": 500000.0, "head_dim": 32}),
    (MistralConfig, {}), (Qwen2Config, {}), (Qwen3Config, {"head_dim": 32}),
    (SmolLM3Config, {"num_hidden_layers": 8})])
def test_every_token_that_it_writes_is_our_most_probable_one(tmp_path, kind, fixed):
    """Or one that rounding puts at its side: llama.cpp keeps keys and values in float16."""
    ours = model(kind, 0, **{"attention_bias": False} | fixed)
    gguf.export(tmp_path / "m.gguf", ours)
    prompts = [[0, 5, 9, 300, 44, 120], [0, *TOKENIZER.encode("the cat sat. It's 1984")],
               list(range(100, 160))]
    for prompt, written in zip(prompts, ask(tmp_path / "m.gguf", prompts=prompts)["written"]):
        logits_TV = ours.logits([[*prompt, *written]])[0, len(prompt) - 1 : -1]
        behind = logits_TV.max(-1) - logits_TV[np.arange(len(written)), written]
        assert len(written) and behind.max() < 5e-3 * np.abs(logits_TV).max()


def test_our_tokenizer_cuts_there_as_here_but_for_what_the_remark_says(tmp_path):
    gguf.export(tmp_path / "m.gguf", model(ModelConfig, 0))
    asked = [*texts(200), *STORIES[:60]]
    for text, ids in zip(asked, ask(tmp_path / "m.gguf", asked)["ids"]):
        assert ids == TOKENIZER.encode(text), text
    assert "combining marks" in gguf.gguf_tokenizer.remark(TOKENIZER)


@pytest.mark.parametrize("scheme", ["int8-group32", "int4-group32", "int4-group32-min"])
def test_quantized_files_open(tmp_path, scheme):
    ours = model(ModelConfig, 1)
    params = quantize_model(ours.params, ours.config, scheme_named(scheme))
    gguf.export(tmp_path / "m.gguf", Model(ours.config, params, TOKENIZER, "test", (0,)))
    assert ask(tmp_path / "m.gguf", prompts=[[0, 5, 9]])["written"][0]


@pytest.mark.real
def test_smollm2_exported(tmp_path):
    path = get.models() / get.SMOLLM2
    if not path.is_file():
        pytest.skip("SmolLM2 is not here: minillm get smollm2")
    ours = minillm.load(path)
    gguf.export(tmp_path / "m.gguf", ours)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = ours.prompt_ids("The capital of France is")
    there = ask(tmp_path / "m.gguf", texts(200), [prompt], 200, question)
    assert there["ids"] == [ours.tokenizer.encode(text) for text in texts(200)]
    assert there["chat"] == "The capital of France is Paris."
    written = list(ours.continuation(prompt, "numpy",
                                     minillm.config.GenerateConfig(temperature=0.0), None, ()))
    assert there["written"][0][:-1] == written[: len(there["written"][0]) - 1]
