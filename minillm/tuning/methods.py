"""What a run of tuning trains: every parameter, or adapters beside a model that stays.

`take_of(whole, base)` returns the `take` of the run (see `training.Method`), where `whole(trained)`
are the parameters of the model, and `base` those beside which adapters are trained, or None.
"""

from functools import partial
from pathlib import Path

import numpy as np

from minillm import training
from minillm.architecture.adapters import adapt, init_adapters
from minillm.config import TrainConfig, TuneConfig
from minillm.formats import adapter, checkpoint
from minillm.loading import Model, fingerprint
from minillm.tuning.data import Data


def of_everything(model: Model, take_of, shared: dict) -> training.Method:
    """Every parameter is trained, and the folder is a model."""
    take = take_of(lambda trained: trained, None)
    return training.Method(lambda: model.params, take, describe=partial(describe, model), **shared)


def of_adapters(package, model: Model, tune: TuneConfig, seed: int, take_of,
                shared: dict) -> training.Method:
    """Adapters are trained, and the folder holds them alone: PEFT's layout."""
    base, of = package.to_device(model.params), fingerprint(model)
    first = init_adapters(model.params, tune.target_names, tune.rank,
                          np.random.default_rng([seed, 4]))
    shared["origin"] |= {"base": of}

    def whole(trained):
        return adapt(base, trained, tune.scale)

    def described(folder: Path):
        base = str(Path(model.source).resolve())
        adapter.save_config(folder, base, of, tune.rank, tune.alpha, tune.target_names)
        checkpoint.save_tokenizer(folder, model.config, model.tokenizer, bool(model.begin),
                                  model.chat_template, model.marks)

    return training.Method(
        lambda: first, take_of(whole, base), describe=described, shapes=first, whole=whole,
        save=adapter.save_adapters,
        read=lambda folder: adapter.load_adapters(folder, model.params), **shared)


def of_answers(package, model: Model, train: TrainConfig, tune: TuneConfig, data: Data, whole,
               base, twin: str):
    """SFT: every step reads conversations."""
    def take(state, first, end):
        batches = data.train.batches(train, first, end)
        if base is None:
            return package.train_steps(state, *batches, model.config, train)
        return package.adapter_steps(state, base, *batches, model.config, train, tune.scale)

    return take


def describe(model: Model, folder: Path):
    """Write into `folder` all of the model but its parameters."""
    checkpoint.save_description(folder, model.config, {}, model.tokenizer,
                                add_bos_token=bool(model.begin), template=model.chat_template,
                                marks=model.marks)
