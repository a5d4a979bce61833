"""A drawing of lesson 18: what is planted, what a model says, and what is left after erasing."""

from minillm.course.demos import values
from minillm.course.pictures.drawing import Drawing


def leaning(results) -> Drawing:
    """Three occupations, and how probable "she" is for each: planted, learned, erased."""
    exact, found = values(results)
    chosen = [exact["jobs"].index(job) for job in ("librarian", "gardener", "engineer")]
    learned, erased = ([sum(1 / (1 + 2.718281828 ** -seed[i]) for seed in found[f"{mend}_odds"])
                        / len(found[f"{mend}_odds"]) for i in chosen]
                       for mend in ("none", "erased_first"))
    planted = [exact["rates"][i] for i in chosen]
    rows = (("planted", planted), ("learned", learned), ("erased", erased))
    d = Drawing(380, 236, "How probable she is against he, for three occupations. " + " ".join(
        f"{name}: " + ", ".join(f"{exact['jobs'][i]} {share:.0%}"
                                for i, share in zip(chosen, shares)) + "."
        for name, shares in rows))
    for column, (name, shares) in enumerate(rows):
        x = 84 + 100 * column
        d.text(x + 44, 24, name, "strong")
        for row, share in enumerate(shares):
            d.share(x, 42 + 56 * row, 88, 28, share, "first" if column != 2 else "second")
            d.text(x + 44, 88 + 56 * row, f"she {share:.0%}")
    for row, i in enumerate(chosen):
        d.text(76, 61 + 56 * row, exact["jobs"][i], anchor="end")
    return d.text(190, 226, "the darker, the more often she; mean of the seeds")
