"""Promise: what `inspection.record` reads is what stands inside transformers' models, activation by activation, in both twins.

The numbers were made by tests/golden/make_activations.py, by hooks on its modules and on the function that rotates.
"""

import pytest

import minillm
from golden_files import folder_of, read
from helpers import GOLDEN, assert_close
from minillm import inspection

FILES = sorted((GOLDEN / "activations").glob("*.safetensors"))
TOLERANCE = 1e-4
ALL_OF_A_LLAMA = {
    "resid_pre",
    "attn_in",
    "q",
    "k",
    "v",
    "rot_q",
    "rot_k",
    "pattern",
    "z",
    "attn_out",
    "resid_mid",
    "mlp_in",
    "mlp_pre",
    "mlp_up",
    "mlp_post",
    "mlp_out",
    "resid_post",
}


@pytest.mark.parametrize("twin", ["numpy", "jax"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_activation_is_the_reference_s(tmp_path, file, twin):
    _, expected, _ = read(file)
    model = minillm.load(folder_of(file, tmp_path))
    seen = inspection.record(model, expected["tokens"], twin=twin)
    taps = {
        name.removeprefix("tap."): x for name, x in expected.items() if name.startswith("tap.")
    } | {"logits": expected["logits"]}
    for name, theirs in taps.items():
        ours = seen[name]
        ours = (
            ours.reshape(ours.shape[0], -1, *ours.shape[3:]) if ours.ndim == 5 else ours
        )  # they count heads in one axis
        assert_close(ours, theirs, TOLERANCE, name)
    if not file.stem.startswith("bloom"):
        assert {
            name.split(".")[-1] for name in taps if name.startswith("layers.")
        } == ALL_OF_A_LLAMA


def test_the_files_are_there():
    assert len(FILES) == 4
