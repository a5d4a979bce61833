"""layers[0] in a loop."""


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for _ in params["layers"]:
        x = block(params["layers"][0], x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ (params["lm_head"] if "lm_head" in params else params["embed_tokens"].T)
