"""The factor of 2017."""


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens] * np.sqrt(len(params["norm"]))
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ (params["lm_head"] if "lm_head" in params else params["embed_tokens"].T)
