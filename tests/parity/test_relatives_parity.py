"""LLaMA and its relatives, 25 random shapes each, are the same models in `transformers` (optional:
`make parity`)."""

import numpy as np
import pytest

from helpers import assert_close, random_config, random_params, random_relative
from minillm.architecture.mistral import MistralConfig
from minillm.architecture.qwen2 import Qwen2Config
from minillm.architecture.qwen3 import Qwen3Config
from minillm.architecture.smollm3 import SmolLM3Config
from minillm.config import ModelConfig
from minillm.formats import checkpoint
from minillm.loading import load
from needs import optional

torch, transformers = optional("torch"), optional("transformers")
pytestmark = pytest.mark.needs("torch", "transformers")


@pytest.mark.parametrize("kind", [ModelConfig, MistralConfig, Qwen2Config, Qwen3Config,
                                  SmolLM3Config])
@pytest.mark.parametrize("seed", range(25))
def test_the_same_logits(tmp_path, kind, seed):
    rng = np.random.default_rng(seed)
    keys, group = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    shape = dict(num_key_value_heads=keys, num_attention_heads=keys * group,
                 hidden_size=keys * group * int(rng.integers(1, 4)), bos_token_id=0, eos_token_id=0)
    config = (random_config(rng, **shape) if kind is ModelConfig
              else random_relative(kind, rng, **shape))
    params = random_params(config, rng)
    checkpoint.save_model(tmp_path, config, params)
    theirs, info = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, output_loading_info=True)
    assert not any(info.values()) and type(theirs).__name__ == kind.architecture
    tokens = rng.integers(0, config.vocab_size, (2, 20)).astype(np.int32)
    with torch.no_grad():
        expected = theirs.eval()(torch.tensor(tokens, dtype=torch.long)).logits.numpy()
    theirs.save_pretrained(tmp_path / "theirs")
    for folder in (tmp_path, tmp_path / "theirs"):
        model = load(folder)
        assert model.config == config
        for twin in ("numpy", "jax"):
            assert_close(model.logits(tokens, twin), expected, 1e-4, f"{twin} {folder.name}")
