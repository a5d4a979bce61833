"""Promise: texts of any lengths can be looked at together; each gives what it gives alone."""

import numpy as np
import pytest

from helpers import assert_close, random_bloom, random_config, random_params
from minillm import inspection
from minillm.config import IGNORE
from minillm.errors import UserError
from minillm.inspection import attribution, compare, heads
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


def test_no_function_takes_the_first_of_several_texts_in_silence(model):
    """Every public function of one text gives a list, or refuses."""
    texts, twin = texts_of(model, (6, 4)), {"twin": "numpy"}
    others = [np.roll(text, 1) for text in texts]
    of_one = {
        "ablate_heads": lambda t: inspection.ablate_heads(model, t, **twin),
        "ablate_mlps": lambda t: inspection.ablate_mlps(model, t, **twin),
        "ablate_neurons": lambda t: inspection.ablate_neurons(model, t, [(0, 1)], **twin),
        "attribute_logits": lambda t: inspection.attribute_logits(model, t, **twin),
        "effect_of": lambda t: inspection.effect_of(
            model, t, [inspection.zero("layers.0.z")], **twin
        ),
        "head_scores": lambda t: inspection.head_scores(model, t, **twin),
        "logit_lens": lambda t: inspection.logit_lens(model, t, **twin),
        "top_neurons": lambda t: inspection.top_neurons(model, t, **twin),
    }
    for name, function in of_one.items():
        many, alone = function(texts), [function(text) for text in texts]
        assert isinstance(many, list) and len(many) == 2, name
        for ours, theirs in zip(many, alone):
            ours, theirs = (
                each if isinstance(each, tuple) else tuple(vars(each).values())
                for each in (ours, theirs)
            )
            for x, y in zip(ours, theirs, strict=True):
                if isinstance(x, np.ndarray) and x.dtype.kind == "f":
                    np.testing.assert_array_equal(np.isnan(x), np.isnan(y), name)
                    assert_close(np.nan_to_num(x), np.nan_to_num(y), 1e-6, name)
    for site, by in (
        ("q" if model.config.model_type == "llama" else "k", "head"),
        ("z", "head and position"),
    ):
        targets = [inspection.Target(-1, 1, 2), inspection.Target(-1, 3, None)]
        many = inspection.patch(model, texts, others, site, by, targets, **twin)
        for i in range(2):
            alone = inspection.patch(model, texts[i], others[i], site, by, targets[i], **twin)
            assert_close(many[i].score_LN, alone.score_LN, 1e-6)
    seen = inspection.record(model, texts, **twin)
    for refused in (
        lambda: inspection.check_all(model, texts, **twin),
        lambda: compare.compare(model, model, texts, **twin),
        lambda: next(inspection.record_generation(model, texts, **twin)),
        lambda: heads.patterns(seen, model.config),
        lambda: attribution.head_outputs(model, seen, 0),
        lambda: inspection.logit_lens(model, texts[0], seen=seen, **twin),
        lambda: inspection.attribute_logits(model, texts, np.ones(6, int), **twin),
        lambda: inspection.patch(model, texts, others, target=[targets[0]], **twin),
    ):
        with pytest.raises(UserError):
            refused()
    chosen = [np.arange(len(text)) for text in texts]
    both = inspection.attribute_logits(model, texts, chosen, **twin)
    assert_close(
        both[1].logit_T,
        inspection.attribute_logits(model, texts[1], chosen[1], **twin).logit_T,
        1e-6,
    )
    direction, means = inspection.contrast(model, [texts], [texts[:1]], 1, **twin), []
    for some in (texts, texts[:1]):
        means.append(
            np.mean(
                [
                    inspection.record(model, text, "layers.1.resid_pre", **twin)[
                        "layers.1.resid_pre"
                    ][0, -1]
                    for text in some
                ],
                0,
            )
        )
    assert_close(direction, means[0] - means[1], 1e-6)
