"""Make the golden files of what happens inside: every activation that transformers' hooks can see, of small random models.

    make golden            # needs torch and transformers; minillm itself is not used here

Each file of activations/ is like those of variations/ (see make_variations.py): the weights, `golden.tokens`, `golden.logits`, and
`golden.tap.<name>` under minillm's names: the residual stream before, between and after attention and MLP; queries, keys and
values, the first two also after rotation; patterns (eager attention); what the heads mix; the MLP's insides. Float32, CPU.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from make_variations import BLOOM, LLAMA
from safetensors.torch import save_file
from transformers.models.llama import modeling_llama

FOLDER = Path(__file__).parent / "activations"
MODELS = {
    "llama_grouped": LLAMA | dict(num_hidden_layers=2, attention_bias=True, mlp_bias=True, head_dim=6),
    "llama_tied": LLAMA | dict(num_key_value_heads=1, tie_word_embeddings=True, rope_theta=500.0),
    "llama_own_keys": LLAMA | dict(num_key_value_heads=4, head_dim=4, hidden_size=12),
    "bloom": BLOOM | dict(n_head=2, hidden_size=12),
}


def watch(model, config: dict) -> dict:
    """A dictionary that fills when the model runs: names -> tensors, heads as their own axis after the batch."""
    seen = {}

    def keep(name, x, heads=None):
        x = x[0] if isinstance(x, tuple) else x
        seen[name] = (x if heads is None else x.unflatten(-1, (heads, -1)).transpose(1, 2)).detach().clone()

    def after(module, name, heads=None):
        module.register_forward_hook(lambda _, args, out: keep(name, out, heads))

    def before(module, name, heads=None):
        module.register_forward_pre_hook(lambda _, args, kwargs: keep(name, args[0] if args else kwargs["hidden_states"], heads),
                                         with_kwargs=True)

    if config["model_type"] == "bloom":
        inner, layers, H = model.transformer, model.transformer.h, config["n_head"]
        after(inner.word_embeddings, "embed")
        after(inner.word_embeddings_layernorm, "embed_norm")
        after(inner.ln_f, "final_norm")
        for i, layer in enumerate(layers):
            at = f"layers.{i}."
            before(layer, at + "resid_pre")
            before(layer.self_attention.dense, at + "z", H)
            after(layer.self_attention.dense, at + "attn_out")
            before(layer.post_attention_layernorm, at + "resid_mid")
            after(layer.mlp.dense_h_to_4h, at + "mlp_up")
            before(layer.mlp.dense_4h_to_h, at + "mlp_post")
            after(layer.mlp.dense_4h_to_h, at + "mlp_out")
            after(layer, at + "resid_post")
        return seen
    H, K = config["num_attention_heads"], config["num_key_value_heads"]
    after(model.model.embed_tokens, "embed")
    after(model.model.norm, "final_norm")
    for i, layer in enumerate(model.model.layers):
        at = f"layers.{i}."
        before(layer, at + "resid_pre")
        after(layer.input_layernorm, at + "attn_in")
        after(layer.self_attn.q_proj, at + "q", H)
        after(layer.self_attn.k_proj, at + "k", K)
        after(layer.self_attn.v_proj, at + "v", K)
        before(layer.self_attn.o_proj, at + "z", H)
        after(layer.self_attn.o_proj, at + "attn_out")
        before(layer.post_attention_layernorm, at + "resid_mid")
        after(layer.post_attention_layernorm, at + "mlp_in")
        after(layer.mlp.gate_proj, at + "mlp_pre")
        after(layer.mlp.up_proj, at + "mlp_up")
        before(layer.mlp.down_proj, at + "mlp_post")
        after(layer.mlp.down_proj, at + "mlp_out")
        after(layer, at + "resid_post")
    return seen


def turned(run) -> list:
    """What queries and keys are after rotation, layer by layer: the function that turns them is watched while `run` runs."""
    original, found = modeling_llama.apply_rotary_pos_emb, []

    def watched(*args, **kwargs):
        found.append(original(*args, **kwargs))
        return found[-1]

    modeling_llama.apply_rotary_pos_emb = watched
    try:
        run()
    finally:
        modeling_llama.apply_rotary_pos_emb = original
    return found


def make(name: str, config: dict, seed: int):
    """Write one golden file."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        shapes = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(folder)).state_dict()
        tied = config.get("tie_word_embeddings", config["model_type"] == "bloom")
        weights = {key: torch.tensor(0.4 * rng.standard_normal(tuple(tensor.shape)) + ("norm" in key or "ln_f" in key) * key.endswith("weight"),
                                     dtype=torch.float32) for key, tensor in shapes.items() if not (tied and key == "lm_head.weight")}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tokens, out = torch.tensor(rng.integers(0, config["vocab_size"], (2, 9)), dtype=torch.int32), {}
    seen = watch(model, config)

    def run():
        with torch.no_grad():
            out["of"] = model(tokens.long(), output_attentions=True)

    for i, (q, k) in enumerate(turned(run)):
        seen |= {f"layers.{i}.rot_q": q, f"layers.{i}.rot_k": k}
    seen |= {f"layers.{i}.pattern": pattern for i, pattern in enumerate(out["of"].attentions)}
    golden = {"golden.tokens": tokens, "golden.logits": out["of"].logits}
    golden |= {f"golden.tap.{tap}": x.detach().float().contiguous() for tap, x in seen.items()}
    noted = {"config": config, "about": name, "versions": {"torch": torch.__version__, "transformers": transformers.__version__}}
    save_file(weights | golden, FOLDER / f"{name}.safetensors", metadata={"golden": json.dumps(noted)})
    print(f"{name}: {len(seen)} activations, {(FOLDER / f'{name}.safetensors').stat().st_size:,} bytes")


if __name__ == "__main__":
    transformers.utils.logging.set_verbosity_error()
    FOLDER.mkdir(exist_ok=True)
    for seed, (name, config) in enumerate(MODELS.items()):
        make(name, config, 2000 + seed)
