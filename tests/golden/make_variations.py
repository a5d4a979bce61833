"""Make the golden files of all variations of a Hugging Face LLaMA, of its relatives and BLOOM: what
loading must get right.

    make golden            # needs torch and transformers; minillm itself is not used here
    python tests/golden/make_variations.py qwen3          # those of one family alone

Each file of variations/ holds the weights under Hugging Face's names in their own number kind, and
beside them `golden.tokens` (B, T), `golden.logits` (B, T, V) and, for some, `golden.tap.<name>`:
what its modules gave on the way, under minillm's names. Its metadata has one entry, "golden": JSON
with `config` (the config.json of that case, as a user may find it), `about` (one line) and the
versions that were used. Logits are computed in float32 from the weights as they are stored, by
opening the very folder that a user would have: config.json and model.safetensors.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "variations"
KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}

LLAMA = dict(model_type="llama", vocab_size=23, hidden_size=16, intermediate_size=20,
             num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
             max_position_embeddings=64, rms_norm_eps=1e-5, hidden_act="silu", rope_theta=10000.0,
             attention_bias=False, mlp_bias=False, tie_word_embeddings=False, bos_token_id=1,
             eos_token_id=2)
BLOOM = dict(model_type="bloom", vocab_size=23, hidden_size=16, n_layer=2, n_head=4,
             layer_norm_epsilon=1e-5, bos_token_id=1, eos_token_id=2)
ABSENT = object()
LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
YARN = dict(factor=4.0, original_max_position_embeddings=8)


def new(kind: str, theta: float = 500.0, **fields) -> dict:
    """rope_parameters as transformers 5 writes them, and no rope_theta beside."""
    return dict(rope_theta=ABSENT,
                rope_parameters={"rope_type": kind, "rope_theta": theta, **fields})


def old(kind: str, key: str = "rope_type", theta: float = 500.0, **fields) -> dict:
    """rope_scaling as older configs have it."""
    return dict(rope_theta=theta, rope_scaling={key: kind, **fields})


# name -> (what is special, changes to LLAMA, options: T, kind, taps)
LLAMAS = {
    "plain": ("two queries a key, head_dim given", {}, dict(taps=True)),
    "heads_own_keys": ("a key/value head for each query head", dict(num_key_value_heads=4), {}),
    "heads_absent": ("num_key_value_heads absent: as many as heads",
                     dict(num_key_value_heads=ABSENT), {}),
    "heads_null": ("num_key_value_heads null", dict(num_key_value_heads=None), {}),
    "heads_one": ("one key/value head for all", dict(num_key_value_heads=1), dict(taps=True)),
    "head_dim_absent": ("head_dim absent: hidden / heads", dict(head_dim=ABSENT), {}),
    "head_dim_null": ("head_dim null", dict(head_dim=None), {}),
    "head_dim_wide": ("head_dim above hidden / heads", dict(head_dim=10), {}),
    "theta_absent": ("rope_theta absent: 10000", dict(rope_theta=ABSENT), {}),
    "theta_large": ("rope_theta 500000", dict(rope_theta=500000.0), {}),
    "theta_whole": ("rope_theta as a whole number", dict(rope_theta=100), {}),
    "rope_null": ("rope_scaling null", dict(rope_scaling=None, rope_theta=300.0), {}),
    "rope_new_default": ("rope_parameters, default", new("default"), {}),
    "rope_old_default": ("rope_scaling, default", old("default"), {}),
    "rope_both": ("rope_parameters and another rope_theta beside it",
                  new("default", 77.0) | dict(rope_theta=300.0), {}), "linear_old": (
        "rope_scaling linear, by `type`", old("linear", "type", factor=4.0), dict(taps=True)),
    "linear_old_rope_type": ("rope_scaling linear, by `rope_type`", old("linear", factor=2.5), {}),
    "linear_new": ("rope_parameters linear", new("linear", factor=4.0), {}), "dynamic_short": (
        "dynamic, text within the context", old("dynamic", "type", factor=2.0), dict(T=20)),
    "dynamic_long": ("dynamic, text beyond the context",
                     old("dynamic", factor=3.0) | dict(max_position_embeddings=12), {}),
    "dynamic_new_long": ("dynamic, new layout, beyond",
                         new("dynamic", factor=2.0) | dict(max_position_embeddings=16), {}),
    "llama3_old": ("llama3", old("llama3", **LLAMA3) | dict(head_dim=16), dict(taps=True)),
    "llama3_new": ("llama3, new layout", new("llama3", **LLAMA3) | dict(head_dim=16), {}),
    "llama3_tied": ("llama3, tied, as Llama 3.2",
                    old("llama3", theta=500000.0, **LLAMA3 | dict(factor=32.0))
                    | dict(tie_word_embeddings=True, head_dim=16), {}),
    "yarn_old": ("yarn", old("yarn", **YARN) | dict(head_dim=16), dict(taps=True)),
    "yarn_type": ("yarn, by `type`", old("yarn", "type", **YARN) | dict(head_dim=16), {}),
    "yarn_new": ("yarn, new layout", new("yarn", **YARN) | dict(head_dim=16), {}),
    "yarn_no_original": ("yarn without original_max_position_embeddings",
                         new("yarn", factor=4.0) | dict(head_dim=16), {}),
    "yarn_attention_factor": ("yarn, attention_factor given",
                              new("yarn", **YARN, attention_factor=1.3) | dict(head_dim=16), {}),
    "yarn_betas": ("yarn, beta_fast and beta_slow given",
                   new("yarn", **YARN, beta_fast=4.0, beta_slow=0.5) | dict(head_dim=16), {}),
    "yarn_mscale": ("yarn, mscale and mscale_all_dim",
                    new("yarn", **YARN, mscale=1.0, mscale_all_dim=0.7) | dict(head_dim=16), {}),
    "yarn_exact": ("yarn, truncate false", new("yarn", **YARN, truncate=False) | dict(head_dim=16),
                   {}), "tied": ("tied", dict(tie_word_embeddings=True), {}),
    "tied_absent": ("tie_word_embeddings absent: not tied", dict(tie_word_embeddings=ABSENT), {}),
    "attention_bias": ("attention_bias", dict(attention_bias=True), dict(taps=True)),
    "mlp_bias": ("mlp_bias", dict(mlp_bias=True), {}),
    "both_biases": ("both biases, tied", dict(attention_bias=True, mlp_bias=True,
                                              tie_word_embeddings=True), dict(taps=True)),
    "eps_absent": ("rms_norm_eps absent: 1e-6", dict(rms_norm_eps=ABSENT), {}),
    "eps_large": ("rms_norm_eps 0.01", dict(rms_norm_eps=0.01), {}),
    "eos_list": ("several eos_token_id", dict(eos_token_id=[2, 5, 7]), {}), "eos_null": (
        "eos_token_id and bos_token_id null", dict(eos_token_id=None, bos_token_id=None), {}),
    "fields_absent": ("everything that may be left out", dict.fromkeys(
                          ("rms_norm_eps", "hidden_act", "rope_theta", "attention_bias", "mlp_bias",
                           "bos_token_id", "eos_token_id", "head_dim", "num_key_value_heads",
                           "tie_word_embeddings", "max_position_embeddings"), ABSENT), {}),
    "half": ("float16 weights", {}, dict(kind="F16")),
    "half_tied": ("float16 weights, tied", dict(tie_word_embeddings=True), dict(kind="F16")),
    "brain": ("bfloat16 weights", {}, dict(kind="BF16")),
    "brain_llama3": ("bfloat16 weights, llama3, tied", old("llama3", **LLAMA3)
                     | dict(head_dim=16, tie_word_embeddings=True), dict(kind="BF16"))}
BLOOMS = {"heads_1": ("one head", dict(n_head=1, hidden_size=8), {}),
          "heads_2": ("two heads", dict(n_head=2, hidden_size=12), dict(taps=True)),
          "heads_3": ("three heads: no power of two", dict(n_head=3, hidden_size=12),
                      dict(taps=True)), "heads_4": ("four heads", {}, {}),
          "heads_5": ("five heads", dict(n_head=5, hidden_size=20), {}),
          "heads_6": ("six heads", dict(n_head=6, hidden_size=24, n_layer=1), dict(taps=True)),
          "heads_8": ("eight heads", dict(n_head=8, n_layer=3), {}),
          "no_prefix": ("keys without the `transformer.` prefix", {}, dict(prefix=False)),
          "other_names": ("n_embed, num_hidden_layers, num_attention_heads",
                          dict(hidden_size=ABSENT, n_embed=12, n_layer=ABSENT, num_hidden_layers=2,
                               n_head=ABSENT, num_attention_heads=3), {}),
          "eps": ("another layer_norm_epsilon, several eos_token_id",
                  dict(layer_norm_epsilon=1e-2, eos_token_id=[2, 3]), {}),
          "untied": ("not tied", dict(tie_word_embeddings=False), {}),
          "brain": ("bfloat16 weights", {}, dict(kind="BF16"))}


MISTRALS = {"plain": ("sliding_window null", dict(sliding_window=None), {}),
            "wide_window": ("a window as wide as the context", dict(sliding_window=64), {}),
            "fields_absent": ("heads and head_dim absent, window and context those of old Mistrals",
                              dict(num_attention_heads=8, num_key_value_heads=ABSENT,
                                   head_dim=ABSENT, max_position_embeddings=4096), {})}
QWEN2S = {"plain": ("biases of q, k, v; the window switched off",
                    dict(use_sliding_window=False, sliding_window=32, max_window_layers=1),
                    dict(taps=True)), "tied": ("tied, theta 1000000, use_sliding_window absent",
                                               dict(tie_word_embeddings=True, rope_theta=1000000.0,
                                                    sliding_window=8, head_dim=ABSENT), {}),
          "full_layers": ("layer_types all full, bos null, bfloat16",
                          dict(layer_types=["full_attention"] * 2, bos_token_id=None),
                          dict(kind="BF16"))}
QWEN3S = {"plain": ("queries and keys are normalized",
                    dict(use_sliding_window=False, sliding_window=None), dict(taps=True)),
          "biases": ("attention_bias, one key/value head",
                     dict(attention_bias=True, num_key_value_heads=1), {}),
          "tied": ("tied, head_dim absent: 128", dict(tie_word_embeddings=True, head_dim=ABSENT),
                   {}), "eps": ("rms_norm_eps 0.01, yarn",
                                new("yarn", **YARN) | dict(rms_norm_eps=0.01, head_dim=16), {})}
SMOLLM3S = {"plain": ("each second layer has no rotary positions, use_sliding_window false",
                      dict(num_hidden_layers=4, no_rope_layer_interval=2,
                           use_sliding_window=False), dict(taps=True)),
            "list": ("no_rope_layers goes before the interval and may be longer",
                     dict(no_rope_layers=[0, 1, 0], no_rope_layer_interval=1), dict(taps=True)),
            "fields_absent": ("rope_theta, interval and head_dim absent, tied",
                              dict(num_hidden_layers=4, rope_theta=ABSENT, head_dim=ABSENT,
                                   tie_word_embeddings=True), {}),
            "biases": ("attention_bias, yarn", new("yarn", **YARN)
                       | dict(attention_bias=True, head_dim=16, num_hidden_layers=4), {})}
FAMILIES = {"llama": (LLAMA, LLAMAS), "bloom": (BLOOM, BLOOMS),
            **{name: (LLAMA | dict(model_type=name, pad_token_id=None), cases)
               for name, cases in (("mistral", MISTRALS), ("qwen2", QWEN2S), ("qwen3", QWEN3S),
                                   ("smollm3", SMOLLM3S))}}


def make(name: str, base: dict, about: str, changes: dict, seed: int, T: int = 0, kind: str = "F32",
         taps: bool = False, prefix: bool = True):
    """Write one golden file."""
    config = {key: value for key, value in (base | changes).items() if value is not ABSENT}
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        shapes = transformers.AutoModelForCausalLM.from_config(
            transformers.AutoConfig.from_pretrained(folder)).state_dict()
        tied = config.get("tie_word_embeddings", config["model_type"] == "bloom")
        weights = {}
        for key, tensor in shapes.items():
            if not (tied and key == "lm_head.weight"):
                weights[key] = torch.tensor(0.4 * rng.standard_normal(tuple(tensor.shape))
                                            + ("norm" in key or "ln_f" in key) * key.endswith(
                                                "weight"), dtype=torch.float32).to(KINDS[kind])
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        assert not any(info.values()), (name, info)
    T = T or (10 if taps else 24)                                 # what is watched is large
    tokens = torch.tensor(rng.integers(0, config["vocab_size"], (2, T)), dtype=torch.int32)
    seen = watch(model) if taps else {}
    with torch.no_grad():
        out = model.eval()(tokens.long(), output_attentions=True)
    golden = {"golden.tokens": tokens, "golden.logits": out.logits}
    if taps:
        seen |= {f"layers.{i}.pattern": pattern for i, pattern in enumerate(out.attentions)}
    golden |= {f"golden.tap.{tap}": x.detach().float().contiguous() for tap, x in seen.items()}
    if not prefix:
        weights = {key.removeprefix("transformer."): value for key, value in weights.items()}
    noted = {"config": config, "about": about,
             "versions": {"torch": torch.__version__, "transformers": transformers.__version__}}
    save_file(weights | golden, FOLDER / f"{name}.safetensors",
              metadata={"golden": json.dumps(noted)})


def watch(model) -> dict:
    """A dictionary that the model's modules fill when it runs, under minillm's names."""
    seen = {}

    def after(module, name):
        module.register_forward_hook(lambda _, args, out: seen.__setitem__(
                                         name, (out[0] if isinstance(out, tuple) else out).clone()))

    def before(module, name):
        module.register_forward_pre_hook(lambda _, args: seen.__setitem__(name, args[0].clone()))

    if model.config.model_type == "bloom":
        inner, layers = model.transformer, model.transformer.h
        after(inner.word_embeddings, "embed")
        after(inner.word_embeddings_layernorm, "embed_norm")
        after(inner.ln_f, "final_norm")
    else:
        inner, layers = model.model, model.model.layers
        after(inner.embed_tokens, "embed")
        after(inner.norm, "final_norm")
    for i, layer in enumerate(layers):
        after(layer.input_layernorm, f"layers.{i}.attn_in")
        after(layer.self_attention.dense if model.config.model_type == "bloom" else layer.self_attn,
              f"layers.{i}.attn_out")
        before(layer.post_attention_layernorm, f"layers.{i}.resid_mid")
        after(layer.post_attention_layernorm, f"layers.{i}.mlp_in")
        after(layer.mlp.dense_4h_to_h if model.config.model_type == "bloom" else layer.mlp,
              f"layers.{i}.mlp_out")
        after(layer, f"layers.{i}.resid_post")
    return seen


if __name__ == "__main__":
    transformers.utils.logging.set_verbosity_error()
    FOLDER.mkdir(exist_ok=True)
    for prefix in sys.argv[1:] or FAMILIES:
        base, cases = FAMILIES[prefix]
        for i, (case, (about, changes, options)) in enumerate(cases.items()):
            make(f"{prefix}_{case}", base, about, changes, seed=1000 + i, **options)
            print(f"{prefix}_{case}: {about}")
