"""What sets a family of models apart, in one record. Nothing else asks which family a model is of.

A new family is one file here, one in each twin, one in formats/, and a line in four tables:
FAMILIES here, MODULES in in_numpy/family.py and in_jax/family.py, FORMATS in formats/checkpoint.py.
"""

from collections.abc import Callable
from dataclasses import dataclass

from minillm.architecture import bloom, llama, qwen3, smollm3
from minillm.architecture.tree import tree_map


@dataclass(frozen=True)
class Family:
    """One family.

    name                 as people say it
    shapes               config -> the tree of shapes of its parameters
    embedding_taps       activations before the first layer, in order: the last one starts the residual stream
    missing_taps         activations of a LLaMA's layer that this family's layers have not
    missing_because      what these are, and why they are missing, in words; or None
    norm_subtracts_mean  LayerNorm does, RMSNorm does not
    backward_by_hand     can in_numpy take gradients?
    gguf                 its architecture in GGUF files, or None where it is not exported
    gguf_neighbours      llama.cpp turns neighbours (0, 1), (2, 3) of its heads, not halves as we do
    """

    name: str
    shapes: Callable
    embedding_taps: tuple[str, ...] = ("embed",)
    missing_taps: tuple[str, ...] = ()
    missing_because: tuple[str, str] | None = None
    norm_subtracts_mean: bool = False
    backward_by_hand: bool = False
    gguf: str | None = None
    gguf_neighbours: bool = False



def shapes_of(table) -> Callable:
    """config -> the shapes of a table of `Parameter`s."""
    return lambda config: tree_map(lambda row: row.shape, table(config))


FAMILIES = {
    "llama": Family("LLaMA", shapes_of(llama.table), backward_by_hand=True, gguf="llama",
                    gguf_neighbours=True),
    "mistral": Family("Mistral", shapes_of(llama.table), backward_by_hand=True, gguf="llama",
                      gguf_neighbours=True),
    "qwen2": Family("Qwen2", shapes_of(llama.table), backward_by_hand=True, gguf="qwen2"),
    "qwen3": Family("Qwen3", shapes_of(qwen3.table), gguf="qwen3"),
    "smollm3": Family("SmolLM3", shapes_of(smollm3.table), gguf="smollm3", gguf_neighbours=True),
    "bloom": Family(
        "BLOOM", bloom.table, ("embed", "embed_norm"), ("rot_q", "rot_k", "mlp_pre"),
        ("queries and keys after rotation, the MLP's gate",
         "a BLOOM has no rotary positions (its attention falls off with distance) and no gate"),
        norm_subtracts_mean=True)}


def family(config) -> Family:
    """The family of a config, by its `model_type`."""
    return FAMILIES[config.model_type]
