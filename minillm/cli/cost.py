"""`minillm cost`: what a model costs to hold, train and write with, before anything is run."""

import json
import time
from dataclasses import replace
from pathlib import Path

from minillm.cli.options import add_json
from minillm.cli.parsing import add_command
from minillm.config import CostConfig
from minillm.errors import UserError

CHINCHILLA = 20  # tokens a parameter (Hoffmann et al. 2022, arXiv:2203.15556)


def add_commands(commands):
    """Add the command of this file."""
    command = add_command(
        commands, "cost", cost, "operations, memory, time, energy and CO2 of a model, on paper",
        "minillm cost runs/demo\n"
        "  minillm cost DIR/config.json --tokens 1e12 --machine h100 --price-per-hour 2")
    command.add_argument("path", metavar="PATH",
                         help="checkpoint, run, or a config.json; no weight is read")
    command.add_argument("--tokens", type=float, metavar="N",
                         help=f"tokens to train on (default: {CHINCHILLA} a parameter)")
    command.add_argument("--context", type=int, metavar="T",
                         help="tokens in a row (default: the model's context)")
    command.add_argument("--batch-size", type=int, default=8, metavar="B",
                         help="rows in a batch")
    command.add_argument("--machine", default="this", metavar="NAME",
                         help="this (measured), or one of the table, such as raspberry-pi-5")
    command.add_argument("--sustained", type=float, metavar="S",
                         help="share of the peak that training reaches (default: "
                              f"{CostConfig.sustained}; this: 1, of what was measured)")
    command.add_argument("--watts", type=float, metavar="W",
                         help="what the machine draws (default: its limit in the table)")
    command.add_argument("--pue", type=float, default=CostConfig.pue, metavar="X",
                         help="what the building draws for each watt of the machine")
    command.add_argument("--grid", type=float, default=CostConfig.grid, metavar="G",
                         help="grams of CO2 for a kWh")
    command.add_argument("--price-per-hour", type=float, metavar="P",
                         help="price of an hour of the machine")
    command.add_argument("--price-per-kwh", type=float, metavar="P", help="price of a kWh")
    command.add_argument("--budget", type=float, metavar="M",
                         help="money for a month: how many tokens it writes")
    add_json(command)


def cost(options):
    """Print the costs of a config. Raises UserError for a setting that cannot be."""
    from minillm.formats.describe import config_at

    config = config_at(options.path)
    for name in ("tokens", "context", "batch_size", "watts", "pue", "grid", "price_per_hour",
                 "price_per_kwh", "budget", "sustained"):
        value = getattr(options, name)
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"--{name.replace('_', '-')} is {value:g}: it must be a "
                            "finite number above 0")
    report = costs(config, options) | measured_in(Path(options.path))
    if options.json:
        print(json.dumps(report))
    else:
        show(Path(options.path), report)


def costs(config, options) -> dict:
    """{"numbers", "operations", "bytes", "machine", "training", "writing"}, all plain numbers."""
    from minillm.architecture.cost import (
        BYTES,
        cache_bytes,
        forward_flop,
        sizes,
        training_bytes,
        training_flop,
        weight_bytes,
    )
    from minillm.training import machines

    numbers, context = sizes(config), options.context or config.max_position_embeddings
    total = sum(numbers.values())
    tokens = options.tokens or CHINCHILLA * total
    machine = measured() if options.machine == "this" else machines.machine_named(options.machine)
    machine = replace(machine, watts=options.watts or machine.watts)
    flop = training_flop(config, tokens, context)
    sustained = options.sustained or (1.0 if options.machine == "this" else CostConfig.sustained)
    hours = machines.training_hours(sum(flop.values()), machine, sustained)
    speed = {kind: machines.tokens_per_second(
        weight_bytes(config, kind) + cache_bytes(config, context // 2), machine) for kind in BYTES}
    report = {"numbers": {"total": total, **numbers},
              "operations": {"a token, products": 2 * numbers["products"],
                             "a row": forward_flop(config, context), "training": flop,
                             "6 N D": 6 * total * tokens},
              "bytes": {"weights": {kind: weight_bytes(config, kind) for kind in BYTES},
                        "cache": cache_bytes(config, context),
                        "training": training_bytes(config, options.batch_size, context)},
              "machine": vars(machine) | {"sustained": sustained, "fits": {
                  kind: weight_bytes(config, kind) + cache_bytes(config, context) <= machine.memory
                  for kind in BYTES}},
              "training": {"tokens": tokens, "context": context, "hours": hours},
              "writing": {"tokens_per_second": speed}}
    power = machine.watts and machines.kilowatt_hours(1, machine.watts, options.pue)
    money = sum(price * amount for price, amount in (
        (options.price_per_hour, 1), (options.price_per_kwh, power)) if price and amount)
    if power:
        report["training"] |= {"kwh": hours * power,
                               "tonnes_of_co2": machines.tonnes_of_co2(hours * power, options.grid)}
    if money:
        report["training"]["money"] = hours * money
    if options.budget:
        if not money:
            raise UserError("--budget needs a price: add --price-per-hour, or --price-per-kwh and "
                            "--watts where the machine has none in the table")
        report["writing"]["tokens_a_month"] = {
            kind: min(options.budget / money, 30 * 24) * 3600 * rate
            for kind, rate in speed.items()}
    return report


def measured_in(folder: Path) -> dict:
    """{"run": what a finished run in this folder took, as its summary.json says}, or {}."""
    from minillm.files import read_json

    file = folder / "summary.json"
    if not file.is_file():
        return {}
    said = {name: read_json(file).get(name) for name in ("tokens", "seconds", "joules")}
    return {"run": {name: value if isinstance(value, int | float) else None
                    for name, value in said.items()}}


def measured():
    """This machine: products of matrices, a matrix times a vector, its memory."""
    import numpy as np
    import psutil

    from minillm.cli.bench import bandwidth
    from minillm.training.machines import Machine

    x = np.ones((1536, 1536), np.float32)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - began)
    return Machine("this", 2 * len(x) ** 3 / min(times), bandwidth(), None,
                   psutil.virtual_memory().total, "float32", None)


def show(path: Path, report: dict):
    """The costs as four short tables of at most 80 columns."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from minillm.training.display import say

    def megabytes(size):
        return f"{size / 1e6:,.1f} MB" if size < 1e10 else f"{size / 1e9:,.1f} GB"

    console = Console()
    numbers, machine, training = report["numbers"], report["machine"], report["training"]
    flop = report["operations"]["training"]
    draws = f", {machine['watts']:g} W" if machine["watts"] else ""
    parts = {
        f"{escape(str(path))}: {numbers['total']:,} numbers": {
            "looked up": f"{numbers['embedding']:,}",
            "multiplied with": f"{numbers['products']:,}", "vectors": f"{numbers['vectors']:,}"},
        "memory": {
            **{f"weights, {kind}": megabytes(size)
               for kind, size in report["bytes"]["weights"].items()},
            f"cache of {training['context']:,} tokens": megabytes(report["bytes"]["cache"]),
            **{f"training, {name}": megabytes(size)
               for name, size in report["bytes"]["training"].items()}},
        f"training on {training['tokens']:,.0f} tokens": {
            "products": f"{flop['products']:.3g} operations",
            "attention": f"{flop['attention']:.3g} operations, "
                         f"{flop['attention'] / sum(flop.values()):.1%}",
            "6 N D, beside it": f"{report['operations']['6 N D']:.3g}",
            "time": f"{training['hours']:,.4g} hours",
            **({"energy": f"{training['kwh']:,.3g} kWh",
                "CO2": f"{training['tonnes_of_co2']:,.3g} tonnes"} if "kwh" in training else
               {"energy": "not known: --watts says what the machine draws"}),
            **({"money": f"{training['money']:,.2f}"} if "money" in training else {})},
        "writing one text, at most": {
            kind: f"{rate:,.4g} tokens/s" + (
                f", {report['writing']['tokens_a_month'][kind]:,.3g} a month"
                if "tokens_a_month" in report["writing"] else "")
            + ("" if machine["fits"][kind] else " (does not fit into the memory)")
            for kind, rate in report["writing"]["tokens_per_second"].items()}}
    if "run" in report:
        tokens, seconds, joules = (report["run"][name] for name in ("tokens", "seconds", "joules"))
        energy = "not known: this machine had no counters of energy that could be read"
        if joules is not None and seconds:
            energy = f"{joules / 3.6e6:,.3g} kWh, {joules / seconds:,.0f} W: the processor alone"
        parts["as it was run"] = {
            **({"tokens": f"{tokens:,}", "time": f"{seconds / 3600:,.4g} hours"}
               if tokens and seconds else {}), "energy": energy}
    for title, rows in parts.items():
        say(console, title, style="bold")
        grid = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        for name, value in rows.items():
            grid.add_row(f"  {name}", value)
        console.print(grid)
    say(console, f"machine: {machine['name']}, {machine['flops'] / 1e12:.3g} T "
                 f"{machine['numbers']} operations/s, {machine['sustained']:.0%} sustained; "
                 f"{machine['bandwidth'] / 1e9:,.4g} GB/s{draws}")
    say(console, "source: " + (machine["source"] or "measured just now"))
