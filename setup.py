"""Everything about the package is in pyproject.toml; this adds the lessons, which lie beside the package, to what is installed."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithLessons(build_py):
    """Puts lessons/ into the wheel as minillm/_lessons; an editable installation finds them where they are."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copytree(Path(__file__).parent / "lessons", Path(self.build_lib) / "minillm" / "_lessons", dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("__pycache__", "*.svg"))


setup(cmdclass={"build_py": BuildWithLessons})
