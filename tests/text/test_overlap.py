"""Promise: copies are found by what they say, an overlap is the share of a test that was seen."""

import math

import numpy as np
import pytest

from minillm.text.overlap import deduplicated, ngrams, overlap


def test_the_first_copy_stays_unchanged_and_in_order():
    texts = ["B b", "a  Cat\n", "A cat", "b B ", "ﬁne", "fine", "c"]
    assert deduplicated(texts) == ["B b", "a  Cat\n", "ﬁne", "c"]
    assert deduplicated(deduplicated(texts)) == deduplicated(texts)


def test_overlap_by_hand():
    assert overlap([[1, 2], [3, 4]], [[2, 3]], 2) == [0.0]  # not across documents
    assert overlap([[1, 2, 3]], [[1, 2, 3, 1, 2, 9]], 2) == [2 / 4]  # 12 23 of 12 23 31 29
    assert math.isnan(overlap([[1]], [[1]], 2)[0])


def test_overlap_of_parts_of_the_training_text_is_one():
    rng = np.random.default_rng(0)
    train = [rng.integers(0, 5, 30).tolist() for _ in range(5)]
    for n in (1, 3, 7):
        assert overlap(train, [train[2][3:20]], n) == [1.0]
        shares = overlap(train, [rng.integers(0, 5, 40).tolist() for _ in range(4)], n)
        assert all(0 <= share <= 1 for share in shares)
    assert overlap([], [[1, 2]], 1) == [0.0]
    assert len(ngrams(range(30), 13)) == 18


@pytest.mark.parametrize("n", [1, 2, 3])
def test_overlap_is_what_counting_one_by_one_gives(n):
    rng = np.random.default_rng(n)
    train = [rng.integers(0, 3, rng.integers(3, 9)).tolist() for _ in range(3)]
    test = rng.integers(0, 3, 12).tolist()
    different = {tuple(test[i : i + n]) for i in range(len(test) - n + 1)}
    seen = [gram for gram in different
            if any(list(gram) == d[i : i + n] for d in train for i in range(len(d)))]
    assert overlap(train, [test], n) == [len(seen) / len(different)]
