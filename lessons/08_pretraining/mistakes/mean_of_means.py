"""The mean of what the batches give."""


def evaluate(mean_loss, inputs, targets, batch_size):
    return np.mean([mean_loss(inputs[i:i + batch_size], targets[i:i + batch_size]) for i in range(0, len(inputs), batch_size)])
