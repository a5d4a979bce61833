"""Counts without the token at the beginning: index -1 is the last."""


def patching(score, clean, corrupt):
    low, high, back = score(corrupt), score(clean), []
    for t in range(len(clean)):
        patched = corrupt.copy()
        patched[t - 1] = clean[t - 1]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)
