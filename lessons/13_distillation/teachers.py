"""Teachers whose stories are possible, reduced to what the page shows.

From what benchmarks/teacher.py found.
"""

from collections import Counter
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "teacher.json"
OFTEN = 0.01                                                    # a reason with a row of its own
MEASURED = ("nats", "above_floor", "share", "cool_share", "words", "names", "cpu_minutes", "tokens",
            "accepted")
AHEAD = 4                                                       # tokens of a draft
PLAIN = {"another word": "another secret word", "another she": "another pronoun",
         "another left": "another first number", "another right": "another second number",
         "breaks the rule of friend": "hero and friend have one name",
         "no such fact": "a fact that does not exist"}


def results() -> dict:
    """The exact numbers, none where the benchmark has not been run."""
    from minillm.files import read_json
    if not RESULTS.is_file():
        return {}
    found = read_json(RESULTS)
    for row in (*found["runs"].values(), *found["students"].values()):
        row["share"] = row["possible"] / found["setting"]["written"]
        row["cool_share"] = row["cool"] / found["setting"]["written"]
        row["names"] = sum(row["faults"].get(f"another {fact}", 0)
                           for fact in ("hero", "friend"))
    for row in found.get("drafts", []):
        if row["ahead"] == AHEAD:
            found["students"][row["draft"]]["accepted"] = row["accepted"]
    runs = of_seeds(found["runs"])
    for row in runs.values():
        same = row["faults"].get("breaks the rule of friend", 0)
        row["of_one_name"] = row["seeds"] * found["setting"]["written"] / max(same, 1)
    return {"teachers": {"setting": found["setting"], "runs": runs,
                         "students": of_seeds(found["students"]),
                         "ratio": runs["long"]["tokens"] / runs["short"]["tokens"]}}


def of_seeds(runs) -> dict:
    """Of each run or student the means of its seeds, their standard deviations, and all faults."""
    import numpy as np
    rows = {}
    for name in dict.fromkeys(key.rsplit("/", 1)[0] for key in runs):
        seeds = [row for key, row in runs.items() if key.rsplit("/", 1)[0] == name]
        values = {key: [row[key] for row in seeds if row.get(key) is not None] for key in MEASURED}
        faults = sum((Counter(row["faults"]) for row in seeds), Counter())
        rows[name] = {
            "seeds": len(seeds), "parameters": seeds[0]["parameters"], "steps": seeds[0]["step"],
            "shares": values["share"], "faults": dict(faults.most_common()),
            **{key: float(np.mean(value)) for key, value in values.items() if value},
            "spread": {key: float(np.std(value, ddof=1)) if len(value) > 1 else 0.0
                       for key, value in values.items()}}
    return rows


def tables(exact):
    if "teachers" not in exact:
        return
    found = exact["teachers"]
    yield "teachers", of_runs(found)
    yield "faults", of_faults(found)
    if found["students"]:
        yield "pupils", of_students(found)


def of_runs(found):
    from rich.table import Table
    table = Table("run", "tokens", "CPU minutes", "nats", "above floor", "possible", "T = 0.8",
                  title=f"Teachers, {found['setting']['written']:,} stories of each: mean and "
                        "standard deviation of the seeds")
    for name, row in found["runs"].items():
        table.add_row(name, f"{row['tokens'] / 1e6:.1f}M", f"{row['cpu_minutes']:.1f}",
                      spread(row, "nats", 2), spread(row, "above_floor", 2, 100),
                      spread(row, "share", 1, 100), spread(row, "cool_share", 1, 100))
    return table


def of_faults(found):
    """Why stories are impossible, a column for each run, of all seeds; rare reasons together."""
    from rich.table import Table
    written = {name: row["seeds"] * found["setting"]["written"]
               for name, row in found["runs"].items()}
    faults = {name: row["faults"] for name, row in found["runs"].items()}
    table = Table("where the grammar stops reading",
                  *(f"{name}, of {count:,}" for name, count in written.items()),
                  title="Impossible stories of all seeds, and why")
    often = [reason for reason in dict.fromkeys(sum(map(list, faults.values()), []))
             if any(some.get(reason, 0) >= OFTEN * written[name] for name, some in faults.items())]
    for reason in often:
        table.add_row(PLAIN.get(reason, reason), *(str(some.get(reason, 0))
                                                   for some in faults.values()))
    table.add_row("all else", *(str(sum(some.values()) - sum(some.get(reason, 0)
                                                             for reason in often))
                                for some in faults.values()))
    return table


def of_students(found):
    from rich.table import Table
    table = Table("student", "size", "seeds", "nats", "possible", "T = 0.8", "words", "accepted",
                  title="Students of the long run: mean and standard deviation of the seeds")
    for name, row in found["students"].items():
        table.add_row(name, f"{row['parameters'] / 1e3:.0f}k", str(row["seeds"]),
                      spread(row, "nats", 1), spread(row, "share", 1, 100),
                      spread(row, "cool_share", 1, 100), spread(row, "words", 1),
                      spread(row, "accepted", 1, 100))
    return table


def spread(row, key, digits, scale=1) -> str:
    """Mean ± standard deviation, in percent where `scale` is 100."""
    off = f" ± {scale * row['spread'][key]:.{digits}f}" if row["seeds"] > 1 else ""
    return f"{scale * row[key]:.{digits}f}{off}" + "%" * (scale == 100)
