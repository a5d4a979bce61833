"""Lesson 18: a bias that was planted, measured against the truth, and lessened at a price."""

import re
from itertools import islice

import numpy as np

from minillm.course.demos import main, measured

SEEDS, STORIES, HELD_OUT, FITTED = (0, 1, 2), 12_800, 300, 768
STEPS, BATCH, VOCABULARY, CONTEXT = 400, 32, 900, 52
SWAP = {"she": "he", "he": "she", "her": "his", "his": "her", "She": "He", "He": "She",
        "Her": "His", "His": "Her"}
MENDS = ("none", "augmented", "erased", "erased_first", "random_erased", "steered",
         "random_steered")
WORLDS, TOLD = 200, 40  # simulated worlds, stories of each occupation in each template


def compute(console, full):
    from minillm.inspection import bias
    from minillm.text.storyworld_words import SHE_RATES
    jobs = list(SHE_RATES)
    truth = bias.log_odds(np.array([SHE_RATES[job] for job in jobs]))
    found = {f"{mend}_{name}": [] for mend in MENDS for name in ("line", "loss", "right", "odds")}
    probes = {name: [] for name in ("before", "after", "control")}
    masses = []
    for seed in SEEDS:
        made, learn, held = texts(seed)
        for way in ("none", "augmented"):
            model = trained(made, learn if way == "none" else augmented(learn, seed), seed)
            mends, x, kinds = ({way: keep}, None, None)
            if way == "none":
                mends, x, kinds = fitted(model, learn, jobs, seed)
                probes = probed(probes, x, kinds, jobs, mends["erased"], seed)
            asked = bias.prompts(jobs, bias.STORIES)
            for mend, change in mends.items():
                odds, mass = expected(model, asked, change)
                if mend == "none":
                    masses.append(float(mass.mean()))
                table = bias.Pronouns(tuple(jobs), odds.reshape(len(jobs), -1), mass)
                line = bias.compared(table, SHE_RATES)
                found[f"{mend}_line"].append([line.slope, line.intercept, line.correlation])
                found[f"{mend}_odds"].append(table.log_odds_O.tolist())
                loss, right = price(model, held, change)
                found[f"{mend}_loss"].append(loss)
                found[f"{mend}_right"].append(right)
                console.print(f"seed {seed}, {mend:14}: slope {line.slope[0]:+.2f}, loss "
                              f"{loss:.2f}, right pronoun {right:.1%}")
    covers = bias.coverage(SHE_RATES, TOLD, WORLDS)
    results = {name: measured(value, *((-60, 60) if "loss" not in name else (10, 200)))
               for name, value in found.items()}
    slopes = {mend: float(np.mean([line[0][0] for line in found[f"{mend}_line"]]))
              for mend in MENDS}
    bands = {"none": (0.4, 1.2), "augmented": (-0.2, 0.2), "erased": (-0.2, 0.2),
             "erased_first": (-0.2, 0.2), "random_erased": (0.4, 1.2), "steered": (0.4, 1.2),
             "random_steered": (0.4, 1.2)}
    results |= {f"{mend}_slope": measured(slopes[mend], *bands[mend]) for mend in MENDS}
    results |= {f"probe_{name}": measured(values, 0, 1) for name, values in probes.items()}
    results |= {"mass": measured(float(np.mean(masses)), 0.5, 1),
                "covers": measured(covers, 0.85, 1)}
    return {"exact": {"jobs": jobs, "rates": [SHE_RATES[job] for job in jobs],
                      "truth": truth.tolist(), "seeds": len(SEEDS), "steps": STEPS,
                      "stories": STORIES, "held_out": HELD_OUT, "fitted": FITTED,
                      "templates": len(bias.STORIES), "worlds": WORLDS, "told": TOLD},
            "measured": results}


# ---- Stories and models -------------------------------------------------------------------------


def texts(seed):
    """(tokenizer, stories to learn, held-out ones): two sentences of each."""
    from minillm.text import storyworld, tokenizer
    learn, held = ([". ".join(text.split(". ")[:2]).split("\n")[0]
                    for text in islice(storyworld.stories(seed, part), n)]
                   for part, n in (("train", STORIES), ("validation", HELD_OUT)))
    return tokenizer.train(learn[:4000], VOCABULARY), learn, held


def swapped(text):
    """The same story with the other pronoun. (First paragraphs have no "him".)"""
    return re.sub(r"\b(she|he|her|his)\b", lambda found: SWAP[found[0]], text, flags=re.I)


def augmented(learn, seed):
    """Every other story, by a coin, with the other pronoun."""
    coins = np.random.default_rng([seed, 2]).random(len(learn)) < 0.5
    return [swapped(text) if coin else text for text, coin in zip(learn, coins)]


def trained(made, learn, seed):
    from minillm.architecture.llama import init
    from minillm.architecture.tree import tree_map
    from minillm.config import ModelConfig, TrainConfig
    from minillm.in_jax.train import init_state, train_steps
    from minillm.loading import Model
    from minillm.text import storyworld
    from minillm.text.dataset import document_rows, tokenize
    config = ModelConfig(vocab_size=made.vocab_size, hidden_size=64, intermediate_size=160,
                         num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4,
                         head_dim=16, max_position_embeddings=CONTEXT, **storyworld.RECIPE)
    tokens_NT, targets_NT = document_rows(*tokenize(learn, made), CONTEXT)
    pick = np.random.default_rng([seed, 1]).permutation(len(tokens_NT))[: STEPS * BATCH]
    train = TrainConfig(steps=STEPS, batch_size=BATCH, context=CONTEXT,
                        warmup_steps=20, cpu_devices=1)
    shape = (-1, BATCH, CONTEXT)
    state, _ = train_steps(init_state(init(config, np.random.default_rng(seed))),
                           tokens_NT[pick].reshape(shape), targets_NT[pick].reshape(shape),
                           config, train)
    end = made.special_tokens["<|endoftext|>"]
    return Model(config, tree_map(np.array, state["params"]), made, "lesson 18", (end,))


# ---- Remedies: a change of the last residual stream x; `first`: no pronoun was told yet ----------


def keep(x, first):
    return x


def fitted(model, learn, jobs, seed):
    """({mend: change}, x_ND, job of each), fitted to stories of the training set, cut before the
    first pronoun."""
    from minillm.in_numpy.erase import erase, leace
    from minillm.inspection.streams import last_stream
    said, pronoun = re.compile(rf"\b({'|'.join(jobs)})\b"), re.compile(r" (she|he|her|his)\b")
    job_N = np.array([jobs.index(said.search(text)[0]) for text in learn])
    words = [pronoun.search(text) for text in learn]
    is_she = np.array([word[1] in ("she", "her") for word in words])
    share_J = np.bincount(job_N, is_she) / np.bincount(job_N)  # as the training stories have it
    x = last_stream(model, [text[: word.start()] for text, word in zip(learn[:FITTED], words)])
    subject, kinds = np.array([word[1] in ("she", "he") for word in words[:FITTED]]), job_N[:FITTED]
    is_she, label = is_she[:FITTED], share_J[kinds]
    z = np.stack([np.where(form, label - label[form].mean(), 0) for form in (subject, ~subject)], 1)
    mean, remove = leace(x, z, everywhere(model, learn[:FITTED]))
    direction = x[is_she == 1].mean(axis=0) - x[is_she == 0].mean(axis=0)
    rng = np.random.default_rng([seed, 3])
    other = rng.normal(size=len(mean))
    other /= np.linalg.norm(other)
    size = np.linalg.norm(direction)
    return {"none": keep,
            "erased": lambda x, first: erase(x, mean, remove),
            "erased_first": lambda x, first: np.where(first, erase(x, mean, remove), x),
            "random_erased": lambda x, first: erase(x, mean, np.outer(other, other)),
            "steered": lambda x, first: x + direction,
            "random_steered": lambda x, first: x + size * other}, x, kinds


def everywhere(model, learn):
    """The covariance (D, D) of the last stream at all positions, so that others change little."""
    from minillm import in_jax
    from minillm.text.dataset import document_rows, tokenize
    tokens_NT, _ = document_rows(*tokenize(learn, model.tokenizer), CONTEXT)
    x = np.asarray(in_jax.stream(model.params, tokens_NT, model.config)[0], np.float64)
    return np.cov(x[tokens_NT != tokens_NT[0, 0]].T, bias=True)


def probed(probes, x, kinds, jobs, erased, seed):
    """Balanced accuracy for occupations that the probe never saw: is it mostly she?"""
    from minillm.inspection.probes import accuracy, control
    from minillm.text.storyworld_words import SHE_RATES
    labels = np.array([SHE_RATES[job] > 0.5 for job in jobs])[kinds]
    held = lambda x, labels: accuracy(x, labels, kinds, 8, seed, 10.0)
    new = {"before": held(x, labels), "after": held(erased(x, True), labels),
           "control": float(np.mean([held(x, control(labels, kinds, i)) for i in range(5)]))}
    return {name: [*probes[name], value] for name, value in new.items()}


# ---- What a mend gives and costs ---------------------------------------------------------------


def expected(model, asked, change):
    from minillm.inspection.streams import last_stream, pronoun_odds
    x = last_stream(model, [text for text, _ in asked])
    return pronoun_odds(model, change(x, True), [pair for _, pair in asked])


def price(model, held, change):
    """(nats a held-out paragraph, share of later pronouns where the right one is more probable)."""
    from minillm import in_jax
    from minillm.config import IGNORE
    from minillm.in_numpy.ops import log_softmax
    from minillm.text.dataset import document_rows, tokenize
    tokens_NT, targets_NT = document_rows(*tokenize(held, model.tokenizer), CONTEXT)
    ids = {word: model.tokenizer.encode(f" {word}")[0] for word in SWAP}
    wrong = {ids[word]: ids[other] for word, other in SWAP.items()}
    told = np.cumsum(np.isin(tokens_NT, list(wrong)), axis=1) > 0
    x = np.asarray(in_jax.stream(model.params, tokens_NT, model.config)[0])
    x = change(x, ~told[..., None]).astype(np.float32)
    log_p = log_softmax(np.asarray(in_jax.read(model.params, x), np.float64))
    at = np.nonzero(targets_NT != IGNORE)
    loss = -log_p[(*at, targets_NT[at])].sum() / len(held)
    at = np.nonzero(np.isin(targets_NT, list(wrong)) & told)
    right = targets_NT[at]
    return float(loss), float(np.mean(log_p[(*at, right)] >
                                      log_p[(*at, [wrong[i] for i in right])]))


if __name__ == "__main__":
    main(globals())
