"""Promise: in a notebook every result is a table or a heat map, and nothing of a token becomes
markup."""

from html.parser import HTMLParser

import numpy as np
import pytest

from helpers import random_config, random_params
from minillm import inspection
from minillm.inspection import compare, notebook
from minillm.inspection.shown import Words
from minillm.loading import Model
from minillm.text import tokenizer

HOSTILE = '</td><script>alert(1)</script><img src=x onerror=alert(1)>" onload="x\' &lt;\u202e\x00'
ALLOWED = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture(scope="module")
def model():
    made = tokenizer.train([HOSTILE * 3], 400)
    rng = np.random.default_rng(0)
    config = random_config(
        rng,
        vocab_size=made.vocab_size,
        num_hidden_layers=2,
        bos_token_id=0,
        eos_token_id=0,
        max_position_embeddings=96,
    )
    return Model(config, random_params(config, rng), made, "random", (0,))


def results(model):
    """One of each, on a text of the longest, most hostile tokens."""
    ids = sorted(
        range(model.config.vocab_size), key=lambda i: -len(model.tokenizer.pieces.get(i, b""))
    )[:6]
    other, pair = [*ids[:3], ids[0], *ids[4:]], {"twin": "numpy"}
    yield inspection.logit_lens(model, ids, **pair)
    yield inspection.attribute_logits(model, ids, **pair)
    yield inspection.ablate_heads(model, ids, **pair)
    yield inspection.ablate_mlps(model, ids, **pair)
    yield inspection.patch(model, ids, other, **pair)
    yield inspection.patch(model, ids, other, "z", "head and position", **pair)
    yield inspection.rank_by_gradient(model, ids, other, "k", "head", **pair)
    yield inspection.patch_pairs(
        model,
        [inspection.Pair(ids, other, 3, 4), inspection.Pair(ids, other, 5, 4)],
        "resid_pre",
        "position",
        **pair,
    )
    yield inspection.ablate_prompts(model, [ids, other], **pair)
    yield inspection.head_scores(model, ids, **pair)
    yield inspection.top_neurons(model, ids, **pair)
    yield inspection.ov(model, 1, 0, ids)
    yield inspection.qk(model, 1, 0, ids)
    yield compare.compare(model, model, ids, **pair)
    yield inspection.check_all(model, ids, **pair)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes = [], set(), set()

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_result_is_a_table_without_markup_of_tokens(model):
    for found in results(model):
        text, reader = found._repr_html_(), Tags()
        reader.feed(text)
        assert not reader.open and {"table", "td"} <= reader.seen <= ALLOWED, type(found)
        assert reader.attributes <= {"style", "title"}
        assert "\u202e" not in text and "\x00" not in text and "<pre>" not in text
        assert f"{type(found).__name__}(" in repr(found) or isinstance(found, list)


def test_the_numbers_of_the_cells_are_those_of_the_arrays():
    text = notebook.heat(
        "about", ["r<0", "r1"], ["c0", "c1"], [[0.25, np.nan], [-1, 2]], signed=True
    )
    assert [part.split("</td>")[0] for part in text.split('">')[1:] if "</td>" in part] == [
        "0.25",
        "–",
        "-1",
        "2",
    ]
    assert "r&lt;0, c0: 0.25" in text
    assert notebook.colours(1, False) == "background:#123f73;color:#fff"
    assert notebook.colours(0, True) == "background:#f5f6f8;color:#000"
    assert notebook.cut("x" * 40) == "x" * 23 + "…"


def test_positions_are_named_by_their_tokens(model):
    ids = model.prompt_ids("<script>")
    found = inspection.logit_lens(model, ids, twin="numpy")
    assert found.words == Words(model.tokenizer, tuple(ids)) and found.words.positions()[1:] == [
        found.words(token) for token in ids[1:]
    ]
    several = inspection.logit_lens(model, [ids, ids[:2]], twin="numpy")
    assert [len(each.words.tokens) for each in several] == [len(ids), 2]


def test_what_stands_in_a_cell_can_be_read():
    """WCAG's contrast of ink on its cell, (light + 0.05) / (dark + 0.05), is at least 4.5."""
    for signed in (True, False):
        for share in np.random.default_rng(0).uniform(-1 if signed else 0, 1, 300):
            said = notebook.colours(share, signed)
            ground, ink = said.removeprefix("background:#").split(";color:#")
            light = [notebook.luminance(*(int(text[i:i + 2], 16) for i in (0, 2, 4)))
                     for text in (ground, ink if len(ink) == 6 else "".join(c * 2 for c in ink))]
            assert (max(light) + 0.05) / (min(light) + 0.05) >= 4.5, (share, signed)
