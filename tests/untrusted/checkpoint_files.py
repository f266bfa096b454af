"""Good checkpoints, ways to pack and to spoil them, and the check that a spoiled one is refused."""

import io
import zipfile

import pytest
import torch

from scoring.untrusted.checkpoints import find
from starter_kit.errors import SubmissionError
from tests.conftest import MODELS


def saved(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def name(index):
    return f"unlearned_checkpoint_{index}.pth"


def states(original, half=True):
    """Different models: the original's weights with noise."""
    for index in range(MODELS):
        torch.manual_seed(index)
        yield {
            key: (value + 0.01 * torch.randn_like(value).abs()).to(torch.float16 if half else torch.float32)
            if value.is_floating_point()
            else value
            for key, value in original.items()
        }


def zipped(path, files, folder="kaggle/tmp/", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry, content in files.items():
            archive.writestr(folder + entry, content)
    return path


def read_all(path, original, models):
    found = find(path, models, original)
    return [found.state(index, original) for index in range(models)]


def refused(path, original, message, models=MODELS):
    """Listing it or reading one of its files fails with this message, which begins with the path."""
    with pytest.raises(SubmissionError, match=message) as caught:
        read_all(path, original, models)
    assert str(path) in str(caught.value)


def inside(content, compression=zipfile.ZIP_STORED, **changes):
    """A checkpoint with parts of it replaced or compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w", compression) as new:
        for entry in old.namelist():
            new.writestr(entry, changes.get(entry.rpartition("/")[2], old.read(entry)))
    return buffer.getvalue()
