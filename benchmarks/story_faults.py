"""What makes a text no story of the story world: where the grammar stops reading it, and why."""

import os

from minillm.text.storyworld import ENGLISH, derivations


def fault(text: str, world=ENGLISH) -> str | None:
    """Why the grammar could not have written this text; None for a story."""
    return stop(text, world)[1]


def stop(text: str, world=ENGLISH) -> tuple[int, str | None]:
    """(how many characters the grammar reads, why it stops there or None for a story).

    The derivation that reads furthest counts. Where several stop at one place, the reason is a fact
    that comes back as another, else a word of another list, else a word that no sentence has there.
    A text that is read to its end and yet is no story breaks a rule, such as that of a sum.
    """
    if next(derivations(text, world), None):
        return len(text), None
    place, _, reason = max(stop for plot in world.plots
                           for stop in _stops(world, plot, text, 0, (), 0, 0, {}))
    return place, reason


def _stops(world, plot, text, at, parts, begin, done, values):
    """(place, weight, reason) of every way to read on from text[at:], where it ends.

    `parts` are left of a sentence that began at `begin`; `done` steps of the plot have theirs.
    """
    if not parts and done < len(plot.steps):
        for sentence in plot.steps[done]:
            space = len(sentence.parts[0]) if str(sentence.parts[0]).isspace() else 0
            yield from _stops(world, plot, text, at, sentence.parts, at + space, done + 1, values)
    elif not parts:
        yield (at, 0, "goes on after its end") if at < len(text) else (
            at, 9, f"breaks the rule of {_broken(world, plot, values)}")
    else:
        forms, reason = _forms(world, parts[0], text, at, values)
        here = [(form, new) for form, new in forms if text.startswith(form, at)]
        for form, new in here:
            yield from _stops(world, plot, text, at + len(form), parts[1:], begin, done,
                              values | new)
        if not here:
            same = os.path.commonprefix([forms[0][0], text[at:]]) if len(forms) == 1 else ""
            place = at + same.rfind(" ") + 1
            if any(form.startswith(text[at:]) for form, _ in forms):
                place, reason = len(text), (4, "ends too early")
            elif place <= begin and reason[0] < 3:
                reason = reason[0], "a sentence of another step"
            yield place, *reason


def _forms(world, part, text, at, values):
    """What `part` may be, each with the facts that are known then; (weight, why it is not)."""
    if isinstance(part, tuple):
        return [(word, {}) for word in part], (2, "a word of another list")
    if isinstance(part, str):
        return [(part, {})], (0, "a word that no sentence has there")
    forms = {value: of[part.form] for value, of in world.forms[part.fact].items()}
    if part.fact not in values:
        return [(form, {part.fact: value}) for value, form in forms.items()], (1, "no such fact")
    another = any(text.startswith(form, at) for form in forms.values())
    return [(forms[values[part.fact]], {})], (3, f"another {part.fact}") if another else (
        0, "a word that no sentence has there")


def _broken(world, plot, values) -> str:
    """The first fact whose value is not allowed beside the others."""
    for fact in plot.facts:
        parents, tables = world.tables[fact]
        if values[fact] not in tables[tuple(values[parent] for parent in parents)]:
            return fact
    return "no fact"
