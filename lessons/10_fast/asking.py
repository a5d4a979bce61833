"""How the functions of exercise 10 are asked. Goes into the process in which they run: nothing
here is an answer."""

import warnings
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np


def curve(params, example):
    """Some smooth loss, different in both arguments."""
    return jnp.sum(jnp.tanh(params["a"] * example["a"])) + jnp.sum(
        (params["b"] @ example["b"] - params["a"][0]) ** 2
    )


def descend(student, *case):
    return student.descend(curve, *case)


@dataclass(frozen=True)
class Config:
    """What a step needs to know when it is compiled."""

    turns: int


def momentum_step(student, state, *arguments):
    """(the new state, the given one after the call)."""
    return student.momentum_step(state, *arguments), state


def clip(student, g, limit):
    return np.asarray(jax.jit(student.clip)(g, limit))


def compile_step(student, w, b):
    """(what four steps give, how often Python ran the step, did it run on stand-ins, is the old
    state gone, is the batch)."""
    ran = []

    def step(state, batch, config):
        ran.append(isinstance(batch, jax.core.Tracer))
        for _ in range(config.turns):
            state = {"w": 0.5 * state["w"] + jnp.sum(batch)}
        return state, batch * state["w"][
            0
        ]  # an array of the batch's shape: memory that was given away is taken

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fast, state, gone = student.compile_step(step), {"w": jnp.array(w)}, []
        for turns in (1, 1, 2, 1):
            old, batch = state, jnp.array(b)
            state, _ = fast(state, batch, Config(turns))
            gone.append((old["w"].is_deleted(), batch.is_deleted()))
        return (
            np.asarray(state["w"]),
            len(ran),
            all(ran),
            all(old for old, _ in gone),
            any(batch for _, batch in gone),
        )


def averages(student, xs, beta):
    """(the averages, has the program the same size for twice as many rows?)"""

    def size(T):
        return len(jax.make_jaxpr(student.averages)(np.zeros((T, 2), np.float32), 0.5).jaxpr.eqns)

    return np.asarray(jax.jit(student.averages)(xs, beta)), size(4) == size(8)


def noisy(student, seed, scale):
    """Is the noise (the same for the same key, another for another, another for every array, of
    the right size)?"""
    xs = [np.full(2000, 5.0, np.float32), np.zeros(2000, np.float32), np.ones(2000, np.float32)]
    first, again, other = (
        [
            np.asarray(noised) - x
            for noised, x in zip(
                student.noisy(key, [jnp.asarray(x) for x in xs], scale), xs, strict=True
            )
        ]
        for key in (jax.random.key(seed), jax.random.key(seed), jax.random.key(seed + 1))
    )
    sizes = [np.std(noise) / scale for noise in first]
    return (
        all(np.allclose(a, b, atol=1e-5) for a, b in zip(first, again)),
        not any(np.allclose(a, b, atol=1e-3) for a, b in zip(first, other)),
        not any(np.allclose(first[i], first[j], atol=1e-3) for i, j in ((0, 1), (0, 2), (1, 2))),
        all(0.9 < size < 1.1 for size in sizes),
    )


class Machine:
    """A device with a clock, and a function on it: compiled in its first call, started in each,
    done some time later."""

    DISPATCH = 0.001

    def __init__(self, compiling, work):
        self.now, self.free, self.compiling, self.work = 0.0, 0.0, compiling, work

    def f(self, x):
        self.now += self.compiling + self.DISPATCH
        self.compiling = 0.0
        self.free = max(self.now, self.free) + self.work
        return Promise(self, self.free)

    def clock(self):
        return self.now


class Promise:
    """A result that may not be there yet."""

    def __init__(self, machine, done):
        self.machine, self.done = machine, done

    def block_until_ready(self):
        self.machine.now = max(self.machine.now, self.done)
        return self

    def __array__(self, dtype=None, copy=None):
        self.block_until_ready()
        return np.zeros(1)


def seconds(student, compiling, work):
    machine = Machine(compiling, work)
    return student.seconds(machine.f, 1.0, machine.clock)
