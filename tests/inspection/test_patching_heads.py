"""Promise: q, k, v, patterns and z are patched by head, by position and by both, as an edit by hand
does it, and as hooks on transformers' modules do."""

import numpy as np
import pytest

from helpers import assert_close, random_bloom, random_config, random_params, random_relative
from minillm import inspection
from minillm.architecture.qwen3 import Qwen3Config
from minillm.errors import UserError
from minillm.formats import checkpoint
from minillm.inspection import patching
from minillm.loading import Model

WITH_HEADS = ("q", "k", "v", "pattern", "z")


def qwen3(rng, **fixed):
    return random_relative(Qwen3Config, rng, **fixed)


def subject(make=random_config, seed=0, dtype=np.float64, **fixed):
    rng = np.random.default_rng(seed)
    grouped = {} if make is random_bloom else {"num_attention_heads": 6, "num_key_value_heads": 3}
    config = make(rng, num_hidden_layers=2, **grouped | fixed)
    model = Model(config, random_params(config, rng, dtype), None, "random")
    tokens = rng.permutation(config.vocab_size)[:10].reshape(2, 1, 5)
    return model, *tokens


def by_hand(model, clean, corrupt, site, layer, head, position, target):
    """The score of a whole run with one part replaced; heads of k and v are key/value heads."""
    seen = inspection.record(model, clean, f"*.{site}", twin="numpy")
    edit = inspection.swap(
        f"layers.{layer}.{site}",
        seen,
        heads=None if head is None else [head],
        positions=None if position is None else [position],
    )
    logits_V = inspection.logits_of(model, corrupt, [edit], "numpy")[0, -1]
    return logits_V[target.token] - logits_V[target.rival]


@pytest.mark.parametrize(
    "make, twin",
    [(random_config, "numpy"), (random_config, "jax"), (random_bloom, "numpy"), (qwen3, "numpy")],
)
def test_every_part_is_patched_as_an_edit_of_a_whole_run(make, twin, float64):
    model, clean, corrupt = subject(make)
    target = patching.Target(-1, 3, 5)
    for site in WITH_HEADS if twin == "numpy" else ("k", "q"):
        for by in ("head", "position", "head and position"):
            found = inspection.patch(model, clean, corrupt, site, by, target, twin=twin)
            for place in range(found.score_LN.shape[1]):
                head = None if by == "position" else place if by == "head" else place // 5
                position = None if by == "head" else place % 5
                expected = by_hand(model, clean, corrupt, site, 1, head, position, target)
                assert found.score_LN[1, place] == pytest.approx(expected, abs=1e-9), (site, by)
            if by == "head and position":
                H = found.parts[0] * (found.parts[1] if len(found.parts) == 3 else 1)
                assert found.recovered_LHT.shape == (2, H, 5)
                assert_close(found.recovered_LHT[1, H - 1, 2], found.recovered_LN[1, 5 * H - 3], 0)


def test_the_parts_of_keys_are_key_value_heads():
    model, clean, corrupt = subject(dtype=np.float32)
    heads = {
        site: inspection.patch(model, clean, corrupt, site, "head", twin="numpy").parts
        for site in WITH_HEADS
    }
    assert heads == {"q": (3, 2), "k": (3,), "v": (3,), "pattern": (3, 2), "z": (3, 2)}


def test_an_estimate_is_a_sum_over_what_is_patched_and_meets_the_exact_patch(float64):
    """An estimate is linear: heads are sums over their positions; and for a tiny difference between
    the runs it is the exact patch."""
    model, clean, corrupt = subject()
    target = patching.Target(4, 3, 5)
    for site in WITH_HEADS:
        both, head, position = (
            inspection.rank_by_gradient(model, clean, corrupt, site, by, target, "numpy")
            for by in ("head and position", "head", "position")
        )
        estimate_LHT = (both.score_LN - both.corrupt).reshape(2, -1, 5)
        assert_close(estimate_LHT.sum(2), head.score_LN - head.corrupt, 1e-9, site)
        assert_close(estimate_LHT.sum(1), position.score_LN - position.corrupt, 1e-9, site)
    near = model.params["embed_tokens"].copy()
    near[corrupt[0]] = near[clean[0]] + 1e-6 * near[corrupt[0]]
    near = Model(model.config, model.params | {"embed_tokens": near}, None, "near")
    for site in WITH_HEADS:  # no token of one text is in the other
        estimate, exact = (
            function(near, clean, corrupt, site, "head", target, twin="numpy")
            for function in (inspection.rank_by_gradient, inspection.patch)
        )
        assert_close(
            1e6 * (estimate.score_LN - estimate.corrupt),
            1e6 * (exact.score_LN - exact.corrupt),
            1e-3,
            site,
        )


def test_parts_that_are_not_there_are_refused():
    model, clean, corrupt = subject(dtype=np.float32)
    for site, by, said in (
        ("mlp_out", "head", "choose position"),
        ("q", "layer", "head and position"),
        ("scores", "head", "cannot be patched"),
    ):
        with pytest.raises(UserError, match=said):
            inspection.patch(model, clean, corrupt, site, by, twin="numpy")


def test_transformers_says_the_same(tmp_path):
    """q, k, v and z of one head at one position, by hooks on the projections of a tiny LLaMA."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    model, clean, corrupt = subject(
        dtype=np.float32,
        attention_bias=False,
        mlp_bias=False,
        bos_token_id=None,
        eos_token_id=None,
        hidden_size=12,
    )
    checkpoint.save_model(tmp_path / "m", model.config, model.params, None)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "m").double().eval()
    E, target, layer = model.config.head_dim, patching.Target(-1, 3, 5), 1
    attention = theirs.model.layers[layer].self_attn
    modules = {"q": attention.q_proj, "k": attention.k_proj, "v": attention.v_proj}

    def run(tokens, hook=None):
        with torch.no_grad():
            return theirs(torch.tensor(tokens)).logits[0, -1]

    for site in ("q", "k", "v", "z"):
        found = inspection.patch(
            model, clean, corrupt, site, "head and position", target, twin="numpy"
        )
        kept = {}
        if site == "z":
            handle = attention.o_proj.register_forward_pre_hook(
                lambda _, inputs: kept.update(x=inputs[0].clone())
            )
        else:
            handle = modules[site].register_forward_hook(
                lambda _, inputs, out: kept.update(x=out.clone())
            )
        run(clean)
        handle.remove()
        H = found.recovered_LHT.shape[1]
        for head, position in ((0, 0), (H - 1, 4), (1, 2)):
            where = (0, position, slice(head * E, (head + 1) * E))

            def changed(x):
                x = x.clone()
                x[where] = kept["x"][where]
                return x

            if site == "z":
                handle = attention.o_proj.register_forward_pre_hook(
                    lambda _, inputs: (changed(inputs[0]),)
                )
            else:
                handle = modules[site].register_forward_hook(lambda _, inputs, out: changed(out))
            logits_V = run(corrupt)
            handle.remove()
            score = float(logits_V[target.token] - logits_V[target.rival])
            assert found.score_LN[layer, head * 5 + position] == pytest.approx(score, abs=1e-4)
