"""Promise: a room imports only rooms on lower floors, no modules import each other in a circle, and every room is known."""

from rooms import FLOOR, PACKAGE, arrows, circle, modules, room_of, upward


def test_every_module_has_a_room_with_a_floor():
    assert {room_of(name) for name in modules()} - {"minillm"} == set(FLOOR)
    assert len(FLOOR) <= 20


def test_imports_point_down():
    assert upward() == []
    assert arrows()[("cli", "training")] > 0, "the imports are not found at all"


def test_there_is_no_circle():
    assert circle() == []


def test_an_import_that_points_up_or_in_a_circle_is_found(tmp_path):
    def package(**files):
        for name, text in files.items():
            path = tmp_path / PACKAGE.name / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".py").write_text(text, encoding="utf-8")
        return tmp_path / PACKAGE.name

    up = package(errors="def f():\n    from minillm.config import x\n", config="")
    assert upward(up) == [("minillm.errors", "minillm.config")]
    round_about = package(text__a="from minillm.text import b\n", text__b="import minillm.text.a\n")
    assert set(circle(round_about)) == {"minillm.text.a", "minillm.text.b"}
