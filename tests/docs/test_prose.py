"""Promise: lessons, hints and pages are in plain English: phrases of a translation do not come back."""

import ast
import re

import pytest

from helpers import ROOT

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "pages").rglob("*.md")),
    *sorted((ROOT / "lessons").glob("*/lesson.md")),
    *sorted((ROOT / "lessons").glob("*/discussion.md")),
    ROOT / "lessons" / "glossary.md",
]
EXERCISES = sorted((ROOT / "lessons").glob("*/test_exercise.py"))
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`|\{\{.*?\}\}", re.MULTILINE | re.DOTALL)
# phrase -> what to write instead
INSTEAD = {
    r"thousand million": "billion",
    r"hangs? on": "depends on",
    r"(?:the|two|this) mends?\b|\bmends?\b": "fix, remedy, repair",
    r"Asked is|What is wanted is": "a sentence with a subject",
    r"\bwho (?:forgets|does not know|makes)\b": "if you forget ...",
    r"\b(?:stands?|stood) (?!for\b|out\b)": "is, comes, occurs",
    r"\b(?:go|goes|went) on with\b": "continue with",
    r"\blikelie(?:r|st)\b": "more probable, most probable",
    r"\bone's own\b|\boneself\b": "your own, yourself",
    r"\bin earnest\b": "nothing",
    r"\b(?:is|are) foretold\b": "predicted",
    r"^ *\$(?!\$)": "no line that begins with inline math: Markdown may take it for a paragraph",
}


def found_in(text: str) -> list[str]:
    """Every phrase to avoid that the prose of a page has, with the advice."""
    prose = CODE.sub("x", text)
    return [f"{match[0]!r}: write {advice}" for phrase, advice in INSTEAD.items()
            for match in re.finditer(phrase, prose, re.MULTILINE)]


def hints_of(path) -> str:
    """The text of every Hint(...) in a test_exercise.py."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    hints = [call.args for call in calls if getattr(call.func, "id", None) == "Hint"]
    return "\n".join(part.value for parts in hints for part in parts)


def name_of(path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_is_written_in_plain_english(path):
    assert not found_in(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", EXERCISES, ids=name_of)
def test_hints_are_written_in_plain_english(path):
    assert len(hints := hints_of(path)) > 1000 and not found_in(hints)


@pytest.mark.parametrize("sentence", [
    "a model of two thousand million weights", "The next token hangs on the whole text",
    "say why it fails, and mend it in two ways", "Asked is the number.",
    "Who forgets it gets no error, and who does not know takes it for a bad model",
    "LayerNorm where a norm stands before the matrix", "so\n$x$ is first",
    "the likeliest name", "to see it oneself", "both stood in one row"])
def test_the_phrases_are_found(sentence):
    assert found_in(sentence)
    assert not found_in("```sh\n" + sentence + "\n```")
