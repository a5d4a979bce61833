"""The one training loop, for either twin: batches in, losses out, evaluation, log, save, resume.

    run -> steps -> train_steps (in_numpy or in_jax) -> train_step -> loss_and_grads -> forward

`steps` is the loop alone, without a folder; `run` is what stands around it.

A run is resumed bit for bit. Three things make that true: a batch is a function of (seed, step);
the state on disk is one file; and the steps that one dispatch takes are cut at the same places
whether or not the run was interrupted.

The state is always the last one, and a run goes on from it. The model beside it is the last one
too, or (keep="best") that of the evaluation with the lowest held-out loss so far: a small text is
soon learned by heart.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from minillm.architecture.llama import count, init
from minillm.architecture.tree import tree_map
from minillm.config import GenerateConfig, ModelConfig, TrainConfig
from minillm.errors import UserError, require
from minillm.files import gigabytes, machine_memory, make_folder, write_json
from minillm.formats import checkpoint
from minillm.loading import twin_package
from minillm.text.dataset import Dataset, batch, row_starts, rows_of_epoch
from minillm.training.callbacks import Callbacks
from minillm.training.curves import held_out_losses, lowest
from minillm.training.energy import Meter
from minillm.training.evaluation import HeldOut, evaluate, held_out
from minillm.training.hosts import ALONE, Alone
from minillm.training.state import (
    METRICS,
    STATE,
    append_metrics,
    load_training,
    save_training,
    training_notes,
    truncate_metrics,
)

KEEP = ("best", "last")


@dataclass(frozen=True)
class Method:
    """How a run differs from plain training of a fresh model. Distillation and tuning give theirs.

    `begin()` returns the first parameters; `take(state, first, end)` takes the steps from `first`
    up to `end` and returns the next state and metrics, as `train_steps` does; `origin` is what else
    must be equal when the run is resumed: names and values; `describe(folder)` writes all of the
    checkpoint but its parameters, once, where the run does not do it itself.

    Where not all of a model is trained, `whole(trained)` returns its parameters, `shapes` is the
    tree of what is trained, and `save(folder, trained)` and `read(folder)` keep that in the folder.
    `rows(count)` are the held-out rows and `epochs(step)` how often the data was read, where the
    data is no text; `sample(params, step)` writes the sample of a step.
    """

    begin: Callable[[], dict] | None = None
    take: Callable | None = None
    origin: dict | None = None
    describe: Callable[[Path], None] | None = None
    whole: Callable[[dict], dict] = lambda trained: trained
    shapes: dict | None = None
    save: Callable[[Path, dict], None] | None = None
    read: Callable[[Path], dict] | None = None
    rows: Callable[[int | None], HeldOut] | None = None
    epochs: Callable[[int], float] | None = None
    sample: Callable[[dict, int], str] | None = None


def steps(model, state, text, config: ModelConfig, train: TrainConfig, take=None) -> Iterator:
    """Train from `state` on to the last step; yield (step, state, metrics) after each dispatch.

    `step` is how many steps have been taken, metrics are arrays (N,) of the dispatch's N steps:
    loss (nats per token), grad_norm, learning_rate. `text` is as in `batches`, `take` as in
    `Method`. A state that was yielded is overwritten by the next dispatch (jax).
    """
    step = int(state["step"])
    while step < train.steps:
        edge = next_edge(step, train)
        with np.errstate(all="ignore"):                # `run` finds what is not finite
            if take is not None:
                state, metrics = take(state, step, edge)
            else:
                tokens_NBT, targets_NBT = batches(text, train, step, edge)
                state, metrics = model.train_steps(state, tokens_NBT, targets_NBT, config, train)
        step = edge
        yield step, state, {name: np.asarray(values) for name, values in metrics.items()}


def run(folder, config: ModelConfig, train: TrainConfig, dataset: Dataset, tokenizer, *,
        twin: str = "jax", resume: bool = False, keep: str | None = None,
        callbacks: Callbacks | None = None, method: Method = Method(),
        hosts: Alone = ALONE) -> dict:
    """Train a model in `folder` until it is done or interrupted; returns the summary.

    Ctrl-C and SIGTERM interrupt it: it saves, and can be resumed. `hosts` are those that share the
    run (see in_jax/hosts.py); each of them calls this. `keep` says whose parameters are in
    model.safetensors: "last", or "best", those of the evaluation after step 0 with the lowest
    held-out loss. None: best, but last where the exact floor is known.

    The folder is a checkpoint that loads (see checkpoint.py) with metrics.jsonl beside it: one line
    a step with `loss` in nats per token, and one line an evaluation with `held_out`. `tokens`,
    `seconds` and `joules` of the summary are this call's; `joules` is None where the machine does
    not measure them (see energy.py); `tokens_per_second` leaves out what compiles, evaluates and
    saves; `epochs` is how many times the text was read; `model_step` is the step of the model in
    the folder, and the losses are that model's on all held-out rows; `lowest` is the
    evaluation ({"step", "held_out"}, on `train.eval_rows` rows) with the lowest loss. Raises
    UserError for a folder that holds another run, a text too short for the context, settings that
    changed before resuming, a loss that is not finite.
    """
    keep = keep or ("best" if dataset.floor_nats is None else "last")
    require(keep in KEEP, "keep", keep, " or ".join(KEEP))
    place = placing(train, twin, hosts)
    hosts.agree(options=(asdict(config), asdict(train), keep, resume), data=dataset.fingerprint)
    folder = prepare_folder(folder, resume) if hosts.first else Path(folder)
    if method.rows is None:  # refuses a text that is too short
        batch(dataset.train, 0, seed=train.seed, batch_size=1, context=train.context)
    progress = _Run(folder, twin_package(twin), config, train, dataset, tokenizer, keep,
                    callbacks or Callbacks(), method,
                    rows_of(method, dataset, train, train.eval_rows), hosts, place)
    state = progress.resume() if resume else progress.begin()
    step = first = int(state["step"])
    began, clock, meter = time.perf_counter(), _Clock(train.batch_size * train.context), Meter()
    dispatches = steps(progress.model, state, dataset, config, train,
                       progress.take_own_rows if hosts.several else method.take)
    with signals_to_flag() as interrupted:
        progress.callbacks.started(step)
        while step < train.steps and not hosts.any(interrupted.is_set()):
            progress.look(state)
            clock.start()
            step, state, metrics = next(dispatches)
            progress.log(step, metrics)
            clock.stop(len(metrics["loss"]))
            meter.read()
            progress.callbacks.stepped(step, metrics["loss"][-1].item(), clock.speed)
            if step % train.save_every == 0 and step < train.steps:
                progress.save(state)
        progress.save(state)
        seconds, tokens = time.perf_counter() - began, (step - first) * clock.tokens_per_step
        summary = {"done": step == train.steps, "step": step, "seconds": seconds, "tokens": tokens,
                   "joules": meter.read(), "tokens_per_second": clock.speed or tokens / seconds,
                   "epochs": (method.epochs or partial(epochs, dataset, train))(step)}
        summary |= progress.measured_at_the_end(state) if summary["done"] else {}
        summary |= {"keep": keep, "model_step": progress.best["step"] if progress.best else step}
        if summary["done"] and hosts.first:
            write_json(folder / "summary.json", summary)
        progress.callbacks.finished()
    return summary


@dataclass
class _Run:
    """The folder of a run while it goes on, and what is known so far.

    `best` is {"step", "held_out"} of the model in the folder, None where that is the last one;
    `saved_step` is the step of the state in the folder.
    """

    folder: Path
    model: ModuleType
    config: ModelConfig
    train: TrainConfig
    dataset: Dataset
    tokenizer: object
    keep: str
    callbacks: Callbacks
    method: Method
    rows: HeldOut
    hosts: Alone
    place: Callable[[dict], dict]
    best: dict | None = None
    evaluations: dict[int, float] = field(default_factory=dict)
    saved_step: int = 0

    def begin(self) -> dict:
        """The first state, and the folder around it."""
        if self.method.begin is None:
            params = init(self.config, np.random.default_rng(self.train.seed))
        else:
            params = self.method.begin()
        state = self.model.init_state(self.place(params))
        self._save_description(state)                            # a run with a state has all of it
        self._save_state(state)
        self._save_model(state)
        return state

    def resume(self) -> dict:
        """The state in the folder, and the log cut where it ends."""
        saved = load_training(self.folder, self.config, self.train, self.dataset.fingerprint,
                              self.method.origin, self.method.shapes)
        self.hosts.agree(step=saved["step"])
        state = self.model.init_state(self.place(saved["params"]), self.place(saved["moments"]),
                                      saved["step"])
        self.saved_step = saved["step"]
        self.evaluations = held_out_losses(truncate_metrics(
            self.folder / METRICS, saved["step"], self.hosts.first))
        if self.method.describe is None:
            self._save_description(state)                        # a kill may have left half of it
        if self.keep == "best" and any(self.folder.glob("*model.safetensors")):
            self.best = training_notes(self.folder).get("best")
        if self.best is None:
            self._save_model(state)
        return state

    def look(self, state):
        """Evaluate and write a sample, where it is time for it."""
        step, train = int(state["step"]), self.train
        if step % train.eval_every == 0:
            self.evaluate(state, self.rows)
        if train.sample_every and step and step % train.sample_every == 0:
            params = self.hosts.whole(self.method.whole(state["params"]))
            if not self.hosts.first:
                return
            if self.method.sample is None:
                text = write_sample(self.model, params, self.config, self.tokenizer, step)
            else:
                text = self.method.sample(params, step)
            self.callbacks.sampled(step, text)

    def take_own_rows(self, state, first: int, end: int):
        """The steps from `first` up to `end`, each host with its rows of every batch."""
        own = batches(self.dataset, self.train, first, end, self.hosts.rows(self.train.batch_size))
        return self.model.train_steps(state, *map(self.hosts.spread, own), self.config, self.train)

    def evaluate(self, state, rows: HeldOut, **about) -> dict:
        """Log the held-out loss, and keep the model where it is the best.

        Raises UserError where the loss is not finite.
        """
        step = int(state["step"])
        record = {"step": step, **self._losses(state["params"], rows), **about}
        if not np.isfinite(record["held_out"]):
            raise self._diverged(f"the held-out loss is {record['held_out']} at step {step}")
        self._append([record])
        self.evaluations |= held_out_losses([record])
        better = self.best is None or record["held_out"] < self.best["held_out"]
        if self.keep == "best" and step > 0 and better:
            self.best = {"step": step, "held_out": record["held_out"]}
            self._save_model(state)
        self.callbacks.evaluated(record | {"lowest": lowest_evaluation(self.evaluations)})
        return record

    def measured_at_the_end(self, state) -> dict:
        """The losses of the model in the folder on all held-out rows, and the lowest evaluation."""
        everything = rows_of(self.method, self.dataset, self.train)
        if self.keep == "last":
            some = self._losses(state["params"], self.rows)["held_out"]
            losses = self.evaluate(state, everything, on_eval_rows=some)
        else:                           # the last step beside the others, then the best on all rows
            self.evaluate(state, self.rows)
            params = state["params"]
            assert self.best is not None
            if self.best["step"] != int(state["step"]):
                read = self.method.read or (lambda folder: checkpoint.load_model(folder)[1])
                self.hosts.wait()                                # host 0 has written it
                params = self.place(read(self.folder))
            losses = self._losses(params, everything)
        return losses | {"lowest": lowest_evaluation(self.evaluations)}

    def log(self, step: int, metrics: dict):
        """Write the lines of a dispatch that ended at `step`.

        Raises UserError for a loss or a gradient that is not finite.
        """
        columns = zip(*(values.tolist() for values in metrics.values()))
        records = [{"step": i, **dict(zip(metrics, column))}
                   for i, column in enumerate(columns, start=step - len(metrics["loss"]))]
        for i, record in enumerate(records):
            if not np.isfinite([record["loss"], record["grad_norm"]]).all():
                self._append(records[:i])
                raise self._diverged(f"the loss is {record['loss']} at step {record['step']}, "
                                     f"its gradient {record['grad_norm']}")
        self._append(records)
        self.callbacks.logged(records)

    def save(self, state):
        """Write the state, and the model where it is the last one that is kept."""
        if self.best is None:                                    # keep="last", or no evaluation yet
            self._save_model(state)
        self._save_state(state)

    def _append(self, records: list[dict]):
        if self.hosts.first:
            append_metrics(self.folder / METRICS, records)

    def _save_model(self, state):
        params = self.hosts.whole(state["params"])
        if not self.hosts.first:
            return
        if self.method.save is None:
            checkpoint.save_params(self.folder, self.config, params)
        else:
            self.method.save(self.folder, params)

    def _save_state(self, state):
        self.saved_step = int(state["step"])
        notes = {"text": self.dataset.name} | ({"best": self.best} if self.saved_step else {})
        whole = self.hosts.whole(state)
        if self.hosts.first:
            save_training(self.folder, whole, self.config, self.train, self.dataset.fingerprint,
                          self.method.origin, notes)

    def _save_description(self, state):
        if not self.hosts.first:
            return
        if self.method.describe is None:
            checkpoint.save_description(self.folder, self.config, state["params"], self.tokenizer)
        else:
            self.method.describe(self.folder)

    def _losses(self, trained, rows: HeldOut) -> dict:
        params = self.method.whole(trained)
        return evaluate(self.model, params, self.config, rows, self.train.batch_size)

    def _diverged(self, what: str) -> UserError:
        best = "" if self.best is None else f" and the best model, that of step {self.best['step']}"
        return UserError(f"{what}: start anew in another folder with a lower learning rate; "
                         f"{self.folder} keeps the checkpoint of step {self.saved_step}{best}")


class _Clock:
    """Tokens a second of dispatches. The first of a length is left out: it compiles."""

    def __init__(self, tokens_per_step: int):
        self.tokens_per_step, self.speed = tokens_per_step, 0.0
        self.lengths, self.steps, self.seconds = set(), 0, 0.0

    def start(self):
        self.began = time.perf_counter()

    def stop(self, length: int):
        if length in self.lengths:
            self.steps += length
            self.seconds += time.perf_counter() - self.began
            self.speed = self.steps * self.tokens_per_step / self.seconds
        self.lengths.add(length)


def batches(text, train: TrainConfig, first: int, end: int, own: slice = slice(None)):
    """(tokens_NBT, targets_NBT) of the steps from `first` up to `end`, or their `own` rows.

    `text` is a Dataset, or (tokens, where rows begin or None) as `text.dataset.batch` takes them.
    """
    if not isinstance(text, tuple):
        text = text.train, starts_of_rows(text, train.context)
    tokens, starts = text
    rows = [batch(tokens, step, seed=train.seed, batch_size=train.batch_size,
                  context=train.context, starts=starts, rows=own) for step in range(first, end)]
    tokens_NBT, targets_NBT = (np.stack(arrays) for arrays in zip(*rows))
    return tokens_NBT, targets_NBT


@lru_cache(maxsize=2)
def starts_of_rows(dataset: Dataset, context: int):
    """Where training rows begin: at documents where the exact floor is known, anywhere (None) elsewhere."""
    return None if dataset.floor_nats is None else row_starts(dataset.train_starts,
                                                              len(dataset.train), context)


def rows_of(method: Method, dataset, train: TrainConfig, count: int | None = None) -> HeldOut:
    """The held-out rows of a run, or about `count` of them."""
    if method.rows is not None:
        return method.rows(count)
    return held_out(dataset, train.context, count)


def epochs(dataset: Dataset, train: TrainConfig, step: int) -> float:
    """How many times the training text has been read after so many steps."""
    rows = rows_of_epoch(len(dataset.train), train.context, starts_of_rows(dataset, train.context))
    return step * train.batch_size / rows


def placing(train: TrainConfig, twin: str, hosts: Alone) -> Callable[[dict], dict]:
    """What puts parameters where training keeps them. Raises UserError for devices that cannot."""
    check_twin(train, twin)
    if twin == "numpy":
        return lambda params: params
    sharding = import_module("minillm.in_jax.sharding")
    sharding.use_cpu_devices(train.cpu_devices)
    if train.shard or hosts.several:
        sharding.check_rows(train.batch_size)
    return sharding.shard if train.shard else lambda params: params


def check_twin(train: TrainConfig, twin: str):
    """Refuse settings that a twin does not have. Raises UserError."""
    if twin == "numpy":
        for name in ("shard", "recompute"):
            require(not getattr(train, name), f"--{name}", "given", "left out with --twin numpy")


def check_memory(config: ModelConfig, train: TrainConfig, twin: str):
    """Refuse a run that cannot fit into this machine, before allocating it. Raises UserError.

    Parameters, gradients and two moments take 16 bytes a parameter; what a step keeps for the
    backward pass is counted where the CPU computes (an accelerator has its own memory).
    """
    there = machine_memory()
    one, two = (count(replace(config, num_hidden_layers=layers)) for layers in (1, 2))
    parameters = one + (two - one) * (config.num_hidden_layers - 1)
    B, T, D, F = train.batch_size, train.context, config.hidden_size, config.intermediate_size
    tokens = B * T * (next_edge(0, train) + 1) * 8  # of a dispatch, and the step's own
    layer = 4 * D + 3 * F + config.num_attention_heads * T  # numbers a token, kept for backward
    step = 4 * B * T * (config.vocab_size + config.num_hidden_layers * layer)
    if 16 * parameters > there:
        raise UserError(
            f"a model of {parameters:,} parameters needs at least "
            f"{gigabytes(16 * parameters)} to train, and "
            f"this machine has {gigabytes(there)}: choose a smaller model or vocabulary")
    if 16 * parameters + tokens + step > there and (twin == "numpy" or on_cpu(train)):
        raise UserError(f"a step of {B:,} x {T:,} tokens needs at least "
                        f"{gigabytes(16 * parameters + tokens + step)}, and "
                        f"this machine has {gigabytes(there)}: choose a smaller --batch-size, "
                        f"--context or model")


def on_cpu(train: TrainConfig) -> bool:
    """Does JAX compute on the CPU?"""
    import_module("minillm.in_jax.sharding").use_cpu_devices(train.cpu_devices)
    return import_module("jax").default_backend() == "cpu"


def check_folder(folder, resume: bool):
    """Refuse a folder that holds a run or a model, or no run to resume. Raises UserError."""
    folder = Path(folder)
    if not resume and (folder / STATE).exists():
        raise UserError(
            f"{folder}: a run is already there: continue it with --resume, or choose another --out")
    if not resume and (folder / checkpoint.MODEL).exists():
        raise UserError(f"{folder}: a model is already there: choose another --out")
    if resume and not (folder / STATE).exists():
        raise UserError(f"{folder}: there is no {STATE} to resume from: start without --resume")


def prepare_folder(folder, resume: bool) -> Path:
    """The run's folder, cleared of half-written files. Raises UserError as `check_folder`."""
    check_folder(folder, resume)
    folder = make_folder(folder)
    for part in folder.glob("*.part"):
        part.unlink()
    if not resume:
        (folder / METRICS).unlink(missing_ok=True)
    return folder


def next_edge(step: int, train: TrainConfig) -> int:
    """Where the next dispatch ends: a function of the step alone, so that a resumed run cuts where
    the first one did."""
    grids = [train.steps_per_dispatch, train.eval_every,
             train.save_every] + [train.sample_every] * bool(train.sample_every)
    return min([train.steps] + [(step // grid + 1) * grid for grid in grids])


def write_sample(model, params, config: ModelConfig, tokenizer, seed: int, tokens: int = 64) -> str:
    """The beginning of what the model writes after the beginning-of-text token."""
    start = config.bos_token_id if config.bos_token_id is not None else 0
    most = min(tokens, config.max_position_embeddings - 1)
    sampling = GenerateConfig(max_new_tokens=most, seed=seed)
    stop = config.end_tokens
    params = tree_map(np.asarray, params)  # one copy, wherever training keeps them
    return tokenizer.decode(list(model.generate(params, [start], config, sampling, stop)))


def lowest_evaluation(evaluations: dict[int, float]) -> dict | None:
    """{"step", "held_out"} of the lowest loss after step 0, or None."""
    step = lowest(evaluations)
    return None if step is None else {"step": step, "held_out": evaluations[step]}


@contextmanager
def signals_to_flag():
    """An event that the first Ctrl-C (or SIGTERM) sets; a second Ctrl-C interrupts at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def on_signal(number, frame):
        flag.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, on_signal)
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
