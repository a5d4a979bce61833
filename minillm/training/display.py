"""What a person sees of a run: a live bar while it trains, a line an evaluation, the loss curve at the end."""

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from minillm.config import TrainConfig
from minillm.training.callbacks import Callbacks
from minillm.training.curves import RISE, has_risen, held_out_losses, learned_nothing, lowest
from minillm.training.drawing import loss_axes


class Display(Callbacks):
    """Listens to training.run (see Callbacks): the bar shows tokens/s, loss, distance from the floor, time left.

    `floor_per_token` is in nats, or None. Where the output is no terminal, the bar is left out and the lines stay.
    """

    def __init__(self, console: Console, train: TrainConfig, floor_per_token: float | None = None):
        self.console, self.floor = console, floor_per_token
        self.bar = Progress(BarColumn(bar_width=None), MofNCompleteColumn(),
                            TextColumn("{task.fields[figures]}"), TimeRemainingColumn(compact=True),
                            TextColumn("left"), console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("training", total=train.steps, figures="compiling")

    def started(self, step: int):
        self.bar.update(self.task, completed=step)
        self.bar.start()

    def stepped(self, step: int, loss: float, tokens_per_second: float):
        figures = f"loss {loss:.3f}"
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


def say_how_it_went(console: Console, summary: dict, records: list[dict]) -> bool:
    """Print where the held-out loss was lowest; warn where it rose again or nothing was learned.

    `records` are those of metrics.jsonl. Returns whether the model is worth using.
    """
    losses = [r["loss"] for r in records if "loss" in r]
    held_out = held_out_losses(records)
    graded = any("reward" in record for record in records)        # such a loss is near 0 throughout
    if not graded and learned_nothing(losses, held_out):
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
    if has_risen(held_out):
        last = max(held_out)
        advice = "Take fewer steps, more text, or a smaller model"
        if summary["keep"] != "best":
            advice += "; --keep best would have kept the model of that step"
        say(console, f"warning: after step {step:,} the held-out loss rose to "
                     f"{held_out[last]:.4f}: the model learns the training "
                     f"text by heart, which it reads {summary['epochs']:.3g} times. {advice}",
            style="bold yellow")
    return True


def draw_curve(records: list[dict], path, title: str, lines: dict[str, float] | None = None,
               epochs: float | None = None):
    """Draw the loss of a run (nats per token) to a PNG, with a mark where held out is lowest.

    `lines` are levels to compare with, by name; `epochs`: how many times the text was read.
    """
    train = [(r["step"] + 1, r["loss"]) for r in records if "loss" in r]
    held_out = sorted(held_out_losses(records).items())
    steps = "step" if epochs is None else f"step (the text is read {epochs:.3g} times in all)"
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
        axes.set_xlim(0, max([x for x, _ in train + held_out], default=1))


def table(console: Console, title: str, rows: list[tuple], headers: tuple):
    """Print rows as a table; numbers to the right."""
    grid = Table(title=title, title_justify="left", header_style="bold")
    for i, header in enumerate(headers):
        grid.add_column(header, justify="left" if i == 0 else "right")
    for row in rows:
        grid.add_row(*(escape(str(cell)) for cell in row))
    console.print(grid)
