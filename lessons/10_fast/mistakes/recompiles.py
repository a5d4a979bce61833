"""A new function at every call."""


def compile_step(step):
    def fast(state, batch, config):
        return jax.jit(lambda state, batch: step(state, batch, config), donate_argnums=0)(state, batch)
    return fast
