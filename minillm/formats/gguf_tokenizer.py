"""Tokenizers in GGUF files: from their metadata to a tokenizer.json, and back.

    tokenizer.ggml.model "gpt2"     byte-level BPE: tokens, merges, and in `pre` the name of a rule that cuts text into words
    tokenizer.ggml.model "llama"    SentencePiece: tokens and scores; an unknown character becomes its bytes

llama.cpp knows the rules by name (llm_tokenizer_bpe in its src/llama-vocab.cpp); a tokenizer.json
spells them out. A name or a rule that has no counterpart here is refused: other cuts are other
tokens, and a model that writes nonsense.
"""

import re

from minillm.errors import UserError, printable
from minillm.text import tokenizer as tokenizers
from minillm.text.tokenizer import PATTERN
from minillm.text.tokenizer_json import byte_level_spec, sentencepiece_spec, with_begin

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)     # tokenizer.ggml.token_type

# Cuts, as regular expressions: a contraction, a word, a number, a run of signs, spaces.
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
TEKKEN = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

# llama.cpp's name -> the steps of its rule. Digits: each digit is cut off before the words are.
RULES = {"gpt-2": [GPT2], "smollm": ["digits", GPT2], "llama-bpe": [LLAMA3], "qwen2": [QWEN2],
         "tekken": [TEKKEN]}
SAME = {"gpt-2": ("phi-2", "mpt", "olmo", "jais", "jina-en", "trillion", "exaone4"),
        "smollm": ("starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
        "llama-bpe": ("llama3", "llama-v3", "falcon3", "falcon-h1", "dbrx", "smaug-bpe", "lfm2"),
        "qwen2": ("stablelm2", "deepseek-r1-qwen", "megrez", "hunyuan")}
RULE_OF = {other: name
           for name, others in SAME.items() for other in (name, *others)} | {"tekken": "tekken"}
WHOLE_WORDS = ("llama-bpe", "tekken")                # rules with which a word that is a token is never merged from parts
BEGINS = ("llama-bpe", "tekken")  # ... with which a text begins with its mark where nothing is said
# Tokens that llama.cpp knows by their text to end a turn or a text, whatever the metadata say.
ENDS = ("<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>",
        "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>")
NEAREST = "llama-bpe"  # to the rule of the tokenizers that minillm trains

REMARK = (
    "llama.cpp has no rule that cuts words exactly as this tokenizer does: the nearest, llama-bpe, "
    "is named. English, digits and code become the same tokens there; scripts with combining marks "
    "(Hindi, Thai) and fractions such as ½ may become others")


# ---- From GGUF -----------------------------------------------------------------------------------------

def read(fields: dict):
    """(tokenizer or None, the ids before a prompt) from a file's metadata. Raises UserError."""
    kind = fields.get("tokenizer.ggml.model")
    if kind in (None, "none", "no_vocab"):
        return None, ()
    if kind not in ("gpt2", "llama"):
        raise UserError(f"tokenizer.ggml.model is {printable(kind)}: gpt2 (byte-level BPE) and llama "
                        "(SentencePiece) are read")
    names = texts(fields, "tokens")
    kinds = fields.get("tokenizer.ggml.token_type", [NORMAL] * len(names))
    if not isinstance(kinds, list) or len(kinds) != len(names):
        raise UserError(
            f"tokenizer.ggml.token_type is not a list of {len(names)} numbers, one for each token")
    kinds = [kind if name else UNUSED for name, kind in zip(names, kinds)]   # "" stands for no text
    vocab = {name: i for i, name in enumerate(names) if kinds[i] != UNUSED}
    added = [(name, i, kinds[i] in (CONTROL, UNKNOWN)) for name, i in vocab.items()
             if kinds[i] in (CONTROL, UNKNOWN, USER_DEFINED)]
    if len(vocab) < sum(kind != UNUSED for kind in kinds):
        raise UserError("tokenizer.ggml.tokens has a token that stands there twice")
    prefix = fields.get("tokenizer.ggml.add_space_prefix", kind == "llama") is True
    if kind == "gpt2":
        rule = fields.get("tokenizer.ggml.pre", "default")
        spec = byte_level_spec(steps_of(rule, prefix), vocab, merges(fields), added,
                               RULE_OF[rule] in WHOLE_WORDS)
        begins = RULE_OF[rule] in BEGINS
    else:
        scores = fields.get("tokenizer.ggml.scores")
        if not isinstance(scores, list) or len(scores) != len(names):
            raise UserError(
                f"tokenizer.ggml.scores is not a list of {len(names)} numbers, one for each token")
        ordinary = {i for i in vocab.values() if kinds[i] in (NORMAL, USER_DEFINED)}
        spec, begins = sentencepiece_spec(vocab, scores, ordinary, added, prefix), True
    begin = fields.get("tokenizer.ggml.bos_token_id", 1 if kind == "llama" else None)
    asked = fields.get("tokenizer.ggml.add_bos_token", begins)
    if asked is True and isinstance(begin,
                                    int) and 0 <= begin < len(names) and names[begin] in vocab:
        spec = with_begin(spec, names[begin], begin)
    tokenizer = tokenizers.from_spec(spec)
    return tokenizer, tokenizer.begin


def texts(fields: dict, name: str) -> list[str]:
    """A list of texts of the tokenizer. Raises UserError."""
    found = fields.get(f"tokenizer.ggml.{name}")
    if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
        raise UserError(f"tokenizer.ggml.{name} is not a list of texts")
    return found


def merges(fields: dict) -> list[tuple[str, ...]]:
    """The merges, each written as two tokens with a space between. Raises UserError."""
    pairs = [tuple(merge.split(" "))
             for merge in texts(fields, "merges")] if fields.get("tokenizer.ggml.merges") else []
    wrong = next((pair for pair in pairs if len(pair) != 2), None)
    if wrong is not None:
        raise UserError(
            f"tokenizer.ggml.merges has {printable(' '.join(wrong))}, which is not two tokens")
    return pairs


def steps_of(rule: str, prefix: bool) -> list[dict]:
    """The pre-tokenizers of a tokenizer.json that do what a rule of llama.cpp does. Raises
    UserError."""
    if rule not in RULE_OF:
        raise UserError(f"tokenizer.ggml.pre is {printable(rule)}: a rule to cut words that is not known here "
                        f"({', '.join(RULES)} and their equals are): open the model's Hugging Face folder instead")
    *digits, cut = RULES[RULE_OF[rule]]
    steps = [{"type": "Digits", "individual_digits": True}] if digits else []
    if cut != GPT2:
        steps.append({"type": "Split", "pattern": {"Regex": cut}, "behavior": "Isolated",
                      "invert": False})
    return [*steps, {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": False,
                     "use_regex": cut == GPT2}]


# ---- To GGUF -------------------------------------------------------------------------------------------

def rule_of(spec: dict) -> str:
    """llama.cpp's name of the rule by which a byte-level tokenizer.json cuts words. Raises
    UserError."""
    cuts = []
    for step in parts(spec["pre_tokenizer"], "pretokenizers"):
        if step["type"] == "Digits" and step["individual_digits"]:
            cuts.append("digits")
        elif step["type"] == "Split" and (step["behavior"], step["invert"]) in (
            ("Isolated", False), ("Removed", True)):
            pattern = step["pattern"].get("Regex") or re.escape(step["pattern"]["String"])
            cuts.append("digits" if pattern in (r"\p{N}", r"\d") else plain(pattern))
        elif step["type"] == "ByteLevel":
            cuts += [GPT2] * step["use_regex"]
        else:
            cuts.append(step["type"])
    known = {tuple(map(plain, steps)): name
             for name, steps in RULES.items()} | {(plain(PATTERN),): NEAREST}
    if tuple(map(plain, cuts)) not in known:
        raise UserError(f"its pre-tokenizer is {printable(cuts)}: llama.cpp has no such rule to cut words, so it would read "
                        f"other tokens (it has {', '.join(RULES)}): GGUF export would make a model that writes nonsense")
    return known[tuple(map(plain, cuts))]


def plain(pattern: str) -> str:
    """One way to write the contractions, of which tokenizer.json files have several."""
    spelled = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    return pattern.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)",
                           spelled).replace("(?i:[sdmt]|ll|ve|re)", spelled)


def parts(step: dict | None, name: str) -> list[dict]:
    """A normalizer, pre-tokenizer or decoder as the list of its steps."""
    return [] if step is None else step[name] if step["type"] == "Sequence" else [step]


def remark(tokenizer) -> str | None:
    """What to tell of a tokenizer that llama.cpp runs nearly but not exactly as we do, or None."""
    steps = parts(tokenizer.spec["pre_tokenizer"], "pretokenizers")
    ours = any(step.get("pattern", {}).get("Regex") == PATTERN for step in steps)
    return REMARK if ours else None


def write(writer, tokenizer, config):
    """Tokens, their types, merges or scores, and the name of the rule. Raises UserError: llama.cpp
    has no such tokenizer."""
    spec, names = tokenizer.spec, {i: token for token, i in tokenizer.vocab.items()}
    added = {entry["id"]: entry for entry in spec["added_tokens"]}
    refuse(tokenizer)

    def kind(i):
        name = names.get(i)
        if name is None:
            return UNUSED
        if i in added and not tokenizer.byte_level and name == spec["model"].get("unk_token"):
            return UNKNOWN
        if i in added:
            return CONTROL if added[i]["special"] or re.fullmatch(
                r"<\|.*\|>|<｜.*｜>", name) else USER_DEFINED
        return BYTE if not tokenizer.byte_level and re.fullmatch(
            "<0x[0-9A-F]{2}>", name) else NORMAL

    ids = range(config.vocab_size)
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in spec["model"]["merges"]]
    writer.add_tokenizer_model("gpt2" if tokenizer.byte_level else "llama")
    if tokenizer.byte_level:
        writer.add_tokenizer_pre(rule_of(spec))
    else:
        writer.add_tokenizer_pre("default")
    writer.add_token_list([names.get(i, f"[PAD{i}]") for i in ids])
    writer.add_token_types([kind(i) for i in ids])
    if tokenizer.byte_level:
        writer.add_token_merges([" ".join(pair) for pair in pairs])
    else:  # SentencePiece joins what has the highest score: the earliest merge
        first = {}
        for rank, (left, right) in enumerate(pairs):
            first.setdefault(left + right, -float(rank))
        writer.add_token_scores([first.get(names.get(i), -float(len(pairs))) for i in ids])
    writer.add_add_space_prefix(has_prefix(spec))


def refuse(tokenizer):
    """Refuse what llama.cpp's tokenizers do not do. Raises UserError."""
    spec, model = tokenizer.spec, tokenizer.spec["model"]
    if model["type"] != "BPE" or not (tokenizer.byte_level or model.get("byte_fallback")):
        raise UserError(f"its tokenizer ({model['type']}) is neither byte-level BPE nor SentencePiece's BPE with bytes for "
                        "unknown characters: llama.cpp has no other for a LLaMA")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise UserError(
                f"its tokenizer has the {name} {printable(model[name])}: llama.cpp has none")
    steps = [step["type"] for step in parts(spec["normalizer"], "normalizers")]
    allowed = ("NFC",) if tokenizer.byte_level else ("Prepend", "Replace")
    if not set(steps) <= set(allowed):
        raise UserError(f"its tokenizer changes texts before it cuts them ({', '.join(steps)}): llama.cpp does not")


def has_prefix(spec: dict) -> bool:
    """Does the tokenizer put a space before a text?"""
    normalizers, cuts = parts(spec["normalizer"],
                              "normalizers"), parts(spec["pre_tokenizer"], "pretokenizers")
    return (any(step["type"] == "Prepend" for step in normalizers) or any(
                step["type"] == "ByteLevel" and step["add_prefix_space"] for step in cuts) or any(
                step["type"] == "Metaspace" and step["prepend_scheme"] != "never" for step in cuts))
