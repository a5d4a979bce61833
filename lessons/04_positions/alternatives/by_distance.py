"""Turns only the queries, by how far they stand from each key; in go_on it turns the old keys back first."""


def rotate(x, positions, theta):
    made, half = np.empty(x.shape), x.shape[1] // 2
    for t, position in enumerate(positions):
        for i, frequency in enumerate(frequencies(x.shape[1], theta)):
            cos, sin = np.cos(position * frequency), np.sin(position * frequency)
            made[t, [i, i + half]] = np.array([[cos, -sin], [sin, cos]]) @ x[t, [i, i + half]]
    return made


def attention(q, k, v, theta):
    made = np.zeros_like(q)
    for t in range(len(q)):
        turned = rotate(np.tile(q[t], (t + 1, 1)), t - np.arange(t + 1), theta)
        e = np.exp((turned * k[: t + 1]).sum(axis=1) / q.shape[1] ** 0.5)
        made[t] = e @ v[: t + 1] / e.sum()
    return made


def go_on(q, k, v, old_k, old_v, theta):
    S = len(old_k)
    plain = np.concatenate([rotate(old_k, -np.arange(S), theta), k])
    return attention(np.concatenate([np.zeros((S, q.shape[1])), q]), plain, np.concatenate([old_v, v]), theta)[S:]
