"""A model card in the form of the Hugging Face hub, from what a folder has on record."""

import json
from importlib.resources import files
from math import exp
from pathlib import Path
from statistics import mean, stdev
from string import Template

from minillm import __version__
from minillm.architecture.cost import sizes, training_flop
from minillm.errors import UserError, printable
from minillm.files import read_json, sha256_of
from minillm.formats.describe import config_at, describe
from minillm.formats.gguf_file import Gguf
from minillm.formats.kind import kind_of
from minillm.formats.weights import Weights
from minillm.text.storyworld import WORLDS
from minillm.training.state import NUMBERS, STATE

UNKNOWN = "Unknown: nothing in this folder says so."
SPREAD = ("held_out", "bits_per_byte", "above_floor")  # what a summary says of held-out text


def recorded(path) -> dict:
    """What is on record of a run, a checkpoint or a file; None for what is not.

    {"path", "described", "summary", "train", "dataset", "weights": {file: SHA-256}, "license",
    "languages", "from", "family"}. Raises UserError where there is no model.
    """
    path = Path(path)
    found = {"path": path, "described": describe(path), "summary": None, "train": None,
             "dataset": None, "license": None, "languages": [], "from": None, "family": "llama"}
    if "parameters" not in found["described"]:
        why = "; ".join(found["described"].get("refused", [])) or "it is an adapter"
        raise UserError(f"{path}: no card is made of what is not a whole model: {why}")
    if kind_of(path) == "gguf":
        fields = Gguf(path).fields
        found["family"] = fields.get("general.architecture", "llama")
        found["license"] = fields.get("general.license")
        found["languages"] = list(fields.get("general.languages", []))
    if path.is_dir():
        found["family"] = read_json(path / "config.json").get("model_type", "llama")
    for name, file in (("summary", "summary.json"), ("dataset", "data/dataset.json")):
        if path.is_dir() and (path / file).is_file():
            found[name] = read_json(path / file)
    if path.is_dir() and (path / STATE).is_file():
        with Weights([path / STATE], NUMBERS) as state:
            found["train"] = json.loads(state.metadata.get("train", "null"))
            found["from"] = json.loads(state.metadata.get("origin", "null"))
    names = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    found["weights"] = {file.name: sha256_of(file) for file in names if file.name != STATE}
    return found


def card(path, others=(), license=None, languages=(), memorised=None, bias=None) -> str:
    """The text of a README.md: YAML front matter, then one section for each question.

    `others` are runs that differ in their seed alone: then losses have a mean and a spread.
    `memorised` is what `inspection.memorised.continued` gives, `bias` an object of numbers.
    Mitchell et al. 2019, arXiv:1810.03993. Raises UserError.
    """
    found = recorded(path)
    runs = [found, *map(recorded, others)]
    for run in runs[1:]:
        if not same_recipe(found, run):
            raise UserError(f"{run['path']}: is not the same model, recipe and data with another "
                            "seed: a spread over both says nothing")
    license, languages = license or found["license"], list(languages) or found["languages"]
    parts = {"front": front_matter(found, license, languages),
             "name": printable(Path(path).resolve().stem, quoted=False),
             "made": f"*Written by `minillm card` {__version__} from what is on record. What is "
                     "not on record is said to be unknown.*",
             "what": what_it_is(found), "data": data(found), "recipe": recipe(found),
             "cost": cost(found), "evaluation": evaluation(runs),
             "memorisation": memorisation(memorised),
             "bias": table(bias) if bias else "Not measured. That is not the same as none.",
             "limits": limits(found, memorised, bias), "use": use(license)}
    text = (files("minillm.inspection") / "assets" / "card.md").read_text(encoding="utf-8")
    return Template(text).substitute(parts)


def front_matter(found: dict, license, languages) -> str:
    """The lines of YAML. Every text is in double quotes as in JSON, which YAML reads alike.

    A licence that nobody stated is left out, for the hub reads its absence as unknown.
    """
    fields = {"license": license, "language": languages, "library_name": "transformers"
              if found["path"].is_dir() else None, "pipeline_tag": "text-generation",
              "tags": ["minillm", "text-generation", found["family"]],
              "datasets": None, "metrics": ["perplexity"] if found["summary"] else None}
    if found["dataset"] and "/" in found["dataset"].get("name", ""):
        fields["datasets"] = [found["dataset"]["name"]]  # an id of the hub is OWNER/NAME
    lines = []
    for name, value in fields.items():
        if isinstance(value, list) and value:
            lines += [f"{name}:", *(f"- {json.dumps(str(item))}" for item in value)]
        elif value:
            lines.append(f"{name}: {json.dumps(str(value))}")
    return "\n".join(lines) + "\n"


def table(rows: dict) -> str:
    """Two columns of Markdown; numbers to four digits."""
    def shown(value):
        if isinstance(value, float):
            return f"{value:.4g}"
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:,}"
        return printable(str(value), quoted=False).replace("|", "\\|")
    return "\n".join(["| | |", "|---|---|", *(f"| {shown(name)} | {shown(value)} |"
                                               for name, value in rows.items())])


def what_it_is(found: dict) -> str:
    described = found["described"]
    config = described["config"]
    return table({"format": described["format"], "parameters": described["parameters"]["total"],
                  **{name.replace("_", " "): config[name] for name in (
                      "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                      "num_attention_heads", "num_key_value_heads", "max_position_embeddings")
                     if name in config},
                  **{f"SHA-256 of {name}": f"`{digest}`"
                     for name, digest in found["weights"].items()}})


def data(found: dict) -> str:
    if not found["dataset"]:
        return UNKNOWN
    about = found["dataset"]
    rows = {"name": about.get("name"), "what": about.get("description"),
            "fingerprint of the text": f"`{about.get('fingerprint')}`",
            "SHA-256 of the tokenizer": f"`{about.get('tokenizer_sha256')}`"}
    for split in ("train", "validation"):
        rows |= {f"{split}, {name}": count for name, count in about.get(split, {}).items()}
    rows |= {f"SHA-256 of {name}": f"`{digest}`" for name, digest in about.get("files", {}).items()}
    return table(rows)


def recipe(found: dict) -> str:
    if not found["train"]:
        return UNKNOWN
    begun = {"begun from": json.dumps(found["from"])} if found["from"] else {}
    return table({**begun, **{name.replace("_", " "): value
                              for name, value in found["train"].items()}})


def cost(found: dict) -> str:
    summary, config = found["summary"] or {}, config_at(found["path"])
    rows = {"operations for a token, products alone": 2 * sizes(config)["products"]}
    if summary.get("tokens") and found["train"]:
        flop = sum(training_flop(config, summary["tokens"], found["train"]["context"]).values())
        rows |= {"tokens read in training": summary["tokens"],
                 "operations of training": float(flop)}
    rows["time of training"] = (f"{summary['seconds']:,.0f} seconds (the last call, where the run "
                                "was resumed)" if "seconds" in summary else "unknown")
    joules = summary.get("joules")
    rows["energy of training"] = (f"{joules / 3.6e6:.3g} kWh, the processor alone"
                                  if joules is not None else "unknown: not measured")
    return table(rows)


def evaluation(runs: list[dict]) -> str:
    names = [name for name in SPREAD if all(name in (run["summary"] or {}) for run in runs)]
    if not names:
        return UNKNOWN
    label = {"held_out": "loss on held-out text, nats a token", "bits_per_byte": "bits a byte",
             "above_floor": "above the exact floor, as a share"}
    rows = {}
    for name in names:
        values = [run["summary"][name] for run in runs]
        if name == "held_out":
            rows["perplexity"] = (exp(mean(values)) if len(values) == 1 else
                                         f"{exp(mean(values)):.4g}, of the mean loss")
        rows[label[name]] = values[0] if len(values) == 1 else (
            f"{mean(values):.4g} ± {stdev(values):.2g} (standard deviation of {len(values)} seeds)")
    only = "" if len(runs) > 1 else "\n\nOne run: how far another seed would be from it is unknown."
    return table(rows) + only


def memorisation(found: dict | None) -> str:
    if not found:
        return "Not measured. That is not the same as none."
    rows = {f"{split}: continued word for word": f"{part['share']:.1%} of {part['number']} ("
            f"95% interval {part['low']:.1%} to {part['high']:.1%})"
            for split, part in found["splits"].items()}
    return (f"Given the first {found['before']} tokens of a document, does the model's most "
            f"probable continuation repeat the next {found['length']} exactly?\n\n" + table(rows)
            + "\n\nA share that is no higher than that of held-out text, which the model never "
            "saw, is what predictable text gives. Rare secrets are not found by this: see "
            "lesson 21 of minillm.")


def limits(found: dict, memorised, bias) -> str:
    """What follows from the numbers and from what is not known."""
    context = found["described"]["config"].get("max_position_embeddings")
    lines = [f"Texts longer than {context:,} tokens are outside what it was made for."] * (
        context is not None)
    if found["described"]["parameters"]["total"] < 1e9:
        lines.append("It is small: what it writes may read well and be false. Do not rely on it "
                     "for facts, or for advice on health, law or money.")
    if (found["dataset"] or {}).get("name") in WORLDS and not found["from"]:
        lines.append("It has read nothing but invented stories of one grammar. It knows nothing "
                     "of the world, and English stories have planted biases.")
    missing = [name for name, there in (("its data", found["dataset"]), ("its recipe", found[
        "train"]), ("its memorisation", memorised), ("its bias", bias)) if not there]
    if missing:
        lines.append(f"Not known here: {', '.join(missing)}.")
    return "\n".join(f"- {line}" for line in lines)


def use(license) -> str:
    if not license:
        return ("**No licence is stated.** Then, in most countries, nobody but its makers has a "
                "right to copy or change it. State one with `minillm card --license`, if it is "
                "yours to give.")
    return f"Licence: {printable(str(license), quoted=False)}. Read it before you use the model."


def same_recipe(one: dict, other: dict) -> bool:
    """Do two runs differ in their seed alone? The fingerprint of their text must be the same."""
    def without_seed(run):
        return {name: value for name, value in (run["train"] or {}).items() if name != "seed"}
    return (one["train"] is not None and without_seed(one) == without_seed(other)
            and one["train"]["seed"] != (other["train"] or {}).get("seed")
            and one["described"]["config"] == other["described"]["config"]
            and (one["dataset"] or {}).get("fingerprint") == (other["dataset"] or {}).get(
                "fingerprint"))
