"""Writes the figures of README.md from benchmarks/results/*.json; a test fails when README.md is stale.

    python benchmarks/report.py

    demo.json             summary.json of a finished `minillm demo`, copied
    init_ablation.json    benchmarks/init_ablation.py --json
    decoding_speed.json   benchmarks/decoding_speed.py --json
    decoding_cost.json    benchmarks/decoding_cost.py --json
    training_speed.json   benchmarks/training_speed.py --json
    storyworld.json       benchmarks/storyworld_stats.py --json
    inspection_cost.json  benchmarks/inspection_cost.py --json
    planted_heads.json    benchmarks/planted_heads.py --json
"""

import json
import statistics
from pathlib import Path

from minillm.params import PASS_ON

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures: written by benchmarks/report.py -->", "<!-- end of figures -->"


def read(name: str):
    """What a benchmark wrote, or nothing where it has not been run."""
    if not (RESULTS / name).exists():
        return {}
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def figures() -> str:
    """The section as Markdown."""
    world, demo, speed = read("storyworld.json"), read("demo.json"), read("training_speed.json")
    lines = [
        "All measured on one machine with two cores (AVX-512, no GPU).", "",
        f"- **Story world**: {world['words_per_story']:.0f} words and {world['entropy']:.1f} nats a story, exactly "
        f"({world['entropy_per_word']:.2f} nats a word); a trigram model needs {world['trigram'] / world['entropy']:.2f} times the floor.",
        f"- **`make demo`**: {demo['tokens']:,} tokens in {demo['seconds']:.0f} s of training; "
        f"{demo['nats_per_document']:.1f} nats a story against a floor of {demo['floor_per_document']:.1f} "
        f"({100 * demo['above_floor']:+.1f}%).",
    ]
    lines += ["- **What o_proj starts as**, the demo's recipe and tiny shakespeare at nanoGPT's CPU budget (character level, "
              "4 layers of 128, 2000 steps of 12 x 64), means of three seeds with their standard deviation; the default is "
              f"{PASS_ON:g} x the transpose of v_proj:", "", "  | o_proj starts as | stories, above the floor | shakespeare, nats a character |",
              "  |---|---:|---:|"]
    for name, tasks in read("init_ablation.json").items():
        stories, letters = tasks["above_floor"], tasks["shakespeare"]
        lines.append(f"  | {name} | {100 * statistics.mean(stories):.1f}% ± {100 * statistics.stdev(stories):.1f} | "
                     f"{statistics.mean(letters):.3f} ± {statistics.stdev(letters):.3f} |")
    lines.append("")
    if not speed:
        return "\n".join(lines)
    lines += ["- **Training speed** against PyTorch (medians of interleaved rounds in one run, AdamW):", "",
              "  | size | contender | tokens/s | ratio |", "  |---|---|---:|---:|"]
    for size, contenders in speed.items():
        base = statistics.median(contenders["pytorch, compiled"])
        for name, values in contenders.items():
            median = statistics.median(values)
            lines.append(f"  | {size} | {name} | {median:,.0f} | {median / base:.2f} |")
    lines += ["", "- **Decoding speed**, greedy, one text at a time, 200 tokens (medians of interleaved rounds in one run; random "
              "weights in the shapes of the TinyLlamas):", "", "  | parameters | contender | tokens/s | ratio |", "  |---|---|---:|---:|"]
    for size, contenders in read("decoding_speed.json").items():
        base = statistics.median(contenders["transformers"])
        for name, values in contenders.items():
            median = statistics.median(values)
            lines.append(f"  | {size} | {name} | {median:,.0f} | {median / base:.2f} |")
    cost = read("decoding_cost.json")
    if cost:
        lines += ["", "- **A token's time against the context** (15M parameters, after a prompt of that length; attention alone is "
                  "timed apart):", "", "  | twin | context | ms a token | of which attention |", "  |---|---:|---:|---:|"]
        lines += [f"  | {row['twin']} | {row['context']:,} | {row['ms_per_token']:.2f} | {row['ms_of_attention']:.2f} |"
                  for row in cost["context"]]
        lines += ["", "- **Streaming** costs, over one compiled loop of 200 tokens: " + ", ".join(
            f"{100 * row['extra']:+.1f}% ({row['size']})" for row in cost["streaming"]) + "."]
    lines += inspection()
    return "\n".join(lines)


def inspection() -> list[str]:
    """What looking inside costs, and whether it finds what was planted."""
    lines, cost, found = [], read("inspection_cost.json"), read("planted_heads.json")
    if {"patching", "recording", "memory"} <= cost.keys():
        sweep = cost["patching"]
        lines += ["", "- **Looking inside**: recording every activation, against a plain forward pass (compiled): " + ", ".join(
            f"{row['ratio']:.2f} times ({row['model']}, {row['tokens']} tokens)" for row in cost["recording"]) + ". Memory grew by "
            + ", ".join(f"{row['grown'] / row['estimated']:.2f}" for row in cost["memory"]) + " times the estimate ("
            + ", ".join(f"{row['estimated'] / 1e6:.0f} MB" for row in cost["memory"]) + f"). Patching {sweep['layers']} layers x "
            f"{sweep['tokens']} positions: {sweep['seconds_first']:.1f} s the first time, {sweep['seconds']:.2f} s again, "
            f"{sweep['speedup']:.0f} times as fast as one run for each place."]
    if found:
        lines += ["", f"- **Planted heads** ({found['model']}, {found['stories']} held-out stories, heads chosen on one half and measured on the "
                  "other): attention from the position that must know the token to the places that tell it, and by how many nats the token "
                  "becomes more surprising without the head; controls: even attention, other tokens, all other heads:", "",
                  "  | planted | head | attention | even | taken out | other tokens | other heads |", "  |---|---|---:|---:|---:|---:|---:|"]
        for relation, row in found["relations"].items():
            kinds = {"looks_most": "looks there most", "matters_most": "matters most"}
            if row["looks_most"]["head"] == row["matters_most"]["head"]:
                kinds = {"looks_most": "looks there most and matters most"}
            for kind, what in kinds.items():
                one = row[kind]
                lines.append(f"  | {relation}: {what} | {one['head']} | {one['attention']:.2f} | {row['uniform']:.2f} | {one['effect']:+.3f} ± "
                             f"{one['standard_error']:.3f} | {one['effect_on_other_tokens']:+.3f} | {one['effect_of_other_heads']:+.3f} |")
    return lines


def with_figures(readme: str) -> str:
    """README.md with its figures made anew."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{figures()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_figures(path.read_text(encoding="utf-8")), encoding="utf-8")
