"""A verifier of stories: could the grammar of the story world have written this one?"""

from minillm.text import storyworld


def log_probability(story: str) -> float | None:
    """log p of a story in nats, exact; None where the grammar cannot have written it."""
    try:
        return storyworld.parse(story.strip()).log_probability
    except ValueError:
        return None


def reward(prompt: str, story: str) -> float:
    """1 for a text that the grammar could have written, 0 for any other; the prompt is no part of
    it."""
    return float(log_probability(story) is not None)


def has_a_number(prompt: str, answer: str) -> float:
    """1 for any answer with a digit in it: a bad reward, to show what a model makes of it."""
    return float(any(character.isdigit() for character in answer))
