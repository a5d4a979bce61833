"""Lesson 11 on SmolLM2-135M: where its large inputs are, which of them int8 hurts, what it costs.

The costs of whole schemes are read from benchmarks/results/real_quantization.json.
"""

from pathlib import Path

from minillm.course.demos import main, measured, smollm2, unbroken, values

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "results" / "real_quantization.json"
ROWS, WIDTH, THRESHOLD = 16, 160, 6.0          # stories, tokens of each; LLM.int8()'s threshold
INPUTS = {"attn_in": "q, k, v", "z": "o_proj", "mlp_in": "gate, up", "mlp_post": "down_proj"}
SCHEMES = ("int8-channel", "int8-group32", "int8-channel-a8", "int8-channel-a8, smoothquant",
           "int8-channel-a8, llm-int8")


def compute(console, full):
    import numpy as np

    model = smollm2()
    ids_NT = np.array(rows(model))
    largest, error = {tap: [] for tap in INPUTS}, {tap: [] for tap in INPUTS}
    losses = {None: losses_of(model, ids_NT)}
    for tap in INPUTS:
        losses[tap] = losses_of(model, ids_NT, tap, largest[tap], error[tap])
    exact = {"layers": len(largest["z"]), "tokens": ids_NT.size, "rows": len(ids_NT),
             "threshold": THRESHOLD, "at": {}, "costs": costs()}
    found = {}
    for tap, of in largest.items():
        largest_LI, change_N = np.array(of), losses[tap] - losses[None]
        layer, channel = map(int, np.unravel_index(largest_LI.argmax(), largest_LI.shape))
        exact["at"][tap] = {"layer": layer, "channel": channel}
        found[tap] = measured([float(value) for value in (
            largest_LI.max(), np.median(largest_LI[layer]), np.median(error[tap]),
            max(error[tap]))], 0.0, 1e5)
        found[f"{tap}_ratio"] = measured(float(largest_LI.max() / np.median(largest_LI[layer])),
                                         2.0, 1e4)
        found[f"{tap}_share"] = measured(float(np.mean(largest_LI >= THRESHOLD)), 0.0, 0.2)
        found[f"{tap}_loss"] = measured([float(value) for value in (
            change_N.mean(), change_N.std(ddof=1) / len(change_N) ** 0.5)], -0.05, 0.2)
        console.print(f"{INPUTS[tap]}: up to {largest_LI.max():.1f}, layer {layer}, input "
                      f"{channel}; in int8 the loss grows by {change_N.mean():.4f}")
    often = np.bincount(np.argmax(largest["attn_in"], axis=1))
    exact["often"] = {"channel": int(often.argmax()), "layers": int(often.max())}
    return {"exact": exact, "measured": found}


def rows(model):
    """The beginnings of held-out stories of the story world, as ids."""
    from minillm.text.storyworld import corpus
    texts = (model.text_ids(text) for text in corpus(0, "validation", 100_000))
    return [ids[:WIDTH] for ids in texts if len(ids) >= WIDTH][:ROWS]


def losses_of(model, ids_NT, kind=None, largest=None, error=None):
    """Nats a token of each row, where the inputs of one kind are rounded to int8, weights not.

    `largest` and `error` are given what each layer has: |x| of each input, the error of rounding.
    """
    import jax
    import numpy as np

    from minillm.in_jax.model import block_alone, embed
    from minillm.in_jax.quantize import quantize_tokens
    from minillm.in_numpy.model import final_norm, unembedding
    from minillm.in_numpy.ops import cross_entropy, linear

    @jax.jit
    def through(layer, x_BTD):
        inputs = {}

        def tap(name, x):
            if name != kind:
                return x
            order = (0, 3, 1, 2, 4) if name == "z" else (0, 1, 2)       # z: heads before tokens
            x_BTX = x.transpose(order)
            inputs["x"] = x_TI = x_BTX.reshape(x.shape[0] * WIDTH, -1)
            a_TI, s_T1 = quantize_tokens(x_TI)
            inputs["rounded"] = a_TI * s_T1
            return inputs["rounded"].reshape(x_BTX.shape).transpose(np.argsort(order))

        return block_alone(layer, x_BTD, model.config, tap)[0], inputs

    params, x_BTD = model.params, embed(model.params, ids_NT, model.config)
    for layer in params["layers"]:
        x_BTD, inputs = through(layer, x_BTD)
        if kind:
            x_TI, rounded_TI = (np.asarray(inputs[name]) for name in ("x", "rounded"))
            lost_T, size_T = (np.linalg.norm(y, axis=1) for y in (x_TI - rounded_TI, x_TI))
            largest.append(np.abs(x_TI).max(0))
            error.append(float(np.mean(lost_T / size_T)))
    x_NTD = final_norm(params, np.asarray(x_BTD), model.config)
    return np.array([cross_entropy(linear(x_TD[:-1], unembedding(params))[None], ids_T[None, 1:])
                     for x_TD, ids_T in zip(x_NTD, ids_NT)], np.float64)


def costs() -> dict:
    """What int8 costs, on Python's documentation: rows of the benchmark."""
    import numpy as np

    from minillm.files import read_json
    found = read_json(BENCHMARK)
    keys = ("bits_per_weight", "bytes", "difference", "standard_error")
    of = {scheme: found["rows"][f"as stored, {scheme}"] for scheme in SCHEMES}
    plain_N, smooth_N, mixed_N = (np.array(of[scheme]["losses"]) for scheme in SCHEMES[2:])
    tokens = found["tokens"] / len(plain_N)                  # of a row
    back = {name: (plain_N - losses_N) / tokens
            for name, losses_N in (("smoothquant", smooth_N), ("llm_int8", mixed_N))}
    return {"tokens": found["tokens"], "rows": len(plain_N),
            "of": {scheme: {key: row[key] for key in keys} for scheme, row in of.items()},
            "back": {name: [change_N.mean(), change_N.std(ddof=1) / len(change_N) ** 0.5]
                     for name, change_N in back.items()}}


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    at = Table("inputs of", "largest", "layer, input", "typical", "times", "error", "loss",
               title="Typical: what the median input of that layer reaches. Error: of a token's "
               "inputs rounded to int8, of their size, mean over tokens, median of layers. Loss: "
               "its change where these inputs alone are rounded, nats a token")
    for tap, about in INPUTS.items():
        (largest, typical, error, _), (loss, by) = found[tap], found[f"{tap}_loss"]
        place = exact["at"][tap]
        at.add_row(about, f"{largest:,.1f}", f"{place['layer']}, {place['channel']}",
                   f"{typical:.2f}", f"{found[f'{tap}_ratio']:,.0f}", f"{error:.1%}",
                   unbroken(f"{loss:+.4f}±{by:.4f}"))
    yield "inputs", at
    cost = Table("", "bits per weight", "MB", "loss",
                 title=f"Change of the loss on {exact['costs']['tokens']:,} tokens of Python's "
                 "documentation, nats a token, and its standard error over "
                 f"{exact['costs']['rows']} rows")
    for scheme, row in exact["costs"]["of"].items():
        cost.add_row(unbroken(scheme), f"{row['bits_per_weight']:.2f}", f"{row['bytes'] / 1e6:.1f}",
                     unbroken(f"{row['difference']:+.4f}±{row['standard_error']:.4f}"))
    yield "costs", cost


if __name__ == "__main__":
    main(globals())
