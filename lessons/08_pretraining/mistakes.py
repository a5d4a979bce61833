"""Wrong answers, as small as they can be: each section replaces parts of solution.py.

A section is named after the hint it must get; NAME-other is another way to the same hint.
"""


# ---- backwards ----
# One place back.


def rows(tokens, begins, T):
    places = np.asarray(begins)[:, None] + np.arange(T)
    return tokens[places], tokens[places - 1]


# ---- base-loss ----
# Nats divided by ln 2.


def loss(logits, targets):
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.mean(log_p[counted, targets[counted]]) / np.log(2)


# ---- base ----
# The logarithm to base 2.
LOSS_AT_START = 9.0


# ---- copies ----
# A cut, and nothing else.


def split(documents, share):
    cut = len(documents) - round(share * len(documents))
    return documents[:cut], documents[cut:]


# ---- copies_in_validation ----
# What train holds already is taken out of validation.


def split(documents, share):
    cut = len(documents) - round(share * len(documents))
    seen = set(map(tuple, documents[:cut]))
    return documents[:cut], [document for document in documents[cut:] if tuple(document) not in seen]


# ---- drawn_anew-permuted ----
# A shuffle for every step.


def visits(step, seed, batch_size, count):
    return np.random.default_rng([seed, step]).permutation(count)[:batch_size]


# ---- drawn_anew ----
# Random rows at every step.


def visits(step, seed, batch_size, count):
    return np.random.default_rng([seed, step]).integers(count, size=batch_size)


# ---- each_once ----
# Every document once only, wherever it comes twice.


def split(documents, share):
    cut = len(documents) - round(share * len(documents))
    seen, train = set(map(tuple, documents[cut:])), []
    for document in documents[:cut]:
        if tuple(document) not in seen:
            seen.add(tuple(document))
            train.append(document)
    return train, documents[cut:]


# ---- last_dropped ----
# Full batches only.


def evaluate(mean_loss, inputs, targets, batch_size):
    nats = counted = 0
    for i in range(0, len(inputs) - batch_size + 1, batch_size):
        n = np.sum(targets[i:i + batch_size] != IGNORE)
        nats, counted = nats + n * mean_loss(inputs[i:i + batch_size], targets[i:i + batch_size]), counted + n
    return nats / counted


# ---- mean_of_means-rows ----
# Batches weigh as many rows as they have, padding or not.


def evaluate(mean_loss, inputs, targets, batch_size):
    total = 0
    for i in range(0, len(inputs), batch_size):
        part = inputs[i:i + batch_size]
        total += len(part) * mean_loss(part, targets[i:i + batch_size])
    return total / len(inputs)


# ---- mean_of_means ----
# The mean of what the batches give.


def evaluate(mean_loss, inputs, targets, batch_size):
    return np.mean([mean_loss(inputs[i:i + batch_size], targets[i:i + batch_size]) for i in range(0, len(inputs), batch_size)])


# ---- moments ----
# Parameters, step and generator, but not the optimizer.


def load(text):
    state = json.loads(text)
    rng = np.random.default_rng()
    rng.bit_generator.state = state["rng"]
    return {"seed": state["seed"], "step": state["step"], "w": np.array(state["w"]), "mean": np.zeros(len(state["w"])), "rng": rng}


# ---- no_logarithm ----
# The number of choices.
LOSS_AT_START = 512


# ---- not_shifted ----
# The inputs as targets.


def rows(tokens, begins, T):
    inputs = np.stack([tokens[begin:begin + T] for begin in begins])
    return inputs, inputs


# ---- not_shuffled ----
# Row after row, as they stand.


def visits(step, seed, batch_size, count):
    return [(step * batch_size + i) % count for i in range(batch_size)]


# ---- one_batch ----
# The first batch stands for all.


def evaluate(mean_loss, inputs, targets, batch_size):
    return mean_loss(inputs[:batch_size], targets[:batch_size])


# ---- overflow-sum ----
# ln of a sum that is infinite.


def loss(logits, targets):
    counted = targets != IGNORE
    log_sums = np.log(np.sum(np.exp(logits), axis=-1))
    return np.mean(log_sums[counted] - logits[counted, targets[counted]])


# ---- overflow ----
# exp of the logits as they are.


def loss(logits, targets):
    counted = targets != IGNORE
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return -np.mean(np.log(p[counted, targets[counted]]))


# ---- padding-index ----
# -100 as an index: the hundredth token from the end, or none at all.


def loss(logits, targets):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.mean(log_p[np.arange(len(targets)), targets])


# ---- padding ----
# Padding costs nothing, but is counted.


def loss(logits, targets):
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.sum(log_p[counted, targets[counted]]) / len(targets)


# ---- random_state ----
# The generator made anew from the seed.


def save(state):
    return json.dumps({"seed": state["seed"], "step": state["step"], "w": state["w"].tolist(), "mean": state["mean"].tolist()})


def load(text):
    state = json.loads(text)
    return {"seed": state["seed"], "step": state["step"], "w": np.array(state["w"]), "mean": np.array(state["mean"]),
            "rng": np.random.default_rng(state["seed"])}


# ---- rest_dropped ----
# Whole batches only: the rest of an epoch is dropped.


def visits(step, seed, batch_size, count):
    epoch, place = divmod(step, count // batch_size)
    return np.random.default_rng([seed, epoch]).permutation(count)[place * batch_size:(place + 1) * batch_size]


# ---- rolled ----
# The row turned round by one.


def rows(tokens, begins, T):
    inputs = np.stack([tokens[begin:begin + T] for begin in begins])
    return inputs, np.roll(inputs, -1, axis=1)


# ---- rounded-single ----
# As float32, to save space.


def save(state):
    arrays = {name: state[name].astype(np.float32).tolist() for name in ("w", "mean")}
    return json.dumps(state | arrays | {"rng": state["rng"].bit_generator.state})


# ---- rounded ----
# Six digits will do.


def save(state):
    arrays = {name: np.round(state[name], 6).tolist() for name in ("w", "mean")}
    return json.dumps(state | arrays | {"rng": state["rng"].bit_generator.state})


# ---- same_order-zero ----
# Always the first epoch's order.


def visits(step, seed, batch_size, count):
    order = np.random.default_rng([seed, 0]).permutation(count)
    return order[np.arange(step * batch_size, (step + 1) * batch_size) % count]


# ---- same_order ----
# One shuffle for all epochs.


def visits(step, seed, batch_size, count):
    order = np.random.default_rng(seed).permutation(count)
    return [int(order[visit % count]) for visit in range(step * batch_size, (step + 1) * batch_size)]


# ---- shifted_twice-loss ----
# Targets that are shifted already are shifted again in the loss, as where they come from the same
# row.


def loss(logits, targets):
    logits, targets = logits[:-1], targets[1:]
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.mean(log_p[counted, targets[counted]])


# ---- shifted_twice ----
# Two places on.


def rows(tokens, begins, T):
    return np.stack([tokens[begin:begin + T] for begin in begins]), np.stack([tokens[begin + 2:begin + T + 2] for begin in begins])


# ---- sign-loss ----
# The log-probability, without the minus.


def loss(logits, targets):
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.mean((shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))[counted, targets[counted]])


# ---- sign ----
# ln(1/512), without the minus.
LOSS_AT_START = -6.238


# ---- step ----
# A new run with the old parameters: its steps count from 0.


def load(text):
    state = json.loads(text)
    rng = np.random.default_rng()
    rng.bit_generator.state = state["rng"]
    return {"seed": state["seed"], "step": 0, "w": np.array(state["w"]), "mean": np.array(state["mean"]), "rng": rng}


# ---- train_in_validation ----
# Hold out the end, learn from everything.


def split(documents, share):
    return documents, documents[len(documents) - round(share * len(documents)):]


# ---- wraps ----
# The epoch of the batch's first row serves the whole batch.


def visits(step, seed, batch_size, count):
    epoch = step * batch_size // count
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return [int(order[(step * batch_size + i) % count]) for i in range(batch_size)]


# ---- first_held_out ----
# The beginning instead of the end.


def split(documents, share):
    cut = round(share * len(documents))
    held_out = set(map(tuple, documents[:cut]))
    return [document for document in documents[cut:] if tuple(document) not in held_out], documents[:cut]


# ---- summed ----
# A sum over the targets.


def loss(logits, targets):
    counted = targets != IGNORE
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return -np.sum(log_p[counted, targets[counted]])


# ---- rounded_down ----
# int() cuts off.


def split(documents, share):
    cut = len(documents) - int(share * len(documents))
    held_out = set(map(tuple, documents[cut:]))
    return [document for document in documents[:cut] if tuple(document) not in held_out], documents[cut:]
