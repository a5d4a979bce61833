"""Lesson 13: what a teacher says that a text does not; two directions of KL; the honest table of what distillation is worth."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

from minillm.course.demos import main, measured

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "distillation.json"       # made by benchmarks/distillation.py
SEED, VOCABULARY, MEGABYTES, FEW, HELD_OUT = 0, 1792, 2.5, 80, 160       # FEW: stories of the scarce data; HELD_OUT: stories
RECIPE = dict(batch_size=8, context=176, warmup_steps=20)
TEACHER_STEPS, STUDENT_STEPS, EVERY = 350, 200, 50
OPENING = "Lost things are only"                                          # what may follow it is shown
HUMPS = ((0.6, -2.0, 0.7), (0.4, 2.5, 0.7))                               # share, centre, width
ARMS = {"data": "the text", "soft": "the teacher, KL(p ‖ q)", "reverse": "the teacher, KL(q ‖ p)"}

# The arms of benchmarks/distillation.py in the order of the table, and what each is.
FULL = {"data": "data alone", "responses": "responses only", "soft": "soft targets", "reverse": "reverse KL", "on-policy": "on-policy, reverse KL",
        "more data": "data alone, equal compute", "pruned data": "pruned start: data alone", "pruned soft": "pruned start: soft targets",
        "pruned reverse": "pruned start: reverse KL", "pruned on-policy": "pruned start: on-policy"}
AMOUNTS = {"100%": "all stories", "3%": "3% of the stories"}


def compute(console, full):
    if full:
        return {"exact": committed(), "measured": {}}
    exact, found = {"humps": {name: best_hump(name) for name in ("forward_kl", "reverse_kl")}}, {}
    exact["line"], exact["teacher_density"] = line().tolist(), density(teacher_logits()).tolist()
    small(console, exact, found)
    return {"exact": exact, "measured": found}


# ---- Two humps ----------------------------------------------------------------------------------------------

def line():
    import numpy as np
    return np.linspace(-6, 6, 121)


def teacher_logits():
    """log p at the points of the line, two humps."""
    import numpy as np
    return np.log(sum(share * np.exp(-0.5 * ((line() - centre) / width) ** 2) / width for share, centre, width in HUMPS))


def student_logits(centre, width):
    """A student that has one hump only."""
    return -0.5 * ((line() - centre) / width) ** 2


def density(logits):
    import numpy as np
    p = np.exp(logits - logits.max())
    return p / p.sum() / (line()[1] - line()[0])


def best_hump(name):
    """The lowest end of gradient descent from five starts, by a loss and a backward of minillm/in_numpy/distill.py."""
    import numpy as np
    ends = [fit(name, start) for start in np.linspace(-4, 4, 5)]
    return min(ends, key=lambda end: end[name]) | {"ends": [end["centre"] for end in ends]}


def fit(name, centre, width=1.0, steps=1500, rate=0.1):
    import numpy as np
    from minillm.in_numpy import distill
    p, targets, x = teacher_logits()[None, None], np.zeros((1, 1), int), line()
    for _ in range(steps):
        slope = getattr(distill, f"{name}_backward")(1.0, student_logits(centre, width)[None, None], p, targets, 1.0)[0, 0]
        move, stretch = np.sum(slope * (x - centre) / width**2), np.sum(slope * ((x - centre) / width) ** 2)
        centre, width = centre - rate * move, width * np.exp(-rate * stretch)
    q = student_logits(centre, width)[None, None]
    empty = density(teacher_logits()) < 0.05 * density(teacher_logits()).max()
    return {"centre": round(float(centre), 3), "width": round(float(width), 3),
            **{kl: round(float(getattr(distill, kl)(q, p, targets, 1.0)), 3) for kl in ("forward_kl", "reverse_kl")},
            "nowhere": round(float(density(q[0, 0])[empty].sum() * (x[1] - x[0])), 3), "density": [round(float(d), 4) for d in density(q[0, 0])]}


# ---- A small teacher, smaller students ------------------------------------------------------------------------

def small(console, exact, found):
    """A teacher that read many stories, and students that read a few."""
    import numpy as np
    from minillm import tokenizer
    from minillm.config import DistillConfig, TrainConfig, preset
    from minillm.data import document_rows
    from minillm.in_jax import distill_steps, init_state, train_steps
    from minillm.params import count, init
    from minillm.storyworld import corpus
    learn = corpus(SEED, "train", int(MEGABYTES * 1e6))
    made = tokenizer.train(learn, VOCABULARY)
    teacher = replace(preset(2, vocab_size=made.vocab_size, context=256), num_attention_heads=4, num_key_value_heads=2)
    student = replace(preset(2, vocab_size=made.vocab_size, context=256), num_hidden_layers=1)

    def joined(texts):
        pieces = [[teacher.bos_token_id, *made.encode(text)] for text in texts]
        return np.array([*chain(*pieces), teacher.eos_token_id]), np.cumsum([0, *map(len, pieces[:-1])])

    much, few = joined(learn), joined(learn[:FEW])
    held = corpus(SEED, "validation", 300_000)[:HELD_OUT]
    rows = document_rows(*joined(held), 256)
    exact |= {"teacher_parameters": count(teacher), "student_parameters": count(student), "stories": len(learn), "few": FEW, "held_out": HELD_OUT,
              "student_steps": STUDENT_STEPS, "student_tokens": STUDENT_STEPS * RECIPE["batch_size"] * RECIPE["context"]}

    def trained(config, data, steps, step, every, name):
        """Parameters after `steps`, and held-out nats a story every so often."""
        train = TrainConfig(steps=steps, seed=SEED, **RECIPE)
        state, curve = init_state(init(config, np.random.default_rng(SEED))), []
        for first in range(0, steps, 10):
            if first % every == 0:
                curve.append(nats_a_story(state["params"], config, rows))
            state, metrics = step(state, *batches(data, train, first), config, train)
        curve.append(nats_a_story(state["params"], config, rows))
        console.print(f"{name}: {curve[-1]:.1f} nats a held-out story")
        return state["params"], curve

    great, curve = trained(teacher, much, TEACHER_STEPS, train_steps, TEACHER_STEPS, "teacher, all stories")
    found["teacher"] = measured(curve[-1], 110, 200)
    ways = {"data": train_steps, **{name: beside(distill_steps, great, teacher, DistillConfig(objective=name)) for name in ("soft", "reverse")}}
    text = rows[0][:64]
    for name, step in ways.items():
        params, curve = trained(student, few, STUDENT_STEPS, step, EVERY, f"student, {FEW} stories, {ARMS[name]}")
        low, high = (150, 500) if name != "reverse" else (250, 1100)
        found[name], found[f"{name}_curve"] = measured(curve[-1], low, high), measured(curve, low, 1300)
        found[f"{name}_best"] = measured(min(curve), low, high)
        for what, value in answers(params, student, great, teacher, text).items():
            found[f"{name}_{what}"] = measured(value, 0, 30)
        if name == "data":
            small_words(exact, found, learn, made, great, teacher)
    found["teacher_entropy"] = measured(entropy_of(great, teacher, text), 0, 3)


def beside(distill_steps, great, teacher, how):
    return lambda state, tokens_NBT, targets_NBT, config, train: distill_steps(state, tokens_NBT, targets_NBT, great, teacher, config, train, how)


def batches(data, train, first):
    import numpy as np
    from minillm.data import batch
    made = [batch(data[0], s, seed=SEED, batch_size=train.batch_size, context=train.context, starts=data[1]) for s in range(first, first + 10)]
    return tuple(np.stack(arrays) for arrays in zip(*made))


def nats_a_story(params, config, rows):
    import numpy as np
    from minillm.in_jax.train import row_losses
    nats = [np.asarray(row_losses(params, *(array[at:at + 32] for array in rows), config)[0]) for at in range(0, len(rows[0]) // 32 * 32, 32)]
    return float(np.sum(nats)) / (len(rows[0]) // 32 * 32)


def log_answers(params, config, tokens):
    import numpy as np
    from minillm.in_jax import forward
    from minillm.in_numpy.distill import log_softmax
    return log_softmax(np.asarray(forward(params, tokens, config)[0], np.float32))


def answers(params, config, great, teacher, tokens):
    """Both divergences from the teacher and the student's own entropy, nats a token, on held-out text."""
    import numpy as np
    log_p, log_q = log_answers(great, teacher, tokens), log_answers(params, config, tokens)
    p, q = np.exp(log_p), np.exp(log_q)
    return {"forward": float(np.mean(np.sum(p * (log_p - log_q), axis=-1))), "backward": float(np.mean(np.sum(q * (log_q - log_p), axis=-1))),
            "entropy": float(np.mean(-np.sum(q * log_q, axis=-1)))}


def entropy_of(params, config, tokens):
    import numpy as np
    log_p = log_answers(params, config, tokens)
    return float(np.mean(-np.sum(np.exp(log_p) * log_p, axis=-1)))


def small_words(exact, found, learn, made, great, teacher):
    """One place of a story: the token that the text has, and what the teacher says of it at three temperatures."""
    import numpy as np
    story = next(text for text in learn[FEW:] if OPENING in text)         # the students do not read it, the teacher did
    ids = made.encode(story)
    place = len(made.encode(story[: story.index(OPENING) + len(OPENING)])) - 1
    logits = np.asarray(log_answers(great, teacher, np.array([[teacher.bos_token_id, *ids[: place + 1]]]))[0, -1], np.float64)
    follow = {}
    for text in learn[:1200]:
        tokens = made.encode(text)
        for a, b, c in zip(tokens, tokens[1:], tokens[2:]):
            if (a, b) == (ids[place - 1], ids[place]):
                follow[c] = follow.get(c, 0) + 1
    likely = sorted(follow, key=lambda token: (-follow[token], token))[:6]
    shown = list(dict.fromkeys([ids[place + 1], *likely]))[:6]
    exact["words"] = [made.decode([token]) for token in shown]
    exact["before"] = " ".join(made.decode(ids[max(0, place - 24): place + 1]).split())
    for temperature in (1, 2, 4):
        p = np.exp(logits / temperature - np.logaddexp.reduce(logits / temperature))
        found[f"at_{temperature}"] = measured([float(p[token]) for token in shown], 0, 1)


# ---- The experiment proper --------------------------------------------------------------------------------------

def committed():
    """What benchmarks/distillation.py found, reduced to what the page shows. Raises UserError without the repository."""
    import numpy as np
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
    exact["lost"] = runs["100%/soft/0"]["lost_mass"]
    return exact


def seeds_of(runs, amount, arm):
    return [seed for seed in range(100) if f"{amount}/{arm}/{seed}" in runs]


def settings_of(runs, amount):
    """The rows of one seed that ask whether a conclusion hangs on a setting: their names have a comma."""
    return [name.split("/")[1] for name in runs if name.startswith(f"{amount}/") and ("," in name)]


# ---- What is shown --------------------------------------------------------------------------------------------

def tables(results):
    exact, found = results["exact"], {name: band["value"] for name, band in results["measured"].items()}
    yield from (full_tables(exact) if "arms" in exact else short_tables(exact, found))


def short_tables(exact, found):
    from rich.table import Table
    words = Table("next token", "the text", "teacher, T = 1", "T = 2", "T = 4", title=f"What follows “... {exact['before']}”")
    for i, word in enumerate(exact["words"]):
        words.add_row(word.strip(), "1" if i == 0 else "0", *(f"{found[f'at_{t}'][i]:.1%}" for t in (1, 2, 4)))
    words.add_row("all others", "0", *(f"{1 - sum(found[f'at_{t}']):.1%}" for t in (1, 2, 4)))
    yield "words", words
    humps = Table("minimised", "centre", "width", "KL(p ‖ q)", "KL(q ‖ p)", "mass where p has next to none", title="One hump for two (nats)")
    for name, label in (("forward_kl", "KL(p ‖ q)"), ("reverse_kl", "KL(q ‖ p)")):
        end = exact["humps"][name]
        humps.add_row(label, f"{end['centre']:.2f}", f"{end['width']:.2f}", f"{end['forward_kl']:.2f}", f"{end['reverse_kl']:.2f}", f"{end['nowhere']:.1%}")
    yield "humps", humps
    students = Table("learns from", "held-out nats a story", "KL(p ‖ q)", "KL(q ‖ p)", "its own entropy",
                     title=f"{exact['few']} stories, {exact['student_tokens']:,} tokens for each student; the last three in nats a token")
    for name, label in ARMS.items():
        students.add_row(label, f"{found[name]:.1f}", *(f"{found[f'{name}_{what}']:.2f}" for what in ("forward", "backward", "entropy")))
    students.add_row("(the teacher itself)", f"{found['teacher']:.1f}", "0.00", "0.00", f"{found['teacher_entropy']:.2f}")
    yield "students", students


def full_tables(exact):
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


def figures(results, new):
    exact, found = results["exact"], {name: band["value"] for name, band in results["measured"].items()}
    yield from (full_figures(exact, new) if "arms" in exact else short_figures(exact, found, new))


def short_figures(exact, found, new):
    figure, axes = new(7.0, 3.2)
    axes.fill_between(exact["line"], exact["teacher_density"], color=new.ink["grid"], label="the teacher, p")
    for name, label in (("forward_kl", "by KL(p ‖ q): covers both humps"), ("reverse_kl", "by KL(q ‖ p): chooses one")):
        axes.plot(exact["line"], exact["humps"][name]["density"], linewidth=2, label=label)
    axes.set(xlim=(-6, 6), ylim=(0, 0.72), yticks=[])
    axes.legend(loc="upper right", fontsize=9)
    yield ("humps", "A teacher with two humps and two students with one. The student of forward KL lies broadly over both humps and is highest in the "
           "valley between them; the student of reverse KL fits one hump closely and leaves the other out.", figure)

    figure, axes = new(7.0, 3.4)
    for name, label in ARMS.items():
        curve = found[f"{name}_curve"]
        axes.plot([min(i * EVERY, exact["student_steps"]) for i in range(len(curve))], curve, "o-", markersize=4, label=label)
    axes.axhline(found["teacher"], color=new.ink["text"], linewidth=0.8, linestyle="--")
    axes.text(0, found["teacher"] * 1.02, "the teacher", fontsize=9)
    axes.set(xlabel="step", ylabel="held-out nats a story", yscale="log")
    axes.set_yticks([150, 200, 300, 500, 1000], ["150", "200", "300", "500", "1000"])
    axes.minorticks_off()
    axes.legend(fontsize=9)
    yield ("students", f"Held-out loss of three students that see the same {exact['few']} stories: learning from the text alone falls, then stops falling; from the teacher's "
           "answers by forward KL it ends lowest; by reverse KL it falls slowly and ends highest.", figure)


def full_figures(exact, new):
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


if __name__ == "__main__":
    main(globals())
