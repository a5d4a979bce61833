"""Lesson 12 on SmolLM2-135M: what four bits cost a model that people use, beside llama.cpp.

Read from benchmarks/results/real_quantization.json, which says how it was measured.
"""

from pathlib import Path

from minillm.course.demos import main, unbroken

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "results" / "real_quantization.json"
EIGHT = ", embedding int8-group32"
# scheme: {who or what rounded: its row of the benchmark}; Q4_0 and Q4_1 are the same schemes
ROWS = {"int4-group32": {"nearest": f"int4-group32{EIGHT}", "GPTQ": f"int4-group32, gptq{EIGHT}",
                         "ggml": "llama.cpp Q4_0"},
        "int4-group32-min": {"nearest": f"int4-group32-min{EIGHT}",
                             "GPTQ": f"int4-group32-min, gptq{EIGHT}",
                             "ggml": "llama.cpp Q4_1"}}
ORDERS = ("as stored", "mixed")


def compute(console, full):
    from minillm.files import read_json
    found = read_json(BENCHMARK)
    rows = {scheme: {by: {order: cost(found["rows"].get(f"{order}, {row}")) for order in ORDERS}
                     for by, row in rounders.items()} for scheme, rounders in ROWS.items()}
    bits = {scheme: found["rows"][f"mixed, {of['nearest']}"]["bits_per_weight"]
            for scheme, of in ROWS.items()}
    recovered = {scheme: 1 - by["GPTQ"]["mixed"][0] / by["nearest"]["mixed"][0]
                 for scheme, by in rows.items()}
    return {"exact": {"tokens": found["tokens"], "calibration_tokens": found["calibration_tokens"],
                      "rows": rows, "bits": bits, "recovered": recovered}}


def cost(row) -> list | None:
    """[nats a token, its standard error], or None where the row was not measured."""
    return row and [row["difference"], row["standard_error"]]


def tables(results):
    from rich.table import Table
    exact = results["exact"]
    table = Table("", "rounded by", "bits per weight", *ORDERS,
                  title=f"Change of the loss on {exact['tokens']:,} tokens of Python's "
                  "documentation, nats a token; the embedding in 8 bits, groups of 32")
    for scheme, rounders in exact["rows"].items():
        for by, costs in rounders.items():
            shown = (f"{cost[0]:+.4f}±{cost[1]:.4f}" if (cost := costs[order]) else "-"
                     for order in ORDERS)
            table.add_row(unbroken(scheme), by.replace("ggml", "llama.cpp"),
                          f"{exact['bits'][scheme]:.2f}", *map(unbroken, shown))
    yield "costs", table


if __name__ == "__main__":
    main(globals())
