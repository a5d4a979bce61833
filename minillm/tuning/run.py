"""A run of tuning: the training loop with conversations for its text, all of the model or adapters.

    run -> training.run -> steps -> take -> in_X.train_steps or in_X.adapter_steps
"""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from minillm import training
from minillm.architecture.adapted import adapt, bytes_to_train, check_targets, init_adapters
from minillm.architecture.family import family
from minillm.architecture.quantized import scheme_of
from minillm.architecture.tree import flatten
from minillm.config import GenerateConfig, TrainConfig, TuneConfig
from minillm.errors import UserError
from minillm.files import megabytes
from minillm.formats import adapter, checkpoint
from minillm.loading import Model, fingerprint, twin_package
from minillm.tuning.answers import texts, write
from minillm.tuning.data import Data
from minillm.tuning.rendering import ask_template

NEW_TOKENS = 32  # of a sample


def run(folder, model: Model, train: TrainConfig, how: TuneConfig, data: Data, *,
        twin: str = "jax", **options) -> dict:
    """`training.run` on conversations, from `model` on; returns its summary. Raises UserError."""
    check(model, how)
    ready(train, twin)
    package = twin_package(twin)
    shared = dict(rows=data.rows, sample=partial(sample, model, data, twin),
                  epochs=lambda step: step * train.batch_size / len(data.train.tokens_RT),
                  origin={f"tune {name}": value for name, value in asdict(how).items()})
    if how.method == "lora":
        method = of_adapters(package, model, train, how, data, shared)
    else:
        method = of_everything(package, model, train, data, shared)
    return training.run(folder, model.config, train, data, model.tokenizer, twin=twin,
                        method=method, **options)


def of_everything(package, model: Model, train: TrainConfig, data: Data,
                  shared: dict) -> training.Method:
    """Every parameter is trained, and the folder is a model."""
    def take(state, first, end):
        return package.train_steps(state, *data.train.batches(train, first, end), model.config,
                                   train)

    return training.Method(lambda: model.params, take, describe=partial(describe, model), **shared)


def of_adapters(package, model: Model, train: TrainConfig, how: TuneConfig, data: Data,
                shared: dict) -> training.Method:
    """Adapters are trained, and the folder holds them alone: PEFT's layout."""
    base, of = package.to_device(model.params), fingerprint(model)
    first = init_adapters(model.params, how.target_names, how.rank,
                          np.random.default_rng([train.seed, 4]))
    shared["origin"] |= {"base": of}

    def take(state, begin, end):
        return package.adapter_steps(state, base, *data.train.batches(train, begin, end),
                                     model.config, train, how.scale)

    def described(folder: Path):
        base = str(Path(model.source).resolve())
        adapter.save_config(folder, base, how.rank, how.alpha, how.target_names)
        checkpoint.save_tokenizer(folder, model.config, model.tokenizer, bool(model.begin),
                                  model.chat_template, model.marks)

    return training.Method(
        lambda: first, take, describe=described, shapes=first,
        whole=lambda trained: adapt(base, trained, how.scale),
        save=lambda folder, trained: adapter.save_adapters(folder, trained, of),
        read=lambda folder: adapter.load_adapters(folder, model.params)[0], **shared)


def check(model: Model, how: TuneConfig):
    """Refuse a model that cannot be tuned so. Raises UserError."""
    kind = family(model.config)
    if not kind.backward_by_hand:
        raise UserError(f"{model.source}: a {kind.name} can be read and run, not trained")
    scheme = scheme_of(model.params)
    if scheme and (how.method != "lora" or scheme.activations):
        raise UserError(f"{model.source}: its matrices are quantized: take --method lora, or tune "
                        "the model that it was made from")
    if how.method == "lora":
        check_targets(model.params, how.target_names)


def ready(train: TrainConfig, twin: str):
    """Let the CPU be as many devices as the run wants, before JAX begins to compute."""
    if twin == "jax":
        from minillm.in_jax.sharding import use_cpu_devices
        use_cpu_devices(train.cpu_devices)


def describe(model: Model, folder: Path):
    """Write into `folder` all of the model but its parameters."""
    checkpoint.save_description(folder, model.config, {}, model.tokenizer,
                                add_bos_token=bool(model.begin), template=model.chat_template,
                                marks=model.marks)


def sample(model: Model, data: Data, twin: str, params, step: int) -> str:
    """A held-out question, another one at each step, and what the model answers."""
    messages = data.questions[step % len(data.questions)]
    text = ask_template(model, [(messages, True)])[0]["text"]
    prompt = model.tokenizer.encode(text, allow_special=True)
    answer = write(replace(model, params={}), [prompt],
                   GenerateConfig(max_new_tokens=NEW_TOKENS, temperature=0), twin, params)
    return f"{messages[-1]['content']} -> {texts(model, answer)[0]}"


def cost(model: Model, how: TuneConfig) -> str:
    """How much was trained, and the memory that it takes, in words."""
    params = model.params
    trained = params if how.method == "sft" else init_adapters(
        params, how.target_names, how.rank, np.random.default_rng(0))
    count, total = (sum(leaf.size for leaf in flatten(tree).values()) for tree in (trained, params))
    need = bytes_to_train(params if how.method == "lora" else {}, trained)
    return (f"trained {count:,} numbers beside a model of {total:,} ({count / total:.1%}): with "
            f"gradients and moments {megabytes(need)}, activations not counted")
