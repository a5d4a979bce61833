"""Lesson 21: secrets that models read once or often, and what keeps them from being told."""

from minillm.course.demos import beside, main, measured

SEEDS, MEGABYTES, WORDS, SHORT = (0, 1, 2), 0.45, 13, 5
# depth of the model, copies removed, gaps in the loss
WAYS = {"small": ("small", False, False), "large": ("large", False, False),
        "once": ("large", True, False), "gaps": ("large", False, True)}
MOST = 10  # bits: log2 of a thousand secrets is 9.97


def compute(console, full):
    from minillm.text.overlap import deduplicated, overlap
    lab = beside(__file__, "experiment")
    exposures, first, held = ({way: [] for way in WAYS} for _ in range(3))
    removed, stories, overlapped = [], [], {"stories": [], "short": [], "copied": []}
    for seed in SEEDS:
        planting = lab.planted(seed, MEGABYTES)
        unique = deduplicated(planting.documents)
        removed.append(len(planting.documents) - len(unique))
        stories.append(planting.stories)
        words = [text.split() for text in planting.documents]
        test = [text.split() for text in planting.held_out]
        overlapped["stories"].append(mean(overlap(words, test, WORDS)))
        overlapped["short"].append(mean(overlap(words, test, SHORT)))
        overlapped["copied"].append(mean(overlap(words + test[:1], test[:1], WORDS)))
        for way, (size, once, gaps) in WAYS.items():
            model, nats = lab.trained(planting, unique if once else planting.documents,
                                      lab.SIZES[size], seed, gaps)
            found = lab.memorised(model, planting.secrets)
            held[way].append(nats)
            for name, kept in (("exposure", exposures), ("first", first)):
                kept[way].append([[float(one[name]) for one in found if one["count"] == count]
                                  for count in lab.COUNTS])
            console.print(f"seed {seed}, {way}: {nats:.3f} nats a token on other stories; most "
                          f"probable of all: {[int(sum(some)) for some in first[way][-1]]}")
    results = {}
    for way in WAYS:
        results |= {f"{way}_exposure": measured(exposures[way], 0, MOST),
                    f"{way}_first": measured(first[way], 0, 1),
                    f"{way}_held": measured(held[way], 0.5, 5),
                    f"{way}_held_mean": measured(mean(held[way]), 0.5, 5)}
        for place, count in enumerate(lab.COUNTS):
            results[f"{way}_bits_{count}"] = measured(
                mean(sum((some[place] for some in exposures[way]), [])), 0, MOST)
            results[f"{way}_share_{count}"] = measured(
                mean(sum((some[place] for some in first[way]), [])), 0, 1)
    return {"exact": {"seeds": len(SEEDS), "counts": list(lab.COUNTS), "each": lab.EACH,
                      "asked": lab.EACH * len(SEEDS), "possible": 10**lab.LENGTH,
                      "copies_removed": removed, "stories": stories, "words": WORDS,
                      "short": SHORT, "overlap_short": mean(overlapped["short"]),
                      "overlap": mean(overlapped["stories"]),
                      "overlap_of_copy": mean(overlapped["copied"]), "keep": lab.KEEP,
                      "depths": list(lab.SIZES.values())},
            "measured": results}


def mean(numbers):
    return float(sum(numbers) / len(numbers))


if __name__ == "__main__":
    main(globals())
