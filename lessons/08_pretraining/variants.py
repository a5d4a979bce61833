"""Lesson 08: one recipe, and what happens when one of its choices is made otherwise. JAX.

What minillm has as a setting is changed as a setting. What it has not (QK-norm, z-loss, document masking) is put into its forward
pass from outside, through the taps with which lesson 15 looks inside.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from minillm.architecture.llama import init
from minillm.config import ModelConfig, TrainConfig
from minillm.in_jax import forward
from minillm.in_jax.ops import IGNORE, cross_entropy, no_tap, rmsnorm
from minillm.in_jax.train import take_step

STEPS, BATCH, CONTEXT, WARMUP = 600, 4, 176, 20              # minillm demo's recipe, but for half the rows and fewer tokens


@dataclass(frozen=True)
class Recipe:
    """All that one run may do otherwise. As it stands it is minillm's recipe."""

    train: TrainConfig = TrainConfig(steps=STEPS, batch_size=BATCH, context=CONTEXT, warmup_steps=WARMUP)
    start: str = "minillm"            # how what writes into the stream starts: "minillm", "gpt2", "loud" or "zero", see `begin`
    tied: bool = True                 # the head is the embedding, transposed
    rows: str = "documents"           # where rows of training begin: at documents, or "anywhere"
    mask: bool = False                # no token sees the document before its own
    qk_norm: bool = False             # queries and keys are brought to a mean square of 1 before they are turned
    z_loss: float = 0.0               # times the mean square of ln(sum of exp(logits)), added to the loss


def train(**settings) -> dict:
    return {"train": replace(Recipe().train, **settings)}


# (name, choice, what minillm does, what is done instead, how the recipe changes). Every one changes one thing.
CHOICES = [
    ("adamw_twice", "optimizer", "Muon for matrices", "AdamW at twice the rate", train(optimizer="adamw", learning_rate=12e-3)),
    ("rate_twice", "peak rate", "0.006, Muon 0.02", "twice", train(learning_rate=12e-3, muon_learning_rate=0.04)),
    ("batch_twice", "batch", "4 rows", "8 rows, half the steps", train(batch_size=2 * BATCH, steps=STEPS // 2, warmup_steps=WARMUP // 2)),
    ("gpt2", "residual projections", "o_proj passes on what v_proj reads", "o_proj random, small (GPT-2)", {"start": "gpt2"}),
    ("no_decay", "decay of the rate", "cosine to 0", "none", train(final_learning_rate=1.0)),
    ("no_warmup", "warm-up", f"{WARMUP} steps", "none", train(warmup_steps=0)),
    ("untied", "head", "tied to the embedding", "its own matrix", {"tied": False}),
    ("masked", "document masking", "none", "no earlier story seen", {"mask": True}),
    ("qk_norm", "QK-norm", "none", "with", {"qk_norm": True}),
    ("z_loss", "z-loss", "none", "1e-4", {"z_loss": 1e-4}),
    ("no_clip", "clipping", "gradient of length 1", "none", train(max_grad_norm=1e9)),
    ("beta2", "beta2", "0.99", "0.95", train(beta2=0.95)),
    ("adamw", "optimizer", "Muon for matrices", "AdamW for all", train(optimizer="adamw")),
    ("rate_half", "peak rate", "0.006, Muon 0.02", "half", train(learning_rate=3e-3, muon_learning_rate=0.01)),
    ("batch_half", "batch", "4 rows", "2 rows, twice the steps", train(batch_size=BATCH // 2, steps=2 * STEPS, warmup_steps=2 * WARMUP)),
    ("loud", "residual projections", "o_proj passes on what v_proj reads", "random, not made smaller", {"start": "loud"}),
    ("anywhere", "where rows begin", "at a story", "anywhere", {"rows": "anywhere"}),
    ("no_weight_decay", "weight decay", "0.1", "none", train(weight_decay=0.0)),
]
STORIES_ONLY = ("anywhere", "masked")                        # shakespeare's plays are one text


def recipes() -> dict[str, Recipe]:
    """{name: recipe}; the first is minillm's own."""
    return {"minillm": Recipe()} | {name: replace(Recipe(), **change) for name, *_, change in CHOICES}


def begin(recipe: Recipe, config: ModelConfig, seed: int) -> dict:
    """First parameters. What starts alike in two recipes starts with the same numbers.

    gpt2: o_proj is N(0, 1/D) smaller by 1/sqrt(2L), as down_proj is (Radford et al. 2019, section 2.3). loud: both N(0, 1/D). zero: both 0.
    """
    params = init(replace(config, tie_word_embeddings=True), np.random.default_rng(seed))
    rng, smaller = np.random.default_rng([seed, 1]), (2 * config.num_hidden_layers) ** -0.5
    for layer in params["layers"]:
        o_OD = (config.initializer_range * rng.standard_normal(layer["o_proj"].shape)).astype(np.float32)
        if recipe.start == "gpt2":
            layer["o_proj"] = np.float32(smaller) * o_OD
        if recipe.start == "loud":
            layer["o_proj"], layer["down_proj"] = o_OD, layer["down_proj"] / np.float32(smaller)
        if recipe.start == "zero":
            layer["o_proj"], layer["down_proj"] = np.zeros_like(o_OD), np.zeros_like(layer["down_proj"])
        if recipe.qk_norm:
            layer["q_norm"], layer["k_norm"] = (np.ones(config.head_dim, np.float32) for _ in range(2))
    if not recipe.tied:
        params["lm_head"] = (config.initializer_range * rng.standard_normal((config.hidden_size, config.vocab_size))).astype(np.float32)
    return params


def logits(params, tokens_BT, recipe: Recipe, config: ModelConfig):
    """minillm's forward pass, with what the recipe puts into it. -> (B, T, V)."""
    document_BT = jnp.cumsum(tokens_BT == config.bos_token_id, axis=1)
    same_BTS = document_BT[:, :, None] == document_BT[:, None]

    def tap(name, x):
        place = name.split(".")
        if recipe.qk_norm and place[-1] in ("q", "k"):
            return rmsnorm(x, params["layers"][int(place[1])][f"{place[-1]}_norm"], config.rms_norm_eps)
        if recipe.mask and place[-1] == "scores":
            return jnp.where(same_BTS[:, None, None], x, -jnp.inf)
        return x

    return forward(params, tokens_BT, config, tap=tap if recipe.qk_norm or recipe.mask else no_tap)[0]


def loss(params, tokens_BT, targets_BT, recipe: Recipe, config: ModelConfig):
    """What is made small: cross-entropy, and z-loss where there is one (Chowdhery et al. 2022, PaLM, arXiv:2204.02311, section 5)."""
    logits_BTV = logits(params, tokens_BT, recipe, config)
    extra = recipe.z_loss * jnp.mean(jax.nn.logsumexp(logits_BTV, axis=-1) ** 2) if recipe.z_loss else 0
    return cross_entropy(logits_BTV, targets_BT) + extra


def train_steps(state, tokens_NBT, targets_NBT, recipe: Recipe, config: ModelConfig):
    """N steps as one loop; the state after them, and {"loss", "grad_norm", "learning_rate"}, (N,) each."""
    return jax.block_until_ready(_train_steps(state, tokens_NBT, targets_NBT, recipe, config))


@partial(jax.jit, static_argnames=("recipe", "config"), donate_argnames="state")
def _train_steps(state, tokens_NBT, targets_NBT, recipe: Recipe, config: ModelConfig):
    def step(state, batch):
        return take_step(state, *jax.value_and_grad(loss)(state["params"], *batch, recipe, config), recipe.train)

    return jax.lax.scan(step, state, (tokens_NBT, targets_NBT))


@partial(jax.jit, static_argnames=("recipe", "config"))
def held_out_loss(params, tokens_NBT, targets_NBT, recipe: Recipe, config: ModelConfig):
    """Nats per token over N held-out batches, cross-entropy alone; padding is not counted."""
    def nats(batch):
        tokens_BT, targets_BT = batch
        return cross_entropy(logits(params, tokens_BT, recipe, config), targets_BT) * jnp.sum(targets_BT != IGNORE)

    return jnp.sum(jax.lax.map(nats, (tokens_NBT, targets_NBT))) / jnp.sum(targets_NBT != IGNORE)
