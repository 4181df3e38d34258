"""Who may import whom inside abplib: the table below, and no import the other way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "abplib"

# Each part of abplib, and the other parts that it may import. "*" stands for every part.
ALLOWED: dict[str, set[str]] = {
    "generators": set(),
    "masks": set(),
    "recorded": set(),
    "metrics": set(),
    "recovery_metrics": {"metrics"},
    "posterior": set(),  # tensors and callables only
    "langevin": set(),  # an energy(z) -> (N,), and nothing of networks
    "data": set(),  # knows no model
    "show": set(),  # knows no model
    "checkpoint": set(),  # a run's state, whatever it holds
    "kernels": set(),  # knows generators by their layers' types in torch
    "moments": {"priors", "texture"},  # tensors and callables only
    "texture": set(),  # tensors only
    "priors": set(),  # tensors only
    "starts": set(),  # tensors only
    "recover": {"posterior", "langevin"},
    "spectra": set(),  # tensors only
    "lips": set(),  # tensors only
    "multimodal": {"generators", "kernels", "posterior", "langevin", "abp", "starts", "spectra"},
    "abp": {"posterior", "langevin", "priors"},
    "presets": {"generators", "kernels", "moments", "posterior", "abp", "data", "priors", "starts"},
    "inference_nets": {"generators"},
    "dreams": {"posterior", "masks"},
    "li_abp": {"abp", "dreams", "inference_nets", "posterior", "recover"},
    "baselines": {"generators", "posterior", "langevin", "abp", "dreams", "inference_nets"},
    "component_encoder": {"baselines"},
    "completion": {"baselines", "metrics"},
    "experiments": {"*"},
    "": {"*"},  # abplib/__init__.py: the public names
}
BELOW_NOTHING = {"experiments", ""}  # nothing stands on these


def part_of(path: Path, package: Path = PACKAGE) -> str:
    """Return the part that a file belongs to: "data" for abplib/data/video.py."""
    first = path.relative_to(package).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def imports(source: str, module: str, parts: set[str]) -> set[str]:
    """Return the parts of abplib that a module's source imports, wherever the import stands.

    `module` is the dotted name of the package that relative imports start from.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: len(module.split(".")) - node.level + 1]
                base = ".".join([*above, base]).strip(".")
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            head, *rest = name.split(".")
            if head == "abplib":
                found.add(rest[0] if rest and rest[0] in parts else "")
    return found


def forbidden(part: str, imported: set[str], allowed: dict[str, set[str]]) -> set[str]:
    """Return those of the imported parts that a part must not know."""
    others = imported - {part}
    may = allowed.get(part, set())
    if "*" in may:
        return others & (BELOW_NOTHING - {""}) if part == "" else set()
    return (others - may) | (others & BELOW_NOTHING)


FILES = sorted(PACKAGE.rglob("*.py"))
PARTS = {part_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_what_stands_below_it(path: Path) -> None:
    package = ".".join(["abplib", *path.relative_to(PACKAGE).parts[:-1]])
    part = part_of(path)
    assert part in ALLOWED, f"abplib.{part} has no line in the table: say what it may import"
    wrong = forbidden(part, imports(path.read_text(encoding="utf-8"), package, PARTS), ALLOWED)
    assert not wrong, f"abplib.{part} must not import {sorted('abplib.' + name for name in wrong)}"


@pytest.mark.parametrize(
    ("part", "source", "wrong"),
    [
        ("langevin", "from abplib.posterior import energy", {"posterior"}),
        ("langevin", "import abplib.generators", {"generators"}),
        ("langevin", "def f():\n    from abplib import show", {"show"}),
        ("posterior", "from .langevin import langevin", {"langevin"}),
        ("abp", "from abplib import Model2", {""}),
        ("abp", "import abplib", {""}),
        ("", "from abplib.experiments import synthesis", {"experiments"}),
        ("abp", "from abplib.langevin import langevin\nimport torch", set()),
        ("experiments", "from abplib import ABP", set()),
    ],
)
def test_the_check_sees_every_form_of_import(part: str, source: str, wrong: set[str]) -> None:
    assert forbidden(part, imports(source, "abplib", set(ALLOWED)), ALLOWED) == wrong


def test_relative_imports_inside_a_folder_are_resolved() -> None:
    source = "from ..masks import block\nfrom .video import read"
    assert imports(source, "abplib.data", set(ALLOWED)) == {"masks", "data"}
