"""Patches the token that is predicted from t."""


def patching(score, clean, corrupt):
    low, high, back = score(corrupt), score(clean), []
    for t in range(len(clean)):
        patched = corrupt.copy()
        patched[t + 1 : t + 2] = clean[t + 1 : t + 2]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)
