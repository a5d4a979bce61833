"""Writes the figures of README.md from benchmarks/results/*.json; a test fails when README.md is stale.

    python benchmarks/report.py

    demo.json             summary.json of a finished `minillm demo`, copied
    shakespeare.jsonl     benchmarks/shakespeare.py --json
    training_speed.json   benchmarks/training_speed.py --json
    storyworld.json       benchmarks/storyworld_stats.py --json
"""

import json
import statistics
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- figures: written by benchmarks/report.py -->", "<!-- end of figures -->"


def read(name: str):
    """What a benchmark wrote, or nothing where it has not been run."""
    if not (RESULTS / name).exists():
        return {}
    text = (RESULTS / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if name.endswith("l") else json.loads(text)


def figures() -> str:
    """The section as Markdown."""
    world, demo, speed = read("storyworld.json"), read("demo.json"), read("training_speed.json")
    lines = [
        "All measured on one machine with two cores (AVX2, no GPU).", "",
        f"- **Story world**: {world['words_per_story']:.0f} words and {world['entropy']:.1f} nats a story, exactly "
        f"({world['entropy_per_word']:.2f} nats a word); a trigram model needs {world['trigram'] / world['entropy']:.2f} times the floor.",
        f"- **`make demo`**: {demo['tokens']:,} tokens in {demo['seconds']:.0f} s of training; "
        f"{demo['nats_per_document']:.1f} nats a story against a floor of {demo['floor_per_document']:.1f} "
        f"({100 * demo['above_floor']:+.1f}%).",
    ]
    for record in read("shakespeare.jsonl"):
        named = ", ".join(f"{k} {v}" for k, v in record["settings"].items()) or "defaults"
        losses = record["losses"]
        lines.append(f"- **Tiny shakespeare**, character level, at nanoGPT's CPU budget ({named}): "
                     f"{statistics.mean(losses):.3f} nats a character, mean of {len(losses)} "
                     f"seed{'s' if len(losses) > 1 else ''} ({', '.join(f'{loss:.3f}' for loss in losses)}).")
    if not speed:
        return "\n".join(lines)
    lines += ["- **Training speed** against PyTorch (medians of interleaved rounds in one run, AdamW):", "",
              "  | size | contender | tokens/s | ratio |", "  |---|---|---:|---:|"]
    for size, contenders in speed.items():
        base = statistics.median(contenders["pytorch, compiled"])
        for name, values in contenders.items():
            median = statistics.median(values)
            lines.append(f"  | {size} | {name} | {median:,.0f} | {median / base:.2f} |")
    return "\n".join(lines)


def with_figures(readme: str) -> str:
    """README.md with its figures made anew."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{figures()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_figures(path.read_text(encoding="utf-8")), encoding="utf-8")
