"""Right answers written another way: each section replaces parts of solution.py.

All tasks must pass. A section named after a remark must get this remark.
"""


# ---- by_other_roads ----
# vjp; lax.cond; static_argnames; the weights of all steps as a matrix; fold_in.


def momentum_step(state, gradient, rate, beta):
    velocity = np.add(np.multiply(beta, state["velocity"]), gradient)
    return state | {"velocity": velocity, "w": np.subtract(state["w"], rate * velocity), "steps": state["steps"] + 1}


def descend(loss, params, example, rate):
    value, back = jax.vjp(lambda params: loss(params, example), params)
    (gradient,) = back(jnp.ones_like(value))
    return value, {name: jnp.asarray(w) - rate * gradient[name] for name, w in params.items()}


def clip(g, limit):
    length = jnp.sqrt(g @ g)
    return jax.lax.cond(length > limit, lambda g: g / length * limit, lambda g: g, g)


def compile_step(step):
    return jax.jit(step, static_argnames="config", donate_argnames="state")


def averages(xs, beta):
    back = jnp.arange(len(xs))[:, None] - jnp.arange(len(xs))
    return jnp.where(back >= 0, (1 - beta) * beta ** jnp.maximum(back, 0), 0) @ xs


def noisy(key, xs, scale):
    return [x + scale * jax.random.normal(jax.random.fold_in(key, i), jnp.shape(x)) for i, x in enumerate(xs)]


def seconds(f, x, clock):
    found = []
    for _ in range(3):
        began = clock()
        f(x).block_until_ready()
        found.append(clock() - began)
    return min(found)


# ---- written_out ----
# Without jax.tree; a cache of compiled steps; where instead of minimum; keys one after the other;
# the mean of several calls.
from functools import cache, partial

STEPS = 13 / 0.052


def momentum_step(state, gradient, rate, beta):
    new = {name: np.copy(value) for name, value in state.items()}
    new["velocity"] *= beta
    new["velocity"] += gradient
    new["w"] -= rate * new["velocity"]
    new["steps"] = int(new["steps"]) + 1
    return new


def descend(loss, params, example, rate):
    gradient = jax.grad(loss)(params, example)
    return loss(params, example), {name: params[name] - rate * gradient[name] for name in params}


def clip(g, limit):
    length = jnp.linalg.norm(g)
    return jnp.where(length > limit, g * limit / length, g)


def compile_step(step):
    @cache
    def compiled(config):
        return jax.jit(partial(step, config=config), donate_argnums=0)

    return lambda state, batch, config: compiled(config)(state, batch)


def averages(xs, beta):
    def one(carry, t):
        m, rows = carry
        m = beta * m + (1 - beta) * xs[t]
        return (m, rows.at[t].set(m)), ()

    (_, rows), _ = jax.lax.scan(one, (0 * xs[0], jnp.zeros_like(xs)), jnp.arange(len(xs)))
    return rows


def noisy(key, xs, scale):
    made = []
    for x in xs:
        key, now = jax.random.split(key)
        made.append(x + scale * jax.random.normal(now, x.shape))
    return made


def seconds(f, x, clock):
    np.asarray(f(x))
    began = clock()
    for _ in range(5):
        np.asarray(f(x))
    return (clock() - began) / 5
