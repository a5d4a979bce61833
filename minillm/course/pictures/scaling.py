"""A drawing of lesson 22: what a budget of compute can buy."""

from minillm.course.pictures.drawing import Drawing


def two_costs() -> Drawing:
    """The loss as three parts, for a model too small, at its best and too large."""
    d = Drawing(392, 236,
                "Three models of equal compute. Each loss has the same part E, the entropy. A model "
                "that is too small has a large part for its size, one that is too large has read "
                "too little and has a large part for its data. Between them the sum is least.")
    d.text(196, 20, "the same compute C = 6 N D, spent three ways", "strong")
    rows = (("too small", 140, 36), ("best", 62, 62), ("too large", 36, 140))
    for i, (name, by_size, by_data) in enumerate(rows):
        y = 38 + 58 * i
        d.text(72, y + 26, name, "strong", "end")
        d.box(82, y, 92, 42, "E")
        d.box(178, y, by_size, 42, "A / Nᵃ" if by_size > 60 else "", kind="first")
        d.box(182 + by_size, y, by_data, 42, "B / Dᵇ" if by_data > 60 else "", kind="second")
    return d.text(196, 228, "nats a token")
