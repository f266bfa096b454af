"""Submissions that cheat or break things: what they reach, what the others notice, and who is blamed."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from scoring.untrusted import confinement
from scoring.untrusted.isolated_run import Confined
from scoring.untrusted.submission import read
from starter_kit.errors import SubmissionError
from tests.toys import part
from tests.untrusted.conftest import HONEST, error_of, unlearned

needs_landlock = pytest.mark.skipif(confinement.version() == 0, reason="this kernel has no Landlock")
needs_signal_scope = pytest.mark.skipif(confinement.version() < 6, reason="this kernel cannot confine signals")


BLAMED = {
    "an exception": ("raise RuntimeError('no')", "mine.py failed in run 0:\nTraceback"),
    "an exception of its own kind": (
        "raise Mine('no')",
        "Mine: no",
        "class Mine(BaseException): ...",
    ),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "SystemExit": ("sys.exit(1)", "SystemExit: 1"),
    "os._exit": ("os._exit(3)", "failed in run 0: its process ended with exit code 3 before it returned."),
    "os._exit as if all were well": ("os._exit(0)", "its process ended with exit code 0 before it returned."),
    "SIGKILL": (
        "os.kill(os.getpid(), signal.SIGKILL)",
        "its process was killed 3 times, though memory did not run out",
    ),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", "its process crashed with SIGTERM"),
    "a group kill": ("os.killpg(0, signal.SIGKILL)", "its process was killed 3 times"),
    "a crash in C": ("helper()", "crashed with SIGSEGV at line 2 in helper.", "def helper(): ctypes.string_at(0)"),
    "abort": ("os.abort()", "crashed with SIGABRT at line 4 in unlearning."),
    "closerange": ("os.closerange(3, 10_000)", "it closed the kit's connection, or wrote to it."),
    "too much memory": ("torch.zeros(2**50)", "can't allocate memory"),
    "too much memory for NumPy": ("import numpy; numpy.ones(2**50)", "ArrayMemoryError"),
    "MemoryError": ("raise MemoryError", "MemoryError"),
    "a GPU's error on a CPU": ("raise torch.OutOfMemoryError('no')", "OutOfMemoryError: no"),
    "endless recursion": ("return helper()", "RecursionError", "def helper(): return helper()"),
    "no model": ("return 3", "unlearning returned int; expected the model, or None"),
    "a state": ("return net.state_dict()", "unlearning returned OrderedDict; expected the model"),
    "a class": ("return type(net)", "unlearning returned type; expected the model"),
    "meta": ("return net.to('meta')", "on meta; expected a dense tensor with values"),
    "sparse": (
        "net.fc.weight = torch.nn.Parameter(net.fc.weight.data.to_sparse())",
        "fc.weight is torch.sparse_coo on cpu; expected a dense tensor",
    ),
    "complex": ("net.fc.weight = torch.nn.Parameter(net.fc.weight.data + 0j)", "its model cannot be judged: fc.weight"),
    "a raising state_dict": (
        "net.state_dict = helper\nreturn net",
        "ValueError: mine",
        "def helper(*a, **k): raise ValueError('mine')",
    ),
    "a state that is no state": ("net.state_dict = lambda: {1: 2}", "the model's state_dict holds 1, a int"),
    "a state that is no dictionary": ("net.state_dict = lambda: 3", "has no attribute 'items'"),
    "integers": ("net.fc.weight = torch.nn.Parameter(net.fc.weight.data.int(), False)", "fc.weight"),
    "another architecture": ("net.fc = torch.nn.Linear(64, 7)", "Make masks and parametrizations permanent"),
    "more than a model takes": (
        "net.extra = torch.nn.Linear(2000, 2000)",
        "what it sent is too large. Return a model with the architecture of `net`",
    ),
    "a part missing": ("del net.fc\nreturn net", "its model cannot be judged"),
    "NaN weights": ("net.fc.weight.data.fill_(float('nan'))", "fc.weight"),
    "infinite weights": ("net.fc.weight.data[0, 0] = float('inf')", "fc.weight"),
    "a negative variance": ("net.bn1.running_var.fill_(-1.0)", "bn1.running_var"),
    "a negative count": ("net.bn1.num_batches_tracked.fill_(-1)", "bn1.num_batches_tracked"),
    "NaN outputs": ("for p in net.parameters(): p.data.fill_(1e38)", "get NaN or infinite logits"),
    "an explanation that raises": (
        "raise Mine",
        "failed in run 0",
        "class Mine(Exception):\n  def __str__(self): 1 / 0",
    ),
    "an error that Python cannot show": (
        "error = SyntaxError('no')\nerror.filename, error.lineno, error.text = 5, 'x', 7\nraise error",
        "failed in run 0:\nan error that cannot be shown, of type SyntaxError",
    ),
    "a very long sentence": ("net.state_dict = lambda: {('x' * 200_000,): 1}", "a int; expected tensors."),
    "a built-in function": (None, "dict"),
}


@pytest.mark.parametrize("case", BLAMED)
def test_what_it_does_wrong_is_its_own_fault(pools, submission, case):
    body, message, *above = BLAMED[case]
    if body is None:
        one = submission("...", "")
        one.path.write_text("unlearning = dict.update\n")
        one = read(one.path)
    else:
        one = submission(body, *above)
    error = error_of(pools, one)
    assert type(error) is SubmissionError
    assert message in str(error)
    assert "mine.py" in str(error)
    assert "workers" not in str(error)
    assert len(str(error)) < 3_000 or case in ("endless recursion", "a very long sentence")


def test_what_it_is_handed_is_its_own(pools, submission):
    """NumPy writes past torch's counters. Neither the next run nor the judge sees any of it."""
    body = f"""
    for loader in (retain, forget, val):
        assert loader.dataset.inputs.max() > 1, "an earlier run's change is seen"
        loader.dataset.inputs.numpy()[:] = 0
        loader.dataset.targets.data.fill_(0)
        loader.dataset.image_id = None
    {HONEST}
    """
    task = pools.task
    before = task.digest()
    outputs = unlearned(pools, submission(body), 4)
    assert task.digest() == before
    assert outputs.retain_accuracy.min() > 0.9


def test_a_patched_judge_judges_nothing(pools, submission):
    """Functions of the kit, of torch and of NumPy, in this process and by its classes: the others have their own."""
    body = f"""
    import numpy
    for name, module in list(sys.modules.items()):
        if name.startswith(("scoring.judging", "scoring.jobs", "scoring.untrusted.weights", "starter_kit.answers")):
            for attribute, value in list(vars(module).items()):
                if callable(value):
                    setattr(module, attribute, lambda *a, **k: 1 / 0)
    type(net).forward = lambda self, x: torch.zeros(len(x), 10)
    torch.isfinite = torch.nn.Module.eval = numpy.concatenate = time.perf_counter = None
    torch.set_default_dtype(torch.float64)
    {HONEST}
    """
    outputs = unlearned(pools, submission(body), 3)
    assert 0.9 < outputs.test_accuracy.min() <= outputs.test_accuracy.max() < 1


@pytest.mark.parametrize(
    ("body", "above"),
    [
        ("wait()", ""),
        ("wait(); time.perf_counter = time.time = time.monotonic = lambda: 0.0", ""),
        ("state = net.state_dict()\nnet.state_dict = lambda: wait() or state\nreturn net", ""),
        (
            "class Net(type(net)):\n    def state_dict(self): return wait() or super().state_dict()\n"
            "net.__class__ = Net",
            "",
        ),
        ("", "wait()"),
    ],
    ids=["in the open", "behind a patched clock", "in a state_dict", "in a class of its own", "at import"],
)
def test_time_cannot_be_hidden(pools, submission, body, above):
    wait = "def wait():\n    end = time.process_time() + 0.6\n    while time.process_time() < end: pass"
    assert unlearned(pools, submission(f"{HONEST}\n{body}", f"{wait}\n{above}")).seconds[0] > 0.6


def test_nothing_in_its_process_is_for_the_judge_alone(pools, submission):
    """It goes through all objects in memory, and all that it finds is what it was handed."""
    body = """
    import gc
    gc.unfreeze()
    found = {id(one): float(one.double().sum()) for one in gc.get_objects() if torch.is_tensor(one) and one.ndim == 4}
    pictures = sorted({total for total in found.values() if total > 1000})
    raise RuntimeError(pictures, [value for value in (*sys.argv, *os.environ.values()) if "store" in value])
    """
    task = pools.task
    handed = sorted(float(examples.inputs.sum()) for examples in (task.retain, task.forget, task.validation))
    assert float(task.test.inputs.sum()) not in handed
    assert f"RuntimeError: ({handed}, [])" in str(error_of(pools, submission(body)))


@needs_landlock
@pytest.mark.parametrize(
    "what",
    [
        "open({store!r} + '/' + os.listdir({store!r})[0])",
        "open({row!r}, 'rb')",
        "open({row!r}, 'wb')",
        "os.unlink({row!r})",
        "os.rename({row!r}, {row!r} + '2')",
        "os.symlink('/', {store!r} + '/link')",
        "os.mkdir({store!r} + '/folder')",
        "subprocess.run(['cat', {row!r}], check=True)",
        "open({kit!r} + '/starter_kit/tasks/digits.py')",
        "os.listdir({home!r})",
        "open('/proc/%d/mem' % os.getppid(), 'rb')",
    ],
)
def test_it_reads_and_writes_no_file_but_its_own(pools, store, submission, what):
    row = str(next(store.glob("retrained-*/00000.row")))
    before = {path: path.read_bytes() for path in store.rglob("*.row")}
    body = what.format(store=str(store), row=row, kit=str(Path(__file__).parents[2]), home=str(Path.home()))
    error = str(error_of(pools, submission(body)))
    assert "Permission" in error or "Read-only" in error or "CalledProcessError" in error
    assert all(path.read_bytes() == content for path, content in before.items())


@needs_landlock
@pytest.mark.parametrize(
    "place", ["'.'", "os.environ['TMPDIR']", "'/dev/shm'", "'/tmp'", "'/var/tmp'", "os.path.expanduser('~')", "HERE"]
)
def test_a_run_leaves_no_file_to_the_next(pools, submission, tmp_path, place):
    body = f"""
    path = os.path.join({place.replace("HERE", repr(str(tmp_path)))}, "kept by a submission of the tests")
    assert not os.path.exists(path), "found what an earlier run left"
    try:
        os.makedirs(path + "/folder")
    except OSError:
        pass
    {HONEST}
    """
    unlearned(pools, submission(body), 3)


def test_a_run_leaves_no_memory_to_the_next(pools, submission):
    body = f"""
    for where in (torch, sys, os, type(net), torch.nn.Module, retain.dataset.__class__):
        assert not hasattr(where, "kept"), "found what an earlier run left"
        where.kept = net
    assert sys.modules[__name__].__dict__.setdefault("kept", []) == []
    kept.append(net)
    torch.manual_seed(0)
    {HONEST.replace("0.01", "0.01 * float(seed_of_this_run())")}
    """
    above = "first = torch.rand(1)\ndef seed_of_this_run(): return 1"
    outputs = unlearned(pools, submission(body, above), 3)
    assert len(outputs) == 3


@needs_signal_scope
@pytest.mark.parametrize("whom", ["os.getppid()", "JUDGE", "-1"])
def test_it_cannot_end_what_is_not_its_own(pools, submission, whom):
    body = f"""
    try:
        os.kill({whom.replace("JUDGE", str(os.getpid()))}, signal.SIGKILL)
    except PermissionError:
        pass
    {HONEST}
    """
    if whom == "-1":
        # It may signal nobody else, and Linux spares the sender.
        assert len(unlearned(pools, submission(body.replace("PermissionError", "OSError")), 2)) == 2
    else:
        assert len(unlearned(pools, submission(body), 2)) == 2


def test_a_loaders_processes_work_as_on_kaggle(pools, submission):
    above = """
    from torch.utils.data import DataLoader, Dataset
    class Brighter(Dataset):
        def __init__(self, examples): self.examples = examples
        def __len__(self): return len(self.examples)
        def __getitem__(self, index): return self.examples[index][0] * 1.1, self.examples[index][1]
    """
    body = """
    for examples in (Brighter(forget.dataset), forget.dataset):
        for inputs, targets in DataLoader(examples, batch_size=32, shuffle=True, num_workers=2):
            torch.nn.functional.cross_entropy(net(inputs), targets).backward()
    with torch.no_grad():
        for weight in net.parameters(): weight -= 0.01 * weight.grad
    """
    outputs = unlearned(pools, submission(body, above), 2)
    assert len(np.unique(outputs.test_confidence, axis=0)) == 2


def test_what_a_run_hides_in_its_folder_is_removed(pools, submission):
    """Nested so deep that Python cannot remove it, and without rights."""
    body = f"""
    assert os.listdir(".") == [], "found what an earlier run left"
    for depth in range(1500):
        os.mkdir("d")
        os.chdir("d")
    os.chmod(".", 0)
    {HONEST}
    """
    unlearned(pools, submission(body), 2)


@needs_landlock
def test_where_a_loader_cannot_have_processes_a_sentence_says_so(tmp_path, monkeypatch):
    """Without a shared memory of its own a loader's processes could hand over nothing, and it would wait for ever."""
    monkeypatch.setattr(confinement, "with_own_mounts", lambda folder: False)
    ours, theirs = os.pipe()
    if not (child := os.fork()):
        try:
            Confined(tmp_path).enter()
            list(DataLoader(range(8), num_workers=1))
        except BaseException as error:
            os.write(theirs, str(error).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours) as said:
        assert "use num_workers=0" in said.read()
    os.waitpid(child, 0)


def test_what_it_is_handed_lies_in_memory_of_its_own(pools, submission):
    """Torch shares the tensors that one process hands to another, and multiprocessing keeps what it was handed."""
    body = """
    import gc, multiprocessing
    gc.unfreeze()
    shared = [one for one in gc.get_objects() if torch.is_tensor(one) and one.is_shared()]
    areas = [line for line in open("/proc/self/maps") if " rw-s " in line]
    raise RuntimeError(len(shared), areas, hasattr(multiprocessing.current_process()._args[0], "retain"))
    """
    assert "RuntimeError: (0, [], False)" in str(error_of(pools, submission(body)))


def test_tidying_up_follows_no_link_that_a_run_left(pools, submission, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the user")
    secret.chmod(0o400)
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o500)
    body = f"""
    os.symlink({str(secret)!r}, "file")
    os.symlink({str(folder)!r}, "folder")
    os.mkdir("deeper")
    os.symlink({str(secret)!r}, "deeper/file")
    {HONEST}
    """
    unlearned(pools, submission(body), 2)
    assert secret.stat().st_mode & 0o777 == 0o400
    assert folder.stat().st_mode & 0o777 == 0o500


@needs_landlock
@pytest.mark.parametrize(
    "what",
    [
        "check(libc.shmget(0x7265, 4096, 0o1600))",
        "check(libc.semget(0x7265, 1, 0o1600))",
        "check(libc.msgget(0x7265, 0o1600))",
        "check(libc.mq_open(b'/kept', os.O_RDWR | os.O_CREAT, 0o600, None))",
        "check(libc.syscall(248 if os.uname().machine == 'x86_64' else 217, b'user', b'kept', b'x', 1, -4))",
        "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))",
        "os.sched_setaffinity(os.getppid(), {{0}})",
        "os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))",
        "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)",
        "os.setpriority(os.PRIO_USER, 0, 19)",
        "check(libc.syscall(251 if os.uname().machine == 'x86_64' else 30, 1, os.getppid(), 0x6000))",
        "os.chmod({mine!r}, 0o600)",
        "os.utime({mine!r}, (1, 1))",
        "os.setxattr({mine!r}, 'user.kept', b'x')",
        "os.chown({mine!r}, os.getuid(), os.getgid())",
    ],
)
def test_what_landlock_does_not_know_is_refused_too(pools, submission, tmp_path, what):
    mine = tmp_path / "of the user"
    mine.write_text("")
    before = mine.stat()
    above = """
    import resource
    libc = ctypes.CDLL(None, use_errno=True)
    def check(got):
        if got < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    """
    error = str(error_of(pools, submission(what.format(mine=str(mine)), above)))
    assert "PermissionError" in error or "Read-only file system" in error
    assert (mine.stat().st_mode, mine.stat().st_mtime) == (before.st_mode, before.st_mtime)


@needs_landlock
def test_a_run_may_change_what_is_its_own(pools, submission):
    body = f"""
    import resource
    open("mine", "w").close()
    os.chmod("mine", 0o700)
    os.utime("mine", (1, 1))
    for me in (0, os.getpid()):
        os.sched_setaffinity(me, os.sched_getaffinity(0))
        os.setpriority(os.PRIO_PROCESS, me, 19)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    {HONEST}
    """
    assert len(unlearned(pools, submission(body), 2)) == 2


@needs_landlock
def test_a_run_has_no_capabilities(pools, submission):
    body = """
    subprocess.run(["grep", "^CapEff:\t0*$", "/proc/self/status"], check=True)
    raise RuntimeError([line for line in open("/proc/self/status") if line.startswith(("CapPrm", "CapEff"))])
    """
    assert str(error_of(pools, submission(body))).count("0000000000000000") == 2


def test_a_set_of_one_example_can_be_forgotten(pools, submission):
    """Its loader deals a batch of one, on which batch norm cannot train."""
    task = pools.task
    setting = replace(pools.setting, task=replace(task, forget=part(task.forget, 0, 1)))
    outputs = unlearned(replace(pools, setting=setting), submission(HONEST), 2)
    assert outputs.forget_confidence.shape == (2, 1)
