"""Lesson 08: a whole pretraining run: overfit one batch, train, stop and go on. With --full: the choices of the recipe, each made otherwise."""

from pathlib import Path

from minillm.course.demos import main, measured

HERE = Path(__file__).resolve().parent
STEPS, DEPTH, MEGABYTES, VOCABULARY = 1000, 2, 4.0, 1792
RECIPE = dict(batch_size=4, context=176, warmup_steps=20)                              # minillm demo's, with half the rows
SAMPLED = {0: "0%", 10: "1%", 50: "5%", 250: "25%", STEPS: "100%"}
SAVED, STOPPED = 800, 880                     # the last checkpoint before the stop, and the stop
OVERFIT, LEARNED = 150, 0.1                   # steps on one batch; the loss below which it is called learned
STARTS = {"minillm": "o_proj passes on what v_proj reads", "gpt2": "o_proj random, small (GPT-2)", "zero": "o_proj and down_proj zero"}
FORGOTTEN = {"nothing": (), "moments of the optimizer": ("moments",), "step of the schedule": ("step",)}


def compute(console, full):
    import tempfile

    from minillm.in_jax.sharding import use_cpu_devices
    use_cpu_devices(2)
    with tempfile.TemporaryDirectory() as folder:
        return beside("experiment").results(console, Path(folder)) if full else demonstration(console, Path(folder))


def beside(name: str):
    """Another file of this lesson, as a module."""
    from minillm.course.lessons import load_module
    return load_module(HERE / f"{name}.py", name)


# ---- The run -------------------------------------------------------------------------------------------------

def demonstration(console, folder: Path) -> dict:
    import numpy as np

    from minillm import training
    from minillm.architecture.llama import count
    from minillm.config import TrainConfig, preset
    from minillm.text import storyworld, tokenizer
    from minillm.text.corpora import read_corpus
    from minillm.text.dataset import prepare
    corpus = read_corpus("storyworld", megabytes=MEGABYTES)
    made = tokenizer.train(corpus.train, VOCABULARY)
    dataset = prepare(corpus, made, folder / "data")
    train = TrainConfig(steps=STEPS, eval_every=100, save_every=200, **RECIPE)
    config = preset(DEPTH, vocab_size=made.vocab_size, context=train.context, **storyworld.RECIPE)
    rows = training.held_out(dataset, train.context)
    console.print(f"{len(dataset.train):,} tokens to learn from, {count(config):,} parameters")
    exact = {"parameters": count(config), "steps": STEPS, "batch": train.batch_size, "context": train.context, "width": config.hidden_size,
             "layers": config.num_hidden_layers, "vocabulary": made.vocab_size, "stories": len(dataset.train_starts), "held_out": rows.documents,
             "tokens": len(dataset.train), "seen": STEPS * train.batch_size * train.context, "overfit_steps": OVERFIT, "saved": SAVED, "stopped": STOPPED,
             "levels": {"uniform": float(np.log(made.vocab_size)), **counting(dataset, rows), "floor": rows.floor_per_token}}
    found, levels = {}, exact["levels"]
    for part in (at_start, overfit, the_run, resume):
        part_exact, part_found = part(console, folder, config, train, dataset, made, rows)
        exact, found = exact | part_exact, found | part_found
    curve = found["curve"]["value"]
    for name in ("bigram", "5-gram"):
        passed = next((i for i in range(20, STEPS) if np.mean(curve[i - 20: i]) < levels[name]), STEPS)
        found[f"passed_{name}"] = measured(passed, 20, STEPS - 1)
    return {"exact": exact, "measured": found}


def counting(dataset, rows) -> dict:
    """Nats per token of the models of lesson 02."""
    from minillm.cli.demo import documents
    from minillm.text.ngram import ngram_loss
    learn, held_out = ([story[1:] for story in documents(tokens, starts)] for tokens, starts in
                       ((dataset.train, dataset.train_starts), (dataset.validation, dataset.validation_starts)))
    tokens_per_story = float((rows.targets_NT >= 0).sum()) / rows.documents
    return {name: ngram_loss(learn, held_out, order, dataset.vocab_size) / tokens_per_story for order, name in ((2, "bigram"), (5, "5-gram"))}


def at_start(console, folder, config, train, dataset, made, rows):
    """What a fresh model loses, and the logit that it gives to the token it has just read, for three ways to start."""
    import numpy as np
    variants, found = beside("variants"), {}
    tokens_BT, targets_BT = rows.tokens_NT[:16], rows.targets_NT[:16]
    counted = targets_BT >= 0
    for name in STARTS:
        recipe = variants.Recipe(start=name)
        logits_BTV = np.asarray(variants.logits(variants.begin(recipe, config, 0), tokens_BT, recipe, config), np.float64)

        def mean_of(ids_BT):
            return float(np.take_along_axis(logits_BTV, np.where(counted, ids_BT, 0)[..., None], axis=-1)[..., 0][counted].mean())

        loss = float(np.log(np.exp(logits_BTV).sum(axis=-1))[counted].mean()) - mean_of(targets_BT)
        for what, value, wide in (("loss", loss, 0.05), ("own", mean_of(tokens_BT), 0.2), ("variance", float(logits_BTV.var(axis=-1)[counted].mean()), 0.05)):
            found[f"{what}_{name}"] = measured(value, value - wide, value + wide)
    return {}, found


def overfit(console, folder, config, train, dataset, made, rows):
    """The same batch at every step, and what the best possible memory would lose on it."""
    import numpy as np

    from minillm import in_jax, training
    from minillm.architecture.llama import init
    tokens_NBT, targets_NBT = training.batches(dataset, train, 0, 1)
    same = [np.repeat(array, train.steps_per_dispatch, axis=0) for array in (tokens_NBT, targets_NBT)]
    state, losses = in_jax.init_state(init(config, np.random.default_rng(train.seed))), []
    for _ in range(0, OVERFIT, train.steps_per_dispatch):
        state, metrics = in_jax.train_steps(state, *same, config, train)
        losses += metrics["loss"].tolist()
    console.print(f"one batch, {OVERFIT} times: loss {losses[-1]:.4f}")
    least = memory_floor(tokens_NBT[0], targets_NBT[0])
    learned = next((i for i, loss in enumerate(losses) if loss < LEARNED), OVERFIT)
    return {"memory_floor": least, "learned": LEARNED}, {
        "overfit": measured(losses, 0.8 * least, 9.0), "overfit_end": measured(losses[-1], 0.95 * least, 0.1),
        "learned_at": measured(learned, 10, OVERFIT - 1)}


def memory_floor(tokens_BT, targets_BT) -> float:
    """Rows that begin alike and go on differently cannot be told apart: the entropy of what follows, in nats per token."""
    import math
    from collections import Counter
    followers = {}
    for row, targets in zip(tokens_BT.tolist(), targets_BT.tolist()):
        for t in range(len(row)):
            followers.setdefault(tuple(row[: t + 1]), Counter())[targets[t]] += 1
    nats = sum(-n * math.log(n / counts.total()) for counts in followers.values() for n in counts.values())
    return nats / targets_BT.size


def the_run(console, folder, config, train, dataset, made, rows):
    """minillm's own training loop, with samples on its way, and a copy of its folder made at STOPPED: what a kill leaves."""
    import shutil

    from minillm import in_jax, training
    from minillm.formats import checkpoint
    texts = {}

    def take(state, first, end):
        if first in SAMPLED:
            texts[first] = training.write_sample(in_jax, state["params"], config, made, seed=1)
            console.print(f"step {first}: {' '.join(texts[first].split())}", markup=False)
        if first == STOPPED:
            shutil.copytree(folder / "run", folder / "killed")
        return in_jax.train_steps(state, *training.batches(dataset, train, first, end), config, train)

    summary = training.run(folder / "run", config, train, dataset, made, method=training.Method(take=take))
    _, params, _ = checkpoint.load_model(folder / "run")
    texts[STEPS] = training.write_sample(in_jax, params, config, made, seed=1)
    nats_N, counts_N = training.row_nats(in_jax, params, config, rows.tokens_NT, rows.targets_NT, train.batch_size)
    whole = len(nats_N) // train.batch_size * train.batch_size
    batches = nats_N[:whole].reshape(-1, train.batch_size).sum(axis=1) / counts_N[:whole].reshape(-1, train.batch_size).sum(axis=1)
    curve, checked = log_of(folder / "run")
    loss = summary["held_out"]
    console.print(f"held-out loss {loss:.4f}, {summary['above_floor']:+.1%} above the floor")
    return {"checked_at": list(checked), "batches": len(batches)}, {
        "curve": measured(curve, 0.7, 9.0), "checked": measured(list(checked.values()), 0.8, 9.0), "loss": measured(loss, 0.84, 1.05),
        "above": measured(summary["above_floor"], 0.03, 0.28), "lowest_batch": measured(float(batches.min()), 0.6, 1.0),
        "highest_batch": measured(float(batches.max()), 0.9, 1.5), "batch_spread": measured(float(batches.std(ddof=1)), 0.01, 0.2),
        # texts as code points, so that each is a list of numbers: what a model writes differs from machine to machine
        "texts": measured([[*map(ord, " ".join(texts[step].split()))] for step in SAMPLED], 0, 0x10FFFF)}


def log_of(run: Path):
    """([training loss of each step], {step: held-out loss}) from metrics.jsonl."""
    from minillm import training
    records = training.read_metrics(run / training.METRICS)
    return [r["loss"] for r in records if "loss" in r], {r["step"]: r["held_out"] for r in records if "held_out" in r}


def resume(console, folder, config, train, dataset, made, rows):
    """The killed copy goes on: is it the same run, bit for bit? And the same with parts of the state forgotten."""
    import numpy as np

    from minillm import in_jax, training
    from minillm.formats import checkpoint
    saved = training.load_training(folder / "killed", config, train, dataset.fingerprint)
    straight, _ = log_of(folder / "run")
    training.run(folder / "killed", config, train, dataset, made, resume=True)
    again, _ = log_of(folder / "killed")
    weights = [(folder / name / checkpoint.MODEL).read_bytes() for name in ("run", "killed")]
    same = again == straight and weights[0] == weights[1]
    console.print(f"stopped at step {STOPPED}, went on from {saved['step']}: {'the same run, bit for bit' if same else 'ANOTHER RUN'}")
    first, curves, held_out = [0.0], [again[SAVED:]], [training.read_metrics(folder / "killed" / training.METRICS)[-1]["held_out"]]
    for parts in list(FORGOTTEN.values())[1:]:
        state = in_jax.init_state(saved["params"], None if "moments" in parts else saved["moments"], 0 if "step" in parts else SAVED)
        losses = []
        for step in range(SAVED, STEPS, train.steps_per_dispatch):
            state, metrics = in_jax.train_steps(state, *training.batches(dataset, train, step, step + train.steps_per_dispatch), config, train)
            losses += metrics["loss"].tolist()
        curves.append(losses)
        first.append(float(np.mean(np.subtract(losses, straight[SAVED:]))))
        held_out.append(training.evaluate(in_jax, state["params"], config, rows, train.batch_size)["held_out"])
    return {"same": "bit for bit the same run" if same else "another run"}, {
        "forgotten_curves": measured(curves, 0.7, 4.0), "forgotten_first": measured(first, -0.1, 1.0), "forgotten_end": measured(held_out, 0.85, 1.5)}


if __name__ == "__main__":
    main(globals())
