"""What several files of tests share."""

import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from minillm.architecture.bloom import BloomConfig
from minillm.architecture.family import family
from minillm.architecture.llama import init
from minillm.architecture.tree import tree_map
from minillm.config import ModelConfig

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
DATA = next((p / "shared" / "data" for p in Path(__file__).resolve().parents
             if (p / "shared" / "data").is_dir()), None)
REAL = pytest.mark.skipif(DATA is None or not (DATA / "stories260K.bin").exists(),
                          reason="stories260K.bin is not here")
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
HEADING = re.compile(r"^# ---- ([\w-]+) ----$\n", re.MULTILINE)


def sections(path: Path) -> dict[str, str]:
    """{name: code} of the sections of a lesson's mistakes.py or alternatives.py, as they stand."""
    _, *parts = HEADING.split(path.read_text(encoding="utf-8"))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def answers(folder: Path) -> dict[str, str]:
    """{"mistakes/NAME": code} and {"alternatives/NAME": code} of the lesson in `folder`."""
    return {f"{kind}/{name}": code for kind in ("mistakes", "alternatives")
            for name, code in sections(folder / f"{kind}.py").items()}


def hint_of(name: str) -> str:
    """The hint that a section is named after: `ties-largest` is another way to `ties`."""
    return name.rpartition("/")[2].partition("-")[0]


def random_config(rng, **fixed) -> ModelConfig:
    """A small LLaMA of random shape: grouped heads, a head size that hidden / heads does not give,
    any head."""
    kv_heads, group = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    shape = dict(vocab_size=int(rng.integers(11, 40)), hidden_size=int(rng.integers(6, 24)),
                 intermediate_size=int(rng.integers(5, 30)),
                 num_hidden_layers=int(rng.integers(1, 4)), num_attention_heads=kv_heads * group,
                 num_key_value_heads=kv_heads, head_dim=2 * int(rng.integers(1, 5)),
                 max_position_embeddings=32, rms_norm_eps=float(10 ** rng.uniform(-6, -3)),
                 rope_theta=float(10 ** rng.uniform(2, 5)),
                 tie_word_embeddings=bool(rng.integers(2)), initializer_range=0.3,
                 attention_bias=bool(rng.integers(2)), mlp_bias=bool(rng.integers(2)))
    return ModelConfig(**shape | fixed)


def random_bloom(rng, **fixed) -> BloomConfig:
    """A small BLOOM of random shape: any number of heads, any head."""
    heads = int(rng.integers(1, 8))
    shape = dict(vocab_size=int(rng.integers(11, 40)), hidden_size=heads * int(rng.integers(1, 5)),
                 num_hidden_layers=int(rng.integers(1, 4)), num_attention_heads=heads,
                 max_position_embeddings=32, layer_norm_epsilon=float(10 ** rng.uniform(-6, -3)),
                 tie_word_embeddings=bool(rng.integers(2)))
    return BloomConfig(**shape | fixed)


def random_relative(kind, rng, **fixed):
    """A small Mistral, Qwen2, Qwen3 or SmolLM3 of random shape, `kind` being its config class;
    biases only where it may have them."""
    values = asdict(random_config(rng, mlp_bias=False, **fixed))
    values["attention_bias"] &= kind.model_type in ("qwen3", "smollm3")
    if kind.model_type == "smollm3":
        values["no_rope_layers"] = tuple(map(int, rng.integers(0, 2, values["num_hidden_layers"])))
    return kind(**values)


def random_params(config, rng, dtype=np.float32) -> dict:
    """Parameters of any model with nothing left at its first value: norms around 1, biases not
    zero."""
    if config.model_type != "llama":
        return tree_map(lambda shape: (0.4 * rng.standard_normal(shape) + (len(shape) == 1)).astype(
                            dtype), family(config).shapes(config))
    return tree_map(lambda w: (w + (0.2 * rng.standard_normal(w.shape) if w.ndim == 1
                                    else 0)).astype(dtype), init(config, rng, dtype))


def assert_close(actual, expected, tolerance, what=""):
    """Equal to `tolerance`, relative to the largest number of the expected array (at least
    1e-3)."""
    actual, expected = (np.asarray(a) * 1 for a in (actual, expected))
    assert actual.shape == expected.shape, f"{what}: shapes {actual.shape} and {expected.shape}"
    if expected.size == 0:
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=what)
    difference = np.max(np.abs(actual[finite] - expected[finite]), initial=0)
    scale = max(np.max(np.abs(expected[finite]), initial=0), 1e-3)
    assert difference <= tolerance * scale, f"{what}: differs by {difference:.3g} where numbers reach {scale:.3g}"


# Texts that a page must show and never run.
HOSTILE = [
    "</script><script>document.title = 'run'</script>",
    "<img src=x onerror=\"document.title='run'\">",
    "<!--",
    "{{ data }}",
    "\u202e",
    "\u2028",
    "&lt;",
]
