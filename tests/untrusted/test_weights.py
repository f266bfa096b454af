"""What is in a checkpoint is untrusted: each defence is tested with a file that would break through without it."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from copy import copy

import pytest
import torch

from scoring.untrusted.checkpoints import largest
from scoring.untrusted.weights import weights_in_file
from tests.untrusted.checkpoint_files import inside, name, refused, saved, zipped


class Evil:
    """Calls a function when it is unpickled without precautions."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_is_executed(original, files, tmp_path):
    created = tmp_path / "created"
    for content in (
        saved(OrderedDict(original) | {"evil": Evil(created)}),
        inside(files[name(0)], **{"data.pkl": pickle.dumps(Evil(created), protocol=2)}),
        inside(files[name(0)], **{"data.pkl": pickle.dumps(Evil(created))}),
        pickle.dumps(Evil(created)),
    ):
        refused(
            zipped(tmp_path / "models.zip", files | {name(1): content}),
            original,
            "its pickle contains|not a checkpoint",
        )
        assert not created.exists()


class Large:
    """Allocates 2 GB when it is unpickled, even by torch.load's safe mode."""

    def __reduce__(self):
        return bytearray, (2 * 10**9,)


def test_nothing_is_allocated(original, files, tmp_path):
    content = inside(files[name(0)], **{"data.pkl": pickle.dumps(Large(), protocol=2)})
    path = zipped(tmp_path / "models.zip", files | {name(1): content})
    refused(path, original, "it holds something other than weights: its pickle contains '__builtin__ bytearray'")


def test_a_tensor_larger_than_its_data(original, files, tmp_path):
    content = inside(files[name(0)], **{"0": b"1234"})
    refused(
        zipped(tmp_path / "models.zip", files | {name(1): content}),
        original,
        "expected 144 bytes in its part data/0, found 4",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not a checkpoint written by torch.save"),
        (lambda good: good[: len(good) // 2], "it is not a checkpoint written by torch.save"),
        (
            lambda good: inside(good, zipfile.ZIP_DEFLATED),
            "is compressed and inflates to .*torch.save compresses nothing",
        ),
        (
            lambda good: inside(good, **{"data.pkl": b"\x80\x02."}),
            "it holds something other than weights: its pickle takes a value where none is",
        ),
    ],
    ids=["empty", "truncated", "compressed inside", "no weights"],
)
def test_files_that_are_no_checkpoints(original, files, tmp_path, content, message):
    content = content(files[name(1)]) if callable(content) else content
    refused(zipped(tmp_path / "models.zip", files | {name(1): content}), original, message)


def test_a_small_file_with_large_parts(original, files, tmp_path):
    """A checkpoint of 40 MB, compressed after torch.save wrote it."""
    content = inside(saved({"weight": torch.zeros(10**7)}), zipfile.ZIP_DEFLATED)
    assert len(content) < largest(original)
    path = zipped(tmp_path / "models.zip", files | {name(1): content})
    refused(path, original, r"inflates to 40000000 bytes, but torch.save compresses nothing")


def test_parts_that_overlap(original, files, tmp_path):
    """Two entries that refer to the same data, so that the parts are larger than the whole."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data/0", bytes(10**5))
        archive.filelist.append(copy(archive.getinfo("archive/data/0")))
        archive.filelist[-1].filename = "archive/data/1"
    path = zipped(tmp_path / "models.zip", files | {name(1): buffer.getvalue()})
    refused(path, original, r"its parts claim 200000 bytes, but the whole file has")


def change(**changes):
    return lambda state: {key: changes.get(key.replace(".", "_"), lambda value: value)(state[key]) for key in state}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda state: list(state.values()), "expected a dictionary of weights, found list"),
        (lambda state: {**state, "more": torch.zeros(1)}, "the first missing or unexpected one is 'more'"),
        (lambda state: {key: state[key] for key in list(state)[1:]}, "missing or unexpected one is 'conv1.weight'"),
        (change(fc_bias=lambda value: value.tolist()), "fc.bias: expected a tensor, found list"),
        (change(fc_bias=lambda value: value[:5].clone()), r"fc.bias: expected shape \(10,\), found \(5,\)"),
        (
            change(fc_bias=lambda value: value.double()),
            "fc.bias: expected torch.float32 or torch.float16, found torch.flo",
        ),
        (change(fc_bias=lambda value: value.bfloat16()), "found torch.bfloat16"),
        (change(fc_bias=lambda value: value.to(torch.complex64)), "found torch.complex64"),
        (
            change(fc_bias=lambda value: value.to_sparse()),
            "its pickle contains 'torch._utils _rebuild_sparse_tensor'",
        ),
        (change(bn1_num_batches_tracked=lambda value: value.float()), "expected torch.int64, found torch.float32"),
        (
            change(fc_bias=lambda value: value[:1].expand(10)),
            r"fc.bias: expected a contiguous tensor, found strides \(0,\)",
        ),
        (change(fc_bias=lambda value: torch.zeros(1).expand(2**33)), r"expected shape \(10,\), found \(8589934592,\)"),
        (change(fc_weight=lambda value: value * float("nan")), "fc.weight: 640 values are NaN or infinite"),
        (change(fc_bias=lambda value: value / 0), "fc.bias: 10 values are NaN or infinite"),
        (change(bn1_running_var=lambda value: -value), "bn1.running_var: a variance is negative"),
        (change(bn1_num_batches_tracked=lambda value: -value - 1), r"bn1.num_batches_tracked: a count is negative \(-"),
    ],
)
def test_impossible_weights(original, files, tmp_path, changed, message):
    content = saved(changed(original))
    path = zipped(tmp_path / "models.zip", files | {name(6): content})
    refused(path, original, rf"unlearned_checkpoint_6.pth: .*{message}")


def test_weights_in_another_order_or_memory_layout_are_accepted(original, files, tmp_path):
    state = {
        key: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
        for key, value in reversed(original.items())
    }
    found = weights_in_file(saved(state), original)
    assert list(found) == list(original)
    assert all(torch.equal(found[key], original[key]) for key in original)


def test_neither_torch_nor_pickle_sees_a_file(monkeypatch, original, files):
    def never(*given, **named):
        raise AssertionError("a file of strangers was unpickled")

    for module, function in (
        (torch, "load"),
        (torch.jit, "load"),
        (torch._C, "PyTorchFileReader"),
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
    ):
        monkeypatch.setattr(module, function, never)
    found = weights_in_file(files[name(1)], original)
    assert len({value.data_ptr() for value in found.values()}) == len(original)
    with pytest.raises(ValueError, match="expected 144 bytes in its part data/0, found 4"):
        weights_in_file(inside(files[name(0)], **{"0": b"1234"}), original)
