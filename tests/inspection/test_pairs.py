"""Promise: an average over pairs of prompts is what the pairs give one by one, its interval is the
bootstrap's, and a pair that does not fit is named."""

import numpy as np
import pytest

from helpers import assert_close, random_config, random_params
from minillm import inspection
from minillm.errors import UserError
from minillm.inspection import pairs as averaging
from minillm.loading import Model
from minillm.text import tokenizer


@pytest.fixture(scope="module")
def model():
    made = tokenizer.train(["a fox found three apples. The fox gave two apples away. " * 3], 290)
    rng = np.random.default_rng(0)
    config = random_config(
        rng,
        vocab_size=made.vocab_size,
        num_hidden_layers=2,
        bos_token_id=0,
        eos_token_id=0,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return Model(config, random_params(config, rng), made, "random", (0,))


TEXT = (
    "a fox found three\ta fox gave three\t apples\t two\n"
    "\n"
    "The fox gave two\tThe fox found two\t apples\t away\n"
    "a fox gave two\ta fox found two\t apples\n"
)


@pytest.mark.parametrize("site, by", [("z", "head"), ("k", "head"), ("resid_pre", "position")])
def test_an_average_is_of_the_pairs_one_by_one(model, site, by):
    pairs = inspection.read_pairs(TEXT)
    assert len(pairs) == 3 and pairs[0].rival == " two" and pairs[2].rival is None
    pairs = pairs[:: 1 if by == "head" else 2]  # by position: of one length
    found = inspection.patch_pairs(model, pairs, site, by, twin="numpy")
    effects, gaps = [], []
    for pair in pairs:
        one = inspection.patch(
            model,
            pair.clean,
            pair.corrupt,
            site,
            by,
            twin="numpy",
            target=inspection.target(model, pair.target, pair.rival),
        )
        effects.append(one.score_LN - one.corrupt)
        gaps.append(one.clean - one.corrupt)
    assert_close(found.share_LN, sum(effects) / sum(gaps), 1e-6)
    assert found.pairs == len(pairs) and found.clean - found.corrupt == pytest.approx(np.mean(gaps))
    rng, draws = np.random.default_rng(0), []
    for chosen in rng.integers(0, len(pairs), (averaging.DRAWS, len(pairs))):
        draws.append(sum(effects[i] for i in chosen) / sum(gaps[i] for i in chosen))
    assert_close(found.low_LN, np.percentile(draws, 2.5, axis=0), 1e-6)
    assert_close(found.high_LN, np.percentile(draws, 97.5, axis=0), 1e-6)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of 100 samples of 60 pairs with a known share, about 95% of the intervals hold it."""
    rng, inside = np.random.default_rng(1), 0
    for trial in range(100):
        gap_P = 2 + rng.standard_normal(60)
        effect_P1 = (0.4 * gap_P + 0.5 * rng.standard_normal(60))[:, None]
        share, low, high = averaging.shares(effect_P1, gap_P, trial)
        assert low[0] <= share[0] <= high[0]
        inside += low[0] <= 0.4 <= high[0]
    assert 88 <= inside <= 99
    assert np.isnan(averaging.shares(np.ones((1, 1)), np.ones(1))[1]).all()


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no pair"),
        ("one\ttwo\n", "line 1 has 2 fields"),
        ("a\tb\t\tc\n", "line 1"),
        ("a fox\ta fox\t two\n a\tb\tc\td\te", "line 2 has 5"),
    ],
)
def test_a_file_that_holds_no_pairs_is_refused(text, said):
    with pytest.raises(UserError, match=said):
        inspection.read_pairs(text)


def test_a_pair_that_does_not_fit_is_named(model):
    Pair = inspection.Pair
    good = Pair("a fox found", "a fox gave", " two")
    for pairs, by, said in (
        ([good, Pair("a fox", "a fox found two", " two")], "head", "pair 2.*equally long"),
        ([good, Pair("a fox", "a fox", " zebra")], "head", "pair 2.*tokens"),
        ([good, Pair("a fox found two", "a fox gave two", " two")], "position", "pair 2 has"),
        ([good, Pair(["a", "b"], ["a", "b"], 3)], "head", "pair 2"),
        ([Pair("a fox", "a fox", " two")], "head", "same score"),
    ):
        with pytest.raises(UserError, match=said):
            inspection.patch_pairs(
                model, pairs, "z" if by == "head" else "resid_pre", by, twin="numpy"
            )
