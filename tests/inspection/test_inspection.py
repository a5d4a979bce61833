"""Promises: what inspection reads is what the model computes, in both twins; recording and empty edits change no bit; every
identity of the faithfulness panel holds on random models, and a check that should fail does."""

import subprocess
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

from helpers import TOLERANCE, assert_close, random_bloom, random_config, random_params
from minillm import inspection
from minillm.architecture.llama import init
from minillm.config import GenerateConfig
from minillm.errors import UserError
from minillm.inspection import dispatch, faithfulness, heads, patching
from minillm.inspection.restart import rows_at_once
from minillm.loading import Model, twin_package
from minillm.text import tokenizer

MAKES = [random_config, random_bloom]
TWINS = ["numpy", "jax"]


def random_model(seed: int, make=random_config, dtype=np.float32, **fixed) -> Model:
    rng = np.random.default_rng(seed)
    config = make(rng, **fixed)
    return Model(config, random_params(config, rng, dtype), None, "random")


def tokens_of(model, seed: int = 0, length: int = 9, batch: int = 1):
    return np.random.default_rng(100 + seed).integers(0, model.config.vocab_size, (batch, length)).astype(np.int32)


# ---- reading -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", MAKES)
def test_names_axes_and_memory_are_those_of_the_model(make, dtype):
    for seed in range(2):
        model = random_model(seed, make, dtype)
        tokens_BT, seen = tokens_of(model, seed, batch=2), {}
        twin_package("numpy").forward_of(model.config)(model.params, tokens_BT, model.config, tap=lambda name, x: seen.setdefault(name, x))
        assert inspection.tap_names(model.config) == list(seen)
        assert {name: x.shape for name, x in seen.items()} == {
            name: inspection.shape_of(name, model.config, 2, 9) for name in seen}
        assert inspection.estimate(model.config, 9, 2, bytes_per_number=np.dtype(dtype).itemsize) == sum(x.nbytes for x in seen.values())
        for which in TWINS:
            ours = inspection.record(model, tokens_BT, twin=which)
            assert list(ours) == list(seen) and all(type(x) is np.ndarray for x in ours.values())
            for name in seen:
                assert_close(ours[name], seen[name], TOLERANCE[dtype], f"{which} {name}")


@pytest.mark.parametrize("which", TWINS)
@pytest.mark.parametrize("make", MAKES)
def test_recording_changes_no_bit_and_neither_does_an_edit_with_the_recorded_value(make, which):
    for seed in range(2):
        model = random_model(seed, make, num_hidden_layers=2)
        tokens_BT = tokens_of(model, seed)
        plain = inspection.logits_of(model, tokens_BT, twin=which)
        seen = inspection.record(model, tokens_BT, twin=which)
        np.testing.assert_array_equal(seen["logits"], plain)
        for globs in (("*.pattern", "*.mlp_post"), ("*.z", "*.mlp_out"), ("layers.1.resid_pre",)):         # none hides another
            same = inspection.logits_of(model, tokens_BT, [inspection.swap(glob, seen) for glob in globs], which)
            np.testing.assert_array_equal(same, plain)
        if which == "numpy":                                                  # in JAX each would compile another program
            for name in seen:
                part = inspection.logits_of(model, tokens_BT, [inspection.swap(name, seen, positions=[-1, 2])], which)
                np.testing.assert_array_equal(part, plain)


def test_globs_choose_and_a_glob_without_match_is_refused():
    model = random_model(0, num_hidden_layers=3)
    assert list(inspection.record(model, tokens_of(model), ["layers.1.q", "*.pattern"], twin="numpy")) == [
        "layers.0.pattern", "layers.1.q", "layers.1.pattern", "layers.2.pattern"]
    with pytest.raises(UserError, match="no activation matches 'layers.3"):
        inspection.record(model, tokens_of(model), "layers.3.*")
    with pytest.raises(UserError):
        inspection.axes_of("layers.0.nothing")
    for prompt in ([], [[model.config.vocab_size]], [[-1]], np.zeros((1, 33), int)):
        with pytest.raises(UserError):
            inspection.record(model, prompt)


@pytest.mark.parametrize("make", MAKES)
def test_layer_by_layer_is_the_same_record(make, dtype):
    model = random_model(1, make, dtype)
    tokens_BT = tokens_of(model, batch=2)
    for which in TWINS:
        whole, parts = inspection.record(model, tokens_BT, twin=which), dict(inspection.record_by_layer(model, tokens_BT, twin=which))
        assert list(whole) == list(parts)
        for name in whole:
            assert_close(parts[name], whole[name], TOLERANCE[dtype], name)


def test_numpy_alone_is_enough():
    code = ("import sys; sys.modules['jax'] = sys.modules['jaxlib'] = None; sys.path.insert(0, 'tests')\n"
            "import numpy as np\nfrom minillm import inspection\nfrom minillm.config import preset\nfrom minillm.loading import Model\n"
            "from minillm.architecture.llama import init\nfrom minillm.inspection import report\n"
            "config = preset(1, vocab_size=20, context=32)\nmodel = Model(config, init(config, np.random.default_rng(0)), None, 'x')\n"
            "found = report.contents(model, [1, 2, 3, 1, 2], [1, 2, 4, 1, 2], twin='numpy')\n"
            "verdicts = {check['name']: check['verdict'] for check in found['checks']}\n"
            "assert verdicts.pop('NumPy = JAX') == 'not checked' and set(verdicts.values()) == {'holds'}, verdicts\n"
            "report.page(found)\n")
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- editing -----------------------------------------------------------------------------------------------------------------

def test_edits_are_what_a_tap_written_by_hand_does(dtype):
    model = random_model(3, dtype=dtype, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=3)
    tokens_BT, rng = tokens_of(model), np.random.default_rng(0)
    D = model.config.hidden_size
    vector, other = rng.standard_normal(D), inspection.record(model, tokens_of(model, 7), twin="numpy")
    edits = [inspection.zero("layers.0.z", heads=[3]), inspection.scale("layers.1.mlp_post", 2.5, units=[0, -1], positions=[2]),
             inspection.add("layers.0.resid_post", vector, positions=[-1, 4]), inspection.replace("layers.1.q", 0.3, heads=[5], positions=[1]),
             inspection.swap("layers.1.v", other, heads=[2])]

    def by_hand(name, x):
        x = np.array(x)
        if name == "layers.0.z":
            x[:, 1, 1] = 0                                                    # head 3 = key/value head 1, its second query
        if name == "layers.1.mlp_post":
            x[:, 2, [0, -1]] *= x.dtype.type(2.5)
        if name == "layers.0.resid_post":
            x[:, [-1, 4]] += vector.astype(x.dtype)
        if name == "layers.1.q":
            x[:, 2, 1, 1] = 0.3
        if name == "layers.1.v":
            x[:, 2] = other[name][:, 2]
        return x

    expected, _ = twin_package("numpy").forward_of(model.config)(model.params, tokens_BT, model.config, tap=by_hand)
    np.testing.assert_array_equal(inspection.logits_of(model, tokens_BT, edits, "numpy"), expected)
    assert_close(inspection.logits_of(model, tokens_BT, edits, "jax"), expected, TOLERANCE[dtype])
    assert np.max(np.abs(expected - inspection.logits_of(model, tokens_BT, (), "numpy"))) > 1e-3
    seen = inspection.record(model, tokens_BT, "layers.0.z", edits)              # the record is of what the model went on with
    assert not seen["layers.0.z"][:, 1, 1].any() and seen["layers.0.z"][:, 1, 0].all()


def test_another_place_or_value_compiles_nothing_anew():
    from minillm.inspection import compiled
    model = random_model(4, num_hidden_layers=2)
    tokens_BT, D = tokens_of(model), model.config.hidden_size
    edits = lambda t, h, x: [inspection.zero("layers.1.z", heads=[h]), inspection.add("layers.0.resid_mid", np.full(D, x), positions=[t])]
    inspection.logits_of(model, tokens_BT, edits(0, 0, 1.0))
    before = compiled.block._cache_size()
    for t in range(1, 5):
        inspection.logits_of(model, tokens_BT, edits(t, t % model.config.num_attention_heads, 0.5 * t))
    assert compiled.block._cache_size() == before
    config = model.config
    inspection.patch(model, tokens_BT, tokens_of(model, 5))
    before = compiled.block._cache_size()
    inspection.patch(model, tokens_of(model, 6), tokens_of(model, 7))
    assert compiled.block._cache_size() == before and config.num_hidden_layers == 2


@pytest.mark.parametrize("edit", [
    inspection.zero("layers.0.z", heads=[99]), inspection.zero("layers.0.attn_out", heads=[0]), inspection.zero("layers.0.z", positions=[9]),
    inspection.zero("layers.0.mlp_post", units=[-999]), inspection.add("layers.0.resid_pre", np.ones(3)), inspection.zero("nowhere"),
    inspection.swap("layers.0.z", {}), inspection.Edit("layers.0.z", "forget", 0.0)])
def test_impossible_edits_are_refused_in_one_line(edit):
    model = random_model(5, hidden_size=8)
    with pytest.raises(UserError) as error:
        inspection.logits_of(model, tokens_of(model), [edit])
    assert "\n" not in str(error.value)


# ---- what must hold --------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make, which, dtype", [(make, which, dtype) for make in MAKES for which in TWINS for dtype in (np.float32, np.float64)
                                                if (make, which, dtype) != (random_bloom, "jax", np.float64)], indirect=["dtype"])
def test_every_identity_holds_on_random_models(make, which, dtype):
    """1e-4 in float32, 1e-9 in float64: grouped heads, tied or not, biases, of both families."""
    for seed in range(3 if which == "numpy" else 1):
        model = random_model(10 + seed, make, dtype)
        checks = faithfulness.check_all(model, tokens_of(model, seed, 7), twin=which)
        assert len(checks) == 11
        for check in checks:
            rounding = {np.float32: 1e-4, np.float64: 1e-9}[dtype]
            assert check.tolerance in (rounding, 0 if which == "numpy" else rounding / 10)
            assert check.verdict == "holds" or dtype is np.float64 and check.name == "NumPy = JAX", check


def test_a_check_that_should_fail_fails():
    model = random_model(20, num_hidden_layers=2)
    tokens_BT = tokens_of(model)
    seen = inspection.record(model, tokens_BT)
    for name, broken in (("the stream adds up", "layers.0.z"), ("attribution adds up", "layers.1.mlp_out"),
                         ("attention adds up", "layers.0.pattern"), ("NumPy = JAX", "layers.1.rot_q"),
                         ("ablating nothing changes nothing", "layers.0.mlp_post"),
                         ("ablating nothing changes nothing", "layers.1.z"), ("restarting = running", "layers.1.resid_pre"),
                         ("patching everything = the clean run", "layers.1.resid_pre"), ("recording changes nothing", "logits"),
                         ("float32 = float64", "logits"), ("the lens ends at the answer", "layers.1.resid_post")):
        spoilt = {key: x.copy() for key, x in seen.items()}
        spoilt[broken].ravel()[0] += 0.3
        verdicts = {check.name: check.verdict for check in faithfulness.check_all(model, tokens_BT, seen=spoilt)}
        assert verdicts[name] == "fails", (name, broken)
    assert faithfulness.Check("", "", float("nan"), 1.0).verdict == "fails"


# ---- experiments -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("which", TWINS)
def test_the_patching_sweep_is_the_naive_sweep(make, which):
    model = random_model(30, make, num_hidden_layers=2)
    clean, corrupt = tokens_of(model, 1, 6), tokens_of(model, 2, 6)
    seen = inspection.record(model, clean, twin=which)
    for site, by in (("resid_pre", "position"), ("attn_out", "position"), ("mlp_out", "position"), ("z", "head")):
        found = inspection.patch(model, clean, corrupt, site, by, twin=which)
        assert found.exact_LN.all()
        way = found.clean - found.corrupt
        assert_close(found.corrupt + found.recovered_LN * way, found.score_LN, 1e-5)
        for (i, n), score in np.ndenumerate(found.score_LN):
            place = {"heads": [n]} if by == "head" else {"positions": [n]}
            logits = inspection.logits_of(model, corrupt, [inspection.swap(f"layers.{i}.{site}", seen, **place)], which)[0, -1]
            assert_close(score, logits[found.target.token] - logits[found.target.rival], 1e-4, f"{site} {i} {n}")


def test_a_sweep_in_small_batches_is_the_same(monkeypatch):
    model = random_model(31, num_hidden_layers=2)
    clean, corrupt = tokens_of(model, 1, 7), tokens_of(model, 2, 7)
    whole = inspection.patch(model, clean, corrupt)
    monkeypatch.setattr("minillm.inspection.restart.BATCH_BYTES", 3 * inspection.estimate(model.config, 7, 1, "layers.0.*"))
    assert rows_at_once(model.config, 7, 7) == 3
    assert_close(inspection.patch(model, clean, corrupt).score_LN, whole.score_LN, 1e-5)


def test_gradients_are_finite_differences_and_the_same_in_both_twins(float64):
    model = random_model(32, dtype=np.float64, num_hidden_layers=2)
    tokens_BT, rng = tokens_of(model, 3, 5), np.random.default_rng(0)
    target = patching.Target(4, 1, 2)
    names = tuple(f"layers.{i}.{site}" for i in range(2) for site in patching.SITES)
    by_hand, by_jax = (patching.gradients(model, tokens_BT, target, names, which) for which in TWINS)

    def score(edits):
        logits = inspection.logits_of(model, tokens_BT, edits, "numpy")[0, 4]
        return logits[1] - logits[2]

    for name in names:
        assert_close(by_jax[name], by_hand[name], 1e-9, name)
        step = 1e-6 * rng.standard_normal(by_hand[name].shape)
        slope = (score([inspection.add(name, step)]) - score([inspection.add(name, -step)])) / 2
        assert slope == pytest.approx(np.sum(by_hand[name] * step), rel=1e-5, abs=1e-13), name


def test_ranking_by_gradient_finds_what_patching_confirms():
    model = random_model(33, num_hidden_layers=3, hidden_size=16)
    clean = tokens_of(model, 4, 8)
    corrupt = clean.copy()
    corrupt[0, 3] = (corrupt[0, 3] + 1) % model.config.vocab_size
    best = patching.patch_best(model, clean, corrupt, "resid_pre", "position", None, 4)
    exact = inspection.patch(model, clean, corrupt)
    assert best.exact_LN.sum() == 4
    assert_close(best.score_LN[best.exact_LN], exact.score_LN[best.exact_LN], 1e-4)
    with pytest.raises(UserError, match="jax twin"):
        bloom = random_model(33, random_bloom)
        inspection.rank_by_gradient(bloom, tokens_of(bloom), tokens_of(bloom, 1), twin="numpy")


def test_patching_pairs_that_do_not_fit_are_refused():
    model = random_model(34)
    for arguments in ((tokens_of(model, 0, 5), tokens_of(model, 0, 6)), (tokens_of(model), tokens_of(model), "scores"),
                      (tokens_of(model), tokens_of(model), "mlp_out", "head"), (tokens_of(model), tokens_of(model), "z", "layer")):
        with pytest.raises(UserError):
            inspection.patch(model, *arguments)


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("which", TWINS)
def test_ablation_is_an_edit_and_its_effect(make, which, float64):
    model = random_model(40, make, np.float64, num_hidden_layers=2)
    tokens_BT = tokens_of(model, 0, 6)
    found, mlps = inspection.ablate_heads(model, tokens_BT, twin=which), inspection.ablate_mlps(model, tokens_BT, twin=which)
    units = [(1, 0), (1, 2), (0, 1)]
    neurons = inspection.ablate_neurons(model, tokens_BT, units, twin=which)
    assert np.isnan(found.surprise_LNT[..., -1]).all() and np.isfinite(found.control_kl_LNT).all()
    cases = [(found, (1, 0), inspection.zero("layers.1.z", heads=[0])), (mlps, (0, 0), inspection.zero("layers.0.mlp_out")),
             (neurons, (0, 1), inspection.zero("layers.1.mlp_post", units=[2])),
             (neurons, (0, 2), inspection.zero("layers.0.mlp_post", units=[1]))]
    for ablation, place, edit in cases:
        surprise_T, kl_T = inspection.effect_of(model, tokens_BT, [edit], which)
        assert_close(ablation.surprise_LNT[place][:-1], surprise_T[:-1], 1e-6)
        assert_close(ablation.kl_LNT[place], kl_T, 1e-6)


def test_a_head_that_writes_nothing_can_go_and_its_control_too():
    model = random_model(41, num_hidden_layers=2, attention_bias=False)
    E = model.config.head_dim
    model.params["layers"][0]["o_proj"][:E] = 0
    found = inspection.ablate_heads(model, tokens_of(model))
    assert np.abs(found.kl_LNT[0, 0]).max() < 1e-6 and np.abs(found.control_kl_LNT[0, 0]).max() < 1e-6
    assert np.max(found.kl_LNT) > 1e-4
    only_LH = np.zeros(found.kl_LNT.shape[:2], bool)
    only_LH[1, 0] = True
    some = inspection.ablate_heads(model, tokens_of(model), only_LH=only_LH)
    assert np.isnan(some.kl_LNT[0]).all()
    assert_close(some.kl_LNT[1, 0], found.kl_LNT[1, 0], 1e-4)



# ---- reading off -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", MAKES)
def test_lens_and_attribution_end_at_the_model(make, dtype):
    for seed in range(3 if dtype is np.float32 else 1):
        model = random_model(50 + seed, make, dtype)
        tokens_BT = tokens_of(model, seed)
        logits_TV = inspection.logits_of(model, tokens_BT)[0]
        p_TV = np.exp(logits_TV - logits_TV.max(-1, keepdims=True))
        p_TV /= p_TV.sum(-1, keepdims=True)
        lens = inspection.logit_lens(model, tokens_BT, 3)
        assert_close(lens.p_NTM[-1], -np.sort(-p_TV, -1)[:, :3], TOLERANCE[dtype])
        assert_close(lens.entropy_NT[-1], -np.sum(p_TV * np.log(p_TV), -1), TOLERANCE[dtype])
        assert_close(lens.next_NT[-1, :-1], p_TV[np.arange(8), tokens_BT[0, 1:]], TOLERANCE[dtype])
        ranks = (p_TV[:8] > p_TV[np.arange(8), tokens_BT[0, 1:]][:, None]).sum(1) + 1
        np.testing.assert_array_equal(lens.rank_NT[-1], [*ranks, 1])
        by_numpy = inspection.logit_lens(model, tokens_BT, 3, twin="numpy")
        np.testing.assert_array_equal(by_numpy.rank_NT, lens.rank_NT)
        assert lens.kl_NT.min() > -1e-6 and abs(lens.kl_NT[-1]).max() < 1e-6
        assert_close(lens.next_NT[-1, -1], p_TV[-1].max(), TOLERANCE[dtype])
        for against_mean in (False, True):
            found = inspection.attribute_logits(model, tokens_BT, against_mean=against_mean)
            assert_close(found.total_T, found.logit_T, 10 * TOLERANCE[dtype])
        chosen = np.arange(9) % model.config.vocab_size
        found = inspection.attribute_logits(model, tokens_BT, chosen)
        assert_close(found.logit_T, logits_TV[np.arange(9), chosen], TOLERANCE[dtype])


def test_scores_of_patterns_that_do_nothing_else():
    tokens_T = np.array([0, 5, 6, 7, 5, 6, 7])
    previous, duplicate, induction = np.eye(7, k=-1), np.zeros((7, 7)), np.zeros((7, 7))
    previous[0, 0] = 1
    for t in (4, 5, 6):
        duplicate[t, t - 3], induction[t, t - 2] = 1, 1
    found = heads.score_patterns(np.stack([[previous, duplicate, induction]]), tokens_T)
    np.testing.assert_allclose(found.previous_LH, [[1, 0, 0]])
    np.testing.assert_allclose(found.duplicate_LH, [[0, 1, 0]])
    np.testing.assert_allclose(found.induction_LH, [[0, 0, 1]])
    assert found.uniform["previous"] == pytest.approx(np.mean(1 / np.arange(2, 8)))
    assert found.uniform["induction"] == pytest.approx(np.mean([1 / 5, 1 / 6, 1 / 7]))
    assert np.isnan(heads.score_patterns(np.ones((1, 1, 3, 3)), np.array([1, 2, 3])).duplicate_LH).all()


@pytest.mark.parametrize("make", MAKES)
def test_neurons_are_found_where_they_are_most_active(make):
    model = random_model(60, make, num_hidden_layers=2, vocab_size=30)
    rows_BT = tokens_of(model, 0, 6, batch=5)
    active = inspection.record(model, rows_BT, "layers.1.mlp_post", twin="numpy")["layers.1.mlp_post"]
    row_NM, position_NM, activation_NM = inspection.top_tokens(model, rows_BT, [(1, 3), (1, 0)], 4, signs=[1, -1])
    for n, (unit, sign) in enumerate(((3, 1), (0, -1))):
        expected = sign * np.sort(-sign * active[..., unit], axis=None)[:4] * -1
        np.testing.assert_allclose(activation_NM[n], expected, rtol=1e-4)
        np.testing.assert_allclose(active[row_NM[n], position_NM[n], unit], expected, rtol=1e-4)
    found = inspection.top_neurons(model, rows_BT[:1], 3, by="norm")
    seen = inspection.record(model, rows_BT[:1])
    norms = np.stack([np.abs(seen[f"layers.{i}.mlp_post"][0]) * np.linalg.norm(model.params["layers"][i]["down_proj"], axis=1)
                      for i in range(2)], 1)
    np.testing.assert_allclose(found.norm_TN, -np.sort(-norms.reshape(6, -1), -1)[:, :3], rtol=1e-4)
    streams = np.stack([np.linalg.norm(seen[f"layers.{i}.resid_post"][0], axis=-1) for i in range(2)], 1)
    shares = norms / streams[..., None]
    found = inspection.top_neurons(model, rows_BT[:1], 3)
    np.testing.assert_allclose(found.score_TN, -np.sort(-shares.reshape(6, -1), -1)[:, :3], rtol=1e-4)
    found = inspection.top_neurons(model, rows_BT[:1], 3, layers=[1], by="logit")
    assert (found.layer_TN == 1).all()
    for t in range(5):                                       # an MLP that writes nothing else adds as much
        unit = found.unit_TN[t, 0]
        written_D = seen["layers.1.mlp_post"][0, t, unit] * model.params["layers"][1]["down_proj"][unit]
        only = {**seen, "layers.1.mlp_out": np.tile(written_D, (1, 6, 1))}
        one = inspection.attribute_logits(model, rows_BT[:1], seen=only)
        assert found.score_TN[t, 0] == pytest.approx(one.mlp_TL[t, 1], rel=1e-3, abs=1e-6)
    for wrong in (dict(by="size"), dict(layers=[2]), dict(layers=[])):
        with pytest.raises(UserError):
            inspection.top_neurons(model, rows_BT[:1], **wrong)


# ---- while writing -----------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("which", TWINS)
@pytest.mark.parametrize("make", MAKES)
def test_recording_a_generation_writes_the_same_and_sees_the_same(make, which):
    model = random_model(70, make, num_hidden_layers=2, vocab_size=30, eos_token_id=None)
    prompt, how = [3, 4, 5], dict(max_new_tokens=6, temperature=0.9, seed=3)
    expected = list(model.continuation(prompt, which, GenerateConfig(**how)))
    steps = list(inspection.record_generation(model, prompt, ["*.z", "*.pattern", "logits"], twin=which, **how))
    assert [token for token, _ in steps] == expected
    whole = inspection.record(model, [prompt + expected], ["*.z", "*.pattern", "logits"], twin=which)
    for at, (_, seen) in enumerate(steps):
        rows = slice(0, 3) if at == 0 else slice(2 + at, 3 + at)
        assert_close(seen["logits"][0], whole["logits"][0, rows], 1e-4)
        assert_close(seen["layers.1.z"][0], whole["layers.1.z"][0][:, :, rows], 1e-4)
        assert_close(seen["layers.1.pattern"][0], whole["layers.1.pattern"][0][:, :, rows, : rows.stop], 1e-4)


def test_steering_pushes_the_text_where_the_direction_points():
    made = tokenizer.train(["aa bb cc dd"] * 3, 262)
    rng = np.random.default_rng(0)
    config = random_config(rng, vocab_size=made.vocab_size, num_hidden_layers=2, hidden_size=16, tie_word_embeddings=False, eos_token_id=None)
    model = Model(config, init(config, rng), made, "x")
    token = 40
    direction = model.params["lm_head"][:, token]
    for which in TWINS:
        edits = [inspection.add("layers.1.resid_post", 1e3 * direction)]
        text = "".join(inspection.generate(model, "aa", edits, which, max_new_tokens=3, temperature=0))
        assert text == made.decode([token] * 3)
    difference = inspection.contrast(model, [[1, 2], [3]], [[4]], 1)
    means = [inspection.record(model, [ids], "layers.1.resid_pre")["layers.1.resid_pre"][0, -1] for ids in ([1, 2], [3], [4])]
    assert_close(difference, (means[0] + means[1]) / 2 - means[2], 1e-5)
    with pytest.raises(UserError, match="positions"):
        list(inspection.record_generation(model, [1], (), [inspection.zero("layers.0.z", positions=[0])]))


def test_what_is_not_a_number_is_said_in_words():
    model = random_model(80, num_hidden_layers=2)
    model.params["layers"][1]["up_proj"][:] = np.nan
    for which in TWINS:
        words = faithfulness.not_finite(inspection.record(model, tokens_of(model), twin=which))
        assert "layers.1.mlp_up" in words and "NaN" in words
    healthy = random_model(80, num_hidden_layers=2)
    assert faithfulness.not_finite(inspection.record(healthy, tokens_of(healthy))) == ""


def test_half_precision_weights_are_looked_into(tmp_path):
    model = random_model(81, num_hidden_layers=2)
    half = replace(model, params=jax.tree.map(lambda w: w if w.ndim < 2 else w.astype(np.float16), model.params))
    checks = faithfulness.check_all(half, tokens_of(half))
    assert {check.verdict for check in checks} == {"holds"}, [check for check in checks if check.verdict != "holds"]
    assert dispatch.matrix(half.params["embed_tokens"]).dtype == np.float32
