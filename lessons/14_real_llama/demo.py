"""Lesson 14: a checkpoint in Hugging Face's format, what it is, and where each wrong reading of it breaks first."""

import json
import tempfile
from pathlib import Path

from minillm.course.demos import beside, main, measured, values

RECORDED = Path(__file__).with_name("real_checkpoint.json")                   # made by real_checkpoint.py from a file that is not shipped
STEPS, SEED, VOCABULARY, MEGABYTES = 220, 0, 1792, 2.0
RECIPE = dict(batch_size=8, context=176, warmup_steps=20, learning_rate=0.012, muon_learning_rate=0.04)     # twice the usual rates: the run is short
HELD_OUT, TOKENS = 6, 40                                     # stories to measure on; tokens that each reading writes
PROMPT = "Everyone knew Elif the beekeeper by her muddy boots."


def compute(console, full):
    """Trains a checkpoint, saves it, and then knows of it only what the folder says."""
    readings = beside(__file__, "readings")
    import minillm
    from minillm.config import TrainConfig
    from minillm.course import small_models
    from minillm.formats.checkpoint import save_model
    from minillm.formats.describe import describe
    from minillm.text.storyworld import corpus
    trained = small_models.trained(console, MEGABYTES, VOCABULARY, 256, TrainConfig(steps=STEPS, seed=SEED, **RECIPE),
                                   num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "checkpoint")
        save_model(folder, trained.config, trained.params, trained.tokenizer, "bfloat16")
        files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        header = header_of(folder / "model.safetensors")
        what, model = readings.what_it_is(describe(folder)), minillm.load(folder)
        rows = [[*model.begin, *model.tokenizer.encode(text)] for text in corpus(SEED, "validation", 100_000)[:HELD_OUT]]
        found = readings.look(model, PROMPT, rows, TOKENS, console.print)
    exact = {"what": what, "files": {name: size for name, size in files.items() if name != "tokenizer.json"}, "header": header, "steps": STEPS,
             "held_out": HELD_OUT, "tolerance": readings.TOLERANCE, "prompt": PROMPT, "taps": found["right"]["taps"],
             "first": {name: found[name]["first"] for name in ("right", *readings.WRONG)}, "real": json.loads(RECORDED.read_text(encoding="utf-8"))}
    results = {"by_transformers": measured(int(found["reference"] == "transformers"), 0, 1),
               "most": measured(max(found["right"]["relative"]), 0, readings.TOLERANCE)}
    for name in ("right", *readings.WRONG):
        results[f"{name}_relative"] = measured(found[name]["relative"], 0, 1e6 if name != "right" else readings.TOLERANCE)
        results[f"{name}_loss"] = measured(found[name]["loss"], 0.7, 1e4 if name not in ("right", "eps") else 2.2)
        results[f"{name}_text"] = measured(list(found[name]["text"].encode()), 0, 255)       # what is measured is numbers: the bytes of UTF-8
    return {"exact": exact, "measured": results}


def header_of(path):
    """The first entries of a safetensors header, read by hand: name -> dtype, shape, offsets."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    entries = {name: entry for name, entry in json.loads(data[8 : 8 + length]).items() if name != "__metadata__"}
    first = sorted(entries, key=lambda name: entries[name]["data_offsets"])[:4]
    return {"bytes": length, "tensors": len(entries), "first": {name: [entries[name]["dtype"], entries[name]["shape"], entries[name]["data_offsets"]] for name in first}}


def again(results):
    """What readings.look gave, from results.json."""
    exact, found = values(results)
    names = [name.removesuffix("_loss") for name in found if name.endswith("_loss")]
    made = {name: {"first": exact["first"][name], "taps": exact["taps"], "relative": found[f"{name}_relative"], "loss": found[f"{name}_loss"],
                   "text": bytes(found[f"{name}_text"]).decode()} for name in names}
    return made | {"reference": "transformers" if found["by_transformers"] else "the JAX twin"}


def tables(results):
    from rich.table import Table
    exact, readings = results["exact"], beside(__file__, "readings")
    yield from readings.tables(exact["what"], again(results), "The checkpoint of this demonstration")
    for name, table in readings.tables(exact["real"]["what"], exact["real"]["found"], f"{exact['real']['name']} (recorded)"):
        yield f"real {name}", table
    header = Table("tensor", "dtype", "shape", "data_offsets", title=f"The first of {exact['header']['tensors']} entries of a header of {exact['header']['bytes']:,} bytes")
    for name, (dtype, shape, offsets) in exact["header"]["first"].items():
        header.add_row(name, dtype, " x ".join(map(str, shape)), " to ".join(map(str, offsets)))
    yield "header", header


def figures(results, new):
    yield "where", WHERE, drawn(results, new, again(results))
    yield "real", WHERE.replace("this checkpoint", "stories260K"), drawn(results, new, results["exact"]["real"]["found"])


WHERE = ("How far each activation of this checkpoint is from the reference, along the computation, for the right reading and five wrong ones. The right one stays at the "
         "rounding of float32. Each wrong one runs with it until its first mistake and jumps there by orders of magnitude; a wrong eps jumps least, a wrongly tied "
         "head only at the very end. The other layout is wrong in q and k, right in v, and wrong from the pattern on.")


def drawn(results, new, found):
    readings, taps = beside(__file__, "readings"), found["right"]["taps"]
    figure, axes = new(7.0, 4.2)
    for i, name in enumerate(("right", "theta", "eps", "layout", "groups", "head")):
        color = new.ink["text"] if name == "right" else new.ink["lines"][i - 1]
        axes.plot([max(value, 1e-9) for value in found[name]["relative"]], color=color, linewidth=2 if name == "right" else 1.3,
                  label="nothing wrong" if name == "right" else readings.ABOUT[name])
    layers = [i for i, tap in enumerate(taps) if tap.endswith("resid_pre")]
    for i, at in enumerate(layers):
        axes.axvline(at, color=new.ink["grid"], linewidth=0.8)
        axes.text(at + 0.3, 8, f"layer {i}", fontsize=8)
    axes.axhline(results["exact"]["tolerance"], color=new.ink["grid"], linestyle="--")
    axes.set(yscale="log", ylim=(5e-10, 20), xlim=(0, len(taps) - 1), ylabel="largest difference / largest number", xlabel="activations, in the order of the computation")
    if len(taps) < 40:
        axes.set_xticks(range(len(taps)), [tap.rpartition(".")[2] for tap in taps], rotation=90, fontsize=8)
    else:
        axes.set_xticks([])
    figure.legend(loc="outside lower center", ncols=3, fontsize=9)
    return figure


if __name__ == "__main__":
    main(globals())
