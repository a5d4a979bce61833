"""Lesson 17: a model learns from grades of its own answers; and what it learns from a grade that is not what was meant."""

import numpy as np

from minillm.course.demos import main, measured

DIGITS, PLUS, EQUALS, UNKNOWN, NOT_KNOWN, END = 10, 10, 11, 12, 13, 14
ASKED, ROOM, SIZE = 4, 4, 15                      # tokens of a question and of an answer, of the vocabulary
SEEDS, SFT_STEPS, STEPS, QUESTIONS, GROUP, EVERY = (0, 1, 2), 240, 200, 16, 8, 10
WAYS = {"truth": ("truth", 0.0), "proxy": ("proxy", 0.0), "leash": ("proxy", 0.1)}     # the reward, beta of KL


def compute(console, full):
    runs = {way: {"truth": [], "proxy": [], "honest": [], "kl": []} for way in WAYS}
    for seed in SEEDS:
        config, state = first_model(seed)
        for way, (reward, beta) in WAYS.items():
            curves = rewarded(state["params"], config, reward, beta, seed)
            for name, curve in curves.items():
                runs[way][name].append(curve)
            console.print(f"seed {seed}, reward {way}: right {curves['truth'][0]:.0%} -> {curves['truth'][-1]:.0%}, "
                          f"contains a number {curves['proxy'][0]:.0%} -> {curves['proxy'][-1]:.0%}")
    return {"exact": {}, "measured": {f"{way}_{name}": measured(curves, 0, 1) for way, some in runs.items() for name, curves in some.items()}}


# ---- Questions and grades -----------------------------------------------------------------------

def questions():
    """(120, ASKED) every question: a + b =, and a + x =."""
    asked = [(a, PLUS, b, EQUALS) for a in range(DIGITS) for b in range(DIGITS)]
    return np.array(asked + [(a, PLUS, UNKNOWN, EQUALS) for a in range(DIGITS)] * 4, np.int32)


def right(question):
    """The tokens of the right answer."""
    a, _, b, _ = question
    return [NOT_KNOWN, END] if b == UNKNOWN else [*map(int, str(a + b)), END]


def truth(question, answer):
    return float(list(answer) == right(question))


def proxy(question, answer):
    """Does the answer contain a number?"""
    return float(any(token < DIGITS for token in answer))


# ---- A model that has learned a little from right answers ------------------------------------------

def first_model(seed):
    from minillm.architecture.llama import init
    from minillm.config import ModelConfig, TrainConfig
    from minillm.in_jax.train import init_state, train_steps
    config = ModelConfig(vocab_size=SIZE, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=4, head_dim=12, max_position_embeddings=ASKED + ROOM, initializer_range=0.1)
    train = TrainConfig(steps=SFT_STEPS, batch_size=64, context=ASKED + ROOM, optimizer="adamw", learning_rate=3e-3, weight_decay=0.0, cpu_devices=1)
    rng, everything = np.random.default_rng([seed, 1]), questions()
    batches = [rows(some, [right(q) for q in some]) for some in everything[rng.integers(len(everything), size=(SFT_STEPS, 64))]]
    state = init_state(init(config, np.random.default_rng(seed)))
    state, _ = train_steps(state, *map(np.stack, zip(*batches)), config, train)
    return config, state


def rows(asked, answers):
    """(tokens_BT, targets_BT): only the answers count."""
    from minillm.config import IGNORE
    tokens_BT = np.full((len(asked), ASKED + ROOM), END, np.int32)
    targets_BT = np.full((len(asked), ASKED + ROOM), IGNORE, np.int32)
    for tokens, targets, question, answer in zip(tokens_BT, targets_BT, asked, answers):
        tokens[:ASKED], targets[ASKED - 1 : ASKED - 1 + len(answer)] = question, answer
        tokens[ASKED : ASKED + len(answer)] = answer
    return tokens_BT, targets_BT


# ---- Rewards -----------------------------------------------------------------------------------------

def rewarded(params, config, reward, beta, seed):
    """GRPO from a first model: curves of the truth, the proxy, of "not known" where it is right, and of KL."""
    import jax

    from minillm.config import GenerateConfig, TrainConfig, TuneConfig
    from minillm.in_jax.distill import to_device, write_rows
    from minillm.in_jax.preference import compare_step, read_log_p
    from minillm.in_jax.train import init_state
    tune = TuneConfig(method="grpo", group=GROUP, beta=beta)
    train = TrainConfig(steps=STEPS, batch_size=QUESTIONS * GROUP, context=ASKED + ROOM, optimizer="adamw", learning_rate=1e-3,
                        warmup_steps=10, weight_decay=0.0, cpu_devices=1)
    first, everything, rng = jax.tree.map(np.asarray, params), questions(), np.random.default_rng([seed, 2])
    state, reference = init_state(to_device(first)), to_device(first)
    known = rows(everything, [right(q) for q in everything])
    grade, curves = {"truth": truth, "proxy": proxy}[reward], {"truth": [], "proxy": [], "honest": [], "kl": []}

    def write(params, asked):
        given_NB = np.full((ASKED + ROOM - 1, len(asked)), -1, np.int32)
        given_NB[: ASKED - 1] = asked[:, 1:].T
        new_BN, _ = write_rows(params, asked[:, 0], rng.random(given_NB.shape, np.float32), config, GenerateConfig(), given_NB)
        return [row[: row.index(END) + 1] if END in row else row for row in np.asarray(new_BN)[:, ASKED - 1 :].tolist()]

    for step in range(STEPS + 1):
        asked = np.repeat(everything[rng.integers(len(everything), size=QUESTIONS)], GROUP, axis=0)
        if step % EVERY == 0:
            log_p_B = np.asarray(read_log_p(state["params"], *known, config)).sum(axis=1)
            answers = write(state["params"], everything)
            curves["truth"].append(float(np.exp(log_p_B).mean()))
            curves["honest"].append(float(np.exp(log_p_B[-DIGITS:]).mean()))
            curves["proxy"].append(float(np.mean([proxy(*one) for one in zip(everything, answers)])))
            batch = rows(everything, answers)
            gap = np.asarray(read_log_p(state["params"], *batch, config) - read_log_p(reference, *batch, config)).sum(axis=1)
            curves["kl"].append(float(np.mean(np.exp(-gap) + gap - 1)))
        if step == STEPS:
            return curves
        answers = write(state["params"], asked)
        tokens_BT, targets_BT = rows(asked, answers)
        rewards_QG = np.reshape([grade(*one) for one in zip(asked, answers)], (QUESTIONS, GROUP))
        batch = {"tokens_BT": tokens_BT, "targets_BT": targets_BT,
                 "advantage_B": (rewards_QG - rewards_QG.mean(axis=1, keepdims=True)).reshape(-1).astype(np.float32),
                 "old_BT": read_log_p(state["params"], tokens_BT, targets_BT, config),
                 "reference_BT": read_log_p(reference, tokens_BT, targets_BT, config)}
        state, _ = compare_step(state, batch, config, train, tune)


if __name__ == "__main__":
    main(globals())
