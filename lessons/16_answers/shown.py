"""What lesson 16 shows: what counts, what a change costs, what mistakes do, what is forgotten."""

from minillm.course.demos import beside, values

demo = beside(__file__, "demo")
USES = ("asked as it was tuned", "the beginning doubled", "the template applied twice",
        "no mark of the assistant", "no template at all")
CHANGES = ("merged", "the scale left out", "merged twice", "B random, before any step")


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    masks = Table("what counts", "tokens that count", "right answers", "where known", "where not",
                  "nats a story",
                  title=f"{exact['steps']} steps of the whole model; {exact['questions']} held-out "
                        f"questions, {exact['stories']} held-out stories")
    masks.add_row("before tuning", "", *shares(found["before"], exact))
    always = exact["unknown"] / exact["questions"]
    masks.add_row("always “I do not know.”", "", f"{always:.1%}", "0.0%", "100.0%", "")
    for name, label in demo.LABELS.items():
        masks.add_row(label, f"{exact['counted'][name]:.0%}", *shares(found[name][-1], exact))
    yield "masks", masks
    ranks = Table("trained", "numbers", "bytes", "right", "where known", "where not",
                  "nats a story",
                  title="The whole model and changes of it, the assistant's tokens counted")
    total = exact["parameters"]
    ranks.add_row("everything", f"{total:,}", f"{16 * total:,}",
                  *shares(found["answers"][-1], exact))
    for rank, number, size in zip(exact["ranks"], exact["numbers"], exact["bytes"]):
        ranks.add_row(f"rank {rank}", f"{number:,}", f"{size:,}",
                      *shares(found[f"rank{rank}"][-1], exact))
    yield "ranks", ranks
    uses = Table("the whole model, tuned", "right answers", title="One model, asked in five ways")
    for label, right in zip(USES, found["uses"]):
        uses.add_row(label, f"{right:.1%}")
    yield "uses", uses
    changes = Table(f"the change of rank {exact['ranks'][-1]}", "right answers", "nats a story",
                    title="One change in its model")
    for label, (right, _, nats) in zip(CHANGES, found["changes"]):
        changes.add_row(label, f"{right:.1%}", f"{nats:,.1f}")
    yield "changes", changes


def shares(measured, exact):
    """Cells of [share right, share right where “I do not know.” is right, nats a story]."""
    right, unknown, nats = measured
    questions, not_known = exact["questions"], exact["unknown"]
    known = (right * questions - unknown * not_known) / (questions - not_known)
    return f"{right:.1%}", f"{abs(known):.1%}", f"{unknown:.1%}", f"{nats:,.1f}"


def figures(results, new):
    exact, found = values(results)
    figure, axes = new(7.0, 3.8)
    rank = exact["ranks"][-1]
    for i, (name, label) in enumerate((("answers", "everything is trained"),
                                       (f"rank{rank}", f"a change of rank {rank}"))):
        path = [found["before"], *found[name]]
        axes.plot([nats - found["before"][2] for _, _, nats in path],
                  [100 * right for right, _, _ in path], "o-", markersize=5,
                  color=new.ink["lines"][i], label=label)
        for step, (right, _, nats) in zip(range(demo.EVERY, 10**6, demo.EVERY), path[1:]):
            axes.annotate(f"{step}", (nats - found["before"][2], 100 * right), fontsize=8,
                          xytext=(4, -10), textcoords="offset points")
    axes.set(xlabel="forgotten: nats a story more than before",
             ylabel="right answers, percent", ylim=(-4, 104))
    axes.legend(loc="lower right")
    yield ("forgetting", "Right answers against what was forgotten, on the way of two runs: "
           "everything trained, and a change of low rank. Both paths begin at no right answer and "
           "nothing forgotten, and are marked with the steps taken.", figure)
