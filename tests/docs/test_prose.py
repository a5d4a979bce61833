"""Promise: lessons and pages are written in plain English: phrases of a translation do not come back."""

import re

import pytest

from helpers import ROOT

PAGES = [
    *sorted((ROOT / "lessons").glob("09_*/lesson.md")),
    *sorted((ROOT / "lessons").glob("1?_*/lesson.md")),
    *(ROOT / "docs" / "pages" / f"{name}.md" for name in (
        "benchmarks", "design", "other-courses", "path", "start", "troubleshooting",
        "how-to/distill", "how-to/inspect", "how-to/load", "how-to/normal-loss",
        "how-to/quantize")),
]
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`|\{\{.*?\}\}", re.MULTILINE | re.DOTALL)
# phrase -> what to write instead
INSTEAD = {
    r"thousand million": "billion",
    r"hangs? on": "depends on",
    r"(?:the|two|this) mends?\b|\bmends?\b": "fix, remedy, repair",
    r"Asked is|What is wanted is": "a sentence with a subject",
    r"\bwho (?:forgets|does not know|makes)\b": "if you forget ...",
    r"\bstands? (?:before|behind|beside|below|in|there|right)\b": "is, comes, occurs",
    r"\bgoes on with\b": "continues with",
    r"\b(?:likelier|likeliest) token": "more probable, most probable",
    r"\b(?:is|are) foretold\b": "predicted",
    r"^ *\$(?!\$)": "no line that begins with inline math: Markdown may take it for a paragraph",
}


def found_in(text: str) -> list[str]:
    """Every phrase to avoid that the prose of a page has, with the advice."""
    prose = CODE.sub("x", text)
    return [f"{match[0]!r}: write {advice}" for phrase, advice in INSTEAD.items()
            for match in re.finditer(phrase, prose, re.MULTILINE)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_is_written_in_plain_english(path):
    assert not found_in(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("sentence", [
    "a model of two thousand million weights", "The next token hangs on the whole text",
    "say why it fails, and mend it in two ways", "Asked is the number.",
    "Who forgets it gets no error, and who does not know takes it for a bad model",
    "LayerNorm where a norm stands before the matrix", "so\n$x$ is first"])
def test_the_phrases_are_found(sentence):
    assert found_in(sentence)
    assert not found_in("```sh\n" + sentence + "\n```")
