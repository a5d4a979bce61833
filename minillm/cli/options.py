"""Options that several commands have, and what is made of them: text, tokenizer, dataset."""

import argparse
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from minillm.config import (
    OPTIMIZERS,
    PRECISIONS,
    TRAINED,
    TUNE_METHODS,
    ModelConfig,
    TrainConfig,
    preset,
    with_options,
)

HELP = {
    "steps": "training steps, one batch each",
    "batch_size": "rows in a batch",
    "context": "tokens in a row",
    "optimizer": "muon trains the matrices inside the layers with Muon and the rest with AdamW; "
    "adamw trains everything with AdamW",
    "learning_rate": "AdamW's peak learning rate",
    "muon_learning_rate": "Muon's peak learning rate",
    "muon_momentum": "decay of Muon's running mean of gradients",
    "final_learning_rate": "learning rate of the last step, as a share of the peak",
    "warmup_steps": "steps until the learning rate reaches its peak",
    "beta1": "decay of AdamW's running mean of gradients",
    "beta2": "decay of AdamW's running mean of squared gradients",
    "eps": "added to AdamW's square root",
    "weight_decay": "decoupled weight decay, on matrices only",
    "max_grad_norm": "clip the global gradient norm to this",
    "seed": "seed of all random numbers",
    "steps_per_dispatch": "steps compiled into one loop (jax)",
    "eval_every": "steps between evaluations",
    "eval_rows": "held-out rows in an evaluation during training; all at the end",
    "save_every": "steps between saves",
    "sample_every": "steps between samples of text; 0: no samples",
    "matmul_precision": "precision of matrix products; bfloat16 is for accelerators",
    "cpu_devices": "split a CPU into this many devices, which share each batch (jax); at most the "
    "number of cores",
    "shard": "share out parameters and moments too: a device holds its part of each alone (jax)",
    "recompute": "keep only what enters a layer, and compute the layer again on the way back: less "
    "memory, more time (jax)",
    "method": "sft: train everything; lora: train a small change of each matrix; dpo: train "
    "everything by pairs of a right and a wrong answer; grpo: train everything by grades of what "
    "the model itself answers (both: built-in tasks)",
    "group": "grpo: answers to each question, a divisor of the batch size",
    "beta": "dpo, grpo: how firmly the model is held near the first one",
    "trained": "what is trained: the model, or adapters beside it (lora is sft of adapters)",
    "clip": "grpo: how far from 1 a ratio counts",
    "rank": "rank of LoRA's changes",
    "alpha": "LoRA's alpha: the change counts alpha / rank times",
    "targets": "matrices that LoRA changes",
    "max_new_tokens": "write at most this many tokens",
    "temperature": "0: always take the most probable token",
    "top_k": "sample from the k most probable tokens; 0: from all",
    "top_p": "sample from the fewest tokens whose probabilities reach this sum",
    "min_p": "leave out tokens less probable than this share of the most probable one",
    "repetition_penalty": "above 1: tokens that are already in the text become less probable",
}
SHAPE = {  # the help of the options that override what a preset or a depth sets
    "hidden_size": "width of the residual stream (default: 32 x depth)",
    "intermediate_size": "width of the feed-forward layer (default: 8/3 of the hidden size, a "
    "multiple of 32)",
    "num_hidden_layers": "layers (default: depth)",
    "num_attention_heads": "query heads (default: depth)",
    "num_key_value_heads": "key/value heads, a divisor of the query heads (default: half of "
    "depth, depth where it is odd)",
    "head_dim": "numbers in a head, even (default: 32)",
    "rms_norm_eps": "added under RMSNorm's square root (default: 1e-05)",
    "rope_theta": "base of the rotary angles (default: 10000)",
    "initializer_range": "standard deviation of the first weights (default: 1/sqrt(32 x depth))",
    "o_proj_init_gain": "o_proj starts as so many times the transpose of v_proj; 0: random, as "
    "other matrices (default: 0; 6 where the text is the story world)",
}
CHOICES = {"method": TUNE_METHODS, "trained": TRAINED, "optimizer": OPTIMIZERS,
           "matmul_precision": PRECISIONS}


# ---- Options ---------------------------------------------------------------------------------


def add_twin(command, default: str = "jax"):
    """Which twin computes."""
    command.add_argument("--twin", choices=("numpy", "jax"), default=default,
                         help="which implementation runs the model")


def add_json(command):
    """For other programs to read."""
    command.add_argument("--json", action="store_true", help="print one JSON object")


def add_path(command, help: str = "folder of a checkpoint, or a llama2.c .bin file"):
    """The checkpoint to read."""
    command.add_argument("path", metavar="PATH", help=help)


def add_tokenizer_bin(command):
    """The tokenizer that a llama2.c file does not hold."""
    command.add_argument("--tokenizer", metavar="FILE",
                         help="tokenizer.bin of a llama2.c .bin file, where several lie beside it")


def add_checkpoint(command):
    """The checkpoint to run: a path, and how to read it."""
    add_path(command)
    add_tokenizer_bin(command)
    command.add_argument(
        "--dtype", choices=("float32", "float16", "bfloat16"), default="float32",
        help="how matrices are kept in memory; sums are float32 always. Half precision saves "
             "memory; on a CPU it makes writing faster in jax, much slower in numpy "
             "(bfloat16: jax only)")


def add_config(group, config_class):
    """An option for every field of a config dataclass, with its type and default."""
    for field in fields(config_class):
        choices = CHOICES.get(field.name)
        if field.type is bool:
            group.add_argument(flag(field.name), action=argparse.BooleanOptionalAction,
                               default=field.default, help=HELP[field.name])
            continue
        group.add_argument(flag(field.name), type=field.type, default=None
                           if field.default is MISSING else field.default, choices=choices,
                           metavar=None if choices else metavar(field), help=HELP[field.name])


def add_shape(group):
    """An option for every field of a model's shape that a preset or a depth sets."""
    for field in fields(ModelConfig):
        if field.name in SHAPE:
            group.add_argument(flag(field.name), type=field.type, metavar=metavar(field),
                               help=SHAPE[field.name])
    group.add_argument("--tie-word-embeddings", action=argparse.BooleanOptionalAction, default=None,
                       help="use one matrix for embedding and head (default: one matrix)")


def flag(name: str) -> str:
    """learning_rate -> --learning-rate."""
    return "--" + name.replace("_", "-")


def metavar(field) -> str:
    """How --help names the value of a field: N for a whole number, X for any number."""
    return "N" if field.type is int else "X"


def add_source(command, optional: bool = False):
    """The text to read, and how to split it into tokens."""
    command.add_argument("source", metavar="SOURCE", nargs="?" if optional else None,
                         help="a text file, a folder of text files, a dataset folder, or a name: "
                         "storyworld, storyworld-vekari, python-docs, shakespeare, tinystories, "
                         "tinystories-small"
                         + ("; not needed with --resume" if optional else ""))
    add_text(command)
    command.add_argument("--vocab-size", type=int, default=1792, metavar="N",
                         help="size of the vocabulary to learn; a short text gives fewer")
    command.add_argument("--tokenizer", metavar="PATH",
                         help="use this tokenizer (default: learn one from the text)")
    command.add_argument("--characters", action="store_true",
                         help="one token for each character; nothing is learned")


def add_text(command):
    """Which text is read, and how much of it."""
    command.add_argument(
        "--glob", action="append", default=[], metavar="PATTERN",
        help="files of a folder to read, such as '*.py'; may be given several times "
        "(default: text and source files, by their suffix)")
    add_encoding(command)
    command.add_argument("--megabytes", type=float, metavar="X",
                         help="read at most this much text (default: all; storyworld: 10)")
    command.add_argument("--data-dir", metavar="DIR",
                         help="where downloads are kept (default: your cache folder)")
    command.add_argument("--data-seed", type=int, default=0, metavar="N",
                         help="seed of the generated stories and of the split")


def add_encoding(command):
    """How to read what is not UTF-8."""
    command.add_argument(
        "--encoding", metavar="NAME",
        help="encoding of text files that are not UTF-8, such as utf-16 or latin-1 "
        "(default: refuse them)")


# ---- What is made of them --------------------------------------------------------------------


def chosen(options, config_class) -> dict:
    """The options that are fields of a config dataclass."""
    names = [field.name for field in fields(config_class)]
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def training_and_model(options, model: str) -> tuple[TrainConfig, ModelConfig]:
    """The settings of the training and of the model, a preset or a depth, before the vocabulary
    is known. Raises UserError."""
    train = with_options(TrainConfig(), **chosen(options, TrainConfig))
    overrides = {name: getattr(options, name) for name in (*SHAPE, "tie_word_embeddings")}
    config = preset(model, vocab_size=1, context=train.context)
    return train, with_options(config, **overrides)


def read_source(options, source=None):
    """The corpus that SOURCE names. Raises UserError."""
    from minillm.text.corpora import read_corpus

    return read_corpus(source or options.source, megabytes=options.megabytes,
                       seed=options.data_seed, data_dir=options.data_dir, globs=tuple(options.glob),
                       encoding=options.encoding)


def read_file(path, options) -> str:
    """The text of one file that an option names. Raises UserError."""
    from minillm.text.corpora import check_encoding, read_text

    check_encoding(options.encoding)
    return read_text(Path(path), encoding=options.encoding)


def make_tokenizer(options, corpus, engine: str = "library"):
    """The tokenizer that the options ask for: loaded, of characters, or trained on the training
    split."""
    from minillm.text import tokenizer as tokenizers

    if options.tokenizer:
        return tokenizers.load(options.tokenizer)
    if options.characters:
        return tokenizers.train_characters(corpus.train + corpus.validation)
    return tokenizers.train(corpus.train, options.vocab_size, engine=engine)


def open_or_prepare(options, folder, replace=True, check=lambda tokenizer: None, tokenizer=None,
                    mark=None):
    """(dataset, tokenizer) of a dataset folder, or of text that is prepared into `folder`.

    `check(tokenizer)` may refuse before anything is written. `tokenizer` is used where it is given,
    and `mark` opens a document where it has no end-of-text token of ours.
    """
    from minillm.text import tokenizer as tokenizers
    from minillm.text.dataset import DESCRIPTION, open_dataset, prepare
    from minillm.text.tokenizer import END_OF_TEXT

    if (Path(options.source) / DESCRIPTION).is_file():
        dataset, tokenizer = open_dataset(options.source), tokenizers.load(options.source)
        check(tokenizer)
        return dataset, tokenizer
    corpus = read_source(options)
    tokenizer = tokenizer or make_tokenizer(options, corpus)
    check(tokenizer)
    if END_OF_TEXT not in tokenizer.special_tokens and mark is None and len(corpus.train) > 1:
        print(f"WARNING: the tokenizer has no {END_OF_TEXT}, so no mark stands between the "
              f"{len(corpus.train):,} documents: the model will not learn where one ends",
              file=sys.stderr)
    return prepare(corpus, tokenizer, folder, replace, mark), tokenizer
