"""Imports of the kit that no import statement names."""

import ast
from pathlib import Path

import pytest

from starter_kit.contract import check
from starter_kit.errors import SubmissionError
from starter_kit.imports import named

HOOK = "def unlearning(net, retain, forget, val): ...\n"


@pytest.mark.parametrize(
    "code",
    [
        "import importlib; importlib.import_module('scoring')",
        "import importlib as il; il.import_module('scoring.run')",
        "from importlib import import_module; import_module('scoring')",
        "from importlib import import_module as f; f('scoring')",
        "import importlib; f = importlib.import_module; g = f; g('scoring')",
        "import importlib; getattr(importlib, 'import_module')('scoring')",
        "import importlib; importlib.import_module(name='scoring')",
        "import importlib; importlib.import_module('.run', 'scoring')",
        "import importlib; importlib.import_module('.run', package='scoring')",
        "import importlib; importlib.import_module('sco' 'ring')",
        "import importlib; importlib.import_module('sco' + 'ring')",
        "import importlib; importlib.import_module(f'scoring')",
        "__import__('scoring')",
        "__import__('scoring.run', fromlist=['run'])",
        "import builtins; builtins.__import__('scoring')",
        "import importlib.util; importlib.util.find_spec('scoring')",
        "from importlib.util import find_spec; find_spec('scoring') and 1",
        "import importlib.util; importlib.util.spec_from_file_location('x', 'scoring/run.py')",
        "import runpy; runpy.run_module('scoring')",
        "import runpy; runpy.run_path('./scoring/run.py')",
        "import pkgutil; pkgutil.resolve_name('scoring:run')",
        "import sys; sys.modules['scoring']",
        "import sys as s; s.modules['scoring.run'].x",
        "from sys import modules as m; m['scoring']",
        "import sys; loaded = sys.modules; loaded['scoring']",
        "import sys; sys.modules.get('scoring')",
        "exec('import scoring')",
        "eval('__import__(\"scoring\")')",
    ],
)
@pytest.mark.parametrize("package", ["scoring", "starter_kit", "submissions", "tests"])
def test_the_kit_is_found_behind_a_text(code, package):
    code = code.replace("scoring", package).replace("sco", package[:3]).replace("ring", package[3:])
    with pytest.raises(
        SubmissionError, match=r"^mine.py, line 3: a submission is uploaded as a single file and cannot"
    ):
        check(Path("mine.py"), f"{HOOK}def late():\n    {code}\n")


@pytest.mark.parametrize(
    "code",
    [
        "import importlib; importlib.import_module('scoring_rules')",
        "import importlib; importlib.import_module(name)",
        "import importlib; importlib.import_module('torch.nn')",
        "print('scoring')",
        "dict(scoring=1)['scoring']",
        "for module in net.modules(): print('tests')",
        "exec('x = 1')",
        "exec('no python')",
        "eval('scoring')",
        r"exec('\x00')",
        "'scoring.run'",
        "text = 'import scoring'",
        "import re; re.compile('scoring')",
    ],
)
def test_other_texts_are_not_mistaken_for_an_import(code):
    check(Path("mine.py"), f"{HOOK}def late(net, name):\n    {code}\n")


def test_each_is_reported_with_its_line():
    source = "import sys\n__import__('one')\nsys.modules['two']\nexec('import three.four')"
    assert sorted(named(ast.parse(source))) == [(2, "one"), (3, "two"), (4, "three.four")]
