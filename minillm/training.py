"""The one training loop, for either twin: batches in, losses out, evaluation, log, save, resume.

    run -> train_steps (in_numpy or in_jax) -> loss_and_grads -> forward

A run is resumed bit for bit. Three things make that true: a batch is a function of (seed, step); the state on disk is
one file; and the steps that one dispatch takes are cut at the same places whether or not the run was interrupted.

The state is always the last one, and a run goes on from it. The model beside it is the last one
too, or (keep="best")
that of the evaluation with the lowest held-out loss so far: a small text is soon learned by heart.
"""

import json
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path

import numpy as np

from minillm import checkpoint
from minillm.config import GenerateConfig, ModelConfig, TrainConfig
from minillm.curves import held_out_losses, lowest
from minillm.data import Dataset, batch, document_rows, row_starts, rows_of_epoch, windows
from minillm.errors import UserError, require
from minillm.files import gigabytes, machine_memory, make_folder, write_atomically, write_json
from minillm.loading import twin_package
from minillm.params import count, init, tree_map

METRICS = "metrics.jsonl"
KEEP = ("best", "last")


@dataclass(frozen=True)
class HeldOut:
    """Rows to evaluate on. `floor_nats`: the sum of the documents' exact -log p, or None where nobody knows it."""

    tokens_NT: np.ndarray
    targets_NT: np.ndarray
    documents: int
    floor_nats: float | None
    text_bytes: int | None = None

    @property
    def floor_per_token(self) -> float | None:
        """The floor in nats per counted token: what the best possible model would lose on these rows."""
        return None if self.floor_nats is None else self.floor_nats / int(np.sum(self.targets_NT >= 0))


class Silent:
    """What the loop tells whoever watches; this one does not listen. minillm/display.py does."""

    def started(self, step: int): ...
    def stepped(self, step: int, loss: float, tokens_per_second: float): ...
    def evaluated(self, record: dict): ...
    def sampled(self, step: int, text: str): ...
    def finished(self): ...


def run(folder, config: ModelConfig, train: TrainConfig, dataset: Dataset, tokenizer, *, twin: str = "jax",
        resume: bool = False, watch=None, begin=None, steps=None, origin: dict | None = None,
        keep: str | None = None) -> dict:
    """Train a model in `folder` until it is done or interrupted (Ctrl-C, SIGTERM); returns the summary.

    `begin` are the first parameters (fresh ones of `train.seed`), `steps` how steps are taken (as `plain_steps` gives
    them), `origin` what else must be equal when the run is resumed: names and values. Distilling gives its own.
    `keep` says whose parameters are in model.safetensors: "last", or "best", those of the
    evaluation after step 0 with
    the lowest held-out loss. None: best, but last where the exact floor is known.

    The folder is a checkpoint that loads (see checkpoint.py) with metrics.jsonl beside it: one line a step with
    `loss` in nats per token, and one line an evaluation with `held_out`. `tokens` and `seconds` of the summary are this
    call's; `tokens_per_second` leaves out what compiles, evaluates and saves; `epochs` is how many
    times the text was
    read; `model_step` is the step of the model in the folder, and the losses are that model's on
    all held-out rows;
    `lowest` is the evaluation ({"step", "held_out"}, on `train.eval_rows` rows) with the lowest
    loss. Raises UserError for a folder that holds
    another run, a text too short for the context, settings that changed before resuming, a loss that is not finite.
    """
    keep = keep or ("best" if dataset.floor_nats is None else "last")
    require(keep in KEEP, "keep", keep, " or ".join(KEEP))
    model, watch = twin_package(twin), watch or Silent()
    if twin == "jax":
        import_module("minillm.in_jax.sharding").use_cpu_devices(train.cpu_devices)
    folder = prepare_folder(folder, resume)
    batch(dataset.train, 0, seed=train.seed, batch_size=1, context=train.context)      # refuses a text that is too short
    steps = steps or plain_steps(model, dataset, config, train)
    rows, best, evaluations = held_out(dataset, train.context, train.eval_rows), None, {}
    if resume:
        saved = checkpoint.load_training(folder, config, train, dataset.fingerprint, origin)
        state = model.init_state(**saved)
        best = checkpoint.training_notes(folder).get("best") if keep == "best" else None
        evaluations = held_out_losses(truncate_metrics(folder / METRICS, saved["step"]))
    else:
        state = model.init_state(init(config, np.random.default_rng(train.seed)) if begin is None else begin)
        checkpoint.save_training(folder, state, config, train, dataset.fingerprint, origin,
                                 {"text": dataset.name})
    checkpoint.save_description(folder, config, state["params"],
                                tokenizer)  # a kill may have left half of it
    if best is None or not (folder / checkpoint.MODEL).exists():
        best = None
        checkpoint.save_params(folder, config, state["params"])
    step = saved_step = int(state["step"])
    began, first_step, tokens_per_step = time.perf_counter(), step, train.batch_size * train.context
    lengths, timed_steps, timed_seconds, speed = set(), 0, 0.0, 0.0

    def diverged(what):
        kept = "" if best is None else f" and the best model, that of step {best['step']}"
        return UserError(f"{what}: start anew in another folder with a lower learning rate; "
                         f"{folder} keeps the "
                         f"checkpoint of step {saved_step}{kept}")

    def save():
        nonlocal saved_step
        if best is None:                                         # keep="last", or no evaluation yet
            checkpoint.save_params(folder, config, state["params"])
        checkpoint.save_training(folder, state, config, train, dataset.fingerprint, origin,
                                 {"text": dataset.name, "best": best})
        saved_step = step

    def evaluate_and_log(rows, about=None):
        nonlocal best
        record = {"step": step, **losses(model, state["params"], config, rows, train.batch_size),
                  **(about or {})}
        if not np.isfinite(record["held_out"]):
            raise diverged(f"the held-out loss is {record['held_out']} at step {step}")
        log_line(log, record)
        evaluations.update(held_out_losses([record]))
        if keep == "best" and step > 0 and (best is None or record["held_out"] < best["held_out"]):
            best = {"step": step, "held_out": record["held_out"]}
            checkpoint.save_params(folder, config, state["params"])
        watch.evaluated(record | {"lowest": lowest_evaluation(evaluations)})
        return record

    with open(folder / METRICS, "a", encoding="utf-8") as log, signals_to_flag() as interrupted:
        watch.started(step)
        while step < train.steps and not interrupted.is_set():
            if step % train.eval_every == 0:
                evaluate_and_log(rows)
            if train.sample_every and step and step % train.sample_every == 0:
                watch.sampled(step, write_sample(model, state["params"], config, tokenizer, step))
            edge, dispatched = next_edge(step, train), time.perf_counter()
            with np.errstate(all="ignore"):                      # what is not finite is found right below
                state, metrics = steps(state, step, edge)
            metrics = {name: np.asarray(values).tolist() for name, values in metrics.items()}
            for i in range(edge - step):
                record = {"step": step + i, **{name: values[i] for name, values in metrics.items()}}
                if not np.isfinite([record["loss"], record["grad_norm"]]).all():
                    raise diverged(f"the loss is {record['loss']} at step {step + i}, its gradient {record['grad_norm']}")
                log_line(log, record)
            if edge - step in lengths:                           # the first dispatch of a length compiles
                timed_steps, timed_seconds = timed_steps + edge - step, timed_seconds + time.perf_counter() - dispatched
                speed = timed_steps * tokens_per_step / timed_seconds
            lengths.add(edge - step)
            step = edge
            watch.stepped(step, record["loss"], speed)
            if step % train.save_every == 0 and step < train.steps:
                save()
        save()
        seconds, tokens = time.perf_counter() - began, (step - first_step) * tokens_per_step
        summary = {"done": step == train.steps, "step": step, "seconds": seconds, "tokens": tokens,
                   "tokens_per_second": speed or tokens / seconds,
                   "epochs": epochs(dataset, train, step)}
        if summary["done"]:
            everything = held_out(dataset, train.context)
            if keep == "last":
                some = losses(model, state["params"], config, rows, train.batch_size)["held_out"]
                summary |= evaluate_and_log(everything, {"on_eval_rows": some})
            else:                       # the last step beside the others, then the best on all rows
                evaluate_and_log(rows)
                last = best["step"] == step
                params = state["params"] if last else checkpoint.load_model(folder)[1]
                summary |= losses(model, params, config, everything, train.batch_size)
            summary |= {"lowest": lowest_evaluation(evaluations)}
        summary |= {"keep": keep, "model_step": best["step"] if best else step}
        if summary["done"]:
            write_json(folder / "summary.json", summary)
        watch.finished()
    return summary


def plain_steps(model, dataset: Dataset, config: ModelConfig, train: TrainConfig):
    """steps(state, first, end): the steps from `first` up to `end` on the text alone. -> the next state, metrics (N,)."""
    return lambda state, first, end: model.train_steps(state, *batches(dataset, train, first, end), config, train)


def batches(dataset: Dataset, train: TrainConfig, first: int, end: int):
    """(tokens_NBT, targets_NBT) of the steps from `first` up to `end`."""
    rows = [batch(dataset.train, step, seed=train.seed, batch_size=train.batch_size, context=train.context,
                  starts=starts_of_rows(dataset, train.context)) for step in range(first, end)]
    tokens_NBT, targets_NBT = (np.stack(arrays) for arrays in zip(*rows))
    return tokens_NBT, targets_NBT


@lru_cache(maxsize=2)
def starts_of_rows(dataset: Dataset, context: int):
    """Where training rows begin: at documents where the exact floor is known, anywhere (None) elsewhere."""
    return None if dataset.floor_nats is None else row_starts(dataset.train_starts, len(dataset.train), context)


def epochs(dataset: Dataset, train: TrainConfig, step: int) -> float:
    """How many times the training text has been read after so many steps."""
    rows = rows_of_epoch(len(dataset.train), train.context, starts_of_rows(dataset, train.context))
    return step * train.batch_size / rows


def check_memory(config: ModelConfig, train: TrainConfig, twin: str):
    """Refuse a run that cannot fit into this machine, before allocating it. Raises UserError.

    Parameters, gradients and two moments take 16 bytes a parameter; what a step keeps for the
    backward pass is counted
    where the CPU computes (an accelerator has its own memory).
    """
    there = machine_memory()
    if there is None:
        return
    one, two = (count(replace(config, num_hidden_layers=layers)) for layers in (1, 2))
    parameters = one + (two - one) * (config.num_hidden_layers - 1)
    B, T, D, F = train.batch_size, train.context, config.hidden_size, config.intermediate_size
    tokens = B * T * (next_edge(0,
                                train) + 1) * 8                # of a dispatch, and the step's own
    layer = 4 * D + 3 * F + config.num_attention_heads * T        # numbers a token, kept for backward
    step = 4 * B * T * (config.vocab_size + config.num_hidden_layers * layer)
    if 16 * parameters > there:
        raise UserError(f"a model of {parameters:,} parameters needs at least "
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
    if not resume and (folder / checkpoint.STATE).exists():
        raise UserError(f"{folder}: a run is already there: continue it with --resume, or choose another --out")
    if not resume and (folder / checkpoint.MODEL).exists():
        raise UserError(f"{folder}: a model is already there: choose another --out")
    if resume and not (folder / checkpoint.STATE).exists():
        raise UserError(f"{folder}: there is no {checkpoint.STATE} to resume from: start without --resume")


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
    grids = [train.steps_per_dispatch, train.eval_every, train.save_every] + [
        train.sample_every
    ] * bool(train.sample_every)
    return min([train.steps] + [(step // grid + 1) * grid for grid in grids])


def held_out(dataset: Dataset, context: int, rows: int | None = None) -> HeldOut:
    """The validation split as rows, or about `rows` of them.

    Where the exact floor is known a row is a document from its very start, so that both see the same; elsewhere rows are
    windows side by side.
    """
    if dataset.floor_nats is None:
        tokens_NT, targets_NT = windows(dataset.validation, context)
        count = min(rows or len(tokens_NT), len(tokens_NT))
        chosen = np.unique(np.linspace(0, len(tokens_NT) - 1, count).astype(int))
        return HeldOut(tokens_NT[chosen], targets_NT[chosen], 0, None,
                       dataset.validation_bytes if len(chosen) == len(tokens_NT) else None)
    count = min(rows or len(dataset.validation_starts), len(dataset.validation_starts))
    starts = dataset.validation_starts
    end = int(starts[count]) if count < len(starts) else len(dataset.validation) - 1
    tokens_NT, targets_NT = document_rows(dataset.validation[: end + 1], starts[:count], context)
    return HeldOut(tokens_NT, targets_NT, count, float(np.sum(dataset.floor_nats[:count])),
                   dataset.validation_bytes if count == len(starts) else None)


def losses(model, params, config: ModelConfig, rows: HeldOut, batch_size: int) -> dict:
    """`held_out` in nats per token; with a floor also nats per document, the floor's, and how far above it we are."""
    nats_N, counts_N = evaluate(model, params, config, rows.tokens_NT, rows.targets_NT, batch_size)
    record = {"held_out": float(nats_N.sum() / counts_N.sum())}
    if rows.text_bytes:
        record["bits_per_byte"] = float(nats_N.sum() / np.log(2) / rows.text_bytes)
    if rows.floor_nats is not None:
        record |= {"nats_per_document": float(nats_N.sum() / rows.documents),
                   "floor_per_document": rows.floor_nats / rows.documents,
                   "above_floor": float(nats_N.sum() / rows.floor_nats - 1)}
    return record


def evaluate(model, params, config: ModelConfig, tokens_NT, targets_NT, batch_size: int):
    """(nats_N, counts_N) in float64: what each row's counted targets cost, and how many they are.
    """
    nats, counts = [], []
    for i in range(0, len(tokens_NT), batch_size):
        tokens_BT, targets_BT = tokens_NT[i : i + batch_size], targets_NT[i : i + batch_size]
        # pad, so that one shape is compiled
        short = batch_size - len(tokens_BT)
        tokens_BT = np.pad(tokens_BT, ((0, short), (0, 0)))
        targets_BT = np.pad(targets_BT, ((0, short), (0, 0)), constant_values=-100)
        # a sum that is not finite says it to whoever asked
        with np.errstate(all="ignore"):
            nats_B, counts_B = model.row_losses(params, tokens_BT, targets_BT, config)
        nats.append(np.asarray(nats_B, np.float64)[: batch_size - short])
        counts.append(np.asarray(counts_B)[: batch_size - short])
    return np.concatenate(nats), np.concatenate(counts)


def write_sample(model, params, config: ModelConfig, tokenizer, seed: int, tokens: int = 64) -> str:
    """The beginning of what the model writes after the beginning-of-text token."""
    start = config.bos_token_id if config.bos_token_id is not None else 0
    how = GenerateConfig(max_new_tokens=min(tokens, config.max_position_embeddings - 1), seed=seed)
    stop = config.end_tokens
    params = tree_map(np.asarray, params)                      # one copy, wherever training keeps them
    return tokenizer.decode(list(model.generate(params, [start], config, how, stop)))


def log_line(log, record: dict):
    """Append one JSON line and hand it to the system at once."""
    log.write(json.dumps(record) + "\n")
    log.flush()


def read_metrics(path) -> list[dict]:
    """The records of a metrics.jsonl; a last line that a kill cut short is left out."""
    records = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def lowest_evaluation(evaluations: dict[int, float]) -> dict | None:
    """{"step", "held_out"} of the lowest loss after step 0, or None."""
    step = lowest(evaluations)
    return None if step is None else {"step": step, "held_out": evaluations[step]}


def truncate_metrics(path: Path, step: int) -> list[dict]:
    """Keep and return what was logged before `step`: a run that is resumed writes the rest again."""
    records = read_metrics(path) if path.exists() else []
    kept = [record for record in records if record["step"] < step]
    write_atomically(path, "".join(json.dumps(r) + "\n" for r in kept).encode())
    return kept


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

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
