"""The story world: English-like stories for small models, whose probability is known exactly.

A grammar (`storyworld_words.py`, in English; `storyworld_vekari.py`, in an invented language with
another script) makes a story: draw a plot; draw the facts of the story, such as
the hero's name or the thing that gets lost; for each step of the plot draw one of its sentences,
and the free words in it. The text repeats the facts again and again: a model that can look back
pays for each fact once, an n-gram model pays every time.

    log p(story) = log p(plot) + sum over facts of log p(fact | earlier facts)
                   + sum over steps of (log p(sentence) + sum over its free words of log p(word))

No text has two derivations, so this is the log-probability of the text itself. The mean of -log p
is the floor that no model beats on average: `entropy()`, in nats per story. The end of a story is
part of it and costs nothing extra. All logarithms are natural; nats / log(2) are bits.

Glossary: coin, a number in [0, 1); fact, a named value that a story repeats; slot, the place of a
fact's form in a sentence; free word, a word drawn independently; value, what a fact is in one story
("kite"); form, how the text spells it ("a kite").
"""

import itertools
import math
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from minillm.text import storyworld_vekari, storyworld_words
from minillm.text.storyworld_words import PRONOUN_RATES

__all__ = ["Derivation", "ENGLISH", "Estimate", "Fact", "Mention", "PRONOUN_RATES", "RECIPE",
           "SPLITS", "Story", "VEKARI", "WORLDS", "World", "corpus", "derivations",
           "entropy", "entropy_estimate", "mean_length", "mean_words", "parse",
           "sample", "split_of", "stories"]

SPLITS = ("train", "validation")
VALIDATION_EVERY = 8        # one possible story in 8 belongs to the validation set
# Settings of a model that learns stories, where names must be copied: see benchmarks/init_ablation.py.
RECIPE = {"o_proj_init_gain": 6.0}


@dataclass(frozen=True)
class Mention:
    """A mention of a fact: text[start:end] is its `form`, e.g. "a_thing", which is "a kite"."""
    form: str
    start: int
    end: int


@dataclass(frozen=True)
class Fact:
    """A planted fact: its value and its mentions in order; all but the first are predictable."""
    value: str
    mentions: tuple[Mention, ...]


@dataclass(frozen=True)
class Story:
    """A story, its exact log-probability in nats, and its facts, as in facts["hero"].value."""
    text: str
    log_probability: float
    facts: dict[str, Fact]


# ---- the grammar, made ready once -------------------------------------------------------------------------

@dataclass(frozen=True)
class Slot:
    fact: str
    form: str


@dataclass(frozen=True)
class Sentence:
    """`parts`: strings, slots, and tuples of free words to draw from; `pattern`: the same as one string."""
    parts: tuple
    pattern: str
    words: tuple


@dataclass(frozen=True)
class Plot:
    name: str
    facts: tuple
    steps: tuple


@dataclass(frozen=True, eq=False)
class World:
    """The stories of one language: its name, and its grammar made ready.

    forms: fact -> value -> form -> text; fact_of: form -> fact; tables: see `_tables`; coins: what
    every story is given, enough for the longest, whether or not it uses them all.
    """
    language: str
    forms: dict
    fact_of: dict
    tables: dict
    plots: tuple
    coins: int


def _english(fact, value):
    """All forms of a value: {"thing": "kite", "a_thing": "a kite", "Thing": "Kite", "A_thing": "A kite"}."""
    forms = dict(value) if isinstance(value, dict) else {fact: value}
    forms |= {"a_" + form: ("an " if word[0] in "aeiou" else "a ") + word
              for form, word in forms.items()}
    return forms | {form[0].upper() + form[1:]: word[0].upper() + word[1:]
                    for form, word in forms.items()}


def _table(weights):
    """Values repeated in proportion to their weights, so that a uniform pick draws by weight."""
    shares = {value: Fraction(str(float(weight))) for value, weight in weights.items() if weight}
    total = sum(shares.values())
    size = math.lcm(*((share / total).denominator for share in shares.values()))
    return [value for value, share in shares.items() for _ in range(int(share / total * size))]


def _tables(fact, all_forms, rules):
    """The facts that `fact` depends on, and a table of its own values for each combination of theirs."""
    parents, weight = rules.get(fact, ((), lambda value: 1))
    return parents, {given: _table({value: weight(*given, value) for value in all_forms[fact]})
                     for given in itertools.product(*(all_forms[parent] for parent in parents))}


def _sentence(template, before, fact_of, lists):
    """Compile one sentence of `STEPS`; `before` is the white space between it and the previous sentence."""
    parts = [before] if before else []
    for piece in filter(None, re.split(r"(\{\w+\}|\[[^]]*\])", template)):
        if piece[0] == "{":
            parts.append(Slot(fact_of[piece[1:-1]], piece[1:-1]))
        elif piece[0] == "[":
            parts.append(
                tuple(word.strip() for word in lists.get(piece[1:-1], piece[1:-1]).split("|")))
        else:
            parts.append(piece)
    pattern = "".join("%s" if isinstance(part, tuple) else f"{{{part.form}}}"
                      if isinstance(part, Slot) else part for part in parts)
    return Sentence(tuple(parts), pattern, tuple(part for part in parts if isinstance(part, tuple)))


def _world(language, grammar, inflect):
    """Compile a language from its tables; `inflect(fact, value)` gives a value's forms."""
    all_forms = {fact: {value[fact] if isinstance(value, dict) else value: inflect(fact, value)
                        for value in values} for fact, values in grammar.VARIABLES.items()}
    fact_of = {form: fact for fact, values in all_forms.items() for forms in values.values()
               for form in forms}

    def plot(name, extra_facts, *paragraphs):
        """A blank line before a paragraph, a space before any other sentence."""
        steps = []
        for paragraph in paragraphs:
            for i, step in enumerate(paragraph.split()):
                before = " " if i else "\n\n" if steps else ""
                templates = (" ".join(template.split())
                             for template in grammar.STEPS[step].split("\n- ")[1:])
                steps.append(tuple(_sentence(template, before, fact_of, grammar.WORDS)
                                   for template in templates))
        return Plot(name, grammar.COMMON + extra_facts, tuple(steps))

    plots = tuple(plot(name, *parts) for name, parts in grammar.PLOTS.items())
    coins = max(1 + len(plot.facts) + sum(1 + max(len(sentence.words) for sentence in step)
                                          for step in plot.steps) for plot in plots)
    tables = {fact: _tables(fact, all_forms, grammar.RULES) for fact in all_forms}
    return World(language, all_forms, fact_of, tables, plots, coins)


ENGLISH = _world("English", storyworld_words, _english)
VEKARI = _world("Vekari", storyworld_vekari, lambda fact, value: value)
WORLDS = {"storyworld": ENGLISH, "storyworld-vekari": VEKARI}       # by the name of the corpus


# ---- derivations ------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class Derivation:
    """The choices that make a story: plot, values of the facts, a sentence for each step, free words."""
    plot: Plot
    values: dict[str, str]
    sentences: tuple[Sentence, ...]
    words: tuple[str, ...]
    world: World = ENGLISH

    @property
    def text(self) -> str:
        pattern = "".join([sentence.pattern for sentence in self.sentences]) % self.words
        forms = {}
        for fact, value in self.values.items():
            forms.update(self.world.forms[fact][value])
        return pattern.format_map(forms)

    @property
    def log_probability(self) -> float:
        """log p in nats: the sum over all choices; minus infinity if the values break a rule."""
        log_p = -math.log(len(self.world.plots))
        for fact in self.plot.facts:
            chance = _chance(self.world, fact, self.values)
            log_p += math.log(chance) if chance else -math.inf
        for step, sentence in zip(self.plot.steps, self.sentences):
            log_p -= math.log(len(step)) + sum(math.log(len(words)) for words in sentence.words)
        return log_p

    @property
    def facts(self) -> dict[str, Fact]:
        """Every fact with its mentions; "plot" is included, without mentions."""
        mentions, words, at = {fact: [] for fact in self.values}, iter(self.words), 0
        for part in itertools.chain.from_iterable(sentence.parts for sentence in self.sentences):
            printed = (next(words) if isinstance(part, tuple)
                       else _print(self.world, part, self.values))
            if isinstance(part, Slot):
                mentions[part.fact].append(Mention(part.form, at, at + len(printed)))
            at += len(printed)
        return {"plot": Fact(self.plot.name, ())} | {fact: Fact(self.values[fact], tuple(places))
                                                     for fact, places in mentions.items()}


def _table_of(world, fact, values):
    """The table from which `fact` is drawn when the facts it depends on have these values."""
    parents, tables = world.tables[fact]
    return tables[tuple([values[parent] for parent in parents])]


def _chance(world, fact, values):
    """p(fact's value | the facts it depends on)."""
    table = _table_of(world, fact, values)
    return table.count(values[fact]) / len(table)


def _print(world, part, values):
    return part if isinstance(part, str) else world.forms[part.fact][values[part.fact]][part.form]


# ---- sampling ---------------------------------------------------------------------------------------------

def _draw(coins: list[float], world: World) -> Derivation:
    """The derivation that a row of world.coins coins encodes: each choice uses one coin."""
    coin = iter(coins).__next__
    plot = world.plots[int(coin() * len(world.plots))]
    values, sentences, words = {}, [], []
    for fact in plot.facts:
        table = _table_of(world, fact, values)
        values[fact] = table[int(coin() * len(table))]
    for step in plot.steps:
        sentence = step[int(coin() * len(step))]
        sentences.append(sentence)
        for choices in sentence.words:
            words.append(choices[int(coin() * len(choices))])
    return Derivation(plot, values, tuple(sentences), tuple(words), world)


def sample(rng: np.random.Generator, world: World = ENGLISH) -> Story:
    """One story, from world.coins numbers of `rng`: repeated calls give those of `stories`."""
    derivation = _draw(rng.random(world.coins).tolist(), world)
    return Story(derivation.text, derivation.log_probability, derivation.facts)


def split_of(text: str) -> str:
    """The set to which a story belongs: "validation" if its CRC-32 is a multiple of 8, otherwise "train"."""
    return SPLITS[zlib.crc32(text.encode()) % VALIDATION_EVERY == 0]


def stories(seed: int, split: str, world: World = ENGLISH) -> Iterator[str]:
    """The endless sequence of texts that repeated `sample` gives for this seed, those of one split only.

    Every possible story is in exactly one split, so the sets are disjoint whatever the seeds. Strictly, a
    story is 8 times as likely inside the validation split (2.08 nats) and 8/7 times inside the training split
    (0.13 nats); but a model that does not compute the CRC cannot know, so the floor to compare it with is the
    unconditional -log p(story). Raises ValueError for an unknown split.
    """
    if split not in SPLITS:
        raise ValueError(f"split: {split!r} is not one of {', '.join(SPLITS)}")
    rng = np.random.default_rng(seed)
    while True:
        for coins in rng.random((256, world.coins)).tolist():
            text = _draw(coins, world).text
            if split_of(text) == split:
                yield text


def corpus(seed: int, split: str, n_bytes: int, world: World = ENGLISH) -> list[str]:
    """The first stories of `stories(seed, split)` that together reach n_bytes of UTF-8 text."""
    texts, size = [], 0
    for text in stories(seed, split, world):
        if size >= n_bytes:
            return texts
        texts.append(text)
        size += len(text.encode())


# ---- parsing ----------------------------------------------------------------------------------------------

def _read(world, parts, text, at, values, words):
    """All ways to read `parts` from text[at:]: (position after them, values known, free words so far)."""
    if not parts:
        yield at, values, words
        return
    part, others = parts[0], parts[1:]
    if isinstance(part, tuple):
        for word in part:
            if text.startswith(word, at):
                yield from _read(world, others, text, at + len(word), values, words + (word,))
    elif isinstance(part, Slot) and part.fact not in values:
        for value, forms in world.forms[part.fact].items():
            if text.startswith(forms[part.form], at):
                yield from _read(world, others, text, at + len(forms[part.form]),
                                 values | {part.fact: value}, words)
    elif text.startswith(printed := _print(world, part, values), at):
        yield from _read(world, others, text, at + len(printed), values, words)


def _read_steps(world, plot, text, sentences, at, values, words):
    """All derivations of `plot` that begin with `sentences`, which have been read up to `at`."""
    if len(sentences) < len(plot.steps):
        for sentence in plot.steps[len(sentences)]:
            for state in _read(world, sentence.parts, text, at, values, words):
                yield from _read_steps(world, plot, text, sentences + (sentence,), *state)
    elif at == len(text):
        yield Derivation(plot, {fact: values[fact] for fact in plot.facts}, sentences, words,
                         world)


def derivations(text: str, world: World = ENGLISH) -> Iterator[Derivation]:
    """All derivations of a text: one for a story, none for anything else."""
    for plot in world.plots:
        for derivation in _read_steps(world, plot, text, (), 0, {}, ()):
            if derivation.log_probability > -math.inf:
                yield derivation


def parse(text: str, world: World = ENGLISH) -> Derivation:
    """The one derivation of a story. Raises ValueError if the text is not a story of this world."""
    parses = list(derivations(text, world))
    if len(parses) != 1:
        raise ValueError(
            f"not a story of this world ({len(parses)} derivations instead of 1): {text[:60]!r}")
    return parses[0]


# ---- the floor --------------------------------------------------------------------------------------------

def _outcomes(world, fact, known):
    """All (values, probability) of `fact` and of what it depends on, given the values known already."""
    if fact in known:
        return [(known, 1.0)]
    outcomes = [(known, 1.0)]
    for parent in world.tables[fact][0]:
        outcomes = [(values, p * q) for given, p in outcomes
                    for values, q in _outcomes(world, parent, given)]
    outcomes = [(given | {fact: value}, p) for given, p in outcomes
                for value in set(_table_of(world, fact, given))]
    return [(values, p * _chance(world, fact, values)) for values, p in outcomes]


def _mean(world, fact, function):
    """E[function(values)] for a function of `fact` and of what it depends on."""
    return sum(p * function(values) for values, p in _outcomes(world, fact, {}))


def entropy(world: World = ENGLISH) -> float:
    """The exact entropy H = E[-log p(story)] in nats per story.

    By the chain rule, as no choice changes how many options a later one has:
    H = log(plots) + mean over plots of (sum over its facts of H(fact | earlier facts)
        + sum over its steps of (log(sentences) + mean over sentences of sum over free words of
        log(words)))
    """
    of_fact = {fact: _mean(world, fact, lambda values: -math.log(_chance(world, fact, values)))
               for fact in world.tables}
    total = 0.0
    for plot in world.plots:
        total += sum(of_fact[fact] for fact in plot.facts)
        for step in plot.steps:
            of_words = sum(math.log(len(words)) for sentence in step for words in sentence.words)
            total += math.log(len(step)) + of_words / len(step)
    return math.log(len(world.plots)) + total / len(world.plots)


def _bytes(piece):
    return len(piece.encode())


def mean_length(measure: Callable[[str], float] = _bytes, world: World = ENGLISH) -> float:
    """The exact mean per story of a measure that adds up over pieces of text; bytes by default."""
    of_slot = {slot: _mean(world, slot.fact, lambda values: measure(_print(world, slot, values)))
               for slot in (Slot(fact, form) for form, fact in world.fact_of.items())}

    def of_part(part):
        if isinstance(part, tuple):
            return sum(map(measure, part)) / len(part)
        return of_slot[part] if isinstance(part, Slot) else measure(part)

    return sum(of_part(part) / len(step) for plot in world.plots for step in plot.steps
               for sentence in step for part in sentence.parts) / len(world.plots)


def mean_words(world: World = ENGLISH) -> float:
    """The exact mean number of words per story; a word is what white space separates."""
    return mean_length(lambda piece: piece.count(" ") + piece.count("\n\n"), world) + 1


@dataclass(frozen=True)
class Estimate:
    """A Monte-Carlo estimate of the entropy: nats per story and their standard error, per word, per byte."""
    nats_per_story: float
    standard_error: float
    nats_per_word: float
    nats_per_byte: float


def entropy_estimate(rng: np.random.Generator, n: int, world: World = ENGLISH) -> Estimate:
    """The mean of -log p over n sampled stories, n at least 2."""
    drawn = [_draw(coins, world) for coins in rng.random((n, world.coins)).tolist()]
    nats = np.array([-derivation.log_probability for derivation in drawn])
    texts = [derivation.text for derivation in drawn]
    n_words, n_bytes = sum(len(text.split())
                           for text in texts), sum(len(text.encode()) for text in texts)
    return Estimate(float(nats.mean()), float(nats.std(ddof=1) / math.sqrt(n)),
                    float(nats.sum() / n_words), float(nats.sum() / n_bytes))
