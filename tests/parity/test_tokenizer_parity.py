"""A tokenizer saved by us gives the same ids in `transformers` (optional: `make parity`)."""

import pytest

from minillm.text import tokenizer as tk
from needs import optional

transformers = optional("transformers")
pytestmark = pytest.mark.needs("transformers")

TEXTS = ("The fox said: \"I'll wait, they've gone; it's 1234!\"\r\n\r\n  Don't.", "Größe, Straße  \t x",
         "小狐狸，三个苹果。", "छोटी लोमड़ी। १२३४", "می‌خواهد؟ ٣٤٥٦", "ትንሽ ቀበሮ።", "e\u0301\u0327 \xa0\u2028\x85\x1c",
         "👩‍👧‍👦 ❤️ 🇿🇦", " " * 200, "")


def trained(kind):
    if kind == "characters":
        return tk.train_characters(TEXTS, special_tokens=[tk.END_OF_TEXT])
    return tk.train(TEXTS * 3, 400, engine=kind)


@pytest.mark.parametrize("kind", ["written", "library", "characters"])
@pytest.mark.parametrize("opener", ["AutoTokenizer", "PreTrainedTokenizerFast"])
def test_transformers_gives_the_same_ids(tmp_path, kind, opener):
    ours = trained(kind)
    ours.save(tmp_path)
    theirs = getattr(transformers, opener).from_pretrained(tmp_path)
    assert len(theirs) == ours.vocab_size
    assert theirs.bos_token == theirs.eos_token == tk.END_OF_TEXT
    assert theirs.bos_token_id == theirs.eos_token_id == ours.special_tokens[tk.END_OF_TEXT]
    for text in TEXTS:
        ids = ours.encode(text)
        assert theirs.encode(text) == ids
        assert theirs.decode(ids) == text
        marked = f"{text}<|endoftext|>{text}"
        assert theirs.encode(marked) == ours.encode(marked, allow_special=True)
        assert theirs.decode(theirs.encode(marked)) == marked
        assert theirs.decode(theirs.encode(marked), skip_special_tokens=True) == text + text
    if kind != "characters":
        assert theirs.encode("a<|endoftext|>", split_special_tokens=True) == ours.encode("a<|endoftext|>")


def test_a_character_tokenizer_without_special_tokens(tmp_path):
    ours = tk.train_characters(TEXTS)
    ours.save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert len(theirs) == ours.vocab_size
    assert [theirs.encode(text) for text in TEXTS] == [ours.encode(text) for text in TEXTS]


@pytest.mark.parametrize("kind", ["written", "library", "characters"])
def test_a_file_saved_again_by_transformers_is_still_ours(tmp_path, kind):
    ours = trained(kind)
    ours.save(tmp_path / "ours")
    transformers.AutoTokenizer.from_pretrained(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    for engine in ("written", "library"):
        again = tk.load(tmp_path / "theirs", engine=engine)
        assert [again.encode(text) for text in TEXTS] == [ours.encode(text) for text in TEXTS]
