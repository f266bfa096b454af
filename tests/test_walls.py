"""The walls of the house: who may import whom. Folders are listed, not files, so a new file is covered at once."""

import ast
import sys
from pathlib import Path

import pytest

from starter_kit.contract import hooks_in, reads_text
from starter_kit.extras import EXTRAS

ROOT = Path(__file__).parents[1]

FLOORS = (
    "starter_kit",
    "scoring.judging",
    "scoring.learners",
    "scoring.untrusted",
    "scoring.jobs",
    "scoring.banks",
    "scoring.running",
    "scoring.run",
    "scoring.compare",
    "scoring.bank",
    "scoring.tuning",
    "scoring.reports",
    "scoring.rehearsal",
    "scoring.hosting",
    "scoring.cli",
)
"""From the ground up. A module imports from its own floor and from those below it."""

FLOORS_OF_THE_STARTER_KIT = (
    "starter_kit.errors",
    "starter_kit.extras",
    "starter_kit.bubblewrap",
    "starter_kit.answers",
    "starter_kit.examples",
    "starter_kit.probes",
    "starter_kit.augmentation",
    "starter_kit.training",
    "starter_kit.task",
    "starter_kit.views",
    "starter_kit.task_contract",
    "starter_kit.networks",
    "starter_kit.competition",
    "starter_kit.tasks",
    "starter_kit.imports",
    "starter_kit.source",
    "starter_kit.contract",
    "starter_kit.notebook_cells",
    "starter_kit.statements",
    "starter_kit.template",
    "starter_kit.from_notebook",
    "starter_kit.new",
    "starter_kit.kaggle",
)

FACES = {"scoring", "scoring.__main__", "starter_kit"}
"""The packages' own names, which only hand on what others define."""

NOTEBOOKS = {"starter_kit.starting_kit"}
"""Scripts that use the kit from outside."""

NOT_FOR_JUDGING = {"torch", "torchvision", "starter_kit", "os", "pathlib", "shutil", "tempfile"}


def imported(path):
    """The modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            # `from package import module` imports the module.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def packages(path):
    return {module.split(".")[0] for module in imported(path)}


def files(*folders):
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for one in folders for path in ROOT.glob(one)]


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def floor_of(module, floors):
    found = [number for number, name in enumerate(floors) if module == name or module.startswith(f"{name}.")]
    return found[-1] if found else None


@pytest.mark.parametrize("path", files("scoring/**/*.py", "starter_kit/**/*.py"))
@pytest.mark.parametrize("floors", [FLOORS, FLOORS_OF_THE_STARTER_KIT], ids=["house", "starter kit"])
def test_imports_go_down(path, floors):
    module = module_of(path)
    if module in FACES | NOTEBOOKS or (floors is FLOORS_OF_THE_STARTER_KIT and not module.startswith("starter_kit")):
        return
    own = floor_of(module, floors)
    assert own is not None, f"{module} is on no floor: give its folder a place in FLOORS"
    above = {name for name in imported(path) if (floor := floor_of(name, floors)) is not None and floor > own}
    assert not above


@pytest.mark.parametrize("path", files("submissions/*.py", "starter_kit/template.py"))
def test_a_submission_imports_what_kaggle_has(path):
    # What brings its own learning, or reads text, does not go there.
    stays = "learning" in hooks_in(path, path.read_text()) or reads_text(path.read_text())
    more = EXTRAS.keys() if stays else set()
    assert packages(path) <= {"torch", "torchvision", "numpy", "scipy"} | sys.stdlib_module_names | more


@pytest.mark.parametrize("path", files("scoring/judging/**/*.py"))
def test_judging_is_arithmetic(path):
    assert not packages(path) & NOT_FOR_JUDGING


def test_there_is_something_to_test():
    assert len(files("submissions/*.py")) >= 20
    assert len(files("scoring/judging/**/*.py")) >= 8
    assert len(files("scoring/**/*.py")) >= 40
