"""Text becomes tokens: byte-level BPE written out, the `tokenizers` library, and single characters.

Glossary
  pre-token      a word, a number, a run of signs or of spaces; no token ever reaches across two of them
  visible        every byte has one visible character (the space is Ġ, the newline Ċ), to print and to save
  merge          two neighbouring tokens, a pair, become one longer token
  rank           the place of a merge in the order of learning; lower ranks are applied first
  special token  a mark such as <|endoftext|>, put between texts by its id, never found in one by accident
  spec           the content of a tokenizer.json: a tokenizer is its spec and an engine that runs it

Ids: special tokens first, then the 256 bytes (in the order of their visible characters), then the
merges as learned. As all bytes are tokens, any text in any script, and any bytes at all, come back
unchanged. Byte-pair encoding of words: Sennrich et al., arXiv 1508.07909; of bytes: GPT-2 (Radford
et al. 2019, 2.2).
"""

import codecs
import heapq
import json
import operator
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path

from minillm.errors import UserError, printable
from minillm.files import refuse_stand_in
from minillm.text.tokenizer_json import (
    bpe_spec,
    character_spec,
    check_ids,
    check_merges,
    foreign_part,
    full_vocab,
    has_byte_level,
    library_errors,
    with_begin,
)

END_OF_TEXT = "<|endoftext|>"
LARGE = 1 << 16  # a vocabulary above this is looked at before anything is allocated for it

# ---- Pre-tokens: where a text may be cut ---------------------------------------------------------------
# Each Python follows its own edition of Unicode and the library another, so \w, \d, \s and \p{L} would split
# some texts differently. The classes are therefore spelled out, and both engines run the same PATTERN. What
# is in no list is a letter: letters and accents of all scripts, also of those that Unicode has yet to add.

ZEROS = ("0٠۰߀०০੦૦୦௦౦೦൦෦๐໐༠၀႐០᠐᥆᧐᪀᪐᭐᮰᱀᱐꘠꣐꤀꧐꧰꩐꯰０"  # in every script the digits are ten in a row
         "𐒠𐴰𐵀𑁦𑃰𑄶𑇐𑋰𑑐𑓐𑙐𑛀𑛐𑛚𑜰𑣠𑥐𑯰𑱐𑵐𑶠𑽐𖄰𖩠𖫀𖭐𖵰𜳰𝟎𝟘𝟢𝟬𝟶𞅀𞋰𞓰𞗱𞥐🯰")
DIGIT = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in ZEROS)
SPACE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
SIGN = (r"!-/:-@\[-`{-~" "\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f¡-©«-´¶-¹»-¿×÷"  # ASCII, controls, Latin-1
        ";·՚-՟։\u05be\u05c0\u05c3\u05f3\u05f4\u060c\u060d\u061b\u061d-\u061f\u066a-\u066d\u06d4"  # to Arabic
        "।॥॰෴๏๚๛་-༔၊-၏፠-፨។-៚᠀-᠊"  # Devanagari to Mongolian
        "\u200b\u200e-\u2027\u202a-\u202e\u2030-\u205e\u2060-\u2bff\u2e00-\u2e5d"  # dashes, quotes, arrows
        "\u3001-\u3003\u3008-\u3020\u3030・\ufe00-\ufe19\ufe30-\ufe6f！-／：-＠［-｀｛-･￠-\uffff"  # East Asia
        "\U0001f000-\U0001faff")  # emoji
RUN = "{1,64}"  # no pre-token is longer: a text that is one endless word costs no more than another

PATTERN = "|".join((
    "['’](?:[sdmtSDMT]|[lL][lL]|[rR][eE]|[vV][eE])",  # the end of a contraction: 's 'd 'm 't 'll 're 've
    f" ?[^{SPACE}{DIGIT}{SIGN}]{RUN}",  # a word, with the space before it
    f"[{DIGIT}]{{1,3}}",  # a number, three digits at a time
    f" ?[{SIGN}]{RUN}",  # signs, with the space before them
    f"[{SPACE}]{{0,63}}[\r\n]",  # spaces up to the last line end
    f"[{SPACE}]{RUN}(?![^{SPACE}])",  # spaces, but the last one is left to the word that follows
    f"[{SPACE}]"))
PRETOKEN = re.compile(PATTERN)
# A pre-token ends wherever a character that is no space meets a space: there, long texts may be cut.
CHUNK = re.compile(rf"[\s\S]{{4096,}}?[^{SPACE}](?=[{SPACE}])|[\s\S]+")


def pretokens(text: str) -> Iterator[str]:
    """The pre-tokens of `text` in order; joined, they are `text` again."""
    return map(re.Match.group, PRETOKEN.finditer(text))


# ---- Bytes and their visible characters, as in GPT-2 ---------------------------------------------------

_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in _PRINTABLE]
VISIBLE = {byte: chr(byte) for byte in _PRINTABLE} | {byte: chr(256 + i)
                                                      for i, byte in enumerate(_OTHERS)}
BYTE = {character: byte for byte, character in VISIBLE.items()}


def visible(text: str) -> str:
    """The UTF-8 bytes of `text`, each as its visible character: "é x" is "Ã©Ġx"."""
    return "".join(map(VISIBLE.__getitem__, text.encode("utf-8")))


def token_bytes(token: str) -> bytes:
    """The bytes of a token in visible characters; one with any other character stands for its own
    UTF-8."""
    return bytes(map(BYTE.__getitem__, token)) if BYTE.keys() >= set(token) else token.encode(
        "utf-8")


# ---- Learning merges, and applying them ----------------------------------------------------------------

def count_pretokens(texts: Iterable[str]) -> Counter:
    """How often each pre-token occurs in the documents `texts`."""
    counts = Counter()
    for text in texts:
        counts.update(pretokens(_checked_text(text)))
    return counts


def merge_pair(word: Sequence, pair: tuple, new) -> list:
    """`word` with each neighbouring `pair` replaced by `new`, left to right: a a a becomes aa a,
    not a aa."""
    merged, i = [], 0
    while i < len(word):
        here = tuple(word[i:i + 2]) == pair
        merged.append(new if here else word[i])
        i += 2 if here else 1
    return merged


def learn_merges(pretoken_counts: Mapping[str, int], symbols: Sequence[str],
                 min_count: int = 2, cut: Callable[[str], Sequence[str]] = visible,
                 ) -> Iterator[tuple[str, str, int]]:
    """Yield (left, right, count), the best pair first, until no pair occurs `min_count` times.

    The best pair is the most frequent; among equals, the one whose ids (left, right) are smallest.
    Symbols have the ids 0, 1, 2 ..., each merge the next one. After a merge only the words that
    held the pair are counted anew; a count in the heap may be out of date (too high, as old pairs
    only get rarer) and is put right when it comes to the top. `cut` splits a pre-token into
    symbols at first: into bytes, or by merges that were learned before.
    """
    tokens = list(symbols)
    ids = {token: i for i, token in enumerate(tokens)}
    words = [[ids[symbol] for symbol in cut(pretoken)] for pretoken in pretoken_counts]
    times = list(pretoken_counts.values())
    counts, places = Counter(), defaultdict(set)
    for w, word in enumerate(words):
        for pair in pairwise(word):
            counts[pair] += times[w]
            places[pair].add(w)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)
    while heap and -heap[0][0] >= min_count:
        count, pair = -heap[0][0], heap[0][1]
        if count != counts[pair]:
            heapq.heapreplace(heap, (-counts[pair], pair))
            continue
        heapq.heappop(heap)
        left, right, new = tokens[pair[0]], tokens[pair[1]], len(tokens)
        yield left, right, count
        tokens.append(left + right)
        created = set()
        for w in places.pop(pair):
            before, words[w] = words[w], merge_pair(words[w], pair, new)
            for gone in pairwise(before):
                counts[gone] -= times[w]
            for present in pairwise(words[w]):
                counts[present] += times[w]
                if new in present:
                    places[present].add(w)
                    created.add(present)
        for present in created:
            heapq.heappush(heap, (-counts[present], present))


def apply_merges(tokens: Sequence[str], ranks: Mapping[tuple[str, str], int]) -> list[str]:
    """Merge the pair of lowest rank, the leftmost first, again and again until no neighbours have a
    rank."""
    tokens = list(tokens)
    while True:
        ranked = [(ranks[pair], i) for i, pair in enumerate(pairwise(tokens)) if pair in ranks]
        if not ranked:
            return tokens
        _, i = min(ranked)
        tokens[i:i + 2] = [tokens[i] + tokens[i + 1]]


# ---- The face that all tokenizers share ----------------------------------------------------------------

class Tokenizer:
    """What every engine offers; each adds its own `_encode(text)` for ordinary text.

    spec: see the glossary; vocab: token as written in the spec -> id; special_tokens: the special
    ones alone; vocab_size: highest id + 1; pieces: id -> bytes; byte_level: do tokens stand for
    bytes? (Some of the 256 may be missing.) begin: the ids that its post-processor puts before a
    text, where a file of others asks for that; joins_pieces: is decoding no more than joining the
    pieces? rows: of the embedding, see `fit`, or None.
    """

    def __init__(self, spec: dict, vocab: Mapping[str, int]):
        self.spec, self.vocab, self.vocab_size = spec, vocab, max(vocab.values()) + 1
        added = spec["added_tokens"]
        self.special_tokens = {entry["content"]: entry["id"] for entry in added if entry["special"]}
        self.byte_level = has_byte_level(spec["decoder"])
        self.joins_pieces, self.begin, self.rows = True, (), None
        as_bytes = token_bytes if self.byte_level else str.encode
        self.pieces = {i: as_bytes(token) for token, i in vocab.items()}

    def encode(self, text: str, allow_special: bool = False) -> list[int]:
        """The ids of `text`; what looks like a special token is ordinary text, unless
        `allow_special`.

        Raises UserError for half a surrogate pair (it has no UTF-8) and for what no token can
        express.
        """
        text = _checked_text(text)
        special = allow_special and self.special_tokens
        return self._known(self._encode_special(text) if special else self._encode(text))

    def fit(self, rows: int) -> "Tokenizer":
        """Goes with an embedding of so many rows: a row without a token stands for no text, a token
        without a row is refused.

        Many models have such rows (padded to a round number) and such tokens (a [PAD] that nothing
        uses).
        """
        self.rows = rows
        self.pieces |= {i: b"" for i in range(rows) if i not in self.pieces}
        return self

    def _known(self, ids):
        if self.rows is not None and ids and max(ids) >= self.rows:
            name = next(token for token, i in self.vocab.items() if i == max(ids))
            raise UserError(f"the text has the token {printable(name)}, id {max(ids)}, which the model's embedding of "
                            f"{self.rows} rows does not have: leave it out")
        return ids

    def _encode_special(self, text):
        ids, longest_first = [], sorted(self.special_tokens, key=len, reverse=True)
        for part in re.split(f"({'|'.join(map(re.escape, longest_first))})", text):
            ids += [self.special_tokens[part]] if part in self.special_tokens else self._encode(
                part)
        return ids

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes: valid UTF-8 as text, every other byte as its own token."""
        ids = []
        for part in re.split("([\udc80-\udcff]+)", data.decode("utf-8", "surrogateescape")):
            if not "\udc80" <= part[:1] <= "\udcff":
                ids += self._encode(part)
                continue
            if not self.byte_level:
                raise UserError(
                    "the data is not UTF-8, and this tokenizer has no tokens for single bytes")
            for byte in part.encode("utf-8", "surrogateescape"):
                if VISIBLE[byte] not in self.vocab:
                    raise UserError(f"the data is not UTF-8, and this tokenizer has no token for the byte {byte:#04x}")
                ids.append(self.vocab[VISIBLE[byte]])
        return self._known(ids)

    def decode_bytes(self, ids: Iterable[int], skip_special: bool = False) -> bytes:
        """The bytes that `ids` stand for. Raises UserError for an id that no token has."""
        skipped = self.special_tokens.values() if skip_special else ()
        try:
            return b"".join([self.pieces[i] for i in map(operator.index, ids) if i not in skipped])
        except KeyError as error:
            raise UserError(
                f"no token has the id {error}; the highest is {self.vocab_size - 1}") from None

    def decode(self, ids: Iterable[int], skip_special: bool = False) -> str:
        """The text that `ids` stand for; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids, skip_special).decode("utf-8", "replace")

    def save(self, path: str | Path, begin: str | None = None) -> Path:
        """Write tokenizer.json (returned) and tokenizer_config.json into a folder, or one file if
        *.json.

        `begin`: the special token that others shall put before every text, where the file does not
        say so yet.
        """
        path, spec = Path(path), self.spec
        if begin is not None and spec["post_processor"] is None:
            spec = with_begin(spec, begin, self.vocab[begin])
        config = {"tokenizer_class": "PreTrainedTokenizerFast",
                  "clean_up_tokenization_spaces": False}
        if END_OF_TEXT in self.special_tokens:
            config |= {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT}
        contents = {path / "tokenizer.json": spec, path / "tokenizer_config.json": config}
        contents = {path: spec} if path.suffix == ".json" else contents
        try:
            for file, content in contents.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        except OSError as error:
            raise UserError(f"{path}: cannot save the tokenizer here ({error.strerror})") from None
        return next(iter(contents))


def decode_stream(tokenizer: Tokenizer, ids: Iterable[int]) -> Iterator[str]:
    """Yield text as ids arrive, holding back unfinished UTF-8; all of it together is `decode(ids)`.

    (A foreign tokenizer's decoder may take back good text when bad bytes follow; what was yielded
    stays.)
    """
    pieces = _stream_pieces if tokenizer.joins_pieces else _stream_prefixes
    return filter(None, pieces(tokenizer, ids))


def _stream_pieces(tokenizer, ids):
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for i in ids:
        yield decoder.decode(tokenizer.decode_bytes([i]))
    yield decoder.decode(b"", final=True)


def _stream_prefixes(tokenizer, ids):  # where a token's text depends on its neighbours: always from the start
    prefix, shown = [], 0
    for i in ids:
        prefix.append(i)
        text = tokenizer.decode(prefix)
        if not text.endswith("\ufffd"):
            yield text[shown:]
            shown = len(text)
    yield tokenizer.decode(prefix)[shown:]


# ---- Three engines -------------------------------------------------------------------------------------

class WrittenBPE(Tokenizer):
    """Byte-level BPE, written out to be read."""

    def __init__(self, spec: dict):
        super().__init__(spec, full_vocab(spec))
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(spec["model"]["merges"])}
        self._ids_of_pretoken = lru_cache(maxsize=1 << 16)(self._ids_of_pretoken)

    def _ids_of_pretoken(self, pretoken):
        return [self.vocab[token] for token in apply_merges(visible(pretoken), self.ranks)]

    def _encode(self, text):
        return [i for pretoken in pretokens(text) for i in self._ids_of_pretoken(pretoken)]


class Characters(Tokenizer):
    """One token for each character of the training text; for comparison with other models of
    characters."""

    def __init__(self, spec: dict):
        super().__init__(spec, full_vocab(spec))

    def _encode(self, text):
        try:
            return [self.vocab[character] for character in text]
        except KeyError as error:
            raise UserError(f"the character {ascii(error.args[0])} is not in the vocabulary, "
                            f"because the training text did not contain it: leave it out") from None


class Library(Tokenizer):
    """Any tokenizer.json (the text of the file), run by the `tokenizers` library."""

    def __init__(self, tokenizer_json: str):
        from tokenizers import Tokenizer as Backend
        with library_errors("not a tokenizer"):
            self._backend = Backend.from_str(tokenizer_json)
            self._backend.no_truncation()  # a file may ask for either, and both would change texts unasked
            self._backend.no_padding()
            vocab = self._backend.get_vocab(with_added_tokens=True)
        check_ids(vocab)
        super().__init__(json.loads(self._backend.to_str()), vocab)
        self.joins_pieces = (self.spec["decoder"] or {}).get("type") == "ByteLevel"
        self.begin = self._begin()
        self._may_cut = (foreign_part(self.spec, bpe_spec(PATTERN, {}, [], [])) is None
                         and not re.search(r"\s", "".join(self.special_tokens)))

    def _begin(self):
        try:
            with library_errors("cannot encode"):
                marked, plain = (self._backend.encode("a", add_special_tokens=special).ids
                                 for special in (True, False))
        except UserError:  # there is no "a" among its tokens
            return ()
        return tuple(
            marked[: next((i for i in range(len(marked)) if marked[i:][: len(plain)] == plain), 0)])

    def _encode(self, text, special_is_text=True):
        chunks = CHUNK.findall(text) if self._may_cut else [text]  # else 300 bytes of memory for each of text
        with library_errors("cannot encode this text"):
            self._backend.encode_special_tokens = special_is_text
            encoded = self._backend.encode_batch_fast(chunks, add_special_tokens=False)
        return [i for part in encoded for i in part.ids]

    def _encode_special(self, text):
        return self._encode(text, special_is_text=False)

    def decode_bytes(self, ids: Iterable[int], skip_special: bool = False) -> bytes:
        """As everywhere; but where tokens are not byte strings, the library joins them by its own
        rules."""
        ids = list(map(operator.index, ids))
        joined = super().decode_bytes(ids, skip_special)
        if self.joins_pieces:
            return joined
        with library_errors("cannot decode these ids"):
            return self._backend.decode(ids, skip_special_tokens=skip_special).encode("utf-8")


# ---- Training and loading ------------------------------------------------------------------------------

def train(texts: Iterable[str], vocab_size: int, *, special_tokens: Sequence[str] = (END_OF_TEXT,),
          min_count: int = 2, engine: str = "library") -> Tokenizer:
    """A byte-level BPE tokenizer learned from documents; nothing is merged across two of them.

    The vocabulary stays below `vocab_size` if no pair is left that occurs `min_count` times. Both
    engines, "library" and "written", learn the same. Raises UserError if the size cannot hold the
    256 bytes and the special tokens, if it is above LARGE and the text too short to have so many
    tokens, and for special tokens not written <name>, since ordinary tokens could look like them.
    """
    symbols = [*_checked_special(special_tokens), *sorted(BYTE)]
    room = vocab_size - len(symbols)
    if room < 0:
        raise UserError(f"vocab_size {vocab_size} is too small: bytes and special tokens are "
                        f"{len(symbols)}")
    if min_count < 1:
        raise UserError(
            f"min_count {min_count} is too small: only a pair that occurs can be merged")
    _check_engine(engine)
    vocab = {symbol: i for i, symbol in enumerate(symbols)}
    texts = [texts] if isinstance(texts, str) else texts
    if vocab_size > LARGE:  # the library allocates by the size: each merge makes the text shorter by a token
        texts = list(texts)
        most = len(symbols) + sum(len(text.encode("utf-8", "replace")) for text in texts)
        if vocab_size > most:
            raise UserError(f"vocab_size {vocab_size:,} is too large: a text of "
                            f"{most - len(symbols):,} bytes has at most {most:,} tokens; choose a "
                            f"smaller one, such as {min(most, 8192):,}")
    if engine == "written":
        learned = islice(learn_merges(count_pretokens(texts), symbols, min_count), room)
        merges = [(left, right) for left, right, _ in learned]
        vocab |= {left + right: i for i, (left, right) in enumerate(merges, start=len(symbols))}
        return WrittenBPE(bpe_spec(PATTERN, vocab, merges, special_tokens))
    from tokenizers import Tokenizer as Backend, trainers
    backend = Backend.from_str(json.dumps(bpe_spec(PATTERN, {}, [], [])))
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, min_frequency=min_count,
                                  initial_alphabet=list(BYTE), special_tokens=list(special_tokens),
                                  show_progress=False)
    chunks = (chunk for text in texts for chunk in CHUNK.findall(_checked_text(text)))
    backend.train_from_iterator(chunks, trainer)
    return Library(backend.to_str())


def train_characters(texts: Iterable[str], *, special_tokens: Sequence[str] = ()) -> Characters:
    """A character-level tokenizer: the special tokens, then all characters of `texts` by code
    point."""
    texts = [texts] if isinstance(texts, str) else texts
    characters = {character for text in texts for character in _checked_text(text)}
    if not characters:
        raise UserError("there is no text to learn characters from")
    symbols = [*_checked_special(special_tokens), *sorted(characters)]
    return Characters(
        character_spec({symbol: i for i, symbol in enumerate(symbols)}, special_tokens))


def from_spec(spec: dict) -> Tokenizer:
    """The tokenizer of a spec, run by the `tokenizers` library. Raises UserError for what is
    none."""
    text = json.dumps(spec)
    check_merges(text)
    return Library(text)


def load(path: str | Path, engine: str = "library") -> Tokenizer:
    """Open a tokenizer.json or the folder that holds one; a character-level one is always
    Characters.

    engine: "library" opens any tokenizer.json; "written" those of `train`, and says what it cannot
    do in another. Raises UserError, naming the file, for what is no tokenizer; the library checks
    each file first.
    """
    _check_engine(engine)
    file = Path(path) / "tokenizer.json" if Path(path).is_dir() else Path(path)
    try:
        refuse_stand_in(file)
        text = file.read_text(encoding="utf-8-sig")
        check_merges(text)
        tokenizer = Library(text)
        if foreign_part(tokenizer.spec, character_spec({}, [])) is None:
            return Characters(tokenizer.spec)
        if engine == "library":
            return tokenizer
        foreign = foreign_part(tokenizer.spec, bpe_spec(PATTERN, {}, [], []))
        if foreign:
            raise UserError(
                f'{foreign}, which the written-out engine cannot do; use engine="library"')
        if not BYTE.keys() <= tokenizer.vocab.keys():
            raise UserError('it lacks some of the 256 bytes; use engine="library"')
        return WrittenBPE(tokenizer.spec)
    except OSError as error:
        raise UserError(
            f"{file}: {error.strerror}; give a tokenizer.json or the folder holding it") from None
    except ValueError as error:  # a UserError, or text that is not UTF-8
        raise UserError(f"{file}: {error}") from None


def same_tokenizer(ours, theirs) -> bool:
    """Do two tokenizers cut text alike: the same ids of tokens, the same merges in their order?"""
    def merges(made):
        return [tuple(pair.split(" ")) if isinstance(pair, str) else tuple(pair)
                for pair in made.spec["model"].get("merges", [])]
    return ours.vocab == theirs.vocab and merges(ours) == merges(theirs)


def _checked_special(special_tokens):
    for token in special_tokens:
        if not re.fullmatch("<[!-~]*[A-Za-z][!-~]*>", token):
            raise UserError(f"special token {printable(token)}: write it as <name>, in ASCII "
                            "without spaces, so that no ordinary token can look like it")
    if len(set(special_tokens)) != len(special_tokens):
        raise UserError("a special token is given twice")
    return special_tokens


def _checked_text(text):
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(
            f"the text has half a surrogate pair, {ascii(text[error.start])}, at {error.start}, "
            "which has no UTF-8: read the text as UTF-8, or use encode_bytes") from None
    return text


def _check_engine(engine):
    if engine not in ("library", "written"):
        raise UserError(f'engine {printable(engine)} is neither "library" nor "written"')
