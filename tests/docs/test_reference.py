"""Promise: each room names its public face, and the pages of the reference show exactly that."""

import importlib
import re
from importlib.util import find_spec

import pytest

from helpers import ROOT
from rooms import PACKAGE

PAGES = ROOT / "docs" / "pages" / "reference"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
FILES = ["minillm.config", "minillm.errors", "minillm.loading"]      # public, and no room of many files


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_its_face(room):
    name = f"minillm.{room}"
    package = importlib.import_module(name)
    assert package.__all__ and len(set(package.__all__)) == len(package.__all__)
    for entry in package.__all__:
        assert hasattr(package, entry) or find_spec(f"{name}.{entry}"), entry


def test_the_reference_shows_each_face_once():
    pages = [page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")]
    shown = [name for page in pages for names in re.findall(r"{{ modules (.*?) }}", page)
             for name in names.split()]
    assert any("{{ commands }}" in page for page in pages)           # the face of cli
    assert sorted(shown) == sorted(FILES + [f"minillm.{room}" for room in ROOMS if room != "cli"])
