"""Lesson 16: a model of stories learns to answer at a desk, whole and by small changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from minillm.course.demos import main, measured

SEED, STEPS = 0, 300
RECIPE = dict(batch_size=6, context=224, warmup_steps=20)                  # as lesson 12's model
MEGABYTES, VOCABULARY, CONTEXT = 1.5, 1024, RECIPE["context"]
TUNING = dict(steps=240, batch_size=8, context=CONTEXT, warmup_steps=20, weight_decay=0.0,
              seed=SEED)
WHOLE = dict(learning_rate=6e-3, muon_learning_rate=0.02)                   # as in pretraining
CHANGE, SCALE = dict(optimizer="adamw", learning_rate=5e-3), 2.0         # alpha: twice the rank
EXAMPLES, QUESTIONS, STORIES, EVERY, RANKS = 4000, 200, 48, 80, (4, 16)
LABELS = {"answers": "the assistant's tokens", "everything": "every token",
          "shifted": "the mask one place late", "no_end": "the answers without their end"}
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def compute(console, full):
    return quick(console)


def quick(console):
    from minillm.architecture.llama import count
    from minillm.config import TrainConfig
    from minillm.course.small_models import trained
    from minillm.loading import Model
    from minillm.tuning import with_template
    from minillm.tuning.desk import facts
    from minillm.tuning.packing import packed
    from minillm.tuning.rendering import rendered
    from minillm.tuning.tasks import task_of
    made = trained(console, MEGABYTES, VOCABULARY, CONTEXT,
                   TrainConfig(steps=STEPS, seed=SEED, **RECIPE))
    model = with_template(Model(made.config, made.params, made.tokenizer, "the model of lesson 16",
                                (made.config.bos_token_id,)))
    task = task_of("desk")
    talks = rendered(model, task.conversations("train", EXAMPLES, SEED))
    desk = Desk(model, task)
    exact = {"parameters": count(made.config), "examples": EXAMPLES, "questions": QUESTIONS,
             "stories": STORIES, "steps": TUNING["steps"], "cells": len(facts()),
             "facts": sum(map(bool, facts().values())), **shown(model, talks), "ranks": RANKS,
             "scale": SCALE, "different": len(talks), "width": made.config.hidden_size,
             "unknown": sum(one.kind != "fact" for one in desk.examples),
             "embedding": made.params["embed_tokens"].size / count(made.config),
             "nats_even": float(np.log(made.config.vocab_size) * desk.tokens / STORIES)}
    masks = {"answers": talks, "everything": [replace(one, counts=np.ones_like(one.counts))
                                              for one in talks],
             "shifted": [replace(one, counts=np.roll(one.counts, 1)) for one in talks],
             "no_end": [replace(one, counts=one.counts & ~np.isin(one.tokens, model.answer_ends))
                        for one in talks]}
    rows = {name: packed(some, CONTEXT, SEED) for name, some in masks.items()}
    exact["counted"] = {name: float(np.mean(np.concatenate([one.counts for one in some])))
                        for name, some in masks.items()}
    found, whole = {"before": desk.measure(made.params)}, None
    for name, some in rows.items():
        params, found[name] = learn(desk, some, name == "answers")
        whole = params if name == "answers" else whole
        console.print(f"{LABELS[name]}: {found[name][-1][0]:.1%} right, "
                      f"{found[name][-1][2]:.1f} nats a story")
    exact["numbers"] = []
    for rank in RANKS:
        changes, found[f"rank{rank}"] = learn_change(desk, rows["answers"], rank)
        exact["numbers"].append(int(sum(leaf.size for leaf in leaves(changes))))
        console.print(f"rank {rank}: {found[f'rank{rank}'][-1][0]:.1%} right, "
                      f"{found[f'rank{rank}'][-1][2]:.1f} nats a story")
    found["uses"], found["changes"] = wrong_uses(desk, whole), wrong_changes(desk, changes)
    exact["bytes"] = [4 * exact["parameters"] + 16 * number for number in exact["numbers"]]
    return {"exact": exact, "measured": {
        **{name: measured(value, 0.0, 1e5) for name, value in found.items()}, **quoted(found)}}


def quoted(found):
    """The numbers that the text quotes, each with the band that another machine meets."""
    whole, change = found["answers"][-1], found[f"rank{RANKS[-1]}"][-1]
    return {"right_before": measured(found["before"][0], 0.0, 0.1),
            "nats_before": measured(found["before"][2], 130.0, 400.0),
            "right_whole": measured(whole[0], 0.8, 1.0), "nats_whole": measured(whole[2], 150, 1e5),
            "right_change": measured(change[0], 0.1, 0.9),
            "nats_change": measured(change[2], 130, 1e5),
            "lost_twice": measured(found["uses"][0] - found["uses"][2], 0.0, 1.0),
            **{f"right_{name}": measured(found[name][-1][0], 0.0, 1.0)
               for name in ("everything", "shifted", "no_end")}}


def leaves(tree):
    from minillm.architecture.tree import flatten
    return flatten(tree).values()


def shown(model, talks):
    """The shortest conversation, token by token, and which of them count."""
    one = min(talks, key=lambda one: len(one.tokens))
    pieces = [model.tokenizer.decode([int(token)]) for token in one.tokens]
    return {"pieces": pieces, "piece_counts": one.counts.astype(int).tolist(),
            "parts": [int(one.counts.sum()), len(pieces)]}


class Desk:
    """Asks a model of these shapes the held-out questions, and has it read held-out stories."""

    def __init__(self, model, task):
        from minillm import tuning
        from minillm.text import storyworld
        from minillm.text.dataset import document_rows, tokenize
        self.model, self.task = model, task
        self.examples = task.some("validation", QUESTIONS)
        self.asked = tuning.prompts(model, [e.question for e in self.examples], 24)
        texts = storyworld.corpus(SEED, "validation", 400_000)[:STORIES]
        self.stories = document_rows(*tokenize(texts, model.tokenizer), CONTEXT)
        self.tokens = int(np.sum(self.stories[1] >= 0))

    def right(self, params, asked=None, unknown=False):
        """The share of right answers, or of those where "I do not know" is right."""
        from minillm import tuning
        from minillm.config import GenerateConfig
        sampling = GenerateConfig(max_new_tokens=24, temperature=0)
        length = 32 + max(map(len, self.asked))
        written = tuning.write(self.model, asked or self.asked, sampling, "jax", params,
                               len(self.asked), length)
        grades = [self.task.reward(e.question, text) for e, text in
                  zip(self.examples, tuning.texts(self.model, written))]
        kinds = np.array([e.kind != "fact" for e in self.examples])
        return float(np.mean(grades)), float(np.mean(np.array(grades)[kinds]))

    def nats(self, params):
        """Nats a held-out story."""
        from minillm import in_jax
        from minillm.training import row_nats
        nats, _ = row_nats(in_jax, params, self.model.config, *self.stories, 16)
        return float(nats.sum() / STORIES)

    def measure(self, params):
        """[share right, share right of what is unknown, nats a story]."""
        return [*self.right(params), self.nats(params)]


def learn(desk, rows, often):
    """Train everything: (the parameters, what was measured on the way, or at the end alone)."""
    from minillm import in_jax
    from minillm.config import TrainConfig
    train, state, history = TrainConfig(**TUNING, **WHOLE), in_jax.init_state(desk.model.params), []
    every = EVERY if often else train.steps
    for first in range(0, train.steps, every):
        batches = rows.batches(train, first, first + every)
        state, _ = in_jax.train_steps(state, *batches, desk.model.config, train)
        history.append(desk.measure(state["params"]))
    return state["params"], history


def learn_change(desk, rows, rank):
    """Train a change beside every matrix: (the change, what was measured on the way)."""
    from minillm import in_jax
    from minillm.architecture.adapters import TARGETS, adapt, init_adapters, merged
    from minillm.architecture.tree import tree_map
    from minillm.config import TrainConfig
    train, params, history = TrainConfig(**TUNING, **CHANGE), desk.model.params, []
    state = in_jax.init_state(init_adapters(params, TARGETS, rank, np.random.default_rng(SEED)))
    changes = state["params"]
    for first in range(0, train.steps, EVERY):
        batches = rows.batches(train, first, first + EVERY)
        state, _ = in_jax.adapter_steps(state, params, *batches, desk.model.config, train, SCALE)
        changes = tree_map(np.asarray, state["params"])
        if rank == RANKS[-1] or first + EVERY == train.steps:
            history.append(desk.measure(merged(adapt(params, changes, SCALE))))
    return changes, history


def wrong_uses(desk, params):
    """Shares of right answers of one tuned model, asked as it was tuned, and otherwise."""
    encode, begin = desk.model.tokenizer.encode, list(desk.model.begin)
    turn, (end, *_) = encode("<|assistant|>\n"), desk.model.answer_ends
    bodies = [one[len(begin) : -len(turn)] for one in desk.asked]
    inside = [encode("<|user|>\n") + one + turn + [end] + encode("\n") for one in bodies]
    asked = {"right": desk.asked, "bos": [[*begin, *one] for one in desk.asked],
             "twice": [[*begin, *one, *turn] for one in inside],
             "turn": [[*begin, *one] for one in bodies],
             "plain": [[*begin, *encode(e.question)] for e in desk.examples]}
    return [desk.right(params, some)[0] for some in asked.values()]


def wrong_changes(desk, changes):
    """`measure` of the model with this change merged, and of three wrong ones: without the scale,
    merged twice, and one of which B is random at the start."""
    from minillm.architecture.adapters import TARGETS, adapt, init_adapters, merged
    from minillm.architecture.tree import tree_map
    params, rng = desk.model.params, np.random.default_rng([SEED, 1])
    right = merged(adapt(params, changes, SCALE))
    random = tree_map(lambda leaf: rng.uniform(-1, 1, leaf.shape) * len(leaf) ** -0.5,
                      init_adapters(params, TARGETS, RANKS[-1], rng))
    return [desk.measure(one) for one in (
        right, merged(adapt(params, changes, 1.0)), merged(adapt(right, changes, SCALE)),
        merged(adapt(params, random, SCALE)))]


if __name__ == "__main__":
    main(globals())
