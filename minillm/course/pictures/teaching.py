"""Drawings of lessons 13, 15 and 17: soft targets, a patch, a group that is graded."""

from minillm.course.demos import values
from minillm.course.pictures.drawing import Drawing


def soft_target(results) -> Drawing:
    """What one story, and what a teacher says about one place (lesson 13)."""
    exact = values(results)[0]
    words, soft, warm = exact["words"], exact["shares"]["1"], exact["shares"]["2"]
    hard = [float(word == exact["one_story"]) for word in words]
    d = Drawing(380, 36 + 34 * len(words) + 50,
                "How a paragraph may begin. One story says one word, "
                f"{exact['one_story']}. A teacher says how often each comes: " + ", ".join(
                    f"{word} {share:.0%}" for word, share in zip(words, soft)) + ", and others. At "
                "temperature 2 they are closer to each other.")
    columns = ((68, "this story", hard, "second"), (174, "teacher", soft, "first"),
               (280, "teacher, T = 2", warm, "first"))
    most = max(soft)
    for x, name, shares, kind in columns:
        d.text(x + 46, 20, name, "strong")
        for i, share in enumerate(shares):
            y = 34 + 34 * i
            if kind == "second":
                d.text(x + 46, y + 17, "came" if share else "?", kind if share else "soft")
                continue
            d.share(x, y, 62 * share / most, 24, 1, kind)
            d.text(x + 62 * share / most + 5, y + 17, f"{share:.0%}", anchor="start")
    for i, word in enumerate(words):
        d.text(60, 34 + 34 * i + 17, word, "strong", "end")
    y = 34 + 34 * len(words) + 12
    d.text(190, y + 6, f"the teacher has {exact['different'] - len(words)} more words, not shown")
    return d.text(190, y + 26, "one story, one word; one soft target, all shares at once")


def patched_once(results) -> Drawing:
    """Two runs that differ in a name, and one activation carried from one to the other."""
    exact = values(results)[0]
    clean, corrupt = exact["shown"]["names"]
    name, last = exact["at_name"], exact["at_query"]
    d = Drawing(380, 460,
                f"Two runs of one story, the clean one with {clean}, the corrupt one "
                f"with {corrupt}. "
                "One activation of the clean run is put into the corrupt run, which continues with "
                "it. Below: how much of the answer comes back, by layer. At the name: " + ", ".join(
                    f"{share:.2f}" for share in name) + ". At the last token: " + ", ".join(
                    f"{share:.2f}" for share in last) + ".")
    for y, act, word, title, kind in ((26, 70, clean, "clean run", "first"),
                                      (216, 170, corrupt, "corrupt run", "second")):
        d.text(8, 16 if kind == "first" else 262, title, kind, "start")
        for x, token, wide in ((8, word, 66), (82, "…", 34), (124, "Along came", 96)):
            d.box(x, y, wide, 28, token, kind=kind if token == word else "plain")
        for x in (41, 172):
            d.box(x - 24, act, 48, 24, kind=kind)
            edge = (y + 28, act - 3) if act > y else (y, act + 27)
            d.arrow((x, edge[0]), (x, edge[1]))
        d.arrow((65, act + 12), (144, act + 12)).arrow((196, act + 12), (250, act + 12))
        d.box(254, act - 6, 118, 36, f"says {word}" if kind == "first" else "which name?",
              kind=kind)
    d.arrow((172, 94), (172, 166), kind="first")
    d.text(182, 128, "one activation", "first", "start")
    d.text(182, 146, "is carried over", "first", "start")
    d.text(8, 298, "what comes back, by the layer it enters", "strong", "start")
    for n, shares in enumerate(zip(name, last)):
        y = 312 + 32 * n
        d.text(62, y + 17, f"layer {n}", anchor="end")
        for x, share in zip((74, 226), shares):
            d.share(x, y, max(104 * share, 0.8), 24, 1, "first")
            d.text(x + max(104 * share, 0) + 6, y + 17, f"{abs(share):.2f}", "strong", "start")
    y = 312 + 32 * len(name)
    d.text(126, y + 12, "at the name", "strong")
    return d.text(278, y + 12, "at the last token", "strong")


def graded_group() -> Drawing:
    """Rewards of a group of four answers and their advantages: the example of lesson 17."""
    groups = (("one of four is right", (1, 0, 0, 0)), ("all are right", (1, 1, 1, 1)))
    d = Drawing(380, 324,
                "Two questions, four answers to each. One of four is right: its advantage is 3/4, "
                "that of the others is minus 1/4. All are right: every advantage is 0, and nothing "
                "is learned.")
    for column, (title, rewards) in enumerate(groups):
        left = 8 + 190 * column
        mean = sum(rewards) / len(rewards)
        d.text(left + 88, 20, title, "strong")
        d.box(left + 40, 32, 96, 28, "question")
        for i, reward in enumerate(rewards):
            x = left + 44 * i
            d.arrow((left + 88, 60), (x + 20, 82))
            d.box(x, 86, 40, 28, "✓" if reward else "✗", kind="first" if reward else "second")
            d.text(x + 20, 134, str(reward))
            advantage = reward - mean
            high = 100 * abs(advantage)
            d.share(x + 6, 258 - high if advantage > 0 else 258, 28, max(high, 0.1), 1,
                    "first" if advantage > 0 else "second")
            shown = {0.75: "+¾", -0.25: "−¼", 0: "0"}[advantage]
            d.text(x + 20, 251 - high if advantage > 0 else 274 + high if advantage else 250, shown,
                   "strong")
        d.text(left + 88, 154, f"reward; mean {mean:g}".replace("0.25", "¼"))
        d.line((left, 258), (left + 176, 258))
        d.text(left + 88, 320, "one up, three down" if mean < 1 else "teaches nothing", "strong")
    return d
