"""`make new FROM=`: a submission out of a notebook, in both dialects of public notebooks."""

import nbformat
import pytest
import torch
from typer.testing import CliRunner

from scoring.cli import app
from scoring.untrusted.submission import Submission
from starter_kit.errors import InputError
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
    assert taken.left == ["from copy import deepcopy", "if __name__ == '__main__':"]


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


def test_of_two_definitions_the_last_is_taken(notebook):
    cells = ["def unlearning(net, a, b, c):\n    return 1", "def unlearning(net, a, b, c):\n    return 2"]
    assert "return 2" in take(notebook(cells)).source
    assert "return 1" not in take(notebook(cells)).source


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "is not a notebook"), ("nothing", "is not a notebook"), (None, "Cannot read")],
)
def test_what_is_no_notebook_is_refused(tmp_path, content, message):
    path = tmp_path / "broken.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=message):
        take(path)


def test_a_notebook_without_the_function_is_refused(notebook):
    with pytest.raises(InputError, match=r"defines no function unlearning\(net, retain, forget, val\)"):
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
