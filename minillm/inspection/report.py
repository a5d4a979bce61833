"""The report of `minillm inspect`: everything about one prompt in one HTML file that needs no network.

`contents` measures, `page` writes. The file has its own style and script, and a
Content-Security-Policy that lets nothing else run or load. Arrays are stored as base64: attention
probabilities in one byte each (the square root, 0 to 255), the rest in two or four.
"""

import base64
import json
import re
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import numpy as np

from minillm import __version__
from minillm.architecture.family import family
from minillm.architecture.tree import flatten
from minillm.config import GenerateConfig
from minillm.errors import UserError
from minillm.files import write_atomically
from minillm.in_numpy.ops import log_softmax
from minillm.in_page.page import may_write as page_may_write, policy
from minillm.inspection import compare as comparing, faithfulness
from minillm.inspection.ablation import Ablation, ablate_heads, ablate_mlps
from minillm.inspection.attribution import attribute_logits, head_outputs
from minillm.inspection.dispatch import prompt_tokens
from minillm.inspection.heads import (
    KINDS,
    HeadScores,
    mean_attention,
    score_patterns,
    scores_on_repeats,
    targets,
)
from minillm.inspection.lens import largest, logit_lens
from minillm.inspection.neurons import promoted, top_neurons, top_tokens
from minillm.inspection.patching import Target, default_target, equally_long, patch, patch_best
from minillm.inspection.record import record, run
from minillm.inspection.shown import shown
from minillm.loading import Model

PATTERN_BYTES = 2_500_000  # of attention patterns; more: the least important heads are left out
LIKELIEST = 10
EFFORT = 1.5  # default: half a minute to a minute on two cores
PANELS = (
    "checks",
    "lens",
    "ablation",
    "patching",
    "neurons",
)  # what takes time, and can be left out
TYPED = 20_000_000  # parameters: a larger model does not write the text in which its neurons are looked at


def contents(model: Model, prompt, corrupt=None, against: Model | None = None, text: str
             | None = None, effort: float = EFFORT, twin: str = "jax", say=lambda line: None,
             panels=PANELS, target: Target | None = None, command: str = "") -> dict:
    """Everything that the page shows, ready for JSON.

    `effort` is the number of operations for ablation and patching, in 10^12. The neurons' top tokens are searched in
    `text`; by default a small model writes some, and a large one reads English. `target` is the pair of tokens whose
    difference of logits is taken apart and patched. `say` is called with each step's name.
    """
    model = model.on(twin)
    tokens_BT = prompt_tokens(model, prompt)
    if len(tokens_BT) != 1:
        raise UserError(f"a page is about one text, and here are {len(tokens_BT)}")
    if corrupt is not None:
        ((_, corrupt_T),) = equally_long(model, tokens_BT, corrupt)
        corrupt = corrupt_T[None]
        if np.array_equal(corrupt, tokens_BT):
            raise UserError(
                "both prompts are the same: patching needs a second one that differs (--corrupt TEXT)"
            )
    say(f"recording {tokens_BT.shape[1]} tokens")
    seen = record(model, tokens_BT, faithfulness.NEEDED, twin=twin)
    page = Page(model, tokens_BT, seen)
    page.add_model(twin, prompt, command)
    broken = faithfulness.not_finite(seen)
    if broken:
        page.left_out("everything but the tokens", f"this model cannot be looked into: {broken}")
        page.data["broken"] = broken
        page.data["checks"] = []
        return page.finished()
    page.add_checks(faithfulness.check_all(model, tokens_BT, corrupt, seen, twin, page.look, say)
                    if "checks" in panels else [])
    if "checks" not in panels:
        for i, layer in enumerate(model.params["layers"]):
            say(f"reading the heads of layer {i + 1}")
            page.look(i, faithfulness.whole_block(twin, layer, seen[f"layers.{i}.resid_pre"],
                                                  model.config, ["pattern"]))
    page.add_answers()
    page.add_head_scores(twin)
    if "lens" in panels:
        say("reading every layer through the head")
        page.add_lens(logit_lens(model, tokens_BT, 5, seen=seen, twin=twin))
    if corrupt is not None and target is None:
        logits = (seen["logits"][0, -1], run(model, corrupt, (), (), twin)[0][0, -1])
        target = default_target(*logits, tokens_BT.shape[1] - 1)
    page.add_attribution(target)
    page.add_norms()
    left = effort * 1e12
    if "ablation" in panels:
        say("taking out one head after the other")
        left = page.add_ablation(left * (0.5 if corrupt is not None else 1),
                                 twin) + left * (0.5 if corrupt is not None else 0)
    else:
        page.no_ablation()
    page.add_patterns()
    if corrupt is not None and "patching" in panels:
        say("patching the clean run into the corrupt one")
        page.add_patching(corrupt, target, left, twin, say)
    elif corrupt is None:
        page.left_out("patching", "it needs a second prompt of as many tokens: --corrupt TEXT")
    if "neurons" in panels:
        say("looking for what excites the neurons")
        page.add_neurons(text, twin)
    for name in PANELS:
        if name not in panels:
            page.left_out(name, "it was not asked for (--panels)")
    if against is not None:
        say(f"comparing with {against.source}")
        page.add_comparison(comparing.compare(model, against, tokens_BT, twin), against)
    return page.finished()


class Page:
    """The data of one page as it grows: arrays, token labels, what is left out and why."""

    def __init__(self, model: Model, tokens_BT, seen: dict):
        self.model, self.config, self.tokens_BT, self.seen = model, model.config, tokens_BT, seen
        self.L, self.H, self.T = (model.config.num_hidden_layers, model.config.num_attention_heads,
                                  tokens_BT.shape[1])
        self.data, self.arrays, self.ids, self.missing = {}, {}, set(tokens_BT[0].tolist()), []
        self.coded, self.sharpness, self.scores, self.strength = (
            [],
            [],
            {kind: [] for kind in KINDS},
            None,
        )

    def look(self, i: int, layer: dict):
        """Keep what the page says about the patterns of a layer: themselves in a byte a number, their scores."""
        pattern_HTS = layer["pattern"][0].reshape(self.H, self.T, self.T)
        self.coded.append(np.rint(255 * np.sqrt(np.clip(pattern_HTS[:, *np.tril_indices(self.T)], 0,
                                                        1))).astype(np.uint8))
        self.sharpness.append(np.max(pattern_HTS[:, 1:, 1:], axis=-1, initial=0).mean(-1)
                              if self.T > 1 else np.zeros(self.H))
        for kind, target_TS in targets(self.tokens_BT[0]).items():
            self.scores[kind].append(mean_attention(pattern_HTS, target_TS))

    def put(self, name: str, array, kind="float32", ids: bool = False):
        """Add an array to the page; token ids in it get labels."""
        array = np.asarray(array)
        if ids:
            self.ids |= set(array.ravel().tolist())
        if np.dtype(kind) == np.float16:
            array = np.clip(array, -65504, 65504)
        stored = np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<"))
        self.arrays[name] = {"kind": kind, "shape": list(array.shape),
                             "data": base64.b64encode(stored.tobytes()).decode()}

    def left_out(self, what: str, why: str):
        self.missing.append([what, why])

    def finished(self) -> dict:
        labels = {str(i): shown(self.model.tokenizer, i) for i in sorted(self.ids)}
        return self.data | {"arrays": self.arrays, "labels": labels, "left_out": self.missing}

    def add_model(self, twin: str, prompt, command: str):
        config, about = self.config, family(self.config)
        leaves = flatten(self.model.params).values()
        self.data |= {
            "version": __version__,
            "source": Path(self.model.source.removesuffix(" (llama2.c)")).name,
            "twin": twin,
            "family": about.name,
            "layers": self.L,
            "heads": self.H,
            "groups": config.num_key_value_heads,
            "hidden": config.hidden_size,
            "head_dim": config.head_dim,
            "vocab": config.vocab_size,
            "length": self.T,
            "parameters": int(sum(leaf.size for leaf in leaves)),
            "numbers": self.seen["logits"].dtype.name,
            "tokens": self.tokens_BT[0].tolist(),
            "begun": len(self.model.begin) if isinstance(prompt, str) else 0,
        }
        self.data |= {"command": command,
                      "date": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")}
        if about.missing_because:
            self.left_out(*about.missing_because)

    def add_checks(self, checks):
        self.data["checks"] = [
            {
                "name": each.name,
                "meaning": each.meaning,
                "difference": each.difference,
                "verdict": each.verdict,
                "tolerance": each.tolerance,
                "skipped": each.skipped,
            }
            for each in checks
        ]
        for each in self.data["checks"]:
            if each["difference"] is not None and not np.isfinite(each["difference"]):
                each["difference"] = str(each["difference"])

    def add_answers(self):
        log_p_TV = log_softmax(self.seen["logits"][0].astype(np.float64))
        best_TM = largest(log_p_TV, min(LIKELIEST, self.config.vocab_size))
        surprise_T = np.full(self.T, np.nan)
        surprise_T[1:] = -log_p_TV[np.arange(self.T - 1), self.tokens_BT[0, 1:]]
        p_TV = np.exp(log_p_TV)
        rank_T = np.zeros(self.T)
        rank_T[:-1] = (log_p_TV[:-1] > log_p_TV[np.arange(self.T - 1),
                                                self.tokens_BT[0, 1:]][:, None]).sum(1) + 1
        self.put("answer_token", best_TM, "int32", ids=True)
        self.put("answer_p", np.take_along_axis(p_TV, best_TM, -1))
        self.put("surprise", surprise_T)
        self.put("rank", rank_T)
        self.put("entropy", -np.sum(p_TV * log_p_TV, -1))

    def add_patterns(self):
        """The patterns, or where they would make the file too large, those of the heads that matter most."""
        each, kept = self.T * (self.T + 1) // 2, np.arange(self.L * self.H)
        if len(kept) * each > PATTERN_BYTES:
            order = np.lexsort((-np.ravel(self.sharpness), -self.strength_LH().ravel()))
            kept = np.sort(order[: max(1, PATTERN_BYTES // each)])
            self.left_out(
                f"the patterns of {self.L * self.H - len(kept)} of {self.L * self.H} heads",
                "the file would grow too large: those were kept whose removal changes most, then the sharpest",
            )
        self.put("pattern", np.concatenate(self.coded)[kept], "uint8")
        self.put("pattern_head", kept, "int32")

    def strength_LH(self):
        """The mean effect of taking each head out, in nats; 0 where it was not."""
        return (np.zeros((self.L, self.H)) if self.strength is None
                else np.nan_to_num(self.strength.mean(-1)))

    def add_head_scores(self, twin: str):
        uniform = score_patterns([np.zeros((0, self.T, self.T))], self.tokens_BT[0]).uniform
        here = HeadScores(**{f"{kind}_LH": np.array(self.scores[kind]) for kind in KINDS},
                          uniform=uniform)
        enough = self.config.max_position_embeddings >= 9
        repeats = scores_on_repeats(self.model, twin=twin) if enough else None
        for kind in KINDS:
            self.put(f"here_{kind}", getattr(here, f"{kind}_LH"))
            if repeats:
                self.put(f"repeat_{kind}", getattr(repeats, f"{kind}_LH"))
        self.data["uniform"] = {"here": finite(here.uniform),
                                "repeat": finite(repeats.uniform) if repeats else None}
        if not enough:
            self.left_out("scores on repeated random tokens",
                          "the model's context is too short to repeat anything")
        for kind in KINDS:
            if here.uniform[kind] is None or np.isnan(here.uniform[kind]):
                self.left_out(f"the {kind} score on this prompt",
                              "no token of it comes back, so nothing could be looked up")

    def add_lens(self, lens):
        self.put("lens_token", lens.token_NTM, "int32", ids=True)
        self.put("lens_p", lens.p_NTM, "float16")
        self.put("lens_entropy", lens.entropy_NT, "float16")
        self.put("lens_kl", lens.kl_NT, "float16")
        self.put("lens_next", lens.next_NT, "float16")

    def add_attribution(self, target: Target | None):
        """The parts of every next token's logit, or with a target of its lead over its rival, at every position."""
        pair = target is not None and target.rival is not None
        chosen = ({"token_T": np.full(self.T, target.token),
                   "rival_T": np.full(self.T, target.rival)} if pair else {})
        found = attribute_logits(self.model, self.tokens_BT, seen=self.seen, **chosen)
        best = int(np.argmax(self.seen["logits"][0, -1]))
        self.put("part_token", np.append(self.tokens_BT[0, 1:], best), "int32", ids=True)
        if pair:
            self.data["pair"] = [target.token, target.rival]
            self.ids |= set(self.data["pair"])
        for name, array in (
            ("embed", found.embed_T),
            ("head", found.head_TLH),
            ("bias", found.bias_TL),
            ("mlp", found.mlp_TL),
            ("norm", found.norm_T),
            ("logit", found.logit_T),
        ):
            self.put(f"part_{name}", array, "float16" if array.size > 20_000 else "float32")

    def add_norms(self):
        for name in ("resid_pre", "attn_out", "mlp_out"):
            self.put(f"norm_{name}", [np.linalg.norm(self.seen[f"layers.{i}.{name}"][0], axis=-1)
                                      for i in range(self.L)])
        self.put("norm_last",
                 np.linalg.norm(self.seen[f"layers.{self.L - 1}.resid_post"][0], axis=-1))

    def operations(self) -> float:
        """The number of operations of two half passes over the prompt, each with its logits: a part and its control."""
        layers = sum(leaf.size
                     for leaf in flatten({"layers": self.model.params["layers"]}).values())
        return 2.0 * self.T * (layers + 2 * self.config.vocab_size * self.config.hidden_size)

    def add_ablation(self, budget: float, twin: str) -> float:
        """Ablate heads and MLPs; returns the remaining budget."""
        cost, total = self.operations(), self.L * self.H
        most = int(budget / cost)
        only_LH = only_L = None
        if most < total + self.L:
            mlps = min(self.L, max(1, most // 4))
            layers = range(self.L)
            size_LH = np.array([np.linalg.norm(head_outputs(self.model, self.seen, i),
                                               axis=-1).mean(-1) for i in layers])
            only_LH = strongest(size_LH, most - mlps)
            written = (self.seen[f"layers.{i}.mlp_out"][0] for i in layers)
            only_L = strongest(np.array([np.linalg.norm(x, axis=-1).mean() for x in written]), mlps)
            self.left_out(
                f"ablation of {np.sum(~only_LH)} of {total} heads and {np.sum(~only_L)} of {self.L} MLPs",
                "it would take too long: those that write least were left out (--effort N allows more)",
            )
        found = ablate_heads(self.model, self.tokens_BT, only_LH=only_LH, twin=twin)
        self.strength = found.kl_LNT
        self._put_ablation("head", found)
        found = ablate_mlps(self.model, self.tokens_BT, twin=twin, only_L=only_L)
        self._put_ablation("mlp", found)
        return max(0.0, budget - cost * min(most, total + self.L))

    def no_ablation(self):
        """Say that nothing was ablated: no number."""
        for name, N in (("head", self.H), ("mlp", 1)):
            nothing = np.full((self.L, N, self.T), np.nan)
            self._put_ablation(name, Ablation(nothing, nothing, nothing, nothing))

    def _put_ablation(self, name: str, found: Ablation):
        for field in ("kl", "surprise", "control_kl", "control_surprise"):
            self.put(f"ablate_{name}_{field}", getattr(found, f"{field}_LNT"), "float16")

    def add_patching(self, corrupt_BT, target: Target, budget: float, twin: str, say):
        sites = [
            ("resid_pre", "position"),
            ("attn_out", "position"),
            ("mlp_out", "position"),
            ("z", "head"),
        ]
        total = sum(self.L * (self.T if by == "position" else self.H) for _, by in sites)
        most = int(budget / self.operations())
        self.ids |= {target.token, *([] if target.rival is None else [target.rival]),
                     *corrupt_BT[0].tolist()}
        found = {}
        for site, by in sites:
            N = self.T if by == "position" else self.H
            say(f"patching {site}")
            if most >= total:
                exact = patch(self.model, self.tokens_BT, corrupt_BT, site, by, target, twin=twin)
                control = patch(self.model, self.tokens_BT, corrupt_BT, site, by, target,
                                control_seed=0, twin=twin)
            else:
                share = max(1, int(2 * most * N * self.L / total))
                try:
                    exact = patch_best(self.model, self.tokens_BT, corrupt_BT, site, by, target,
                                       share, twin)
                except UserError as error:
                    self.left_out(f"patching of {site}", str(error))
                    continue
                control = None
            if exact.clean == exact.corrupt:
                self.left_out(
                    "patching",
                    "both prompts give the same answer with the same score, so there is nothing to bring back",
                )
                return
            self.put(f"patch_{site}", exact.recovered_LN, "float16")
            self.put(f"patch_{site}_exact", exact.exact_LN, "uint8")
            if control:
                self.put(f"patch_{site}_control", control.recovered_LN, "float16")
            found = {"clean": exact.clean, "corrupt": exact.corrupt}
        if most < total:
            self.left_out("most exact patches, and their controls",
                          "they would take too long: all places were ranked by gradient, and only "
                          "the best were patched; estimates are marked (--effort N allows more)")
        self.data["patching"] = found | {"token": target.token, "rival": target.rival,
                                         "tokens": corrupt_BT[0].tolist()}

    def add_neurons(self, text: str | None, twin: str):
        found = top_neurons(self.model, self.tokens_BT, 5, seen=self.seen)
        pairs = sorted(set(zip(found.layer_TN.ravel().tolist(), found.unit_TN.ravel().tolist())))
        place = {pair: i for i, pair in enumerate(pairs)}
        index_TN = np.vectorize(lambda layer, unit: place[layer, unit])(
            found.layer_TN, found.unit_TN)
        signs = np.ones(len(pairs))
        signs[index_TN.ravel()] = np.where(found.activation_TN.ravel() < 0, -1, 1)
        rows_BT, about = text_rows(self.model, self.tokens_BT[0], text, twin)
        row_NM, position_NM, activation_NM = top_tokens(self.model, rows_BT, pairs, 6, signs, twin)
        around = np.clip(position_NM[..., None] + np.arange(-4, 3), -1, rows_BT.shape[1])
        padded = np.pad(rows_BT, ((0, 0), (1, 1)), constant_values=-1)
        context_NMC = padded[row_NM[..., None], around + 1]
        self.put("neuron_at", index_TN, "int32")
        self.put("neuron_active", found.activation_TN)
        self.put("neuron_norm", found.norm_TN)
        self.put("neuron_name", pairs, "int32")
        self.put("neuron_sign", signs, "float32")
        self.put("neuron_promotes", promoted(self.model, pairs), "int32", ids=True)
        self.put("neuron_context", context_NMC, "int32")
        self.put("neuron_best", activation_NM, "float32")
        self.ids |= set(context_NMC.ravel().tolist()) - {-1}
        self.data["neuron_text"] = about

    def add_comparison(self, found, other: Model):
        self.put("compare_error", found.error_LN)
        self.put("compare_kl", found.kl_T)
        self.put("compare_same", found.same_T, "uint8")
        self.data["compare"] = {"taps": list(found.taps), "source": Path(other.source).name}


def text_rows(model: Model, ids_T, text: str | None, twin: str, count: int = 512):
    """(token ids (B, T), a description): of `text`, or of what the model writes by itself."""
    length = min(128, model.config.max_position_embeddings - 1)
    read = text
    if text is None and sum(leaf.size for leaf in flatten(model.params).values()) > TYPED:
        read = english()
    if read is not None and model.tokenizer is not None:
        stream = model.tokenizer.encode(read)[: 8 * count if text is not None else count]
        about = "Python's documentation" if text is None else "the text that was given"
    else:
        start, stream = ids_T[: max(1, len(model.begin))].tolist(), []
        for seed in range(4):
            how = GenerateConfig(
                max_new_tokens=min(count // 4, model.config.max_position_embeddings - len(start)),
                seed=seed)
            stream += model.continuation(start, twin, how)
        about = "texts that the model wrote itself (temperature 1, seeds 0 to 3)"
    body = max(1, length - len(model.begin))
    rows = [list(model.begin) + stream[i : i + body]
            for i in range(0, len(stream) - body + 1, body)]
    if not rows:
        return np.array([[*model.begin, *stream]] if stream else [ids_T.tolist()],
                        np.int32), about if stream else "the prompt"
    return np.array(rows, np.int32), f"{len(rows) * body:,} tokens of {about}"


def english() -> str | None:
    """A page of English that every Python brings with it; None where it does not."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        return None
    return "\n\n".join(topics[name].strip() for name in sorted(topics))[:20_000]


def strongest(size, count: int):
    """True at the `count` largest of the numbers, and at one at least."""
    return size >= np.sort(size, axis=None)[-max(1, min(count, size.size))]


def finite(values: dict) -> dict:
    return {name: None if value is None or np.isnan(value) else value
            for name, value in values.items()}


# ---- the file ------------------------------------------------------------------------------------------------------------------


def page(data: dict) -> str:
    """The whole HTML file: the assets, their hashes in the policy, the data as a JSON block."""
    assets = files("minillm.inspection") / "assets"
    html, css, js = ((assets / f"report.{kind}").read_text(encoding="utf-8")
                     for kind in ("html", "css", "js"))
    parts = {
        "POLICY": policy(css, js),
        "STYLE": css,
        "SCRIPT": js,
        "DATA": embedded(data),
        "TITLE": title(data),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], html)


def embedded(data: dict) -> str:
    """JSON that is safe inside a script element: no <, > or &, and no U+2028 or U+2029."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def title(data: dict) -> str:
    """The page's title: the model's name and the prompt's beginning, with unsafe characters replaced by _."""
    begun = "".join(text for token in data["tokens"][data["begun"] :][:12]
                    for text, _ in data["labels"].get(str(token), []))
    text = f"{data['source']}: {begun.strip()[:60]}"
    return "Inside " + "".join(c if c.isalnum() or c in " ._-:,'" else "_" for c in text)


def may_write(path, replace: bool = False):
    """Check before long work that the page can be written, as `in_page.page.may_write` does. Raises UserError."""
    page_may_write(path, replace, b"<title>Inside ")


def write(path, data: dict) -> int:
    """Write the file; returns its size in bytes. Raises UserError."""
    content = page(data).encode("utf-8")
    write_atomically(Path(path), content)
    return len(content)
