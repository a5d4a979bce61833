"""Students that can write already, reduced to what the page shows.

From what benchmarks/on_policy.py and benchmarks/speculative.py found.
"""

from pathlib import Path

import numpy as np

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"

# The arms of benchmarks/on_policy.py in the order of the tables, and what each is.
STUDENTS = {"data": "data alone", "pruned": "pruned, soft", "start": "soft",
            "soft": "soft, then soft", "soft, T = 0.8": "the same, written at T = 0.8",
            "reverse": "soft, then reverse", "on-policy": "soft, then on-policy"}
SWEEP = {"start": "soft", "soft": "then soft",
         "soft, one run": "soft, all steps in one run", "reverse": "then reverse",
         "on-policy": "then on-policy", "on-policy, JSD": "by JSD(1/2)",
         "on-policy, forward": "by KL(p ‖ q)", "on-policy, a quarter": "a quarter its own text",
         "on-policy, always": "all its own text", "on-policy, low rates": "a quarter of the rates",
         "on-policy, first rates": "five times the rates",
         "collapsed": "on-policy from random values"}
# The same with the teacher of benchmarks/teacher.py: its students, and such as learned for longer.
PLANS = {"onward": "gentle", "late": "late"}
ONWARD = {"start": "soft", "soft": "then soft", "soft, T = 0.8": "... at T = 0.8",
          "reverse": "then reverse", "on-policy": "then on-policy",
          "on-policy, T = 0.8": "... at T = 0.8"}
GAINS = {"cool": "soft, T = 0.8", "reverse": "reverse", "on-policy": "on-policy"}
NAMES = "another friend", "another hero"
LOOKS = {"fresh": "untrained", "collapsed/0": "collapsed", "start/0": "soft"}
MEANS = ("nats", "possible", "distinct", "exact", "own", "agree", "unseen")


def results() -> dict:
    """The exact numbers, without those of a benchmark that has not been run."""
    from minillm.files import read_json
    exact = {}
    if (RESULTS / "on_policy.json").is_file():
        found = read_json(RESULTS / "on_policy.json")
        exact["writers"] = found["setting"] | of_runs(found["runs"])
        exact["writers"]["minutes"] = found["setting"]["teacher_cost"]["seconds"] / 60
    for name, plan in PLANS.items():
        if (RESULTS / f"on_policy_{plan}.json").is_file():
            found = read_json(RESULTS / f"on_policy_{plan}.json")
            exact[name] = found["setting"] | onward(found["runs"], found["setting"]["written"])
    if (RESULTS / "speculative.json").is_file():
        exact["drafts"] = read_json(RESULTS / "speculative.json")
        exact["drafted"] = {f"{row['draft'].rsplit('_', 1)[0]} {row['twin']} {row['ahead']} at "
                            f"{row['temperature']:.0f}": row for row in exact["drafts"]["rows"]}
    return exact


def of_runs(runs) -> dict:
    """Means over the seeds of STUDENTS, the first seed of SWEEP, and what LOOKS can learn from."""
    seeds = {arm: of_seeds(runs, arm) for arm in STUDENTS | SWEEP}
    gains = {name: paired(seeds["soft"], seeds[arm]) for name, arm in GAINS.items()}
    pull = {kl: np.mean(parts) for kl, parts in runs["fresh"]["pull"].items()}
    return {"gains": gains,  "pull_ratio": pull["forward"] / pull["reverse"],
            "arms": {arm: mean_of(seeds[arm].values()) for arm in STUDENTS if seeds[arm]},
            "sweep": {arm: mean_of([seeds[arm][0]]) for arm in SWEEP if 0 in seeds[arm]},
            "looks": {label: {key: runs[name][key] for key in ("unseen", "pull", "texts")}
                      for name, label in LOOKS.items() if name in runs},
            "teacher": mean_of([runs["teacher"]])}


def onward(runs, written) -> dict:
    """Means over the seeds of ONWARD and gains over soft; `names`: the share of stories whose first
    mistake is a wrong name; `spared`: of the others, the share that is possible."""
    seeds = {arm: of_seeds(runs, arm) for arm in ONWARD}
    arms = {}
    for arm, of in seeds.items():
        names = [sum(run["faults"].get(name, 0) for name in NAMES) / written for run in of.values()]
        spared = [run["possible"] / (1 - wrong) for run, wrong in zip(of.values(), names)]
        astray = [run["astray"] for run in of.values()]
        arms[arm] = mean_of(of.values()) | {
            "names": float(np.mean(names)), "spared": float(np.mean(spared)),
            "named": names, "astray": float(np.mean(astray))}
    return {"arms": arms, "teacher": mean_of([runs["teacher"]]),
            "gains": {name: paired(seeds["soft"], seeds[arm]) for name, arm in GAINS.items()}}


def of_seeds(runs, arm) -> dict:
    return {int(name.rsplit("/", 1)[1]): run for name, run in runs.items()
            if name.rsplit("/", 1)[0] == arm}


def paired(before, after) -> dict:
    """Shares of possible stories and other means of the seeds that both have, and the gains."""
    both = sorted(before.keys() & after.keys())
    gains = [after[seed]["possible"] / before[seed]["possible"] - 1 for seed in both]
    return {"seeds": len(both), "low": min(gains), "high": max(gains),
            "before": mean_of([before[seed] for seed in both]),
            "after": mean_of([after[seed] for seed in both])}


def mean_of(runs) -> dict:
    """The means of some seeds, and every seed's share of possible stories."""
    row = {"shares": [run["possible"] for run in runs]}
    for name in MEANS:
        values = [run[name] for run in runs if run[name] is not None]
        row[name] = float(np.mean(values)) if values else None
    return row


def tables(exact):
    if "writers" in exact:
        found, about = exact["writers"], f"{exact['writers']['written']} stories that each wrote"
        yield "writers", of_writers(found, STUDENTS, "arms", f"Means of the seeds; {about}")
        yield "sweep", of_writers(found, SWEEP, "sweep", f"Other settings, one seed; {about}")
        yield from of_looks(found["looks"])
    for name in [name for name in PLANS if name in exact]:
        found = exact[name]
        yield name, of_writers(found, ONWARD, "arms", "The teacher of the long run, after "
                               f"{found['soft_steps']:,} steps: means of the seeds; "
                               f"{found['written']:,} stories that each wrote")
        yield f"{name} astray", of_mistakes(found)
    if "drafts" in exact:
        yield "drafts", of_drafts(exact["drafts"], exact["writers"]["arms"])


def of_writers(found, labels, which, title):
    from rich.table import Table
    table = Table("student", "seeds", "held-out nats", "possible", "from", "to", "different",
                  "exact nats", "entropy", title=title)
    floor = f"{found['floor']:.1f}"
    table.add_row("(floor)", "-", floor, "100%", "-", "-", "-", floor, floor)
    for arm, row in {"teacher": found["teacher"], **found[which]}.items():
        ends = [f"{end(row['shares']):.1%}" for end in (min, max)]
        rest = ["-" if row[name] is None else f"{row[name]:{form}}"
                for name, form in (("distinct", ".0f"), ("exact", ".1f"), ("own", ".1f"))]
        table.add_row(labels.get(arm, "(teacher)"), str(len(row["shares"])), f"{row['nats']:.1f}",
                      f"{row['possible']:.1%}", *ends, *rest)
    return table


def of_mistakes(found):
    """Where the stories of each go wrong."""
    from rich.table import Table
    table = Table("student", "possible", "wrong name", "possible of the rest", "astray",
                  title="What is left to fix: shares of stories, by their first mistake")
    for arm, label in ONWARD.items():
        row = found["arms"][arm]
        shares = (f"{row[key]:.1%}" for key in ("possible", "names", "spared"))
        table.add_row(label, *shares, "-" if arm.endswith("0.8") else f"{row['astray']:.2%}")
    return table


def of_looks(found):
    """What a student can learn from, and how the first text of each begins."""
    from rich.table import Table
    looks = Table("student", "unseen", *(f"{kl}, {part}" for kl in ("KL(p ‖ q)", "KL(q ‖ p)")
                                         for part in ("begin", "end")),
                  title="How each loss pulls at the teacher's surest token")
    texts = Table("student", "what it writes", title="The first text of each, from the beginning")
    for name, row in found.items():
        pulls = [row["pull"][kl][part] for kl in ("forward", "reverse") for part in (0, -1)]
        looks.add_row(name, f"{row['unseen']:.1%}", *(f"{pull:.4f}" for pull in pulls))
        texts.add_row(name, row["texts"][0])
    yield "looks", looks
    yield "texts", texts


def of_drafts(found, arms):
    from rich.table import Table
    table = Table("draft", "ahead", "agrees", "accepted", "a pass", "by the formula", "greedy",
                  *(f"{twin}, T = {t}" for twin in ("NumPy", "JAX") for t in (1, 0)),
                  title="Drafts: what is accepted, and speed against plain decoding")
    for arm, label in STUDENTS.items():
        mine = [row for row in found["rows"] if row["draft"].rsplit("_", 1)[0] == arm]
        for ahead in sorted({row["ahead"] for row in mine}):
            rows = {(row["twin"], row["temperature"]): row
                    for row in mine if row["ahead"] == ahead}
            warm, agree = rows["numpy", 1], arms[arm]["agree"]
            speeds = [f"{rows[twin, t]['ratio']:.2f}" for twin in ("numpy", "jax") for t in (1, 0)]
            table.add_row(label, str(ahead), f"{agree:.1%}", f"{warm['accepted']:.1%}",
                          f"{warm['tokens_a_pass']:.2f}", f"{by_formula(agree, ahead):.2f}",
                          f"{rows['numpy', 0]['accepted']:.1%}", *speeds)
    return table


def by_formula(accepted: float, ahead: int) -> float:
    """Tokens for each pass of the large model, if every drafted token is accepted alike."""
    return (1 - accepted ** (ahead + 1)) / (1 - accepted)
