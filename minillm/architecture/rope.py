"""How fast rotary embedding turns: the frequencies of a model, and the ways to stretch them for longer texts.

Constants, so NumPy makes them for both twins: `ops.rotation` turns by them. What stretches them: `RopeScaling` in config.py.
"""

from math import ceil, floor, log, pi

import numpy as np

from minillm.config import RopeScaling


def frequencies(config, length: int) -> tuple[np.ndarray, float]:
    """(angle per position of each pair (E/2,) in float64, what cos and sin are multiplied with) for
    texts of `length`.

    theta^(-2i/E) for i < E/2: Su et al. 2021, arXiv:2104.09864, section 3.2.2. Stretching: see
    `RopeScaling`.
    """
    E, theta, scaling = config.head_dim, config.rope_theta, config.rope_scaling
    if scaling is not None and scaling.rope_type == "dynamic" and E > 2:
        share = max(length / config.max_position_embeddings, 1)
        theta = theta * (scaling.factor * share - (scaling.factor - 1)) ** (E / (E - 2))
    plain = theta ** (-np.arange(0, E, 2) / E)
    if scaling is None or scaling.rope_type == "dynamic":
        return plain, 1.0
    if scaling.rope_type == "linear":
        return plain / scaling.factor, 1.0
    keep = keep_llama3(plain, scaling) if scaling.rope_type == "llama3" else keep_yarn(config)
    return keep * plain + (1 - keep) * plain / scaling.factor, (1.0 if scaling.rope_type == "llama3"
                                                                else growth(scaling))


def keep_llama3(plain, scaling: RopeScaling):
    """1 where a pair turns at least `high_freq_factor` times within the original context, 0 up to `low_freq_factor` times."""
    turns = scaling.original_max_position_embeddings * plain / (2 * pi)
    ramp = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    return np.clip(ramp, 0, 1)


def keep_yarn(config):
    """1 for the pairs up to the one that turns `beta_fast` times within the original context, 0 from `beta_slow` times on."""
    E, scaling = config.head_dim, config.rope_scaling

    def pair_that_turns(times):
        return E * log(scaling.original_max_position_embeddings / (times * 2 * pi)) / (
            2 * log(config.rope_theta))

    low, high = pair_that_turns(scaling.beta_fast or 32), pair_that_turns(scaling.beta_slow or 1)
    low, high = (floor(low), ceil(high)) if scaling.truncate else (low, high)
    low, high = max(low, 0), min(high, E - 1)
    high = high + 0.001 if low == high else high
    return 1 - np.clip((np.arange(E // 2) - low) / (high - low), 0, 1)


def growth(scaling: RopeScaling) -> float:
    """What YaRN multiplies cos and sin with, so that attention stays as sharp over a longer text."""
    if scaling.attention_factor is not None:
        return float(scaling.attention_factor)

    def grown(weight):
        return 0.1 * weight * log(scaling.factor) + 1

    if scaling.mscale and scaling.mscale_all_dim:
        return grown(scaling.mscale) / grown(scaling.mscale_all_dim)
    return grown(1)
