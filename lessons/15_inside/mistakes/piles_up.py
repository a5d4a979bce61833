"""One copy for all patches."""


def patching(score, clean, corrupt):
    low, high, back, patched = score(corrupt), score(clean), [], corrupt.copy()
    for t in range(len(clean)):
        patched[t] = clean[t]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)
