"""The long grid of benchmarks/scaling.py, reduced to what the page shows."""

from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
FITS = {"all": "all runs", "long": "without the shortest",
        "excess": "of the excess over the floor"}


def results() -> dict:
    """The exact numbers of results_full.json."""
    from minillm.files import read_json
    found = read_json(RESULTS / "scaling.json")
    about, largest, predicted = found["setting"], found["largest"], found["predicted"]
    runs = found["grid"]
    excess = {name: [x - about["floor"] for x in predicted[label]["loss"]]
              for name, label in FITS.items()}
    trained = largest["loss"] - about["floor"]
    seeds = [run["loss"] for run in found["seeds"]]
    tried = {}
    for run in found["runs"].values():
        if (run["seed"], run["epochs"]) == (0, 1) and run != largest:
            tried.setdefault((run["N"], run["D"]), {})[f"{run['factor']:g}"] = run["loss"]
    return {"grid": {
        "rates": [{"N": N, "D": D, "losses": losses} for (N, D), losses in sorted(tried.items())
                  if len(losses) > 2],
        **{key: about[key] for key in ("floor", "entropy", "minutes", "context")},
        **{key: [run[key] for run in runs] for key in ("N", "D", "loss")},
        "runs": len(runs), "sizes": len({run["N"] for run in runs}),
        "smallest": min(run["N"] for run in runs), "widest": max(run["N"] for run in runs),
        "lowest": min(run["loss"] for run in runs),
        "excess_lowest": min(run["above_floor"] for run in runs),
        "compute": largest["N"] * largest["D"] / max(run["N"] * run["D"] for run in runs),
        "largest": {key: largest[key] for key in ("N", "D", "loss", "above_floor")},
        "fits": {name: predicted[label] for name, label in FITS.items()},
        "missed": {name: (some[0] - trained) / trained for name, some in excess.items()},
        "off": {name: predicted[label]["loss"][0] / largest["loss"] - 1
                for name, label in FITS.items()},
        "excess": trained, "E_off": predicted["all runs"]["law"]["E"][0] / about["floor"] - 1,
        "ways": {name.replace(".", ""): way for name, way in found["frontier"].items()},
        "epochs": {str(row["epochs"]): {key: row[key] for key in (
            "stories", "loss", "above_floor", "worth", "D", "N")} for row in found["repetition"]},
        "spread": max(seeds) - min(seeds), "seeds": len(seeds)}}


def shown(values, digits) -> str:
    value, low, high = (f"{x:,.{digits}f}" for x in values)
    return f"{value} ({low} to {high})"


def tables(exact):
    from rich.table import Table
    found = exact["grid"]
    factors = sorted({x for row in found["rates"] for x in row["losses"]}, key=float)
    rates = Table("N", "D", *(f"rates x {x}" for x in factors),
                  title="Nats a token at multiples of the default learning rates")
    for row in found["rates"]:
        rates.add_row(f"{row['N']:,}", f"{row['D']:,}", *(
            f"{row['losses'][x]:.3f}" if x in row["losses"] else "-" for x in factors))
    yield "rates", rates
    law = Table("fitted to", "E", "a", "b", title="The law of the long grid")
    largest = Table("fitted to", "predicted", "trained", "excess promised",
                    title=f"N = {found['largest']['N']:,}, D = {found['largest']['D']:,}")
    for name, fit in found["fits"].items():
        E = [x + found["floor"] * (name == "excess") for x in fit["law"]["E"]]
        law.add_row(FITS[name], shown(E, 3), *(shown(fit["law"][key], 2) for key in "ab"))
        largest.add_row(FITS[name], shown(fit["loss"], 4), f"{found['largest']['loss']:.4f}",
                        "below the floor" if fit["loss"][0] < found["floor"] else
                        f"{found['missed'][name]:.0%} too much")
    law.add_row("exact floor", f"{found['floor']:.3f}", "", "")
    yield "law", law
    yield "largest", largest
    ways = Table("read from", "power", "best N at the largest compute",
                 title="How the best size grows with compute")
    for name, way in found["ways"].items():
        ways.add_row(name, shown(way["exponent"], 2), shown(way["best N"], 0))
    yield "ways", ways
    again = Table("epochs", "stories", "nats a token", "above the floor", "worth, fresh tokens",
                  title=f"{found['epochs']['1']['D']:,} tokens from fewer stories")
    for name, row in found["epochs"].items():
        again.add_row(name, f"{row['stories']:,}", f"{row['loss']:.4f}",
                      f"{row['above_floor']:+.1%}",
                      f"{row['worth']:,.0f}" if row["worth"] else
                      "as many" if row["loss"] <= found["epochs"]["1"]["loss"] else "fewer")
    yield "again", again


def figures(exact, new):
    import numpy as np

    from minillm.training.scaling import predict
    found, largest = exact["grid"], exact["grid"]["largest"]
    N, D, loss = (np.array(found[key]) for key in ("N", "D", "loss"))
    law = [found["fits"]["all"]["law"][name][0] for name in "EABab"]
    figure, axes = new(7.0, 4.2)
    tokens = np.geomspace(D.min(), max(D.max(), largest["D"]))
    for size, colour in zip(np.unique(N), new.ink["lines"]):
        axes.plot(D[N == size], loss[N == size], "o", color=colour, label=f"N = {size:,}")
        axes.plot(tokens, predict(law, size, tokens), color=colour, linewidth=1)
    value, low, high = found["fits"]["all"]["loss"]
    axes.errorbar([largest["D"]], [value], [[value - low], [high - value]], fmt="s", capsize=4,
                  color=new.ink["text"], label=f"predicted, N = {largest['N']:,}")
    axes.plot([largest["D"]], [largest["loss"]], "x", color=new.ink["text"], markersize=10,
              label="trained afterwards")
    axes.axhline(found["floor"], linestyle=":", color=new.ink["text"])
    axes.set(xscale="log", yscale="log", xlabel="D, tokens", ylabel="held-out loss, nats a token")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend(fontsize=8)
    yield "grid", ("Held-out loss against tokens for several sizes, the fitted law as lines above "
                   "the dotted exact floor; a square with its interval is the largest model's "
                   "predicted loss, a cross the trained one."), figure
