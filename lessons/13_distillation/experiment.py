"""The experiment proper: what benchmarks/distillation.py found, reduced to what the page shows."""

from pathlib import Path

import numpy as np

from minillm.course.demos import beside

writers, teachers = beside(__file__, "writers"), beside(__file__, "teachers")
RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "distillation.json"       # made by benchmarks/distillation.py
ANSWERS = Path(__file__).with_name("answers.json")                        # made by answers.py from the models of that benchmark

# The arms of benchmarks/distillation.py in the order of the table, and what each is.
FULL = {"data": "data alone", "responses": "responses only", "soft": "soft targets", "reverse": "reverse KL", "on-policy": "on-policy, reverse KL",
        "more data": "data alone, equal compute", "pruned data": "pruned start: data alone", "pruned soft": "pruned start: soft targets",
        "pruned reverse": "pruned start: reverse KL", "pruned on-policy": "pruned start: on-policy"}
AMOUNTS = {"100%": "all stories", "3%": "3% of the stories"}


def results():
    """The exact numbers of the full version. Raises UserError without the repository."""
    from minillm.errors import UserError
    from minillm.files import read_json
    if not RESULTS.is_file():
        raise UserError(f"{RESULTS}: --full reads the committed results of benchmarks/distillation.py: work in a clone")
    found = read_json(RESULTS)
    setting, runs = found["setting"], found["runs"]
    exact = {name: setting[name] for name in ("student_parameters", "teacher_parameters", "steps", "tokens", "compute_ratio", "floor", "teacher",
                                              "teacher_valid")}
    exact |= {"all": setting["stories"]["100%"], "few": setting["stories"]["3%"], "arms": {}, "curves": {}, "settings": {}}
    for amount in AMOUNTS:
        plain = {seed: runs[f"{amount}/data/{seed}"]["nats"] for seed in seeds_of(runs, amount, "data")}
        arms = exact["arms"][amount] = {}
        for arm in FULL:
            seeds = seeds_of(runs, amount, arm)
            if not seeds:
                continue
            some = [runs[f"{amount}/{arm}/{seed}"] for seed in seeds]
            nats = [run["nats"] for run in some]
            less = [run["nats"] - plain[seed] for seed, run in zip(seeds, some)]
            mean = float(np.mean(nats))
            arms[arm] = {"nats": nats, "mean": mean, "best": float(np.mean([run["best"] for run in some])),
                         "difference": float(np.mean(less)), "error": float(np.std(less, ddof=1) / len(less) ** 0.5) if len(less) > 1 else None,
                         "closed": 1 - (mean - setting["teacher"]) / (np.mean(list(plain.values())) - setting["teacher"]),
                         "valid": float(np.mean([run["valid"] for run in some]))}
            curves = [run["curve"] for run in some]
            exact["curves"].setdefault(amount, {})[arm] = np.mean(curves, axis=0).tolist()
        exact["settings"][amount] = {name: runs[f"{amount}/{name}/0"]["nats"] for name in ("data", "soft", *settings_of(runs, amount))
                                     if f"{amount}/{name}/0" in runs}
    exact["closed_all"], exact["closed_few"] = (exact["arms"][amount]["soft"]["closed"] for amount in AMOUNTS)
    exact["cost"], exact["speeds"] = found.get("cost"), found.get("training")
    exact["lost"], exact["answers"] = runs["100%/soft/0"]["lost_mass"], read_json(ANSWERS)
    return exact | writers.results() | teachers.results()


def seeds_of(runs, amount, arm):
    return [seed for seed in range(100) if f"{amount}/{arm}/{seed}" in runs]


def settings_of(runs, amount):
    """The rows of one seed that ask whether a conclusion hangs on a setting: their names have a comma."""
    return [name.split("/")[1] for name in runs if name.startswith(f"{amount}/") and ("," in name)]


def tables(exact):
    from rich.table import Table
    for (amount, label), name in zip(AMOUNTS.items(), ("all", "few")):
        table = Table("student", "nats a story", "lowest to highest", "against data alone", "of the gap closed", "best evaluation", "possible stories",
                      title=f"{exact[name]:,} stories; held-out nats a story, {len(exact['arms'][amount]['data']['nats'])} seeds")
        table.add_row("(floor)", f"{exact['floor']:.1f}", *["-"] * 5)
        table.add_row("(teacher)", f"{exact['teacher']:.1f}", "-", "-", "-", "-", f"{exact['teacher_valid']:.0%}")
        for arm, row in exact["arms"][amount].items():
            change = "-" if arm == "data" else f"{row['difference']:+.1f}" + (f" ± {row['error']:.1f}" if row["error"] is not None else "")
            closed = "-" if arm == "data" else f"{row['closed']:.0%}" if row["closed"] > -1 else "none"
            table.add_row(FULL[arm], f"{row['mean']:.1f}", f"{min(row['nats']):.1f} to {max(row['nats']):.1f}", change, closed, f"{row['best']:.1f}",
                          f"{row['valid']:.0%}")
        yield name, table
    answers = Table("student", "KL(p ‖ q)", "KL(q ‖ p)", "its own entropy", "share of its surest token", title=f"All stories, first seed: nats a token on {exact['answers']['rows']} held-out stories")
    written = Table("student", "what it writes", title="By the same coins, from the beginning")
    for arm, row in exact["answers"]["arms"].items():
        label = FULL.get(arm, "(teacher)")
        answers.add_row(label, *(f"{row[name]:.2f}" for name in ("forward", "backward", "entropy")), f"{row['surest']:.0%}")
        written.add_row(label, row["text"])
    yield "answers", answers
    yield "written", written
    names = list(dict.fromkeys(name for amount in AMOUNTS for name in exact["settings"][amount]))
    settings = Table("run", *AMOUNTS.values(), title="Another setting, one seed: held-out nats a story")
    for name in names:
        settings.add_row({"data": "data alone", "soft": "soft targets"}.get(name, name),
                         *(f"{exact['settings'][amount][name]:.1f}" if name in exact["settings"][amount] else "-" for amount in AMOUNTS))
    yield "settings", settings
    cost = exact["cost"] or {}
    more = [(key, label) for key, label in (("bytes", "bytes"), ("nats", "nats a story"), ("tokens_per_second_numpy", "tokens/s, NumPy"),
                                            ("tokens_per_second_jax", "tokens/s, JAX")) if all(key in row for row in cost.values())]
    table = Table("model", "parameters", *(label for _, label in more if cost), title="What each costs")
    plain = {"teacher": {"parameters": exact["teacher_parameters"]}, "student": {"parameters": exact["student_parameters"]}}
    for name, row in (cost or plain).items():
        table.add_row(name, f"{row['parameters']:,}", *(f"{row[key]:,.1f}" if key == "nats" else f"{row[key]:,.0f}" for key, _ in more if cost))
    yield "cost", table
    speeds = Table("way to learn", "tokens/s", title="Speed of a student's steps")
    for name, speed in (exact["speeds"] or {}).items():
        speeds.add_row(name, f"{speed:,.0f}")
    yield "speeds", speeds
    yield from writers.tables(exact)
    yield from teachers.tables(exact)


def figures(exact, new):
    figure, axes = new(7.0, 3.9, ncols=2, sharey=True)
    for axis, (amount, label) in zip(axes, AMOUNTS.items()):
        for arm, color, style in (("data", 0, "-"), ("more data", 0, ":"), ("responses", 2, "-"), ("soft", 1, "-"), ("reverse", 3, "-"), ("on-policy", 4, "-")):
            curve = exact["curves"][amount].get(arm)
            if curve:
                axis.plot([100 * i for i in range(len(curve))], [nats - exact["floor"] for nats in curve], style, color=new.ink["lines"][color], label=FULL[arm])
        axis.axhline(exact["teacher"] - exact["floor"], color=new.ink["text"], linewidth=0.8, linestyle="--")
        axis.set(title=label, xlabel="step", yscale="log")
    axes[0].set_ylabel("nats a story above the floor")
    axes[0].text(0, 1.06 * (exact["teacher"] - exact["floor"]), "the teacher", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    yield ("curves", "Held-out loss above the floor against training steps, on a logarithmic scale. Soft targets lie below data alone at every point; with few stories the "
           "distance is large. Reverse KL and on-policy fall slowly and are far above when the run ends. Data with the compute of the teacher goes on falling with all "
           "stories and turns upwards with few.", figure)
