"""From the last block straight to the head."""


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    return x @ (params["lm_head"] if "lm_head" in params else params["embed_tokens"].T)
