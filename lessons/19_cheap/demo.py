"""Lesson 19: counting what a model costs, and holding the count against a clock and a meter."""

import time

import numpy as np

from minillm.course.demos import beside, main, measured

shown = beside(__file__, "shown")
tables, figures = shown.tables, shown.figures

# layers, width, feed-forward width, heads, vocabulary
THIN, WIDE = (24, 64, 176, 2, 256), (2, 1024, 2816, 8, 32_000)
SIZES = {"15M": (6, 288, 768, 6, 32_000), "42M": (8, 512, 1376, 8, 32_000),
         "110M": (12, 768, 2048, 12, 32_000)}
ROUNDS, WRITTEN, CONTEXT = 4, 24, 256
GRAM = 385  # CO2 of a kilowatt hour, as LLaMA's paper has it


def compute(console, full):
    from minillm.architecture import cost

    exact = {"models": {name: counted(shape(SIZES[name])) for name in SIZES},
             "published": published(), "share": share_of_attention(shape(SIZES["110M"])),
             "written": WRITTEN, "thin": list(THIN), "wide": list(WIDE), "llama": counted(large())}
    found, configs = {}, {name: shape(of) for name, of in SIZES.items()}
    configs |= {"thin": shape(THIN), "wide": shape(WIDE)}
    for twin in ("numpy", "jax"):
        seconds = writing(configs, twin)
        a_layer = seconds["thin"] / THIN[0]
        rate = cost.weight_bytes(configs["wide"]) / (seconds["wide"] - WIDE[0] * a_layer)
        found[f"{twin}_layer_us"] = measured(a_layer * 1e6, 1, 2000)
        found[f"{twin}_rate_gb"] = measured(rate / 1e9, 1, 500)
        for name in SIZES:
            size, layers = cost.weight_bytes(configs[name]), configs[name].num_hidden_layers
            guess = size / rate + layers * a_layer
            found[f"{twin}_{name}_predicted"] = measured(1 / guess, 1, 10_000)
            found[f"{twin}_{name}_bound"] = measured(rate / size, 1, 10_000)
            found[f"{twin}_{name}"] = measured(1 / seconds[name], 1, 10_000)
            found[f"{twin}_{name}_off"] = measured(guess / seconds[name] - 1, -0.6, 0.6)
            console.print(f"{twin} {name}: predicted {1 / guess:.0f} tokens/s, wrote "
                          f"{1 / seconds[name]:.0f}")
    held, promised = training_memory()
    found["memory_held"] = measured(held / 1e6, 0.9 * promised / 1e6, 1.1 * promised / 1e6)
    return {"exact": exact | {"memory": promised / 1e6}, "measured": found}


# ---- On paper -----------------------------------------------------------------------------------


def shape(of, context=CONTEXT):
    """The config of (layers, width, feed-forward width, heads, vocabulary)."""
    from minillm.config import ModelConfig
    L, D, F, H, V = of
    return ModelConfig(V, D, F, L, H, H, D // H, context, eos_token_id=None)


def large():
    """LLaMA-65B (arXiv:2302.13971, table 2)."""
    from minillm.config import ModelConfig
    return ModelConfig(32_000, 8192, 22_016, 80, 64, 64, 128, 2048, tie_word_embeddings=False)


def counted(config):
    """What `minillm cost` counts of a config."""
    from minillm.architecture import cost
    context = config.max_position_embeddings
    forward = cost.forward_flop(config, context)
    return {"numbers": sum(cost.sizes(config).values()),
            "products": cost.sizes(config)["products"], "bytes": cost.weight_bytes(config),
            "flop": sum(forward.values()) / context, "flop_products": forward["products"] / context,
            "flop_attention": forward["attention"] / context,
            "cache": cost.cache_bytes(config, context)}


def share_of_attention(config):
    """[(context, share of a training's operations that attention takes)]."""
    from minillm.architecture import cost
    points = []
    for context in (64, 256, 1024, 4096, 16_384, 65_536):
        flop = cost.training_flop(config, 1, context)
        points.append([context, flop["attention"] / sum(flop.values())])
    return points


def published():
    """Energy and CO2 of LLaMA from its GPU hours, and the share of the peak that they imply."""
    from minillm.architecture import cost
    from minillm.config import ModelConfig
    from minillm.training import machines
    rows = []
    for name, D, F, L, H, tokens, hours, mwh, tonnes in (
            ("LLaMA-7B", 4096, 11_008, 32, 32, 1.0e12, 82_432, 36, 14),
            ("LLaMA-13B", 5120, 13_824, 40, 40, 1.0e12, 135_168, 59, 23),
            ("LLaMA-33B", 6656, 17_920, 60, 52, 1.4e12, 530_432, 233, 90),
            ("LLaMA-65B", 8192, 22_016, 80, 64, 1.4e12, 1_022_362, 449, 173)):
        config = ModelConfig(32_000, D, F, L, H, H, D // H, 2048, tie_word_embeddings=False)
        kwh = machines.kilowatt_hours(hours, 400, 1.1)
        flop = sum(cost.training_flop(config, tokens, 2048).values())
        rows.append({"model": name, "hours": hours, "mwh": kwh / 1000, "published_mwh": mwh,
                     "tonnes": machines.tonnes_of_co2(kwh, GRAM), "published_tonnes": tonnes,
                     "sustained": flop / (hours * 3600 * machines.MACHINES["a100"].flops)})
    return rows


# ---- By the clock, and by the meter -------------------------------------------------------------


def writing(configs, twin):
    """{name: seconds a token of one text}: the median of rounds that take turns."""
    from minillm.architecture.llama import init
    from minillm.config import GenerateConfig
    from minillm.loading import Model
    how, models = GenerateConfig(max_new_tokens=WRITTEN + 1, temperature=0), {}
    for name, config in configs.items():
        params = init(config, np.random.default_rng(0))
        models[name] = Model(config, params, None, name).on(twin, writing=True)
    seconds = {name: [] for name in configs}
    for _ in range(ROUNDS):
        for name, model in models.items():
            times = [time.perf_counter() for _ in model.continuation([1, 2, 3], twin, how)]
            seconds[name].append((times[-1] - times[0]) / (len(times) - 1))
    return {name: float(np.median(each[1:])) for name, each in seconds.items()}


def training_memory():
    """Bytes that NumPy holds at the end of a forward pass for training, and what the count says."""
    from minillm.architecture import cost
    from minillm.architecture.llama import init
    from minillm.in_numpy import model
    config = shape((4, 128, 344, 4, 512), context=128)
    params = init(config, np.random.default_rng(0))
    tokens = np.random.default_rng(1).integers(0, 512, (8, 128))
    kept = []

    def tap(name, x):
        kept.append(x.nbytes)
        return x

    logits, _ = model.forward(params, tokens, config, tap=tap)
    return (sum(kept) + logits.nbytes,
            cost.training_bytes(config, 8, 128)["activations"])


if __name__ == "__main__":
    main(globals())
