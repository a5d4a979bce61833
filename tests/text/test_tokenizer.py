"""Promises: both engines learn the same merges and give the same ids on any text; nothing is ever lost."""

import json
import random
import re
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from minillm.errors import UserError
from minillm.text import tokenizer as tk

HELLO = "The fox said: \"I'll wait, they've gone; it's 1234 h, DON'T!\"  She didn't.\r\n\r\n\tThe end...\n"
MANY = (
    HELLO, "def f(x):\n    if x:\n        return x ** 2  # squared\n\n\n\nprint(f(10), f(100), f(100000))\n",
    "Das Schloss liegt am See, und im Schloss wohnt eine Maus. Größe, Straße, Öl.\n",
    "El niño comió tres manzanas; ¿cuántas quedan? ¡Ninguna! La niña comió tres también.\n",
    "小狐狸住在山上。小狐狸很高兴，因为山上有花。三个苹果和两个苹果是五个苹果。\n",
    "छोटी लोमड़ी पहाड़ पर रहती है। लोमड़ी बहुत खुश है। १२३४ फूल।\n",
    "الثعلب الصغير يعيش على الجبل، والثعلب سعيد. ٣ تفاحات؟\n", "روباه می‌خواهد، می‌رود و می‌آید.\n",
    "ትንሽ ቀበሮ በተራራ ላይ ይኖራል። ቀበሮው ደስተኛ ነው፤ ፫ ፍሬዎች።\n", "Con cáo nhỏ sống trên núi. Con cáo rất vui.\n",
    "Mbweha mdogo anaishi mlimani. Impungushe encane ihlala entabeni. Kọ̀lọ̀kọ̀lọ̀ kékeré ń gbé lórí òkè.\n",
    "👩‍👧‍👦 ❤️ 👍🏽👍🏽 🇿🇦🇿🇦 🙂🙂🙂\n", "aaaa aaaaaaaa aaaaaaaaaaaaaaaa aaab aab ab ---- -------- ======\n")
NASTY = (
    *MANY, "", " ", "  ", "\n", "\r", "\r\n", "\n \n", " \n  x", "\t\t", " " * 63, " " * 64, " " * 65,
    " " * 200 + "\n" + " " * 130, "x" * 64, "x" * 65, "é" * 200, "." * 130, "1" * 100, "१२३४५", "٣٤٥٦", "𞥐𞥑𞥒",
    "²³½Ⅳ一", "'LL", "'Ll", "'ſ", "’ve", "'S", "''s", "'", "\xa0", " \xa0", "\xa0x", "\u2028", "\u2029x",
    "\x85", "\u3000", "\u200b", "\u200c", "\u200d", "\ufeff", "\u202e", "\0", "\x1c", "\x1f", "\x7f",
    "\u180e", "e\u0301\u0327", "\u0301", "ﷺ", "İ", "ß", "ẞ", "\u212a", "\u212b", "\ufffd", "\uffff",
    "\U0010ffff", "\ue000", "𝔸𝟙", "🏴‍☠️", "Ġ", "Ċ", "Ã©", "</script>", "]]>", "<|endoftext|>", "<|endoftext|",
    "<|user|>", "<|u|><|endoftext|>")
WILD = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=8), st.characters(codec="utf-8"),
                          st.text(" \t\r\n\xa0a1.'’", max_size=8)), max_size=12).map("".join)
ENGINES = ("written", "library")
SPECIAL = ("<|endoftext|>", "<|user|>", "<|u|>", "<|u|><|endoftext|>")


@pytest.fixture(scope="module")
def pair():
    """The same tokenizer in both engines: (written, library)."""
    return tuple(tk.train(MANY * 3, 640, special_tokens=SPECIAL, engine=engine) for engine in ENGINES)


def library_pretokens(text):
    from tokenizers import Regex, pre_tokenizers
    return [piece for piece, _ in pre_tokenizers.Split(Regex(tk.PATTERN), "isolated").pre_tokenize_str(text)]


def one_line(call, *parts):
    """`call` must raise a UserError of one printable line that holds all `parts`."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert message.isprintable() and message, message
    for part in parts:
        assert part in message, message


# ---- pre-tokens

SYMBOL_BLOCKS = {*range(0x2000, 0x2C00), *range(0xFE00, 0xFE10)}  # here even letters (as in Kelvin) are signs


def test_classes_do_not_overlap_and_agree_with_unicode():
    digit, space, sign = (re.compile(f"[{chars}]") for chars in (tk.DIGIT, tk.SPACE, tk.SIGN))
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        kinds = [bool(kind.match(character)) for kind in (digit, space, sign)]
        assert sum(kinds) <= 1, hex(code)
        if category != "Cn":  # assigned in the edition of Unicode that this Python knows
            assert kinds[0] == (category == "Nd"), hex(code)
        assert kinds[1] == (character.isspace() and character not in "\x1c\x1d\x1e\x1f"), hex(code)
        if category in ("Lu", "Ll", "Lo", "Mn", "Mc") and code not in SYMBOL_BLOCKS:
            assert not kinds[2], hex(code)
        if code < 0x300 and category[0] in "PS" and code not in range(0x2C2, 0x300):
            assert kinds[2], hex(code)


def test_every_code_point_is_split_alike():
    everything = "".join(map(chr, [*range(0xD800), *range(0xE000, sys.maxunicode + 1)]))
    assert list(tk.pretokens(everything)) == library_pretokens(everything)
    planes = [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE0200)]
    around = "".join(f"x{chr(code) * 2}1" for code in planes)
    assert list(tk.pretokens(around)) == library_pretokens(around)


@settings(deadline=None)
@given(WILD)
def test_pretokens_lose_nothing_and_are_short(text):
    pieces = list(tk.pretokens(text))
    assert "".join(pieces) == text and all(len(piece) <= 65 for piece in pieces)
    assert pieces == library_pretokens(text)


@pytest.mark.parametrize("text, pieces", [
    ("I'll, you've DON'T they’re", ["I", "'ll", ",", " you", "'ve", " DON", "'T", " they", "’re"]),
    ("in 12345 days!!", ["in", " ", "123", "45", " days", "!!"]),
    ("a  b   c", ["a", " ", " b", "  ", " c"]),
    ("end.\r\n\r\n  Once", ["end", ".", "\r\n\r\n", " ", " Once"]),
    ("नमस्ते दुनिया।", ["नमस्ते", " दुनिया", "।"]),
    ("می‌خواهم", ["می‌خواهم"]),
    ("Vie\u0323\u0302t Nam", ["Vie\u0323\u0302t", " Nam"]),
    ("你好，世界", ["你好", "，", "世界"]),
    ("٣٤٥٦", ["٣٤٥", "٦"]),
    ("a\xa0b", ["a", "\xa0", "b"]),
])
def test_pretokens_by_example(text, pieces):
    assert list(tk.pretokens(text)) == pieces


# ---- training

def recount_merges(pretoken_counts, symbols, min_count):
    """The definition, without any cleverness: count all pairs, merge the best one, start again."""
    tokens = list(symbols)
    words = {word: [tokens.index(character) for character in tk.visible(word)] for word in pretoken_counts}
    while True:
        counts = Counter()
        for word, ids in words.items():
            for pair in zip(ids, ids[1:], strict=False):
                counts[pair] += pretoken_counts[word]
        if not counts:
            return
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < min_count:
            return
        yield tokens[best[0]], tokens[best[1]], counts[best]
        for word, ids in words.items():
            words[word] = tk.merge_pair(ids, best, len(tokens))
        tokens.append(tokens[best[0]] + tokens[best[1]])


SMALL = st.lists(st.one_of(st.text("ab ", max_size=40), st.text("a'sé1.\n", max_size=20), WILD), max_size=5)


@settings(max_examples=100, deadline=None)
@given(SMALL, st.integers(1, 3))
@example(["aaaaaaa aaaaaa aaaa aaa aa", "abababab bababa aabb"], 1)
def test_merges_follow_the_definition(texts, min_count):
    start = tk.count_pretokens(texts), sorted(tk.BYTE), min_count
    assert list(tk.learn_merges(*start)) == list(recount_merges(*start))


@settings(max_examples=100, deadline=None)
@given(SMALL, st.integers(257, 330), st.integers(1, 3))
@example(["aaaaaaa aaaaaa aaaa aaa aa", "abababab bababa aabb"], 300, 1)
@example(["a special token's text<|endoftext|>is ordinary text<|endoftext|>", "<|endoftext|> "], 330, 2)
def test_both_engines_learn_the_same(texts, vocab_size, min_count):
    written, library = (tk.train(texts, vocab_size, min_count=min_count, engine=engine) for engine in ENGINES)
    assert written.spec == library.spec
    assert written.vocab == library.vocab and written.pieces == library.pieces


@pytest.mark.parametrize("vocab_size", [257, 258, 400, 1500])
@pytest.mark.parametrize("corpus", ["english", "languages", "code", "random"])
def test_both_engines_learn_the_same_on_larger_corpora(corpus, vocab_size):
    rng = random.Random(corpus)
    words = "".join(rng.choices("etaoinshr  ", k=4000)).split()
    texts = {"english": [" ".join(rng.choices(words, k=60)) + "." for _ in range(100)],
             "languages": [rng.choice(MANY) for _ in range(60)],
             "code": [Path(tk.__file__).read_text(encoding="utf-8")],
             "random": ["".join(map(chr, rng.choices(range(0xD800), k=300))) for _ in range(10)]}[corpus]
    written, library = (tk.train(texts, vocab_size, engine=engine) for engine in ENGINES)
    assert written.spec == library.spec
    assert written.vocab_size == vocab_size or vocab_size == 1500 and written.vocab_size > 600
    text = "".join(texts)
    assert written.encode(text) == library.encode(text)


def test_ids_are_special_tokens_then_bytes_then_merges(pair):
    for tokenizer in pair:
        assert tokenizer.special_tokens == {token: i for i, token in enumerate(SPECIAL)}
        bytes_ = [tokenizer.pieces[i] for i in range(len(SPECIAL), len(SPECIAL) + 256)]
        assert sorted(bytes_) == [bytes([b]) for b in range(256)]
        assert tokenizer.vocab_size == 640 == len(tokenizer.pieces)
        for i, (left, right) in enumerate(tokenizer.spec["model"]["merges"], start=len(SPECIAL) + 256):
            assert tokenizer.vocab[left + right] == i
    assert tk.train(MANY, 300).special_tokens == {"<|endoftext|>": 0}


@pytest.mark.parametrize("engine", ["written", "library"])
def test_documents_do_not_merge_and_may_come_from_a_generator(engine):
    apart = tk.train((text for text in ["ab"] * 50 + ["cd"] * 50), 400, engine=engine)
    assert apart.spec["model"]["merges"] == [["a", "b"], ["c", "d"]]
    assert tk.train("ab ab", 400, engine=engine).spec == tk.train(["ab ab"], 400, engine=engine).spec


def test_merging_goes_from_left_to_right():
    assert tk.merge_pair([1, 1, 1], (1, 1), 2) == [2, 1]
    assert tk.merge_pair([1, 1, 1, 1, 3, 1, 1], (1, 1), 2) == [2, 2, 3, 2]
    assert tk.merge_pair([], (1, 1), 2) == []
    assert tk.apply_merges("abcb", {("b", "c"): 0, ("a", "b"): 1, ("a", "bc"): 2}) == ["abc", "b"]


# ---- encoding and decoding

@settings(max_examples=200, deadline=None)
@given(WILD)
def test_both_engines_give_the_same_ids_and_nothing_is_lost(pair, text):
    written, library = pair
    ids = written.encode(text)
    assert library.encode(text) == ids
    assert all(tokenizer.decode(ids) == text for tokenizer in pair)
    assert not set(ids) & set(written.special_tokens.values())
    special = written.encode(text, allow_special=True)
    assert library.encode(text, allow_special=True) == special
    assert all(tokenizer.decode(special) == text for tokenizer in pair)
    if not any(token in text for token in SPECIAL):
        assert special == ids
    assert all(tokenizer.encode_bytes(text.encode()) == ids for tokenizer in pair)


BROKEN = st.sampled_from([b"\xc3", b"\xa9", b"\xc3\xa9", b"\xf0\x9f\x99", b"\x82", b"\xed\xa0",
                          b"\xff", b" the"])


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), st.lists(BROKEN, max_size=12).map(b"".join)))
def test_any_bytes_come_back(pair, data):
    written, library = pair
    ids = written.encode_bytes(data)
    assert library.encode_bytes(data) == ids
    for tokenizer in pair:
        assert tokenizer.decode_bytes(ids) == data
        assert tokenizer.decode(ids) == data.decode("utf-8", "replace")
    assert library._backend.decode(ids, skip_special_tokens=False) == data.decode("utf-8", "replace")


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.text("abc", max_size=30))
def test_rank_decides_even_in_an_odd_order(random_, text):
    """Merges in an order in which they cannot be learned: a later one may make what an earlier one needs."""
    tokens = ["a", "b", "c", "aa", "ab", "bc", "ca", "aaa", "aab", "abc", "bca", "cab", "abca", "aabc"]
    splits = [(token[:i], token[i:]) for token in tokens for i in range(1, len(token))]
    merges = [pair for pair in splits if set(pair) <= set(tokens)]
    random_.shuffle(merges)
    vocab = {token: i for i, token in enumerate([*sorted(tk.BYTE), *tokens[3:]])}
    spec = tk.bpe_spec(tk.PATTERN, vocab, merges[:random_.randint(0, len(merges))], [])
    assert tk.WrittenBPE(spec).encode(text) == tk.Library(json.dumps(spec)).encode(text)


@pytest.mark.parametrize("seed", range(4))
def test_long_texts_are_cut_without_a_trace(pair, seed):
    rng = random.Random(seed)
    text = "".join(rng.choices([*NASTY, "word", " next", "\n"], k=3000))
    written, library = pair
    assert len(tk.CHUNK.findall(text)) > 3
    assert library.encode(text) == written.encode(text) == library._backend.encode(text).ids
    special = written.encode(text, allow_special=True)
    assert library.encode(text, allow_special=True) == special == library._backend.encode(text).ids


def test_a_hostile_text_costs_no_more(pair):
    for unit in ("a", " ", "\n", "-", "漢", " \n", "7", "ab"):
        text = unit * 100_000
        ids = pair[0].encode(text)
        assert pair[1].encode(text) == ids and pair[1].decode(ids) == text


def test_special_tokens(pair):
    for tokenizer in pair:
        eot = tokenizer.special_tokens["<|endoftext|>"]
        ids = tokenizer.encode("The fox<|endoftext|>The", allow_special=True)
        assert ids.count(eot) == 1 and eot not in tokenizer.encode("The fox<|endoftext|>The")
        assert tokenizer.decode(ids) == "The fox<|endoftext|>The"
        assert tokenizer.decode(ids, skip_special=True) == "The foxThe"
        longest = tokenizer.encode("<|u|><|endoftext|><|u|>", allow_special=True)
        assert longest == [tokenizer.special_tokens["<|u|><|endoftext|>"], tokenizer.special_tokens["<|u|>"]]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_streaming_gives_the_same_text(pair, data):
    for tokenizer in (*pair, tk.train_characters(MANY, special_tokens=SPECIAL)):
        highest = data.draw(st.sampled_from([tokenizer.vocab_size - 1, 150]))  # low: single bytes
        ids = data.draw(st.lists(st.integers(0, highest), max_size=30))
        pieces = list(tk.decode_stream(tokenizer, iter(ids)))
        assert "".join(pieces) == tokenizer.decode(ids) and all(pieces)


def test_streaming_never_shows_half_a_character(pair):
    text = "é 漢字 👩‍👧‍👦 ok"
    ids = [pair[0].vocab[tk.VISIBLE[byte]] for byte in text.encode()]
    assert list(tk.decode_stream(pair[0], ids)) == list(text)
    assert list(tk.decode_stream(pair[0], ids[:1])) == ["\ufffd"]


def test_ids_may_be_numpy_integers(pair):
    import numpy as np
    for tokenizer in pair:
        ids = tokenizer.encode(HELLO)
        assert tokenizer.decode(np.array(ids, np.uint16)) == HELLO
        with pytest.raises(TypeError):
            tokenizer.decode([0.5])


# ---- files

@pytest.mark.parametrize("trained_by", ["written", "library"])
@pytest.mark.parametrize("opened_by", ["written", "library"])
def test_saved_and_loaded(pair, tmp_path, trained_by, opened_by):
    tokenizer = pair[trained_by == "library"]
    assert tokenizer.save(tmp_path / "model") == tmp_path / "model" / "tokenizer.json"
    config = json.loads((tmp_path / "model" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["bos_token"] == config["eos_token"] == "<|endoftext|>"
    tokenizer.save(tmp_path / "alone" / "mine.json")
    assert [path.name for path in (tmp_path / "alone").iterdir()] == ["mine.json"]
    for path in (tmp_path / "model", f"{tmp_path}/model/tokenizer.json", tmp_path / "alone" / "mine.json"):
        again = tk.load(path, engine=opened_by)
        assert type(again) is {"written": tk.WrittenBPE, "library": tk.Library}[opened_by]
        assert again.spec == tokenizer.spec and again.special_tokens == tokenizer.special_tokens
        for text in NASTY:
            assert again.encode(text) == tokenizer.encode(text)


def test_our_file_opens_in_the_library_itself(pair, tmp_path):
    from tokenizers import Tokenizer
    opened = Tokenizer.from_file(str(pair[0].save(tmp_path)))
    for text in NASTY:
        assert opened.encode(text).ids == pair[0].encode(text, allow_special=True)
        assert opened.decode(opened.encode(text).ids, skip_special_tokens=False) == text


def test_old_style_merges_are_read(pair, tmp_path):
    spec = json.loads(json.dumps(pair[0].spec))
    spec["model"]["merges"] = [" ".join(merge) for merge in spec["model"]["merges"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    assert all(tk.load(tmp_path, engine=engine).spec == pair[0].spec for engine in ("written", "library"))


def altered(spec, **changes):
    """A copy of `spec` with changed parts; model__vocab="x" sets spec["model"]["vocab"]."""
    spec = json.loads(json.dumps(spec))
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = spec
        for parent in parents:
            part = part[parent]
        part[last] = value
    return spec


MARK = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
FOREIGN = {
    "normalizer": {"normalizer": {"type": "Lowercase"}}, "pre_tokenizer": {"pre_tokenizer": BYTE_LEVEL},
    "decoder": {"decoder": {"type": "Fuse"}},
    "ignore_merges": {"model__ignore_merges": True}, "dropout": {"model__dropout": 0.5},
    "unk_token": {"model__unk_token": "a"}, "byte_fallback": {"model__byte_fallback": True},
    "256 bytes": {"model__vocab": {"a": 0, "b": 1}, "model__merges": [], "added_tokens": []},
    "type": {"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}, "added_tokens": []},
    "not a plain special token": {"added_tokens": [MARK | {"id": 640, "content": "<mask>", "lstrip": True}]}}


@pytest.mark.parametrize("name", FOREIGN)
def test_written_engine_names_what_it_cannot_do(pair, tmp_path, name):
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(altered(pair[0].spec, **FOREIGN[name])), encoding="utf-8")
    assert isinstance(tk.load(file, engine="library"), tk.Library)
    one_line(lambda: tk.load(file, engine="written"), str(file), name, 'engine="library"')


def test_library_opens_foreign_tokenizers(tmp_path):
    """Of the SentencePiece kind: ▁ for spaces, bytes as <0x..>, a beginning mark, a wish to truncate."""
    tokens = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a"]
    spec = {
        "version": "1.0", "pre_tokenizer": None, "post_processor": None, "padding": None,
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "added_tokens": [{"id": i, "content": token} | MARK for i, token in enumerate(tokens[:2])],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": [["▁", "a"]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    tokenizer = tk.load(tmp_path)
    text = "a b a é👍 <s>"
    ids = tokenizer.encode(text)
    assert len(ids) > 10 and 1 not in ids and 1 in tokenizer.encode(text, allow_special=True)
    assert tokenizer.decode(ids) == text
    pieces = list(tk.decode_stream(tokenizer, ids))
    assert "".join(pieces) == text and len(pieces) > 8
    cut = [*ids[:3], 200]
    assert "".join(tk.decode_stream(tokenizer, cut)) == tokenizer.decode(cut) == "a b\ufffd"
    one_line(lambda: tokenizer.decode([999]), "999")


HOSTILE = {
    "empty": b"", "spaces": b"  ", "not JSON": b"{", "not UTF-8": b"\xff\xfe{}", "marked": b"\xef\xbb\xbf{}",
    "a list": b"[]", "a number": b"7", "no model": b"{}", "model is a number": b'{"version":"1.0","model":5}',
    "deep": b"[" * 100_000, "deep in a model": b'{"model":' * 5000 + b"1" + b"}" * 5000,
    "long number": b'{"version":"1.0","model":' + b"9" * 5000 + b"}", "NaN": b'{"version":"1.0","model":NaN}',
    "pickle": b"\x80\x04\x95\x10\x00", "zeros": b"\0" * 1000}
CHANGED = {
    "merge of absent tokens": {"model__merges": [["a", "zz"]]},
    "merge to an absent token": {"model__merges": [["a", "b"], ["ab", "Q"]]},
    "merge shorter than its prefix": {"model__continuing_subword_prefix": "####"},
    "merge of three": {"model__merges": [["a", "b", "c"]]}, "merge in one word": {"model__merges": ["ab"]},
    "merge of numbers": {"model__merges": [[1, 2]]}, "merges are a number": {"model__merges": 5},
    "merges are a word": {"model__merges": "a b"}, "merges are null": {"model__merges": None},
    "doubled id": {"model__vocab__a": 7}, "huge id": {"model__vocab__a": 2**31},
    "larger id": {"model__vocab__a": 10**30}, "negative id": {"model__vocab__a": -1},
    "true id": {"model__vocab__a": True}, "word as id": {"model__vocab__a": "7"},
    "fraction as id": {"model__vocab__a": 1.5}, "vocabulary is a list": {"model__vocab": ["a"]},
    "vocabulary is empty": {"model__vocab": {}, "model__merges": [], "added_tokens": []},
    "half a surrogate pair": {"model__vocab__\ud800": 640}, "unknown model": {"model__type": "Magic"},
    "added tokens are a table": {"added_tokens": {"a": 1}},
    "added token has no name": {"added_tokens": [{"id": 0}]},
    "added token named by a number": {"added_tokens": [{"id": 0, "content": 5} | MARK]},
    "added token with a huge id": {"added_tokens": [{"id": 2**31, "content": "<x>"} | MARK],
                                   "model__vocab__<x>": 2**31},
    "unknown normalizer": {"normalizer": {"type": "Magic"}}, "decoder is a number": {"decoder": 5},
    "broken pattern": {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated",
                                         "invert": False}}}


@pytest.mark.parametrize("engine", ["library", "written"])
@pytest.mark.parametrize("name", [*HOSTILE, *CHANGED])
def test_files_of_strangers(pair, tmp_path, capfd, name, engine):
    changed = json.dumps(altered(pair[0].spec, **CHANGED.get(name, {}))).encode()
    content = HOSTILE.get(name, changed)
    file = tmp_path / "tokenizer.json"
    file.write_bytes(content)
    one_line(lambda: tk.load(tmp_path, engine=engine), str(file))
    assert file.read_bytes() == content
    assert capfd.readouterr() == ("", "")  # not even a panic's own words


def test_a_pattern_that_backtracks_for_ever_is_stopped(pair):
    split = {"type": "Split", "pattern": {"Regex": "(a|aa)+$"}, "behavior": "Isolated", "invert": False}
    tokenizer = tk.Library(json.dumps(altered(pair[0].spec, pre_tokenizer=split)))
    one_line(lambda: tokenizer.encode("a" * 60 + "b"), "cannot encode this text", "retry-limit")


def test_mistakes_are_one_line(pair, tmp_path):
    one_line(lambda: tk.load(tmp_path), str(tmp_path / "tokenizer.json"), "No such file")
    one_line(lambda: tk.load(tmp_path / "nowhere"), "nowhere")
    one_line(lambda: tk.load(tmp_path, engine="fast"), "fast", "library", "written")
    one_line(lambda: tk.train(MANY, 300, engine="fast"), "fast")
    one_line(lambda: tk.train(MANY, 256), "256", "257")
    one_line(lambda: tk.train(MANY, 300, min_count=0), "min_count")
    for token in ("", "the", "<>", "<|>", "<a b>", "<é>", "<a>\n", "\ud800"):
        one_line(lambda token=token: tk.train(MANY, 300, special_tokens=[token]), "special token")
    one_line(lambda: tk.train(MANY, 300, special_tokens=["<a>", "<a>"]), "twice")
    for engine in ("written", "library"):
        one_line(lambda engine=engine: tk.train(["ok", "a\ud800"], 300, engine=engine), "surrogate", "ud800")
    for tokenizer in pair:
        one_line(lambda tokenizer=tokenizer: tokenizer.encode("a\udfff"), "surrogate", "udfff")
        for wrong in (640, -1, 2**70):
            one_line(lambda tokenizer=tokenizer, wrong=wrong: tokenizer.decode([5, wrong]), str(wrong), "639")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    one_line(lambda: pair[0].save(tmp_path / "file"), "file", "cannot save")


# ---- characters

@settings(deadline=None)
@given(st.text(min_size=1), st.sampled_from([(), SPECIAL]))
def test_characters(text, special):
    tokenizer = tk.train_characters([text, text[:3]], special_tokens=special)
    assert list(tokenizer.vocab) == [*special, *sorted(set(text))]
    assert tokenizer.vocab_size == len(special) + len(set(text))
    ids = tokenizer.encode(text)
    assert ids == [len(special) + sorted(set(text)).index(character) for character in text]
    assert tokenizer.decode(ids) == text and tokenizer.decode_bytes(ids) == text.encode()
    assert tokenizer.encode_bytes(text.encode()) == ids
    assert "".join(tk.decode_stream(tokenizer, ids)) == text
    library = tk.Library(json.dumps(tokenizer.spec))
    assert library.spec == tokenizer.spec
    assert library.encode(text) == ids and library.decode(ids) == text
    if special:
        marked = text + "<|endoftext|>" + text
        for engine in (tokenizer, library):
            assert engine.encode(marked, allow_special=True) == [*ids, 0, *ids]
        assert tokenizer.decode([*ids, 0], skip_special=True) == text


def test_characters_are_saved_and_recognised(tmp_path):
    tokenizer = tk.train_characters(["to be, or not to be\n"])
    tokenizer.save(tmp_path)
    for engine in ("written", "library"):
        again = tk.load(tmp_path, engine=engine)
        assert isinstance(again, tk.Characters) and again.spec == tokenizer.spec
    one_line(lambda: tokenizer.encode("to be?"), "'?'", "vocabulary")
    one_line(lambda: tokenizer.encode("\u202e"), "u202e")
    one_line(lambda: tokenizer.encode_bytes(b"\xff"), "UTF-8")
    one_line(lambda: tk.train_characters([]), "no text")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_vocabulary_that_cannot_be_is_refused_before_anything_is_allocated(engine):
    one_line(lambda: tk.train(["one two three"], 999_999_999, engine=engine),
             "vocab_size 999,999,999 is too large", "13 bytes")
    assert tk.train(["one two three"], 60_000,
                    engine=engine).vocab_size < 300       # what a short text gives
