"""Always params["lm_head"]."""


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ params["lm_head"]
