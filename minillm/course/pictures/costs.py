"""A drawing of lesson 19: what a token costs, forward and backward."""

from minillm.course.demos import values
from minillm.course.pictures.drawing import Drawing


def spent(results) -> Drawing:
    """What one token passes through, and how many products each part makes of it."""
    counted = values(results)[0]["models"]["110M"]
    products, seen = counted["flop_products"] / 1e6, counted["flop_attention"] / 1e6
    d = Drawing(380, 392,
                "One token of a model of 110 million parameters. Its row of the embedding is looked "
                f"up: no operation. The matrices of the blocks and the head: {products:.0f} "
                f"million operations. Attention to the tokens before it: {seen:.0f} million on "
                "average. That is the forward pass. The backward pass makes two products for each "
                "of them, one for the input's gradient and one for the matrix's: twice as much.")
    d.text(112, 22, "forward", "strong").text(290, 22, "backward", "strong")
    rows = ((0, "embedding", "looked up: 0", "rows added up: 0"),
            (1, "matrices: x W", f"{products:.0f} million", f"2 × {products:.0f} million"),
            (2, "attention", f"{seen:.0f} million", f"2 × {seen:.0f} million"))
    for i, name, forward, backward in rows:
        y = 38 + 84 * i
        d.box(24, y, 176, 58, name, forward, kind="first" if i == 1 else "plain")
        d.box(222, y, 136, 58, ("no product", "dy Wᵀ, xᵀ dy", "as many again")[i], backward,
              kind="second" if i == 1 else "plain")
        if i < 2:
            d.arrow((112, y + 58), (112, y + 80))
            d.arrow((290, y + 84), (290, y + 62))
    d.line((24, 284), (358, 284))
    for y, kind, name, factor in ((298, "first", "writing and reading", 1),
                                  (340, "second", "training", 3)):
        width = 56 * factor
        d.share(24, y, width, 26, 1, kind)
        d.text(32 + width, y + 18, f"{name}: {factor * (products + seen):.0f} million", "strong",
               "start")
    return d.text(190, 388, "operations a token, in rows of 256")
