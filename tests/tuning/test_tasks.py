"""Promises of the built-in tasks: every example's own answer is right and no other is, and what is
held out never occurs in what is learned."""

import re

import numpy as np
import pytest

from minillm.errors import UserError
from minillm.text import storyworld
from minillm.tuning import TASKS, desk, stories, sums, task_of


def pairs(examples):
    """The unordered pairs of addends, read from the words of a question, not by the module."""
    found = set()
    for example in examples:
        numbers = [int(word) for word in re.findall(r"\d+", example.question)]
        taken = re.search("without|gave|took", example.question)
        if taken:
            numbers[0] -= numbers[1]
        found.add(tuple(sorted(numbers)))
    return found


@pytest.mark.parametrize("name", TASKS)
def test_the_own_answer_is_right_and_others_are_not(name):
    task = task_of(name)
    for split in ("train", "validation"):
        some = task.some(split, 200, seed=3)
        answers = {example.answer for example in some}
        assert len(some) == 200 and len(answers) > 20
        for example in some[:50]:
            same = {a for a in answers if a == example.answer or name == "steps"
                    and f" {a}".endswith(f" {sums.truth(example.question)}")}
            assert {a for a in answers if task.reward(example.question, a)} == same
            assert task.reward(example.question, f" {example.answer}\n") == 1
            assert task.reward(example.question + "?", example.answer) == 0
            assert task.reward(example.question, "") == 0
            assert task.reward(example.question, task.wrong(example, np.random.default_rng(1))) == 0


@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_pairs_of_numbers_are_held_out_whichever_way_they_are_asked(difficulty):
    task = task_of("sums", difficulty)
    learned, held_out = (pairs(task.some(split, 2000)) for split in ("train", "validation"))
    assert learned and held_out and not learned & held_out
    assert max(map(max, learned)) < 10**difficulty


def test_sums_are_what_arithmetic_says():
    for example in task_of("sums", 3).some("train", 500):
        numbers = [int(word) for word in re.findall(r"\d+", example.question)]
        sign = -1 if re.search("without|gave|took", example.question) else 1
        assert int(example.answer.split()[0]) == numbers[0] + sign * numbers[1]
    assert sums.truth("What is 3 and 4?") == "7"
    assert sums.truth("Hana had 3 figs and found 4 more. How many figs were there?") == "7 figs"
    assert sums.truth("Hana had 3 figs and found 4 more. How many pears were there?") is None


@pytest.mark.parametrize("difficulty", [1, 2, 3])
def test_steps_are_true_and_lead_to_the_answer(difficulty):
    for example in task_of("steps", difficulty).some("train", 400):
        *columns, number = re.sub(" [a-z]+$", "", example.answer).split()
        for column in columns:
            given, result = column.split("=")
            terms = [int(term) for term in re.findall(r"[+-]?\d+", given)]
            assert sum(terms) == int(result) and 2 <= len(terms) <= 3
            assert all(abs(term) < 20 for term in terms)
        digits = [column.split("=")[1][-1] for column in columns[:-1]]
        last = columns[-1].split("=")[1]
        assert int(last + "".join(digits[::-1])) == int(number)  # the columns, read together
    question = "What is 47 and 25?"
    assert sums.with_steps(question) == "7+5=12 4+2+1=7 72"
    assert sums.with_steps("What is 101 without 47?") == "11-7=4 9-4=5 54"
    grade = task_of("steps").reward
    assert [grade(question, answer) for answer in ("7+5=12 72", "72", "=72", "7+5=12 73", "")] == [
        1, 0, 0, 0, 0]


def test_the_desk_says_what_its_table_says():
    examples = desk.examples("train") + desk.examples("validation")
    assert len({example.question for example in examples}) == len(examples)
    things = {example.question for example in desk.examples("train") if example.kind == "not sold"}
    for example in examples:
        words = re.findall(r"\w+", example.question)
        thing = next(t for t in desk.THINGS + desk.STRANGERS if t in words)
        known = [fact for (_, of), fact in desk.facts().items() if of == thing and fact]
        if example.kind == "fact":
            assert any(fact in example.answer for fact in known) and thing in example.answer
            assert desk.UNKNOWN not in example.answer
        else:
            assert example.answer == desk.UNKNOWN
            assert (example.kind == "not sold") == (thing not in desk.THINGS)
        if example.kind == "not sold" and example.question not in things:
            assert not any(thing in re.findall(r"\w+", question) for question in things)


def test_examples_are_a_function_of_the_seed():
    for name in TASKS:
        task = task_of(name)
        assert task.some("train", 50, 1) == task.some("train", 50, 1) != task.some("train", 50, 2)


def test_the_verifier_of_stories_knows_the_grammar():
    for seed in range(3):
        story = storyworld.sample(np.random.default_rng(seed))
        assert stories.reward("", story.text + "\n") == 1
        assert stories.log_probability(story.text) == story.log_probability
        assert stories.reward("", story.text[:-2]) == stories.reward("", "Once.") == 0
    assert stories.has_a_number("", "The kite costs 3 coins.") == 1


@pytest.mark.parametrize("ask, says", [(lambda: task_of("chess"), "choose sums, steps, desk"),
                                       (lambda: next(sums.examples("train", 0, 9)), "difficulty")])
def test_what_does_not_exist_is_one_line(ask, says):
    with pytest.raises(UserError, match=says):
        ask()
