"""Static, but kept."""


def compile_step(step):
    return jax.jit(step, static_argnums=2)
