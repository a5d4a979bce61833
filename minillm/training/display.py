"""What a person sees of a run: a live bar, a line an evaluation, the loss curve at the end."""

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from minillm.config import TrainConfig
from minillm.training.callbacks import Callbacks
from minillm.training.curves import RISE, has_risen, held_out_losses, learned_nothing, lowest
from minillm.training.drawing import loss_axes

GROUPS_THAT_TEACH = 0.05  # a smaller share of groups with different grades is worth a warning


class Display(Callbacks):
    """Listens to training.run (see Callbacks): the bar shows tokens/s, loss, distance from the
    floor, time left. Of a run that learns from grades, it shows the grade in place of the loss,
    which is near 0 throughout.

    `floor_per_token` is in nats, or None. Where the output is no terminal, the bar is left out and
    the lines stay.
    """

    def __init__(self, console: Console, train: TrainConfig, floor_per_token: float | None = None):
        self.console, self.floor, self.grades = console, floor_per_token, []
        self.bar = Progress(BarColumn(bar_width=None), MofNCompleteColumn(),
                            TextColumn("{task.fields[figures]}"), TimeRemainingColumn(compact=True),
                            TextColumn("left"), console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("training", total=train.steps, figures="compiling")

    def started(self, step: int):
        self.bar.update(self.task, completed=step)
        self.bar.start()

    def logged(self, records: list[dict]):
        self.grades += [record["reward"] for record in records if "reward" in record]

    def stepped(self, step: int, loss: float, tokens_per_second: float):
        figures = f"grade {self.grades[-1]:.2f}" if self.grades else f"loss {loss:.3f}"
        if self.floor is not None:
            figures += f" = floor {100 * (loss / self.floor - 1):+.0f}%"
        if tokens_per_second:
            figures += f"  {tokens_per_second:,.0f} tokens/s"
        self.bar.update(self.task, completed=step, figures=figures)

    def evaluated(self, record: dict):
        line = f"step {record['step']:6,}  held-out loss {record['held_out']:.4f}"
        if "above_floor" in record:
            line += (f"  {record['nats_per_document']:.1f} nats/story, floor {record['floor_per_document']:.1f} "
                     f"({100 * record['above_floor']:+.1f}%)")
        elif "bits_per_byte" in record:
            line += f"  {record['bits_per_byte']:.4f} bits/byte"
        if self.grades:
            line += f"  mean grade since then {sum(self.grades) / len(self.grades):.3f}"
            self.grades.clear()
        lowest = record.get("lowest")
        now = record.get("on_eval_rows", record["held_out"])
        if lowest and now > RISE * lowest["held_out"]:
            rise = 100 * (now / lowest["held_out"] - 1)
            line += f"  rising: {rise:.0f}% above step {lowest['step']:,}"
        say(self.bar.console, line)

    def sampled(self, step: int, text: str):
        say(self.bar.console, f"step {step:6,}  writes: {' '.join(text.split())}", style="italic")

    def finished(self):
        self.bar.stop()


def say(console: Console, text: str, **style):
    """Print plain text: wrapped at words on a terminal, lines left whole in a file or a pipe."""
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal, **style)


def say_how_it_went(console: Console, summary: dict, records: list[dict],
                    prefers: bool = False) -> bool:
    """Print where the held-out loss was lowest; warn where it rose again or nothing was learned.

    `records` are those of metrics.jsonl; `prefers`: the run learns which of two answers is better,
    so that both may become less likely. Returns whether the model is worth using.
    """
    losses = [r["loss"] for r in records if "loss" in r]
    held_out = held_out_losses(records)
    graded = [record for record in records if "reward" in record]
    if graded:
        return say_grades(console, graded)
    if learned_nothing(losses, held_out):
        say(console, f"warning: the model learned nothing: the loss was {losses[0]:.2f} at first, "
            f"{max(losses):.4g} at its "
            f"highest and {losses[-1]:.2f} at last. Start anew in another --out with a "
            f"tenth of the --learning-rate", style="bold red")
        return False
    step = lowest(held_out)
    if step is None:
        return True
    holds = (", and the folder holds the model of that step" if summary["model_step"] == step else
             f"; the folder holds the model of step {summary['model_step']:,}")
    say(console, f"lowest held-out loss: {held_out[step]:.4f} at step {step:,}{holds}")
    last = max(held_out)
    if has_risen(held_out) and prefers:
        say(console, f"warning: after step {step:,} the held-out loss rose to "
            f"{held_out[last]:.4f}: right answers become less likely, and wrong ones still less. A "
            "larger --beta holds the model nearer to what it was", style="bold yellow")
    elif has_risen(held_out):
        advice = "Take fewer steps, more text, or a smaller model"
        if summary["keep"] != "best":
            advice += "; --keep best would have kept the model of that step"
        say(console, f"warning: after step {step:,} the held-out loss rose to "
                     f"{held_out[last]:.4f}: the model learns the training "
                     f"text by heart, which it reads {summary['epochs']:.3g} times. {advice}",
            style="bold yellow")
    return True


def say_grades(console: Console, records: list[dict]) -> bool:
    """Print what became of the grades; warn where they taught nothing. Returns whether they did."""
    some = max(1, len(records) // 10)
    first, last = (sum(record["reward"] for record in part) / some
                   for part in (records[:some], records[-some:]))
    differ = sum(record["groups_that_differ"] for record in records) / len(records)
    say(console, f"mean grade: {first:.3f} in the first tenth of the steps, {last:.3f} in the "
        f"last; in {differ:.0%} of the groups not all answers had the same grade")
    if differ < GROUPS_THAT_TEACH:
        advice = ("are mostly wrong: begin with a longer sft run, or an easier task" if last < 0.5
                  else "are mostly right: there is little left to learn")
        say(console, "warning: a group whose answers all have the same grade teaches nothing. They "
            f"{advice}; or write more answers to a question (--group)", style="bold yellow")
    return differ > 0


def draw_curve(records: list[dict], path, title: str, lines: dict[str, float] | None = None,
               epochs: float | None = None):
    """Draw the loss of a run (nats per token) to a PNG, with a mark where held out is lowest.

    `lines` are levels to compare with, by name; `epochs`: how many times the text was read.
    """
    train = [(r["step"] + 1, r["loss"]) for r in records if "loss" in r and "reward" not in r]
    grades = [(r["step"] + 1, r["reward"]) for r in records if "reward" in r]
    held_out = sorted(held_out_losses(records).items())
    steps = "step" if epochs is None or grades else f"step (the text is read {epochs:.3g} times in all)"
    with loss_axes(path, xlabel=steps, ylabel="loss (nats per token)", title=title) as axes:
        if train:
            axes.plot(*zip(*train), color="#9db7d5", linewidth=1, label="training batch")
        if held_out:
            axes.plot(*zip(*held_out), color="#1f4e8c", linewidth=2, marker="o", markersize=3,
                      label="held out")
        best = lowest(dict(held_out))
        if best is not None:
            level = dict(held_out)[best]
            axes.plot([best], [level], color="#1f4e8c", linestyle="", marker="D", markersize=8,
                      fillstyle="none", label=f"lowest: {level:.3f} at step {best:,}")
        for (name, level), style in zip((lines or {}).items(), ("--", ":", "-.") * 3):
            axes.axhline(level, color="#b3402a", linestyle=style, linewidth=1.2,
                         label=f"{name} ({level:.3f})")
        if grades:
            beside = axes.twinx()
            beside.plot(*zip(*grades), color="#b3402a", linewidth=1)
            beside.set_ylim(bottom=min(0, *(grade for _, grade in grades)))
            beside.set_ylabel("mean grade of a step")
            axes.plot([], [], color="#b3402a", linewidth=1, label="grade (right)")
        axes.set_xlim(0, max([x for x, _ in train + grades + held_out], default=1))


def table(console: Console, title: str, rows: list[tuple], headers: tuple):
    """Print rows as a table; numbers to the right."""
    grid = Table(title=title, title_justify="left", header_style="bold")
    for i, header in enumerate(headers):
        grid.add_column(header, justify="left" if i == 0 else "right")
    for row in rows:
        grid.add_row(*(escape(str(cell)) for cell in row))
    console.print(grid)
