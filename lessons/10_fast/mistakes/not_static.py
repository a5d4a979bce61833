"""jit and nothing else."""


def compile_step(step):
    return jax.jit(step, donate_argnums=0)
