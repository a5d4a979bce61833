"""A student that begins as a part of its teacher: layers and widths picked from it. For both twins: all is in NumPy.

Which layers: evenly spread, first and last among them (Sanh et al. 2019, DistilBERT, arXiv:1910.01108, section 3, takes every
second). Which widths: those whose activations are largest on a batch of text (Muralidharan et al. 2024, Minitron,
arXiv:2407.14679, section 2.2): channels of the residual stream, heads, neurons of the feed-forward network.
"""

import numpy as np

from minillm.architecture.llama import table
from minillm.architecture.tree import flatten, tree_map
from minillm.config import ModelConfig
from minillm.errors import UserError
from minillm.in_numpy import forward


def pruned(params, teacher: ModelConfig, config: ModelConfig, tokens_BT) -> dict:
    """The student's first parameters, float32. Raises UserError where the teacher does not have what the student needs."""
    check(params, teacher, config)
    sizes = activations(params, teacher, tokens_BT)
    layers = np.round(
        np.linspace(0, teacher.num_hidden_layers - 1, config.num_hidden_layers)).astype(int)
    kept_D = largest(sizes["channels"], config.hidden_size)
    picked = {
        "embed_tokens": params["embed_tokens"][:, kept_D], "norm": params["norm"][kept_D],
        "layers": [part_of(params["layers"][i], kept_D, heads(sizes["heads"][i], teacher, config),
                           largest(sizes["neurons"][i], config.intermediate_size), teacher)
                   for i in layers]}
    if "lm_head" in params:
        picked["lm_head"] = params["lm_head"][kept_D]
    order = table(config)
    picked = {name: picked[name] for name in order} | {
        "layers": [{name: layer[name] for name in rows}
                   for layer, rows in zip(picked["layers"], order["layers"])]}
    return tree_map(lambda leaf: np.ascontiguousarray(leaf, np.float32), picked)


def check(params, teacher, config: ModelConfig):
    """Refuse what cannot be a part of the teacher. Raises UserError."""
    def refuse(what):
        raise UserError(f"start pruned: {what}: choose --start random, or another student")

    if not isinstance(teacher, ModelConfig):
        refuse("the teacher is no LLaMA")
    if any(not isinstance(leaf, np.ndarray) or leaf.dtype.kind != "f"
           for leaf in flatten(params).values()):
        refuse("the teacher is quantized, its numbers cannot be picked")
    if any(set(layer) != set(row) for layer, row in zip(params["layers"], table(config)["layers"])):
        refuse("the teacher's layers have other parts than a LLaMA's")
    for name in ("num_hidden_layers", "hidden_size", "intermediate_size", "num_key_value_heads",
                 "queries_per_key"):
        if getattr(config, name) > getattr(teacher, name):
            refuse(f"the student's {name} is {getattr(config, name)}, the teacher's only {getattr(teacher, name)}")
    for name in ("head_dim", "tie_word_embeddings", "attention_bias", "mlp_bias", "rope_theta",
                 "rope_scaling"):
        if getattr(config, name) != getattr(teacher, name):
            refuse(f"the student's {name} is {getattr(config, name)}, the teacher's {getattr(teacher, name)}")


def activations(params, teacher: ModelConfig, tokens_BT) -> dict:
    """How large each part is on this text: "channels" (D,), and for every layer "heads" (K, G) and "neurons" (F,).

    Channels: mean |x| of what the layers read, after their norm. Heads: the length of what a head writes into the residual
    stream. Neurons: mean |x| times the length of what one writes.
    """
    activation = {}
    forward(params, tokens_BT, teacher, tap=lambda name, x: activation.setdefault(name, x))
    K, G, E = teacher.num_key_value_heads, teacher.queries_per_key, teacher.head_dim
    sizes = {"channels": np.zeros(teacher.hidden_size), "heads": [], "neurons": []}
    for i, layer in enumerate(params["layers"]):
        for name in ("attn_in", "mlp_in"):
            sizes["channels"] += np.mean(np.abs(activation[f"layers.{i}.{name}"]), axis=(0, 1))
        z_BKGTE, o_KGED = activation[f"layers.{i}.z"], layer["o_proj"].reshape(K, G, E, -1)
        written_BKGTD = z_BKGTE @ o_KGED
        sizes["heads"].append(np.mean(np.linalg.norm(written_BKGTD, axis=-1), axis=(0, 3)))
        neurons_F = np.mean(np.abs(activation[f"layers.{i}.mlp_post"]), axis=(0, 1))
        sizes["neurons"].append(neurons_F * np.linalg.norm(layer["down_proj"], axis=1))
    return sizes


def largest(sizes, count: int):
    """The places of the `count` largest, in their order."""
    return np.sort(np.argsort(-sizes, stable=True)[:count])


def heads(sizes_KG, teacher: ModelConfig, config: ModelConfig):
    """(groups, queries): key/value heads to keep, and for each of them which of its queries."""
    best_KG = -np.sort(-sizes_KG, axis=1)[:, : config.queries_per_key]
    groups = largest(best_KG.sum(axis=1), config.num_key_value_heads)
    return groups, [largest(sizes_KG[k], config.queries_per_key) for k in groups]


def part_of(layer: dict, kept_D, kept_heads, kept_F, teacher: ModelConfig) -> dict:
    """A layer with these channels, heads and neurons alone."""
    (groups, queries), E, G = kept_heads, teacher.head_dim, teacher.queries_per_key
    kept_J = np.concatenate([np.arange(k * E, (k + 1) * E) for k in groups])
    kept_O = np.concatenate([np.arange((k * G + g) * E, (k * G + g + 1) * E)
                             for k, some in zip(groups, queries) for g in some])
    reads = {"q_proj": kept_O, "k_proj": kept_J, "v_proj": kept_J, "gate_proj": kept_F,
             "up_proj": kept_F}
    part = {name: layer[name][np.ix_(kept_D, columns)] for name, columns in reads.items()}
    part |= {"o_proj": layer["o_proj"][np.ix_(kept_O, kept_D)],
             "down_proj": layer["down_proj"][np.ix_(kept_F, kept_D)]}
    part |= {name: layer[name][kept_D] for name in ("input_layernorm", "post_attention_layernorm")}
    biases = {"q_bias": kept_O, "k_bias": kept_J, "v_bias": kept_J, "o_bias": kept_D,
              "gate_bias": kept_F, "up_bias": kept_F, "down_bias": kept_D}
    return part | {name: layer[name][places] for name, places in biases.items() if name in layer}
