"""`make new FROM=`: a submission out of a notebook, in both dialects of public notebooks."""

import nbformat
import pytest
import torch
from typer.testing import CliRunner

from scoring.cli import app
from scoring.untrusted.submission import Submission
from starter_kit.errors import InputError, SubmissionError
from starter_kit.from_notebook import take
from starter_kit.tasks import load

STARTING_KIT = [
    "# # Starting kit\n%matplotlib inline\n!pip install something\nimport os\nimport requests, torch\n"
    "from torch import optim, nn\nDEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'\nprint(DEVICE)",
    "%%time\nslow_things()",
    "LR = 0.01\nEPOCHS = 2\n\ndef accuracy(net, loader):\n    return sum(1 for _ in loader)",
    "def unlearning(\n    net,\n    retain,\n    forget,\n    validation):\n"
    '    """Fine-tune."""\n    criterion = nn.CrossEntropyLoss()\n'
    "    optimizer = optim.SGD(net.parameters(), lr=LR)\n    for _ in range(EPOCHS):\n"
    "        for inputs, targets in retain:\n            inputs, targets = inputs.to(DEVICE), targets.to(DEVICE)\n"
    "            optimizer.zero_grad()\n            criterion(net(inputs), targets).backward()\n"
    "            optimizer.step()\n    net.eval()\n    return net",
    "model = unlearning(None, None, None, None)\naccuracy(model, [])",
]
COMPETITION = [
    "import torch\nimport torch.nn.functional as F\nfrom copy import deepcopy\nDEVICE = torch.device('cuda')\n"
    "class Config:\n    rate = 0.05\ncfg = Config()",
    "def step(net, sample, optimizer):\n    optimizer.zero_grad()\n"
    "    loss = F.cross_entropy(net(sample['image'].to(DEVICE)), sample['age_group'].to(DEVICE))\n"
    "    loss.backward()\n    optimizer.step()",
    "def unlearning(net, retain_loader, forget_loader, val_loader):\n"
    "    optimizer = torch.optim.Adam(net.parameters(), lr=cfg.rate)\n    for sample in retain_loader:\n"
    "        step(net, sample, optimizer)",
    "if __name__ == '__main__':\n    import subprocess\n    for i in range(512):\n        print(i)",
]


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook with these code cells."""

    def write(cells, name="public.ipynb"):
        made = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell("# Words"), *map(nbformat.v4.new_code_cell, cells)]
        )
        path = tmp_path / name
        nbformat.write(made, path)
        return path

    return write


@pytest.mark.parametrize(("cells", "left"), [(STARTING_KIT, "print(DEVICE)"), (COMPETITION, "if __name__")])
def test_what_is_taken_runs(notebook, tmp_path, cells, left):
    """On the CPU, although the notebook is for a GPU."""
    taken = take(notebook(cells))
    assert any(line.startswith(left) for line in taken.left)
    assert taken.unresolved == taken.hard_wired == taken.too_early == []
    assert "requests" not in taken.source
    assert "%" not in taken.source
    function = Submission(tmp_path / "mine.py", taken.source).execute()["unlearning"]
    task = load("digits")
    from starter_kit.examples import ExampleLoader

    net = task.network()
    before = [weight.clone() for weight in net.parameters()]
    sets = [
        part.with_columns(column[:64] for column in part.columns)
        for part in (task.retain, task.forget, task.validation)
    ]
    function(net, *map(ExampleLoader, sets))
    assert any(not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))


def test_helpers_and_constants_come_along_and_nothing_else(notebook):
    taken = take(notebook(COMPETITION))
    assert taken.took == ["Config", "DEVICE", "F", "cfg", "step", "torch", "unlearning"]
    assert taken.left == ["if __name__ == '__main__':"], "imports that nothing needs go without a word"


def test_what_nothing_defines_and_what_is_hard_wired_is_said(notebook):
    cells = ["def unlearning(net, a, b, c):\n    helper(net.cuda())\n    return [x for x in range(3)]"]
    taken = take(notebook(cells))
    assert taken.unresolved == ["helper"]
    assert taken.hard_wired == ["helper(net.cuda())"]


def test_what_asks_for_the_device_too_early_is_said(notebook):
    cells = [
        "import torch\nDEVICE = 'cuda'\nWEIGHTS = torch.ones(10).to(DEVICE)",
        "def evaluate(net, device=DEVICE):\n    return net.to(device), WEIGHTS",
        "def train(net):\n    def inner(x):\n        return x.to(DEVICE)\n    return inner(WEIGHTS)",
        "def unlearning(net, a, b, c):\n    evaluate(net)\n    train(net)",
    ]
    taken = take(notebook(cells))
    assert taken.too_early == ["WEIGHTS = torch.ones(10).to(DEVICE)", "def evaluate(net, device=DEVICE):"]
    assert taken.hard_wired == []


HEAD = "def unlearning(net, retain, forget, val):\n    "
MEANT = {
    "a setting of a module is left out": (
        ["import torch\ntorch.backends.cudnn.deterministic = True", HEAD + "return torch.tensor(1).item()"],
        1,
    ),
    "an item of a constant": (["cfg = {}\ncfg['lr'] = 2", HEAD + "return cfg['lr']"], 2),
    "a method of a constant": (["cfg = {'lr': 1}", "cfg.update(lr=3)", HEAD + "return cfg['lr']"], 3),
    "a default of a helper": (["lr = 4\ndef helper(lr=lr):\n    return lr", HEAD + "return helper()"], 4),
    "a default of the function": (["n = 5\ndef unlearning(net, retain, forget, val, n=n):\n    return n"], 5),
    "a counter": (["n = 5\ndef count():\n    global n\n    n += 1", HEAD + "count()\n    return n"], 6),
    "a method with the name of a function": (
        [
            "def train(x):\n    return x\nclass A:\n    def train(self):\n        return train(7)",
            HEAD + "return A().train()",
        ],
        7,
    ),
    "a name that is local elsewhere": (
        [
            "c = 8\ndef other():\n    c = 1\n    return c\ndef helper():\n    return c",
            HEAD + "return other() * helper()",
        ],
        8,
    ),
    "a constant that is changed": (["n = 4\nn += 1", "n = n * 2 - 1", HEAD + "return n"], 9),
    "a function used before it is replaced": (
        ["def h():\n    return 10\nX = h()\ndef h():\n    return 0", HEAD + "return X"],
        10,
    ),
    "parts of a package": (
        ["import xml.dom\nimport xml.sax", HEAD + "return len([xml.dom.Node, xml.sax.parse]) + 9"],
        11,
    ),
    "annotations of the future": (
        [
            "from __future__ import annotations\ndef h(x: Later):\n    return x\nclass Later:\n    pass",
            HEAD + "return h(12)",
        ],
        12,
    ),
    "an expression over lines": (["a, b = 7, 4\nn = (a\n   % b\n)", HEAD + "return n + 10"], 13),
    "a text over lines": (["s = '''x\n%s\n!y\nz'''", HEAD + "return len(s.split()) + 10"], 14),
    "a branch": (["USE = True\nif USE:\n    n = 15\nelse:\n    n = 0", HEAD + "return n"], 15),
    "an import that may fail": (
        ["try:\n    import nowhere\nexcept ImportError:\n    nowhere = 16", HEAD + "return nowhere"],
        16,
    ),
    "two statements on a line": (["n = 1; m = 16", HEAD + "return n + m"], 17),
    "a timed cell": (["%%time\nn = 18", "%%bash\nrm -rf nothing", HEAD + "return n"], 18),
    "commands": (["!pip install x\nif True:\n    !ls\nfiles = !ls\nprint?\nn = 19", HEAD + "return n"], 19),
    "a star": (["from math import *", HEAD + "return int(floor(20.5))"], 20),
    "old line ends": (["n = 21\r\nm = 0\r", HEAD + "return n + m"], 21),
    "a walrus": (["print(n := 22)", HEAD + "return n"], 22),
    "a decorator": (["import functools\n@functools.cache\ndef h():\n    return 23", HEAD + "return h()"], 23),
    "the loop over models": (
        ["n = 24", HEAD + "return n", "for n in range(3):\n    unlearning(None, None, None, None)"],
        24,
    ),
}


@pytest.mark.parametrize(("cells", "value"), MEANT.values(), ids=MEANT)
def test_what_is_taken_means_the_same(notebook, cells, value):
    taken = take(notebook(cells))
    assert taken.unresolved == []
    names = {}
    exec(compile(taken.source, "mine.py", "exec"), names)
    assert names["unlearning"](None, None, None, None) == value


DEVICES = {
    "documented": '    """Words."""\n    return device, helper()',
    "decorated": "    @functools.cache\n    def h():\n        return device\n    return h(), helper()",
    "on one line": None,
    "tabs": "\treturn device, helper()",
    "its own global": "    global device, n\n    n = 1\n    return device, helper()",
    "a local one": "    device = next(net.parameters()).device\n    return device, helper()",
}


@pytest.mark.parametrize("body", DEVICES.values(), ids=DEVICES)
def test_the_device_is_that_of_the_network(notebook, body):
    function = "def unlearning(net, a, b, c):"
    function += " return device, helper()" if body is None else f"\n{body}"
    cells = ["import functools, torch\nif torch.cuda.is_available():\n    device = 'cuda'\nelse:\n    device = 'cpu'"]
    taken = take(notebook([*cells, "def helper():\n    return device", function]))
    assert taken.hard_wired == []
    names = {}
    exec(compile(taken.source, "mine.py", "exec"), names)
    device = torch.device("meta")
    assert names["unlearning"](torch.nn.Linear(1, 1, device=device), None, None, None) == (device, device)


def test_what_would_be_no_python_is_refused(notebook):
    hook = "def unlearning(net, a, b, c):\n    if True:\n        global device\n    return device"
    with pytest.raises(SubmissionError, match="unlearning cannot be extracted as it stands"):
        take(notebook(["device = 'cuda'", hook]))


def test_a_body_on_the_last_line_of_a_long_head(notebook):
    function = "def unlearning(net, a,\n               b, c): return device"
    taken = take(notebook(["device = 'cuda'", function]))
    names = {}
    exec(compile(taken.source, "mine.py", "exec"), names)
    assert names["unlearning"](torch.nn.Linear(1, 1), None, None, None) == torch.device("cpu")


def test_the_command_warns_of_what_it_cannot_resolve(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "submissions").mkdir()
    constants = "\n".join(f"print({number})" for number in range(25))
    cells = [
        constants,
        "DEVICE = 'cuda'",
        "def helper(x=DEVICE):\n    return x",
        HEAD + "helper(net.cuda())\n    return missing",
    ]
    result = CliRunner().invoke(app, ["new", "mine", "--from", str(notebook(cells))])
    assert result.exit_code == 0, result.stderr
    assert "The file uses missing, but nothing defines it." in result.stderr
    assert "This line needs a GPU: helper(net.cuda())" in result.stderr
    assert "This line uses the device before the network is known: def helper(x=DEVICE):" in result.stderr
    assert "print(19)" in result.stdout
    assert "print(20)" not in result.stdout
    assert "and 5 more" in result.stdout


def test_a_cell_that_is_not_python_is_named(notebook):
    with pytest.raises(SubmissionError, match=r"\(code cell 2\), line 1"):
        take(notebook(["import torch", "1 +", HEAD + "pass"]))


def test_of_two_definitions_the_last_is_taken(notebook):
    cells = ["def unlearning(net, a, b, c):\n    return 1", "def unlearning(net, a, b, c):\n    return 2"]
    assert "return 2" in take(notebook(cells)).source
    assert "return 1" not in take(notebook(cells)).source


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *((content, "is not a notebook") for content in ("{}", "nothing", "[]", '"s"', "[" * 100_000)),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [null]}', "is not a notebook"),
        (None, "Cannot read"),
    ],
    ids=lambda part: str(part)[:20],
)
def test_what_is_no_notebook_is_refused(tmp_path, content, message):
    path = tmp_path / "broken.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        take(path)


def test_a_notebook_without_the_function_is_refused(notebook):
    with pytest.raises(InputError, match=r"does not define unlearning\(net, retain, forget, val\) at its top level"):
        take(notebook(["def other():\n    pass"]))


def test_the_command_writes_it_and_says_what_it_did(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "submissions").mkdir()
    path = notebook(STARTING_KIT)
    result = CliRunner().invoke(app, ["new", "mine", "--from", str(path)])
    assert result.exit_code == 0, result.stderr
    assert "def unlearning(" in (tmp_path / "submissions/mine.py").read_text()
    assert "EPOCHS" in result.stdout
    assert "print(DEVICE)" in result.stdout
    again = CliRunner().invoke(app, ["new", "mine", "--from", str(path)])
    assert again.exit_code == 1
    assert "already exists" in again.stderr
