"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- always ----
# Every vector gets the length `limit`.


def clip(g, limit):
    return g * limit / jnp.linalg.norm(g)


# ---- batch_donated ----
# Both arrays.


def compile_step(step):
    return jax.jit(step, static_argnames="config", donate_argnums=(0, 1))


# ---- before_update ----
# Puts out the old one.


def averages(xs, beta):
    def one(m, x):
        new = beta * m + (1 - beta) * x
        return new, m

    return jax.lax.scan(one, jnp.zeros_like(xs[0]), xs)[1]


# ---- compilation_counted-not_waited ----
# One call, and not waited.


def seconds(f, x, clock):
    began = clock()
    f(x)
    return clock() - began


# ---- compilation_counted ----
# One call.


def seconds(f, x, clock):
    began = clock()
    f(x).block_until_ready()
    return clock() - began


# ---- each_number ----
# jnp.clip.


def clip(g, limit):
    return jnp.clip(g, -limit, limit)


# ---- fixed_key ----
# A key of its own.


def noisy(key, xs, scale):
    keys = jax.random.split(jax.random.key(0), len(xs))
    return [x + scale * jax.random.normal(k, x.shape) for k, x in zip(keys, xs)]


# ---- hidden_state ----
# NumPy's generator.


def noisy(key, xs, scale):
    return [x + scale * np.random.standard_normal(x.shape) for x in xs]


# ---- last_only ----
# The first of scan's two results.


def averages(xs, beta):
    def one(m, x):
        new = beta * m + (1 - beta) * x
        return new, None

    return jax.lax.scan(one, jnp.zeros_like(xs[0]), xs)[0]


# ---- loss_after ----
# Computes the loss at the end.


def descend(loss, params, example, rate):
    gradient = jax.grad(loss)(params, example)
    params = {name: params[name] - rate * gradient[name] for name in params}
    return loss(params, example), params


# ---- mutates-arrays ----
# A new dict around the old arrays.


def momentum_step(state, gradient, rate, beta):
    w, velocity = state["w"], state["velocity"]
    velocity *= beta
    velocity += gradient
    w -= rate * velocity
    return {"w": w, "velocity": velocity, "steps": state["steps"] + 1}


# ---- mutates-copy ----
# A copy of the dict is no copy of what is in it.


def momentum_step(state, gradient, rate, beta):
    state = dict(state)
    state["velocity"] = beta * state["velocity"] + gradient
    state["w"] -= rate * state["velocity"]
    state["steps"] += 1
    return state


# ---- mutates-dict ----
# New arrays in the old dict.


def momentum_step(state, gradient, rate, beta):
    state["velocity"] = beta * state["velocity"] + gradient
    state["w"] = state["w"] - rate * state["velocity"]
    state["steps"] = state["steps"] + 1
    return state


# ---- mutates ----
# In place, as in the class.


def momentum_step(state, gradient, rate, beta):
    state["velocity"] *= beta
    state["velocity"] += gradient
    state["w"] -= rate * state["velocity"]
    state["steps"] += 1
    return state


# ---- not_compiled ----
# step itself.


def compile_step(step):
    return step


# ---- not_donated ----
# Static, but kept.


def compile_step(step):
    return jax.jit(step, static_argnums=2)


# ---- not_static ----
# jit and nothing else.


def compile_step(step):
    return jax.jit(step, donate_argnums=0)


# ---- not_the_saving ----
# 13 s / 60 ms.
STEPS = 13 / 0.060


# ---- not_waited-ever ----
# Never waits.


def seconds(f, x, clock):
    f(x)
    began = clock()
    f(x)
    return clock() - began


# ---- not_waited ----
# Stops the clock when the call has come back.


def seconds(f, x, clock):
    jax.block_until_ready(f(x))
    began = clock()
    f(x)
    return clock() - began


# ---- numpy_inside ----
# np.linalg.norm.


def clip(g, limit):
    return g * jnp.minimum(1, limit / np.linalg.norm(g))


# ---- old_velocity ----
# w first.


def momentum_step(state, gradient, rate, beta):
    return {"w": state["w"] - rate * state["velocity"], "velocity": beta * state["velocity"] + gradient, "steps": state["steps"] + 1}


# ---- python_if-min ----
# Python's min.


def clip(g, limit):
    return g * min(1, limit / jnp.sqrt(jnp.sum(g * g)))


# ---- python_if ----
# A branch.


def clip(g, limit):
    length = jnp.linalg.norm(g)
    if length > limit:
        g = g * limit / length
    return g


# ---- recompiles-kept ----
# The same with functools.partial, and nothing donated.


def compile_step(step):
    from functools import partial
    return lambda state, batch, config: jax.jit(partial(step, config=config))(state, batch)


# ---- recompiles ----
# A new function at every call.


def compile_step(step):
    def fast(state, batch, config):
        return jax.jit(lambda state, batch: step(state, batch, config), donate_argnums=0)(state, batch)
    return fast


# ---- same_key-half ----
# Splits once, and then uses one of them for all.


def noisy(key, xs, scale):
    key, noise = jax.random.split(key)
    return jax.tree.map(lambda x: x + scale * jax.random.normal(noise, x.shape), xs)


# ---- same_key ----
# The key in a loop.


def noisy(key, xs, scale):
    return [x + scale * jax.random.normal(key, x.shape) for x in xs]


# ---- side_effect ----
# Appends to a list.


def averages(xs, beta):
    rows = []

    def one(m, x):
        m = beta * m + (1 - beta) * x
        rows.append(m)
        return m, None

    jax.lax.scan(one, jnp.zeros_like(xs[0]), xs)
    return jnp.stack(rows)


# ---- starts_from_first ----
# xs[0] as the beginning.


def averages(xs, beta):
    def one(m, x):
        new = beta * m + (1 - beta) * x
        return new, new

    return jax.lax.scan(one, xs[0], xs)[1]


# ---- to_python-math ----
# math.sqrt.


def clip(g, limit):
    import math
    return g * jnp.minimum(1, limit / math.sqrt(jnp.sum(g * g)))


# ---- to_python ----
# float().


def clip(g, limit):
    length = float(jnp.sqrt(jnp.sum(g * g)))
    return g * min(1.0, limit / length)


# ---- units ----
# 13 / (60 - 8).
STEPS = 0.25


# ---- unrolled ----
# A Python loop.


def averages(xs, beta):
    m, rows = jnp.zeros_like(xs[0]), []
    for x in xs:
        m = beta * m + (1 - beta) * x
        rows.append(m)
    return jnp.stack(rows)


# ---- uphill ----
# Plus.


def descend(loss, params, example, rate):
    value, gradient = jax.value_and_grad(loss)(params, example)
    return value, jax.tree.map(lambda w, g: w + rate * g, params, gradient)


# ---- variance ----
# As if scale were the variance.


def noisy(key, xs, scale):
    return [x + jnp.sqrt(scale) * jax.random.normal(k, x.shape) for k, x in zip(jax.random.split(key, len(xs)), xs)]


# ---- warm_up_not_waited ----
# Waits for the second alone.


def seconds(f, x, clock):
    f(x)
    began = clock()
    jax.block_until_ready(f(x))
    return clock() - began


# ---- wrong_argument ----
# argnums=1.


def descend(loss, params, example, rate):
    value, gradient = jax.value_and_grad(loss, argnums=1)(params, example)
    return value, jax.tree.map(lambda w, g: w - rate * g, params, gradient)
