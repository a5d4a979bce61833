"""Lesson 17: a model learns from grades of its own answers, and from a grade that is not meant."""

import numpy as np

from minillm.course.demos import main, measured

DIGITS, PLUS, EQUALS, UNKNOWN, NOT_KNOWN, END = 10, 10, 11, 12, 13, 14  # digits are tokens 0 to 9
SIZE, ASKED, ROOM = 15, 4, 4  # of the vocabulary, of a question, of an answer
UNKNOWNS = 40  # of all questions these ask for a + x; 100 ask for a + b
SEEDS, SFT_STEPS, STEPS, QUESTIONS, GROUP, EVERY = (0, 1, 2), 40, 100, 14, 10, 10
WAYS = {"truth": ("truth", 0.0), "proxy": ("proxy", 0.0), "leash": ("proxy", 0.1)}  # reward, beta
CURVES = {"truth": 1, "proxy": 1, "honest": 1, "pass8": 1, "kl": 30}  # the most that each can be
SHOWN = [(3, PLUS, 4, EQUALS), (8, PLUS, 7, EQUALS), (5, PLUS, UNKNOWN, EQUALS)]


def compute(console, full):
    runs = {way: {name: [] for name in CURVES} for way in WAYS}
    written = {"first": [], **{way: [] for way in WAYS}}
    for seed in SEEDS:
        first, config = first_model(seed)
        written["first"].append(most_probable(first, config))
        for way, (reward, beta) in WAYS.items():
            curves, params = rewarded(first, config, reward, beta, seed)
            written[way].append(most_probable(params, config))
            for name, curve in curves.items():
                runs[way][name].append(curve)
            right, number = (curves[name] for name in ("truth", "proxy"))
            console.print(f"seed {seed}, graded by the {reward}, beta {beta}: right {right[0]:.0%} "
                          f"-> {right[-1]:.0%}, a number {number[0]:.0%} -> {number[-1]:.0%}")
    results = {f"{way}_{name}": measured(curves, 0, CURVES[name])
               for way, some in runs.items() for name, curves in some.items()}
    results |= {f"{way}_written": measured(tokens, 0, SIZE) for way, tokens in written.items()}
    ends = {f"{way}_{name}_end": float(np.mean([curve[-1] for curve in some[name]]))
            for way, some in runs.items() for name in CURVES}
    firsts = {f"first_{name}": float(np.mean([curve[0] for curve in runs["truth"][name]]))
              for name in CURVES}
    bands = {"first_truth": (0.3, 0.75), "first_honest": (0.7, 1), "truth_truth_end": (0.7, 1),
             "truth_honest_end": (0.9, 1), "proxy_proxy_end": (0.95, 1),
             "proxy_truth_end": (0, 0.5), "proxy_honest_end": (0, 0.1),
             "first_pass8": (0.75, 1), "truth_pass8_end": (0.8, 1), "leash_truth_end": (0.1, 0.5),
             "leash_proxy_end": (0.9, 1), "truth_kl_end": (0, 2), "proxy_kl_end": (2, 30)}
    results |= {name: measured(value, *bands.get(name, (0, CURVES[name.split("_")[1]])))
                for name, value in (ends | firsts).items()}
    setting = {"seeds": len(SEEDS), "steps": STEPS, "every": EVERY, "sft_steps": SFT_STEPS,
               "questions": QUESTIONS, "group": GROUP, "sums": DIGITS**2, "unknowns": UNKNOWNS,
               "unknown_share": UNKNOWNS / (DIGITS**2 + UNKNOWNS), "beta": WAYS["leash"][1]}
    return {"exact": setting, "measured": results}


# ---- Questions and grades -----------------------------------------------------------------------


def questions():
    """(140, ASKED): every a + b =, and every a + x = four times."""
    asked = [(a, PLUS, b, EQUALS) for a in range(DIGITS) for b in range(DIGITS)]
    unknown = [(a, PLUS, UNKNOWN, EQUALS) for a in range(DIGITS)] * (UNKNOWNS // DIGITS)
    return np.array(asked + unknown, np.int32)


def right(question):
    """The tokens of the right answer."""
    a, _, b, _ = question
    return [NOT_KNOWN, END] if b == UNKNOWN else [*map(int, str(a + b)), END]


def truth(question, answer):
    return float(list(answer) == right(question))


def proxy(question, answer):
    """Does the answer contain a number?"""
    return float(any(token < DIGITS for token in answer))


# ---- A model that has learned a little from right answers ----------------------------------------


def first_model(seed):
    from minillm.architecture.llama import init
    from minillm.config import ModelConfig, TrainConfig
    from minillm.in_jax.train import init_state, train_steps
    config = ModelConfig(vocab_size=SIZE, hidden_size=64, intermediate_size=160,
                         num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4,
                         head_dim=16, max_position_embeddings=ASKED + ROOM, initializer_range=0.1)
    train = TrainConfig(steps=SFT_STEPS, batch_size=64, context=ASKED + ROOM, optimizer="adamw",
                        learning_rate=3e-3, weight_decay=0.0, cpu_devices=1)
    rng, everything = np.random.default_rng([seed, 1]), questions()
    batches = [rows(some, [right(question) for question in some])
               for some in everything[rng.integers(len(everything), size=(SFT_STEPS, 64))]]
    state = init_state(init(config, np.random.default_rng(seed)))
    state, _ = train_steps(state, *map(np.stack, zip(*batches)), config, train)
    return arrays(state["params"]), config


def arrays(params):
    """A copy that no later step overwrites."""
    from minillm.architecture.tree import tree_map
    return tree_map(np.array, params)


def rows(asked, answers):
    """(tokens_BT, targets_BT): only the answers count."""
    from minillm.config import IGNORE
    tokens_BT = np.full((len(asked), ASKED + ROOM), END, np.int32)
    targets_BT = np.full((len(asked), ASKED + ROOM), IGNORE, np.int32)
    for tokens, targets, question, answer in zip(tokens_BT, targets_BT, asked, answers):
        tokens[:ASKED], tokens[ASKED : ASKED + len(answer)] = question, answer
        targets[ASKED - 1 : ASKED - 1 + len(answer)] = answer
    return tokens_BT, targets_BT


def write(generate_batch, params, config, asked, temperature, coins):
    """What the model answers: lists of tokens, to the end token if there is one."""
    from minillm.config import GenerateConfig
    sampling = GenerateConfig(max_new_tokens=ROOM, temperature=temperature)
    answers = [[] for _ in asked]
    coins_BN = coins.random((len(asked), ROOM), np.float32)
    for row, token in generate_batch(params, asked, config, sampling, (END,), coins_BN):
        answers[row].append(token)
    return answers


def most_probable(params, config):
    from minillm.in_numpy import generate_batch
    return write(generate_batch, params, config, SHOWN, 0, np.random.default_rng(0))


# ---- Rewards -------------------------------------------------------------------------------------


def rewarded(first, config, reward, beta, seed):
    """GRPO from a first model: (curves, the last parameters)."""
    from minillm.config import TrainConfig, TuneConfig
    from minillm.in_jax import generate_batch, to_device
    from minillm.in_jax.preference import compare_step, read_log_p
    from minillm.in_jax.train import init_state
    from minillm.tuning.rewarded import advantages
    tune = TuneConfig(method="grpo", group=GROUP, beta=beta)
    train = TrainConfig(steps=STEPS, batch_size=QUESTIONS * GROUP, context=ASKED + ROOM,
                        optimizer="adamw", learning_rate=1.5e-3, warmup_steps=10, weight_decay=0.0,
                        cpu_devices=1)
    grade, rng = {"truth": truth, "proxy": proxy}[reward], np.random.default_rng([seed, 2])
    state, reference = init_state(to_device(first)), to_device(first)
    curves = {name: [] for name in CURVES}
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            for name, value in looked(state["params"], reference, config, seed).items():
                curves[name].append(value)
        if step == STEPS:
            return curves, arrays(state["params"])
        chosen = rng.integers(len(questions()), size=QUESTIONS)
        asked = np.repeat(questions()[chosen], GROUP, axis=0)
        answers = write(generate_batch, state["params"], config, asked, 1, rng)
        grades = [grade(question, answer) for question, answer in zip(asked, answers)]
        tokens_BT, targets_BT = rows(asked, answers)
        old_BT = read_log_p(state["params"], tokens_BT, targets_BT, config)
        reference_BT = read_log_p(reference, tokens_BT, targets_BT, config) if beta else old_BT
        batch = {"tokens_BT": tokens_BT, "targets_BT": targets_BT, "old_BT": old_BT,
                 "reference_BT": reference_BT}
        advantage_QG = advantages(np.reshape(grades, (QUESTIONS, GROUP)))
        batch["advantage_B"] = advantage_QG.reshape(-1).astype(np.float32)
        state, _ = compare_step(state, batch, config, train, tune)


def looked(params, reference, config, seed):
    """The truth is exact: the probability of each right answer. Proxy and KL are of samples."""
    from minillm.in_jax import generate_batch
    from minillm.in_jax.preference import read_log_p
    asked, coins = questions(), np.random.default_rng([seed, 3])
    known = rows(asked, [right(question) for question in asked])
    p_B = np.exp(np.asarray(read_log_p(params, *known, config)).sum(axis=1, dtype=float))
    answers = write(generate_batch, params, config, asked, 1, coins)
    batch = rows(asked, answers)
    gap_BT = read_log_p(params, *batch, config) - read_log_p(reference, *batch, config)
    numbers = [proxy(question, answer) for question, answer in zip(asked, answers)]
    return {"truth": float(p_B.mean()), "honest": float(p_B[-UNKNOWNS:].mean()),
            "pass8": float(np.mean(1 - (1 - p_B) ** 8)), "proxy": float(np.mean(numbers)),
            "kl": max(0.0, float(np.asarray(gap_BT).sum(axis=1).mean()))}


if __name__ == "__main__":
    main(globals())
