"""The report of `minillm inspect`: everything about one prompt in one HTML file that needs no network.

`contents` measures, `page` writes. The file has its own style and script, and a
Content-Security-Policy that lets nothing else run or load. Arrays are stored as base64: attention
probabilities in one byte each (the square root, 0 to 255), the rest in two or four.
"""

import base64
import hashlib
import json
import os
import re
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
from minillm.inspection import compare as comparing, faithfulness
from minillm.inspection.ablation import Ablation, ablate_heads, ablate_mlps
from minillm.inspection.attribution import attribute_logits, head_outputs
from minillm.inspection.dispatch import prompt_tokens
from minillm.inspection.heads import KINDS, head_scores, patterns, scores_on_repeats
from minillm.inspection.lens import largest, logit_lens
from minillm.inspection.neurons import promoted, top_neurons, top_tokens
from minillm.inspection.patching import default_target, patch, patch_best
from minillm.inspection.record import record, run
from minillm.inspection.shown import shown
from minillm.loading import Model

PATTERN_BYTES = 2_500_000   # of attention patterns; more: the least important heads are left out
LIKELIEST = 10


def contents(model: Model, prompt, corrupt=None, against: Model | None = None, text: str | None = None, effort: float = 10.0,
             twin: str = "jax", say=lambda line: None) -> dict:
    """Everything that the page shows, ready for JSON.

    `effort` is the number of operations for ablation and patching, in 10^12. The neurons' top
    tokens are searched in `text`; by default the model writes some. `say` is called with each
    step's name.
    """
    model = model.on(twin)
    tokens_BT = prompt_tokens(model, prompt)
    say(f"recording {tokens_BT.shape[1]} tokens")
    seen = record(model, tokens_BT, twin=twin)
    page = Page(model, tokens_BT, seen)
    page.add_model(twin, prompt)
    broken = faithfulness.not_finite(seen)
    if broken:
        page.left_out("everything but the tokens", f"this model cannot be looked into: {broken}")
        page.data["broken"] = broken
        page.data["checks"] = []
        return page.finished()
    say("checking what must hold")
    page.add_checks(faithfulness.check_all(model, tokens_BT, corrupt, seen, twin))
    page.add_answers()
    page.add_patterns()
    say("reading heads, layers and logits")
    page.add_head_scores(twin)
    page.add_lens(logit_lens(model, tokens_BT, 5, seen, twin))
    page.add_attribution(attribute_logits(model, tokens_BT, against_mean=False, seen=seen))
    page.add_norms()
    say("taking out one head after the other")
    left = page.add_ablation(effort * 1e12 * (0.5 if corrupt is not None else 1), twin)
    if corrupt is not None:
        say("patching the clean run into the corrupt one")
        page.add_patching(prompt_tokens(model, corrupt), left + 0.5 * effort * 1e12, twin)
    else:
        page.left_out("patching", "it needs a second prompt of as many tokens: --corrupt TEXT")
    say("looking for what excites the neurons")
    page.add_neurons(text, twin)
    if against is not None:
        say(f"comparing with {against.source}")
        page.add_comparison(comparing.compare(model, against, tokens_BT, twin), against)
    return page.finished()


class Page:
    """The data of one page as it grows: arrays, token labels, what is left out and why."""

    def __init__(self, model: Model, tokens_BT, seen: dict):
        self.model, self.config, self.tokens_BT, self.seen = model, model.config, tokens_BT, seen
        self.L, self.H, self.T = model.config.num_hidden_layers, model.config.num_attention_heads, tokens_BT.shape[1]
        self.data, self.arrays, self.ids, self.missing = {}, {}, set(tokens_BT[0].tolist()), []

    def put(self, name: str, array, kind="float32", ids: bool = False):
        """Add an array to the page; token ids in it get labels."""
        array = np.asarray(array)
        if ids:
            self.ids |= set(array.ravel().tolist())
        if np.dtype(kind) == np.float16:
            array = np.clip(array, -65504, 65504)
        stored = np.ascontiguousarray(array, np.dtype(kind).newbyteorder("<"))
        self.arrays[name] = {"kind": kind, "shape": list(array.shape), "data": base64.b64encode(stored.tobytes()).decode()}

    def left_out(self, what: str, why: str):
        self.missing.append([what, why])

    def finished(self) -> dict:
        labels = {str(i): shown(self.model.tokenizer, i) for i in sorted(self.ids)}
        return self.data | {"arrays": self.arrays, "labels": labels, "left_out": self.missing}

    def add_model(self, twin: str, prompt):
        config, about = self.config, family(self.config)
        leaves = flatten(self.model.params).values()
        self.data |= {
            "version": __version__, "source": Path(self.model.source.removesuffix(" (llama2.c)")).name, "twin": twin,
            "family": about.name, "layers": self.L, "heads": self.H, "groups": config.num_key_value_heads,
            "hidden": config.hidden_size, "head_dim": config.head_dim, "vocab": config.vocab_size, "length": self.T,
            "parameters": int(sum(leaf.size for leaf in leaves)), "numbers": self.seen["logits"].dtype.name,
            "tokens": self.tokens_BT[0].tolist(), "begun": len(self.model.begin) if isinstance(prompt, str) else 0}
        if about.missing_because:
            self.left_out(*about.missing_because)

    def add_checks(self, checks):
        self.data["checks"] = [{"name": each.name, "meaning": each.meaning, "difference": each.difference, "verdict": each.verdict,
                                "tolerance": each.tolerance, "skipped": each.skipped} for each in checks]
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
        rank_T[:-1] = (log_p_TV[:-1] > log_p_TV[np.arange(self.T - 1), self.tokens_BT[0, 1:]][:, None]).sum(1) + 1
        self.put("answer_token", best_TM, "int32", ids=True)
        self.put("answer_p", np.take_along_axis(p_TV, best_TM, -1))
        self.put("surprise", surprise_T)
        self.put("rank", rank_T)
        self.put("entropy", -np.sum(p_TV * log_p_TV, -1))

    def add_patterns(self):
        pattern_LHTS = patterns(self.seen, self.config)
        each, low = self.T * (self.T + 1) // 2, np.tril_indices(self.T)
        kept = np.arange(self.L * self.H)
        if len(kept) * each > PATTERN_BYTES:
            sharpness = np.max(pattern_LHTS[:, :, 1:, 1:], axis=-1, initial=0).mean(-1).ravel()
            kept = np.sort(np.argsort(-sharpness, kind="stable")[: max(1, PATTERN_BYTES // each)])
            self.left_out(f"the patterns of {self.L * self.H - len(kept)} of {self.L * self.H} heads",
                          "the file would grow too large: those that attend least sharply were left out")
        coded = np.rint(255 * np.sqrt(np.clip(pattern_LHTS[:, :, *low], 0, 1))).reshape(self.L * self.H, each)[kept]
        self.put("pattern", coded, "uint8")
        self.put("pattern_head", kept, "int32")

    def add_head_scores(self, twin: str):
        here = head_scores(self.model, self.tokens_BT, self.seen)
        enough = self.config.max_position_embeddings >= 9
        repeats = scores_on_repeats(self.model, twin=twin) if enough else None
        for kind in KINDS:
            self.put(f"here_{kind}", getattr(here, f"{kind}_LH"))
            if repeats:
                self.put(f"repeat_{kind}", getattr(repeats, f"{kind}_LH"))
        self.data["uniform"] = {"here": finite(here.uniform), "repeat": finite(repeats.uniform) if repeats else None}
        if not enough:
            self.left_out("scores on repeated random tokens", "the model's context is too short to repeat anything")
        for kind in KINDS:
            if here.uniform[kind] is None or np.isnan(here.uniform[kind]):
                self.left_out(f"the {kind} score on this prompt", "no token of it comes back, so nothing could be looked up")

    def add_lens(self, lens):
        self.put("lens_token", lens.token_NTM, "int32", ids=True)
        self.put("lens_p", lens.p_NTM, "float16")
        self.put("lens_entropy", lens.entropy_NT, "float16")
        self.put("lens_kl", lens.kl_NT, "float16")
        self.put("lens_next", lens.next_NT, "float16")

    def add_attribution(self, found):
        self.put("part_token", found.token_T, "int32", ids=True)
        for name, array in (("embed", found.embed_T), ("head", found.head_TLH), ("bias", found.bias_TL), ("mlp", found.mlp_TL),
                            ("norm", found.norm_T), ("logit", found.logit_T)):
            self.put(f"part_{name}", array, "float16" if array.size > 20_000 else "float32")

    def add_norms(self):
        for name in ("resid_pre", "attn_out", "mlp_out"):
            self.put(f"norm_{name}", [np.linalg.norm(self.seen[f"layers.{i}.{name}"][0], axis=-1) for i in range(self.L)])
        self.put("norm_last", np.linalg.norm(self.seen[f"layers.{self.L - 1}.resid_post"][0], axis=-1))

    def operations(self) -> float:
        """The number of operations of one forward pass over the prompt."""
        return 2.0 * self.data["parameters"] * self.T

    def add_ablation(self, budget: float, twin: str) -> float:
        """Ablate heads and MLPs; returns the remaining budget."""
        cost, total = self.operations(), self.L * self.H
        most = int(budget / cost)                                      # a head costs two half passes: its own and the control's
        only_LH = None
        if most < total:
            size_LH = np.array([np.linalg.norm(head_outputs(self.model, self.seen, i), axis=-1).mean(-1) for i in range(self.L)])
            only_LH = size_LH >= np.sort(size_LH, axis=None)[-max(1, min(most, total))]
            self.left_out(f"ablation of {total - int(only_LH.sum())} of {total} heads",
                          "it would take too long: the heads that write least were left out (--effort N allows more)")
        found = ablate_heads(self.model, self.tokens_BT, only_LH=only_LH, twin=twin)
        self._put_ablation("head", found)
        self._put_ablation("mlp", ablate_mlps(self.model, self.tokens_BT, twin=twin))
        return max(0.0, budget - cost * min(most, total))

    def _put_ablation(self, name: str, found: Ablation):
        for field in ("kl", "surprise", "control_kl", "control_surprise"):
            self.put(f"ablate_{name}_{field}", getattr(found, f"{field}_LNT"), "float16")

    def add_patching(self, corrupt_BT, budget: float, twin: str):
        logits = [run(self.model, each, (), (), twin)[0][0, -1] for each in (self.tokens_BT, corrupt_BT)]
        target = default_target(*logits, self.T - 1)
        sites = [("resid_pre", "position"), ("attn_out", "position"), ("mlp_out", "position"), ("z", "head")]
        total = sum(self.L * (self.T if by == "position" else self.H) for _, by in sites)
        most = int(budget / self.operations())                          # an exact patch and its control are two half passes
        self.ids |= {target.token, target.rival, *corrupt_BT[0].tolist()}
        found = {}
        for site, by in sites:
            N = self.T if by == "position" else self.H
            if most >= total:
                exact = patch(self.model, self.tokens_BT, corrupt_BT, site, by, target, twin=twin)
                control = patch(self.model, self.tokens_BT, corrupt_BT, site, by, target, control_seed=0, twin=twin)
            else:
                share = max(1, int(2 * most * N * self.L / total))
                try:
                    exact = patch_best(self.model, self.tokens_BT, corrupt_BT, site, by, target, share, twin)
                except UserError as error:
                    self.left_out(f"patching of {site}", str(error))
                    continue
                control = None
            if exact.clean == exact.corrupt:
                self.left_out("patching", "both prompts give the same answer with the same score, so there is nothing to bring back")
                return
            self.put(f"patch_{site}", exact.recovered_LN, "float16")
            self.put(f"patch_{site}_exact", exact.exact_LN, "uint8")
            if control:
                self.put(f"patch_{site}_control", control.recovered_LN, "float16")
            found = {"clean": exact.clean, "corrupt": exact.corrupt}
        if most < total:
            self.left_out("most exact patches, and their controls", "they would take too long: all places were ranked by gradient, and only "
                          "the best were patched; estimates are marked (--effort N allows more)")
        self.data["patching"] = found | {"token": target.token, "rival": target.rival, "tokens": corrupt_BT[0].tolist()}

    def add_neurons(self, text: str | None, twin: str):
        found = top_neurons(self.model, self.tokens_BT, 5, self.seen)
        pairs = sorted(set(zip(found.layer_TN.ravel().tolist(), found.unit_TN.ravel().tolist())))
        place = {pair: i for i, pair in enumerate(pairs)}
        index_TN = np.vectorize(lambda layer, unit: place[layer, unit])(found.layer_TN, found.unit_TN)
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
    if text is not None and model.tokenizer is not None:
        stream, about = model.tokenizer.encode(text)[: 8 * count], "the text that was given"
    else:
        start, stream = ids_T[: max(1, len(model.begin))].tolist(), []
        for seed in range(4):
            how = GenerateConfig(max_new_tokens=min(count // 4, model.config.max_position_embeddings - len(start)), seed=seed)
            stream += model.continuation(start, twin, how)
        about = "texts that the model wrote itself (temperature 1, seeds 0 to 3)"
    body = max(1, length - len(model.begin))
    rows = [list(model.begin) + stream[i : i + body] for i in range(0, len(stream) - body + 1, body)]
    if not rows:
        return np.array([[*model.begin, *stream]] if stream else [ids_T.tolist()], np.int32), about if stream else "the prompt"
    return np.array(rows, np.int32), f"{len(rows) * body:,} tokens of {about}"


def finite(values: dict) -> dict:
    return {name: None if value is None or np.isnan(value) else value for name, value in values.items()}


# ---- the file ------------------------------------------------------------------------------------------------------------------

def page(data: dict) -> str:
    """The whole HTML file: the assets, their hashes in the policy, the data as a JSON block."""
    assets = files("minillm.inspection") / "assets"
    html, css, js = ((assets / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    parts = {"POLICY": policy(css, js), "STYLE": css, "SCRIPT": js, "DATA": embedded(data), "TITLE": title(data)}
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], html)


def policy(css: str, js: str) -> str:
    """A Content-Security-Policy: load nothing, and run only this style and this script."""
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (css, js))
    return f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"


def embedded(data: dict) -> str:
    """JSON that is safe inside a script element: no <, > or &, and no U+2028 or U+2029."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def title(data: dict) -> str:
    """The page's title: the model's name, with unsafe characters replaced by _."""
    text = "".join(c if c.isalnum() or c in " ._-" else "_" for c in data["source"])
    return f"Inside {text}"


def may_write(path):
    """Check before long work that the page can be written. Raises UserError.

    A file that is not a page of `minillm inspect` is never overwritten.
    """
    path = Path(path)
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise UserError(f"{path}: " + ("is a folder" if path.is_dir() else f"there is no folder {path.parent}") + ": name a file for the page")
    if not os.access(path.resolve().parent, os.W_OK):
        raise UserError(f"{path}: the folder {path.resolve().parent} cannot be written to")
    if path.exists() and b"<title>Inside " not in path.read_bytes()[:5000]:
        raise UserError(f"{path}: exists and is not a page of minillm inspect: choose another --out")


def write(path, data: dict) -> int:
    """Write the file; returns its size in bytes. Raises UserError."""
    content = page(data).encode("utf-8")
    write_atomically(Path(path), content)
    return len(content)
