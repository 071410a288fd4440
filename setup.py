"""Puts the shipped analyses and the workflow into a wheel; all else is in pyproject.toml.

An installed package must know the analyses: their code may be run without being named. From the
workflow `taipan new` makes a project where there is none.
"""

from pathlib import Path
from shutil import copy2, copytree, ignore_patterns

from setuptools import setup
from setuptools.command.build_py import build_py

ANALYSES = "config/analyses"
PROJECT = ("workflow", "scripts", "profiles", "Snakefile", "run", "config/config.yaml")


class BuildWithAnalyses(build_py):
    """Copies the modules, and the analyses and the workflow beside them."""

    def run(self) -> None:
        """Copy; an editable install uses them where they lie."""
        super().run()
        if not self.editable_mode:
            shipped = Path(self.build_lib, "taipan", "shipped")
            ignored = ignore_patterns("__pycache__", "results")
            for name in (ANALYSES, *PROJECT):
                target = shipped / name
                if Path(name).is_dir():
                    copytree(name, target, ignore=ignored, dirs_exist_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    copy2(name, target)


setup(cmdclass={"build_py": BuildWithAnalyses})
