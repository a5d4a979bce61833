"""What is checked in exercise 16, and which misconceptions are recognised. The words used here:
minillm/course/exercises.py."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from minillm.architecture.adapted import Adapted
from minillm.architecture.adapters import merged
from minillm.course.exercises import Hint, Task, normal, number, sizes
from minillm.course.lessons import load_module
from minillm.in_numpy import ops
from minillm.tuning import rendering

asking = load_module(Path(__file__).with_name("asking.py"), "asking")
render, encode = asking.render, asking.encode

HINTS = {
    "base_trained": Hint(
        "You counted the gradient and the moments of the matrix too. It stays as it is, so it has "
        "none: that is where LoRA saves memory.",
        "List what is in memory for one number of the matrix, and what for one of the change.",
    ),
    "base_forgotten": Hint(
        "You counted only the change. The matrix is not trained, but it is multiplied in every "
        "step, so it must be in memory.",
        "What does the model compute x w from?",
    ),
    "one_side": Hint(
        "You counted one of the two thin matrices. The change is a product of two: one as tall as "
        "the matrix, one as wide.",
        "Write down the shapes of a and b, and what shape a b has.",
    ),
    "weights_alone": Hint(
        "You counted the numbers of the change as if they stayed. They are trained: each has a "
        "gradient and two moments beside it.",
        "How many numbers does one step of Adam read and write for one number that it trains?",
    ),
    "bos_doubled": Hint(
        "Your text begins with the beginning-of-text token twice: the template has written it "
        "already, and the tokenizer puts another before it. In training the model has never read "
        "such a beginning, and nothing reports it.",
        "Print the first three tokens. Who wrote each of them?",
    ),
    "template_twice": Hint(
        "You rendered a text that was rendered already: to the model it is a question that quotes "
        "a whole conversation, with its marks.",
        "Turn your tokens back into text and read it: how often is there a mark of the user?",
    ),
    "no_turn": Hint(
        "Your text ends after the question. The mark after which the assistant speaks is missing, "
        "so the model has to guess whose turn it is.",
        "What is the last mark in your text, and which one came before each answer in training?",
    ),
    "prompt_counts": Hint(
        "You count the question too. Then the model also learns to ask as the users ask, and where "
        "questions are longer than answers, mostly that.",
        "How many of the tokens that you count would the assistant ever write?",
    ),
    "mark_counts": Hint(
        "You count the mark before the answer. It is put there by whoever asks, never by the "
        "model.",
        "Write down what is handed to the model when it is asked: is the mark in it?",
    ),
    "end_left_out": Hint(
        "You left out the end token. Nothing would teach the model to stop, and it would go on "
        "until it is cut off.",
        "What is the last token that the assistant must write?",
    ),
    "after_the_end": Hint(
        "You count what the template puts after the end token. When the model has said END it is "
        "stopped, so it never writes that.",
        "Print the last few tokens of a conversation, and beside each whether it counts.",
    ),
    "last_alone": Hint(
        "You count the last answer only. The assistant wrote the earlier ones too.",
        "Give it a conversation with two questions and two answers, and count the answers.",
    ),
    "searched": Hint(
        "You looked for the text of the answer in the conversation. It may occur there earlier, in "
        "the question for example.",
        'Let the user ask "Say yes." and the assistant answer "yes".',
    ),
    "shifted_mask": Hint(
        "You shifted the tokens and not the mask. A place counts if the token that is to be said "
        "there counts, and that is the next one: with yours the first word of an answer is never "
        "learned, and the mark after its end is.",
        "Take two tokens, a question and an answer. At which place is the answer said?",
    ),
    "not_shifted": Hint(
        "Your target of a place is the token of that place. The model reads it there; what it "
        "has to say is the one after it.",
        "Would a model that repeats its input have a loss of 0 by your targets?",
    ),
    "shifted_back": Hint(
        "You shifted to the other side: your target is the token before.",
        "Write tokens and targets of (5, 6, 7) below each other: what is to be said after 5?",
    ),
    "wrapped": Hint(
        "The last place got the first token as its target. Nothing comes after the last token.",
        "Let all tokens count, and look at the last target.",
    ),
    "b_not_zero": Hint(
        "Your b is not zero, so the change is not zero either: the first step begins with a model "
        "that random numbers have damaged.",
        "Compute a b. What must it be if the model is to be the one that was given?",
    ),
    "both_zero": Hint(
        "Your two matrices are both zero. The gradient of each is multiplied with the other, so "
        "both stay zero for ever.",
        "Look at da and db of the next tasks where a = 0 and b = 0.",
    ),
    "roles_swapped": Hint(
        "You drew b and left a zero. It would learn too; but everyone draws a, and files and other "
        "programs' settings are made for that.",
        "Which of the two is multiplied with x first?",
    ),
    "too_large": Hint(
        "Some of your numbers are not within 1/sqrt(I). A normal draw has no bound, and without "
        "the root x a grows with the number of inputs.",
        "Print the largest of 100 drawn numbers for I = 4 and for I = 400.",
    ),
    "too_small": Hint(
        "Your numbers do not fill what they may: they stay below half of 1/sqrt(I). A sum of I "
        "terms of random signs grows with the root of I, not with I.",
        "Print the largest of 100 drawn numbers for I = 4 and for I = 400.",
    ),
    "one_sign": Hint(
        "All your numbers have one sign. Then x a mostly measures the sum of x, whatever the "
        "column: the numbers must lie evenly on both sides of 0.",
        "Print the mean of 100 drawn numbers: it must be near 0.",
    ),
    "scale_forgotten": Hint(
        "The factor alpha / r is missing. It is part of the change: without it a file that is read "
        "by another program gives another model.",
        "Double alpha: what the change adds must double.",
    ),
    "not_by_rank": Hint(
        "You multiplied by alpha, not by alpha / r. The division keeps the change about equally "
        "large when the rank is chosen anew.",
        "Put two equal changes side by side, a next to a and b below b: with the rank, twice as "
        "large, the result must stay the same.",
    ),
    "base_left_out": Hint(
        "That is the change alone. The matrix is not trained, but x goes through it as before.",
        "Set b = 0: what must come out?",
    ),
    "dx_one_way": Hint(
        "Your dx has one of its two ways only. x goes through w and through a; each way back adds "
        "its part.",
        "Set w = 0: does dx still depend on a and b, as the output does on x?",
    ),
    "scale_of_dx": Hint(
        "The factor alpha / r is missing in one of the derivatives. It multiplies the whole "
        "change, so it is in all that flows through the change: da, db and the part of dx.",
        "Double alpha: da and db must double, and so must what dx has from the change.",
    ),
    "wrong_order": Hint(
        "You exchanged da and db.",
        "Compare the shapes of da and a.",
    ),
    "merged_twice": Hint(
        "The change is in your matrix and still beside it, so it counts twice: once now, or once "
        "more whenever somebody merges again.",
        "Merge a layer twice and compare what it gives each time.",
    ),
    "in_place": Hint(
        "You changed the matrix that came in. Other changes of the same model share it, and would "
        "find it changed.",
        "Keep a copy of w, merge, and compare.",
    ),
}


# ---- Fresh inputs, small ones first -------------------------------------------------------------

WORDS = ("yes", "no", "two", "six", "tea")


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


def talk(rng, turns):
    """A conversation of so many questions and answers; some answers stand in their question."""
    messages = []
    for _ in range(turns):
        question, answer = rng.choice(WORDS, 2)
        messages += [user(f"{question}?"), assistant(str(answer))]
    return messages


def rows_of_text(rng):
    yield ({"messages": [user("hi")]},)
    yield ({"text": render([user("hi")], answer=True)},)
    for turns in (0, 1, 0, 1, 2):
        messages = [*talk(rng, turns), user(str(rng.choice(WORDS)))]
        yield ({"messages": messages},)
        yield ({"text": render(messages, answer=True)},)


def conversations(rng):
    yield ([user("hi"), assistant("yo")],)
    yield ([user("say yes"), assistant("yes")],)
    yield ([user("a"), assistant("b"), user("c"), assistant("d")],)
    for turns in (1, 2, 1, 3):
        yield (talk(rng, turns),)


def marked_tokens(rng):
    yield np.array([5, 6, 7]), np.array([False, True, True])
    yield np.array([5, 6, 7]), np.array([True, True, True])
    yield np.array([5, 6, 7, 8]), np.array([False, True, True, False])
    for T in rng.integers(2, 9, 20):
        yield rng.integers(3, 60, T), rng.random(T) < 0.5


def drawn_sizes(rng):
    for _ in range(4):
        yield (*map(int, rng.integers((6, 3, 4), (20, 9, 6))), int(rng.integers(1000)))


def layers(rng):
    """x, w, a, b, alpha; the rank is never 1, and alpha never the rank."""
    yield (np.array([[1.0, 2.0]]), np.array([[1.0], [0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]]),
           np.array([[1.0], [3.0]]), 4.0)
    for N, I, O in ((1, 2, 2), (2, 2, 3), *sizes(rng, 2, 5, (20, 3))):
        r = int(rng.integers(2, 4))
        yield (normal(rng, N, I), normal(rng, I, O), normal(rng, I, r), normal(rng, r, O),
               float(rng.choice([1.0, 5.0, 8.0])))


def backward_cases(rng):
    for x, w, a, b, alpha in layers(rng):
        yield normal(rng, len(x), w.shape[1]), x, w, a, b, alpha


def layers_to_merge(rng):
    for x, w, a, b, alpha in layers(rng):
        yield {"w": w, "a": a, "b": b, "alpha": alpha}, x


# ---- The right answers: minillm's own -----------------------------------------------------------


def right_prompt(row):
    text = row["text"] if "text" in row else render(row["messages"], answer=True)
    return encode(text, begin=False)


TOKENIZER = SimpleNamespace(
    encode=lambda text, allow_special: encode(text, begin=False),
    decode=lambda ids: "".join({token: mark for mark, token in asking.MARKS.items()}.get(i, chr(i))
                               for i in ids))


def right_counts(messages):
    """minillm.tuning.rendering.one, with the lesson's template and tokenizer."""
    model = SimpleNamespace(tokenizer=TOKENIZER, answer_ends=(asking.END,))
    texts = [{"text": render(*asked)} for asked in rendering.questions(messages)]
    return rendering.one(model, messages, texts, "here").counts.tolist()


def right_targets(tokens, counted):
    """As minillm.tuning.packing.packed makes them, of a row that ends here."""
    return np.append(np.where(counted, tokens, -100)[1:], -100)


def right_adapted(x, w, a, b, alpha):
    return ops.linear(x, Adapted(w, a, b, alpha / a.shape[1]))


def right_backward(dy, x, w, a, b, alpha):
    dx, changes, _ = ops.linear_backward(dy, x, Adapted(w, a, b, alpha / a.shape[1]))
    return dx, changes["a"], changes["b"]


def right_merge(layer, x):
    whole = merged({"w": Adapted(layer["w"], layer["a"], layer["b"],
                                 layer["alpha"] / layer["a"].shape[1])})["w"]
    return x @ whole, x @ whole, False, layer["w"]


# ---- What each misconception answers ------------------------------------------------------------


def twice(row):
    text = row["text"] if "text" in row else render(row["messages"], answer=True)
    messages = [user(text)] if "text" in row else row["messages"]
    return encode(render(messages, answer=True), begin=False)


def always_twice(row):
    text = row["text"] if "text" in row else render(row["messages"], answer=True)
    return encode(render([user(text)], answer=True), begin=False)


def doubled(row):
    return [asking.BEGIN, *right_prompt(row)]


def no_turn(row):
    return encode(row["text"] if "text" in row else render(row["messages"]), begin=False)


def counted(begin=0, end=0, mark=False, some=lambda i, messages: True):
    """A variation of `counts`: moved ends, the mark before it, some of the answers."""
    def wrong(messages):
        result = [False] * len(encode(render(messages), begin=False))
        for i, message in enumerate(messages):
            if message["role"] == "assistant" and some(i, messages):
                first = len(encode(render(messages[:i], answer=not mark), begin=False)) + begin
                through = encode(render(messages[: i + 1]), begin=False)
                last = through.index(asking.END, first) + 1 + end
                result[first:last] = [True] * (last - first)
        return result

    return wrong


def all_count(messages):
    return [True] * len(encode(render(messages), begin=False))


def searched(messages):
    tokens = encode(render(messages), begin=False)
    result = [False] * len(tokens)
    for message in messages:
        if message["role"] == "assistant":
            wanted = encode(message["content"], begin=False)
            first = next(i for i in range(len(tokens)) if tokens[i : i + len(wanted)] == wanted)
            last = first + len(wanted) + 1
            result[first:last] = [True] * (last - first)
    return result


def doubled_counts(messages):
    return [False, *right_counts(messages)]


def doubled_lengths(messages):
    """Every text encoded with one token too many at its beginning."""
    result = [False] * (1 + len(right_counts(messages)))
    for i, message in enumerate(messages):
        if message["role"] == "assistant":
            first = len(encode(render(messages[:i], answer=True)))
            through = encode(render(messages[: i + 1]))
            last = through.index(asking.END, first) + 1
            result[first:last] = [True] * (last - first)
    return result


def every_target(tokens, counted):
    return np.append(tokens[1:], -100)


def unshifted_mask(tokens, counted):
    return np.where(counted, np.append(tokens[1:], -100), -100)


def wrapped(tokens, counted):
    return np.roll(np.where(counted, tokens, -100), -1)


def drawn(a_zero=False, b_zero=False, within=True, fills=True, signs=True):
    def wrong(inputs, outputs, rank, seed):
        return ((inputs, rank), (rank, outputs), not a_zero, not b_zero, within, fills, not a_zero,
                signs)

    return wrong


def with_scale(scale, base=True):
    return lambda x, w, a, b, alpha: base * x @ w + scale(alpha, a.shape[1]) * x @ a @ b


def back(of_dx=lambda s: s, of_da=lambda s: s, of_db=lambda s: s, base=True, change=True,
         of=lambda alpha, r: alpha / r):
    """A variation of `adapted_backward`: what each part is multiplied with."""
    def wrong(dy, x, w, a, b, alpha):
        s = of(alpha, a.shape[1])
        dx = base * dy @ w.T + change * of_dx(s) * dy @ b.T @ a.T
        return dx, of_da(s) * x.T @ dy @ b.T, of_db(s) * (x @ a).T @ dy

    return wrong


def exchanged(dy, x, w, a, b, alpha):
    dx, da, db = right_backward(dy, x, w, a, b, alpha)
    return dx, db, da


def no_scale(scale):
    return 1.0


SCALELESS = [{name: no_scale for name in names} for names in
             (("of_dx", "of_da", "of_db"), ("of_dx",), ("of_da",), ("of_db",), ("of_dx", "of_da"),
              ("of_da", "of_db"), ("of_dx", "of_db"))]


def merging(scale=lambda alpha, r: alpha / r, first=1, second=1, beside=False, same=True):
    """A variation of `merge`: how often the change counts, whether it stays, and the given w."""
    def wrong(layer, x):
        change = scale(layer["alpha"], layer["a"].shape[1]) * layer["a"] @ layer["b"]
        base = layer["w"]
        return (x @ (base + first * change), x @ (base + second * change), beside,
                base if same else base + change)

    return wrong


TASKS = [
    number(
        "BYTES",
        "what training takes",
        4 * 576 * 1536 + 16 * 8 * (576 + 1536),
        {
            "base_trained": (16 * 576 * 1536 + 16 * 8 * (576 + 1536), 16 * 576 * 1536),
            "base_forgotten": 16 * 8 * (576 + 1536),
            "one_side": (4 * 576 * 1536 + 16 * 8 * 576, 4 * 576 * 1536 + 16 * 8 * 1536),
            "weights_alone": 4 * 576 * 1536 + 4 * 8 * (576 + 1536),
        },
        tolerance=1e-6,
    ),
    Task(
        "prompt",
        "what the model reads first",
        right_prompt,
        rows_of_text,
        {
            "bos_doubled": doubled,
            "template_twice": (twice, always_twice),
            "no_turn": no_turn,
        },
        call=asking.prompt,
    ),
    Task(
        "counts",
        "whose tokens they are",
        right_counts,
        conversations,
        {
            "prompt_counts": all_count,
            "mark_counts": counted(mark=True),
            "end_left_out": counted(end=-1),
            "after_the_end": counted(end=1),
            "last_alone": counted(some=lambda i, messages: i == len(messages) - 1),
            "searched": searched,
            "bos_doubled": (doubled_counts, doubled_lengths),
        },
        call=asking.counts,
    ),
    Task(
        "targets",
        "what is to be said where",
        right_targets,
        marked_tokens,
        {
            "shifted_mask": unshifted_mask,
            "not_shifted": lambda tokens, counted: np.where(counted, tokens, -100),
            "shifted_back": lambda tokens, counted: np.append(
                -100, np.where(counted, tokens, -100)[:-1]),
            "wrapped": wrapped,
            "prompt_counts": every_target,
        },
    ),
    Task(
        "start",
        "a change that changes nothing yet",
        drawn(b_zero=True),
        drawn_sizes,
        {
            "b_not_zero": (drawn(), drawn(within=False)),
            "both_zero": drawn(a_zero=True, b_zero=True, fills=False),
            "roles_swapped": drawn(a_zero=True),
            "too_large": drawn(b_zero=True, within=False),
            "too_small": drawn(b_zero=True, fills=False),
            "one_sign": drawn(b_zero=True, signs=False),
        },
        call=asking.start,
        returns=("the shape of a", "the shape of b", "a without zeros", "b other than zero",
                 "all within 1/sqrt(I)", "up to 1/sqrt(I)", "another a for another seed",
                 "above and below zero"),
    ),
    Task(
        "adapted",
        "the change at work",
        right_adapted,
        layers,
        {
            "scale_forgotten": with_scale(lambda alpha, r: 1.0),
            "not_by_rank": with_scale(lambda alpha, r: alpha),
            "base_left_out": with_scale(lambda alpha, r: alpha / r, base=False),
        },
    ),
    Task(
        "adapted_backward",
        "the way back",
        right_backward,
        backward_cases,
        {
            "dx_one_way": (back(change=False), back(base=False)),
            "scale_forgotten": back(**SCALELESS[0]),
            "scale_of_dx": tuple(back(**how) for how in SCALELESS[1:]),
            "not_by_rank": back(of=lambda alpha, r: alpha),
            "wrong_order": exchanged,
        },
        points=2,
        returns=("dx", "da", "db"),
    ),
    Task(
        "merge",
        "one matrix again",
        right_merge,
        layers_to_merge,
        {
            "scale_forgotten": merging(lambda alpha, r: 1.0),
            "not_by_rank": merging(lambda alpha, r: alpha),
            "in_place": (merging(same=False), merging(same=False, first=2, second=3, beside=True)),
            "merged_twice": (merging(first=2, second=3, beside=True),
                             merging(first=2, second=2, beside=True),
                             merging(first=1, second=2)),
        },
        call=asking.merge,
        returns=("what it gives", "what it gives merged again", "a change beside it",
                 "the w that came in"),
    ),
]
