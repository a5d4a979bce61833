"""On-policy distillation of a student that can already write: what helps, and what collapses.

    minillm pretrain storyworld --megabytes 20 --context 176 --batch-size 8 --steps 6000 \\
        --eval-every 1000 --cpu-devices 1 --out runs/teacher
    python benchmarks/on_policy.py runs/teacher --json FILE [--seeds 0 1 2] [--minutes 10]
    python benchmarks/on_policy.py runs/teacher/long_0 --plan gentle --work runs/teacher --json FILE
    python benchmarks/on_policy.py runs/teacher/long_0 --plan late --work runs/late --json FILE

The last two are with the teacher of teacher.py, whose rates are lower and whose steps are more:
`PLANS` says how many, from which rates, and which arms there are. "gentle" begins with the students
of teacher.py, "late" with others that have learned for longer.

A student (2 layers of 64) learns the soft targets of the teacher for some steps; others from the
text alone, or soft targets from layers and widths of the teacher. Every arm of the comparison goes
on from there for the same number of operations, in `steps` steps or a few less: more soft targets,
reverse KL on text, and on-policy, where the sweep is over the divergence (KL(student || teacher),
JSD(1/2), KL(teacher || student)), the share of what the student writes, and the rates (all are
shares of the first ones). Beside them: soft targets for all these steps in one run, students
written at a lower temperature, and on-policy from random values, which collapses.

Measured: held-out nats a story (HELD_OUT stories); of WRITTEN stories at temperature 1 the share
that is possible, how many of those differ, and their exact mean -log p under the grammar; `own`,
the mean nats that the student gives to its own texts, its entropy (a teacher's is near the floor,
a collapsed student's far below); and how its first texts begin. And the mechanism (see `look`), on
LOOKED_AT held-out stories. Each result is saved when it is there, and not made again.
"""

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import minillm
from minillm import distillation, in_jax, training
from minillm.architecture.llama import count, init
from minillm.architecture.tree import tree_map
from minillm.config import IGNORE, DistillConfig, GenerateConfig, TrainConfig, preset
from minillm.distillation.pruning import pruned
from minillm.files import read_json
from minillm.in_jax.sharding import use_cpu_devices
from minillm.in_numpy.distill import forward_kl_backward, reverse_kl_backward
from minillm.in_numpy.ops import log_softmax
from minillm.loading import keep_compiled
from minillm.text import storyworld
from minillm.text.dataset import open_dataset
from story_faults import fault
from teacher import STUDENT_TRAINS

HELD_OUT, LOOKED_AT, PARTS, RARE, COOL = 128, 16, 4, 1e-3, 0.8
GENTLE = STUDENT_TRAINS["quarter"]
ON_POLICY, REVERSE = DistillConfig(objective="on-policy"), DistillConfig(objective="reverse")


@dataclass(frozen=True)
class Plan:
    """A student learns soft targets as in `first`, then `steps` more as in `from_soft`.

    `from_random`: name: (how it learns, steps); `from_soft`: name: (how, share of the first rates);
    `seeds`: the arms that have every seed, not 0 alone; `cool`: those that also write at COOL;
    `start`: the folder of the student that can write, before its seed.
    """

    first: TrainConfig
    steps: int
    written: int
    from_random: dict
    from_soft: dict
    seeds: tuple
    cool: tuple
    start: str = "start"


PLANS = {
    "usual": Plan(
        TrainConfig(steps=1000, batch_size=8, context=176, warmup_steps=20, cpu_devices=1,
                    eval_every=10_000, save_every=10_000), steps=300, written=512,
        from_random={
            "start": (DistillConfig(), 1000), "data": (DistillConfig(alpha=0.0), 1000),
            "pruned": (DistillConfig(start="pruned"), 1000),
            "soft, one run": (DistillConfig(), 1300), "collapsed": (ON_POLICY, 300)},
        from_soft={
            "soft": (DistillConfig(), 0.2), "on-policy": (ON_POLICY, 0.2),
            "reverse": (REVERSE, 0.2),
            "on-policy, JSD": (replace(ON_POLICY, jsd_beta=0.5), 0.2),
            "on-policy, forward": (replace(ON_POLICY, jsd_beta=0.0), 0.2),
            "on-policy, always": (replace(ON_POLICY, student_share=1.0), 0.2),
            "on-policy, a quarter": (replace(ON_POLICY, student_share=0.25), 0.2),
            "on-policy, first rates": (ON_POLICY, 1), "on-policy, low rates": (ON_POLICY, 0.05)},
        seeds=("start", "soft", "on-policy", "reverse", "data", "pruned"), cool=("soft",)),
    "gentle": Plan(
        GENTLE, steps=600, written=1024,
        from_random={"start": (DistillConfig(), GENTLE.steps)},
        from_soft={
            "soft": (DistillConfig(), 0.3), "on-policy": (ON_POLICY, 0.3),
            "reverse": (REVERSE, 0.3),
            "on-policy, always": (replace(ON_POLICY, student_share=1.0), 0.3),
            "on-policy, JSD": (replace(ON_POLICY, jsd_beta=0.5), 0.3),
            "on-policy, first rates": (ON_POLICY, 1), "soft, first rates": (DistillConfig(), 1)},
        seeds=("start", "soft", "on-policy", "reverse"), cool=("soft", "on-policy"),
        start="quarter_soft"),
    "late": Plan(
        replace(GENTLE, steps=4000), steps=600, written=1024,
        from_random={"start": (DistillConfig(), 4000)},
        from_soft={"soft": (DistillConfig(), 0.3), "on-policy": (ON_POLICY, 0.3),
                   "reverse": (REVERSE, 0.3)},
        seeds=("start", "soft", "on-policy", "reverse"), cool=("soft", "on-policy"),
        start="late")}


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("teacher", help="a run of minillm pretrain storyworld, with its data")
    options.add_argument("--plan", choices=PLANS, default="usual")
    options.add_argument("--json", required=True, help="add the results to this file")
    options.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    options.add_argument("--work", default="runs/on_policy", help="folder of the soft students")
    options.add_argument("--minutes", type=float, default=1e9, help="begin nothing after this long")
    options = options.parse_args()
    keep_compiled()
    use_cpu_devices(1)
    bench = Bench(options)
    plan = bench.plan
    for arm in dict.fromkeys((*plan.seeds, *plan.from_soft, *plan.from_random)):
        for seed in options.seeds:
            if seed == 0 or arm in plan.seeds:
                bench.run(arm, seed)


class Bench:
    """The teacher, its text, the soft students, and the file of results."""

    def __init__(self, options):
        self.path, self.work = Path(options.json), Path(options.work)
        self.until, self.plan = time.time() + 60 * options.minutes, PLANS[options.plan]
        folder, self.teacher = Path(options.teacher), minillm.load(options.teacher)
        own = (folder / "data").exists()
        self.dataset = open_dataset((folder if own else folder.parent) / "data")
        marks = {name: getattr(self.teacher.config, name) for name in
                 ("vocab_size", "bos_token_id", "eos_token_id")}
        context = self.plan.first.context
        self.config = preset(2, context=context, **marks, **storyworld.RECIPE)
        self.rows = training.held_out(self.dataset, context, HELD_OUT)
        self.results = {"setting": {
            "student_parameters": count(self.config), "soft_steps": self.plan.first.steps,
            "steps": self.plan.steps, "teacher_parameters": count(self.teacher.config),
            "written": self.plan.written,
            "floor": self.rows.floor_nats / self.rows.documents}, "runs": {}}
        if own:                                            # that of another is in teacher.json
            cost = read_json(folder / "summary.json")
            self.results["setting"]["teacher_cost"] = {
                name: cost[name] for name in ("step", "tokens", "seconds")}
        self.read()
        if "teacher" not in self.results["runs"]:
            self.save("teacher", self.teacher.params, self.teacher.config)
        if "fresh" not in self.results["runs"]:
            self.save("fresh", init(self.config, np.random.default_rng(0)), self.config)

    def read(self):
        """What there is by now: another process may make other seeds."""
        if self.path.exists():
            self.results = json.loads(self.path.read_text(encoding="utf-8"))

    def run(self, arm: str, seed: int):
        """One run, unless it is there or the time is over."""
        if f"{arm}/{seed}" in self.results["runs"] or time.time() > self.until:
            return
        began, plan = time.time(), self.plan
        if arm in plan.from_random:
            how, steps = plan.from_random[arm]
            train = replace(plan.first, seed=seed, steps=steps)
            first = init(self.config, np.random.default_rng(seed))
            if how.start == "pruned":
                tokens_NBT, _ = training.batches(self.dataset, train, 0, 1)
                first = pruned(self.teacher.params, self.teacher.config, self.config, tokens_NBT[0])
        else:
            how, rates = plan.from_soft[arm]
            train = replace(plan.first, seed=seed + 100, steps=self.steps(how),
                            learning_rate=rates * plan.first.learning_rate,
                            muon_learning_rate=rates * plan.first.muon_learning_rate)
            first = minillm.load(self.work / f"{plan.start}_{seed}").params
        folder = self.work / f"{arm.replace(',', '').replace(' ', '_')}_{seed}"
        if arm == "start":
            folder = self.work / f"{plan.start}_{seed}"
        if arm == "start" and folder.exists():                    # a student of teacher.py
            params = minillm.load(folder).params
        else:
            params = self.trained(first, train, how)
            replace(self.teacher, config=self.config, params=params).save(folder)
        self.save(f"{arm}/{seed}", params, self.config, steps=train.steps,
                  seconds=time.time() - began)
        if arm in plan.cool:
            self.save(f"{arm}, T = {COOL}/{seed}", params, self.config, COOL)

    def trained(self, first, train: TrainConfig, how: DistillConfig):
        """The parameters after all steps."""
        take = distillation.steps_of(in_jax, self.teacher, self.dataset, self.config, train, how)
        begin = in_jax.init_state(first)
        for _, state, _ in training.steps(in_jax, begin, self.dataset, self.config, train, take):
            pass
        return tree_map(np.asarray, state["params"])

    def steps(self, how: DistillConfig) -> int:
        """Steps for the operations of `plan.steps` soft ones: a token costs 6 a parameter to learn
        from, 2 to ask the teacher, 2 to write."""
        asked = 6 * count(self.config) + 2 * count(self.teacher.config)
        share = how.student_share if how.objective == "on-policy" else 0
        return round(self.plan.steps * asked / (asked + share * 2 * count(self.config)))

    def save(self, name: str, params, config, temperature: float = 1.0, **about):
        result = self.measure(params, config, temperature) | about
        result |= self.look(params, config)
        self.read()
        self.results["runs"][name] = result
        text = json.dumps(self.results, indent=1, ensure_ascii=False) + "\n"
        self.path.write_text(text, encoding="utf-8")
        print(name, {k: v for k, v in result.items() if k not in ("texts", "pull")}, flush=True)

    def measure(self, params, config, temperature: float) -> dict:
        """What a model is worth as a writer of stories, and its held-out loss."""
        tokenizer, written = self.teacher.tokenizer, self.plan.written
        shape = self.plan.first.context - 1, written
        coins_NB = np.random.default_rng(7).random(shape, np.float32)
        first_B = np.full(written, config.bos_token_id, np.int32)
        settled = in_jax.to_device(params)
        tokens_BN = np.asarray(in_jax.write_rows(settled, first_B, coins_NB, config, GenerateConfig(
            temperature=temperature))[0])
        lengths, possible, exact, faults = [], [], [], Counter()
        for row in tokens_BN:
            ends = np.flatnonzero(np.isin(row, config.end_tokens))
            lengths.append(ends[0] + 1 if len(ends) else len(row))
            text = tokenizer.decode(row[: ends[0] if len(ends) else None].tolist())
            why = fault(text) if len(ends) else "no end"
            if why is None:
                possible.append(text)
                exact.append(-storyworld.parse(text).log_probability)
            else:
                faults[why] += 1
        read_BN = np.concatenate([first_B[:, None], tokens_BN[:, :-1]], axis=1).astype(np.int32)
        inside_BN = np.arange(tokens_BN.shape[1]) < np.array(lengths)[:, None]
        targets_BN = np.where(inside_BN, tokens_BN, IGNORE).astype(np.int32)
        own_N, _ = training.row_nats(in_jax, params, config, read_BN, targets_BN, 16)
        held_out = training.evaluate(in_jax, params, config, self.rows, 16)
        return {"nats": held_out["nats_per_document"], "faults": dict(faults.most_common()),
                "possible": len(possible) / written, "distinct": len(set(possible)),
                "exact": float(np.mean(exact)) if exact else None,
                "own": float(own_N.mean()) if temperature == 1 else None,
                "length": float(np.mean(lengths)),
                "texts": [" ".join(tokenizer.decode(row[:60].tolist()).split())
                          for row in tokens_BN[:3]]}

    def look(self, params, config) -> dict:
        """What a student can learn from, on held-out stories.

        `agree`: the sum of min(p, q), the share of drafted tokens that its teacher would accept.
        `unseen`: the teacher's probability of tokens that have less than RARE in the student;
        `astray`: the student's of tokens that have less than RARE in the teacher.
        `pull`: minus the gradient of each KL by the logit of the teacher's surest token, a mean of
        the positions of each of PARTS equal parts of the context.
        """
        tokens_BT = self.rows.tokens_NT[:LOOKED_AT]
        targets_BT = self.rows.targets_NT[:LOOKED_AT]
        ours, theirs = (np.asarray(in_jax.forward_of(of)(tree, tokens_BT, of)[0]) for tree, of in
                        ((params, config), (self.teacher.params, self.teacher.config)))
        counted_BT, surest_BT1 = targets_BT != IGNORE, theirs.argmax(axis=-1)[..., None]
        p_BTV, q_BTV = np.exp(log_softmax(theirs)), np.exp(log_softmax(ours))
        agree_BT = np.sum(np.minimum(p_BTV, q_BTV), axis=-1)
        unseen_BT = np.sum(p_BTV, axis=-1, where=q_BTV < RARE)
        astray_BT = np.sum(q_BTV, axis=-1, where=p_BTV < RARE)
        found = {"agree": float(agree_BT[counted_BT].mean()),
                 "unseen": float(unseen_BT[counted_BT].mean()),
                 "astray": float(astray_BT[counted_BT].mean()), "pull": {}}
        for name, backward in (("forward", forward_kl_backward), ("reverse", reverse_kl_backward)):
            slope_BTV = backward(np.float32(counted_BT.sum()), ours, theirs, targets_BT, 1.0)
            pull_BT = -np.take_along_axis(slope_BTV, surest_BT1, axis=-1)[..., 0]
            parts = zip(*(np.array_split(x, PARTS, axis=1) for x in (pull_BT, counted_BT)))
            found["pull"][name] = [float(pull[counted].mean()) for pull, counted in parts]
        return found


if __name__ == "__main__":
    main()
