"""Lesson 14 on SmolLM2-135M: what it is, where each wrong reading of it breaks, how it answers."""

from minillm.course.demos import beside, main, measured, smollm2, values

QUESTION = "What is the capital of France?"
TOKENS = 24                                                       # that each reading writes
WRONG = ("theta", "eps", "layout", "groups", "head")              # of the readings of readings.py


def compute(console, full):
    from minillm import chat_template
    from minillm.config import GenerateConfig
    from minillm.formats import get
    from minillm.formats.describe import describe
    readings, model = beside(__file__, "readings"), smollm2()
    path = get.models() / get.SMOLLM2
    readings.WRONG = {name: readings.WRONG[name] for name in WRONG}
    looked = readings.look(model, readings.PROMPT, [model.text_ids(readings.TEXT)], TOKENS,
                           console.print)
    written = model.tokenizer.encode(looked["right"]["text"])
    theirs = by_transformers(path, model.prompt_ids(readings.PROMPT))
    prompt = chat_template.render(model.chat_template, [{"role": "user", "content": QUESTION}],
                                  model.marks)
    ids = model.tokenizer.encode(prompt, allow_special=True)
    how = GenerateConfig(max_new_tokens=TOKENS, temperature=0.0)
    answer = list(model.continuation(ids, "numpy", how, None, model.answer_ends))
    name_of = {number: token for token, number in model.tokenizer.vocab.items()}
    exact = {"what": readings.what_it_is(describe(path)), "prompt": readings.PROMPT,
             "tolerance": readings.TOLERANCE, "question": QUESTION, "written": prompt,
             "prompt_tokens": len(ids), "answer": model.tokenizer.decode(answer),
             "ends": [name_of[number] for number in model.answer_ends],
             "text": looked["right"]["text"], "text_tokens": len(written),
             "first": {name: row["first"] for name, row in rows(looked).items()}}
    found = {"by_transformers": measured(int(looked["reference"] == "transformers"), 0, 1),
             "same_text": measured(int(theirs in (None, looked["right"]["text"])), 1, 1)}
    for name, row in rows(looked).items():
        most = readings.TOLERANCE if name == "right" else 1e6
        found[f"{name}_apart"] = measured([max(row["relative"]), row["relative"][-1]], 0, most)
        found[f"{name}_loss"] = measured(row["loss"], 0.7, 1e4)
        found[f"{name}_text"] = measured(list(row["text"].encode()), 0, 255)
    return {"exact": exact, "measured": found}


def rows(looked) -> dict:
    """Of what readings.look gives, the readings, without those that are no mistake here."""
    return {name: row for name, row in looked.items() if name != "reference" and row}


def by_transformers(path, ids) -> str | None:
    """What transformers, reading the file itself, writes after the ids; None without it."""
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        return None
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name,
                                                 dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    written = model.generate(torch.tensor([ids]), max_new_tokens=TOKENS, do_sample=False)
    return tokenizer.decode(written[0][len(ids):], skip_special_tokens=True)


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    readings = beside(__file__, "readings")
    what = Table("", "", title="SmolLM2-135M-Instruct")
    for name, value in exact["what"].items():
        what.add_row(name, value)
    what.add_row("ends an answer", ", ".join(exact["ends"]))
    yield "what", what
    wrong = Table("read with", "first that differs", "logits differ by", "nats a token",
                  title="SmolLM2-135M-Instruct, in parts of the largest number")
    texts = Table("read with", "what it writes", title="Always the most probable token")
    for name, first in exact["first"].items():
        label = readings.ABOUT.get(name, "nothing wrong")
        wrong.add_row(label, first or "none", f"{found[f'{name}_apart'][1]:.1e}",
                      f"{found[f'{name}_loss']:.3f}")
        texts.add_row(label, " ".join(bytes(found[f"{name}_text"]).decode().split()))
    yield "readings", wrong
    yield "texts", texts


if __name__ == "__main__":
    main(globals())
