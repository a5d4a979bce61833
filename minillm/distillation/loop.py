"""A small model from a large one's answers: the teacher, what it says, and how a student's steps are taken.

    run -> training.run -> steps -> take -> in_X.distill.distill_steps -> forward of the teacher; the student's step

The losses and their gradients are in in_numpy/distill.py and in_jax/distill.py. Here is what stands around them, for either
twin: who the teacher is, text that it writes, its top-k answers kept on disk, and the steps that training.run takes.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from minillm import training
from minillm.config import DistillConfig, GenerateConfig, ModelConfig, TrainConfig, check_finite
from minillm.distillation.pruning import pruned
from minillm.errors import UserError, printable, require
from minillm.files import read_json, sha256_of, write_json
from minillm.loading import Model, fingerprint, longest, twin_package
from minillm.text import tokenizer as tokenizers
from minillm.text.corpora import Corpus
from minillm.text.dataset import DESCRIPTION, Dataset, open_dataset, places, prepare
from minillm.text.tokenizer import END_OF_TEXT, same_tokenizer

ROWS = 128                                        # rows that are read or written at once
FORMAT = "minillm kept targets 1"


def run(folder, config: ModelConfig, train: TrainConfig, settings: DistillConfig, teacher: Model,
        dataset: Dataset, *, twin: str = "jax", resume: bool = False, callbacks=None, cache=None,
        say=lambda text: None, keep_model: str | None = None, student: Model | None = None) -> dict:
    """`training.run` for a student of `teacher` (`keep_model` is its `keep`); returns its summary.

    It begins as `student`, where there is one: `config` is then that one's.

    With `cache`, the answers of the teacher are kept there.

    Raises UserError as training.run, for a teacher or data that do not fit, and where a resumed run had another teacher.
    """
    check(config, train, settings, teacher, dataset)
    origin = {f"distill {name}": value for name, value in asdict(settings).items()}
    origin = {"teacher": fingerprint(teacher)} | origin
    begin = None if student is None else lambda: student.params
    if settings.start == "pruned" and not resume:
        tokens_NBT, _ = training.batches(dataset, train, 0, 1)
        begin = partial(pruned, teacher.params, teacher.config, config, tokens_NBT[0])
    model = twin_package(twin)
    if twin == "jax":
        from minillm.in_jax.sharding import use_cpu_devices
        use_cpu_devices(train.cpu_devices)
    targets = None
    if settings.kept:
        require(cache is not None, "cache", cache, "a folder where the teacher's answers are kept")
        targets = keep(cache, teacher, dataset, train.context, settings.kept, model)
        say(f"the teacher's {settings.kept} most probable tokens after each one are in {cache}: they leave out "
            f"{100 * targets.lost:.2f}% of the probability")
    take = steps_of(model, teacher, dataset, config, train, settings, targets)
    return training.run(folder, config, train, dataset, teacher.tokenizer, twin=twin, resume=resume,
                        keep=keep_model, callbacks=callbacks,
                        method=training.Method(begin, take, origin))


def check(config: ModelConfig, train: TrainConfig, settings: DistillConfig, teacher: Model,
          dataset: Dataset):
    """Refuse a teacher that cannot teach this student on this text. Raises UserError."""
    check_context(teacher, train.context)
    if config.vocab_size != teacher.config.vocab_size:
        raise UserError(f"{teacher.source}: has a vocabulary of {teacher.config.vocab_size}, the student one of "
                        f"{config.vocab_size}: they must be the same, token by token")
    if not same_tokenizer(tokenizers.load(dataset.folder), teacher.tokenizer):
        raise UserError(f"{dataset.folder}: was cut into tokens by another tokenizer than {teacher.source} has: what the teacher "
                        "says of one token would be taken for another; give the text itself, not a dataset folder")
    require(settings.kept <= config.vocab_size, "top-k", settings.kept,
            f"at most the vocabulary ({config.vocab_size})")


def check_student(student: Model, teacher: Model, settings: DistillConfig):
    """Refuse a student to go on from that is not this teacher's. Raises UserError."""
    require(settings.start == "random", "start", settings.start, "left out with --from")
    if student.tokenizer is None or not same_tokenizer(student.tokenizer, teacher.tokenizer):
        raise UserError(f"{student.source}: has another tokenizer than {teacher.source}: a student "
                        "cuts text as its teacher does; choose another")


def check_context(teacher: Model, context: int):
    """Refuse rows that the teacher cannot read. Raises UserError."""
    if teacher.tokenizer is None:
        raise UserError(f"{teacher.source}: has no tokenizer.json, and a student must cut text as its teacher does")
    if context > longest(teacher.config):
        raise UserError(f"context is {context}: the teacher {teacher.source} reads {longest(teacher.config)} tokens; "
                        "choose a --context of at most that")


# How steps are taken ----------------------------------------------------------------------------------------


def steps_of(model, teacher: Model, dataset: Dataset, config: ModelConfig, train: TrainConfig,
             settings: DistillConfig, targets=None):
    """take(state, first, end), as `training.Method` wants it, or None: then training is plain.

    alpha = 0 asks the teacher nothing: that is plain training, the same program. On-policy, the
    rows of some dispatches are written by the student as it is when they begin; what stands in them
    is no target, so only the teacher counts.
    """
    on_policy = settings.objective == "on-policy"
    if settings.objective == "responses" or settings.alpha == 0 and not on_policy:
        return None
    if targets is not None:
        return partial(_by_what_is_kept, model, targets, dataset, config, train, settings)
    params = model.to_device(teacher.params)
    return partial(_beside_the_teacher, model, params, teacher.config, dataset, config, train,
                   settings)


def _by_what_is_kept(model, targets: "Kept", dataset, config, train, settings, state, first: int,
                     end: int):
    """The steps from `first` up to `end`, by the teacher's answers on disk."""
    starts = training.starts_of_rows(dataset, train.context)
    rows = [places(dataset.train, step, seed=train.seed, batch_size=train.batch_size,
                   context=train.context, starts=starts) for step in range(first, end)]
    places_NBT = np.stack(rows)[..., :-1]
    batches = training.batches(dataset, train, first, end)
    return model.cached_distill_steps(state, *batches, *targets.rows(places_NBT), config, train,
                                      settings)


def _beside_the_teacher(model, params, teacher_config, dataset, config, train, settings, state,
                        first: int, end: int):
    """The steps from `first` up to `end`, each with the teacher's answers to its rows."""
    tokens_NBT, targets_NBT = training.batches(dataset, train, first, end)
    # a function of the step, so that a run can be resumed
    rng = np.random.default_rng([train.seed, first, 1])
    if settings.objective == "on-policy" and rng.random() < settings.student_share:
        tokens_NBT, targets_NBT = written(model, state["params"], tokens_NBT, config, settings, rng)
        settings = replace(settings, alpha=1.0)
    if settings.alpha == 0:
        return model.train_steps(state, tokens_NBT, targets_NBT, config, train)
    return model.distill_steps(state, tokens_NBT, targets_NBT, params, teacher_config, config,
                               train, settings)


def written(model, params, tokens_NBT, config: ModelConfig, settings: DistillConfig, rng):
    """(tokens_NBT, targets_NBT) that the student writes, each row from the first token of one of these on."""
    N, B, T = tokens_NBT.shape
    first_B = tokens_NBT[..., 0].reshape(-1)
    coins_NB = rng.random((T, N * B), np.float32)
    new_BN, finite = model.write_rows(params, first_B, coins_NB, config,
                                      GenerateConfig(temperature=settings.writing_temperature))
    check_finite(finite)
    rows_NBT = np.concatenate([first_B[:, None], np.asarray(new_BN)],
                              axis=1).reshape(N, B, T + 1).astype(np.int32)
    return rows_NBT[..., :-1], rows_NBT[..., 1:]


# What the student reads -------------------------------------------------------------------------------------

def text(out: Path, teacher: Model, settings: DistillConfig, train: TrainConfig, source: str | None,
         read, *, twin: str = "jax", resume: bool = False, say=lambda line: None) -> Dataset:
    """The dataset of a student: that of a folder, of a source that `read(source)` makes a corpus of, or, for `responses`,
    what the teacher writes into out/data, measured on the held-out part of the other. Raises UserError.
    """
    writes, measured_on = settings.objective == "responses", None
    if writes and resume:
        return open_dataset(out / "data")
    if source is not None and (Path(source) / DESCRIPTION).is_file():
        measured_on = open_dataset(source)
    elif source is not None:
        folder = out / ("measured" if writes else "data")
        measured_on = prepare(read(source), teacher.tokenizer, folder, not resume,
                              begin_of(teacher))
    if not writes:
        return measured_on
    say(f"the teacher writes {settings.responses:,} texts of up to {train.context} tokens")
    written = list(write_texts(teacher, settings, train.context, train.seed, twin))
    ended = sum(ended for _, ended in written)
    say(f"{ended:,} of them came to an end; they are in {out / 'data'}, where minillm pretrain finds them too")
    corpus = corpus_of([text for text, _ in written], teacher, settings, train.seed, measured_on)
    return prepare(corpus, teacher.tokenizer, out / "data", True, begin_of(teacher))


def begin_of(teacher: Model) -> int | None:
    """The token that opens a document for a teacher whose tokenizer has no end-of-text token of ours: its beginning of text."""
    return None if END_OF_TEXT in teacher.tokenizer.special_tokens else teacher.config.bos_token_id


# What the teacher writes ------------------------------------------------------------------------------------

def write_texts(teacher: Model, settings: DistillConfig, length: int, seed: int = 0,
                twin: str = "jax") -> Iterator[tuple[str, bool]]:
    """Yield `how.responses` texts that the teacher writes, each with whether it came to an end within `length` tokens.

    A text begins with the beginning-of-text token and ends before an end-of-text token. The k-th is a function of the
    teacher, the seed and k. Raises UserError for a teacher that does not know how to begin.
    """
    config, model = teacher.config, twin_package(twin)
    if config.bos_token_id is None:
        raise UserError(f"{teacher.source}: has no beginning-of-text token, so it cannot begin a text of its own: choose "
                        "another objective")
    params = model.to_device(teacher.params)
    for begin in range(0, settings.responses, ROWS):
        coins_NB = np.random.default_rng([seed, begin, 2]).random((length, ROWS), np.float32)
        first_B = np.full(ROWS, config.bos_token_id, np.int32)
        tokens_BN, finite = model.write_rows(params, first_B, coins_NB, config, GenerateConfig(
            temperature=settings.writing_temperature))
        check_finite(finite)
        for row in np.asarray(tokens_BN)[: settings.responses - begin]:
            ends = np.flatnonzero(np.isin(row, config.end_tokens))
            yield teacher.tokenizer.decode((row[: ends[0]] if len(ends) else row).tolist()), len(
                ends) > 0


def corpus_of(texts: list[str], teacher: Model, settings: DistillConfig, seed: int,
              measured_on: Dataset | None = None) -> Corpus:
    """Texts as a corpus: to learn from all of them, held out those of a dataset, or, without one, a twentieth.

    Raises UserError where too little was written.
    """
    texts = [text for text in texts if text]
    about = (f"{settings.responses} texts written by {Path(teacher.source).name} ({fingerprint(teacher)[:8]}), temperature "
             f"{settings.writing_temperature:g}, seed {seed}")
    if measured_on is None:
        count = max(1, len(texts) // 20)
        train, validation, floor = texts[count:], texts[:count], None
    else:
        starts = measured_on.validation_starts
        ends = [*starts[1:], len(measured_on.validation)]
        special = list(teacher.tokenizer.special_tokens.values())
        validation = [teacher.tokenizer.decode([i for i in measured_on.validation[a:b].tolist()
                                                if i not in special]) for a, b in zip(starts, ends)]
        train, floor = texts, None if measured_on.floor_nats is None else measured_on.floor_nats.tolist()
    if not train:
        raise UserError(f"{teacher.source}: wrote {len(texts)} texts that are not empty, too few to learn from: ask for more "
                        "--responses")
    return Corpus("responses", about, train, validation, floor)


# What the teacher says, kept on disk ------------------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Kept:
    """The teacher's `top_k` after every token of a training split, memory-mapped. `lost`: the mean probability left out."""

    ids_NC: np.ndarray
    log_p_NC: np.ndarray
    lost: float

    def rows(self, places_NBT):
        """(ids, log p), each (N, B, T, C), after the tokens that stand at these places."""
        return self.ids_NC[places_NBT].astype(np.int32), self.log_p_NC[places_NBT].astype(
            np.float32)


def keep(folder, teacher: Model, dataset: Dataset, context: int, k: int, model) -> Kept:
    """The targets in `folder`; where there are none yet, one pass of the teacher over the training split makes them.

    All is written beside `folder` and put in place by one rename: a pass that was killed leaves nothing. Raises UserError
    for a folder that holds the targets of another teacher or text, damaged ones, or something else.
    """
    folder = Path(folder).resolve()
    about = {"format": FORMAT, "teacher": fingerprint(teacher), "text": dataset.fingerprint,
             "context": context, "top_k": k}
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        return open_kept(folder, about)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as aside:
            new = Path(aside, "new")
            new.mkdir()
            lost = read_all(new, teacher, dataset, context, k, model)
            sums = {name: sha256_of(new / name) for name in ("ids.npy", "log_p.npy")}
            write_json(new / "targets.json", about | {"lost_mass": lost, "files": sums})
            if folder.exists():
                folder.rmdir()
            os.replace(new, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({printable(error)})") from None
    return open_kept(folder, about)


def read_all(folder: Path, teacher: Model, dataset: Dataset, context: int, k: int, model) -> float:
    """Write ids.npy and log_p.npy, (tokens, C) each, batch by batch; returns the mean probability that was left out."""
    tokens, params = dataset.train, model.to_device(teacher.params)
    kind = np.uint16 if teacher.config.vocab_size <= 1 << 16 else np.uint32
    ids_NC = np.lib.format.open_memmap(folder / "ids.npy", "w+", kind, (len(tokens), k))
    log_p_NC = np.lib.format.open_memmap(folder / "log_p.npy", "w+", np.float16, (len(tokens), k))
    begins_R, froms_R, tos_R = reading(dataset, context)
    lost = 0.0
    for r in range(0, len(begins_R), ROWS):
        some = np.arange(r, r + ROWS).clip(max=len(begins_R) - 1)                   # the last row again: one shape is compiled
        places_BT = (begins_R[some, None] + np.arange(context)).clip(max=len(tokens) - 1)
        ids_BTC, log_p_BTC = map(np.asarray, model.read_top_k(
                                     params, tokens[places_BT].astype(np.int32), teacher.config, k))
        for row in range(min(ROWS, len(begins_R) - r)):
            begin, a, b = begins_R[r + row], froms_R[r + row], tos_R[r + row]
            ids_NC[a:b], log_p_NC[a:b] = ids_BTC[row, a - begin : b - begin], log_p_BTC[row, a - begin : b - begin]
            lost += float(np.sum(1 - np.sum(np.exp(log_p_BTC[row, a - begin : b - begin],
                                                   dtype=np.float64), axis=-1)))
    if not np.isfinite(lost):
        raise UserError(f"{teacher.source}: the teacher's logits are not finite numbers")
    ids_NC.flush(), log_p_NC.flush()
    return lost / len(tokens)


def reading(dataset: Dataset, context: int):
    """Rows for the teacher: where each begins, and from where to where what it says is kept. Every place is kept once.

    Where training rows begin at documents, the teacher's do too, so that both see the same text up to where a row runs on
    into the next document. Elsewhere rows overlap by half, and the later half is kept: every token is seen with at least
    half of a context before it.
    """
    n, starts = len(dataset.train), training.starts_of_rows(dataset, context)
    if starts is not None:
        return starts, starts, np.minimum(starts + context, np.append(starts[1:], n))
    half = max(1, context // 2)
    begins = np.arange(0, max(1, n - half), half)
    froms = np.append(0, begins[1:] + half)
    return begins, froms, np.append(froms[1:], n)


def open_kept(folder: Path, about: dict) -> Kept:
    """The targets in a folder that must be `about` this. Raises UserError."""
    description = read_json(folder / "targets.json")
    if description.get("format") != FORMAT:
        raise UserError(
            f"{folder}: does not hold kept targets of this kind: give --cache another folder")
    for name, now in about.items():
        if description.get(name) != now:
            raise UserError(f"{folder}: its targets were made with another {name.replace('_', ' ')} ({str(description.get(name))[:12]} "
                            f"there, {str(now)[:12]} here): give --cache another folder")
    arrays = {}
    for name in ("ids.npy", "log_p.npy"):
        try:
            if sha256_of(folder / name) != description["files"][name]:
                raise ValueError("its SHA-256 is not the recorded one")
            arrays[name] = np.load(folder / name, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder / name}: is damaged ({printable(error)}): delete the folder, and it is made again") from None
    return Kept(arrays["ids.npy"], arrays["log_p.npy"], float(description["lost_mass"]))
