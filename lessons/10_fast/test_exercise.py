"""What is checked in exercise 10, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from pathlib import Path

import jax
import numpy as np

from minillm.course.exercises import Hint, Task, normal, number
from minillm.course.lessons import load_module
from minillm.in_numpy import optimizer

asking = load_module(Path(__file__).with_name("asking.py"), "asking")

HINTS = {
    "not_the_saving": Hint(
        "You divided the time of compiling by the time of one step. What pays for it is what "
        "each step saves.",
        "After 100 steps, how much time has been saved, and how much was spent?",
    ),
    "units": Hint(
        "You divided seconds by milliseconds, or the other way round.",
        "Write all three times in milliseconds.",
    ),
    "mutates": Hint(
        "You changed what you were given. `-=`, `*=` and `state[...] =` write into the caller's "
        "own arrays and dicts; JAX's arrays do not allow the first, and under jit the second has "
        "no effect.",
        "Print the state before the call and after it.",
    ),
    "old_velocity": Hint(
        "You took the step with the old velocity. The gradient must be in it already.",
        "Take one step from velocity 0: w must change.",
    ),
    "uphill": Hint(
        "Your step goes uphill: the gradient points to where the loss grows.",
        "Compute the loss before and after a small step: it must have fallen.",
    ),
    "loss_after": Hint(
        "You returned the loss of the new parameters. That costs a second forward pass; the loss "
        "before comes with the gradient at no cost.",
        "Print loss(params, example) and compare.",
    ),
    "wrong_argument": Hint(
        "You differentiated with respect to the example. That tells how to change the data so "
        "that the model is right.",
        "Multiply `example` by 0 in a loss that is their product: which of the two derivatives "
        "is 0?",
    ),
    "numpy_inside": Hint(
        "You gave a JAX value to a NumPy function inside a compiled function. While it is "
        "compiled there is no number yet, only a tracer that records what is done with it, and "
        "NumPy needs numbers.",
        "Print the argument inside the function, and call the function under jax.jit: what is "
        "printed?",
    ),
    "python_if": Hint(
        "You let Python decide (`if`, `while`, `min`, `max`, `and`) by a value that is not known "
        "when the function is compiled.",
        "Print the argument inside the function, and call the function under jax.jit: can Python "
        "know whether it is larger than 1?",
    ),
    "to_python": Hint(
        "You asked for a Python number from a value that is not known yet, by `float`, `int`, "
        "`.item()` or a function of `math`.",
        "Print the argument inside the function, and call the function under jax.jit: what "
        "number would that be?",
    ),
    "always": Hint(
        "You made short vectors longer. Only those above the limit change.",
        "Clip (3, 4) to the limit 10: it must come back as it is.",
    ),
    "each_number": Hint(
        "You limited every number by itself. That turns the vector; making it shorter keeps its "
        "direction.",
        "Clip (3, 4) to the limit 1: is the second number still 4/3 of the first?",
    ),
    "not_static": Hint(
        "You passed config like an array. It holds settings that Python needs when it compiles; "
        "JAX must be told that this argument is static.",
        "Read the error that jax.jit raises when you call the compiled step: which argument does "
        "it name?",
    ),
    "recompiles": Hint(
        "You compiled the step at every call. A compiled function is remembered with the "
        "function object given to jax.jit, and yours is a new one each time.",
        "Put a print into `step`: it prints when the step is traced. How often does it print in "
        "four calls?",
    ),
    "not_compiled": Hint(
        "You did not compile the step: Python runs through it at every call.",
        "Put print(batch) into `step`: does it print numbers, or a stand-in (a tracer)?",
    ),
    "not_donated": Hint(
        "You kept the old state, so for a while there are two of them in memory. For a large "
        "model that is the difference between fitting and not.",
        "After a call, print old_state[...].is_deleted().",
    ),
    "batch_donated": Hint(
        "You donated the batch too, so it is gone after the call, although it is needed again.",
        "Call the step twice with the same batch.",
    ),
    "unrolled": Hint(
        "The result is right, but a Python loop ran while it was compiled, so the program "
        "contains every turn of it. For a thousand steps compiling takes minutes.",
        "Print jax.make_jaxpr(averages)(xs, 0.9) for T = 2 and for T = 4.",
    ),
    "side_effect": Hint(
        "You appended to an outside list from inside the function that scan compiles. It runs "
        "once, whatever T is, and it appends a tracer, which means nothing outside. What a step "
        "computes must be returned.",
        "Print the length of the list afterwards.",
    ),
    "before_update": Hint(
        "Each row is the average from before its x: the first row is 0.",
        "Average the single row [1] with beta = 0.5 on paper: 0.5.",
    ),
    "starts_from_first": Hint(
        "You began the average with the first x; it begins with 0.",
        "Average the single row [1] with beta = 0.5 on paper: 0.5.",
    ),
    "last_only": Hint(
        "You returned only the last average. scan gives two results: what is left at the end, "
        "and what each step returned.",
        "Print the shapes of both results of scan.",
    ),
    "same_key": Hint(
        "You used one key several times. A key is not a generator that moves on: the same key "
        "gives the same numbers, so the arrays got the same noise.",
        "Draw jax.random.normal(key) twice and compare.",
    ),
    "fixed_key": Hint(
        "You did not use the key that was given, so every call adds the same noise.",
        "Call it with two keys and compare.",
    ),
    "hidden_state": Hint(
        "Your noise comes from another generator (NumPy's, for example): the same key gives "
        "other noise each time. Under jit it would be drawn once and stay in the program.",
        "Call it twice with the same key and compare.",
    ),
    "variance": Hint(
        "Your noise does not have the standard deviation `scale`. Did you take its root or its "
        "square?",
        "Add noise of scale 2 to 10 000 zeros and print the standard deviation.",
    ),
    "not_waited": Hint(
        "You stopped the clock before the work was done. Calling a compiled function only starts "
        "it; the call returns at once with a result that is still being computed.",
        "Print the time when f(x) has come back, and the time when its result has been printed.",
    ),
    "compilation_counted": Hint(
        "You timed the first call, in which the function is compiled.",
        "Time two calls, one after the other: why is the first so slow?",
    ),
    "warm_up_not_waited": Hint(
        "Your first call was still running when you started the clock, and the second had to "
        "wait for it.",
        "Make the work long, and compare your time with a call that starts when nothing else is "
        "going on.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------


def states(rng):
    for D in (1, 2, *rng.integers(2, 6, 8)):
        state = {"w": normal(rng, D), "velocity": normal(rng, D), "steps": int(rng.integers(0, 9))}
        yield (
            state,
            normal(rng, D),
            float(rng.choice([0.1, 0.2, 0.5])),
            float(rng.choice([0.5, 0.8, 0.9])),
        )


def to_descend(rng):
    for _ in range(3):
        params, example = (
            {"a": normal(rng, 1).astype(np.float32), "b": normal(rng, 1, 1).astype(np.float32)}
            for _ in range(2)
        )
        yield params, example, float(rng.choice([0.05, 0.1, 0.2]))


def vectors(rng):
    yield np.array([3, 4, 0], np.float32), 1.0
    yield np.array([3, 4, 0], np.float32), 10.0
    for _ in range(6):
        yield normal(rng, 3).astype(np.float32), float(rng.choice([0.5, 1.0, 2.0, 3.0]))


def calls(rng):
    yield rng.standard_normal(3).astype(np.float32), rng.standard_normal(5).astype(np.float32)


def series(rng):
    for _ in range(3):
        yield normal(rng, 3, 1).astype(np.float32), float(rng.choice([0.5, 0.8, 0.9]))


def seeds(rng):
    for _ in range(2):
        yield int(rng.integers(2**31)), float(rng.uniform(0.2, 0.6))


def machines(rng):
    for _ in range(6):
        yield float(rng.uniform(3, 9)), float(rng.uniform(0.2, 2))


# ---- The right answers, and what each misconception answers -------------------------------------


def stepped(state, gradient, rate, beta, old_velocity=False):
    velocity = beta * state["velocity"] + gradient
    return {
        "w": state["w"] - rate * (state["velocity"] if old_velocity else velocity),
        "velocity": velocity,
        "steps": state["steps"] + 1,
    }


def changing(*names, **how):
    """(the new state, the given one with these parts of it changed)."""

    def answer(state, *arguments):
        new = stepped(state, *arguments, **how)
        return new, state | {name: new[name] for name in names}

    return answer


def descending(sign=1, after=False, argument=0):
    def answer(params, example, rate):
        gradient = jax.grad(asking.curve, argnums=argument)(params, example)
        moved = jax.tree.map(lambda w, g: w - sign * rate * g, params, gradient)
        return np.asarray(asking.curve(moved if after else params, example)), jax.tree.map(
            np.asarray, moved
        )

    return answer


def right_clip(g, limit):
    return optimizer.clip({"g": g}, np.float32(limit))[0]["g"]


def compiled(times=2, traced=True, old_gone=True, batch_gone=False):
    def answer(w, b):
        for turns in (1, 1, 2, 1):
            for _ in range(turns):
                w = np.float32(0.5) * w + np.sum(b)
        return w, times, traced, old_gone, batch_gone

    return answer


def averaged(start=lambda xs: 0 * xs[0], before=False, last=False, same_size=True):
    def answer(xs, beta):
        m, rows = start(xs), []
        for x in xs:
            rows.append(m)
            m = beta * m + (1 - beta) * x
        rows = np.array(rows if before else [*rows[1:], m])
        return m if last else rows, same_size

    return answer


def noised(same=True, other=True, apart=True, size=True):
    return lambda seed, scale: (same, other, apart, size)


def raising(name):
    def answer(*case):
        raise type(name, (Exception,), {})

    return answer


def timed(counts_compiling=False, waits=True, warm_up_waited=True):
    def answer(compiling, work):
        return (
            compiling * counts_compiling
            + asking.Machine.DISPATCH
            + work * waits
            + (0 if warm_up_waited else work - asking.Machine.DISPATCH)
        )

    return answer


TASKS = [
    number(
        "STEPS",
        "when compiling pays, on paper",
        250,
        {"not_the_saving": 13 / 0.06, "units": 0.25},
        tolerance=1e-3,
    ),
    Task(
        "momentum_step",
        "make it pure",
        changing(),
        states,
        {
            "mutates": (
                changing("w", "velocity", "steps"),
                changing("w", "velocity"),
                changing("velocity"),
                changing("w"),
            ),
            "old_velocity": changing(old_velocity=True),
        },
        call=asking.momentum_step,
        returns=("the new state", "the given state after the call"),
    ),
    Task(
        "descend",
        "a gradient without writing it",
        descending(),
        to_descend,
        {
            "uphill": descending(sign=-1),
            "loss_after": descending(after=True),
            "wrong_argument": descending(argument=1),
        },
        call=asking.descend,
        tolerance=1e-4,
    ),
    Task(
        "clip",
        "what can be compiled",
        right_clip,
        vectors,
        {
            "numpy_inside": raising("TracerArrayConversionError"),
            "python_if": raising("TracerBoolConversionError"),
            "to_python": raising("ConcretizationTypeError"),
            "always": lambda g, limit: g * limit / np.sqrt(np.sum(g * g)),
            "each_number": lambda g, limit: np.clip(g, -limit, limit),
        },
        call=asking.clip,
        tolerance=1e-4,
    ),
    Task(
        "averages",
        "a recurrence as one loop",
        averaged(),
        series,
        {
            "unrolled": averaged(same_size=False),
            "side_effect": raising("UnexpectedTracerError"),
            "before_update": averaged(before=True),
            "starts_from_first": averaged(start=lambda xs: xs[0]),
            "last_only": averaged(last=True),
        },
        call=asking.averages,
        returns=("the averages", "whether the program has one size for every T"),
        points=2,
        tolerance=1e-4,
    ),
    Task(
        "noisy",
        "a key for each",
        noised(),
        seeds,
        {
            "same_key": noised(apart=False),
            "fixed_key": (noised(other=False), noised(other=False, apart=False)),
            "hidden_state": noised(same=False),
            "variance": noised(size=False),
        },
        call=asking.noisy,
        returns=(
            "whether the same key gives the same noise",
            "whether another key gives other noise",
            "whether each array has noise of its own",
            "whether its standard deviation is right",
        ),
    ),
    Task(
        "compile_step",
        "static, compiled once, donated",
        compiled(),
        calls,
        {
            "not_static": raising("TypeError"),
            "recompiles": (compiled(times=4), compiled(times=4, old_gone=False)),
            "not_compiled": compiled(times=4, traced=False, old_gone=False),
            "not_donated": compiled(old_gone=False),
            "batch_donated": compiled(batch_gone=True),
        },
        call=asking.compile_step,
        returns=(
            "the state after four steps",
            "how often Python ran the step",
            "whether it ran on tracers",
            "whether the old state was given away",
            "whether the batch was given away",
        ),
        points=2,
        tolerance=1e-4,
    ),
    Task(
        "seconds",
        "how long it takes",
        timed(),
        machines,
        {
            "not_waited": (timed(waits=False),),
            "compilation_counted": (
                timed(counts_compiling=True),
                timed(counts_compiling=True, waits=False),
            ),
            "warm_up_not_waited": timed(warm_up_waited=False),
        },
        call=asking.seconds,
        tolerance=0.02,
    ),
]
