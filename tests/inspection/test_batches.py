"""Promise: texts of any lengths can be looked at together; each gives what it gives alone."""

import numpy as np
import pytest

from helpers import assert_close, random_bloom, random_config, random_params
from minillm import inspection
from minillm.config import IGNORE
from minillm.errors import UserError
from minillm.inspection.dispatch import row_of
from minillm.loading import Model
from minillm.text import tokenizer
from minillm.text.lengths import padded_length, trimmed

TWINS = ["numpy", "jax"]


@pytest.fixture(scope="module", params=[random_config, random_bloom])
def model(request):
    rng = np.random.default_rng(3)
    config = request.param(rng, num_hidden_layers=2, max_position_embeddings=64)
    return Model(config, random_params(config, rng), None, "random")


def texts_of(model, lengths=(9, 5, 9)):
    rng = np.random.default_rng(4)
    return [rng.integers(0, model.config.vocab_size, length).astype(np.int32) for length in lengths]


@pytest.mark.parametrize("twin", TWINS)
def test_a_batch_of_unequal_texts_is_each_text_alone(model, twin):
    texts = texts_of(model)
    edits = [
        inspection.zero("layers.0.z", positions=[-1]),
        inspection.scale("layers.1.mlp_post", 0.5, units=[0]),
    ]
    seen, logits = (
        inspection.record(model, texts, twin=twin),
        inspection.logits_of(model, texts, edits, twin),
    )
    assert np.isnan(logits[1, 5:]).all() and np.isnan(seen["layers.1.pattern"][1, ..., 5:]).all()
    for row, text in enumerate(texts):
        alone = inspection.record(model, text, twin=twin)
        for name, x in row_of(seen, row, len(text)).items():
            assert_close(x, alone[name], 1e-6, name)
        assert_close(
            logits[row : row + 1, : len(text)], inspection.logits_of(model, text, edits, twin), 1e-6
        )


@pytest.mark.parametrize("twin", TWINS)
def test_functions_of_one_text_give_a_list_for_several(model, twin):
    texts, others = texts_of(model), texts_of(model, (9, 5, 9))[::-1][:3]
    others = [np.roll(text, 1) for text in texts]
    for many, one in (
        (
            inspection.logit_lens(model, texts, twin=twin),
            lambda i: inspection.logit_lens(model, texts[i], twin=twin),
        ),
        (
            inspection.attribute_logits(model, texts, twin=twin),
            lambda i: inspection.attribute_logits(model, texts[i], twin=twin),
        ),
        (
            inspection.patch(model, texts, others, twin=twin),
            lambda i: inspection.patch(model, texts[i], others[i], twin=twin),
        ),
    ):
        assert len(many) == 3
        for i in (0, 1):
            for ours, theirs in zip(vars(many[i]).values(), vars(one(i)).values(), strict=True):
                if isinstance(ours, np.ndarray):
                    assert_close(ours, theirs, 1e-6)


def test_places_may_differ_from_text_to_text(model):
    texts = texts_of(model)
    together = inspection.logits_of(
        model, texts, [inspection.zero("layers.0.attn_out", positions=[[1], [2, -1], []])], "numpy"
    )
    for row, places in enumerate(([1], [2, -1], [])):
        alone = inspection.logits_of(
            model, texts[row], [inspection.zero("layers.0.attn_out", positions=places)], "numpy"
        )
        assert_close(together[row : row + 1, : len(texts[row])], alone, 1e-6)
    with pytest.raises(UserError, match="2 texts of 3"):
        inspection.logits_of(
            model, texts, [inspection.zero("layers.0.attn_out", positions=[[1], [2]])], "numpy"
        )


def test_a_pair_measures_the_lead_of_one_token_over_another(model):
    (text, _, other) = texts_of(model)
    wanted = inspection.target(model, 3, 1)
    found = inspection.patch(model, text, other, target=wanted, twin="numpy")
    logits_V = inspection.logits_of(model, text, twin="numpy")[0, -1]
    assert found.clean == pytest.approx(logits_V[3] - logits_V[1], abs=1e-6)
    parts = inspection.attribute_logits(
        model, text, np.full(9, 3), rival_T=np.full(9, 1), twin="numpy"
    )
    assert parts.total_T[-1] == pytest.approx(found.clean, abs=1e-5)


def test_tokens_are_named_by_their_text_and_unequal_prompts_are_shown():
    made = tokenizer.train(["a fox found three apples. The fox gave two apples away. " * 3], 290)
    rng = np.random.default_rng(0)
    config = random_config(
        rng,
        vocab_size=made.vocab_size,
        max_position_embeddings=64,
        bos_token_id=None,
        eos_token_id=None,
    )
    named = Model(config, random_params(config, rng), made, "random")
    (fox,) = made.encode(" fox")
    assert inspection.target(named, " fox", 7) == inspection.Target(-1, fox, 7)
    with pytest.raises(UserError, match=r"' zebra' is \d+ tokens"):
        inspection.target(named, " zebra")
    with pytest.raises(UserError, match="equally long.*fox.*z . e . b . r . a"):
        inspection.patch(named, "a fox", "a zebra", twin="numpy")


def test_few_lengths_and_no_more_columns_than_are_used():
    lengths = [padded_length(n, 10**6) for n in range(1, 2000)]
    assert (
        all(n <= padded <= max(8, 1.25 * n) for n, padded in enumerate(lengths, 1))
        and len(set(lengths)) == 33
    )
    assert (
        padded_length(700, 600) == 700
        and padded_length(500, 600) == 512
        and padded_length(550, 600) == 600
    )
    tokens, targets = np.arange(60).reshape(2, 30), np.full((2, 30), IGNORE)
    targets[1, :9] = 1
    assert trimmed(tokens, targets)[0].shape == (2, 10)
