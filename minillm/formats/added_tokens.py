"""Tokens that a folder's other files add to its tokenizer.json, as transformers does:

    tokenizer_config.json    added_tokens_decoder: {"ID": {"content": ...}}, or where it has none
    added_tokens.json        {content: ID}, of older folders
    tokenizer_config.json, special_tokens_map.json    bos_token, eos_token ..., and a list of additional_special_tokens

What tokenizer.json has among its added tokens already stays as it is there.
"""

from pathlib import Path

from minillm.chat_template import special_tokens
from minillm.errors import UserError, printable
from minillm.files import read_json
from minillm.text import tokenizer as tokenizers

FLAGS = ("single_word", "lstrip", "rstrip", "normalized")


def with_added(tokenizer, folder: Path):
    """The tokenizer with the tokens that the folder's other files add. Raises UserError."""
    added = tokenizer.spec["added_tokens"]
    known, more = {entry["content"] for entry in added}, {}
    for entry in asked(folder):
        if entry["content"] not in known:
            more.setdefault(entry["content"], entry)
    if not more:
        return tokenizer
    vocab, entries = tokenizer.spec["model"]["vocab"], list(added)
    if isinstance(vocab, list):                               # of a Unigram model: pairs
        vocab = {token: i for i, (token, _) in enumerate(vocab)}
    for entry in more.values():
        free = 1 + max([len(vocab) - 1, *(each["id"] for each in entries)])
        entries.append({"id": vocab.get(entry["content"], free), **entry})
    try:
        return tokenizers.from_spec(tokenizer.spec | {"added_tokens": entries})
    except UserError as error:
        raise UserError(f"{folder}: tokens of tokenizer_config.json or added_tokens.json cannot be "
                        f"added: {error}") from None


def asked(folder: Path) -> list[dict]:
    """All tokens that the files name, in the order in which they are added. Raises UserError."""
    config, old = (read_json(path) if path.is_file() else {}
                   for path in (folder / "tokenizer_config.json", folder / "added_tokens.json"))
    table, special = config.get("added_tokens_decoder"), named(folder)
    if table is None:
        table = {str(i): {"content": name, "normalized": name not in special}
                 for name, i in old.items()}
    if not isinstance(table, dict) or not all(
        isinstance(entry, dict) and i.isascii() and i.isdecimal() for i, entry in table.items()):
        raise UserError(f"{folder}: added_tokens_decoder of tokenizer_config.json, or "
                        "added_tokens.json, is not tokens and their ids")
    listed = [table[i] for i in sorted(table, key=int)]
    entries = [token(entry, special) for entry in listed]
    return entries + [token({"content": name}, special) for name in special]


def named(folder: Path) -> list[str]:
    """The special tokens that have a role, and the additional ones."""
    found = list(special_tokens(folder).values())
    for file in ("special_tokens_map.json", "tokenizer_config.json"):
        values = read_json(folder / file) if (folder / file).is_file() else {}
        for name in ("additional_special_tokens", "extra_special_tokens"):
            more = values.get(name) or []
            more = more.values() if isinstance(more, dict) else more if isinstance(more, list) else []
            found += [each.get("content") if isinstance(each, dict) else each for each in more]
    return [each for each in dict.fromkeys(found) if isinstance(each, str) and each]


def token(entry: dict, special: list[str]) -> dict:
    """An entry of tokenizer.json, without its id. Raises UserError."""
    content = entry.get("content")
    if not isinstance(content, str) or not content:
        raise UserError(f"an added token is {printable(content)}: it must be a text")
    return {"content": content, **{flag: entry.get(flag) is True for flag in FLAGS},
            "special": entry.get("special") is True or content in special}
