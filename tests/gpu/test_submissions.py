import subprocess
import sys

import numpy as np
import pytest
import torch

from scoring.jobs.original import Original
from scoring.jobs.setting import Setting
from scoring.jobs.unlearned import UnlearnedJob
from scoring.running.backends import processes
from scoring.untrusted.submission import read
from starter_kit.errors import SubmissionError
from tests import gpu
from tests.gpu import networks
from tests.gpu.test_training import task

pytestmark = gpu.pytestmark


def runs(path, source, number=1, workers=1):
    """So many runs of a submission."""
    path.write_text(source)
    setting = Setting(task(networks.plain), gpu.DEVICE, seed=0)
    torch.manual_seed(0)
    original = Original(dict(networks.plain().state_dict()), {"seconds": np.array([1.0])})
    job = UnlearnedJob(setting, read(path), original, limit=120.0, isolated=True)
    rows = dict(processes.run(job, range(number), workers))
    return [rows[index] for index in range(number)]


FINE_TUNE = """
import torch
from torch.nn.functional import cross_entropy

def unlearning(net, retain, forget, val):
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for inputs, targets in retain:
        optimizer.zero_grad()
        cross_entropy(net(inputs), targets).backward()
        optimizer.step()
"""
LOADERS = {
    "workers": "num_workers=2",
    "pinned memory": "pin_memory=True",
    "both": "num_workers=2, pin_memory=True",
}


@pytest.mark.parametrize("options", LOADERS.values(), ids=LOADERS)
def test_a_loader_of_its_own_works_as_on_kaggle(tmp_path, options):
    source = (
        "from torch.utils.data import DataLoader\n"
        "def unlearning(net, retain, forget, val):\n"
        f"    for batch in DataLoader(retain.dataset, 64, {options}):\n"
        "        net(batch['image'].to(next(net.parameters()).device))\n"
    )
    assert np.isfinite(runs(tmp_path / "mine.py", source)[0]["forget_confidence"]).all()


def test_batches_go_to_numpy(tmp_path):
    source = (
        "import numpy as np\n"
        "def unlearning(net, retain, forget, val):\n"
        "    for batch in forget:\n"
        "        assert batch['image'].numpy().shape == np.asarray(batch[0]).shape\n"
    )
    assert len(runs(tmp_path / "mine.py", source)) == 1


SETTINGS = {
    "default device": "torch.set_default_device('cuda')",
    "autocast": "torch.set_autocast_enabled('cuda', True)",
    "cudnn": "torch.backends.cudnn.enabled = False",
    "benchmark": "torch.backends.cudnn.benchmark = True",
    "precision": "torch.set_float32_matmul_precision('medium')",
    "a stream": "torch.cuda.set_stream(torch.cuda.Stream())",
    "memory": "torch.cuda.set_per_process_memory_fraction(0.5)",
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_what_a_run_changes_in_torch_does_not_reach_the_next_one(tmp_path, setting):
    """One process serves both runs. The first one changes it, and the second one must find it as it was."""
    watch = (
        "state = lambda: (torch.get_default_device().type, torch.is_autocast_enabled('cuda'),"
        " torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision(),"
        " torch.cuda.current_stream().cuda_stream, torch.cuda.get_per_process_memory_fraction())\n"
    )
    source = (
        "import builtins\nimport torch\n"
        f"{watch}"
        "def unlearning(net, retain, forget, val):\n"
        "    seen = getattr(builtins, 'seen_before', None)\n"
        "    if seen is not None and seen != state():\n"
        "        raise ValueError(f'{seen} became {state()}')\n"
        "    builtins.seen_before = state()\n"
        f"    {setting}\n"
        "    if seen is None and builtins.seen_before == state():\n"
        "        raise ValueError('the setting did not change')\n"
    )
    assert len(runs(tmp_path / "mine.py", source, 2)) == 2


def test_a_mistake_on_the_gpu_is_the_submissions(tmp_path):
    source = "def unlearning(net, retain, forget, val):\n    net(next(iter(retain))[0].cpu())\n"
    with pytest.raises(SubmissionError, match="line 2"):
        runs(tmp_path / "mine.py", source)


def test_several_workers_make_the_runs_that_one_makes(tmp_path):
    """Random numbers come from the CPU, so a row depends on its index and not on who makes it."""
    one, several = (runs(tmp_path / "mine.py", FINE_TUNE, 4, workers) for workers in (1, 2))
    for row, other in zip(one, several, strict=True):
        assert row["seeds"] == other["seeds"]
        # Kernels on a GPU add in any order.
        np.testing.assert_allclose(row["forget_confidence"], other["forget_confidence"], atol=0.05)


def test_a_job_for_the_cpu_leaves_the_gpu_alone():
    code = (
        "import torch\n"
        "from scoring.jobs.retrained import RetrainedJob\n"
        "from scoring.jobs.setting import Setting\n"
        "from scoring.running.backends import serial\n"
        "from scoring.untrusted.processes import use_gpu\n"
        "from tests import toys\n"
        "use_gpu('cpu', 0)\n"
        "[(_, row)] = serial.run(RetrainedJob(Setting(toys.task(), 'cpu', 0)), [0], 1)\n"
        "assert len(row['seeds']) and not torch.cuda.is_initialized()\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
