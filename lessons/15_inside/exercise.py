"""Exercise of lesson 15: the tools that look inside, on models small enough to see through.

Letters: T tokens, D the width of the stream, V the vocabulary, N parts of a model or layers. All
arrays are NumPy's, in float64. The norm of this exercise is RMSNorm: weight * x / sqrt(mean(x * x)
+ eps), the mean over D.
Check yourself:  minillm lesson check 15
"""

import numpy as np

# Work these out on paper.
#
# 1. A head looks with 0.8 of its attention at "the" and with 0.2 at "Ann". If all of it went to
#    "the", the head would add 2 to the logit of "Ann"; if all of it went to "Ann", it would add
#    12. Of what the head does add, which share comes from "Ann"?
FROM_ANN = None

# 2. At one token, the stream after the last layer is the sum of three parts: embedding (6, 1), a
#    head (3, 4), an mlp (5, -3). The final norm has weights 1 and eps 0; the head matrix has the
#    column (2, 6) for "Ann". What does the head, of these three parts, add to the logit of "Ann"?
#    (The answer is a whole number.)
FROM_HEAD = None


def record(run):
    """Every activation of a run. run(tap) computes, and calls tap(name, x) for each activation x,
    an array.

    The run goes on with what tap returns, so tap must return x. It may later change its arrays in
    place. -> {name: what the activation was}, names as given.
    """
    raise NotImplementedError


def lens(x, weight, head, eps):
    """The logits that the model would give if it stopped after each layer. x (N, D): the stream of
    one token after N layers; weight (D,) of the final norm; head (D, V). -> (N, V)
    """
    raise NotImplementedError


def attribution(parts, weight, head, token, eps):
    """What each part adds to the logit of `token`. parts (N, D): what each part of the model wrote
    into the stream of one token, so that the stream after the last layer is their sum. -> (N,):
    numbers that add up to the logit exactly.
    """
    raise NotImplementedError


def ablation(nats, stream, written, noise):
    """A head taken out, with a control. nats(stream) -> (T,): how surprising each token is, given
    the last stream (T, D).

    written (T, D): what the head wrote into `stream`, token by token. noise (T, D): random
    numbers. -> (effect, control), both (T,): by how many nats more surprising each token is
    without what the head wrote; and with random vectors taken out instead, at each token one that
    points as `noise` does and is as long as what the head wrote there.
    """
    raise NotImplementedError


def patching(score, clean, corrupt):
    """Which token's activation carries the answer. clean, corrupt (T, D): the same layer's stream
    in two runs; score(stream) -> a number: what the rest of the model makes of a stream.

    -> (T,): for each token t, the share of the difference between the two runs' scores that comes
    back when the clean stream of token t alone is put into the corrupt run: 0 where nothing
    changes, 1 where the score is the clean run's.
    """
    raise NotImplementedError
