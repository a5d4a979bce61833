"""Short training runs, whole and interrupted, for the tests of training and distillation."""

import signal

import pytest

from minillm import training
from minillm.config import TrainConfig
from minillm.formats import checkpoint

TWINS = pytest.mark.parametrize("twin", ["numpy", "jax"])
TOY = dict(hidden_size=16, intermediate_size=32, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
           num_hidden_layers=1, max_position_embeddings=16)
# The grids do not divide each other: dispatches of two lengths, saves that are not evaluations and the reverse.
TRAIN = TrainConfig(steps=38, batch_size=4, context=16, learning_rate=1e-2, warmup_steps=4, steps_per_dispatch=4,
                    eval_every=8, eval_rows=6, save_every=6)
SAME = ("model.safetensors", "metrics.jsonl", "config.json", "generation_config.json", "tokenizer.json")

# A run in a process of its own. Every write of a checkpoint has three moments to die in: half of the file is written,
# all of it but not yet in its place, in its place. `die_at` counts them over the whole run.
DRIVER = """
import json, os, signal, sys
job = json.loads(sys.argv[1])
if job["twin"] == "jax":
    import jax
    jax.config.update("jax_disable_most_optimizations", True)
from minillm import training
from minillm.formats import checkpoint
from minillm.text import dataset as data, tokenizer
from minillm.config import ModelConfig, TrainConfig

moments = 0

def moment():
    global moments
    moments += 1
    if moments == job["die_at"]:
        os.kill(os.getpid(), signal.SIGKILL) if hasattr(signal, "SIGKILL") else os._exit(9)

def fsync(handle, fsync=os.fsync):
    if moments + 1 == job["die_at"]:
        os.ftruncate(handle, os.fstat(handle).st_size // 2)
    moment()
    fsync(handle)

def rename(old, new, rename=os.replace):
    moment()
    rename(old, new)
    moment()

os.fsync, os.replace = fsync, rename

class Watch(training.Callbacks):
    def stepped(self, step, loss, tokens_per_second):
        print(step, flush=True)

summary = training.run(job["folder"], ModelConfig(**job["config"]), TrainConfig(**job["train"]),
                       data.open_dataset(job["data"]), tokenizer.load(job["data"]), twin=job["twin"],
                       resume=os.path.exists(os.path.join(job["folder"], training.STATE)), callbacks=Watch())
print(json.dumps(summary | {"moments": moments}))
"""


def assert_same_run(folder, expected):
    for name in SAME:
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), f"{name} of a resumed run differs"
    (tensors, metadata), (expected_tensors, expected_metadata) = (
        checkpoint.read_tensors(path / training.STATE, ("F32",)) for path in (folder, expected))
    assert metadata == expected_metadata and {name.split(".")[0] for name in tensors} == {"params", "moments"}
    assert tensors.keys() == expected_tensors.keys()
    for name, tensor in expected_tensors.items():
        assert tensors[name].tobytes() == tensor.tobytes(), f"{name} of a resumed run differs"
    for kind in ("params", "moments.mean", "moments.square"):
        assert any(tensor.any() for name, tensor in tensors.items() if name.startswith(kind))
    assert not list(folder.glob("*.part")), "a half-written file is left"


def interrupt_at(steps):
    """A watch that presses Ctrl-C as soon as so many steps are done."""
    class Watch(training.Callbacks):
        def stepped(self, step, loss, tokens_per_second):
            if step in steps:
                signal.raise_signal(signal.SIGINT)
    return Watch()
