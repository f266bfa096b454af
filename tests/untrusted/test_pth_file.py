"""A .pth is read without unpickling: what torch.save writes is read, and each other file is refused for its reason."""

import random
import subprocess
import sys
import time
from collections import OrderedDict

import pytest
import torch
from torch import nn

from scoring.untrusted.checkpoints import largest
from scoring.untrusted.weights import weights_in_file
from tests.untrusted.hostile_pth import HOSTILE
from tests.untrusted.pth_files import NUMBERS, ORIGINAL, START, STOP, entries, packed, pth, saved, storage, tensor


def network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(300, 300), nn.Linear(300, 2))
    net[1](torch.randn(5, 4, 2, 2))
    return net


HONEST = {
    "state": lambda net: net.state_dict(),
    "plain dictionary": lambda net: dict(net.state_dict()),
    "copy without metadata": lambda net: OrderedDict(net.state_dict().items()),
    "parameters": lambda net: net.state_dict(keep_vars=True),
    "half": lambda net: {key: value.half() if value.is_floating_point() else value for key, value in state_of(net)},
    "channels last": lambda net: net.to(memory_format=torch.channels_last).state_dict(),
    "other order": lambda net: dict(reversed(net.state_dict().items())),
    "views of one storage": lambda net: in_one_storage(net.state_dict()),
}


def state_of(net):
    return net.state_dict().items()


def in_one_storage(state):
    """As an optimizer that flattens all parameters leaves them."""
    floating = [value for value in state.values() if value.is_floating_point()]
    flat = iter(torch.cat([value.flatten() for value in floating]).split([value.numel() for value in floating]))
    return {key: next(flat).view_as(value) if value.is_floating_point() else value for key, value in state.items()}


def without_checksums(state):
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        return saved(state)
    finally:
        torch.serialization.set_crc32_options(before)


@pytest.mark.parametrize("case", HONEST)
def test_what_torch_save_writes_is_read(case):
    original = network().state_dict()
    state = HONEST[case](network())
    found = weights_in_file(saved(state), original)
    assert list(found) == list(original)
    for key, value in original.items():
        assert found[key].dtype == value.dtype
        assert torch.equal(found[key], state[key].detach().to(value.dtype))
    assert len({value.data_ptr() for value in found.values()}) == len(original)


def test_tied_weights_are_read_and_no_longer_share_memory():
    tied = torch.randn(3, 2)
    found = weights_in_file(saved({"a": tied, "b": tied}), {"a": tied, "b": tied})
    found["a"].zero_()
    assert torch.equal(found["b"], tied)


def test_files_of_older_torch_saved_on_a_gpu_under_a_name(tmp_path):
    """Each has been seen: no byte order, no alignment, another folder and device, no checksums."""
    on_gpu = entries(a=tensor(storage(location="cuda:0")))
    parts = {"data.pkl": START + on_gpu + STOP, "version": b"3\n"} | NUMBERS
    found = weights_in_file(packed(parts, "unlearned_checkpoint_7/"), ORIGINAL)
    assert all(torch.equal(found[key], value) for key, value in ORIGINAL.items())
    torch.save(ORIGINAL, tmp_path / "mine.pth")
    assert torch.equal(weights_in_file((tmp_path / "mine.pth").read_bytes(), ORIGINAL)["a"], ORIGINAL["a"])
    assert torch.equal(weights_in_file(without_checksums(ORIGINAL), ORIGINAL)["a"], ORIGINAL["a"])


def test_many_weights_of_odd_shapes():
    original = {f"layer.{at}": torch.full((at % 3, 1), float(at)) for at in range(300)} | {"": torch.zeros(70000)}
    found = weights_in_file(saved(original), original)
    assert all(torch.equal(found[key], value) for key, value in original.items())


def test_the_checkpoint_made_by_hand_is_good():
    """Otherwise a spoiled one could be refused for another reason than its own."""
    assert torch.equal(weights_in_file(pth(), ORIGINAL)["a"], ORIGINAL["a"])


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused(case):
    content, message = HOSTILE[case]
    assert len(content) <= largest(ORIGINAL)
    started = time.perf_counter()
    with pytest.raises(ValueError, match=message) as caught:
        weights_in_file(content, ORIGINAL)
    assert time.perf_counter() - started < 2
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.skipif(sys.platform != "linux", reason="systems count the peak of memory in different units")
def test_no_hostile_file_takes_more_memory_than_an_honest_one_of_its_size():
    code = """
import resource, torch
from scoring.untrusted.weights import weights_in_file
from tests.untrusted.hostile_pth import HOSTILE
from tests.untrusted.pth_files import ORIGINAL, saved
largest = {"a": torch.zeros(2**18), "n": torch.tensor(7)}
weights_in_file(saved(largest), largest)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for content, _ in HOSTILE.values():
    try:
        weights_in_file(content, ORIGINAL)
    except ValueError:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1024 < 16, "megabytes more than an honest checkpoint of 1 MB"


def test_a_file_that_is_changed_anywhere_is_read_or_refused():
    """Whatever the bytes, the reader raises nothing but ValueError."""
    chance = random.Random(0)
    original = network().state_dict()
    # A checksum would notice most changes before the reader sees them.
    good = without_checksums(original)
    messages = set()
    for _ in range(1000):
        content = bytearray(good)
        begin, end = chance.choice(
            [(0, len(good)), (len(good) - 2000, len(good)), *[(good.index(b"data.pkl"), good.index(b".format"))] * 4]
        )
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(begin, end)] = chance.choice(
                [*b"\0\1()tRQXcqhKJ.\x7f\x80\xff", chance.randrange(256)]
            )
        try:
            weights_in_file(bytes(content), original)
        except ValueError as error:
            messages.add(str(error))
    assert len(messages) > 100
    assert all(message.isprintable() for message in messages)
