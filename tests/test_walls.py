"""The two walls of the house: who may import whom, and that judging never sees a model."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
JUDGING = ("confidence", "epsilon", "membership", "score", "outputs", "rules/*")
KIT = {"starter_kit", "scoring", "submissions", "tests"}


def imported(path):
    """The modules that a file imports, with their dots."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


def packages(path):
    return {module.split(".")[0] for module in imported(path)}


@pytest.mark.parametrize("path", [*ROOT.glob("starter_kit/**/*.py")], ids=str)
def test_the_starter_kit_knows_nothing_of_scoring(path):
    assert not packages(path) & {"scoring", "submissions"}


@pytest.mark.parametrize("path", [*ROOT.glob("submissions/*.py"), ROOT / "starter_kit/template.py"], ids=str)
def test_a_submission_imports_what_kaggle_has(path):
    assert packages(path) <= {"torch", "torchvision", "numpy", "scipy"} | sys.stdlib_module_names


@pytest.mark.parametrize("path", [path for part in JUDGING for path in ROOT.glob(f"scoring/{part}.py")], ids=str)
def test_judging_is_arithmetic(path):
    judging = {"epsilon", "outputs", "rules", "confidence"}
    for module in imported(path):
        package, _, rest = module.partition(".")
        assert package not in {"torch", "torchvision", "starter_kit"}
        if package == "scoring":
            assert rest.split(".")[0] in judging


def test_there_is_something_to_test():
    assert len(list(ROOT.glob("submissions/*.py"))) >= 7
    assert sum(len(list(ROOT.glob(f"scoring/{part}.py"))) for part in JUDGING) >= 8
