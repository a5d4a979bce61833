"""What lesson 13 shows: the tables of students and the figures of humps and curves."""

from minillm.course.demos import beside, values

experiment = beside(__file__, "experiment")


def tables(results):
    exact, found = values(results)
    yield from (experiment.tables(exact) if "arms" in exact else short_tables(exact, found))


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


def figures(results, new):
    exact, found = values(results)
    yield from (experiment.figures(exact, new) if "arms" in exact else short_figures(exact, found, new))


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
