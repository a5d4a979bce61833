"""Exercise of lesson 10: what a function must be like to be compiled, and what to do with it then.

The first function is NumPy's, the others JAX's, in float32.
Check yourself:  minillm lesson check 10
"""

import jax
import jax.numpy as jnp
import numpy as np

# Work this out on paper. Not compiled, a step takes 60 ms; compiled, 8 ms; compiling takes 13 s.
# After how many steps has it paid?
STEPS = None


class Momentum:
    """Gradient descent with momentum, as one often finds it: it changes what it was given. To be
    read, not used."""

    def __init__(self, w):
        self.w, self.velocity, self.steps = w, np.zeros_like(w), 0

    def step(self, gradient, rate, beta):
        self.velocity *= beta
        self.velocity += gradient
        self.w -= rate * self.velocity
        self.steps += 1


def momentum_step(state, gradient, rate, beta):
    """`Momentum.step` as a pure function: the state after the step. Nothing that was given may be
    changed.

    state = {"w": array, "velocity": array, "steps": number}, the arrays NumPy's; gradient is an
    array like w.
    """
    raise NotImplementedError


def descend(loss, params, example, rate):
    """One step of gradient descent: (the loss before the step, the parameters after it).

    `loss(params, example)` is a number; params and example are dicts of arrays. jax.value_and_grad
    and jax.tree.map may help.
    """
    raise NotImplementedError


def clip(g, limit):
    """g, made shorter so that its length (the root of the sum of squares) is at most `limit`; g
    itself if it is short enough.

    g (D,), not all zero. It is called under jax.jit, with g and limit both unknown when it is
    compiled.
    """
    raise NotImplementedError


def compile_step(step):
    """A compiled `step(state, batch, config)`, to be called with the same three arguments.

    config is a frozen dataclass: Python loops over what is in it, so it must be known when the
    step is compiled. Calls with equal configs and shapes must not compile again. The old state is
    not needed any more, so its memory may be used for the new one; the batch is needed again.
    """
    raise NotImplementedError


def averages(xs, beta):
    """Moving averages: m[t] = beta m[t-1] + (1 - beta) x[t], before the first x all m are 0. xs
    (T, D), beta a number -> all m (T, D).

    With jax.lax.scan: the program must have the same size for every T.
    """
    raise NotImplementedError


def noisy(key, xs, scale):
    """The arrays of the list xs, normal noise of standard deviation `scale` added to each:
    independent noise for each array.

    The same key gives the same noise, another key other noise.
    """
    raise NotImplementedError


def seconds(f, x, clock):
    """How long one call f(x) takes, until its result is there, once f has been compiled. f is
    compiled when it is first called.

    `clock()` tells the time in seconds. f(x) comes back before the work is done, as compiled
    functions of JAX do.
    """
    raise NotImplementedError
