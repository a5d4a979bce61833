"""Full batches only."""


def evaluate(mean_loss, inputs, targets, batch_size):
    nats = counted = 0
    for i in range(0, len(inputs) - batch_size + 1, batch_size):
        n = np.sum(targets[i:i + batch_size] != IGNORE)
        nats, counted = nats + n * mean_loss(inputs[i:i + batch_size], targets[i:i + batch_size]), counted + n
    return nats / counted
