"""Makes real_checkpoint.json: the tools of this lesson on a checkpoint that nobody planted anything in.

    python lessons/15_inside/real_checkpoint.py stories260K.bin        (its tokenizer, tok512.bin, beside it)

The file is Andrej Karpathy's, 1 MB, trained on TinyStories: https://huggingface.co/karpathy/tinyllamas, folder stories260K. Each text
names two children and comes to the place where the second name is due; the corrupt text has another name there, of as many tokens. There is
no truth to compare with, so there are three controls: random vectors as long, the other heads, and texts of which no name comes back.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import minillm
from minillm import inspection
from minillm.architecture.llama import count
from minillm.inspection.ablation import log_softmax
from minillm.inspection.dispatch import unembed, widened
from minillm.inspection.heads import patterns
from minillm.inspection.patching import Target

TEXTS = ("Once upon a time, there was a little girl named Lily. She had a friend named {}. One day, Lily and",
         "Lily and {} were best friends. They liked to play in the park. One sunny day, Lily and",
         "One day, a girl named Lily saw a boy. His name was {}. They played with a ball. Lily and")
NAMES = (("Ben", "Tom"), ("Ben", "Sam"), ("Tom", "Sam"), ("Max", "Bob"), ("Max", "Leo"), ("Bob", "Leo"), ("Tim", "Timmy"))     # as many tokens each


def main(path):
    model = minillm.load(path)
    model = replace(model, params=widened(model.params))
    found = []
    for text in TEXTS:
        for pair in NAMES:
            for names in (pair, pair[::-1]):
                found += look(model, text, names, seed=len(found))
    repeats = inspection.scores_on_repeats(model, twin="numpy")
    results = {"name": Path(path).stem, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(), "parameters": count(model.config),
               "layers": model.config.num_hidden_layers, "heads": model.config.num_attention_heads, "texts": len(found), "text": TEXTS[0],
               "induction": np.round(repeats.induction_LH, 4).tolist(), "previous": np.round(repeats.previous_LH, 4).tolist(),
               "uniform": {kind: round(value, 4) for kind, value in repeats.uniform.items()}}
    gaps = np.array([each["gap"] for each in found])
    results |= {"gap": round(float(gaps.mean()), 4), "right": round(float(np.mean(gaps > 0)), 4), "left_over": float(max(each["left_over"] for each in found))}
    for name in ("back", "back_control", "at_name", "at_query"):
        values = np.array([each[name] for each in found]) / gaps.mean()
        share = values.mean(0)
        error = (values - share * (gaps / gaps.mean()).reshape(-1, *[1] * (values.ndim - 1))).std(0, ddof=1) / len(found) ** 0.5
        results |= {name: np.round(share, 4).tolist(), f"{name}_error": np.round(error, 4).tolist()}
    for name in ("looks", "lens_p", "lens_right", "even", "ablated", "ablated_control", "ablated_others"):
        results[name] = np.round(np.mean([each[name] for each in found], 0), 4).tolist()
    out = Path(__file__).with_name("real_checkpoint.json")
    out.write_text(json.dumps(results, ensure_ascii=False) + "\n", encoding="utf-8")
    print(out.read_text(encoding="utf-8"))


def look(model, text, names, seed):
    """What is measured on one text, or nothing where the two texts have tokens in other places."""
    told = [text.format(name) for name in names]
    clean, corrupt = (np.array([*model.begin, *model.tokenizer.encode(each)]) for each in told)
    whole = [[*model.begin, *model.tokenizer.encode(f"{each} {name}")] for each, name in zip(told, names)]       # the name comes back
    tokens, rivals = whole[0][len(clean) :], whole[1][len(corrupt) :]
    if len(clean) != len(corrupt) or len(tokens) != len(rivals) or tokens[0] == rivals[0] or not np.array_equal(whole[0][: len(clean)], clean):
        return []
    at, query = np.flatnonzero(clean != corrupt), len(clean) - 1
    at = np.arange(at[0], at[0] + len(tokens))
    target = Target(query, tokens[0], rivals[0])
    by_head, control = (inspection.patch(model, clean, corrupt, "z", "head", target, control_seed=noise, twin="numpy") for noise in (None, seed))
    places = inspection.patch(model, clean, corrupt, target=target, twin="numpy")
    moved = places.score_LN - places.corrupt
    seen = inspection.record(model, clean, twin="numpy")
    name, rival = (inspection.attribute_logits(model, clean, np.full(len(clean), token), seen=seen, twin="numpy") for token in (tokens[0], rivals[0]))
    gone = inspection.ablate_heads(model, np.append(clean, tokens[0]), seed, twin="numpy")
    x_ND = np.array([*(seen[f"layers.{i}.resid_pre"][0, -1] for i in range(model.config.num_hidden_layers)),
                     seen[f"layers.{model.config.num_hidden_layers - 1}.resid_post"][0, -1]])
    log_p_NV = log_softmax(unembed("numpy", model.params, x_ND, model.config))
    return [{"gap": by_head.clean - by_head.corrupt, "back": by_head.score_LN - by_head.corrupt, "back_control": control.score_LN - control.corrupt,
             "at_name": moved[:, at].sum(1), "at_query": moved[:, query], "looks": patterns(seen, model.config)[:, :, query, at].sum(-1),
             "even": len(at) / (query + 1), "lens_p": np.exp(log_p_NV[:, tokens[0]]), "lens_right": log_p_NV.argmax(1) == tokens[0],
             "ablated": gone.surprise_LNT[:, :, query], "ablated_control": gone.control_surprise_LNT[:, :, query],
             "ablated_others": np.nanmean(gone.surprise_LNT[:, :, :query], -1), "left_over": float(np.max(np.abs(name.total_T - name.logit_T)))}]


if __name__ == "__main__":
    main(sys.argv[1])
