"""The logarithm of what soften gave."""


def kl(teacher, student, temperature):
    with np.errstate(all="ignore"):
        p, q = soften(teacher, temperature), soften(student, temperature)
        return temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=-1))
