"""Exercise of lesson 14: open a checkpoint by hand, and find out whether you read it correctly.

Letters: D width of the model, H query heads, K key/value heads, E size of a head, T tokens. Arrays
are NumPy's. No library of checkpoints is needed.
Check yourself:  minillm lesson check 14
"""

import json

import numpy as np

# Work this out on paper. A safetensors file has a header of 152 bytes. In it stands
#
#     "model.norm_of_nothing": {"dtype": "BF16", "shape": [4, 6], "data_offsets": [96, 144]}
#
# At which byte of the FILE (the first is byte 0) does the number in row 2, column 3 begin? Rows
# and columns are counted from 0.
PLACE = None


def read_header(data):
    """What a safetensors file holds: {name: (dtype, shape, begin, end)}; begin and end are places
    in `data`, the whole file.

    data: bytes. First 8 bytes: how long the header is (little-endian, unsigned). Then the header,
    JSON: {name: {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}}, where offsets are
    counted from the first byte after the header. A key "__metadata__" is not a tensor. shape: a
    tuple.
    """
    raise NotImplementedError


def read(data, name, config):
    """One tensor of a safetensors file as float64, in its shape. config: what config.json says,
    with "torch_dtype" in it.

    The dtype of the file is "F32" (float32), "F16" (float16: 1 bit of sign, 5 of exponent, 10 of
    fraction) or "BF16" (the first 16 of the 32 bits of a float32: 1, 8, 7). NumPy knows the first
    two: np.frombuffer(part, "<f4"), "<f2". All little-endian.
    """
    raise NotImplementedError


def settings(config):
    """{"theta", "eps", "kv_heads", "head_dim", "tied"} of a LLaMA, from its config.json, a dict
    that need not say everything.

    What it does not say means what it means to Hugging Face: rope_theta 10000.0, rms_norm_eps
    1e-6, num_key_value_heads as many as num_attention_heads, head_dim hidden_size /
    num_attention_heads, tie_word_embeddings false. A head_dim or a num_key_value_heads of null is
    one not said. Newer files keep rope_theta elsewhere: {"rope_parameters": {"rope_theta": ...}}.
    No config here has it in both places.
    """
    raise NotImplementedError


def orient(tensors, shapes):
    """The tensors under our names, all matrices as (in, out), so that the model says x @ w.

    tensors {their name: array}, shapes {our name: shape as (in, out)}. Theirs is
    "model.layers.3.self_attn.q_proj.weight" where ours is "layers.3.q_proj": without "model.",
    ".weight", and "self_attn." or "mlp." before a matrix. Matrices are stored there as (out, in),
    lm_head too. Two kinds of tensor are no such matrix: norms, which are vectors, and
    embed_tokens, a table with a row a token. The result has the names of `shapes`, and those
    shapes.
    """
    raise NotImplementedError


def halves(w, heads):
    """Columns of q_proj or k_proj reordered: (D, heads * E), pairs side by side -> (D, heads * E),
    pairs in halves.

    In w the columns (0, 1), (2, 3) ... of every head turn together. In the result column i of a
    head turns with column i + E/2.
    """
    raise NotImplementedError


def keys_for_queries(k, H):
    """The keys that each query head uses: (K, T, E) -> (H, T, E). Neighbouring query heads share,
    G = H / K of them."""
    raise NotImplementedError


def first_difference(ours, theirs, tolerance):
    """The name of the first activation that differs, or None. ours, theirs: {name: array}, in the
    order of the computation, with the same names and shapes.

    Two arrays differ if the largest difference is more than `tolerance` times the largest number
    of theirs (by size, without its sign), or if ours contains NaN.
    """
    raise NotImplementedError
