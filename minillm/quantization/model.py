"""A whole model in fewer bits: which matrices, by which method, and what it cost.

    round         every matrix to its nearest integers
    gptq          the matrices of the layers one layer after the other, with error compensation (minillm/quantization/gptq.py)
    smoothquant   first the norms take over what makes inputs hard to round, then `round`
    llm-int8      inputs that are large on calibration text stay float, then `round`

Vectors (norms, biases) stay float: they are few. The methods that need to see activations see them on a calibration text.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module

import numpy as np

from minillm.architecture.quantized import Quantized, Scheme, scheme_of
from minillm.architecture.tree import flatten, tree_map, unflatten
from minillm.errors import UserError
from minillm.in_numpy import module_of
from minillm.in_numpy.model import unembedding
from minillm.in_numpy.quantize import dequantize, smoothing
from minillm.in_numpy.train import LOGITS_AT_ONCE
from minillm.loading import twin_package
from minillm.quantization.gptq import compensated_together, compensation, gptq
from minillm.quantization.search import quantize
from minillm.text.lengths import rows_at_once, trimmed

LENS_AT_ONCE = 2**21  # numbers: the logits of a layer that `drift` looks at
METHODS = ("round", "gptq", "smoothquant", "llm-int8")
# The activation (by its tap's name) that each matrix multiplies.
INPUT_OF = {"q_proj": "attn_in", "k_proj": "attn_in", "v_proj": "attn_in", "o_proj": "z",
            "gate_proj": "mlp_in", "up_proj": "mlp_in", "down_proj": "mlp_post"}
# The norm before them, for the matrices that have one.
NORM_OF = {"input_layernorm": ("q_proj", "k_proj", "v_proj"),
           "post_attention_layernorm": ("gate_proj", "up_proj")}


@dataclass(frozen=True)
class Seen:
    """What the inputs of the matrices were like on calibration text, by tap name: the largest |x| of each input, H = X^T X."""

    largest: dict
    hessian: dict


def quantize_model(params, config, scheme: Scheme, method: str = "round", tokens_NT=None,
                   alpha: float = 0.5, threshold: float = 6.0, progress=lambda text: None,
                   embedding: Scheme | None = None, twin: str = "numpy"):
    """Parameters whose matrices are records. `tokens_NT`: rows of calibration text, for the methods that need one.

    `embedding`: another scheme for the embedding, which is the head too where they are tied.
    `twin` runs the layers on the calibration text.

    Raises UserError: parameters that are quantized already, numbers that are not finite or too large, no calibration text.
    """
    refuse_quantized(params)
    for path, leaf in flatten(params).items():
        check_numbers(path, leaf, scheme)
    if method not in METHODS:
        raise UserError(f"method {method!r} does not exist: choose {', '.join(METHODS)}")
    if method != "round" and tokens_NT is None:
        raise UserError(f"--method {method} needs a calibration text: give --calibration FILE")
    if method == "gptq":
        return quantize_by_gptq(params, config, scheme, tokens_NT, progress, embedding, twin)
    if method == "smoothquant":
        params = smooth(params, observe(params, config, tokens_NT, progress, False, twin), alpha)
    columns = {}
    if method == "llm-int8":
        seen = observe(params, config, tokens_NT, progress, False, twin)
        columns = outlier_inputs(seen, config, threshold)
    return quantize_params(params, scheme, columns, embedding)


def refuse_quantized(params):
    """Raises UserError where the matrices are records already."""
    if scheme := scheme_of(params):
        raise UserError(f"the model is quantized already ({scheme}): rounding twice only adds "
                        "errors: start from the float model")


def check_numbers(path: str, leaf, scheme: Scheme):
    """Refuse a matrix that no scale can hold. Raises UserError with its name."""
    if not np.all(np.isfinite(leaf)):
        raise UserError(f"{path} holds numbers that are not finite: no integers stand for those")
    most = 65504 if scheme.scale_dtype == "float16" else 1e37
    steps = 1 if scheme.minimum else scheme.highest
    if leaf.ndim > 1 and leaf.size and float(np.max(np.abs(leaf))) / steps > most:
        raise UserError(f"{path} holds numbers up to {float(np.max(np.abs(leaf))):.3g}: too large for {scheme.scale_dtype} scales")


def quantize_params(params, scheme: Scheme, columns=None, embedding: Scheme | None = None):
    """Every matrix rounded to nearest; `columns`: by path, the inputs of a matrix that stay float."""
    def one(path, leaf):
        if leaf.ndim < 2:
            return leaf
        if path == "embed_tokens":
            return quantize(leaf, embedding or scheme, False)
        return quantize(leaf, scheme, True, (columns or {}).get(path))
    return unflatten({path: one(path, leaf) for path, leaf in flatten(params).items()}, params)


def dequantize_params(params):
    """The float parameters that records stand for; float ones as they are."""
    return tree_map(lambda leaf: dequantize(leaf) if isinstance(leaf, Quantized) else leaf, params)


def observe(params, config, tokens_NT, progress=lambda text: None, hessians: bool = True,
            twin: str = "numpy") -> Seen:
    """Run the layers on calibration text and look at what goes into their matrices."""
    largest, hessian, streams = {}, {}, started(params, config, tokens_NT)
    for i, layer in enumerate(params["layers"]):
        progress(f"looking at layer {i + 1} of {len(params['layers'])}")
        for b, x_BTD in enumerate(streams):
            streams[b], inputs = through(layer, x_BTD, config, twin)
            for name, x_TI in inputs.items():
                at = f"layers.{i}.{name}"
                largest[at] = np.maximum(largest.get(at, 0), np.max(np.abs(x_TI), axis=0))
                if hessians:
                    hessian[at] = hessian.get(at, 0) + (x_TI.T @ x_TI).astype(np.float64)
    return Seen(largest, hessian)


def started(params, config, tokens_NT, most: int = 8) -> list:
    """The start of the residual stream of all rows, some rows at a time, as many each time: one
    shape to compile."""
    batch = max(count for count in range(1, most + 1) if len(tokens_NT) % count == 0)
    embed, places = module_of(config).embed, range(0, len(tokens_NT), batch)
    return [embed(params, tokens_NT[i : i + batch], config) for i in places]


def through(layer, x_BTD, config, twin: str = "numpy"):
    """The stream after a block, and what goes into the block's matrices: {tap: x_TI}."""
    return tree_map(np.asarray, list(block_and_inputs(config, twin)(layer, x_BTD)))


@cache
def block_and_inputs(config, twin: str):
    """`through` as a function of a layer and a stream, by NumPy or compiled by JAX."""
    block = import_module(f"minillm.in_{twin}").module_of(config).block_alone

    def run(layer, x_BTD):
        inputs = {}

        def tap(name, x):
            if name in INPUT_OF.values():
                x_BTX = x.transpose(0, 3, 1, 2, 4) if name == "z" else x
                inputs[name] = x_BTX.reshape(x_BTX.shape[0] * x_BTX.shape[1], -1)
            return x

        return block(layer, x_BTD, config, tap)[0], inputs

    if twin == "numpy":
        return run
    import jax
    return jax.jit(run)


def quantize_by_gptq(params, config, scheme: Scheme, tokens_NT, progress=lambda text: None,
                     embedding: Scheme | None = None, twin: str = "numpy"):
    """Layer by layer: each sees what the layers before it, rounded, make of the calibration text.

    The stream between two layers is kept: every layer runs twice, to see its inputs, and rounded.
    """
    done = quantize_params({**params, "layers": []}, scheme, embedding=embedding) | {"layers": []}
    streams = started(done, config, tokens_NT)
    for i, layer in enumerate(params["layers"]):
        progress(f"layer {i + 1} of {len(params['layers'])}")
        rounded, hessian = dict(layer), {}
        for x_BTD in streams:
            for tap, x_TI in through(layer, x_BTD, config, twin)[1].items():
                hessian[tap] = hessian.get(tap, 0) + (x_TI.T @ x_TI).astype(np.float64)
        for tap, hessian_II in hessian.items():
            names = [name for name in layer if INPUT_OF.get(name) == tap]
            records = compensated_together([layer[name] for name in names],
                                           compensation(hessian_II), scheme)
            rounded |= dict(zip(names, records))
        done["layers"].append(rounded)
        plain = rounded if scheme.activations else dequantize_params(rounded)
        if i + 1 < len(params["layers"]) or "lm_head" in params:
            streams = [through(plain, x_BTD, config, twin)[0] for x_BTD in streams]
    if "lm_head" in params:
        norm = module_of(config).final_norm
        read = [norm(done, x_BTD, config).reshape(-1, x_BTD.shape[-1]) for x_BTD in streams]
        hessian_II = sum((x_TI.T @ x_TI).astype(np.float64) for x_TI in read)
        done["lm_head"] = gptq(params["lm_head"], hessian_II, scheme)
    return done


def smooth(params, statistics: Seen, alpha: float):
    """SmoothQuant: the norms give their outputs / s, the matrices after them take s x their rows. The model is the same.

    Xiao et al. 2022, arXiv:2211.10438, section 4. What does not come out of a norm (o_proj, down_proj) stays as it is.
    """
    layers = []
    for i, layer in enumerate(params["layers"]):
        layer = dict(layer)
        for norm, names in NORM_OF.items():
            names = [name for name in names if name in layer]
            w_largest_I = np.max([np.max(np.abs(layer[name]), axis=1) for name in names], axis=0)
            s_I = smoothing(statistics.largest[f"layers.{i}.{INPUT_OF[names[0]]}"], w_largest_I,
                            alpha)
            layer = scaled(layer, norm, names, 1 / s_I)
        layers.append(layer)
    return {**params, "layers": layers}


def scaled(layer: dict, norm: str, names, factor_I):
    """The layer with its norm's outputs times a factor and the rows of the matrices that read them divided by it."""
    changed = {name: layer[name] * factor_I for name in (norm, f"{norm}_bias") if name in layer}
    return layer | changed | {name: (layer[name] / factor_I[:, None]).astype(layer[name].dtype)
                              for name in names}


def plant_outliers(params, channel: int, factor: float):
    """A model that computes the same, and has one large activation: the norms' `channel` times `factor`, undone behind it.

    Large models grow such channels by themselves (arXiv:2208.07339, section 4); here its place is known. A factor that is a
    power of two changes no bit of the float model.
    """
    layers = []
    for layer in params["layers"]:
        for norm, names in NORM_OF.items():
            names = [name for name in names if name in layer]
            factor_I = np.where(np.arange(len(layer[norm])) == channel, factor,
                                1).astype(layer[norm].dtype)
            layer = scaled(layer, norm, names, factor_I)
        layers.append(layer)
    return {**params, "layers": layers}


def outlier_inputs(statistics: Seen, config, threshold: float) -> dict:
    """By path: the inputs of each matrix of the layers whose |x| reached `threshold` on calibration text, if there are any."""
    outliers = {}
    for i in range(config.num_hidden_layers):
        for name, tap in INPUT_OF.items():
            large = statistics.largest[f"layers.{i}.{tap}"] >= threshold
            columns = np.flatnonzero(large).astype(np.int32)
            if len(columns):
                outliers[f"layers.{i}.{name}"] = columns
    return outliers


def size(params) -> dict:
    """{"bits_per_weight", "bytes", "of_float32"}: of the matrices with their scales; of everything, and over float32."""
    leaves = list(flatten(params).values())
    matrices = [leaf for leaf in leaves if leaf.ndim > 1]
    total = sum(leaf.nbytes for leaf in leaves)
    return {"bits_per_weight": 8 * sum(leaf.nbytes
                                       for leaf in matrices) / sum(leaf.size for leaf in matrices),
            "bytes": total, "of_float32": total / (4 * sum(leaf.size for leaf in leaves))}


def matrix_errors(before, after) -> list[dict]:
    """[{"name", "relative", "largest"}]: of every matrix |w - w'| / |w| (root of sums of squares), and the largest |w - w'|.

    Where the norms before them changed, as by SmoothQuant, w is the matrix that took over what they gave up.
    """
    layers = []
    for layer, norms in zip(before["layers"], after["layers"]):
        for norm, names in NORM_OF.items():
            changed = norms[norm] != layer[norm]
            factor_I = np.divide(norms[norm], layer[norm], out=np.ones_like(layer[norm]),
                                 where=changed)
            layer = scaled(layer, norm, [name for name in names if name in layer], factor_I)
        layers.append(layer)
    rows = []
    for (path, w), record in zip(flatten({**before, "layers": layers}).items(),
                                 flatten(after).values()):
        if w.ndim > 1:
            off = dequantize(record) - w
            rows.append({"name": path,
                         "relative": float(np.linalg.norm(off) / max(np.linalg.norm(w), 1e-30)),
                         "largest": float(np.max(np.abs(off)))})
    return rows


def drift(before, after, config, tokens_BT) -> list[dict]:
    """[{"layer", "residual", "logits"}]: how far both models are apart after each layer, as a share of the numbers' size.

    `logits` is read off the residual stream by the float model's final norm and head, as a logit lens does.
    """
    readout, rows = unembedding(before), []
    streams = [started(params, config, tokens_BT) for params in (before, after)]
    every = -(-tokens_BT.size * config.vocab_size // LENS_AT_ONCE)  # of a long text a part will do
    for i, layers in enumerate(zip(before["layers"], after["layers"])):
        streams = [[through(layer, x_BTD, config)[0] for x_BTD in each]
                   for layer, each in zip(layers, streams)]
        a, b = (np.concatenate(each).reshape(-1, config.hidden_size) for each in streams)
        a_lens, b_lens = (normal(x[::every]) * before["norm"] @ readout for x in (a, b))
        rows.append({"layer": i, "residual": apart(a, b), "logits": apart(a_lens, b_lens)})
    return rows


def normal(x):
    """x over its root mean square."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def apart(a, b) -> float:
    """|a - b| / |a|, root mean squares."""
    return float(np.sqrt(np.mean((a - b) ** 2) / np.mean(a**2)))


def compare(before, after, config, tokens_NT, targets_NT, twin: str = "jax", batch: int = 8,
            progress=lambda done, rows: None) -> dict:
    """What fewer bits did to predictions on held-out text, over all counted targets.

    loss_before, loss_after, difference    nats per token
    standard_error    of the difference, paired: rows are texts of their own, tokens within a row
                      are not independent; None of one row, which says nothing about others
    kl                mean KL(before || after), nats
    agreement         share of targets where both models find the same token most probable
    """
    tokens_NT, targets_NT = trimmed(tokens_NT, targets_NT)
    batch, rows = rows_at_once(config, tokens_NT.shape[1], batch, len(tokens_NT)), []
    for i in range(0, len(tokens_NT), batch):
        progress(i, len(tokens_NT))
        missing = batch - len(tokens_NT[i : i + batch])  # padded: one shape to compile
        tokens_BT = np.pad(tokens_NT[i : i + batch], ((0, missing), (0, 0)))
        targets_BT = np.pad(targets_NT[i : i + batch], ((0, missing), (0, 0)), constant_values=-1)
        changes = prediction_change(before, after, tokens_BT, targets_BT, config, twin)
        rows.append(changes[: batch - missing])
    count_N, before_N, after_N, kl_N, same_N = np.concatenate(rows).T.astype(np.float64)
    total, change_N = count_N.sum(), after_N - before_N
    mean = change_N.sum() / total
    rows = len(count_N)
    error = None if rows == 1 else float(np.sqrt(
        np.sum((change_N - mean * count_N) ** 2) * rows / (rows - 1)) / total)
    return {"tokens": int(total), "rows": rows, "loss_before": before_N.sum() / total,
            "loss_after": after_N.sum() / total, "difference": float(mean),
            "standard_error": error, "kl": kl_N.sum() / total,
            "agreement": same_N.sum() / total}


def prediction_change(before, after, tokens_BT, targets_BT, config, twin: str):
    """`prediction_change` of train.py for a batch, (B, 5): both models' logits, slice by slice."""
    package, measure, total = twin_package(twin), measured(twin), 0
    streams = [package.stream(params, tokens_BT, config)[0] for params in (before, after)]
    outer = [params | {"layers": []} for params in (before, after)]
    size = max(1, LOGITS_AT_ONCE // (2 * len(tokens_BT) * config.vocab_size))
    for t in range(0, tokens_BT.shape[1], size):
        some = slice(t, t + size)
        parts = [x_BTD[:, some] for x_BTD in streams]
        total = total + np.asarray(measure(*outer, *parts, targets_BT[:, some]))
    return total


@cache
def measured(twin: str):
    """`prediction_change` of two models' streams, by NumPy or compiled by JAX."""
    package, module = twin_package(twin), import_module(f"minillm.in_{twin}.train")

    def run(before, after, x_BTD, y_BTD, targets_BT):
        return module.prediction_change(package.read(before, x_BTD), package.read(after, y_BTD),
                                        targets_BT)

    if twin == "numpy":
        return run
    import jax
    return jax.jit(run)


def draw(errors: list[dict], drifts: list[dict], path, title: str):
    """A figure: the error of every matrix, and how far the two models are apart after each layer."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    kinds = list(dict.fromkeys(row["name"].rpartition(".")[2] for row in errors))
    for kind in kinds:
        rows = [row for row in errors if row["name"].rpartition(".")[2] == kind]
        layers = [int(row["name"].split(".")[1]) if row["name"].startswith("layers.") else -1
                  for row in rows]
        left.plot(layers, [100 * row["relative"] for row in rows], marker="o", markersize=4,
                  linewidth=1, label=kind)
    left.set(xlabel="layer (-1: embedding and head)", ylabel="error of the matrix (%)", title=title)
    left.legend(frameon=False, fontsize=8)
    for name, style in (("residual", "-"), ("logits", "--")):
        right.plot([row["layer"] for row in drifts], [100 * row[name] for row in drifts], style,
                   marker="o", markersize=4,
                   label={"residual": "residual stream", "logits": "logits read off it"}[name])
    right.set(xlabel="after layer", ylabel="difference from the float model (%)",
              title="drift through the layers")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.set_ylim(bottom=0)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
