"""A scaling law whose irreducible loss is known: small models on story text that never repeats.

    python benchmarks/scaling.py --json FILE

Every run has a schedule that ends at its own number of tokens. The figures of a run that is in FILE
are kept, so that an interrupted grid goes on. After the grid the law is fitted, the loss of the
largest model is written to FILE, and only then is that model trained.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from minillm import in_jax, training
from minillm.architecture.llama import count, init
from minillm.config import ModelConfig, TrainConfig
from minillm.in_jax.sharding import use_cpu_devices
from minillm.text import storyworld, tokenizer
from minillm.text.corpora import read_corpus
from minillm.text.dataset import prepare
from minillm.training.scaling import bootstrap, fit, predict

MEGABYTES, VOCAB_SIZE, BATCH, CONTEXT = 8, 512, 8, 256
WIDTHS, STEPS, LARGEST = (16, 24, 32, 48), (60, 120, 240, 480), (64, 960)
SAMPLES = 200                                                    # of the bootstrap


def settings(width: int, steps: int) -> tuple[ModelConfig, TrainConfig]:
    config = ModelConfig(vocab_size=VOCAB_SIZE, hidden_size=width, intermediate_size=3 * width,
                         num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=2, head_dim=width // 2,
                         max_position_embeddings=CONTEXT)
    return config, TrainConfig(steps=steps, batch_size=BATCH, context=CONTEXT,
                               warmup_steps=steps // 10, cpu_devices=1)


def run(dataset, width: int, steps: int) -> dict:
    """N without the embedding, D in tokens, and the held-out loss in nats a token."""
    config, train = settings(width, steps)
    begin = in_jax.init_state(init(config, np.random.default_rng(train.seed)))
    for _, state, _ in training.steps(in_jax, begin, dataset, config, train):
        pass
    rows = training.held_out(dataset, CONTEXT, None)
    measured = training.evaluate(in_jax, state["params"], config, rows, BATCH)
    N, D = count(config) - VOCAB_SIZE * width, steps * BATCH * CONTEXT
    if D > len(dataset.train):
        raise SystemExit(f"MEGABYTES {MEGABYTES}: {len(dataset.train):,d} tokens, fewer than "
                         f"{D:,d}: raise it")
    print(f"width {width}, {steps} steps: N {N:,d}, D {D:,d}, {measured}", flush=True)
    return {"N": N, "D": D, **measured}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--json", required=True, help="the figures; runs that it holds are kept")
    path = Path(options.parse_args().json)
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"runs": {}}

    def save():
        path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")

    use_cpu_devices(1)
    with tempfile.TemporaryDirectory() as folder:
        corpus = read_corpus("storyworld", megabytes=MEGABYTES)
        made = tokenizer.train(corpus.train[:2000], VOCAB_SIZE)
        dataset = prepare(corpus, made, Path(folder) / "stories")
        results["entropy_per_story"] = storyworld.entropy()
        for steps in STEPS:
            for width in WIDTHS:
                if f"{width} {steps}" not in results["runs"]:
                    results["runs"][f"{width} {steps}"] = run(dataset, width, steps)
                    save()
        N, D, loss = np.array([[r["N"], r["D"], r["held_out"]] for r in results["runs"].values()]).T
        width, steps = LARGEST
        if "predicted" not in results:
            config, _ = settings(width, steps)
            largest = (count(config) - VOCAB_SIZE * width, steps * BATCH * CONTEXT)
            law, laws = fit(N, D, loss), bootstrap(N, D, loss, SAMPLES, np.random.default_rng(0))
            losses = [predict(one, *largest) for one in laws]
            names = ("E", "A", "B", "a", "b")
            results["fit"] = {name: [value, *np.percentile(some, [2.5, 97.5])]
                              for name, value, some in zip(names, law.tolist(), laws.T)}
            results["predicted"] = {"N": largest[0], "D": largest[1],
                                    "loss": float(predict(law, *largest)),
                                    "low": float(np.percentile(losses, 2.5)),
                                    "high": float(np.percentile(losses, 97.5))}
            save()                                               # before the model is trained
            print(json.dumps({name: results[name] for name in ("fit", "predicted")}), flush=True)
        if "largest" not in results:
            results["largest"] = run(dataset, width, steps)
            save()


if __name__ == "__main__":
    main()
