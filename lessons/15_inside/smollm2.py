"""Lesson 15 on SmolLM2-135M: which heads bring a name back (arXiv:2211.00593, section 3)."""

import numpy as np

from minillm.course.demos import main, measured, smollm2, values

# Two people, one of whom acts; the other one's name is due. In the corrupt text the other one acts.
TEXTS = ("When {a} and {b} went to the store, {b} gave a drink to",
         "Then {a} and {b} had a long talk. Afterwards {b} said goodbye to")
NAMES = (("Mary", "John"), ("Tom", "James"), ("Sarah", "Paul"), ("Peter", "Anna"))
EXACT, SHOWN = 16, 5                                              # heads patched, heads shown


def compute(console, full):
    from minillm import inspection
    model = smollm2().on("numpy")
    pairs = [inspection.Pair(text.format(a=a, b=b), text.format(a=b, b=a), f" {a}", f" {b}")
             for text in TEXTS for names in NAMES for a, b in (names, names[::-1])]
    found = inspection.patch_pairs(model, pairs, "z", "head", twin="numpy", most=EXACT,
                                   progress=lambda done, all: console.print(
                                       f"pair {done + 1} of {all}"))
    names = [model.text_ids(f" {name}")[0] for both in NAMES for name in both]
    copying_LH = inspection.copying_scores(model, names)
    share_LH = np.nan_to_num(found.share_LN)
    order = np.argsort(-np.abs(share_LH), axis=None)[:SHOWN]
    heads = [tuple(map(int, np.unravel_index(at, share_LH.shape))) for at in order]
    looks = np.mean([look(inspection, model, pair, heads) for pair in pairs], axis=0).tolist()
    return {"exact": {"text": TEXTS[0].format(a="Mary", b="John"), "pairs": len(pairs),
                      "heads": heads, "layers": model.config.num_hidden_layers,
                      "of": model.config.num_attention_heads * model.config.num_hidden_layers,
                      "patched": EXACT},
            "measured": {
                "right": measured(float(np.mean(found.clean_P > 0)), 0.5, 1),
                "gap": measured(found.clean, 0, 20),
                "share": measured([float(found.share_LN[head]) for head in heads], -2, 2),
                "low": measured([float(found.low_LN[head]) for head in heads], -2, 2),
                "high": measured([float(found.high_LN[head]) for head in heads], -2, 2),
                "looks_due": measured([due for due, _ in looks], 0, 1),
                "looks_acting": measured([acting for _, acting in looks], 0, 1),
                "copying": measured([float(copying_LH[head]) for head in heads], 0, 1),
                "copying_mean": measured(float(copying_LH.mean()), 0, 1)}}


def look(inspection, model, pair, heads) -> list[list[float]]:
    """How much of each head's attention from the last token is at the name that is due, and at the
    second place of the name that acts."""
    ids = model.prompt_ids(pair.clean)
    due, acting = (len(ids) - 1 - ids[::-1].index(model.text_ids(name)[0])
                   for name in (pair.target, pair.rival))
    seen = inspection.record(model, pair.clean, [f"layers.{i}.pattern" for i, _ in heads],
                             twin="numpy")
    patterns = [np.asarray(seen[f"layers.{i}.pattern"])[0] for i, _ in heads]
    lasts = [pattern.reshape(-1, *pattern.shape[-2:])[h, -1]
             for pattern, (_, h) in zip(patterns, heads)]
    return [[float(last[due]), float(last[acting])] for last in lasts]


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    heads = Table("head", "brings back", "95%", "looks at the name due", "at the name that acts",
                  "copying score",
                  title=f"SmolLM2-135M-Instruct, mean of {exact['pairs']} pairs")
    for i, (layer, head) in enumerate(exact["heads"]):
        heads.add_row(f"{layer}.{head}", f"{found['share'][i]:.1%}",
                      f"{found['low'][i]:.1%} to {found['high'][i]:.1%}",
                      f"{found['looks_due'][i]:.1%}", f"{found['looks_acting'][i]:.1%}",
                      f"{found['copying'][i]:.2f}")
    yield "heads", heads


if __name__ == "__main__":
    main(globals())
