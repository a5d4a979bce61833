"""A run of tuning: the training loop with conversations for its text, all of the model or adapters.

    run -> training.run -> steps -> take -> in_X.train_steps or in_X.adapter_steps
"""

from dataclasses import asdict, replace
from functools import partial

import numpy as np

from minillm import training
from minillm.architecture.adapters import bytes_to_train, check_targets, init_adapters
from minillm.architecture.family import family
from minillm.architecture.quantized import scheme_of
from minillm.architecture.tree import flatten
from minillm.config import GenerateConfig, TrainConfig, TuneConfig
from minillm.errors import UserError, require
from minillm.files import megabytes
from minillm.loading import Model, twin_package
from minillm.tuning.answers import NEW_TOKENS, texts, write
from minillm.tuning.compared import check_task, of_pairs
from minillm.tuning.data import Data
from minillm.tuning.methods import of_adapters, of_answers, of_everything
from minillm.tuning.rendering import ask_template
from minillm.tuning.rewarded import of_rewards


def run(folder, model: Model, train: TrainConfig, tune: TuneConfig, data: Data, *,
        twin: str = "jax", **options) -> dict:
    """`training.run` on conversations, from `model` on; returns its summary. Raises UserError."""
    check(model, train, tune)
    check_task(data, tune)
    ready(train, twin)
    package = twin_package(twin)
    shared = dict(rows=data.rows, sample=partial(sample, model, data, twin),
                  epochs=lambda step: step * train.batch_size / len(data.train.tokens_RT),
                  origin={f"tune {name}": value for name, value in asdict(tune).items()})
    aims = {"dpo": of_pairs, "grpo": of_rewards}
    if tune.method in aims:                 # their aim is no loss on given answers: keep the last
        options["keep"] = options.get("keep") or "last"
    aim = aims.get(tune.method, of_answers)

    def take_of(whole, base):
        return aim(package, model, train, tune, data, whole, base, twin)

    if tune.adapts:
        method = of_adapters(package, model, tune, train.seed, take_of, shared)
    else:
        method = of_everything(model, take_of, shared)
    return training.run(folder, model.config, train, data, model.tokenizer, twin=twin,
                        method=method, **options)


def check(model: Model, train: TrainConfig, tune: TuneConfig):
    """Refuse a model that cannot be tuned so, and rows that make no groups. Raises UserError."""
    together = {"grpo": tune.group, "dpo": 2}.get(tune.method, 1)
    require(train.batch_size % together == 0, "batch_size", train.batch_size,
            f"a multiple of {together}, the answers to a question")
    kind = family(model.config)
    if not kind.backward_by_hand:
        raise UserError(f"{model.source}: a {kind.name} can be read and run, not trained")
    scheme = scheme_of(model.params)
    if scheme and (not tune.adapts or scheme.activations):
        raise UserError(f"{model.source}: its matrices are quantized: take --method lora, or tune "
                        "the model that it was made from")
    if tune.adapts:
        check_targets(model.params, tune.target_names)


def ready(train: TrainConfig, twin: str):
    """Let the CPU be as many devices as the run wants, before JAX begins to compute."""
    if twin == "jax":
        from minillm.in_jax.sharding import use_cpu_devices
        use_cpu_devices(train.cpu_devices)


def sample(model: Model, data: Data, twin: str, params, step: int) -> str:
    """A held-out question, another one at each step, and what the model answers."""
    messages = data.questions[step % len(data.questions)]
    text = ask_template(model, [(messages, True)])[0]["text"]
    prompt = model.tokenizer.encode(text, allow_special=True)
    answer = write(replace(model, params={}), [prompt],
                   GenerateConfig(max_new_tokens=NEW_TOKENS, temperature=0), twin, params,
                   length=data.held_out.longest)
    return f"{messages[-1]['content']} -> {texts(model, answer)[0]}"


def cost(model: Model, tune: TuneConfig) -> str:
    """How much was trained, and the memory that it takes, in words."""
    params = model.params
    trained = params if not tune.adapts else init_adapters(
        params, tune.target_names, tune.rank, np.random.default_rng(0))
    count, total = (sum(leaf.size for leaf in flatten(tree).values()) for tree in (trained, params))
    need = bytes_to_train(params if tune.adapts else {}, trained)
    what = "gradients, moments" + " and the model" * tune.adapts
    return (f"trained {count:,} numbers, {count / total:.1%} of the model's {total:,}: with {what} "
            f"{megabytes(need)}, activations not counted")
