"""The embedding's transpose, whatever the model has."""


def forward(params, tokens, attention, eps):
    x = params["embed_tokens"][tokens]
    for layer in params["layers"]:
        x = block(layer, x, attention, eps)
    x = rmsnorm(x, params["norm"], eps)
    return x @ params["embed_tokens"].T
