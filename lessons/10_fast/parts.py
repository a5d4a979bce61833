"""What a training step consists of, for the profile of lesson 10: operations, products of matrices, bytes, and what it costs to start something."""

import re
import time

import numpy as np


class Counted(np.ndarray):
    """An array whose ufuncs (sums, products of matrices, exp, ...) are counted, with their time and the bytes that they read and write."""

    calls, products, others, bytes = 0, 0.0, 0.0, 0

    @classmethod
    def reset(cls):
        cls.calls, cls.products, cls.others, cls.bytes = 0, 0.0, 0.0, 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **more):
        plain = [x.view(np.ndarray) if isinstance(x, Counted) else x for x in inputs]
        if out is not None:
            more["out"] = tuple(x.view(np.ndarray) if isinstance(x, Counted) else x for x in out)
        began = time.process_time()
        result = getattr(ufunc, method)(*plain, **more)
        took = time.process_time() - began
        Counted.calls += 1
        Counted.bytes += sum(x.nbytes for x in (*plain, result) if isinstance(x, np.ndarray))
        if ufunc is np.matmul:
            Counted.products += took
        else:
            Counted.others += took
        return result.view(Counted) if isinstance(result, np.ndarray) else result


def of_numpy(size):
    """{"operations", "products": seconds, "others": seconds of all other operations, "bytes"} of one step in NumPy."""
    from contenders import parameters, setting

    from minillm import in_numpy
    from minillm.architecture.tree import tree_map
    config, train, tokens_NBT, targets_NBT = setting(size)
    state = in_numpy.init_state(tree_map(lambda x: x.view(Counted), parameters(config)))
    found = []
    for _ in range(4):
        Counted.reset()
        state, _ = in_numpy.train_step(state, tokens_NBT[0], targets_NBT[0], config, train)
        found.append({"products": Counted.products, "others": Counted.others, "operations": Counted.calls, "bytes": Counted.bytes})
    return min(found, key=lambda one: one["products"] + one["others"])


def of_jax(size, compiled):
    """What JAX's trace and XLA's program, `compiled`, say of one step: operations, their bytes, programs' kernels, their bytes, products' seconds and flops."""
    import jax
    from contenders import parameters, setting

    from minillm.in_jax import init_state, train_step
    config, train, tokens_NBT, targets_NBT = setting(size)
    state = init_state(parameters(config))
    traced = jax.make_jaxpr(train_step.__wrapped__, static_argnums=(3, 4))(state, tokens_NBT[0], targets_NBT[0], config, train).jaxpr
    cost = compiled.cost_analysis()
    kernels = kinds(compiled.as_text())
    dots = [one for one in equations(traced) if one.primitive.name == "dot_general"]
    return {"operations": len(traced.eqns), "bytes": sum(map(bytes_of, equations(traced))), "kernels": kernels["fusion"] + kernels["dot"],
            "dots": len(dots), "kernel_bytes": cost["bytes accessed"], "flops": cost["flops"], "dot_flops": sum(map(flops_of, dots)),
            "products": products(dots), "tracing": tracing(state["params"], tokens_NBT[0], targets_NBT[0], config), "start": start_of_program(len(jax.tree.leaves(state)))}


def tracing(params, tokens_BT, targets_BT, config) -> float:
    """Seconds in which Python writes down the forward pass and differentiates it, without computing anything."""
    import jax

    from minillm.in_jax import loss_and_grads
    return fastest(lambda: jax.make_jaxpr(lambda params: loss_and_grads(params, tokens_BT, targets_BT, config))(params))


def equations(jaxpr):
    """Every operation of a traced function, those inside of called functions too."""
    for one in jaxpr.eqns:
        inside = [value for value in one.params.values() if hasattr(value, "jaxpr") or hasattr(value, "eqns")]
        if not inside:
            yield one
        for value in inside:
            yield from equations(getattr(value, "jaxpr", value))


def bytes_of(one) -> int:
    """What an operation by itself reads and writes."""
    return sum(x.aval.size * x.aval.dtype.itemsize for x in (*one.invars, *one.outvars) if hasattr(x.aval, "dtype"))


def flops_of(dot) -> int:
    """Two for each multiplication of a product."""
    (contracted, _), _ = dot.params["dimension_numbers"]
    shared = 1
    for axis in contracted:
        shared *= dot.invars[0].aval.shape[axis]
    return 2 * dot.outvars[0].aval.size * shared


def kinds(program: str) -> dict:
    """How often each kind of instruction stands in the main function of a compiled program."""
    found = {"fusion": 0, "dot": 0}
    for kind in re.findall(r"^\s+(?:ROOT )?%?[\w.-]+ = .*? ([a-z][\w-]*)\(", program[program.index("ENTRY"):], re.MULTILINE):
        found[kind] = found.get(kind, 0) + 1
    return found


def products(dots) -> float:
    """Seconds of all products of a step, compiled by themselves, of random matrices."""
    import jax
    rng = np.random.default_rng(0)
    pairs = [tuple(jax.numpy.asarray(rng.standard_normal(x.aval.shape, np.float32)) for x in dot.invars) for dot in dots]
    run = jax.jit(lambda pairs: [dot.primitive.bind(a, b, **dot.params) for dot, (a, b) in zip(dots, pairs)])
    return fastest(lambda: jax.block_until_ready(run(pairs)))


def start_of_program(arrays: int) -> float:
    """Seconds that it takes to start a compiled program that is given and gives back so many arrays, and does next to nothing."""
    import jax
    run, state = jax.jit(lambda state: [x + 1 for x in state], donate_argnums=0), [jax.numpy.zeros(1) for _ in range(arrays)]

    def many():
        nonlocal state
        for _ in range(20):
            state = run(state)
        jax.block_until_ready(state)
    return fastest(many) / 20


def start_of_operation(package) -> float:
    """Seconds of one operation on next to nothing, in minillm's two libraries: numpy or jax.numpy."""
    x = package.zeros(1, "float32")

    def many():
        y = x
        for _ in range(200):
            y = y + x
        np.asarray(y)
    return fastest(many) / 200


def fastest(run, budget=0.05, rounds=3) -> float:
    """Seconds of one run, in the fastest of some rounds, after one that does not count."""
    from contenders import seconds
    run()
    return min(seconds(run, 1, budget) for _ in range(rounds))


def kinds_of_number() -> dict:
    """Seconds of products in float64 (NumPy), float32 (both) and bfloat16 (JAX): square, and a vector with a matrix; and bfloat16's error."""
    import jax
    import jax.numpy as jnp
    rng = np.random.default_rng(0)
    found, dot = {}, jax.jit(lambda a, b: a @ b)
    for name, (rows, inner, columns) in {"square": (1024, 1024, 1024), "vector": (1, 2048, 8192)}.items():
        a, b = rng.standard_normal((rows, inner), np.float32), rng.standard_normal((inner, columns), np.float32)
        wide = a.astype(np.float64), b.astype(np.float64)
        found[name] = {"float64, NumPy": fastest(lambda: wide[0] @ wide[1]), "float32, NumPy": fastest(lambda: a @ b)}
        for kind in ("float32", "bfloat16"):
            given = jnp.asarray(a, kind), jnp.asarray(b, kind)
            found[name][f"{kind}, JAX"] = fastest(lambda: dot(*given).block_until_ready())
        right = wide[0] @ wide[1]
        found[name + "_errors"] = [float(np.abs(np.asarray(dot(jnp.asarray(a, kind), jnp.asarray(b, kind)), np.float64) - right).max() / np.abs(right).max())
                                   for kind in ("float32", "bfloat16")]
    big = np.zeros(2**24, np.float32)
    found["bytes_a_second"] = 2 * big.nbytes / fastest(lambda: np.copyto(big, 1.0) or big.sum())
    return found
