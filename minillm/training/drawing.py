"""A loss curve as a PNG: axes on a logarithmic scale, and the file that they end in."""

from contextlib import contextmanager
from pathlib import Path


@contextmanager
def loss_axes(path, **labels):
    """matplotlib axes to draw losses on (`labels` are for axes.set), saved to `path` afterwards."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import LogLocator

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    yield axes
    axes.set(yscale="log", **labels)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(Path(path), dpi=130)
    pyplot.close(figure)
