"""Promise: `generate --draft` writes as without it, says what it was worth, refuses in one line."""

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm.formats import checkpoint
from minillm.text import tokenizer as tokenizers

FAST = ("--twin", "numpy", "--max-new-tokens", 6)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders: a model, a draft, one with another tokenizer, one with a short context."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("drafts")
    ours, theirs = (tokenizers.train([text] * 20, 270) for text in ("the cat sat. ", "a dog ran. "))
    for name, made, context in (("model", ours, 32), ("draft", ours, 32), ("other", theirs, 32),
                                ("short", ours, 8)):
        config = random_config(rng, vocab_size=made.vocab_size, max_position_embeddings=context)
        checkpoint.save_model(folder / name, config, random_params(config, rng), made)
    return folder


def test_greedy_text_is_the_same_and_the_draft_is_judged(minillm, models):
    alone = minillm("generate", models / "model", "--prompt", "the cat", "--temperature", 0, *FAST)
    status, out, err = minillm("generate", models / "model", "--prompt", "the cat",
                               "--temperature", 0, "--draft", models / "draft", *FAST)
    assert (status, out) == (0, alone[1])
    assert "passes of the model" in err and "of the drafted tokens accepted]" in err
    status, out, err = minillm("generate", models / "model", "--draft", models / "model",
                               "--draft-tokens", 5, "--seed", 3, *FAST)
    assert "[1 pass of the model, 6.00 tokens a pass: 100% of the drafted tokens accepted]" in err


@pytest.mark.parametrize("draft, options, word", [
    ("other", (), "another tokenizer"), ("short", ("--max-new-tokens", 20), "draft reads 8 tokens"),
    ("draft", ("--draft-tokens", 0), "at least 1"), ("nowhere", (), "nowhere")])
def test_a_draft_that_cannot_help_is_refused_in_one_line(minillm, models, draft, options, word):
    status, out, err = minillm("generate", models / "model", "--prompt", "the", "--twin", "numpy",
                               "--draft", models / draft, *options)
    assert status == 2 and word in err and err.count("\n") == 1 and out == ""


def test_stop_strings_are_honoured(minillm, models):
    ask = ("generate", models / "model", "--draft", models / "draft", "--prompt", "the")
    _, whole, _ = minillm(*ask, *FAST, "--quiet")
    stop = whole.rstrip("\n")[-2:]
    _, cut, _ = minillm(*ask, *FAST, "--quiet", "--stop", stop)
    assert cut == whole[: whole.index(stop, 3)] + "\n"
