"""Both arrays."""


def compile_step(step):
    return jax.jit(step, static_argnames="config", donate_argnums=(0, 1))
