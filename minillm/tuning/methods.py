"""What a run of tuning trains: every parameter, or adapters beside a model that stays."""

from functools import partial
from pathlib import Path

import numpy as np

from minillm import training
from minillm.architecture.adapters import adapt, init_adapters
from minillm.config import TrainConfig, TuneConfig
from minillm.formats import adapter, checkpoint
from minillm.loading import Model, fingerprint
from minillm.tuning.data import Data


def of_everything(package, model: Model, train: TrainConfig, data: Data,
                  shared: dict) -> training.Method:
    """Every parameter is trained, and the folder is a model."""
    def take(state, first, end):
        return package.train_steps(state, *data.train.batches(train, first, end), model.config,
                                   train)

    return training.Method(lambda: model.params, take, describe=partial(describe, model), **shared)


def of_adapters(package, model: Model, train: TrainConfig, tune: TuneConfig, data: Data,
                shared: dict) -> training.Method:
    """Adapters are trained, and the folder holds them alone: PEFT's layout."""
    base, of = package.to_device(model.params), fingerprint(model)
    first = init_adapters(model.params, tune.target_names, tune.rank,
                          np.random.default_rng([train.seed, 4]))
    shared["origin"] |= {"base": of}

    def take(state, begin, end):
        return package.adapter_steps(state, base, *data.train.batches(train, begin, end),
                                     model.config, train, tune.scale)

    def described(folder: Path):
        base = str(Path(model.source).resolve())
        adapter.save_config(folder, base, of, tune.rank, tune.alpha, tune.target_names)
        checkpoint.save_tokenizer(folder, model.config, model.tokenizer, bool(model.begin),
                                  model.chat_template, model.marks)

    return training.Method(
        lambda: first, take, describe=described, shapes=first,
        whole=lambda trained: adapt(base, trained, tune.scale),
        save=adapter.save_adapters,
        read=lambda folder: adapter.load_adapters(folder, model.params), **shared)


def describe(model: Model, folder: Path):
    """Write into `folder` all of the model but its parameters."""
    checkpoint.save_description(folder, model.config, {}, model.tokenizer,
                                add_bos_token=bool(model.begin), template=model.chat_template,
                                marks=model.marks)
