"""Promise: files as people have them mean here what they mean to transformers and llama.cpp, or are
refused with the way out."""

import json

import pytest

from further_cases import CASES, RESULTS, asked, refused, same

RIGHT = json.loads(RESULTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_further_case(tmp_path, case):
    path, _, ours, _ = asked(case, tmp_path)
    got = ours(path)
    assert got is True if case.probe[0] is refused else same(got, RIGHT[case.name]["right"])


def test_the_table_is_of_these_cases():
    assert {case.name: (case.about, case.here) for case in CASES} == {
        name: (row["about"], row["here"]) for name, row in RIGHT.items()}


@pytest.mark.slow
@pytest.mark.needs("torch", "transformers", "xllamacpp", "gguf")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_reference_still_says_so(monkeypatch, tmp_path, case):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    _, path, _, theirs = asked(case, tmp_path)
    assert same(theirs(path), RIGHT[case.name]["right"])
