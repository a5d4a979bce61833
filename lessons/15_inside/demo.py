"""Lesson 15: a name comes back in a story; which layer and which head carry it, held against the planted truth and against controls."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

from minillm.course.demos import main

HERE = Path(__file__).parent
MODEL = HERE / "model"                     # nano, pretrained and then quantized to int8 by minillm itself: see lesson.md
STORIES, SEED = 32, 1                      # held-out stories; the first of them is the one that is shown
BACK = ("back", "back_control", "at_name", "at_query", "at_others")      # differences of logits that came back, given as shares of all
OTHERS = 4                                 # other places, drawn by chance, that are patched as a control
SHOWN = 12                                 # last tokens of it that the lens is drawn for
RECORDED = {"planted": HERE / "planted.json", "real": HERE / "real_checkpoint.json"}      # made by slower scripts: see lesson.md


def compute(console, full):
    import numpy as np
    model = opened()
    cases = list(islice(twice_told(model), STORIES))
    found = []
    for number, case in enumerate(cases, start=1):
        found.append(looked_into(model, case, seed=number))
        if number % 8 == 0:
            console.print(f"{number} of {STORIES} stories: taken apart, patched, ablated")
    exact = {"stories": STORIES, "layers": model.config.num_hidden_layers, "heads": model.config.num_attention_heads,
             "groups": model.config.num_key_value_heads, "parameters": parameters(model), "bytes": (MODEL / "model.safetensors").stat().st_size,
             "shown": shown(model, cases[0]), "planted": summary(json.loads(RECORDED["planted"].read_text(encoding="utf-8"))),
             "real": json.loads(RECORDED["real"].read_text(encoding="utf-8"))}
    gaps = np.array([each["gap"] for each in found])
    for name in found[0]:
        values = np.array([each[name] for each in found], float)
        exact[name] = np.round(values.mean(0) / (gaps.mean() if name in BACK else 1), 6).tolist()
        if name in BACK:                            # the error of a ratio of two means
            values = (values - exact[name] * gaps.reshape(-1, *[1] * (values.ndim - 1))) / gaps.mean()
        if name in ("back", "ablated", "later", "later_others"):
            exact[f"{name}_error"] = np.round(values.std(0, ddof=1) / len(values) ** 0.5, 6).tolist()
    exact["carriers"] = carriers(found)
    exact["shown"]["carrier"] = "%d.%d" % np.unravel_index(np.argmax(found[0]["back"]), np.shape(found[0]["back"]))
    exact["parts_sum_to_logit"] = bool(np.max([each["left_over"] for each in found]) < 1e-12)
    exact |= highlights(exact)
    return {"exact": exact, "measured": {}}


def opened():
    """The committed model, its integers as float64: then every machine computes the same numbers."""
    import minillm
    from minillm.inspection.dispatch import widened
    model = minillm.load(MODEL)
    return replace(model, params=widened(model.params))


def parameters(model) -> int:
    from minillm.architecture.llama import count
    return count(model.config)


def twice_told(model):
    """Held-out stories up to where the friend's name comes back for the first time, told once more with another friend's name.

    Both names are one token long, and the name was mentioned once: the two texts differ in one token, and so in what comes next.
    """
    import numpy as np

    from minillm.inspection.planted import mention_tokens, tokens_and_ends
    from minillm.text.storyworld import FORMS, parse, stories
    rng, encode = np.random.default_rng(SEED), model.tokenizer.encode
    names = [name for name in FORMS["friend"] if len(encode(" " + name)) == 1]
    for text in stories(SEED, "validation"):
        told = parse(text)
        mentions = told.facts["friend"].mentions if "friend" in told.facts else ()
        other = names[rng.integers(len(names))]
        if len(mentions) < 2 or other in (told.values["friend"], told.values["hero"]) or told.values["friend"] not in names:
            continue
        tokens_T, ends_T = tokens_and_ends(text, model.tokenizer, model.begin)
        first, again = (mention_tokens(mention, ends_T) for mention in mentions[:2])
        if len(first) > 1 or len(again) > 1 or text[mentions[1].start - 1] != " ":
            continue
        answer, rival = (encode(" " + name)[0] for name in (told.values["friend"], other))
        clean = tokens_T[: again[0]]
        corrupt = clean.copy()
        corrupt[first[0]] = rival if clean[first[0]] == answer else -1
        if corrupt[first[0]] >= 0:
            yield {"clean": clean, "corrupt": corrupt, "name": first[0], "answer": answer, "rival": rival,
                   "names": (told.values["friend"], other)}


def looked_into(model, case, seed):
    """Everything that is measured on one story: arrays (layers, heads) or along the layers, for the query that must know the name."""
    import numpy as np

    from minillm import inspection
    from minillm.inspection.heads import patterns
    from minillm.inspection.patching import Target
    clean, corrupt, at, query = case["clean"], case["corrupt"], case["name"], len(case["clean"]) - 1
    target, whole = Target(query, case["answer"], case["rival"]), np.append(clean, case["answer"])
    seen = inspection.record(model, clean, twin="numpy")
    pattern_LHTS, lens = patterns(seen, model.config), inspection.logit_lens(model, clean, 1, seen, "numpy")
    by_head, control = (inspection.patch(model, clean, corrupt, "z", "head", target, control_seed=noise, twin="numpy") for noise in (None, seed))
    others = np.random.default_rng(seed).choice(np.delete(np.arange(1, query), at - 1), OTHERS, replace=False)
    places = np.zeros((model.config.num_hidden_layers, len(clean)), bool)
    places[:, [at, query, *others]] = True
    by_place = inspection.patch(model, clean, corrupt, target=target, only_LN=places, twin="numpy")
    by_place = by_place.score_LN - by_place.corrupt
    gone = inspection.ablate_heads(model, whole, seed, twin="numpy")
    later, later_control = without_later_heads(model, whole, seed)
    parts = difference(model, clean, case, seen)
    p_N, bare_N = lens_of(model, seen, case["answer"])
    return {"looks": pattern_LHTS[:, :, query, at], "looks_elsewhere": pattern_LHTS[:, :, at + 1 : query, at].mean(-1), "even": 1 / (query + 1),
            "gap": by_head.clean - by_head.corrupt,
            "back": by_head.score_LN - by_head.corrupt, "back_control": control.score_LN - control.corrupt,
            "at_name": by_place[:, at], "at_query": by_place[:, query], "at_others": np.abs(by_place[:, others]).max(-1),
            "ablated": gone.surprise_LNT[:, :, query], "ablated_control": gone.control_surprise_LNT[:, :, query],
            "ablated_others": gone.surprise_LNT[:, :, :query].mean(-1), "later": later[query], "later_others": later[:query].mean(),
            "later_control": later_control[query], "later_others_control": later_control[:query].mean(),
            "lens_p": p_N, "lens_p_bare": bare_N,
            "lens_right": lens.token_NTM[:, query, 0] == case["answer"], **parts}


def without_later_heads(model, prompt, seed):
    """(surprise_T, the control's): all heads after layer 0 taken out at once; random vectors as long instead."""
    import numpy as np

    from minillm import inspection
    from minillm.inspection.restart import random_like
    rng, layers = np.random.default_rng(seed), range(1, model.config.num_hidden_layers)
    seen = inspection.record(model, prompt, "*.attn_out", twin="numpy")
    gone = [inspection.zero(f"layers.{i}.attn_out") for i in layers]
    noise = [inspection.add(f"layers.{i}.attn_out", -random_like(seen[f"layers.{i}.attn_out"], rng)) for i in layers]
    return [inspection.effect_of(model, prompt, edits, "numpy")[0] for edits in (gone, noise)]


def difference(model, prompt, case, seen):
    """What each part adds to logit(name) - logit(other name) at the last token, in the run that was told the name."""
    import numpy as np

    from minillm import inspection
    name, other = (inspection.attribute_logits(model, prompt, np.full(len(prompt), case[which]), seen=seen, twin="numpy")
                   for which in ("answer", "rival"))
    total = name.total_T[-1] - other.total_T[-1]
    return {"part_embed": name.embed_T[-1] - other.embed_T[-1], "part_head": name.head_TLH[-1] - other.head_TLH[-1],
            "part_mlp": name.mlp_TL[-1] - other.mlp_TL[-1], "part_logit": total, "left_over": abs(total - (name.logit_T[-1] - other.logit_T[-1]))}


def lens_of(model, seen, token):
    """(p, p without the final norm) of a token at the last place: before the first layer, and after each."""
    import numpy as np

    from minillm.inspection.ablation import log_softmax
    from minillm.inspection.dispatch import head_matrix, unembed
    L = model.config.num_hidden_layers
    x_ND = np.array([*(seen[f"layers.{i}.resid_pre"][0, -1] for i in range(L)), seen[f"layers.{L - 1}.resid_post"][0, -1]])
    logits = unembed("numpy", model.params, x_ND, model.config), x_ND @ head_matrix(model)
    return [np.exp(log_softmax(each))[:, token] for each in logits]


def shown(model, case):
    """The first story: its words, the lens over its end, the map of patching, the parts of the logit."""
    import numpy as np

    from minillm import inspection
    from minillm.inspection.patching import Target
    clean, query = case["clean"], len(case["clean"]) - 1
    seen = inspection.record(model, clean, twin="numpy")
    lens = inspection.logit_lens(model, clean, 1, seen, "numpy")
    words = [model.tokenizer.decode([int(i)]).strip() or "¶" for i in clean]
    words[0] = "^"
    begin, parts = int(case["name"]) - 3, difference(model, clean, case, seen)
    places = np.zeros((model.config.num_hidden_layers, len(clean)), bool)
    places[:, begin:] = True
    found = inspection.patch(model, clean, case["corrupt"], target=Target(query, case["answer"], case["rival"]), only_LN=places, twin="numpy")
    return {"text": model.tokenizer.decode(clean[1:].tolist()), "names": case["names"], "words": words, "name": int(case["name"]), "distance": query - int(case["name"]),
            "lens_words": [[model.tokenizer.decode([int(i)]).strip() or "¶" for i in row] for row in lens.token_NTM[:, -SHOWN:, 0]],
            "lens_p": np.round(lens.p_NTM[:, -SHOWN:, 0], 4).tolist(), "lens_name": np.round(lens_of(model, seen, case["answer"])[0], 6).tolist(),
            "begin": begin, "patched": np.round(found.recovered_LN[:, begin:], 5).tolist(),
            "parts": {name: np.round(value, 5).tolist() for name, value in parts.items() if name != "left_over"}}


def carriers(found):
    """How often one head alone brings back more than half of the difference, and which it is."""
    import numpy as np
    alone = [each["back"] / each["gap"] for each in found if each["gap"] > 1]
    names = [f"{layer}.{head}" for share in alone for layer, head in [np.unravel_index(np.argmax(share), share.shape)] if share[layer, head] > 0.5]
    return {"clear": len(alone), "one_head": len(names), "by": [[name, names.count(name)] for name in sorted(set(names), key=names.count, reverse=True)]}


def summary(planted):
    """Of planted.json, what the table shows."""
    rows = [{"relation": relation, "tokens": row["tokens"], "even": row["uniform"], **row["looks_most"], "rank": row["rank_of_looks_most_in_effect"],
             "matters": row["matters_most"]["head"], "matters_effect": row["matters_most"]["effect"]} for relation, row in planted["relations"].items()]
    return {"stories": planted["stories"], "rows": rows}


def highlights(exact):
    """The numbers that the text quotes: the head that brings back most, and of the others the one that looks most and brings back less than a twentieth."""
    import numpy as np
    back, looks = np.array(exact["back"]), np.array(exact["looks"])
    chosen = {"carrier": np.argmax(back), "second": np.argsort(-back, axis=None)[1], "onlooker": np.argmax(np.where(back < 0.05, looks, 0))}
    columns = ("looks", "looks_elsewhere", "back", "back_error", "back_control", "ablated", "ablated_error", "ablated_control", "ablated_others", "part_head")
    found = {}
    for what, place in chosen.items():
        layer, head = (int(i) for i in np.unravel_index(place, back.shape))
        found[what] = {"name": f"{layer}.{head}", **{column: exact[column][layer][head] for column in columns}}
    real = exact["real"]
    layer, head = (int(i) for i in np.unravel_index(np.argmax(real["back"]), np.shape(real["back"])))
    rest = np.delete(np.array(real["back"]).ravel(), np.argmax(real["back"]))
    found["real_carrier"] = {"name": f"{layer}.{head}", "next": float(rest.max()), "largest_induction": float(np.max(real["induction"])),
                             **{column: real[column][layer][head] for column in ("looks", "back", "back_error", "back_control", "ablated", "ablated_control", "induction")}}
    return found | {"first_layer": float(round(np.sum(back, 1)[0], 6)), "mlps": float(round(np.sum(exact["part_mlp"]), 6)),
                    "heads_direct": float(round(np.sum(exact["part_head"]), 6)), "others_most": float(np.max(exact["at_others"]))}


def tables(results):
    from rich.table import Table
    exact = results["exact"]
    heads = Table("head", "looks at the name", "patched: comes back", "its control", "ablated: nats", "its control", "other tokens",
                  title=f"Every head, at the token before the name comes back; means of {exact['stories']} held-out stories (± standard error); "
                        f"an even look would give {exact['even']:.1%}")
    for h in range(exact["heads"]):
        at = {name: exact[name][0][h] for name in ("looks", "back", "back_control", "back_error", "ablated", "ablated_error", "ablated_control", "ablated_others")}
        heads.add_row(f"0.{h}", f"{at['looks']:.1%}", f"{at['back']:.3f} ± {at['back_error']:.3f}", f"{at['back_control']:+.3f}",
                      f"{at['ablated']:+.2f} ± {at['ablated_error']:.2f}", f"{at['ablated_control']:+.2f}", f"{at['ablated_others']:+.2f}")
    later = {name: max(max(row) for row in exact[name][1:]) for name in ("looks", "back", "back_control", "ablated", "ablated_control", "ablated_others")}
    heads.add_row(f"the other {(exact['layers'] - 1) * exact['heads']}, at most", f"{later['looks']:.1%}", f"{later['back']:.3f}",
                  f"{later['back_control']:+.3f}", f"{later['ablated']:+.2f}", f"{later['ablated_control']:+.2f}", f"{later['ablated_others']:+.2f}")
    yield "heads", heads
    lens = Table("read after", "p of the name", "name comes first", "p, without the final norm", "patched here, at the name", "at the last token", "elsewhere, most",
                 title=f"Layer by layer, means of {exact['stories']} stories")
    for n in range(exact["layers"] + 1):
        moved = [f"{exact[name][n]:.2f}" for name in ("at_name", "at_query", "at_others")] if n < exact["layers"] else ["-"] * 3
        lens.add_row("the embedding" if n == 0 else f"layer {n - 1}", f"{exact['lens_p'][n]:.3f}", f"{exact['lens_right'][n]:.0%}", f"{exact['lens_p_bare'][n]:.3f}", *moved)
    yield "layers", lens
    truth = Table("planted (tokens measured)", "looks most", "even", "from elsewhere", "taken out: nats", "on other tokens", "other heads",
                  title=f"Every planted relation ({exact['planted']['stories']} held-out stories, recorded): the head was chosen on one half, measured on the other")
    for row in exact["planted"]["rows"]:
        truth.add_row(f"{row['relation']} ({row['tokens']})", f"{row['head']}: {row['attention']:.1%}", f"{row['even']:.1%}", f"{row['attention_from_elsewhere']:.1%}",
                      f"{row['effect']:+.2f} ± {row['standard_error']:.2f}", f"{row['effect_on_other_tokens']:+.2f}", f"{row['effect_of_other_heads']:+.2f}")
    yield "truth", truth
    yield from real_tables(exact)


def real_tables(exact):
    """The same on a checkpoint that nobody planted anything in: the heads that bring back most, and those that look most."""
    import numpy as np
    from rich.table import Table
    real = exact["real"]
    back, looks = np.array(real["back"]), np.array(real["looks"])
    chosen = dict.fromkeys((*np.argsort(-back, axis=None)[:3].tolist(), *np.argsort(-looks, axis=None)[:4].tolist()))
    table = Table("head", "looks at the name", "patched: comes back", "its control", "ablated: nats", "its control", "induction score",
                  title=f"{real['name']}, {real['texts']} texts (recorded): the three heads that bring back most, and the four that look most; an even look would give {real['even']:.1%}, "
                        f"an even induction score {real['uniform']['induction']:.1%}")
    for i, h in (divmod(head, real["heads"]) for head in chosen):
        at = {name: real[name][i][h] for name in ("looks", "back", "back_error", "back_control", "ablated", "ablated_control", "induction")}
        table.add_row(f"{i}.{h}", f"{at['looks']:.1%}", f"{at['back']:.3f} ± {at['back_error']:.3f}", f"{at['back_control']:+.3f}", f"{at['ablated']:+.2f}",
                      f"{at['ablated_control']:+.2f}", f"{at['induction']:.1%}")
    yield "real", table
    layers = Table("read after", "p of the name", "name comes first", "patched here, at the name", "at the last token", title=f"{real['name']}, layer by layer (recorded)")
    for n in range(real["layers"] + 1):
        moved = [f"{real[name][n]:.2f}" for name in ("at_name", "at_query")] if n < real["layers"] else ["-"] * 2
        layers.add_row("the embedding" if n == 0 else f"layer {n - 1}", f"{real['lens_p'][n]:.3f}", f"{real['lens_right'][n]:.0%}", *moved)
    yield "real_layers", layers


def figures(results, new):
    import numpy as np
    exact, case = results["exact"], results["exact"]["shown"]
    ink = new.ink
    figure, axes = new(8.6, 3.0)
    p = np.array(case["lens_p"])
    image = axes.imshow(p, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for n, row in enumerate(case["lens_words"]):
        for t, word in enumerate(row):
            axes.text(t, n, word, ha="center", va="center", fontsize=7.5, color="#101418" if p[n, t] > 0.55 else "#ffffff")
    axes.set_xticks(range(p.shape[1]), case["words"][-p.shape[1]:], rotation=35, ha="right")
    axes.set_yticks(range(len(p)), ["embedding", *(f"after layer {i}" for i in range(len(p) - 1))])
    axes.set_xlabel("the text: what the model has read last")
    figure.colorbar(image, ax=axes, shrink=0.9, label="probability of that word")
    yield ("lens", "The logit lens over the last tokens of a story. Each cell is the word that the model would say next if it stopped there; brighter is surer. "
           "In the last row stand the model's own answers.", figure)

    figure, axes = new(8.6, 2.9)
    patched, words = np.array(case["patched"]), case["words"][case["begin"]:]
    image = axes.imshow(patched, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(words)), words, rotation=90, fontsize=7.5)
    for t in (case["name"] - case["begin"], len(words) - 1):
        axes.get_xticklabels()[t].set(color=ink["lines"][1], fontweight="bold")
    axes.set_yticks(range(len(patched)), [f"into layer {i}" for i in range(len(patched))])
    figure.colorbar(image, ax=axes, shrink=0.9, label="comes back")
    yield ("patched", f"The share of the difference between “{case['names'][0]}” and “{case['names'][1]}” that comes back when the stream of the clean run is put "
           "into one place of the corrupt run: all of it at the name before the first layer, nearly all at the last token from the next layer on, nothing elsewhere.", figure)

    figure, axes = new(8.6, 3.4, ncols=2, sharex=True)
    looks = np.array(exact["looks"]).ravel()
    names = [f"{i}.{h}" for i in range(exact["layers"]) for h in range(exact["heads"])]
    for axis, what, label in ((axes[0], "back", "patched: share that comes back"), (axes[1], "ablated", "ablated: nats")):
        values, control = np.array(exact[what]).ravel(), np.array(exact[f"{what}_control"]).ravel()
        axis.plot(looks, control, "x", color=ink["lines"][5], label="control: random vectors as long")
        axis.plot(looks, values, "o", color=ink["lines"][0], label="head")
        for at, value, name in zip(looks, values, names):
            if value > 0.08 * values.max() or at > 0.08:
                axis.annotate(name, (at, value), xytext=(5, 3), textcoords="offset points", fontsize=8.5)
        axis.set(xlabel="share of attention on the earlier name", ylabel=label)
        axis.grid(alpha=0.5)
    axes[0].legend(loc="upper left", fontsize=8.5)
    yield ("heads", "Every head: how much it looks at the earlier name, against how much of the name comes back when it alone is patched, and what is lost when it is "
           "taken out. The head that looks most also carries most, but others that look as much carry little. The controls lie near zero.", figure)

    figure, axes = new(8.6, 2.8)
    parts = case["parts"]
    labels = ["embedding", *(label for i in range(exact["layers"]) for label in (*(f"head {i}.{h}" for h in range(exact["heads"])), f"mlp {i}"))]
    values = [parts["part_embed"], *(value for i in range(exact["layers"]) for value in (*parts["part_head"][i], parts["part_mlp"][i]))]
    axes.bar(range(len(values)), values, color=[ink["lines"][1] if label[0] == "h" else ink["lines"][0] if label[0] == "m" else ink["lines"][5] for label in labels])
    axes.axhline(0, color=ink["text"], linewidth=0.6)
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=8)
    axes.set_ylabel("added to the logit")
    axes.grid(axis="y", alpha=0.5)
    yield ("parts", f"What each part of the model adds to logit({case['names'][0]}) minus logit({case['names'][1]}) in one story. The bars add up to the difference of the two logits.", figure)


if __name__ == "__main__":
    main(globals())
