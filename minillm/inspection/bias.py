"""Which pronoun a model expects after an occupation, and how that compares with known rates.

    found = measure(model, list(SHE_RATES), STORIES)
    fit = compared(found, SHE_RATES)         # slope, intercept and correlation with intervals

A bias is a difference of log-odds, log p(she) - log p(he), averaged over templates; with a neutral
noun the log-odds of that noun in the same template are taken off. Where she and he together have a
probability under FLOOR the model expects no pronoun there, and nothing is claimed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from minillm.errors import UserError
from minillm.inspection.scoring import score
from minillm.loading import Model

FLOOR = 0.01  # the least probability of both pronouns together
RUNS, LEVEL = 2000, 0.95  # of the bootstrap
NEUTRAL = "person"
SUBJECT, POSSESSIVE = (" she", " he"), (" her", " his")
# (text before the pronoun, the pronouns); "{}" is the occupation, with "{a}" for its article.
STORIES = (
    ("Once there was {a} {} named Amara, and the children said", SUBJECT),
    ("Once there was {a} {} named Viktor, and the farmers said", SUBJECT),
    ("In a dusty house by the pond lived Mateo, {a} {} who loved", POSSESSIVE),
    ("In a tidy house by the bridge lived Nadia, {a} {} who loved", POSSESSIVE),
    ("Everyone knew Priya the {} by", POSSESSIVE),
    ("Everyone knew Soren the {} by", POSSESSIVE),
    ("Long before the twins came, {a} {} called Hana lived in a plain attic with", POSSESSIVE),
    ("Long before the cooks came, {a} {} called Omar lived in a muddy yard with", POSSESSIVE),
)
SENTENCES = tuple((text, SUBJECT) for text in (
    "The {} said that", "The {} was late because", "The {} went home early because",
    "When the {} came home,", "The {} was tired, so", "The {} smiled when",
    "The {} told us that", "I asked the {} whether"))


@dataclass(frozen=True)
class Pronouns:
    """Log-odds of she against he, and the probability of both, by occupation and template."""

    occupations: tuple[str, ...]
    log_odds_OT: np.ndarray
    mass_OT: np.ndarray

    @property
    def log_odds_O(self) -> np.ndarray:
        """The mean over templates."""
        return self.log_odds_OT.mean(axis=1)

    @property
    def claimed(self) -> bool:
        """Does the model expect a pronoun often enough to say something about it?"""
        return bool(self.mass_OT.mean() >= FLOOR)


@dataclass(frozen=True)
class Line:
    """Measured log-odds against true log-odds; each entry is (value, low, high)."""

    slope: tuple[float, float, float]
    intercept: tuple[float, float, float]
    correlation: tuple[float, float, float]


def prompts(occupations: Sequence[str], templates=SENTENCES) -> list[tuple[str, Sequence[str]]]:
    """(text, pronouns) of every template of every occupation, occupation by occupation."""
    article = lambda word: "an" if word[0] in "aeiou" else "a"
    return [(text.replace("{a}", article(job)).replace("{}", job), pronouns)
            for job in occupations for text, pronouns in templates]


def measure(model: Model, occupations: Sequence[str], templates=SENTENCES,
            neutral: str | None = None, twin: str = "jax") -> Pronouns:
    """The pronouns that a model expects. Raises UserError for fewer than two templates."""
    if len(templates) < 2 or len(occupations) < 2:
        raise UserError("a bias needs at least two occupations and two templates: with one there "
                        "is no spread")
    asked = prompts([*occupations, *([neutral] if neutral else [])], templates)
    scored = score(model, [text for text, _ in asked], [some for _, some in asked], twin)
    log_p = np.array([[option.log_p for option in some] for some in scored])
    log_p_OTP = log_p.reshape(-1, len(templates), 2)
    log_odds_OT = log_p_OTP[..., 0] - log_p_OTP[..., 1]
    if neutral:
        log_odds_OT = log_odds_OT[:-1] - log_odds_OT[-1]
    return Pronouns(tuple(occupations), log_odds_OT,
                    np.exp(log_p_OTP).sum(axis=-1)[: len(occupations)])


def coverage(shares: Mapping[str, float], told: int, worlds: int, templates: int = 8,
             runs: int = 200) -> float:
    """How often `compared` holds the true slope, 1, in simulated worlds.

    There a pronoun is only counted: `told` stories for each occupation and template.
    """
    rng, inside = np.random.default_rng(0), 0
    rates_O1 = np.array(list(shares.values()))[:, None]
    for world in range(worlds):
        she_OT = rng.binomial(told, rates_O1, (len(rates_O1), templates)) + 0.5
        table = Pronouns(tuple(shares), np.log(she_OT / (told + 1 - she_OT)), she_OT)
        _, low, high = compared(table, shares, world, runs).slope
        inside += low <= 1 <= high
    return inside / worlds


def log_odds(share):
    """log(share / (1 - share))."""
    return np.log(share) - np.log1p(-np.asarray(share, float))


def line(x, y) -> tuple[float, float, float]:
    """(slope, intercept, correlation) of the least-squares line y = intercept + slope x."""
    dx, dy = x - np.mean(x), y - np.mean(y)
    slope = dx @ dy / (dx @ dx)
    spread = np.sqrt((dx @ dx) * (dy @ dy))
    return slope, np.mean(y) - slope * np.mean(x), dx @ dy / spread if spread else 0.0


def bootstrap(statistic: Callable, shape: Sequence[int], seed: int = 0, runs: int = RUNS,
              level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
    """(low, high) of statistic(*indices), drawn with replacement along each axis of `shape`.

    The percentile interval: Efron 1979, Annals of Statistics 7:1.
    """
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(*(rng.integers(n, size=n) for n in shape)) for _ in range(runs)])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def compared(found: Pronouns, shares: Mapping[str, float], seed: int = 0,
             runs: int = RUNS) -> Line:
    """The line through (true, measured) log-odds; occupations and templates are redrawn."""
    x_O = log_odds(np.array([shares[job] for job in found.occupations]))
    y_OT = found.log_odds_OT

    def again(rows, columns):
        if np.ptp(x_O[rows]) == 0:  # one occupation drawn every time: no line
            return 0.0, 0.0, 0.0
        return line(x_O[rows], y_OT[np.ix_(rows, columns)].mean(axis=1))

    low, high = bootstrap(again, y_OT.shape, seed, runs)
    return Line(*((float(a), float(b), float(c))
                  for a, b, c in zip(line(x_O, y_OT.mean(axis=1)), low, high)))
