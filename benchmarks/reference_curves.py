"""The curves that `minillm compare-curve` compares with: the demo's recipe and nano, three seeds each.

    python benchmarks/reference_curves.py [--only NAME] [--seeds 0 1 2]      trains what is not there yet (about 15 minutes on two cores)
    python benchmarks/reference_curves.py --add NAME RUN                     takes the curve of a run of that command, as far as it is

Writes minillm/training/reference_curves.json after every run. A curve is added only if its settings are the reference's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from minillm.training.curves import EVERY, differences, read_run

PATH = Path(__file__).parents[1] / "minillm" / "training" / "reference_curves.json"
COMMANDS = {"demo": ("demo",), "nano": ("pretrain", "storyworld", "--model", "nano")}


def add(name: str, folder):
    """Put one run into the file."""
    known = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    curve, model, train = read_run(folder)
    entry = known.setdefault(name, {"command": " ".join(("minillm", *COMMANDS[name])), "model": model, "train": train, "seeds": {}})
    other = differences(model, train, entry)
    if other:
        sys.exit(f"{folder}: is not a run of {entry['command']}: {'; '.join(other)}")
    entry["seeds"][str(train["seed"])] = curve.record()
    PATH.write_text(json.dumps(known, separators=(",", ":")).replace('"seeds"', '\n"seeds"').replace('"loss"', '\n"loss"') + "\n",
                    encoding="utf-8")
    print(f"{name}, seed {train['seed']}: ends at {curve.loss[-1]:.4f} nats a token", flush=True)


def complete(name: str, seed: int) -> bool:
    """Is this seed there to its last step? One that was taken from an unfinished run (--add) is trained again."""
    entry = json.loads(PATH.read_text(encoding="utf-8")).get(name, {}) if PATH.exists() else {}
    return len(entry.get("seeds", {}).get(str(seed), {}).get("loss", ())) == entry.get("train", {}).get("steps", 0) // EVERY > 0


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", choices=COMMANDS)
    options.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options.add_argument("--add", nargs=2, metavar=("NAME", "RUN"))
    options = options.parse_args()
    if options.add:
        return add(*options.add)
    for name in [options.only] if options.only else COMMANDS:
        for seed in options.seeds:
            if complete(name, seed):
                continue
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run([sys.executable, "-m", "minillm", *COMMANDS[name], "--seed", str(seed), "--out", f"{folder}/run"], check=True,
                               stdout=subprocess.DEVNULL)
                add(name, f"{folder}/run")


if __name__ == "__main__":
    main()
