"""Breaks the clean run, and says how much broke."""


def patching(score, clean, corrupt):
    high, gap, lost = score(clean), score(clean) - score(corrupt), []
    for t in range(len(clean)):
        broken = clean.copy()
        broken[t] = corrupt[t]
        lost.append((high - score(broken)) / gap)
    return np.array(lost)
