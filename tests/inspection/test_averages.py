"""Promise: an average of ablations over prompts is what the prompts give one by one, each counting
alike, with the bootstrap's interval."""

import numpy as np
import pytest

from helpers import assert_close, random_config, random_params
from minillm import inspection
from minillm.errors import UserError
from minillm.inspection import pairs as averaging
from minillm.loading import Model


@pytest.fixture(scope="module")
def subject():
    rng = np.random.default_rng(0)
    config = random_config(rng, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    model = Model(config, random_params(config, rng, np.float64), None, "random")
    return model, [rng.integers(0, config.vocab_size, length) for length in (5, 3, 9)]


@pytest.mark.parametrize("part", ["heads", "mlps"])
def test_an_average_is_of_the_prompts_one_by_one(part, subject):
    model, texts = subject
    mean = inspection.means(model, texts, twin="numpy")
    for instead in (None, mean):
        found = inspection.ablate_prompts(model, texts, part, twin="numpy", instead=instead)
        ablate = getattr(inspection, f"ablate_{part}")
        each = [ablate(model, text, number, twin="numpy", instead=instead)
                for number, text in enumerate(texts)]
        kl_PLN = np.array([one.kl_LNT.mean(-1) for one in each])
        assert_close(found.kl_LN, kl_PLN.mean(0), 1e-12)
        for name in ("surprise", "control_surprise"):
            one_by_one = [getattr(one, f"{name}_LNT")[..., :-1].mean(-1) for one in each]
            assert_close(getattr(found, f"{name}_LN"), np.mean(one_by_one, 0), 1e-12)
        rng = np.random.default_rng(0)
        draws = [kl_PLN[chosen].mean(0) for chosen in rng.integers(0, 3, (averaging.DRAWS, 3))]
        assert_close(found.low_LN, np.percentile(draws, 2.5, axis=0), 1e-9)
        assert_close(found.high_LN, np.percentile(draws, 97.5, axis=0), 1e-9)
        assert found.prompts == 3 and found.instead == ("zeros" if instead is None else mean.about)


def test_what_does_not_fit_is_named(subject):
    model, texts = subject
    for wrong, said in (
            ((model, [texts[0], texts[1][:1]]), "prompt 2 has one token"),
            ((model, texts, "neurons"), "part.*heads or mlps")):
        with pytest.raises(UserError, match=said):
            inspection.ablate_prompts(*wrong, twin="numpy")
