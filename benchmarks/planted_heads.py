"""Do the tools find what was planted? Heads of a model of the story world, against the positions where its facts come back.

    python benchmarks/planted_heads.py MODEL [--stories 200] [--json FILE]

For each relation of inspection/planted.py, on held-out stories that the model never saw (no story is in both splits):
  attention  each head's mean attention from the position that must know the token to the places that tell it; beside it what a
             head that looks everywhere equally would give, and what the same head gives from all other positions
  ablation   by how many nats the planted tokens become more surprising when a head is put to zero; on the same tokens the mean
             of all other heads and a random one (the control heads); with the same head on all other tokens (the control tokens)
The head is chosen on the first half of the stories, and all numbers are of the second half.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import minillm
from minillm.architecture.tree import flatten
from minillm.inspection import ablate_heads, record
from minillm.inspection.heads import patterns
from minillm.inspection.planted import RELATIONS, planted
from minillm.text import storyworld


def held_out(count: int, seed: int):
    """Stories of the validation split."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < count:
        story = storyworld.sample(rng)
        if storyworld.split_of(story.text) == "validation":
            found.append(story)
    return found


def measure(model, stories, length: int) -> dict:
    """For each relation: rows of (attention LH, the same from everywhere else, attention if uniform, ablated surprise LH), one a token."""
    L, H = model.config.num_hidden_layers, model.config.num_attention_heads
    found = {relation: [] for relation in RELATIONS}
    others = []
    for story in stories:
        tokens_T, predictions = planted(story, model.tokenizer, model.begin)
        if len(tokens_T) > length:
            continue
        padded = np.zeros(length, np.int32)                       # after the story, where no position of it looks: one shape compiles once
        padded[: len(tokens_T)] = tokens_T
        pattern_LHTS = patterns(record(model, padded, "*.pattern"), model.config)
        surprise_LHT = ablate_heads(model, padded).surprise_LNT
        told = {each.token for each in predictions}
        plain = [t for t in range(1, len(tokens_T)) if t not in told]
        others.append(surprise_LHT[..., [t - 1 for t in plain]].mean(-1))
        queries = {}
        for each in predictions:
            queries.setdefault(each.relation, set()).add(each.query)
        for each in predictions:
            keys = list(each.keys)
            elsewhere = [t for t in range(max(keys) + 1, len(tokens_T) - 1) if t not in queries[each.relation]]
            found[each.relation].append((pattern_LHTS[:, :, each.query, keys].sum(-1),
                                         pattern_LHTS[:, :, elsewhere][..., keys].sum(-1).mean(-1) if elsewhere else np.full((L, H), np.nan),
                                         len(keys) / (each.query + 1), surprise_LHT[:, :, each.query]))
    return {"relations": found, "others": np.mean(others, 0)}


def summary(first: dict, second: dict, rng) -> dict:
    """The numbers of each relation: heads chosen on the first half, measured on the second."""
    out = {}
    for relation in RELATIONS:
        chosen, measured = first["relations"][relation], second["relations"][relation]
        attention_LH, effect_LH = (np.mean([each[i] for each in chosen], 0) for i in (0, 3))
        looks, matters = (np.unravel_index(np.argmax(x), x.shape) for x in (attention_LH, effect_LH))
        scores = np.mean([each[0] for each in measured], 0)
        effects = np.array([each[3] for each in measured])
        row = {"tokens": len(measured), "uniform": float(np.mean([each[2] for each in measured])),
               "attention_of_all_heads": scores.round(4).tolist(), "effect_of_all_heads": effects.mean(0).round(4).tolist()}
        for name, head in (("looks_most", looks), ("matters_most", matters)):
            rest = [(l, h) for l in range(scores.shape[0]) for h in range(scores.shape[1]) if (l, h) != tuple(head)]
            control = rest[rng.integers(len(rest))]
            row[name] = {
                "head": f"{head[0]}.{head[1]}", "attention": float(scores[head]),
                "attention_from_elsewhere": float(np.nanmean([each[1][head] for each in measured])),
                "effect": float(effects[:, *head].mean()), "standard_error": float(effects[:, *head].std(ddof=1) / np.sqrt(len(effects))),
                "effect_on_other_tokens": float(second["others"][head]),
                "effect_of_other_heads": float(np.mean([effects[:, *other].mean() for other in rest])),
                "random_head": f"{control[0]}.{control[1]}", "effect_of_random_head": float(effects[:, *control].mean())}
        row["rank_of_looks_most_in_effect"] = int((effect_LH > effect_LH[looks]).sum() + 1)
        out[relation] = row
    return out


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model")
    options.add_argument("--stories", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", metavar="FILE")
    options = options.parse_args()
    model = minillm.load(options.model).on("jax")
    stories, length = held_out(options.stories, options.seed), model.config.max_position_embeddings
    halves = [measure(model, stories[i::2], length) for i in (0, 1)]
    found = summary(*halves, np.random.default_rng(options.seed))
    for relation, row in found.items():
        print(f"{relation} ({row['tokens']} tokens)")
        for name in ("looks_most", "matters_most"):
            one = row[name]
            print(f"  {name.replace('_', ' '):12} head {one['head']}: attention {one['attention']:.2f} (even: {row['uniform']:.2f}, from elsewhere: "
                  f"{one['attention_from_elsewhere']:.2f}); taken out {one['effect']:+.3f} ± {one['standard_error']:.3f} nats "
                  f"(other tokens {one['effect_on_other_tokens']:+.3f}, other heads {one['effect_of_other_heads']:+.3f}, "
                  f"random head {one['random_head']} {one['effect_of_random_head']:+.3f})")
    if options.json:
        result = {"model": Path(options.model).name, "parameters": sum(leaf.size for leaf in flatten(model.params).values()),
                  "stories": options.stories, "relations": found}
        Path(options.json).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
