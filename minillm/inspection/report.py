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
from minillm.files import megabytes, write_atomically
from minillm.in_numpy.ops import log_softmax
from minillm.in_page.page import (
    LIVE,
    START_LIVE,
    asset,
    may_write as page_may_write,
    policy,
    script,
)
from minillm.inspection import compare as comparing, faithfulness
from minillm.inspection.ablation import Ablation, ablate_heads, ablate_mlps, ablate_neurons
from minillm.inspection.attribution import attribute_logits, head_outputs
from minillm.inspection.averages import ablate_prompts
from minillm.inspection.circuits import copying_scores, ov, qk
from minillm.inspection.cost import Budget, cost_of, default_effort
from minillm.inspection.dispatch import one_text
from minillm.inspection.heads import (
    KINDS,
    HeadScores,
    mean_attention,
    ordinary_tokens,
    score_patterns,
    scores_on_repeats,
    targets,
)
from minillm.inspection.lens import largest, logit_lens
from minillm.inspection.means import means
from minillm.inspection.neurons import RANKINGS, promoted, top_neurons, top_tokens
from minillm.inspection.pairs import patch_pairs
from minillm.inspection.patching import Target, default_target, equally_long, patch, patch_best
from minillm.inspection.record import record, run
from minillm.inspection.shown import shown
from minillm.loading import Model

PATTERN_BYTES = 2_500_000  # of attention patterns; more: the least important heads are left out
LIKELIEST = 10
PANELS = ("checks", "lens", "ablation", "patching", "neurons", "circuits")  # what takes time
TYPED = 20_000_000  # parameters: a larger model does not write the text for its neurons
TEXT = 512  # tokens in which neurons are looked at
NEURONS = 5  # a position, by each ranking
TAKEN_OUT = 8  # last positions whose neurons are taken out
BY_POSITION = 200  # places of heads by position that are patched exactly
CIRCUITS, CIRCUIT_TOKENS = 12, 12  # heads whose circuits are shown, and on how many tokens
HEADS = ("z", "q", "k", "v")  # sites that are patched head by head
ROWS = 64  # positions whose probabilities are in memory at once


def contents(model: Model, prompt, corrupt=None, against: Model | None = None, text: str
             | None = None, effort: float | None = None, twin: str = "jax",
             say=lambda line: None, panels=PANELS, target: Target | None = None,
             command: str = "", pairs=(), mean_texts=()) -> dict:
    """Everything that the page shows, ready for JSON.

    `effort` is the time for what `panels` names, in seconds as cost.py estimates them; what does not
    fit is left out and said. The neurons' top tokens are searched in `text`; by default a small model
    writes some, and a large one reads English. `target` is the pair of tokens whose difference of
    logits is taken apart and patched. Over `pairs` patches are averaged; the mean over `mean_texts`
    takes the place of heads and MLPs beside zeros. `say` is called with each step's name.
    """
    model = model.on(twin)
    tokens_BT = one_text(model, prompt, "a page")
    if corrupt is not None:
        ((_, corrupt_T),) = equally_long(model, tokens_BT, corrupt)
        corrupt = corrupt_T[None]
        if np.array_equal(corrupt, tokens_BT):
            raise UserError(
                "both prompts are the same: patching needs a second one that differs (--corrupt TEXT)"
            )
    T = tokens_BT.shape[1]
    say(f"recording {T} tokens")
    seen = record(model, tokens_BT, faithfulness.NEEDED, twin=twin)
    page = Page(model, tokens_BT, seen, default_effort(T) if effort is None else effort)
    page.add_model(twin, prompt, command)
    broken = faithfulness.not_finite(seen)
    if broken:
        page.left_out("everything but the tokens", f"this model cannot be looked into: {broken}")
        page.data["broken"] = broken
        page.data["checks"] = []
        return page.finished()
    for name in PANELS:
        if name not in panels:
            page.left_out(name, f"it was not asked for (--panels {','.join((*panels, name))})")
    checked = "checks" in panels and page.fits("the checks", page.cost.checks)
    page.add_checks(faithfulness.check_all(model, tokens_BT, corrupt, seen, twin, page.look, say)
                    if checked else [])
    if not checked:
        for i, layer in enumerate(model.params["layers"]):
            say(f"reading the heads of layer {i + 1}")
            page.look(i, faithfulness.whole_block(twin, layer, seen[f"layers.{i}.resid_pre"],
                                                  model.config, ["pattern"]))
    page.add_answers()
    page.add_head_scores(twin)
    if "lens" in panels and page.fits("the lens", page.cost.lens):
        say("reading every layer through the head")
        page.add_lens(logit_lens(model, tokens_BT, 5, seen=seen, twin=twin))
    if corrupt is not None and target is None:
        logits = (seen["logits"][0, -1], run(model, corrupt, (), (), twin)[0][0, -1])
        target = default_target(*logits, T - 1)
    page.add_attribution(target)
    page.add_norms()
    neurons = page.time_for_neurons() if "neurons" in panels else None
    circuits = "circuits" in panels and page.fits(
        "OV and QK circuits", page.cost.circuits(CIRCUITS, CIRCUIT_TOKENS))
    later = (corrupt is not None and "patching" in panels) + bool(pairs)
    if "ablation" in panels:
        say("taking out one head after the other")
        page.add_ablation(1 / (1 + later), twin, mean_texts)
    else:
        page.no_ablation()
    page.add_patterns()
    if corrupt is not None and "patching" in panels:
        page.add_patching(corrupt, target, 1 / (1 + bool(pairs)), twin, say)
    elif corrupt is None and "patching" in panels:
        page.left_out("patching", "it needs a second prompt of as many tokens: --corrupt TEXT")
    if pairs:
        page.add_pairs(pairs, twin, say, "ablation" in panels)
    if neurons:
        say("looking for what excites the neurons")
        page.add_neurons(text, neurons, twin)
    if circuits:
        say("reading the circuits of heads off the weights")
        page.add_circuits()
    if against is not None:
        say(f"comparing with {against.source}")
        page.add_comparison(comparing.compare(model, against, tokens_BT, twin), against)
    return page.finished()


class Page:
    """The data of one page as it grows: arrays, token labels, what is left out and why."""

    def __init__(self, model: Model, tokens_BT, seen: dict, effort: float):
        self.model, self.config, self.tokens_BT, self.seen = model, model.config, tokens_BT, seen
        self.L, self.H, self.T = (model.config.num_hidden_layers, model.config.num_attention_heads,
                                  tokens_BT.shape[1])
        self.data, self.arrays, self.ids, self.missing = {}, {}, set(tokens_BT[0].tolist()), []
        self.cost, self.budget = cost_of(model, self.T), Budget(effort)
        self.late = []  # left out for want of time: (what, why, seconds)
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

    def fits(self, what: str, seconds: float) -> bool:
        """Is there time for a panel? If not, say that it is left out."""
        if self.budget.takes(seconds):
            return True
        self.late.append((what, "not computed", seconds))
        return False

    def finished(self) -> dict:
        for what, why, seconds in self.late:
            self.left_out(what, f"{why}: all of it takes about {seconds:,.0f} s more ({self.again})")
        if self.late:
            self.data["effort"] = [round(self.budget.given, 1), self.again]
        labels = {str(i): shown(self.model.tokenizer, i) for i in sorted(self.ids)}
        return self.data | {"arrays": self.arrays, "labels": labels, "left_out": self.missing}

    @property
    def again(self) -> str:
        """What computes what was left out for want of time."""
        words, command = f"--effort {self.budget.wanted}", self.data.get("command", "")
        return (re.sub(r"(?<= )--effort[ =]\S+", words, command) if "--effort" in command
                else f"{command} {words}".strip())

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
        T, V = self.T, self.config.vocab_size
        best_TM = np.zeros((T, min(LIKELIEST, V)), np.int64)
        p_TM, surprise_T = np.zeros(best_TM.shape), np.full(T, np.nan)
        rank_T, entropy_T = np.zeros(T), np.zeros(T)
        next_T = np.append(self.tokens_BT[0, 1:], 0)
        for t in range(0, T, ROWS):
            here, log_p_TV = slice(t, t + ROWS), log_softmax(
                self.seen["logits"][0, t : t + ROWS].astype(np.float64))
            best_TM[here] = largest(log_p_TV, best_TM.shape[1])
            p_TM[here] = np.exp(np.take_along_axis(log_p_TV, best_TM[here], -1))
            next_T1 = np.take_along_axis(log_p_TV, next_T[here, None], -1)
            surprise_T[t + 1 : t + 1 + ROWS] = -next_T1[: T - 1 - t, 0]
            rank_T[here] = (log_p_TV > next_T1).sum(1) + 1
            entropy_T[here] = -np.sum(np.exp(log_p_TV) * log_p_TV, -1)
        rank_T[-1] = 0
        self.put("answer_token", best_TM, "int32", ids=True)
        self.put("answer_p", p_TM)
        self.put("surprise", surprise_T)
        self.put("rank", rank_T)
        self.put("entropy", entropy_T)

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
        self.put("lens_next", np.log(np.maximum(lens.next_NT, 1e-38)), "float16")
        self.put("lens_rank", lens.rank_NT, "int32")

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

    def add_ablation(self, share: float, twin: str, mean_texts):
        """Ablate heads and MLPs in a share of the time, by zeros and (with texts) by their mean."""
        mean = means(self.model, mean_texts, twin=twin) if len(mean_texts) else None
        kinds = [None] if mean is None else [None, mean]
        total, each = self.L * self.H, self.cost.part * len(kinds)
        most = self.budget.times(each, total + self.L, share)
        only_LH = only_L = None
        if most < total + self.L:
            mlps = min(self.L, max(1, most // 4))
            size_LH = np.array([np.linalg.norm(head_outputs(self.model, self.seen, i),
                                               axis=-1).mean(-1) for i in range(self.L)])
            only_LH = strongest(size_LH, most - mlps)
            written = (self.seen[f"layers.{i}.mlp_out"][0] for i in range(self.L))
            only_L = strongest(np.array([np.linalg.norm(x, axis=-1).mean() for x in written]), mlps)
            self.late.append((
                f"ablation of {np.sum(~only_LH)} of {total} heads and {np.sum(~only_L)} of "
                f"{self.L} MLPs", "those that write least", (total + self.L - most) * each))
        for instead in kinds:
            name = "ablate" if instead is None else "mean"
            found = ablate_heads(self.model, self.tokens_BT, only_LH=only_LH, twin=twin,
                                 instead=instead)
            self.strength = found.kl_LNT if instead is None else self.strength
            self._put_ablation(f"{name}_head", found)
            found = ablate_mlps(self.model, self.tokens_BT, twin=twin, only_L=only_L,
                                instead=instead)
            self._put_ablation(f"{name}_mlp", found)
        if mean is not None:
            self.data["mean"] = mean.about

    def no_ablation(self):
        """Say that nothing was ablated: no number."""
        for name, N in (("head", self.H), ("mlp", 1)):
            nothing = np.full((self.L, N, self.T), np.nan)
            self._put_ablation(f"ablate_{name}", Ablation(nothing, nothing, nothing, nothing))

    def _put_ablation(self, name: str, found: Ablation):
        for field in ("kl", "surprise", "control_kl", "control_surprise"):
            self.put(f"{name}_{field}", getattr(found, f"{field}_LNT"), "float16")

    def add_patching(self, corrupt_BT, target: Target, share: float, twin: str, say):
        """Patch every site: exactly where there is time, else the best places by gradient."""
        sites = [("resid_pre", "position"), ("attn_out", "position"), ("mlp_out", "position"),
                 *((site, "head") for site in HEADS)]
        counts = [self.L * (self.T if by == "position" else
                            self.config.num_key_value_heads if site in "kv" else self.H)
                  for site, by in sites]
        total, each = sum(counts), self.cost.place
        self.ids |= {target.token, *([] if target.rival is None else [target.rival]),
                     *corrupt_BT[0].tolist()}
        most, found = self.budget.times(each, total, share), {}
        for (site, by), places in zip(sites, counts):
            say(f"patching {site}")
            arguments = (self.model, self.tokens_BT, corrupt_BT, site, by, target)
            control = None
            if most >= total:
                exact = patch(*arguments, twin=twin)
                control = patch(*arguments, control_seed=0, twin=twin)
            else:
                try:
                    exact = patch_best(*arguments, max(1, int(2 * most * places / total)), twin)
                except UserError as error:
                    self.left_out(f"patching of {site}", str(error))
                    continue
            if exact.clean == exact.corrupt:
                self.left_out(
                    "patching",
                    "both prompts give the same answer with the same score, so there is nothing to bring back",
                )
                return
            self._put_patching(f"patch_{site}", exact)
            if control:
                self.put(f"patch_{site}_control", control.recovered_LN, "float16")
            found = {"clean": exact.clean, "corrupt": exact.corrupt}
        if most < total:
            self.late.append((
                "most exact patches, and their controls", "all places were ranked by gradient, and "
                "only the best were patched; estimates are marked", (total - most) * each))
        if found and self.T > 1 and self.budget.takes(self.cost.ranking):
            say("patching heads position by position")
            arguments = (self.model, self.tokens_BT, corrupt_BT, "z", "head and position", target)
            both = self.L * self.H * self.T
            few = self.budget.times(each / 2, min(both, BY_POSITION), share / 2)
            try:
                self._put_patching("patch_both", patch(*arguments, twin=twin) if few == both else
                                   patch_best(*arguments, max(1, few), twin))
            except UserError as error:
                self.left_out("patching of heads by position", str(error))
        if found:
            self.data["patching"] = found | {"token": target.token, "rival": target.rival,
                                             "tokens": corrupt_BT[0].tolist()}

    def _put_patching(self, name: str, found):
        self.put(name, found.recovered_LN, "float16")
        self.put(f"{name}_exact", found.exact_LN, "uint8")

    def add_pairs(self, pairs, twin: str, say, ablation: bool):
        """Heads, patched in every pair: the share that comes back on average, and its interval;
        and what the clean prompts lose on average without each head."""
        rows = [self.model.prompt_ids(pair.clean) if isinstance(pair.clean, str) else pair.clean
                for pair in pairs]
        costs = [cost_of(self.model, len(row)) for row in rows]
        each = sum(cost.place for cost in costs) / 2
        for site in HEADS:
            heads = self.config.num_key_value_heads if site in "kv" else self.H
            ranking = sum(cost.ranking for cost in costs)
            most, total = self.budget.times(each, self.L * heads, 0.5), self.L * heads
            if most < total and not (most and self.budget.takes(ranking)):
                self.late.append((f"averages of {site} over the pairs", "not computed",
                                  total * each))
                continue
            if most < total:
                self.late.append((f"averages of {total - most} of {total} heads ({site}) over the "
                                  "pairs", "those with the smallest estimate by gradient",
                                  (total - most) * each))
            try:
                found = patch_pairs(
                    self.model, pairs, site, "head", twin=twin, most=most if most < total else None,
                    progress=lambda done, of: say(f"patching {site}, pair {done + 1} of {of}"))
            except UserError as error:
                self.left_out(f"averages of {site} over the pairs", str(error))
                continue
            for name in ("share", "low", "high"):
                self.put(f"pairs_{site}_{name}", getattr(found, f"{name}_LN"))
            self.data["pairs"] = {"count": found.pairs, "clean": found.clean,
                                  "corrupt": found.corrupt}
        if ablation and "pairs" in self.data and all(len(row) > 1 for row in rows):
            seconds = self.L * self.H * sum(cost.part for cost in costs)
            if not self.budget.takes(seconds):
                self.late.append(("averages of ablation over the pairs", "not computed", seconds))
                return
            found = ablate_prompts(
                self.model, rows, twin=twin,
                progress=lambda done, of: say(f"taking out heads, pair {done + 1} of {of}"))
            for name in ("kl", "low", "high", "control_kl"):
                self.put(f"pairs_ablate_{name}", getattr(found, f"{name}_LN"))

    def time_for_neurons(self) -> int | None:
        """How many neurons there is time to look up, of all that a page shows; None for none."""
        wanted = 3 * NEURONS * min(self.T, TAKEN_OUT)
        reading = self.cost.neurons(TEXT, 0)
        if not self.fits("neurons", reading):
            return None
        each = self.cost.neurons(0, 1)
        count = self.budget.times(each, wanted, 0.3)
        if count < wanted:
            self.late.append(("the effect of taking out most neurons", "the strongest at the "
                              "prompt's end come first", (wanted - count) * each))
        return max(NEURONS, count)

    def add_neurons(self, text: str | None, effects: int, twin: str):
        """The strongest neurons by each ranking; what taking out the last positions' does."""
        rankings = [top_neurons(self.model, self.tokens_BT, NEURONS, seen=self.seen, by=by)
                    for by in RANKINGS]
        layer_RTN, unit_RTN = (np.stack([getattr(each, f"{name}_TN") for each in rankings])
                               for name in ("layer", "unit"))
        keys_RTN = layer_RTN * self.config.intermediate_size + unit_RTN
        keys, index = np.unique(keys_RTN, return_inverse=True)
        index_RTN = index.reshape(keys_RTN.shape)
        pairs = [tuple(map(int, divmod(key, self.config.intermediate_size))) for key in keys]
        active_RTN = np.stack([each.activation_TN for each in rankings])
        signs = np.ones(len(pairs))
        signs[index_RTN.ravel()] = np.where(active_RTN.ravel() < 0, -1, 1)
        rows_BT, about = text_rows(self.model, self.tokens_BT[0], text, twin)
        row_NM, position_NM, activation_NM = top_tokens(self.model, rows_BT, pairs, 6, signs, twin)
        around = np.clip(position_NM[..., None] + np.arange(-4, 3), -1, rows_BT.shape[1])
        padded = np.pad(rows_BT, ((0, 0), (1, 1)), constant_values=-1)
        context_NMC = padded[row_NM[..., None], around + 1]
        latest = list(dict.fromkeys(index_RTN[:, ::-1].transpose(1, 0, 2).ravel().tolist()))
        chosen = sorted(latest[:effects])
        found = ablate_neurons(self.model, self.tokens_BT, [pairs[n] for n in chosen], twin=twin)
        effect_2NT = np.full((2, len(pairs), self.T), np.nan)
        effect_2NT[:, chosen] = found.kl_LNT[0], found.control_kl_LNT[0]
        self.put("neuron_at", index_RTN, "int32")
        self.put("neuron_active", active_RTN)
        self.put("neuron_norm", np.stack([each.norm_TN for each in rankings]))
        self.put("neuron_score", np.stack([each.score_TN for each in rankings]))
        self.put("neuron_effect", effect_2NT, "float16")
        self.put("neuron_name", pairs, "int32")
        self.put("neuron_sign", signs, "float32")
        self.put("neuron_promotes", promoted(self.model, pairs), "int32", ids=True)
        self.put("neuron_context", context_NMC, "int32")
        self.put("neuron_best", activation_NM, "float32")
        self.ids |= set(context_NMC.ravel().tolist()) - {-1}
        self.data["neuron_text"] = about

    def add_circuits(self):
        """OV and QK of the heads that matter most, on the prompt's last tokens; copying scores."""
        order = np.lexsort((-np.ravel(self.sharpness), -self.strength_LH().ravel()))[:CIRCUITS]
        tokens = np.array(list(dict.fromkeys(self.tokens_BT[0, ::-1].tolist()))[:CIRCUIT_TOKENS])
        tokens = tokens[::-1]
        heads = [tuple(map(int, divmod(head, self.H))) for head in np.sort(order)]
        views = [ov(self.model, *head, tokens, 5) for head in heads]
        self.put("circuit_head", heads, "int32")
        self.put("circuit_token", tokens, "int32", ids=True)
        self.put("circuit_best", [view.best_NM for view in views], "int32", ids=True)
        self.put("circuit_worst", [view.worst_NM for view in views], "int32", ids=True)
        self.put("circuit_rank", [view.rank_N for view in views], "int32")
        if self.config.max_position_embeddings > 1:
            self.put("circuit_score", [qk(self.model, *head, tokens).score_NM for head in heads])
        if len(ordinary_tokens(self.model)) > 1:
            self.put("copying", copying_scores(self.model))

    def add_comparison(self, found, other: Model):
        self.put("compare_error", found.error_LN)
        self.put("compare_kl", found.kl_T)
        self.put("compare_same", found.same_T, "uint8")
        self.data["compare"] = {"taps": list(found.taps), "source": Path(other.source).name}


def text_rows(model: Model, ids_T, text: str | None, twin: str, count: int = TEXT):
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
            sampling = GenerateConfig(
                max_new_tokens=min(count // 4, model.config.max_position_embeddings - len(start)),
                seed=seed)
            stream += model.continuation(start, twin, sampling)
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
    """The whole HTML file: the assets, their hashes in the policy, the data as a JSON block.

    Where `data` has a model (`in_page.page.live`), it runs in a part of its own.
    """
    data, live = {**data}, data.get("live")
    data.pop("live", None)
    assets = files("minillm.inspection") / "assets"
    html, css, js, part = ((assets / name).read_text(encoding="utf-8") for name in
                           ("report.html", "report.css", "report.js", "live.html"))
    if live:
        css += asset("playground.css")
        js += "\n" + script(START_LIVE, LIVE)
        part = part.replace("{{SIZE}}", megabytes(live["bytes"])).replace("{{MODEL}}",
                                                                          embedded(live))
    parts = {
        "POLICY": policy(css, js),
        "STYLE": css,
        "SCRIPT": js,
        "DATA": embedded(data),
        "TITLE": title(data),
        "LIVE": part if live else "",
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
