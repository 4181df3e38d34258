"""Packs the recorded runs of the book into the wheel; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class WithRecords(build_py):
    """Copy book/results and benchmarks/results to abplib/_recorded."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return  # the repository itself is there
        target = Path(self.build_lib) / "abplib" / "_recorded"
        shutil.rmtree(target, ignore_errors=True)
        for folder in ("book/results", "benchmarks/results"):
            if (ROOT / folder).is_dir():
                shutil.copytree(ROOT / folder, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithRecords})
