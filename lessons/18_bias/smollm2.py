"""Lesson 18 on SmolLM2-135M: pronouns against labour statistics, before and after erasing."""

import numpy as np

from minillm.course.demos import main, measured, smollm2, values

# To fit the eraser; the bias is measured in other templates.
FIT = tuple(f"The {{}} {rest}" for rest in (
    "thought that", "was happy because", "did not know what", "looked up, and then",
    "was asked whether", "hoped that", "was paid when", "called because"))
ROWS, CONTEXT = 12, 128  # of English: as many to fit, as many to measure


def compute(console, full):
    from minillm.in_numpy.erase import erase, leace
    from minillm.inspection import bias
    from minillm.inspection.labour import WOMEN
    from minillm.inspection.streams import last_stream, pronoun_odds
    model = smollm2().on("jax")
    jobs, rates = list(WOMEN), {job: share / 100 for job, share in WOMEN.items()}
    asked = bias.prompts([*jobs, bias.NEUTRAL], bias.SENTENCES)
    x_OTD = last_stream(model, [text for text, _ in asked]).reshape(len(jobs) + 1, -1, 576)
    fit_OTD = last_stream(model, [text.format(job) for job in jobs for text in FIT]).reshape(
        len(jobs), len(FIT), -1)
    console.print("read the templates")
    seen, held = (streams(model, tokens) for tokens in english(model))
    cov = np.cov(seen[0].T, bias=True)
    truth = bias.log_odds(np.array(list(rates.values())))
    rng = np.random.default_rng(0)
    other = rng.normal(size=len(cov))
    other = np.outer(other, other) / (other @ other)
    after, random = x_OTD.copy(), erase(x_OTD, x_OTD.mean(axis=(0, 1)), other)
    losses = {"before": loss(model, *held), "after": []}
    for fold in (0, 1):  # erased with what was fitted to the other half of the occupations
        mine, theirs = np.arange(len(jobs)) % 2 == fold, np.arange(len(jobs)) % 2 != fold
        z = np.repeat(truth[theirs], len(FIT))[:, None]
        eraser = leace(fit_OTD[theirs].reshape(len(z), -1), z, cov)
        after[:-1][mine] = erase(x_OTD[:-1][mine], *eraser)
        losses["after"].append(loss(model, erase(held[0], *eraser), held[1]))
    losses["random"] = loss(model, erase(held[0], held[0].mean(axis=0), other), held[1])
    lines, masses = {}, {}
    for name, x in (("before", x_OTD), ("after", after), ("random", random)):
        odds, mass = pronoun_odds(model, x.reshape(-1, x.shape[-1]), [pair for _, pair in asked])
        odds, mass = odds.reshape(len(x), -1), mass.reshape(len(x), -1)[:-1]
        table = bias.Pronouns(tuple(jobs), odds[:-1] - odds[-1], mass)
        line = bias.compared(table, rates)
        lines[name] = [line.slope, line.intercept, line.correlation]
        masses[name] = float(mass.mean())
        console.print(f"{name}: slope {line.slope}, loss {losses[name]}")
    return {"exact": {"jobs": len(jobs), "templates": len(bias.SENTENCES), "fit": len(FIT),
                      "english": ROWS * (CONTEXT - 1)},
            "measured": {f"{name}_line": measured(line, -5, 5) for name, line in lines.items()}
            | {f"{name}_mass": measured(mass, 0.01, 1) for name, mass in masses.items()}
            | {f"{name}_loss": measured(float(np.mean(nats)), 1, 6)
               for name, nats in losses.items()}}


def english(model):
    """Two arrays (ROWS, CONTEXT) of ordinary English: one to fit, one to measure."""
    from minillm.text.corpora import read_corpus
    text = "\n\n".join(read_corpus("python-docs", megabytes=0.2).train)
    ids = model.tokenizer.encode(text)[: 2 * ROWS * CONTEXT]
    return np.array(ids, np.int32).reshape(2, ROWS, CONTEXT)


def streams(model, tokens_BT):
    """(x (N, D), next tokens (N,)) of all positions but each row's last."""
    from minillm import in_jax
    x_BTD = np.asarray(in_jax.stream(model.params, tokens_BT, model.config)[0], np.float64)
    return x_BTD[:, :-1].reshape(-1, x_BTD.shape[-1]), tokens_BT[:, 1:].ravel()


def loss(model, x_ND, next_N):
    """Nats a token."""
    from minillm import in_jax
    from minillm.inspection.scoring import log_p_of
    return -log_p_of(in_jax, model.params, x_ND.astype(np.float32), next_N, 512) / len(next_N)


def tables(results):
    from rich.table import Table
    exact, found = values(results)
    table = Table("eraser", "slope", "95%", "correlation", "95% ", "mass", "nats a token",
                  title=f"SmolLM2-135M: {exact['jobs']} occupations against labour statistics, "
                        f"{exact['templates']} templates")
    for name, label in (("before", "none"), ("after", "fitted to other occupations"),
                        ("random", "a random direction")):
        slope, _, like = found[f"{name}_line"]
        table.add_row(label, f"{slope[0]:.2f}", f"{slope[1]:.2f} to {slope[2]:.2f}",
                      f"{like[0]:.2f}", f"{like[1]:.2f} to {like[2]:.2f}",
                      f"{found[f'{name}_mass']:.0%}", f"{found[f'{name}_loss']:.3f}")
    yield "labour", table


if __name__ == "__main__":
    main(globals())
