"""What is checked in exercise 05, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from pathlib import Path

import numpy as np

from minillm.architecture import llama as tables
from minillm.config import ModelConfig
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.course.lessons import load_module
from minillm.in_numpy import bloom, model, ops

asking = load_module(Path(__file__).with_name("asking.py"), "asking")

HINTS = {
    "wrong_axis": Hint(
        "You took the mean over the tokens instead of over the numbers of one token. Then a "
        "token's activations depend on the other tokens, later ones too.",
        "Change the last row of x: only the last row of the result may change.",
    ),
    "whole_array": Hint(
        "You took one mean over the whole array. Each token is normalized by itself.",
        "Multiply the last row of x by 100: only the last row of the result may change.",
    ),
    "eps_outside": Hint(
        "You added eps to the root; it belongs under it. For large x the two agree, for small x "
        "they differ a lot.",
        "Compute the norm of x = 0.001 with eps = 0.01 on paper: 0.001 / sqrt(0.000001 + 0.01).",
    ),
    "eps_forgotten": Hint(
        "eps is missing. It is under the root and keeps it from being 0.",
        "Compute the norm of a row of zeros: which number should come out?",
    ),
    "mean_subtracted": Hint(
        "You subtracted the mean: that is LayerNorm. RMSNorm divides by the size of x and leaves "
        "its mean alone.",
        "Normalize a row of ones with weights of 1: is the result close to ones, or zero?",
    ),
    "sum_not_mean": Hint(
        "You added up the squares instead of averaging them, so a row ends with length 1. After "
        "RMSNorm its numbers have a mean square of 1.",
        "Normalize a row of ones with weights of 1 and a tiny eps: the result should be ones.",
    ),
    "swapped": Hint(
        "You exchanged gate and up: silu was applied to the wrong one. The two matrices have the "
        "same shape, so nothing raises an error.",
        "Set gate_proj to zero: is everything zero? Then multiply up_proj by a number: is the "
        "result multiplied by it too?",
    ),
    "silu_of_product": Hint(
        "You applied silu to the product of gate and up. Only the gate goes through it; the up "
        "side stays linear.",
        "Multiply up_proj by 2: the result must become exactly twice as large.",
    ),
    "sigmoid_gate": Hint(
        "Your gate is sigmoid(a). silu(a) is a times that: it grows with a instead of ending at 1.",
        "Compute silu(10) on paper: it is nearly 10.",
    ),
    "another_gate": Hint(
        "Your gate is ReLU or GELU. They have the same shape as silu and other numbers: silu(a) "
        "is a times the sigmoid of a.",
        "Compute silu(-1) on paper: it is -0.27, where ReLU has 0 and GELU -0.16.",
    ),
    "no_gate": Hint(
        "One of the two sides is missing: silu(gate) is multiplied with up(x), element by element.",
        "Multiply up_proj by 2: the result must become exactly twice as large.",
    ),
    "residual_normed": Hint(
        "You added the normalized input where the input itself belongs. The stream x passes "
        "through a block unscaled; norms come only before attention and before the mlp.",
        "Let o_proj and down_proj be zero: the block must return exactly x.",
    ),
    "norm_last": Hint(
        "Your norm comes after the sum, as in 2017. In a LLaMA it comes before attention and "
        "before the mlp, inside the branch.",
        "Let o_proj and down_proj be zero: the block must return exactly x.",
    ),
    "no_residual": Hint(
        "You replaced the input where the result should be added to it. A layer adds to the "
        "stream.",
        "Let o_proj and down_proj be zero: the block must return exactly x.",
    ),
    "side_by_side": Hint(
        "Your mlp reads the input of the block. In a LLaMA it comes after attention and reads "
        "the stream that attention has added to (some other models do both at once).",
        "Compute x after attention on paper and normalize it: that is the input of the mlp.",
    ),
    "attention_lost": Hint(
        "Your second sum begins from the input of the block, so what attention added is lost.",
        "Let down_proj be zero: the block must return x plus the output of attention.",
    ),
    "one_norm": Hint(
        "Both norms used the same weights. A layer has two norms with a weight vector each.",
        "Multiply post_attention_layernorm by 2: does the result change?",
    ),
    "final_norm": Hint(
        "The last norm, after all blocks, is missing. It is easily forgotten.",
        "Multiply embed_tokens by 10 in a model without layers and with its own lm_head: the "
        "logits must hardly change.",
    ),
    "last_norm_not_counted": Hint(
        "The last norm, after all blocks, is missing: D numbers.",
        "Count the vectors in a model of one layer, by name: how many are there?",
    ),
    "head_not_tied": Hint(
        "You took the head to be a matrix of its own. When it is tied there is no such matrix: "
        "the embedding is used at both ends and counted once.",
        "Print the names in params for a model with a tied head.",
    ),
    "head_always_tied": Hint(
        "You used the embedding as the head although the model has an lm_head. A checkpoint that "
        "is not tied then gives nonsense.",
        "Change lm_head: the logits must change.",
    ),
    "head_not_counted": Hint(
        "You counted no head. One that is not tied is a matrix of its own, as large as the "
        "embedding.",
        "Count a model without layers for V = 10 and D = 4, tied and not: which of the two has 40 "
        "parameters more?",
    ),
    "scaled": Hint(
        "You multiplied the embedding by sqrt(D). The transformer of 2017 does that; a LLaMA "
        "does not.",
        "In a model without layers and with weights of 1, the x of one token is its row of the "
        "embedding: print both.",
    ),
    "one_layer": Hint(
        "You used the same layer again and again. Each layer has its own parameters.",
        "Set the last layer's o_proj and down_proj to zero: the logits must change.",
    ),
    "full_heads": Hint(
        "You counted k_proj and v_proj with H heads. They have K heads; that is what grouping "
        "saves.",
        "Write the shapes of the four matrices of attention beside each other for H = 4 and K = 2.",
    ),
    "square": Hint(
        "You took q_proj and o_proj to be D x D. They are D x HE and HE x D, and HE need not be D.",
        "Count q_proj for D = 8, H = 3, E = 4.",
    ),
    "two_matrices": Hint(
        "You counted two matrices in the feed-forward part. SwiGLU has three: gate, up and down.",
        "List the matrices that your mlp multiplies with.",
    ),
    "norms_not_counted": Hint(
        "The norms have parameters too: D numbers each, two in a layer and one at the end.",
        "Count the vectors in a model of one layer, by name.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def rows(rng):
    for T, D in ((1, 2), (1, 2), (2, 2), *sizes(rng, 2, 9, (25, 2))):
        scale, shift = rng.choice([0.01, 0.1, 1.0, 10.0]), rng.choice([-1, 0, 1])
        x = np.round(scale * (normal(rng, T, D) + shift), 3)
        yield np.where(x == 0, scale, x), normal(rng, D), float(rng.choice([0.1, 0.01, 0.001]))


def some_config(rng, layers=1, tied=True, tiny=False):
    if tiny:
        return ModelConfig(
            vocab_size=2,
            hidden_size=2,
            intermediate_size=1,
            num_hidden_layers=layers,
            num_attention_heads=1,
            num_key_value_heads=1,
            head_dim=2,
            max_position_embeddings=16,
            rms_norm_eps=0.01,
            tie_word_embeddings=tied,
        )
    K, G = rng.integers(1, 3, 2)
    return ModelConfig(
        vocab_size=int(rng.integers(5, 12)),
        hidden_size=int(rng.integers(3, 9)),
        intermediate_size=int(rng.integers(3, 9)),
        num_hidden_layers=layers,
        num_attention_heads=int(K * G),
        num_key_value_heads=int(K),
        head_dim=2 * int(rng.integers(1, 3)),
        max_position_embeddings=16,
        rms_norm_eps=float(10 ** rng.uniform(-3, -1)),
        tie_word_embeddings=tied,
    )


def some_params(config, rng):
    """Every number at random, norms around 1; matrices neither so large nor so small that a part
    of the model drowns another."""

    def drawn(w):
        scale = 0.5 if w.ndim == 1 else len(w) ** -0.5
        return np.round((w.ndim == 1) + scale * rng.standard_normal(w.shape), 1) + 0.05

    return tables.tree_map(drawn, tables.init(config, rng, np.float64))


def layers_and_rows(rng):
    for T, D, F in ((1, 1, 1), (1, 1, 1), (1, 1, 2), (1, 2, 1), *sizes(rng, 2, 7, (20, 3))):
        shapes = {"gate_proj": (D, F), "up_proj": (D, F), "down_proj": (F, D)}
        yield {name: normal(rng, *shape) for name, shape in shapes.items()}, normal(rng, T, D)


def blocks(rng):
    for i in range(20):
        config = some_config(rng, tiny=i < 6)
        x = 2 * normal(rng, int(rng.integers(2, 6)) if i > 5 else 1 + i // 3, config.hidden_size)
        yield some_params(config, rng)["layers"][0], x, asking.Attention(), config.rms_norm_eps


def models(rng):
    for i in range(24):
        config = some_config(rng, layers=1 + i % 3, tied=bool(i % 2), tiny=i < 6)
        tokens = rng.integers(0, config.vocab_size, int(rng.integers(2, 6)) if i > 5 else 1)
        yield some_params(config, rng), tokens, asking.Attention(), config.rms_norm_eps


def shapes(rng):
    for i in range(20):
        V, D, F = (int(n) for n in rng.integers(3, 50, 3))
        L, K, G, half = (int(n) for n in rng.integers(1, 5, 4))
        yield V, D, F, L, K * (G + 1), K, 2 * half, bool(i % 2)


# ---- The right answers: minillm's own -----------------------------------------------------------


def right_count(V, D, F, L, H, K, E, tied):
    return tables.count(
        ModelConfig(
            vocab_size=V,
            hidden_size=D,
            intermediate_size=F,
            num_hidden_layers=L,
            num_attention_heads=H,
            num_key_value_heads=K,
            head_dim=E,
            max_position_embeddings=1,
            tie_word_embeddings=tied,
        )
    )


# ---- What each misconception answers: the right answer with one thing changed -------------------


def normed(mean=lambda x: np.mean(x, axis=-1, keepdims=True), center=False, outside=False):
    def wrong(x, weight, eps):
        x = x - np.mean(x, axis=-1, keepdims=True) if center else x
        return weight * x / (np.sqrt(mean(x * x)) + eps if outside else np.sqrt(mean(x * x) + eps))

    return wrong


def gated(combine):
    def wrong(layer, x):
        return combine(x @ layer["gate_proj"], x @ layer["up_proj"]) @ layer["down_proj"]

    return wrong


def silu(x):
    return x * ops.sigmoid(x)


def block_of(
    layer,
    x,
    attention,
    eps,
    first_from=lambda x, n: x,
    second_from=lambda x, m, n: m,
    reads=lambda x, m: m,
    second_norm="post_attention_layernorm",
):
    n = ops.rmsnorm(x, layer["input_layernorm"], eps)
    m = first_from(x, n) + attention(layer, n)
    n = ops.rmsnorm(reads(x, m), layer[second_norm], eps)
    return second_from(x, m, n) + model.mlp(layer, n)


def right_block(layer, x, attention, eps):
    """minillm.in_numpy.model.block, with the attention that is handed to the reader."""
    return block_of(layer, x, attention, eps)


def right_forward(params, tokens, attention, eps):
    """minillm.in_numpy.model.forward, likewise."""
    return forward_of(params, tokens, attention, eps)


def block_with(**how):
    return lambda *case: block_of(*case, **how)


def norm_last(layer, x, attention, eps):
    x = ops.rmsnorm(x + attention(layer, x), layer["input_layernorm"], eps)
    return ops.rmsnorm(x + model.mlp(layer, x), layer["post_attention_layernorm"], eps)


def forward_of(
    params,
    tokens,
    attention,
    eps,
    scale=1.0,
    layer_of=lambda params, i: params["layers"][i],
    last=True,
    head=model.unembedding,
):
    x = scale * params["embed_tokens"][tokens]
    for i in range(len(params["layers"])):
        x = block_of(layer_of(params, i), x, attention, eps)
    x = ops.rmsnorm(x, params["norm"], eps) if last else x
    return x @ head(params)


def forward_with(**how):
    return lambda *case: forward_of(*case, **how)


def scaled_forward(params, tokens, attention, eps):
    return forward_of(params, tokens, attention, eps, scale=params["embed_tokens"].shape[1] ** 0.5)


def counted(change):
    return lambda V, D, F, L, H, K, E, tied: (
        right_count(V, D, F, L, H, K, E, tied) + change(V, D, F, L, H, K, E, tied)
    )


TASKS = [
    number(
        "PARAMETERS",
        "count on paper",
        2184,
        {
            "head_not_tied": 2984,
            "full_heads": 2312,
            "two_matrices": 1864,
            "norms_not_counted": 2144,
            "last_norm_not_counted": 2176,
        },
        tolerance=1e-9,
    ),
    Task(
        "rmsnorm",
        "norm each token",
        ops.rmsnorm,
        rows,
        {
            "eps_outside": normed(outside=True),
            "mean_subtracted": normed(center=True),
            "eps_forgotten": lambda x, weight, eps: ops.rmsnorm(x, weight, 0.0),
            "wrong_axis": normed(mean=lambda x: np.mean(x, axis=0, keepdims=True)),
            "whole_array": normed(mean=np.mean),
            "sum_not_mean": normed(mean=lambda x: np.sum(x, axis=-1, keepdims=True)),
        },
    ),
    Task(
        "mlp",
        "the gated feed-forward",
        model.mlp,
        layers_and_rows,
        {
            "swapped": gated(lambda gate, up: gate * silu(up)),
            "silu_of_product": gated(lambda gate, up: silu(gate * up)),
            "sigmoid_gate": gated(lambda gate, up: ops.sigmoid(gate) * up),
            "another_gate": (
                gated(lambda gate, up: np.maximum(gate, 0) * up),
                gated(lambda gate, up: bloom.gelu(gate) * up),
            ),
            "no_gate": (gated(lambda gate, up: silu(gate)), gated(lambda gate, up: silu(up))),
        },
    ),
    Task(
        "block",
        "attention and mlp on the stream",
        right_block,
        blocks,
        {
            "residual_normed": (
                block_with(first_from=lambda x, n: n, second_from=lambda x, m, n: n),
                block_with(first_from=lambda x, n: n),
                block_with(second_from=lambda x, m, n: n),
            ),
            "norm_last": norm_last,
            "no_residual": (
                block_with(first_from=lambda x, n: 0, second_from=lambda x, m, n: 0),
                block_with(first_from=lambda x, n: 0),
                block_with(second_from=lambda x, m, n: 0),
            ),
            "side_by_side": block_with(reads=lambda x, m: x),
            "attention_lost": block_with(second_from=lambda x, m, n: x),
            "one_norm": block_with(second_norm="input_layernorm"),
        },
        needs=("rmsnorm", "mlp"),
        points=2,
    ),
    Task(
        "forward",
        "tokens to logits",
        right_forward,
        models,
        {
            "final_norm": forward_with(last=False),
            "head_not_tied": forward_with(head=lambda params: params["lm_head"]),
            "head_always_tied": forward_with(head=lambda params: params["embed_tokens"].T),
            "scaled": scaled_forward,
            "one_layer": forward_with(layer_of=lambda params, i: params["layers"][0]),
        },
        needs=("rmsnorm", "block"),
        points=2,
    ),
    Task(
        "count",
        "the parameter budget",
        right_count,
        shapes,
        {
            "head_not_tied": counted(lambda V, D, F, L, H, K, E, tied: V * D * tied),
            "head_not_counted": counted(lambda V, D, F, L, H, K, E, tied: -V * D * (not tied)),
            "full_heads": counted(lambda V, D, F, L, H, K, E, tied: 2 * L * D * (H - K) * E),
            "square": counted(lambda V, D, F, L, H, K, E, tied: 2 * L * D * (D - H * E)),
            "two_matrices": counted(lambda V, D, F, L, H, K, E, tied: -L * D * F),
            "norms_not_counted": counted(lambda V, D, F, L, H, K, E, tied: -(2 * L + 1) * D),
            "last_norm_not_counted": counted(lambda V, D, F, L, H, K, E, tied: -D),
        },
    ),
]
