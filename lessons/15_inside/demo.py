"""Lesson 15: a name comes back in a story; which layer and which head carry it, held against the planted truth and against controls."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from minillm import inspection
from minillm.course.demos import main
from minillm.inspection.patching import Target

HERE = Path(__file__).parent
MODEL = HERE / "model"                     # nano, pretrained and then quantized to int8 by minillm itself: see lesson.md
STORIES, SEED = 32, 1                      # held-out stories; the first of them is the one that is shown
BACK = ("back", "back_control", "at_name", "at_query", "at_others")      # differences of logits that came back, given as shares of all
OTHERS = 4                                 # other places, drawn by chance, that are patched as a control
SHOWN = 12                                 # last tokens of it that the lens is drawn for
RECORDED = {"planted": HERE / "planted.json", "real": HERE / "real_checkpoint.json"}      # made by slower scripts: see lesson.md


def compute(console, full):
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
    from minillm.inspection.heads import patterns
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
    from minillm.inspection.restart import random_like
    rng, layers = np.random.default_rng(seed), range(1, model.config.num_hidden_layers)
    seen = inspection.record(model, prompt, "*.attn_out", twin="numpy")
    gone = [inspection.zero(f"layers.{i}.attn_out") for i in layers]
    noise = [inspection.add(f"layers.{i}.attn_out", -random_like(seen[f"layers.{i}.attn_out"], rng)) for i in layers]
    return [inspection.effect_of(model, prompt, edits, "numpy")[0] for edits in (gone, noise)]


def difference(model, prompt, case, seen):
    """What each part adds to logit(name) - logit(other name) at the last token, in the run that was told the name."""
    name, other = (inspection.attribute_logits(model, prompt, np.full(len(prompt), case[which]), seen=seen, twin="numpy")
                   for which in ("answer", "rival"))
    total = name.total_T[-1] - other.total_T[-1]
    return {"part_embed": name.embed_T[-1] - other.embed_T[-1], "part_head": name.head_TLH[-1] - other.head_TLH[-1],
            "part_mlp": name.mlp_TL[-1] - other.mlp_TL[-1], "part_logit": total, "left_over": abs(total - (name.logit_T[-1] - other.logit_T[-1]))}


def lens_of(model, seen, token):
    """(p, p without the final norm) of a token at the last place: before the first layer, and after each."""
    from minillm.inspection.ablation import log_softmax
    from minillm.inspection.dispatch import head_matrix, unembed
    L = model.config.num_hidden_layers
    x_ND = np.array([*(seen[f"layers.{i}.resid_pre"][0, -1] for i in range(L)), seen[f"layers.{L - 1}.resid_post"][0, -1]])
    logits = unembed("numpy", model.params, x_ND, model.config), x_ND @ head_matrix(model)
    return [np.exp(log_softmax(each))[:, token] for each in logits]


def shown(model, case):
    """The first story: its words, the lens over its end, the map of patching, the parts of the logit."""
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


if __name__ == "__main__":
    main(globals())
