"""Promise: no working solution can be put together from the checks, stubs and pages of a handout.

A script collects every function, answer and number that stands anywhere in it, and hands all of
that in. (The package itself is another matter: whoever can use minillm.in_numpy can read it. And
so are numbers on paper: no handout holds one, but whoever may check as often as they like can
find a small whole number by trying.)
"""

import ast
import base64
import json
import pickle
import re

import numpy as np
import pytest

from minillm.assignments.making import hand_out
from minillm.course import checking, process, published
from minillm.course.lessons import all_lessons, find

FAST = ("04", "06")


@pytest.fixture(
    params=[
        pytest.param(lesson.number, marks=[] if lesson.number in FAST else pytest.mark.slow)
        for lesson in all_lessons()
    ]
)
def handout(request, tmp_path):
    lesson = find(request.param)
    hand_out(lesson, tmp_path, "the teacher's secret")
    return lesson, tmp_path


def sources(folder) -> list[str]:
    """Everything in a handout that could be Python: files, cells, blocks of pages, texts among
    the data.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".py":
            found.append(path.read_text(encoding="utf-8"))
        elif path.suffix == ".ipynb":
            found += [
                "".join(cell["source"])
                for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
            ]
        elif path.suffix == ".html":
            import html

            found += [
                html.unescape(block)
                for block in re.findall(
                    r"<code[^>]*>(.*?)</code>", path.read_text(encoding="utf-8"), re.DOTALL
                )
            ]
        elif path.is_file():
            found += re.findall(r"(?:[\x20-\x7e\n]{40,})", path.read_bytes().decode("latin-1"))
    return found


def definitions(texts) -> str:
    """Every function and class that can be cut out of the texts, those that raise
    NotImplementedError first.
    """
    found = []
    for text in texts:
        starts = [
            0,
            *(
                match.start()
                for match in re.finditer(r"^(?:import|from|def|class|@) ", text, re.MULTILINE)
            ),
        ]
        for start in starts:
            for end in (
                len(text),
                *(match.start() for match in re.finditer(r"\n(?=\S)", text[start:])),
            ):
                try:
                    tree = ast.parse(text[start:][:end])
                except (SyntaxError, ValueError, RecursionError):
                    continue
                found += [
                    ast.unparse(node)
                    for node in tree.body
                    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))
                ]
                break
    return "\n\n".join(
        sorted(
            dict.fromkeys(found),
            key=lambda source: (
                "NotImplementedError" not in source,
                not source.startswith(("import", "from")),
            ),
        )
    )


REMEMBERED = """
import base64, pickle
import numpy as np
ANSWERS = pickle.loads(base64.b64decode({data!r}))
def plain(value):
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {{key: plain(item) for key, item in value.items()}}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
def remembered(name):
    return lambda *case: ANSWERS[name].get(repr(plain(case)))
for name in ANSWERS:
    globals()[name] = remembered(name)
"""
plain = {}
exec(REMEMBERED.format(data=base64.b64encode(pickle.dumps({})).decode()), plain)


def test_what_stands_in_a_handout_passes_no_hidden_check(handout):
    lesson, folder = handout
    public = published.read_published((folder / "checks" / lesson.name).read_bytes(), "x")
    hidden = checking.read_checks(lesson.folder)
    texts, answers = sources(folder), {}
    for task in public.tasks:
        if task.by_hand:
            digests = task.guard["rights"] + [d for _, own in task.guard["mistakes"] for d in own]
            assert set(task.guard) == {"salt", "step", "rights", "mistakes"}
            assert all(type(digest) is bytes and len(digest) == 12 for digest in digests)
        else:
            table = answers.setdefault(task.name, {})
            for n in range(20):
                for case in public.cases(task, np.random.default_rng(n)):
                    table[repr(plain["plain"](case))] = task.oracle(*case)
            assert table
    known = {
        name: table
        for name, table in answers.items()
        if not any("asking" in type(value).__module__ for value in table.values())
    }
    memo = REMEMBERED.format(data=base64.b64encode(pickle.dumps(known)).decode())
    functions = definitions(texts)
    tasks, _ = checking.judge_file(public, memo.encode(), [5], process.Limits())
    assert public.asking or any(task["status"] == "passed" for task in tasks), (
        "it does pass the checks that it was made from"
    )
    for source in (memo, functions, functions + memo):
        tasks, _ = checking.judge_file(hidden, source.encode(), [123, 4], process.Limits())
        assert not [task["name"] for task in tasks if task["status"] == "passed"], source[:200]


def test_the_script_would_notice(tmp_path):
    """The same script on a handout that gives something away."""
    (tmp_path / "a.html").write_text(
        "<pre><code>x = 1\ndef softmax(x):\n    return x\n</code></pre>", encoding="utf-8"
    )
    (tmp_path / "checks").write_bytes(
        b"\x00\x01def masked(s):\n    return np.tril(s) + 0 * 12345678901234\n\x00"
    )
    assert "def softmax" in definitions(sources(tmp_path)) and "def masked" in definitions(
        sources(tmp_path)
    )


def test_a_page_of_a_handout_has_no_widget(monkeypatch):
    """A widget runs llama.js, which is what students are to write; the page says where it is."""
    from minillm.assignments.making import page_of

    monkeypatch.setattr("minillm.course.pages.PageRenderer.make_figure", lambda self, name: "")
    page = page_of(find("3"))
    assert "<script" not in page and "in-page" not in page and "</html>" in page
    assert "minillm lesson open 3" in page and len(page) < 200_000
