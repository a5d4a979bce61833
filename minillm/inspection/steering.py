"""Generate text with edits, such as a direction that steers it, and record every step.

    direction = contrast(model, ["happy and glad"], ["sad and gloomy"], layer=2)
    text = "".join(generate(model, "Once there was", [add("layers.2.resid_pre", 4 * direction)]))

Turner et al. 2023, arXiv:2308.10248, section 3; Panickssery et al. 2023, arXiv:2312.06681.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from minillm.config import GenerateConfig, check_finite, check_prompt
from minillm.errors import UserError
from minillm.inspection.activations import axes_of, matching
from minillm.inspection.dispatch import forward, one_text, prompt_rows
from minillm.inspection.edit import Edit, editor, prepared
from minillm.inspection.record import run
from minillm.loading import Model, twin_package
from minillm.text.tokenizer import decode_stream

ROOM = 64  # prompts and caches are padded to a multiple of this in JAX, so that few shapes are compiled


def contrast(model: Model, for_these: Sequence, against_these: Sequence, layer: int,
             twin: str = "jax") -> np.ndarray:
    """The direction (D,) between two kinds of prompts: the difference of mean last resid_pre."""
    name = f"layers.{layer}.resid_pre"
    last = lambda prompt: [run(model, row[None], [name], (), twin)[1][name][0, -1]
                           for row in prompt_rows(model, prompt)]
    means = [np.mean([x_D for prompt in prompts for x_D in last(prompt)], axis=0)
             for prompts in (for_these, against_these)]
    return means[0] - means[1]


def generate(model: Model, prompt, edits: Sequence[Edit] = (), twin: str = "jax",
             **options) -> Iterator[str]:
    """Yield the model's continuation piece by piece, with the edits at every step.

    The options are those of GenerateConfig.
    """
    tokens = (token for token, _ in record_generation(model, prompt, (), edits, twin, **options))
    return decode_stream(model.tokenizer, tokens)


def record_generation(model: Model, prompt, names: str | Sequence[str] = "*",
                      edits: Sequence[Edit] = (), twin: str = "jax",
                      **options) -> Iterator[tuple[int, dict]]:
    """Yield (token, record of the pass that chose it): first of the whole prompt, then per token.

    Without edits these are the tokens that `minillm generate` writes. The keys of `scores` and
    `pattern` start at the first token. Raises UserError for edits at positions, or with arrays of a
    whole text: a step has one position.
    """
    sampling, model, config = GenerateConfig(**options), model.on(twin), model.config
    ids = one_text(model, prompt, "a continuation")[0].tolist()
    check_prompt(ids, config)
    if any(edit.positions is not None for edit in edits):
        raise UserError("edits while generating change every position: leave positions out")
    names, package = matching(names, config), twin_package(twin)
    plan, values = prepared(edits, config, [1], 1, model.params["norm"].dtype)
    count = min(sampling.max_new_tokens, config.max_position_embeddings - len(ids))
    coins = np.random.default_rng(sampling.seed).random(count, np.float32)
    room = len(ids) + count if twin == "numpy" else -(-(len(ids) + count) // ROOM) * ROOM
    cache = package.init_cache(config, 1, room, model.params["norm"].dtype)
    seen_V, new = np.isin(np.arange(config.vocab_size), ids), ids
    for at in range(count):
        padded = new if twin == "numpy" or at else new + [0] * (
            min(-(-len(new) // ROOM) * ROOM, room) - len(new))
        logits_BTV, cache, seen = _step(twin)(model.params, np.array(padded, np.int32)[None], cache,
                                              values, config, names, plan)
        length = len(ids) + at
        cache = cache | {"length": length}
        logits_V = logits_BTV[0, len(new) - 1]
        check_finite(package.are_finite(logits_V))
        token = int(package.sample(logits_V, coins[at], sampling, seen_V))
        if token in config.end_tokens:
            return
        yield token, {name: _visible(np.asarray(seen[name]), axes_of(name), len(new), length)
                      for name in names}
        seen_V, new = seen_V | (np.arange(len(seen_V)) == token), [token]


def _visible(x, axes: str, length: int, keys: int):
    """An activation without the padding of positions and keys."""
    for axis, letter in enumerate(axes):
        if letter in "TS":
            x = x.take(np.arange(length if letter == "T" else keys), axis)
    return x


def _step(twin: str):
    """One pass with a cache: (logits, cache, record)."""
    if twin == "jax":
        from minillm.inspection import compiled
        return compiled.step

    def step(params, tokens_BT, cache, values, config, names, plan):
        seen = {}
        logits_BTV, cache = forward(twin, config)(params, tokens_BT, config, cache,
                                                  editor(plan, values, names, seen, np.where))
        return logits_BTV, cache, {name: np.array(x) for name, x in seen.items()}

    return step
