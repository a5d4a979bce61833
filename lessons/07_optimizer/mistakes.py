"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- added_on_top-floor ----
# The cosine down to 0, cut off at final: a run that stops falling too early.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return max(final, 0.5 * (1 + np.cos(np.pi * progress)))


# ---- added_on_top ----
# final plus the whole cosine.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + 0.5 * (1 + np.cos(np.pi * progress))


# ---- always_scaled ----
# No look at whether it is needed.


def clip(grads, most):
    norm = np.sqrt(sum(np.sum(g * g) for g in grads.values()))
    return {name: g * most / norm for name, g in grads.items()}


# ---- averaged_momentum ----
# Adam's mean.


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + (1 - beta) * g
    return w - rate * mean, mean


# ---- corrected_kept ----
# The corrected moments take the place of the others.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    mean, square = mean / (1 - beta1**t), square / (1 - beta2**t)
    return mean / (np.sqrt(square) + eps), mean, square


# ---- cosine_from_zero ----
# The cosine over the whole run.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - 0) / (steps - 1 - 0)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))


# ---- decay_after ----
# First the step, then the decay.


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(grads[name], means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * direction
        if w.ndim == 2:
            new_params[name] = new_params[name] - rate * decay * new_params[name]
    return new_params, new_means, new_squares


# ---- decay_in_gradient-all ----
# L2 regularisation of everything.


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(grads[name] + decay * w, means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * direction
    return new_params, new_means, new_squares


# ---- decay_in_gradient-paper ----
# The decay added to both gradients.
WEIGHT = 3.6203


# ---- decay_in_gradient ----
# L2 regularisation.


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        g = grads[name] + decay * w if w.ndim == 2 else grads[name]
        direction, new_means[name], new_squares[name] = adam(g, means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * direction
    return new_params, new_means, new_squares


# ---- decay_of_all ----
# No look at the axes.


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(grads[name], means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * (direction + decay * w)
    return new_params, new_means, new_squares


# ---- decay_without_rate-paper ----
# 0.5 w taken off in each step.
WEIGHT = 0.95


# ---- decay_without_rate ----
# The decay outside the brackets.


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(grads[name], means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * direction - (decay * w if w.ndim == 2 else 0)
    return new_params, new_means, new_squares


# ---- down_to_zero ----
# final is not looked at.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return 0.5 * (1 + np.cos(np.pi * progress))


# ---- eps_inside ----
# eps under the root.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (1 - beta1**t) / np.sqrt(square / (1 - beta2**t) + eps), mean, square


# ---- exchanged ----
# The betas in the other order.


def adam(g, mean, square, step, beta2, beta1, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + eps), mean, square


# ---- grows-paper ----
# The decay with a plus.
WEIGHT = 4.91


# ---- grows ----
# Minus in the brackets.


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(grads[name], means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * (direction - (decay * w if w.ndim == 2 else 0))
    return new_params, new_means, new_squares


# ---- looks_ahead ----
# Nesterov's momentum.


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + g
    return w - rate * (beta * mean + g), mean


# ---- mean_square ----
# The root mean square of all numbers.


def clip(grads, most):
    norm = np.sqrt(np.mean(np.concatenate([g.ravel() for g in grads.values()]) ** 2))
    return {name: g * min(1.0, most / norm) for name, g in grads.items()}


# ---- momentum_left_out ----
# Plain gradient descent, with a mean beside it.


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + g
    return w - rate * g, mean


# ---- never_arrives ----
# steps where the last step is meant.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))


# ---- no_correction-paper ----
# The moments as they are.
WEIGHT = 3.2417


# ---- no_correction ----
# The moments as they are.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (np.sqrt(square) + eps), mean, square


# ---- no_decay-paper ----
# Adam.
WEIGHT = 4.05


# ---- no_decay ----
# Adam.


def adamw(params, grads, means, squares, step, rate, beta1, beta2, eps, decay):
    new_params, new_means, new_squares = {}, {}, {}
    for name, w in params.items():
        direction, new_means[name], new_squares[name] = adam(grads[name], means[name], squares[name], step, beta1, beta2, eps)
        new_params[name] = w - rate * direction
    return new_params, new_means, new_squares


# ---- no_root ----
# Divided by the mean square.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (1 - beta1**t) / (square / (1 - beta2**t) + eps), mean, square


# ---- no_warm_up-cosine ----
# The cosine from step 0, and nothing else.


def schedule(step, steps, warmup, final):
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * step / (steps - 1)))


# ---- no_warm_up ----
# The peak from the first step on.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return 1.0
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))


# ---- norm_squared ----
# No root.


def clip(grads, most):
    norm = sum(np.sum(g * g) for g in grads.values())
    return {name: g * min(1.0, most / norm) for name, g in grads.items()}


# ---- norms_added ----
# Norms added up.


def clip(grads, most):
    norm = sum(np.linalg.norm(g) for g in grads.values())
    return {name: g * min(1.0, most / norm) for name, g in grads.items()}


# ---- off_at_both_ends ----
# step / warmup, and one step more at the end.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return step / warmup
    progress = (step - warmup) / (steps - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))


# ---- old_mean ----
# The step first, the mean afterwards.


def momentum(w, g, mean, rate, beta):
    return w - rate * mean, beta * mean + g


# ---- one_correction-mean ----
# Only the mean is corrected.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (1 - beta1**t) / (np.sqrt(square) + eps), mean, square


# ---- one_correction-paper ----
# Only the mean corrected.
WEIGHT = 3.3371


# ---- one_correction ----
# Only the square is corrected.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step + 1
    return mean / (np.sqrt(square / (1 - beta2**t)) + eps), mean, square


# ---- per_number ----
# np.clip.


def clip(grads, most):
    return {name: np.clip(g, -most, most) for name, g in grads.items()}


# ---- per_tensor ----
# A norm for each.


def clip(grads, most):
    return {name: g * min(1.0, most / np.sqrt(np.sum(g * g))) for name, g in grads.items()}


# ---- square_of_mean ----
# The mean squared.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * mean * mean
    t = step + 1
    return mean / (1 - beta1**t) / (np.sqrt(square / (1 - beta2**t)) + eps), mean, square


# ---- starts_at_zero ----
# step / warmup.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return step / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(np.pi * progress))


# ---- straight ----
# A line.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + (1 - final) * (1 - progress)


# ---- t_from_0 ----
# t = step.


def adam(g, mean, square, step, beta1, beta2, eps):
    mean = beta1 * mean + (1 - beta1) * g
    square = beta2 * square + (1 - beta2) * g * g
    t = step
    with np.errstate(all="ignore"):
        return mean / np.float64(1 - beta1**t) / (np.sqrt(square / np.float64(1 - beta2**t)) + eps), mean, square


# ---- uphill-paper ----
# The direction with a plus.
WEIGHT = 3.21


# ---- uphill ----
# Plus.


def momentum(w, g, mean, rate, beta):
    mean = beta * mean + g
    return w + rate * mean, mean


# ---- whole_cosine ----
# 2 pi.


def schedule(step, steps, warmup, final):
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / (steps - 1 - warmup)
    return final + (1 - final) * 0.5 * (1 + np.cos(2 * np.pi * progress))
