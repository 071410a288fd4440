"""Puts the shipped analyses into a wheel; all else is in pyproject.toml.

An installed package must know them: their code may be run without being named.
"""

from pathlib import Path
from shutil import copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py

ANALYSES = "config/analyses"


class BuildWithAnalyses(build_py):
    """Copies the modules, and the analyses beside them."""

    def run(self) -> None:
        """Copy; an editable install uses the analyses where they lie."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "taipan", "shipped", ANALYSES)
            ignored = ignore_patterns("__pycache__", "results")
            copytree(ANALYSES, target, ignore=ignored, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithAnalyses})
