"""Text and tokens: `minillm data` and `minillm tokenizer`."""

import json
import sys
from pathlib import Path

from minillm.cli.options import add_source, add_text, make_tokenizer, open_or_prepare, read_source
from minillm.cli.parsing import add_command
from minillm.errors import UserError


def add_commands(commands):
    """Add the commands of this file."""
    add_data(commands)
    add_tokenizer(commands)


def add_data(commands):
    command = add_command(commands, "data", data,
                          "turn text into a dataset folder: tokens, split, tokenizer",
                          "minillm data storyworld --megabytes 10 --out data/stories\n"
                          "  minillm data storyworld --show 3")
    add_source(command)
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", metavar="DIR", help="folder of the dataset")
    where.add_argument("--show", type=int, metavar="N", help="only print N documents of the text")


def data(options):
    from minillm.text.dataset import describe

    if options.show is not None:
        if options.show < 1:
            raise UserError(f"--show is {options.show}: it must be at least 1")
        for text in read_source(options).train[: options.show]:
            print(text, end="\n\n")
        return
    dataset, _ = open_or_prepare(options, options.out)
    print(json.dumps(describe(dataset), indent=2))


def add_tokenizer(commands):
    command = add_command(
        commands, "tokenizer", train, "train a tokenizer, or see how one splits a text",
        "minillm tokenizer train storyworld --vocab-size 1024 --out data/tokenizer\n"
        '  minillm tokenizer encode data/tokenizer "Once upon a time"\n'
        "  minillm tokenizer decode data/tokenizer 45 310 27")
    actions = command.add_subparsers(required=True, metavar="train|extend|encode|decode")
    action = add_command(actions, "train", train, "learn merges from text",
                         "minillm tokenizer train book.txt --vocab-size 1024 --out data/tokenizer")
    add_source(action)
    action.add_argument("--engine", choices=("library", "written"), default="library",
                        help="library: the tokenizers package; written: minillm's own BPE, slower, "
                        "with the same result")
    action.add_argument("--out", required=True, metavar="DIR", help="folder for tokenizer.json")
    action = add_command(
        actions, "extend", extend, "a model with tokens for more text, to be trained on it",
        "minillm tokenizer extend runs/demo storyworld-vekari --vocab-size 2560 --out runs/wide\n"
        "  minillm pretrain storyworld-vekari --from runs/wide --out runs/vekari")
    action.add_argument("path", metavar="MODEL", help="folder of a model that minillm trained")
    action.add_argument("source", metavar="SOURCE", help="the text, as pretrain's SOURCE")
    add_text(action)
    action.add_argument("--vocab-size", type=int, required=True, metavar="N",
                        help="tokens of the new vocabulary, the old ones included")
    action.add_argument("--out", required=True, metavar="DIR", help="folder for the new model")
    action = add_command(actions, "encode", encode, "text to token ids",
                         'minillm tokenizer encode data/tokenizer "Once upon a time"')
    action.add_argument("path", metavar="PATH", help="folder or tokenizer.json")
    action.add_argument("text", metavar="TEXT", help="the text")
    action = add_command(actions, "decode", decode, "token ids to text",
                         "minillm tokenizer decode data/tokenizer 45 310 27")
    action.add_argument("path", metavar="PATH", help="folder or tokenizer.json")
    action.add_argument("ids", metavar="ID", type=int, nargs="+", help="token ids")


def train(options):
    corpus = read_source(options)
    tokenizer = make_tokenizer(options, corpus, options.engine)
    tokenizer.save(Path(options.out))
    sample = "".join(corpus.validation)[:200_000]
    rate = len(sample.encode()) / len(tokenizer.encode(sample))
    print(f"{tokenizer.vocab_size:,} tokens, {rate:.2f} bytes per token on held-out text; "
          f"saved in {options.out}")


def extend(options):
    from dataclasses import replace

    from minillm.architecture.widened import widened
    from minillm.loading import load
    from minillm.text.extended import extend, pieces_of_new

    model, corpus = load(options.path), read_source(options)
    if model.tokenizer is None or "embed_tokens" not in model.params:
        raise UserError(f"{options.path}: has no tokenizer or embedding that could be extended")
    if model.config.vocab_size != model.tokenizer.vocab_size:
        raise UserError(f"{options.path}: {model.config.vocab_size} rows of embeddings for "
                        f"{model.tokenizer.vocab_size} tokens: only a model with one for each "
                        "can be extended")
    made = extend(model.tokenizer, corpus.train, options.vocab_size)
    params, config = widened(model.params, model.config, pieces_of_new(model.tokenizer, made))
    replace(model, params=params, config=config, tokenizer=made).save(options.out)
    sample = "".join(corpus.validation)[:200_000]
    before, after = (len(sample.encode()) / len(tokens.encode(sample))
                     for tokens in (model.tokenizer, made))
    print(f"{made.vocab_size:,} tokens, {made.vocab_size - model.tokenizer.vocab_size:,} of them "
          f"new: {before:.2f} bytes per token before, {after:.2f} now; saved in {options.out}")


def encode(options):
    from minillm.text import tokenizer as tokenizers

    tokenizer = tokenizers.load(options.path)
    ids = tokenizer.encode(options.text)
    print(*ids)
    print(*(repr(tokenizer.decode([i])) for i in ids), file=sys.stderr)


def decode(options):
    from minillm.text import tokenizer as tokenizers

    print(tokenizers.load(options.path).decode(options.ids))
