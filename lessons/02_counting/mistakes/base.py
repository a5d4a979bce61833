"""Takes a loss in bits for one in nats."""

PERPLEXITY = np.exp(2.25)
