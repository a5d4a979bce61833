"""Lesson 05: nine decoders from the block of 2017 to LLaMA's, each differing from the one before in one thing. JAX.

What is the same in all: embedding, causal attention, tied head, parameters' start, data, optimizer. Axes: see minillm/in_jax/ops.py.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.config import ModelConfig, TrainConfig
from minillm.in_jax.bloom import gelu, layernorm
from minillm.in_jax.ops import (
    IGNORE,
    attend,
    cross_entropy,
    embedding,
    linear,
    rmsnorm,
    rope,
    rotation,
    swiglu,
)
from minillm.in_jax.optimizer import clip, update

EPS = 1e-5


@dataclass(frozen=True)
class Variant:
    """The choices that separate 2017 from LLaMA. As it stands: Vaswani et al. 2017, arXiv:1706.03762, without its encoder."""

    norm_first: bool = False          # x + f(norm(x)) instead of norm(x + f(x))
    norm: str = "layer"               # or "rms"
    mlp: str = "relu"                 # or "gelu", "swiglu"
    positions: str = "sinusoids"      # or "learned", "rope"
    biases: bool = True               # beside every matrix of the layers
    grouped: bool = False             # two query heads share one key/value head


CHANGES = [("the block of 2017", {}), ("norm first", {"norm_first": True}), ("RMSNorm", {"norm": "rms"}), ("GELU", {"mlp": "gelu"}),
           ("SwiGLU", {"mlp": "swiglu"}), ("learned positions", {"positions": "learned"}), ("RoPE", {"positions": "rope"}),
           ("no biases", {"biases": False}), ("grouped heads: LLaMA", {"grouped": True})]


def chain() -> dict[str, Variant]:
    """{what changed last: the variant with all changes so far}."""
    variants, now = {}, Variant()
    for name, change in CHANGES:
        now = replace(now, **change)
        variants[name] = now
    return variants


def shape(variant: Variant, config: ModelConfig) -> dict:
    """The tree of shapes. SwiGLU's three matrices of 8/3 D weigh as much as the two of 4 D; grouping really saves."""
    D, V, T = config.hidden_size, config.vocab_size, config.max_position_embeddings
    O = config.num_attention_heads * config.head_dim
    J = O // 2 if variant.grouped else O
    gated = variant.mlp == "swiglu"
    F = round(8 * D / 3) if gated else 4 * D
    matrices = {"q": (D, O), "k": (D, J), "v": (D, J), "o": (O, D), **({"gate": (D, F)} if gated else {}), "up": (D, F), "down": (F, D)}
    norm = {"weight": (D,)} | ({"bias": (D,)} if variant.norm == "layer" else {})
    layer = {"attn_norm": norm, "mlp_norm": norm} | {f"{name}_proj": shape for name, shape in matrices.items()}
    if variant.biases:
        layer |= {f"{name}_bias": shape[1:] for name, shape in matrices.items()}
    tree = {"embed_tokens": (V, D), "layers": [layer] * config.num_hidden_layers}
    if variant.positions == "learned":
        tree["positions"] = (T, D)
    if variant.norm_first:                                   # norm last ends every block with a norm: nothing is left to do
        tree["norm"] = norm
    return tree


def init(variant: Variant, config: ModelConfig, rng: np.random.Generator):
    """As minillm.architecture.llama.init: N(0, 1/D), what writes into the stream smaller.

    With o_proj_init_gain, o_proj passes on what v_proj reads instead.
    """
    def fresh(path, shape):
        if len(shape) == 1:
            return np.full(shape, path.endswith("weight"), np.float32)
        std = config.hidden_size**-0.5
        if path.endswith(("o_proj", "down_proj")):
            std /= (2 * config.num_hidden_layers) ** 0.5
        return (std * rng.standard_normal(shape)).astype(np.float32)

    def walk(tree, path=""):
        if isinstance(tree, dict):
            return {name: walk(tree[name], f"{path}.{name}") for name in tree}
        return [walk(item, path) for item in tree] if isinstance(tree, list) else fresh(path, tree)

    params = walk(shape(variant, config))
    for layer in params["layers"] if config.o_proj_init_gain else ():
        K = layer["v_proj"].shape[1] // config.head_dim
        v_DKE = layer["v_proj"].reshape(config.hidden_size, K, config.head_dim)
        v_DO = v_DKE.repeat(config.num_attention_heads // K, axis=1).reshape(config.hidden_size, -1)
        layer["o_proj"] = np.ascontiguousarray(config.o_proj_init_gain * v_DO.T)
    return params


def count(variant: Variant, config: ModelConfig) -> int:
    def size(tree):
        return sum(map(size, tree.values() if isinstance(tree, dict) else tree)) if isinstance(tree, (dict, list)) else int(np.prod(tree))
    return size(shape(variant, config))


def normalize(norm, x_BTD, variant: Variant):
    return layernorm(x_BTD, norm["weight"], norm["bias"], EPS) if variant.norm == "layer" else rmsnorm(x_BTD, norm["weight"], EPS)


def attention(layer, x_BTD, turn, variant: Variant, config: ModelConfig):
    B, T, _ = x_BTD.shape
    H, E = config.num_attention_heads, config.head_dim
    K = H // 2 if variant.grouped else H
    q_BKGTE = linear(x_BTD, layer["q_proj"], layer.get("q_bias")).reshape(B, T, K, H // K, E).transpose(0, 2, 3, 1, 4)
    k_BKSE = linear(x_BTD, layer["k_proj"], layer.get("k_bias")).reshape(B, T, K, E).transpose(0, 2, 1, 3)
    v_BKSE = linear(x_BTD, layer["v_proj"], layer.get("v_bias")).reshape(B, T, K, E).transpose(0, 2, 1, 3)
    if variant.positions == "rope":
        q_BKGTE, k_BKSE = rope(q_BKGTE, *turn), rope(k_BKSE, *turn)
    z_BTO = attend(q_BKGTE, k_BKSE, v_BKSE, 0).transpose(0, 3, 1, 2, 4).reshape(B, T, H * E)
    return linear(z_BTO, layer["o_proj"], layer.get("o_bias"))


def mlp(layer, x_BTD, variant: Variant):
    up_BTF = linear(x_BTD, layer["up_proj"], layer.get("up_bias"))
    if variant.mlp == "swiglu":
        up_BTF = swiglu(linear(x_BTD, layer["gate_proj"], layer.get("gate_bias")), up_BTF)
    else:
        up_BTF = gelu(up_BTF) if variant.mlp == "gelu" else jnp.maximum(up_BTF, 0)
    return linear(up_BTF, layer["down_proj"], layer.get("down_bias"))


def block(layer, x_BTD, turn, variant: Variant, config: ModelConfig):
    """Norm last (2017): norm(x + f(x)). Norm first: x + f(norm(x)), and x itself is never scaled on its way through."""
    if variant.norm_first:
        x_BTD = x_BTD + attention(layer, normalize(layer["attn_norm"], x_BTD, variant), turn, variant, config)
        return x_BTD + mlp(layer, normalize(layer["mlp_norm"], x_BTD, variant), variant)
    x_BTD = normalize(layer["attn_norm"], x_BTD + attention(layer, x_BTD, turn, variant, config), variant)
    return normalize(layer["mlp_norm"], x_BTD + mlp(layer, x_BTD, variant), variant)


def sinusoids(T: int, D: int):
    """sin and cos of position / 10000^(2i/D), side by side. -> (T, D). arXiv:1706.03762, section 3.5."""
    angle = np.arange(T)[:, None] * 10000.0 ** (-np.arange(0, D, 2) / D)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(T, D).astype(np.float32)


def forward(params, tokens_BT, variant: Variant, config: ModelConfig):
    T, D = tokens_BT.shape[1], config.hidden_size
    x_BTD = embedding(tokens_BT, params["embed_tokens"])
    if variant.positions == "sinusoids":
        x_BTD = D**0.5 * x_BTD + sinusoids(T, D)             # the factor is the paper's, section 3.4
    if variant.positions == "learned":
        x_BTD = x_BTD + params["positions"][:T]
    turn = rotation(jnp.arange(T), config, T, x_BTD.dtype) if variant.positions == "rope" else None
    for layer in params["layers"]:
        x_BTD = block(layer, x_BTD, turn, variant, config)
    if variant.norm_first:
        x_BTD = normalize(params["norm"], x_BTD, variant)
    return linear(x_BTD, params["embed_tokens"].T)


def loss(params, tokens_BT, targets_BT, variant: Variant, config: ModelConfig):
    return cross_entropy(forward(params, tokens_BT, variant, config), targets_BT)


def train_steps(state, tokens_NBT, targets_NBT, variant: Variant, config: ModelConfig, train: TrainConfig):
    """N steps as one loop; the state after them, and the N losses. As minillm.in_jax.train.train_steps does it."""
    return jax.block_until_ready(_train_steps(state, tokens_NBT, targets_NBT, variant, config, train))


@partial(jax.jit, static_argnames=("variant", "config", "train"), donate_argnames="state")
def _train_steps(state, tokens_NBT, targets_NBT, variant: Variant, config: ModelConfig, train: TrainConfig):
    def step(state, batch):
        value, grads = jax.value_and_grad(loss)(state["params"], *batch, variant, config)
        params, moments = update(state["params"], clip(grads, train.max_grad_norm)[0], state["moments"], state["step"], train)
        return {"params": params, "moments": moments, "step": state["step"] + 1}, value

    return jax.lax.scan(step, state, (tokens_NBT, targets_NBT))


@partial(jax.jit, static_argnames=("variant", "config"))
def held_out_loss(params, tokens_NBT, targets_NBT, variant: Variant, config: ModelConfig):
    """Nats per token over N held-out batches; padding is not counted."""
    def nats(batch):
        return loss(params, *batch, variant, config) * jnp.sum(batch[1] != IGNORE)

    return jnp.sum(jax.lax.map(nats, (tokens_NBT, targets_NBT))) / jnp.sum(targets_NBT != IGNORE)
