"""The story world: English-like stories for small models, whose probability is known exactly.

A story is made by a grammar (`storyworld_words.py`): draw a plot; draw the facts of the story, such as the hero's name or
the thing that gets lost; for each step of the plot draw one of its sentences, and the free words in it. The text repeats
the facts again and again: whoever reads it pays for each fact once, a model that cannot look back pays every time.

    log p(story) = log p(plot) + sum over facts of log p(fact | earlier facts)
                   + sum over steps of (log p(sentence) + sum over its free words of log p(word))

No text has two derivations, so this is the log-probability of the text itself and its mean is the floor that no model can
beat on average: `entropy()`, in nats per story. All logarithms are natural; nats / log(2) are bits.

Glossary: coin, a number in [0, 1); fact, a named value that a story repeats; slot, a place in a sentence where a fact's form
stands; free word, a word drawn afresh; value, what a fact is in one story ("kite"); form, how it is spelt ("a kite").
"""

import itertools
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from minillm.storyworld_words import COMMON, PLOTS, PRONOUN_RATES, RULES, STEPS, VARIABLES, WORDS

__all__ = ["Derivation", "Estimate", "Fact", "Mention", "PRONOUN_RATES", "Story", "SPLITS", "corpus", "derivations", "entropy",
           "entropy_estimate", "mean_length", "parse", "sample", "split_of", "stories"]

SPLITS = ("train", "validation")
VALIDATION_SHARE = 8        # one possible story in 8 belongs to the validation set


@dataclass(frozen=True)
class Mention:
    """Where a fact stands in a story: text[start:end] is the fact's `form` ("thing" is "kite", "a_thing" is "a kite")."""
    form: str
    start: int
    end: int


@dataclass(frozen=True)
class Fact:
    """A planted fact: its value and its mentions in order. Every mention after the first can be known from what was read."""
    value: str
    mentions: tuple[Mention, ...]


@dataclass(frozen=True)
class Story:
    """A story, its exact log-probability in nats, and what is planted in it: facts["hero"].value, facts["total"].mentions."""
    text: str
    log_probability: float
    facts: dict[str, Fact]


# ---- the grammar, made ready once -----------------------------------------------------------------------------------

@dataclass(frozen=True)
class Slot:
    fact: str
    form: str


@dataclass(frozen=True)
class Sentence:
    """`parts` are strings, slots, and tuples of free words to draw from. `pattern` is the same as one string."""
    parts: tuple
    pattern: str
    words: tuple


@dataclass(frozen=True)
class Plot:
    name: str
    facts: tuple
    steps: tuple


def _article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def _forms(fact, value):
    """All forms of a value: {"thing": "kite", "a_thing": "a kite", "Thing": "Kite", "A_thing": "A kite"}."""
    forms = dict(value) if isinstance(value, dict) else {fact: value}
    forms |= {"a_" + form: _article(word) for form, word in forms.items()}
    return forms | {form[0].upper() + form[1:]: word[0].upper() + word[1:] for form, word in forms.items()}


def _table(weights):
    """Values repeated in proportion to their weights, so that a fair pick from the list is a draw from the distribution."""
    shares = {value: Fraction(str(float(weight))) for value, weight in weights.items() if weight}
    total = sum(shares.values())
    size = math.lcm(*((share / total).denominator for share in shares.values()))
    return [value for value, share in shares.items() for _ in range(int(share / total * size))]


# value -> its forms; and fact -> (the facts it depends on, their values -> a table of its values)
FORMS = {fact: {value[fact] if isinstance(value, dict) else value: _forms(fact, value) for value in values}
         for fact, values in VARIABLES.items()}
FACT_OF = {form: fact for fact, values in FORMS.items() for forms in values.values() for form in forms}
TABLES = {}
for _fact, _values in FORMS.items():
    _parents, _weight = RULES.get(_fact, ((), lambda value: 1))
    TABLES[_fact] = (_parents, {given: _table({value: _weight(*given, value) for value in _values})
                                for given in itertools.product(*(FORMS[parent] for parent in _parents))})


def _sentence(template, before):
    """Compile one sentence of `STEPS`; `before` is the white space between it and the previous sentence."""
    parts = [before]
    for piece in re.split(r"(\{\w+\}|\[[^]]*\])", template):
        if piece.startswith("{"):
            parts.append(Slot(FACT_OF[piece[1:-1]], piece[1:-1]))
        elif piece.startswith("["):
            parts.append(tuple(word.strip() for word in WORDS.get(piece[1:-1], piece[1:-1]).split("|")))
        else:
            parts.append(piece)
    pattern = "".join("%s" if isinstance(part, tuple) else f"{{{part.form}}}" if isinstance(part, Slot) else part
                      for part in parts)
    return Sentence(tuple(parts), pattern, tuple(part for part in parts if isinstance(part, tuple)))


def _plot(name, extra, *paragraphs):
    """Compile one plot: a blank line before a paragraph, a space before any other sentence, nothing before the first."""
    steps = []
    for paragraph in paragraphs:
        for i, step in enumerate(paragraph.split()):
            before = " " if i else "\n\n" if steps else ""
            templates = (" ".join(line.split()) for line in ("\n" + STEPS[step]).split("\n- ")[1:])
            steps.append(tuple(_sentence(template, before) for template in templates))
    return Plot(name, COMMON + extra, tuple(steps))


GRAMMAR = tuple(_plot(name, *plot) for name, plot in PLOTS.items())
COINS = max(1 + len(plot.facts) + sum(1 + max(len(sentence.words) for sentence in step) for step in plot.steps)
            for plot in GRAMMAR)            # every story is given this many coins, whether or not it uses them all


# ---- derivations ----------------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Derivation:
    """The choices that make a story: a plot, the values of its facts, a sentence for each step, and the free words."""
    plot: Plot
    values: dict[str, str]
    sentences: tuple[Sentence, ...]
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        pattern = "".join([sentence.pattern for sentence in self.sentences]) % tuple(self.words)
        forms = {}
        for fact, value in self.values.items():
            forms.update(FORMS[fact][value])
        return pattern.format_map(forms)

    @property
    def log_probability(self) -> float:
        """log p in nats: the sum over all choices; minus infinity if the values break a rule."""
        log_p = -math.log(len(GRAMMAR))
        for fact in self.plot.facts:
            p = _chance(fact, self.values)
            log_p += math.log(p) if p else -math.inf
        for step, sentence in zip(self.plot.steps, self.sentences):
            log_p -= math.log(len(step)) + sum(math.log(len(words)) for words in sentence.words)
        return log_p

    @property
    def facts(self) -> dict[str, Fact]:
        """Every fact with the places where it is mentioned; "plot" is among them, with no place."""
        mentions, words, at = {fact: [] for fact in self.values}, iter(self.words), 0
        for part in itertools.chain.from_iterable(sentence.parts for sentence in self.sentences):
            start, at = at, at + len(_spell(part, self.values) if not isinstance(part, tuple) else next(words))
            if isinstance(part, Slot):
                mentions[part.fact].append(Mention(part.form, start, at))
        facts = {fact: Fact(self.values[fact], tuple(found)) for fact, found in mentions.items()}
        return {"plot": Fact(self.plot.name, ())} | facts


def _chance(fact, values):
    """p(fact's value | the facts it depends on)."""
    parents, tables = TABLES[fact]
    table = tables[tuple([values[parent] for parent in parents])]
    return table.count(values[fact]) / len(table)


def _spell(part, values):
    return FORMS[part.fact][values[part.fact]][part.form] if isinstance(part, Slot) else part


# ---- sampling -------------------------------------------------------------------------------------------------------

def _draw(coins: list[float]) -> Derivation:
    """The derivation that a row of COINS coins stands for: each choice uses up one coin."""
    coin = iter(coins).__next__
    plot = GRAMMAR[int(coin() * len(GRAMMAR))]
    values, sentences, words = {}, [], []
    for fact in plot.facts:
        parents, tables = TABLES[fact]
        table = tables[tuple([values[parent] for parent in parents])]
        values[fact] = table[int(coin() * len(table))]
    for step in plot.steps:
        sentence = step[int(coin() * len(step))]
        sentences.append(sentence)
        for choices in sentence.words:
            words.append(choices[int(coin() * len(choices))])
    return Derivation(plot, values, tuple(sentences), tuple(words))


def sample(rng: np.random.Generator) -> Story:
    """One story. It uses up COINS numbers of `rng`, so that many calls and `stories` read the same stream."""
    derivation = _draw(rng.random(COINS).tolist())
    return Story(derivation.text, derivation.log_probability, derivation.facts)


def split_of(text: str) -> str:
    """The set to which a story belongs: "validation" if its CRC-32 is a multiple of 8, otherwise "train"."""
    return SPLITS[zlib.crc32(text.encode()) % VALIDATION_SHARE == 0]


def stories(seed: int, split: str) -> Iterator[str]:
    """The endless sequence of texts that repeated `sample` gives for this seed, kept only where they belong to `split`.

    Every possible story is in exactly one split, so the sets are disjoint whatever the seeds. Strictly, inside a split of
    share s a story is 1/s times as likely (2.08 nats more for validation, 0.13 for train); but as nobody can know which
    texts the CRC keeps without computing it, the floor to compare a model with is the unconditional -log p(story).
    Raises ValueError for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split: {split!r} is not one of {', '.join(SPLITS)}")
    rng = np.random.default_rng(seed)
    while True:
        for coins in rng.random((256, COINS)).tolist():
            text = _draw(coins).text
            if split_of(text) == split:
                yield text


def corpus(seed: int, split: str, n_bytes: int) -> list[str]:
    """The first stories of `stories(seed, split)` that together reach n_bytes of UTF-8 text."""
    texts = []
    for text in stories(seed, split):
        if n_bytes <= 0:
            return texts
        texts.append(text)
        n_bytes -= len(text.encode())


# ---- parsing --------------------------------------------------------------------------------------------------------

def _read(parts, text, at, values, words):
    """All ways to read `parts` from text[at:]: (position after them, values known by then, free words so far)."""
    if not parts:
        yield at, values, words
        return
    part, rest = parts[0], parts[1:]
    if isinstance(part, tuple):
        for word in part:
            if text.startswith(word, at):
                yield from _read(rest, text, at + len(word), values, words + (word,))
    elif isinstance(part, Slot) and part.fact not in values:
        for value, forms in FORMS[part.fact].items():
            if text.startswith(forms[part.form], at):
                yield from _read(rest, text, at + len(forms[part.form]), values | {part.fact: value}, words)
    elif text.startswith(spelt := _spell(part, values), at):
        yield from _read(rest, text, at + len(spelt), values, words)


def derivations(text: str) -> Iterator[Derivation]:
    """All derivations of a text: one for a story, none for anything else."""
    def steps(plot, sentences, at, values, words):
        if len(sentences) == len(plot.steps):
            if at == len(text):
                yield Derivation(plot, {fact: values[fact] for fact in plot.facts}, sentences, words)
            return
        for sentence in plot.steps[len(sentences)]:
            for state in _read(sentence.parts, text, at, values, words):
                yield from steps(plot, sentences + (sentence,), *state)

    for plot in GRAMMAR:
        for derivation in steps(plot, (), 0, {}, ()):
            if derivation.log_probability > -math.inf:
                yield derivation


def parse(text: str) -> Derivation:
    """The one derivation of a story. Raises ValueError if the text is not a story of this world."""
    found = list(derivations(text))
    if len(found) != 1:
        raise ValueError(f"{len(found)} derivations instead of one: not a story of this world: {text[:60]!r}")
    return found[0]


# ---- the floor ------------------------------------------------------------------------------------------------------

def _expectation(fact, function):
    """E[function(values)] over a fact and all that it depends on, by enumeration."""
    def enumerate_values(fact, known):
        """(values, probability) for `fact` and its ancestors, given the values known already."""
        if fact in known:
            return [(known, 1.0)]
        states = [(known, 1.0)]
        for parent in TABLES[fact][0]:
            states = [(values, p * q) for given, p in states for values, q in enumerate_values(parent, given)]
        parents, tables = TABLES[fact]
        return [(values | {fact: value}, p * _chance(fact, values | {fact: value})) for values, p in states
                for value in dict.fromkeys(tables[tuple(values[parent] for parent in parents)])]

    return sum(p * function(values) for values, p in enumerate_values(fact, {}))


def entropy() -> float:
    """The exact entropy H = E[-log p(story)] in nats per story, by the chain rule over the choices.

    H = log(plots) + mean over plots of [sum over facts of H(fact | earlier) + sum over steps of (log(sentences) + mean over
    sentences of sum over free words of log(words))], because the choices differ in kind but not in number between branches.
    """
    facts = {fact: _expectation(fact, lambda values: -math.log(_chance(fact, values))) for fact in TABLES}
    total = 0.0
    for plot in GRAMMAR:
        total += sum(facts[fact] for fact in plot.facts)
        for step in plot.steps:
            free = sum(math.log(len(words)) for sentence in step for words in sentence.words)
            total += math.log(len(step)) + free / len(step)
    return math.log(len(GRAMMAR)) + total / len(GRAMMAR)


def mean_length(measure=len) -> float:
    """The exact mean of a measure that adds up over pieces of text: bytes by default (the stories are ASCII).

    Words: mean_length(lambda piece: piece.count(" ") + piece.count("\\n\\n")) + 1.
    """
    slots = {part for plot in GRAMMAR for step in plot.steps for sentence in step for part in sentence.parts
             if isinstance(part, Slot)}
    means = {slot: _expectation(slot.fact, lambda values: measure(_spell(slot, values))) for slot in slots}

    def mean(part):
        if isinstance(part, tuple):
            return sum(map(measure, part)) / len(part)
        return means[part] if isinstance(part, Slot) else measure(part)

    return sum(mean(part) / len(step) for plot in GRAMMAR for step in plot.steps for sentence in step
               for part in sentence.parts) / len(GRAMMAR)


@dataclass(frozen=True)
class Estimate:
    """A Monte-Carlo estimate of the entropy: nats per story with its standard error, per word and per byte."""
    nats_per_story: float
    standard_error: float
    nats_per_word: float
    nats_per_byte: float


def entropy_estimate(rng: np.random.Generator, n: int) -> Estimate:
    """The mean of -log p over n sampled stories; words are what white space separates."""
    drawn = [_draw(coins) for coins in rng.random((n, COINS)).tolist()]
    nats = np.array([-derivation.log_probability for derivation in drawn])
    texts = [derivation.text for derivation in drawn]
    return Estimate(nats.mean(), nats.std(ddof=1) / math.sqrt(n), nats.sum() / sum(len(text.split()) for text in texts),
                    nats.sum() / sum(len(text.encode()) for text in texts))
