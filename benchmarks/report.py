"""Writes what README.md and docs/pages/benchmarks.md show of benchmarks/results/*.json; a test fails where they are stale.

    python benchmarks/report.py

    demo.json             summary.json of a finished `minillm demo`, copied
    init_ablation.json    benchmarks/init_ablation.py --json
    shakespeare.jsonl     benchmarks/shakespeare.py --json, a call for each recipe
    decoding_speed.json   benchmarks/decoding_speed.py --json
    decoding_cost.json    benchmarks/decoding_cost.py --json
    training_speed.json   benchmarks/training_speed.py --json
    training_variants.json  benchmarks/training_variants.py --json
    numpy_training.json   benchmarks/numpy_training.py --before FOLDER --json, for each --threads
    nanogpt_race.json     benchmarks/nanogpt_race.py --json
    nanogpt_recipe.jsonl  benchmarks/shakespeare.py --json, a call for each short recipe
    python_docs.json      benchmarks/python_docs.py
    storyworld.json       benchmarks/storyworld_stats.py --json
    quantization.json     benchmarks/quantization.py --json
    real_quantization.json  benchmarks/real_quantization.py --json
    int8_speed.json       benchmarks/int8_speed.py --json
    fewer_bits.json       benchmarks/fewer_bits.py --json (not here: in the tables of lessons 11 and 12)
    distillation.json     benchmarks/distillation.py --json
    on_policy.json        benchmarks/on_policy.py --json (not here: in the tables of lesson 13)
    on_policy_gentle.json  benchmarks/on_policy.py --plan gentle --json
    speculative.json      benchmarks/speculative.py --json (not here: in the tables of lesson 13)
    teacher.json          benchmarks/teacher.py --json
    near_floor.json       the command that it holds, and summary.json of that run
    two_humps.json        benchmarks/two_humps.py --json
    inspection_cost.json  benchmarks/inspection_cost.py --json
    planted_heads.json    benchmarks/planted_heads.py --json
    tuning.json           benchmarks/tuning.py --json
    grades.json           benchmarks/grades.py
    lora_smollm2.json     benchmarks/lora_smollm2.py
    real_checkpoint.json  benchmarks/real_checkpoint.py (rows are kept that are not measured again)
    cost.json             benchmarks/cost.py (--decode measures writing too)
    scaling.json          benchmarks/scaling.py --json
    rate_transfer.json    benchmarks/rate_transfer.py --json
"""

import ast
import json
import math
import re
import statistics
import textwrap
from pathlib import Path

from minillm.course import pictures
from minillm.course.lessons import all_lessons
from minillm.course.pages import reading_minutes, source_of
from minillm.text.storyworld import RECIPE

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "assets" / "whole.svg"
BLOCK = "<!-- {name}: written by benchmarks/report.py -->\n{text}\n<!-- end of {name} -->"


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
              "4 layers of 128, 2000 steps of 12 x 64), means of three seeds with their standard deviation; random is the default, "
              f"{RECIPE['o_proj_init_gain']:g} x the transpose of v_proj the recipe for stories:", "", "  | o_proj starts as | stories, above the floor | shakespeare, nats a character |",
              "  |---|---:|---:|"]
    for name, tasks in read("init_ablation.json").items():
        stories, letters = tasks["above_floor"], tasks["shakespeare"]
        lines.append(f"  | {name} | {100 * statistics.mean(stories):.1f}% ± {100 * statistics.stdev(stories):.1f} | "
                     f"{statistics.mean(letters):.3f} ± {statistics.stdev(letters):.3f} |")
    lines += ["", *shakespeare()]
    lines += race(read("nanogpt_race.json"))
    lines += python_docs()
    if not speed:
        return "\n".join(lines)
    lines += ["- **Training speed** against PyTorch (medians of interleaved rounds in one run, AdamW):", "",
              "  | size | contender | tokens/s | ratio |", "  |---|---|---:|---:|"]
    for size, contenders in speed.items():
        base = statistics.median(contenders["pytorch, compiled"])
        for name, values in contenders.items():
            median = statistics.median(values)
            lines.append(f"  | {size} | {name} | {median:,.0f} | {median / base:.2f} |")
    lines += numpy_training(read("numpy_training.json"))
    lines += training_variants()
    lines += ["", "- **Decoding speed**, greedy, 200 tokens, one text where no number of texts is "
              "named (medians of interleaved rounds in one run; random weights in the shapes of "
              "the TinyLlamas and of SmolLM2-135M):", "",
              "  | parameters | contender | tokens/s | ratio |", "  |---|---|---:|---:|"]
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
    return "\n".join(lines + quantization() + real_quantization() + int8_speed()
                     + distillation(read("distillation.json")) + teachers() + inspection()
                     + real_checkpoint()
                     + tuning() + rewards() + lora_smollm2() + costs() + scaling()
                     + rate_transfer())


def training_variants() -> list[str]:
    """What was tried to make training faster, each against what minillm does."""
    found = read("training_variants.json")
    if not found:
        return []
    machine, sizes = found["machine"], [name for name in found if name not in ("machine", "about")]
    lines = ["", f"- **What was tried to train faster** ({machine['processor']}, "
             f"{machine['cores']} cores; `benchmarks/training_variants.py`): tokens per second "
             "over those of minillm as it is, medians of rounds in turn with the lowest and highest; "
             "the first loss of each is the same:", "",
             f"  | variant | what it does | {' | '.join(sizes)} |",
             "  |---|---|" + "---:|" * len(sizes)]
    for name, about in found["about"].items():
        cells = (f"{found[size][name]['ratio']:.2f} ({found[size][name]['lowest']:.2f} to "
                 f"{found[size][name]['highest']:.2f})" for size in sizes)
        lines.append(f"  | {name} | {about} | {' | '.join(cells)} |")
    return lines


def numpy_training(results) -> list[str]:
    """The NumPy twin's training before its arrays were reused, and now."""
    if not results:
        return []
    busy = "; seconds of the processor" * (results["clock"] == "process_time")
    lines = ["", f"- **Training in NumPy** ({results['machine']['processor']}{busy}; medians of "
             "interleaved rounds in one run): as it was at commit `e528771`, as it is, and the "
             "share of a step's time that its matrix products take by themselves:", "",
             "  | recipe | threads of BLAS | tokens/s before | now | times | share of products |",
             "  |---|---:|---:|---:|---:|---:|"]
    for threads, sizes in results["threads"].items():
        for size, rates in sizes.items():
            before, now = (statistics.median(rates[kind]) for kind in ("before", "now"))
            times = statistics.median(b / a for a, b in zip(rates["before"], rates["now"]))
            share = statistics.median(a / b for a, b in zip(rates["now"], rates["products"]))
            lines.append(f"  | {size} | {threads} | {before:,.0f} | {now:,.0f} | {times:.2f} | "
                         f"{share:.0%} |")
    return lines


def costs() -> list[str]:
    """Published costs beside those of `minillm cost`, and predicted beside measured writing."""
    results = read("cost.json")
    if not results:
        return []
    lines = ["", "- **Published costs, computed again** (`benchmarks/cost.py`): hours of GPUs are "
             "the papers'; energy is hours x watts x PUE, CO2 is energy x the grid's grams. Llama 2's "
             "paper names neither PUE nor grid: its tonnes follow from LLaMA's. The last column is "
             "what the operations of `minillm cost` are of an A100's peak in those hours.", "",
             "  | model | GPU hours | MWh | published | t CO2 | published | difference | of the peak |",
             "  |---|---:|---:|---:|---:|---:|---:|---:|"]
    for row in results["published"]:
        mwh = "" if row["published_mwh"] is None else f"{row['published_mwh']:,.0f}"
        peak = f"{row['sustained']:.0%}" if "sustained" in row else ""
        lines.append(
            f"  | {row['model']} | {row['gpu_hours']:,} | {row['mwh']:,.1f} | {mwh} | "
            f"{row['co2']:.2f} | {row['published_co2']:g} | "
            f"{100 * (row['co2'] / row['published_co2'] - 1):+.2f}% | {peak} |")
    if "decoding" in results:
        processor = results["decoding"]["machine"]["processor"]
        lines += ["", f"- **Writing, predicted and measured** ({processor}, float32, one text, "
                  "random weights): bandwidth / bytes of the weights, beside tokens/s.", "",
                  "  | parameters | GB/s of the machine | predicted | NumPy | JAX |",
                  "  |---|---:|---:|---:|---:|"]
        for row in results["decoding"]["rows"]:
            twins = " | ".join(f"{row[twin]:,.0f} ({row[twin] / row['predicted'] - 1:+.0%})"
                               for twin in ("numpy", "jax"))
            lines.append(f"  | {row['model']} | {row['bandwidth'] / 1e9:.1f} | "
                         f"{row['predicted']:,.0f} | {twins} |")
    return lines


def scaling() -> list[str]:
    """Losses by size and tokens, the law, its prediction, the frontier, and repeated text."""
    found = read("scaling.json")
    if "largest" not in found:
        return []
    about, predicted, largest = found["setting"], found["predicted"], found["largest"]
    grid = {(run["N"], run["D"]): run for run in found["grid"]}
    sizes, lengths = (sorted({at[i] for at in grid}) for i in (0, 1))
    lines = ["", "- **A scaling law whose irreducible loss is known** (`benchmarks/scaling.py`; "
             f"{about['machine']['processor']}, one shared core, {about['minutes']:.0f} minutes): "
             f"models of two layers on stories that never repeat, held-out nats a token; in "
             "brackets the multiple of the default rates, the best of those that were tried. The "
             f"floor of these stories is {about['floor']:.4f}, the exact entropy of the story "
             f"world {about['entropy']:.4f}:", "",
             "  | parameters without the embedding | " + " | ".join(
                 f"{D:,} tokens" for D in lengths) + " |", "  |---:|" + "---:|" * len(lengths)]
    lines += [f"  | {N:,} | " + " | ".join(
        f"{grid[N, D]['loss']:.4f} ({grid[N, D]['factor']:g})" if (N, D) in grid else ""
        for D in lengths) + " |" for N in sizes]
    rates = {}
    for run in found["runs"].values():
        if (run["seed"], run["epochs"]) == (0, 1) and run != largest:
            rates.setdefault((run["N"], run["D"]), {})[run["factor"]] = run["loss"]
    rates = {at: losses for at, losses in rates.items() if len(losses) > 2}
    factors = sorted({factor for losses in rates.values() for factor in losses})
    lines += ["", "  No one rate is good for all of them:", "",
              "  | parameters | tokens | " + " | ".join(f"rates x {x:g}" for x in factors) + " |",
              "  |---:|---:|" + "---:|" * len(factors)]
    lines += [f"  | {N:,} | {D:,} | " + " | ".join(
        f"{losses[x]:.4f}" if x in losses else "" for x in factors) + " |"
        for (N, D), losses in sorted(rates.items())]
    fits = {name: fit for name, fit in predicted.items() if isinstance(fit, dict)}
    lines += ["", "  L = E + A / N^a + B / D^b, with 95% intervals of the residual bootstrap, and "
              f"the loss of a model of {predicted['N']:,} parameters after {predicted['D']:,} "
              "tokens, written down before it was trained (interval: of one run):", "",
              "  | fitted to | E | a | b | predicted | trained |",
              "  |---|---:|---:|---:|---:|---:|"]
    for name, fit in fits.items():
        excess = about["floor"] if name.startswith("of the excess") else 0.0
        E = [excess + x for x in fit["law"]["E"]]
        lines.append(f"  | {name} | {bounds(E, 3)} | {bounds(fit['law']['a'], 2)} | "
                     f"{bounds(fit['law']['b'], 2)} | {bounds(fit['loss'], 4)} | "
                     f"{largest['loss']:.4f} |")
    if fits["all runs"]["loss"][0] < about["floor"]:
        lines += ["", "  The law of all runs promises a loss below the floor, which no model can "
                  "reach: it is refuted before the model is trained."]
    lines += ["", "  The best size for a given compute C = 6 N D grows as C to this power; and the "
              "best size at the compute of the largest model:", "",
              "  | read from | power | best N |", "  |---|---:|---:|"]
    lines += [f"  | {name} | {bounds(way['exponent'], 2)} | {bounds(way['best N'], 0)} |"
              for name, way in found["frontier"].items()]
    if "lowest of the runs" not in found["frontier"]:
        lines += ["", "  The lowest of the runs is one of the inner sizes at too few budgets for a "
                  "power (approach 1 of arXiv:2203.15556, section 3)."]
    rows, seeds = found.get("repetition"), found.get("seeds")
    if rows:
        lines += ["", f"  The same {rows[0]['D']:,} tokens from fewer stories ({rows[0]['N']:,} "
                  "parameters; worth: fresh tokens that give the same loss):", "",
                  "  | epochs | stories | nats a token | above the floor | worth |",
                  "  |---:|---:|---:|---:|---:|"]
        lines += [f"  | {row['epochs']} | {row['stories']:,} | {row['loss']:.4f} | "
                  f"{row['above_floor']:+.1%} | " +
                  f"{worth(row, rows[0])} |" for row in rows]
    if seeds:
        losses = [run["loss"] for run in seeds]
        lines += ["", f"  {len(losses)} seeds of {seeds[0]['N']:,} parameters and "
                  f"{seeds[0]['D']:,} tokens: {statistics.mean(losses):.4f} ± "
                  f"{statistics.stdev(losses):.4f}."]
    return lines


def worth(row: dict, fresh: dict) -> str:
    """How many fresh tokens give the same loss."""
    if row["worth"] is not None:
        return f"{row['worth']:,.0f}"
    return "as many" if row["loss"] <= fresh["loss"] else "fewer than any run"


def bounds(values: list[float], digits: int) -> str:
    """"1.23 (1.00 to 1.50)"."""
    value, low, high = (f"{x:,.{digits}f}" for x in values)
    return f"{value} ({low} to {high})"


def rate_transfer() -> list[str]:
    """The best rate of each depth of the dial, and what another depth's best costs there."""
    found = read("rate_transfer.json")
    if "seeds" not in found:
        return []
    about = found["setting"]
    lines = ["", "- **Does one rate serve the dial?** (`benchmarks/rate_transfer.py`; "
             f"{about['machine']['processor']}, one shared core, {about['minutes']:.0f} minutes): "
             f"{about['steps']} steps of {about['batch']} x {about['context']} tokens of stories, "
             f"rates in multiples of the default ones. muP is the same model at depth "
             f"{about['base']}. Lowest: of the parabola through the best rate and its neighbours, "
             f"factors of 2 apart. Held-out nats a token:", "",
             "  | optimizer, way | depth | best rate | lowest at | loss there | "
             f"at depth {about['base']}'s best | costs |", "  |---|---:|---:|---:|---:|---:|---:|"]
    for name, rows in found["found"].items():
        for depth, row in rows.items():
            best, kept = (row["losses"][f"{row[key]:g}"] for key in ("best", "kept"))
            kept = math.inf if kept is None else kept
            lines.append(f"  | {name} | {depth} | {row['best']:g} | {row['lowest at']:.2f} | "
                         f"{best:.4f} | {kept:.4f} | {kept - best:+.4f} |")
    lines += ["", "  Seeds of the default optimizer at its best rates:", "",
              "  | optimizer, way, depth, rate | seeds | nats a token |", "  |---|---:|---:|"]
    lines += [f"  | {name} | {len(losses)} | {statistics.mean(losses):.4f} ± "
              f"{statistics.stdev(losses):.4f} |"
              for name, losses in found["seeds"].items()]
    return lines


def tuning() -> list[str]:
    """What a demo's model learns to answer, whole and by LoRA, and what it forgets."""
    found = read("tuning.json")
    if not found.get("runs"):
        return []
    before, runs, machine = found["before"], found["runs"], found["machine"]
    lines = ["", f"- **Tuning a demo's model** ({machine['processor']}, {machine['cores']} cores; "
             "`benchmarks/tuning.py`): right answers to held-out questions, and what a held-out "
             f"story costs ({before['nats_per_story']:.1f} nats before); means ± standard "
             "deviation over seeds:", "",
             "  | task | trained | seeds | steps | seconds | right before | right after | by kind | "
             "nats a story |", "  |---|---|---:|---:|---:|---:|---:|---|---:|"]
    for task, method in dict.fromkeys(tuple(name.split("/")[:2]) for name in runs):
        some = [run for name, run in runs.items() if name.startswith(f"{task}/{method}/")]
        right = spread([100 * run["accuracy"] for run in some], "%")
        kinds = ", ".join(f"{kind} {statistics.mean(run['by_kind'][kind] for run in some):.0%}"
                          for kind in some[0]["by_kind"])
        lines.append(f"  | {task} | {TRAINED[method]} | {len(some)} | {some[0]['steps']:,} | "
                     f"{statistics.mean(run['seconds'] for run in some):.0f} | "
                     f"{before[task]['accuracy']:.1%} | {right} | {kinds} | "
                     f"{spread([run['nats_per_story'] for run in some])} |")
    return lines


TRAINED = {"sft": "everything", "lora": "LoRA, rank 8", "early": "everything, stopped early",
           "grpo": "everything, GRPO from there", "high": "everything, at the desk's rates",
           **{f"replay{share}": f"everything, {share}% of the rows are stories of before"
              for share in (10, 25, 50)}}


def rewards() -> list[str]:
    """What grades teach a model that is often wrong: four ways from one."""
    found = read("grades.json")
    if not found:
        return []
    runs = found["runs"]
    seeds = sum(name.startswith("first/") for name in runs)
    lines = ["", "- **Learning from grades** (`benchmarks/grades.py`): lesson 17's model and "
             f"questions, {found['steps']} steps of each way, which read equally many answers; "
             "right is the exact probability of the right answers, KL is from the first model; "
             f"means ± standard deviation over {seeds} seeds:", "",
             "  | way | right at temperature 1 | most probable answer right | pass@8 | KL (nats) | "
             "seconds |", "  |---|---:|---:|---:|---:|---:|"]
    for way, about in WAYS.items():
        some = [run for name, run in runs.items() if name.startswith(f"{way}/")]
        right, greedy, at_8 = (spread([100 * run[what] for run in some], "%")
                               for what in ("right", "greedy", "pass_at_8"))
        seconds = ("" if way == "first"
                   else f"{statistics.mean(run['seconds'] for run in some):.0f}")
        lines.append(f"  | {about} | {right} | {greedy} | {at_8} | "
                     f"{statistics.mean(run['kl'] for run in some):.2f} | {seconds} |")
    return lines + sharpened()


def sharpened() -> list[str]:
    """What GRPO makes of two models that are right half of the time, for two reasons."""
    found = read("rewards.json")
    if not found:
        return []
    runs, setting = found["runs"], found["setting"]
    lines = ["", "- **GRPO on two-digit sums by steps** (`benchmarks/rewards.py`, a demo's model): "
             f"{setting['steps']} steps of {setting['answers']} answers, from two first models: "
             "sft that was stopped before the model knew its digits, and whole sft on answers most "
             "of which forget every carry. Alike is the mean cosine between the gradients of "
             f"{BATCHES} batches of answers to different questions, and to the same ones. Unseen "
             "questions, means ± standard deviation over seeds:", "",
             "  | first model | seeds | most probable answer right, before | after | samples right, "
             "before | after | alike, other questions | the same |",
             "  |---|---:|---:|---:|---:|---:|---:|---:|"]
    for start, about in (("early", "stopped early"), ("careless", "learned to forget carries")):
        first, last = ([run for name, run in runs.items() if name.startswith(f"{way}/")]
                       for way in (start, f"grpo from {start}"))
        if last:
            right = [spread([100 * run[what] for run in some], "%")
                     for what in ("accuracy", "samples_right") for some in (first, last)]
            other, same = (statistics.mean(run["alike"][what] for run in first)
                           for what in ("other", "same"))
            lines.append(f"  | {about} | {len(last)} | {' | '.join(right)} | {other:.2f} | "
                         f"{same:.2f} |")
    return lines


BATCHES = 8                                                 # of benchmarks/rewards.py
WAYS = {"first": "the first model", "grpo": "GRPO, on its own answers of that step",
        "rejection": "sft on the first model's right answers (rejection sampling)",
        "dpo": "DPO on the first model's pairs", "pairs": "sft on the right answers of the pairs"}


def spread(values: list[float], unit: str = "", digits: int = 1) -> str:
    """Mean and, of several, standard deviation."""
    mean = f"{statistics.mean(values):.{digits}f}{unit}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def lora_smollm2() -> list[str]:
    """What a LoRA of SmolLM2 takes and gives, beside peft."""
    found = read("lora_smollm2.json")
    if not found:
        return []
    machine, tune, after = found["machine"], found["tune"], found["after"]
    first, last = after["forgetting"]["held_out"]
    lines = ["", f"- **SmolLM2-135M by LoRA on the service desk** ({machine['processor']}, "
             f"{machine['cores']} cores): rank {found['rank']}, {found['steps']} steps of "
             f"{found['rows']} rows of {found['context']} tokens, {tune['seconds']:.0f} s in all, "
             f"at most {tune['peak_bytes'] / 1e9:.2f} GB. Right answers to {after['answers']} "
             f"held-out questions: {found['before']['accuracy']:.1%} before, "
             f"{after['accuracy']:.1%} after. Loss on {found['text_tokens']:,} tokens of Python's "
             f"documentation: {first:.4f} before, {last:.4f} after. On one device and with "
             f"--recompute it takes {found['least']['peak_bytes'] / 1e9:.2f} GB. Steps in turn "
             "with peft:", "",
             "  | who | tokens/s | over peft | peak memory (MB) |", "  |---|---:|---:|---:|"]
    rates = {name: statistics.median(one["tokens_per_second"])
             for name, one in found["speed"].items()}
    lines += [f"  | {name} | {rate:,.0f} | {rate / rates['peft']:.2f} | "
              f"{found['speed'][name]['peak_bytes'] / 1e6:,.0f} |" for name, rate in rates.items()]
    return lines


def real_checkpoint() -> list[str]:
    """What a model that people use costs, beside transformers and llama.cpp."""
    lines = []
    for row, about in read("real_checkpoint.json").items():
        machine, found = about["machine"], about["found"]
        written = row == "generate"
        lines += ["", f"- **SmolLM2-135M, {row}** ({machine['processor']}, {machine['cores']} "
                  f"cores; every figure of a process of its own): {REAL[row]}", "",
                  f"  | who | {'tokens/s | over transformers' if written else 'seconds'} | "
                  "peak memory (MB) | |", "  |---|---:|" + "---:|" * (1 + written) + "---|"]
        base = found.get("transformers float32")
        peaks = [run["peak_bytes"] for run in found.values()]
        for name, run in found.items():
            if written:
                rate = statistics.median(run["write"])
                figures = f"{rate:,.1f} | {rate / statistics.median(base['write']):.2f}"
            else:
                figures = f"{run['seconds']:.1f}"
            note = f"loss {run['loss']:.4f}" if "loss" in run else run.get("verdict", "")
            peak = run["peak_bytes"]  # several that are equal: what held their parent process
            lines.append(f"  | {name} | {figures} | {'≤ ' * (peaks.count(peak) > 1)}"
                         f"{peak / 1e6:,.0f} | {note} |")
    return lines


REAL = {"evaluate": "the loss of 2,001 tokens of Python's documentation, compiling included.",
        "inspect": "a page about so many tokens, compilation included.",
        "gptq": "int4-group32 by GPTQ from 16,384 tokens.",
        "first": "from the command to the first token; cold: nothing compiled before.",
        "generate": "48 new tokens after 64, medians of rounds in which everyone takes a turn."}


def recipes() -> dict[tuple, list[float]]:
    """{(rows, steps, Muon's rate, momentum): losses of the seeds} of tiny shakespeare, nanoGPT's
    batches first."""
    found = {(12, 2000, 0.02, 0.95): read("init_ablation.json")["random"]["shakespeare"]}
    file = RESULTS / "shakespeare.jsonl"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        said = json.loads(line)
        recipe = tuple(said["settings"].get(name, usual) for name, usual in
                       (("batch_size", 12), ("steps", 2000), ("muon_learning_rate", 0.02),
                        ("muon_momentum", 0.95)))
        found.setdefault(recipe, []).extend(said["losses"])
    return found


def shakespeare() -> list[str]:
    """Other recipes for the same tokens of tiny shakespeare, seeds paired."""
    plain, lines = next(iter(recipes().values())), [
        "- **Tiny shakespeare's recipe**, the random start and nanoGPT's 1,536,000 tokens; "
        "differences are means over equal seeds (`benchmarks/shakespeare.py`):", "",
        "  | rows | steps | Muon's peak rate | momentum | seeds | nats a character | against the first |",
        "  |---:|---:|---:|---:|---:|---:|---:|"]
    for (rows, steps, rate, momentum), losses in recipes().items():
        less = statistics.mean(a - b for a, b in zip(losses, plain))
        spread = f" ± {statistics.stdev(losses):.3f}" if len(losses) > 1 else ""
        lines.append(f"  | {rows} | {steps:,} | {rate:g} | {momentum:g} | {len(losses)} | "
                     f"{statistics.mean(losses):.3f}{spread} | {less:+.3f} |")
    return [*lines, ""]


def race(found) -> list[str]:
    """minillm against nanoGPT's shape and recipe, both measured in one run."""
    if not found:
        return []
    ours, theirs = found["minillm"], found["nanoGPT"]
    (loss, other), (seconds, others) = (
        [statistics.mean(way[what]) for way in (ours, theirs)] for what in ("losses", "seconds"))
    return [
        f"- **Against nanoGPT's shape and recipe** at that budget, in PyTorch, means of "
        f"{len(theirs['losses'])} seeds, in turns in one run: nanoGPT reaches {other:.3f} "
        f"in {others:.0f} s; minillm is at {loss:.3f} after {ours['recipe']['steps']} steps, in "
        f"{seconds:.1f} s ({seconds / others:.2f} of the time), besides {ours['compiling']:.0f} s "
        "to compile, once (`benchmarks/nanogpt_race.py`). What was tried, two equal seeds each:", "",
        *short_recipes(), ""]


def short_recipes() -> list[str]:
    """The trials for nanogpt_race.py; among those of equal rows and steps the best first."""
    lines = ["  | rows | steps | AdamW's rate | Muon's rate | momentum | warm-up | decay | beta2 "
             "| nats a character |", "  |---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
    usual = {"batch_size": 12, "steps": 2000, "learning_rate": 0.006, "muon_learning_rate": 0.02,
             "muon_momentum": 0.95, "warmup_steps": 50, "weight_decay": 0.1, "beta2": 0.99}
    tried = [json.loads(line) for line in
             (RESULTS / "nanogpt_recipe.jsonl").read_text(encoding="utf-8").splitlines()]
    tried = [(usual | trial["settings"], trial["losses"]) for trial in tried]
    for settings, losses in sorted(tried, key=lambda trial: (
            trial[0]["batch_size"], trial[0]["steps"], statistics.mean(trial[1]))):
        said = " | ".join(f"{settings[name]:g}" for name in usual)
        lines.append(f"  | {said} | {statistics.mean(losses):.3f} ± {statistics.stdev(losses):.3f} |")
    return lines


def python_docs() -> list[str]:
    """Bits per byte of Python's documentation, beside transformers' LLaMA, PPM and xz."""
    found = [each for each in map(read, ("python_docs.json", "python_docs_nano.json"))
             if "best" in each]                                  # those that are through
    if not found:
        return []
    setting = found[0]["setting"]
    assert all(each["setting"]["fingerprint"] == setting["fingerprint"] for each in found)
    (documents, held_out), (size, held_out_size) = setting["documents"], setting["bytes"]
    return [
        f"- **Real English that every machine has**: {setting['text']}, {documents:,} documents of "
        f"{size:,} bytes to learn from and {held_out:,} of {held_out_size:,} held out "
        f"(`benchmarks/python_docs.py`, which says what each is given). Both models read the same "
        "rows in the same order. Means ± standard "
        f"deviation over seeds. Of the held-out bytes, {setting['repeated']:.0%} are in stretches "
        f"of {setting['repeat']} or more that the training text has word for word; *new* is of the "
        "others. CPU seconds, compilation included, are of one core of a machine that was busy "
        "with other work, so they are no comparison of speed.",
        *(line for each in found for line in of_python_docs(each))]


def of_python_docs(found: dict) -> list[str]:
    """The table of one size of the models."""
    setting, runs = found["setting"], found["runs"]

    def of(who):
        return [run for name, run in runs.items() if name.split("/")[0] == who]

    def mean(figures, what):
        values = [figure[what] for figure in figures if what in figure]
        spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.3f}{spread}" if values else ""

    def row(who, says, figures=None):
        some = of(who)
        seconds = statistics.mean(run["cpu_seconds"] for run in some)
        seeds = len(some) if f"{who}/0" in runs else ""
        columns = (mean(figures or some, what) for what in ("bits_per_byte", "new"))
        return f"  | {says} | {seeds} | {' | '.join(columns)} | {seconds:.0f} |"

    rates = {name.split("/")[0]: float(name.split("/")[0].split()[1]) for name in runs
             if name.startswith("transformers")}
    best, ppm = f"transformers {found['best']['rate']:g}", f"PPM order {found['best']['order']}"
    others = sorted(rates.keys() - {best}, key=rates.get)
    less = [{what: ours[what] - theirs[what] for what in ("bits_per_byte", "new")}
            for ours, theirs in zip(of("minillm"), of(best))]
    return [
        "", f"  Models of {setting['parameters']:,} parameters (`--model {setting['model']}`) that "
        f"read {setting['tokens']:,} tokens, the text {setting['epochs']:.1f} times:", "",
        "  | who | seeds | bits per byte | new | CPU seconds |", "  |---|---:|---:|---:|---:|",
        row("minillm", "minillm, JAX, the default recipe (Muon)"),
        row(best, f"LLaMA of transformers, PyTorch, AdamW at {rates[best]:g}"),
        *(row(who, f"the same at {rates[who]:g}") for who in others),
        row(ppm, f"{ppm}, which learns on from the held-out text"),
        row(ppm, f"{ppm}, which does not", [run["frozen"] for run in of(ppm)]),
        row("xz -9", "xz -9, which has both texts in its window"), "",
        f"  minillm less transformers, seeds paired: {mean(less, 'bits_per_byte')} bits per byte, "
        f"new {mean(less, 'new')}.", ""]


def quantization() -> list[str]:
    """What fewer bits cost, a table of schemes and models, and what happens to planted outliers."""
    models = read("quantization.json")
    if not models:
        return []
    sizes = sorted(models, key=lambda name: models[name]["parameters"])
    heads = " | ".join(f"{name} ({models[name]['parameters'] / 1e6:.2f}M)" for name in sizes)

    def table(title, *parts):
        found = ["", title, "", f"  | scheme, method | {heads} |", "  |---|" + "---:|" * len(sizes)]
        runs = dict.fromkeys((part, row["scheme"], row["method"]) for name in sizes for part in parts for row in models[name].get(part, []))
        for part, scheme, method in runs:
            cells = []
            for name in sizes:
                row = next((r for r in models[name].get(part, []) if (r["scheme"], r["method"]) == (scheme, method)), None)
                cells.append("" if row is None else f"{row['difference']:+.4f} ± {row['standard_error']:.4f}")
            found.append(f"  | {scheme}, {method} | {' | '.join(cells)} |")
        return found

    smallest = {row["scheme"]: row["of_float32"] for name in sizes for row in models[name].get("rounded", [])}
    tokens = ", ".join(f"{models[name]['planted'][0]['tokens']:,} ({name})" for name in sizes)
    return ["", "- **Fewer bits**: the change of the held-out loss in nats a token, with its paired standard error over texts; tokens "
            f"measured with planted outliers: {tokens}. stories260K reads benchmarks/data/stories.txt, the others held-out stories of their own. "
            "`-zero`: with a zero point; `-a8`: activations are int8 too. Of float32, on the largest model that was measured with it: "
            + ", ".join(f"{name} {share:.3f}" for name, share in smallest.items() if not name.endswith("a8")) + ".",
            *table("  Rounded to nearest:", "rounded"),
            *table("  Calibrated (stories260K: on the first half of the text, all measured on the second half):", "calibrated"),
            *table("  One channel of every norm times 1024, undone by the matrices behind it, so that the float model is the same "
                   "(arXiv:2208.07339, arXiv:2211.10438):", "planted")]


def real_quantization() -> list[str]:
    """What four bits with a smallest number cost stories260K, and every scheme SmolLM2-135M: the
    rows that were run."""
    found = read("real_quantization.json")
    if not found:
        return []
    lines = ["", "- **Four bits with a smallest number of each group** (`int4-group32-min`, "
             "llama.cpp's Q4_1), searched for the smallest error, on stories260K as in the table of "
             "calibrated rows:", "",
             "  | scheme, method | embedding | bits per weight | loss |", "  |---|---|---:|---:|"]
    lines += [f"  | {row['scheme']}, {row['method']} | {row['embedding'] or 'the same'} | "
              f"{row['bits_per_weight']:.2f} | {change(row)} |" for row in found["stories260K"]]
    rows = found["rows"]
    if len(rows) < 2:
        return lines
    lines += ["", "- **SmolLM2-135M on Python's documentation** "
              f"({found['tokens']:,} tokens, Python {found['python']}), calibrated on "
              f"{found['calibration_tokens']:,} others: the change of the loss. Its file is Q4_1 "
              "and its numbers lie on that grid; in `mixed`, the same numbers come in another "
              "order, in which no group has a grid. CPU seconds and peak memory are of loading and "
              "quantizing. llama.cpp also rounds the activations of every product.", "",
              "  | | bits per weight | loss | CPU seconds | peak, MB |",
              "  |---|---:|---:|---:|---:|"]
    columns = (("bits_per_weight", 1, 2), ("cpu_seconds", 1, 0), ("peak_bytes", 1e6, 0))
    for name, row in rows.items():
        bits, seconds, peak = (f"{row[key] / unit:.{digits}f}" if key in row else ""
                               for key, unit, digits in columns)
        lines.append(f"  | {name} | {bits} | {change(row)} | {seconds} | {peak} |")
    return lines


def change(row) -> str:
    """"+0.0123 ± 0.0045"."""
    return f"{row['difference']:+.4f} ± {row['standard_error']:.4f}"


def int8_speed() -> list[str]:
    """Decoding in int8 beside float32."""
    sizes = read("int8_speed.json")
    if not sizes:
        return []
    lines = ["", "- **Decoding in int8** (medians of interleaved rounds, batch 1, greedy, random weights; `-a8`: activations are int8 "
             "too; memory: the most that the process held, compilation and loading included; the NumPy processes have no JAX; "
             "plain C: `benchmarks/plain_llama.c`, the loops of llama2.c's `runq`, a scale for 32 numbers, 64 at 110M):", "",
             "  | parameters | contender | tokens/s | over float32 of the same twin | memory (MB) |", "  |---|---|---:|---:|---:|"]
    for size, found in sizes.items():
        speeds = {name: statistics.median(values) for name, values in found["tokens_per_second"].items()}
        for name, speed in speeds.items():
            base = speeds.get(f"{name.split()[0]} float32")
            memory = found["peak_megabytes"].get(name)
            lines.append(f"  | {size} | {name} | {speed:,.0f} | {f'{speed / base:.2f}' if base else ''} | {f'{memory:,.0f}' if memory else ''} |")
    return lines


def distillation(found: dict) -> list[str]:
    """Lines about benchmarks/distillation.py: the comparison, how much of the gap is closed, what each model costs."""
    if not found:
        return []
    setting, runs = found["setting"], found["runs"]

    def of(arm, data, what="nats"):
        return [runs[f"{data}/{arm}/{seed}"][what] for seed in range(100) if f"{data}/{arm}/{seed}" in runs]

    seeds = len(of("data", "3%"))
    if any(len(of(arm, data)) < 3 for arm in ("data", "soft") for data in ("3%", "100%")):
        return []                                                # two seeds are no comparison: the benchmark is not through

    def cell(arm, data):
        values, best = of(arm, data), of(arm, data, "best")
        if not values:
            return " | "
        spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
        fewer = "" if len(values) == seeds else f", {len(values)} seed{'s' * (len(values) > 1)}"
        return (f"{statistics.mean(values):.1f}{spread} ({statistics.mean(best):.1f}{fewer}) | "
                f"{100 * statistics.mean(of(arm, data, 'valid')):.0f}%")

    arms = list(dict.fromkeys(name.split("/")[1] for name in runs if "," not in name))
    stories = setting["stories"]
    lines = ["", f"- **Distillation** on the story world: a teacher of {setting['teacher_parameters']:,} parameters, a student of "
             f"{setting['student_parameters']:,}, {setting['tokens']:,} tokens, {seeds} seeds. Nats a held-out story, mean ± standard "
             f"deviation (in brackets at the best evaluation); floor {setting['floor']:.1f}, teacher {setting['teacher']:.1f}. And the share "
             f"of the stories it writes that the grammar could have written; teacher {100 * setting['teacher_valid']:.0f}%:", "",
             f"  | student learns from | all {stories['100%']:,} stories | possible | 3%: {stories['3%']:,} stories | possible |",
             "  |---|---:|---:|---:|---:|"]
    lines += [f"  | {arm} | {cell(arm, '100%')} | {cell(arm, '3%')} |" for arm in arms]
    lines += [""] + [f"  {line}" for line in gaps(setting, of)]
    lost = [run["lost_mass"] for run in runs.values() if "lost_mass" in run]
    if lost:
        lines += ["", f"  Soft targets and reverse KL learn from the teacher's top 32, kept on disk; they leave out {100 * max(lost):.2f}% of "
                  f"the probability. Equal compute (more data) is {setting['compute_ratio']:.2f} times the steps."]
    others = [name for name in runs if "," in name]
    if others:
        lines += ["", "  Settings, one seed: " + "; ".join(
            f"{name.split('/')[1]} ({name.split('/')[0]}) {runs[name]['nats']:.1f}" for name in others) + "."]
    if "cost" in found:
        lines += ["", "- **What a model costs** (greedy, one text at a time):", "", "  | model | parameters | bytes | nats a story | "
                  "tokens/s (numpy) | tokens/s (jax) |", "  |---|---:|---:|---:|---:|---:|"]
        lines += [f"  | {name} | {row['parameters']:,} | {row['bytes']:,} | {row['nats']:.1f} | {row['tokens_per_second_numpy']:,.0f} | "
                  f"{row['tokens_per_second_jax']:,.0f} |" for name, row in found["cost"].items()]
    if "training" in found:
        lines += ["", "  Training the student, tokens/s: " + ", ".join(
            f"{name} {speed:,.0f}" for name, speed in found["training"].items()) + "."]
    return lines


def teachers() -> list[str]:
    """What it costs that a model writes possible stories."""
    found = read("teacher.json")
    if not found:
        return []
    written = found["setting"]["written"]
    lines = ["", "- **Teachers whose stories are possible** (`benchmarks/teacher.py`, one core): "
             f"of {written:,} stories of each, the share that the grammar could have written; the "
             "text never repeats; mean ± standard deviation of the seeds:", "",
             "  | run | parameters | tokens | seeds | CPU minutes | nats a story | above the floor "
             "| possible | at T = 0.8 |", "  |---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for name, rows in of_each(found["runs"]).items():
        above = [100 * row["above_floor"] for row in rows]
        minutes = statistics.mean(row["cpu_minutes"] for row in rows if row["cpu_minutes"])
        lines.append(f"  | {name} | {rows[0]['parameters']:,} | {rows[0]['tokens']:,} | "
                     f"{len(rows)} | {minutes:.1f} | "
                     f"{spread([row['nats'] for row in rows])} | {spread(above, '%', 2)} | "
                     + possible(rows, written))
    near = read("near_floor.json")
    if near:
        lines += ["", f"  The preset nano with such rates, by the command alone, one seed: "
                  f"{near['above_floor']:.2%} above the floor after {near['tokens']:,} tokens and "
                  f"{near['cpu_minutes']:.0f} CPU minutes (`{near['command']}`)."]
    for row in found.get("drafts", []):
        if row["ahead"] == 4:
            found["students"][row["draft"]]["accepted"] = 100 * row["accepted"]
    return lines + students(found["students"], written) + onward("gentle") + onward("late")


def of_each(rows: dict) -> dict[str, list[dict]]:
    """{name: the rows of its seeds} of {"name/seed": row}."""
    names = dict.fromkeys(key.rsplit("/", 1)[0] for key in rows)
    return {name: [row for key, row in rows.items() if key.rsplit("/", 1)[0] == name]
            for name in names}


def possible(rows: list[dict], written: int) -> str:
    """Two cells of a table: possible stories at temperature 1 and at 0.8."""
    return " | ".join(spread([100 * row[key] / written for row in rows], "%")
                      for key in ("possible", "cool")) + " |"


def students(rows: dict, written: int) -> list[str]:
    """What a teacher's students are worth, of the seeds of each."""
    lines = ["", "  Students of the last one, of seed 0, mean ± standard deviation of the seeds "
             "(*words*: how many the grammar reads before it stops; *accepted*: of its drafts of "
             "four tokens, by the teacher, at temperature 1, in eight texts):", "",
             "  | student | parameters | tokens | seeds | nats a story | words | accepted | possible "
             "| at T = 0.8 |", "  |---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for name, seeds in of_each(rows).items():
        lines.append(f"  | {name} | {seeds[0]['parameters']:,} | {seeds[0]['tokens']:,} | "
                     f"{len(seeds)} | {spread([row['nats'] for row in seeds])} | "
                     f"{spread([row['words'] for row in seeds])} | "
                     f"{spread([row['accepted'] for row in seeds], '%')} | " + possible(seeds, written))
    return lines


def onward(plan: str) -> list[str]:
    """Reverse KL and on-policy, from a soft student of a good teacher."""
    found = read(f"on_policy_{plan}.json")
    if not found:
        return []
    setting, runs = found["setting"], found["runs"]
    lines = ["", f"  Students of a quarter of its size after {setting['soft_steps']:,} steps of "
             f"soft targets (*start*), and after the operations of {setting['steps']:,} more steps "
             f"(`benchmarks/on_policy.py --plan {plan}`; {setting['written']:,} stories of each; "
             "*exact*: -ln p of the possible ones by the grammar; *own*: of all by the student "
             f"itself; floor {setting['floor']:.1f}):", "",
             "  | arm | nats a story | possible | of each seed | against soft, points | different | "
             "exact | own |", "  |---|---:|---:|---:|---:|---:|---:|---:|"]
    arms = {}
    for key, run in runs.items():
        if "/" in key:
            arms.setdefault(key.rsplit("/", 1)[0], {})[key.rsplit("/", 1)[1]] = run
    for arm, seeds in arms.items():
        shares = {seed: 100 * run["possible"] for seed, run in seeds.items()}
        points = [share - 100 * arms["soft"][seed]["possible"] for seed, share in shares.items()]
        nats, exact, own = ([run[key] for run in seeds.values()]
                            for key in ("nats", "exact", "own"))
        different = statistics.mean(run["distinct"] for run in seeds.values())
        lines.append(f"  | {arm} | {spread(nats)} | {spread([*shares.values()], '%')} | "
                     f"{', '.join(f'{share:.1f}' for share in shares.values())} | "
                     f"{'-' if arm == 'soft' else spread(points)} | {different:,.0f} | "
                     f"{spread(exact)} | {spread(own) if None not in own else '-'} |")
    return lines


def gaps(setting: dict, of) -> list[str]:
    """How much of the gap between data alone and the teacher each arm closes, data at its best evaluation."""
    lines = []
    for data in ("100%", "3%"):
        base = statistics.mean(of("data", data, "best")) if of("data", data, "best") else None
        shares = {arm: (base - statistics.mean(of(arm, data, "best"))) / (base - setting["teacher"])
                  for arm in ("more data", "soft", "responses", "reverse", "on-policy", "pruned data", "pruned soft",
                              "pruned reverse", "pruned on-policy")
                  if base is not None and of(arm, data, "best")}
        if shares:
            lines.append(f"With {data} of the data, of the gap between data alone (stopped at its best) and the teacher: " + ", ".join(
                f"{arm} {100 * share:+.0f}%" for arm, share in shares.items()) + ".")
    return lines


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


# ---- README.md ------------------------------------------------------------------------------------------

def demo() -> str:
    """What `minillm demo` prints at its end: the last evaluation, and the table."""
    run, world = read("demo.json"), read("storyworld.json")
    floor = run["floor_per_document"]
    rows = [("trigram", world["trigram"] * floor / world["entropy"]),
            (f"this LLaMA, {run['seconds']:.0f} s of training", run["nats_per_document"]),
            ("the floor", floor)]
    lines = [f"step {run['step']:6,}  held-out loss {run['held_out']:.4f}  "
             f"{run['nats_per_document']:.1f} nats/story, "
             f"floor {floor:.1f} ({100 * run['above_floor']:+.1f}%)",
             "held-out stories                 nats per story  above the floor"]
    lines += [f"{name:32} {nats:14.1f}  {100 * (nats / floor - 1):+14.1f}%" for name, nats in rows]
    return "\n".join(["```", *lines, "```"])


def twins() -> str:
    """rmsnorm with its backward in NumPy, and its twin in JAX, without the docstrings."""
    def source(name):
        node = ast.parse(textwrap.dedent(source_of(name)[2])).body[0]
        text = source_of(name)[2].splitlines()
        return "\n".join([text[0], *text[node.body[1].lineno - 1:]])

    numpy, jax = "minillm.in_numpy.ops", "minillm.in_jax.ops"
    return "\n".join(["```python", "# " + numpy, source(f"{numpy}.rmsnorm"), "", source(f"{numpy}.rmsnorm_backward"),
                      "", "# " + jax, source(f"{jax}.rmsnorm"), "```"])


def lessons() -> str:
    """The lessons: what each asks, and minutes of reading and running."""
    rows = ["| lesson | question | minutes |", "|---|---|---:|"]
    rows += [f"| [{lesson.number} {lesson.title}](lessons/{lesson.name}/lesson.md) | {lesson.front['question']} | "
             f"{reading_minutes(lesson)} |" for lesson in all_lessons()]
    return "\n".join(rows)


def headlines() -> str:
    """Five figures."""
    demo, init, speed = read("demo.json"), read("storyworld.json"), read("int8_speed.json")["110M"]
    student = read("distillation.json")["setting"]
    planted = read("planted_heads.json")["relations"]["the object comes back"]["looks_most"]
    rounded = {row["scheme"]: row for row in read("quantization.json")["tiny"]["rounded"]}["int8-channel"]
    decode = {name: statistics.median(values) for name, values in speed["tokens_per_second"].items()}
    soft = statistics.mean(run["nats"] for name, run in read("distillation.json")["runs"].items() if re.fullmatch(r"3%/soft/\d+", name))
    models = len(list((ROOT / "tests" / "golden").glob("llama_*.safetensors"))) + len(list((ROOT / "tests" / "golden" / "variations").iterdir()))
    data = statistics.mean(run["nats"] for name, run in read("distillation.json")["runs"].items() if re.fullmatch(r"3%/data/\d+", name))
    return "\n".join([
        f"- **Pretraining**: `make demo` ends {100 * demo['above_floor']:.1f}% above the exact floor after {demo['tokens']:,} tokens; a "
        f"trigram model needs {init['trigram'] / init['entropy']:.2f} times the floor ([lesson 08](lessons/08_pretraining/lesson.md)).",
        f"- **Int8**: a quarter of the memory, {rounded['difference']:+.4f} ± {rounded['standard_error']:.4f} nats a token; at 110M "
        f"parameters {decode['jax int8-channel-a8'] / decode['jax float32']:.2f} times the tokens per second of float32 "
        "([lesson 11](lessons/11_int8/lesson.md)).",
        f"- **Distillation**: with 3% of the stories, a student of {student['student_parameters']:,} parameters reaches {soft:.1f} nats a story "
        f"from a teacher's probabilities and {data:.1f} from the text alone ([lesson 13](lessons/13_distillation/lesson.md)).",
        f"- **Inside**: one head puts {100 * planted['attention']:.0f}% of its attention where the planted object was named; without it "
        f"the object costs {planted['effect']:.1f} nats more ([lesson 15](lessons/15_inside/lesson.md)).",
        f"- **Trust**: outputs, gradients and files are compared with `transformers` on {models} small models of all supported "
        "kinds (`tests/golden`)."])


def written(text: str, **blocks) -> str:
    """The text with its blocks made anew."""
    for name, make in blocks.items():
        begin, end = (part for part in BLOCK.format(name=name, text="\0").split("\0"))
        before, rest = text.split(begin.rstrip("\n"))
        text = before + begin + make() + end + rest.split(end.lstrip("\n"))[1]
    return text


FILES = {"README.md": {"demo": demo, "twins": twins, "lessons": lessons, "figures": headlines},
         "docs/pages/benchmarks.md": {"tables": figures}}


def picture() -> str:
    """The drawing of the whole, as a file by itself: it follows the colours of the page around it."""
    style = ("svg{color:#1d2733}@media(prefers-color-scheme:dark){svg{color:#e4e9f0}}"
             "rect{fill:none;stroke:currentColor;stroke-width:1.2}rect.frame{stroke-dasharray:5 4}"
             "rect.first{stroke:#1f5fa8;stroke-width:2.2}rect.second{stroke:#c2491d;stroke-width:2.2}"
             ".arrow{fill:none;stroke:currentColor;stroke-width:1.2}.strong{font-weight:600}"
             ".soft{font-size:12.5px}")
    drawn = re.search(r"<svg.*</svg>", pictures.whole().svg(), re.DOTALL)[0]
    drawn = drawn.replace("font-family: inherit", "font-family: sans-serif")
    drawn = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return drawn.replace("<defs>", f"<style>{style}</style><defs>", 1) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    for name, blocks in FILES.items():
        path = ROOT / name
        path.write_text(written(path.read_text(encoding="utf-8"), **blocks), encoding="utf-8")
