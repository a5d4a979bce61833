"""Students that can write already: what benchmarks/on_policy.py and benchmarks/speculative.py found, reduced to what the page shows."""

from pathlib import Path

import numpy as np

AHEAD = 4
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"

# The arms of benchmarks/on_policy.py in the order of the table, and what each is.
ARMS = {"data": "data alone", "pruned": "pruned start: soft targets", "start": "soft targets (the start of all below)",
        "soft": "then soft targets", "soft, T = 0.8": "the same, written at T = 0.8", "soft, one run": "soft targets, all steps in one run",
        "reverse": "then reverse KL on the text", "on-policy": "then on-policy, KL(q ‖ p)",
        "on-policy, JSD": "on-policy, JSD(1/2)", "on-policy, forward": "on-policy, KL(p ‖ q)",
        "on-policy, a quarter": "on-policy, a quarter its own text", "on-policy, always": "on-policy, all its own text",
        "on-policy, low rates": "on-policy, a quarter of the rates", "on-policy, first rates": "on-policy, five times the rates",
        "collapsed": "on-policy from random values"}
DRAFTS = {"data": "data alone", "start": "soft targets", "pruned": "pruned start: soft targets", "soft": "soft targets, longer", "reverse": "soft targets, then reverse KL",
          "on-policy": "soft targets, then on-policy"}
MEANS = ("nats", "possible", "distinct", "exact", "own", "agree", "unseen")


def results():
    """The exact numbers, {} where a benchmark has not been run."""
    from minillm.files import read_json
    exact = {}
    if (RESULTS / "on_policy.json").is_file():
        found = read_json(RESULTS / "on_policy.json")
        runs = found["runs"]
        exact["writers"] = found["setting"] | {"arms": {}, "looks": {}, "teacher": mean_of([runs["teacher"]])}
        for arm in ARMS:
            some = [run for name, run in runs.items() if name.rsplit("/", 1)[0] == arm]
            if some:
                exact["writers"]["arms"][arm] = mean_of(some)
        start = exact["writers"]["arms"]["soft"]["possible"]
        for row in exact["writers"]["arms"].values():
            row["times_soft"] = row["possible"] / start if start else None
        for name, label in (("fresh", "untrained"), ("collapsed/0", "collapsed"), ("start/0", "soft")):
            exact["writers"]["looks"][label] = {key: runs[name][key] for key in ("unseen", "pull", "texts")}
    if (RESULTS / "speculative.json").is_file():
        exact["drafts"] = read_json(RESULTS / "speculative.json")
    return exact


def mean_of(runs):
    """The means of some seeds, and every seed's share of possible stories."""
    row = {"shares": [run["possible"] for run in runs]}
    for name in MEANS:
        values = [run[name] for run in runs if run[name] is not None]
        row[name] = float(np.mean(values)) if values else None
    return row


def tables(exact):
    if "writers" in exact:
        yield "writers", of_writers(exact["writers"])
        yield from of_looks(exact["writers"])
    if "drafts" in exact:
        yield "drafts", of_drafts(exact["drafts"], exact["writers"]["arms"])


def of_writers(found):
    from rich.table import Table
    table = Table("student", "seeds", "held-out nats", "possible stories", "lowest to highest", "different", "their exact nats", "its own entropy",
                  title=f"Held-out nats a story; and of {found['written']} stories that each wrote, means of the seeds")
    floor = f"{found['floor']:.1f}"
    table.add_row("(floor)", "-", floor, "100%", "-", "-", floor, floor)
    for arm, row in {"teacher": found["teacher"], **found["arms"]}.items():
        shares = row["shares"]
        table.add_row(ARMS.get(arm, "(teacher)"), str(len(shares)), f"{row['nats']:.1f}", f"{row['possible']:.1%}",
                      f"{min(shares):.1%} to {max(shares):.1%}" if len(shares) > 1 else "-", *(
                          "-" if row[name] is None else f"{row[name]:{form}}" for name, form in (("distinct", ".0f"), ("exact", ".1f"), ("own", ".1f"))))
    return table


def of_looks(found):
    """What a student can learn from, and how the texts of some begin."""
    from rich.table import Table
    parts = len(found["looks"]["untrained"]["pull"]["forward"])
    looks = Table("student", "unseen by it", *(f"{kl}, {part}" for kl in ("KL(p ‖ q)", "KL(q ‖ p)") for part in ("first part", "last part")),
                  title=f"How each loss pulls at the teacher's surest token, in the first and the last of {parts} parts of a story")
    texts = Table("student", "how its first text begins")
    for name, row in found["looks"].items():
        pulls = [row["pull"][kl][part] for kl in ("forward", "reverse") for part in (0, -1)]
        looks.add_row(name, f"{row['unseen']:.1%}", *(f"{pull:.4f}" for pull in pulls))
        texts.add_row(name, row["texts"][0])
    yield "looks", looks
    yield "texts", texts


def of_drafts(found, arms):
    from rich.table import Table
    table = Table("draft", "accepted, by the formula", "T = 1", "T = 0", "tokens a pass, T = 1", "by the formula", "NumPy, T = 1", "NumPy, T = 0", "JAX, T = 1", "JAX, T = 0",
                  title=f"Drafts of {AHEAD} tokens: share accepted, tokens for each pass of the teacher, and speed against plain decoding")
    for arm, label in DRAFTS.items():
        rows = {(row["twin"], row["temperature"]): row for row in found["rows"] if row["draft"].rsplit("_", 1)[0] == arm and row["ahead"] == AHEAD}
        if rows:
            warm, cold, agree = rows["numpy", 1], rows["numpy", 0], arms[arm]["agree"]
            table.add_row(label, f"{agree:.1%}", f"{warm['accepted']:.1%}", f"{cold['accepted']:.1%}", f"{warm['tokens_a_pass']:.2f}",
                          f"{(1 - agree ** (AHEAD + 1)) / (1 - agree):.2f}",
                          *(f"{rows[twin, temperature]['ratio']:.2f}" for twin in ("numpy", "jax") for temperature in (1, 0)))
    return table
