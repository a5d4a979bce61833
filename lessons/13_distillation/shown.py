"""What lesson 13 shows: the tables of students and the figures of humps and curves."""

from minillm.course.demos import beside, values

demo = beside(__file__, "demo")


def tables(results):
    exact, found = values(results)
    yield from (full_tables(exact) if "arms" in exact else short_tables(exact, found))


def short_tables(exact, found):
    from rich.table import Table
    words = Table("first word", "this story", "one who has counted, T = 1", "T = 2", "T = 4", title=f"How a paragraph begins: in one story, and in {exact['stories']:,}")
    for i, word in enumerate(exact["words"]):
        words.add_row(word, str(int(word == exact["one_story"])), *(f"{exact['shares'][str(t)][i]:.1%}" for t in (1, 2, 4)))
    words.add_row(f"{exact['different'] - len(exact['words'])} others", str(int(exact["one_story"] not in exact["words"])),
                  *(f"{1 - sum(exact['shares'][str(t)]):.1%}" for t in (1, 2, 4)))
    yield "words", words
    humps = Table("minimised", "centre", "width", "KL(p ‖ q)", "KL(q ‖ p)", "mass where p has next to none", title="One hump for two (nats)")
    for name, label in (("forward_kl", "KL(p ‖ q)"), ("reverse_kl", "KL(q ‖ p)")):
        end = exact["humps"][name]
        humps.add_row(label, f"{end['centre']:.2f}", f"{end['width']:.2f}", f"{end['forward_kl']:.2f}", f"{end['reverse_kl']:.2f}", f"{end['nowhere']:.1%}")
    yield "humps", humps
    students = Table("tokens of text", "the text", "the text, stopped at its best", "the teacher, KL(p ‖ q)", "the teacher, KL(q ‖ p)", "the last by KL(q ‖ p)",
                     title=f"Nats a token lost against the truth, mean of {exact['seeds']} texts; the last column is measured from the teacher")
    for i, n in enumerate(exact["texts"]):
        students.add_row(f"{n:,}", *(f"{sum(found[name][i]) / len(found[name][i]):.3f}" for name in ("data_end", "data_best", "soft_end", "reverse_end", "reverse_backward")))
    yield "students", students


def full_tables(exact):
    from rich.table import Table
    for (amount, label), name in zip(demo.AMOUNTS.items(), ("all", "few")):
        table = Table("student", "nats a story", "lowest to highest", "against data alone", "of the gap closed", "best evaluation", "possible stories",
                      title=f"{exact[name]:,} stories; held-out nats a story, {len(exact['arms'][amount]['data']['nats'])} seeds")
        table.add_row("(floor)", f"{exact['floor']:.1f}", *["-"] * 5)
        table.add_row("(teacher)", f"{exact['teacher']:.1f}", "-", "-", "-", "-", f"{exact['teacher_valid']:.0%}")
        for arm, row in exact["arms"][amount].items():
            change = "-" if arm == "data" else f"{row['difference']:+.1f}" + (f" ± {row['error']:.1f}" if row["error"] is not None else "")
            closed = "-" if arm == "data" else f"{row['closed']:.0%}" if row["closed"] > -1 else "none"
            table.add_row(demo.FULL[arm], f"{row['mean']:.1f}", f"{min(row['nats']):.1f} to {max(row['nats']):.1f}", change, closed, f"{row['best']:.1f}",
                          f"{row['valid']:.0%}")
        yield name, table
    answers = Table("student", "KL(p ‖ q)", "KL(q ‖ p)", "its own entropy", "share of its surest token", title=f"All stories, first seed: nats a token on {exact['answers']['rows']} held-out stories")
    written = Table("student", "what it writes", title="By the same coins, from the beginning")
    for arm, row in exact["answers"]["arms"].items():
        label = demo.FULL.get(arm, "(teacher)")
        answers.add_row(label, *(f"{row[name]:.2f}" for name in ("forward", "backward", "entropy")), f"{row['surest']:.0%}")
        written.add_row(label, row["text"])
    yield "answers", answers
    yield "written", written
    names = list(dict.fromkeys(name for amount in demo.AMOUNTS for name in exact["settings"][amount]))
    settings = Table("run", *demo.AMOUNTS.values(), title="Another setting, one seed: held-out nats a story")
    for name in names:
        settings.add_row({"data": "data alone", "soft": "soft targets"}.get(name, name),
                         *(f"{exact['settings'][amount][name]:.1f}" if name in exact["settings"][amount] else "-" for amount in demo.AMOUNTS))
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
    exact, found = values(results)
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

    figure, axes = new(7.0, 3.8)
    for name, label, color, style in (("data_end", "learned from the text", 0, "o-"), ("data_best", "the same, stopped at its best", 0, "o--"),
                                      ("soft_end", "from the teacher, KL(p ‖ q)", 1, "o-"), ("reverse_end", "from the teacher, KL(q ‖ p)", 2, "o-")):
        axes.plot(exact["texts"], [sum(row) / len(row) for row in found[name]], style, markersize=4, color=new.ink["lines"][color], label=label)
    for name, label in (("teacher", "the teacher"), ("best_student", "the best that this student can be")):
        axes.axhline(found[name], color=new.ink["text"], linewidth=0.8, linestyle=":")
        axes.text(exact["texts"][0], found[name] * 1.05, label, fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="tokens of text", ylabel="nats a token above the truth")
    axes.set_xticks(exact["texts"], [f"{n:,}" for n in exact["texts"]])
    axes.set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
    axes.minorticks_off()
    axes.legend(fontsize=9)
    yield ("students", "What a student loses against the truth, by the amount of text, on logarithmic scales. From the text alone it loses nats where the text is short and "
           "comes near its best only with the longest text. From the teacher's answers on the same text it is near its best with a tenth or less. By reverse KL it "
           "soon stops gaining.", figure)


def full_figures(exact, new):
    figure, axes = new(7.0, 3.9, ncols=2, sharey=True)
    for axis, (amount, label) in zip(axes, demo.AMOUNTS.items()):
        for arm, color, style in (("data", 0, "-"), ("more data", 0, ":"), ("responses", 2, "-"), ("soft", 1, "-"), ("reverse", 3, "-"), ("on-policy", 4, "-")):
            curve = exact["curves"][amount].get(arm)
            if curve:
                axis.plot([100 * i for i in range(len(curve))], [nats - exact["floor"] for nats in curve], style, color=new.ink["lines"][color], label=demo.FULL[arm])
        axis.axhline(exact["teacher"] - exact["floor"], color=new.ink["text"], linewidth=0.8, linestyle="--")
        axis.set(title=label, xlabel="step", yscale="log")
    axes[0].set_ylabel("nats a story above the floor")
    axes[0].text(0, 1.06 * (exact["teacher"] - exact["floor"]), "the teacher", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    yield ("curves", "Held-out loss above the floor against training steps, on a logarithmic scale. Soft targets lie below data alone at every point; with few stories the "
           "distance is large. Reverse KL and on-policy fall slowly and are far above when the run ends. Data with the compute of the teacher goes on falling with all "
           "stories and turns upwards with few.", figure)
