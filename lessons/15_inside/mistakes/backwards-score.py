"""The wrong run is changed; the share is the right formula."""


def patching(score, clean, corrupt):
    low, high, back = score(corrupt), score(clean), []
    for t in range(len(clean)):
        patched = clean.copy()
        patched[t] = corrupt[t]
        back.append((score(patched) - low) / (high - low))
    return np.array(back)
