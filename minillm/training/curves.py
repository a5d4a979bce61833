"""Is my loss normal? A run beside the reference curves of reference_curves.json.

benchmarks/reference_curves.py makes those. The band at a step is
mean * exp(+-WIDTH * sqrt(1 + 1/n) * spread), where spread is the standard deviation of log loss over
the n seeds (n - 1 in the denominator), pooled over the WINDOW points around the step, and at least
LEAST; the root is there because the mean of n seeds is uncertain too. Losses of training are means
over EVERY steps, so that a band is not about single batches.

How high a loss is depends on the text. A run on another text is therefore not compared with the
band: only what its own curve shows is said.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minillm.config import LAYOUT
from minillm.errors import UserError
from minillm.files import read_json
from minillm.formats.checkpoint import read_tensors
from minillm.training.drawing import loss_axes
from minillm.training.state import METRICS, NUMBERS, STATE, notes_of, read_metrics

EVERY = 10                   # steps that one point of a curve stands for
WIDTH = 4.0                  # standard deviations, of three seeds: a normal run leaves the band at few points or none
WINDOW = 9                   # points over which a spread is pooled
LEAST = 0.01                 # spread of log loss below which three seeds say little
ALONE = 0.03  # taken as the spread where there is one seed only: a guess, and said to be one
SHORT = 2                    # points outside the band that are not worth a word
RISE = 1.03                  # a held-out loss this much above its lowest has clearly risen
TEXT = "storyworld"          # what the reference runs read
UNIMPORTANT = {"seed", "eval_every", "eval_rows", "save_every", "sample_every",
               "steps_per_dispatch", *LAYOUT}


@dataclass(frozen=True)
class Curve:
    """`steps[i]` is the first of the EVERY steps whose mean loss, in nats per token, is `loss[i]`.

    `held_out`: {step: nats per token}, `text`: the name of the text, None where the run does not
    say it.
    """

    steps: np.ndarray
    loss: np.ndarray
    held_out: dict[int, float]
    floor: float | None = None           # nats per token on the held-out documents
    text: str | None = TEXT

    def record(self) -> dict:
        return {"loss": [round(float(value), 5) for value in self.loss],
                "held_out": {str(step): round(value, 5) for step, value in self.held_out.items()},
                "floor": self.floor}


def held_out_losses(records: list[dict]) -> dict[int, float]:
    """{step: held-out loss in nats per token} of the evaluations on the same `eval_rows` rows."""
    return {r["step"]: r.get("on_eval_rows", r["held_out"]) for r in records if "held_out" in r}


def lowest(held_out: dict[int, float]) -> int | None:
    """The step after 0 with the lowest held-out loss, the first of equals; None where there is none."""
    return min((step for step in sorted(held_out) if step > 0), key=held_out.get, default=None)


def has_risen(held_out: dict[int, float]) -> bool:
    """Does {step: held-out loss} end clearly above its lowest?"""
    step = lowest(held_out)
    return step is not None and held_out[max(held_out)] > RISE * held_out[step]


def learned_nothing(losses: list[float], held_out: dict[int, float]) -> bool:
    """Do training loss (the mean of its last tenth) and held-out loss end above where they began?

    Or near there, after a jump: a rate that is far too high can leave a model of zeros, with the
    loss of a uniform guess.
    """
    end = np.mean(losses[-max(1, len(losses) // 10):])
    higher = end > losses[0] and 0 in held_out and held_out[max(held_out)] > held_out[0]
    back = max(losses) > 2 * losses[0] and end > 0.9 * losses[0]
    return len(losses) > 1 and bool(higher or back)


def read_run(folder) -> tuple[Curve, dict, dict]:
    """(curve, model settings, training settings) of a run. Raises UserError."""
    folder = Path(folder)
    if not (folder / METRICS).is_file():
        raise UserError(f"{folder}: has no {METRICS}: give the folder of a run of minillm pretrain or minillm demo")
    records = read_metrics(folder / METRICS)
    losses = {r["step"]: r["loss"] for r in records if "loss" in r}
    held_out = held_out_losses(records)
    if len(losses) < EVERY:
        raise UserError(f"{folder}: has {len(losses)} steps, and at least {EVERY} are needed: "
                        f"continue the run with --resume")
    count = max(losses) // EVERY + ((max(losses) + 1) % EVERY == 0)
    points = [[losses[s] for s in range(i * EVERY, (i + 1) * EVERY) if s in losses]
              for i in range(count)]
    last = next((r for r in reversed(records) if "floor_per_document" in r), None)
    floor = last["floor_per_document"] * last["held_out"] / last["nats_per_document"] if last else None
    _, metadata = read_tensors(folder / STATE, NUMBERS)
    means = np.array([np.mean(part) if part else np.nan for part in points])
    text = notes_of(metadata)["text"] or text_of_data(folder)
    curve = Curve(np.arange(count) * EVERY, means, held_out, floor, text)
    return curve, json.loads(metadata["model"]), json.loads(metadata["train"])


def text_of_data(folder: Path) -> str | None:
    """The name of the text in the run's own dataset folder, if there is one."""
    try:
        return read_json(folder / "data" / "dataset.json").get("name")
    except UserError:
        return None


def references() -> dict:
    """The committed curves: {name: {"command", "model", "train", "seeds": {seed: record}}}."""
    return read_json(Path(__file__).with_name("reference_curves.json"))


def of_record(record: dict) -> Curve:
    return Curve(np.arange(len(record["loss"])) * EVERY, np.array(record["loss"]),
                 {int(step): value for step, value in record["held_out"].items()}, record["floor"])


def band(values_SN) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(mean, low, high) of the curves of several seeds, (S, N)."""
    logs_SN = np.log(np.asarray(values_SN))
    variance_N = np.var(logs_SN, axis=0,
                        ddof=1) if len(logs_SN) > 1 else np.full(logs_SN.shape[1], ALONE**2)
    half = WINDOW // 2
    spread_N = np.array([np.sqrt(np.mean(variance_N[max(0, i - half): i + half + 1]))
                         for i in range(len(variance_N))])
    wide_N, mean_N = WIDTH * np.sqrt(1 + 1 / len(logs_SN)) * np.maximum(spread_N, LEAST), np.mean(
        logs_SN, axis=0)
    return np.exp(mean_N), np.exp(mean_N - wide_N), np.exp(mean_N + wide_N)


def seeds_of(reference: dict) -> str:
    """Whose band it is: "3 seeds of: minillm demo"."""
    count = len(reference["seeds"])
    return f"{count} seeds of: {reference['command']}" if count > 1 else f"one seed of: {reference['command']} (its band is a guess)"


def differences(model: dict, train: dict, reference: dict) -> list[str]:
    """The settings in which a run is not the reference's, in words; settings newer than the run are none."""
    changed = []
    for ours, theirs in ((model, reference["model"]), (train, reference["train"])):
        changed += [f"{name} {ours.get(name)} (reference: {theirs[name]})" for name in theirs
                  if name not in UNIMPORTANT and ours.get(name, theirs[name]) != theirs[name]]
    return changed


def nearest(model: dict, train: dict) -> str:
    """The name of the reference with the fewest other settings."""
    known = references()
    return min(known, key=lambda name: len(differences(model, train, known[name])))


def compare(curve: Curve, reference: dict, vocab_size: int) -> tuple[list[str], bool]:
    """(what is to be said, line by line; is the run normal?). Another text is not compared."""
    lines, normal = alone(curve, vocab_size)
    if curve.text == TEXT:
        more, inside = beside(curve, reference)
        lines, normal = [more[0], *lines, *more[1:]], normal and inside
    else:
        lines.insert(0, f"another text ({curve.text or 'unknown'}; the reference read {TEXT}): "
                     f"how high the loss is cannot be compared, so the run is looked at alone")
    return lines, normal


def alone(curve: Curve, vocab_size: int) -> tuple[list[str], bool]:
    """What a run's own curve says: how it begins, whether it falls, whether it rises again."""
    lines, normal = [], True
    start, held_out = curve.held_out.get(0), curve.held_out
    if start is not None:
        lines.append(f"before the first step: {start:.2f} nats per token; a model that knows "
                     f"nothing has ln {vocab_size:,} = {np.log(vocab_size):.2f}")
        if not 0.9 < start / np.log(vocab_size) < 1.15:
            normal = False
            lines.append("  an untrained model does not have this loss: " + (
                "it is too sure of wrong answers; look at the size of the first values" if start > np.log(vocab_size) else
                "it knows something already: is this a run that went on, or do targets leak?"))
    known = curve.loss[~np.isnan(curve.loss)]
    if len(known) and learned_nothing([*known] if start is None else [start, *known], held_out):
        normal = False
        first = known[0] if start is None else start
        lines.append(f"the model learned nothing: the loss was {first:.2f} at first, "
                     f"{known.max():.4g} at its highest and "
                     f"{known[-1]:.2f} at last: the rate is far too high; try a tenth of "
                     f"--learning-rate")
    elif has_risen(held_out):
        normal, best, last = False, lowest(held_out), max(held_out)
        lines.append(f"the held-out loss is lowest at step {best:,} ({held_out[best]:.4f}) and "
                     f"then rises to "
                     f"{held_out[last]:.4f} at step {last:,}: from there on the model learns the "
                     f"training text by heart (fewer steps, more text, or a smaller model)")
    elif held_out:
        best = lowest(held_out)
        lines += [] if best is None else [f"the held-out loss is lowest at step {best:,} "
                                          f"({held_out[best]:.4f}) and does not "
                                          "rise clearly after that"]
    return lines, normal


def beside(curve: Curve, reference: dict) -> tuple[list[str], bool]:
    """Where a run on the reference's text leaves the band."""
    seeds = [of_record(record) for record in reference["seeds"].values()]
    count = min(map(len, [curve.loss, *(seed.loss for seed in seeds)]))
    mean, low, high = band([seed.loss[:count] for seed in seeds])
    lines, normal = [f"{count * EVERY:,} steps compared with {seeds_of(reference)}"], True
    position = np.where(curve.loss[:count] > high, 1, np.where(curve.loss[:count] < low, -1, 0))
    position[np.isnan(curve.loss[:count])] = 1
    for first, last, side in stretches(position):
        normal = False
        ratio = curve.loss[first:last + 1] / mean[first:last + 1]
        worst = np.nanmax(ratio) if side > 0 else np.nanmin(ratio)
        lines.append(f"steps {first * EVERY:,} to {(last + 1) * EVERY - 1:,}: {'above' if side > 0 else 'below'} the band, "
                     f"{100 * abs(worst - 1):.0f}% {'more' if side > 0 else 'less'} than the reference where it is farthest")
    if normal and not np.any(position):
        lines.append("inside the band at every step")
    elif normal:
        lines.append(
            f"inside the band, but for single points ({int(np.sum(position != 0))} of {count})")
    below = [step for step, value in curve.held_out.items() if curve.floor is not None
             and value < curve.floor * 0.97]
    if below:
        normal = False
        lines.append(f"step {below[0]:,}: the held-out loss is below the floor, which no model "
                     f"can reach: the model sees what it should predict")
    lines += advice(curve, position, mean, count)
    shared = sorted(set(curve.held_out) & set.intersection(*(set(seed.held_out) for seed in seeds)))
    if shared:
        theirs = np.mean([seed.held_out[shared[-1]] for seed in seeds])
        lines.append(f"held out at step {shared[-1]:,}: {curve.held_out[shared[-1]]:.4f} nats per "
                     f"token, reference {theirs:.4f}"
                     + (f", floor {curve.floor:.4f}" if curve.floor else ""))
    return lines, normal


def stretches(position) -> list[tuple[int, int, int]]:
    """(first, last, side) of each stretch of points on one side of the band that is longer than SHORT."""
    outside, first = [], 0
    for i in range(1, len(position) + 1):
        if i == len(position) or position[i] != position[first]:
            if position[first] and i - first > SHORT:
                outside.append((first, i - 1, int(position[first])))
            first = i
    return outside


def advice(curve: Curve, position, mean, count: int) -> list[str]:
    """What usually does this; only where one thing usually does."""
    outside = stretches(position)
    if not outside:
        return []
    loss, spike = curve.loss[:count], np.max(
        curve.loss[1:count] / np.minimum.accumulate(curve.loss[:count])[:-1], initial=0)
    if outside[0][2] > 0 and outside[0][0] <= 2 and outside[-1][1] < count - 1 - SHORT:
        return ["  it began slowly and caught up: the rate is lower, or the warm-up longer"]
    if spike > 1.5:
        return ["  the loss jumped up again after it had fallen: the rate is too high, or gradients are not clipped"]
    if outside[-1][2] > 0 and outside[-1][1] == count - 1 and loss[-1] > 0.8 * loss[min(5, count - 1)]:
        return ["  it hardly falls at all: the rate is far too high (try a tenth); if it is not "
                "the rate, check that the targets "
                "are the next tokens and that gradients reach every parameter"]
    if outside[-1][2] > 0 and outside[-1][1] == count - 1:
        return ["  it falls, but not as far: look at the rate (too low, or too high all along), "
                "the batch size, and whether every part learns"]
    if outside[-1][2] < 0 and outside[-1][1] == count - 1:
        return ["  it is better than the reference: a larger model or more tokens per step; if "
                "neither, the targets leak"]
    return []


def draw(curve: Curve, reference: dict, path, name: str):
    """The run as a PNG, with its held-out loss; with the band, where the text is the same."""
    seeds = [of_record(record) for record in reference["seeds"].values()]
    count = min(len(seed.loss) for seed in seeds)
    mean, low, high = band([seed.loss[:count] for seed in seeds])
    steps = seeds[0].steps[:count] + EVERY / 2
    with loss_axes(path, xlabel="step", ylabel=f"loss (nats per token, means of {EVERY} steps)",
                   title="Is my loss normal?") as axes:
        if curve.text == TEXT:
            axes.fill_between(steps, low, high, color="#9db7d5", alpha=0.6,
                              label=f"normal: {seeds_of(reference)}")
            axes.plot(steps, mean, color="#1f4e8c", linewidth=1)
        axes.plot(curve.steps + EVERY / 2, curve.loss, color="#b3402a", linewidth=1.5, label=name)
        if curve.held_out:
            axes.plot(*zip(*sorted(curve.held_out.items())), color="#b3402a", linestyle=":",
                      marker="o", markersize=3, linewidth=1, label=f"{name}, held out")
        if curve.floor:
            axes.axhline(curve.floor, color="#555555", linestyle="--", linewidth=1,
                         label=f"floor of the held-out stories ({curve.floor:.3f})")
