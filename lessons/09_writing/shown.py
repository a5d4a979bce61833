"""What lesson 09 shows of results.json: the tables of samplers and costs and their figures."""

import json
from pathlib import Path

from minillm.course.demos import values


def name_of(how):
    """{"temperature": 1.5, "min_p": 0.1} as "temperature 1.5, min-p 0.1"."""
    return ", ".join(f"{key.replace('_', '-')} {value:g}" for key, value in how.items()) or "as it is"


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    samplers = Table("sampler", "tokens drawn", "of the right ones", "draws that are right", "tokens drawn ", "draws that are right ",
                     title=f"The place with {len(exact['places']['many']['right'])} right words, then the place with one")
    for label, found_at in exact["samplers"].items():
        many, one = found_at["many"], found_at["one"]
        samplers.add_row(label, f"{many['kept']:,}", str(many["kept_right"]), f"{many['right']:.1%}", f"{one['kept']:,}", f"{one['right']:.1%}")
    yield "samplers", samplers
    written = Table("sampler", "without a mistake", "nats in a story", "different words", title=f"{exact['stories']} stories each")
    for label, row in [*((name_of(row["how"]), row) for row in exact["written"]), ("the world itself", exact["world"])]:
        written.add_row(label, f"{row['right']:.1%}", f"{row['nats']:.1f}", str(row["words"]))
    yield "written", written
    cost = Table("tokens so far", "times the work", "times the time", "with the cache", "without", title="One more token: what leaving out the cache costs, and how its time grows "
                 f"(1 is {exact['lengths'][0]} tokens, with the cache)")
    for i, n in enumerate(exact["lengths"]):
        cost.add_row(f"{n:,}", f"{exact['work']['whole'][i] / exact['work']['cached'][i]:.0f}", f"{found['saved'][i]:.1f}", f"{found['cached_times'][i]:.1f}",
                     f"{found['whole_times'][i]:.1f}")
    yield "cost", cost
    caches = Table("model", "bytes a token", "were keys not shared", "GiB for 8,192 tokens", title="The cache, in bfloat16")
    for name, size in exact["caches"].items():
        caches.add_row(name, f"{size['bytes']:,}", f"{size['ungrouped']:,}", f"{8192 * size['bytes'] / 2**30:.2f}")
    yield "caches", caches


def widgets(results):
    told = json.loads(Path(__file__).with_name("stories.json").read_text(encoding="utf-8"))
    yield "sampling", told["places"]


def figures(results, new):
    exact, found = values(results)
    figure, all_axes = new(7.2, 3.9, ncols=2, sharey=True)
    for axes, (name, place) in zip(all_axes, exact["places"].items()):
        ranks = range(1, len(place["p"]) + 1)
        for wanted, mark, label in ((True, "o", "can follow"), (False, "x", "cannot")):
            at = [i for i in ranks if (i - 1 in place["right"]) is wanted]
            axes.plot(at, [place["p"][i - 1] for i in at], mark, color=new.ink["lines"][0 if wanted else 1], markersize=4, label=label)
        for color, label in zip(new.ink["lines"][2:], ("top-k 10", "top-p 0.9", "min-p 0.05")):
            axes.axvline(exact["samplers"][label][name]["kept"] + 0.5, color=color, linewidth=1.2, label=label)
        axes.set(yscale="log", xlabel="tokens, the most probable first", title=f"{len(place['right'])} right word{'s' * (len(place['right']) > 1)}")
    all_axes[0].set_ylabel("probability")
    all_axes[1].legend(fontsize=8, loc="upper right")
    yield ("tail", "The model's probabilities at two places, on a logarithmic scale. Left: twenty words that can follow lie on a plateau, then the "
           "probability falls steeply into a long tail of tokens that cannot. Right: one token has most of it, a wrong one a good part, and the tail begins at once. "
           "A fixed number of tokens cuts off right words on the left and lets wrong ones in on the right.", figure)

    figure, axes = new(7.2, 4.2)
    for family, color, mark in zip(("temperature", "top_k", "top_p", "min_p"), new.ink["lines"], "os^D"):
        rows = [row for row in exact["written"] if set(row["how"]) <= {family}]
        rows.sort(key=lambda row: row["nats"])
        axes.plot([row["right"] for row in rows], [row["nats"] for row in rows], color=color, marker=mark, label=family.replace("_", "-"))
    axes.plot(exact["world"]["right"], exact["world"]["nats"], "*", color=new.ink["text"], markersize=12, label="the world itself")
    axes.set(xlabel="share of stories without a mistake", ylabel="nats in a story")
    axes.legend()
    axes.grid(alpha=0.6)
    yield ("written", "The share of stories without a mistake against the nats in a story, a line for each family of samplers: every line goes down to the right, "
           "fewer mistakes are paid for with less variety. The world itself lies at the far right, where no sampler comes.", figure)

    figure, axes = new(7.2, 3.9)
    for name, label, color in (("whole_times", "without a cache", new.ink["lines"][1]), ("cached_times", "with a cache", new.ink["lines"][0])):
        axes.plot(exact["lengths"], found[name], "o-", color=color, label=label)
        work = exact["work"]["whole" if name == "whole_times" else "cached"]
        axes.plot(exact["lengths"], [n / work[-1] * found[name][-1] for n in work], ":", color=color, label="in proportion to the work")
    axes.set(xscale="log", yscale="log", xlabel="tokens so far", ylabel="time of one more token", xticks=exact["lengths"], xticklabels=[str(n) for n in exact["lengths"]])
    axes.minorticks_off()
    axes.legend()
    axes.grid(alpha=0.6)
    yield ("cost", "Time of one more token against the length of the text, both on logarithmic scales: with the cache nearly flat, without it rising in proportion to the length, and more.",
           figure)
