"""CIFAR-10, downloaded by torchvision from a local server with a small archive in the same layout."""

import hashlib
import shutil

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from starter_kit import tasks
from starter_kit.errors import TaskError
from starter_kit.tasks.cifar10 import BLACK, MEAN, OUR_FORGET_INDEX, STD
from tests.starter_kit.cifar10_server import ARCHIVE, cifar10_served

FORGET_SHA256 = "3e18bd76dfa90707be88ade29b4e320b3c7af1626d50f66ab4e4db76150cb9f9"


@pytest.fixture
def server(tmp_path):
    """The folder that the server serves."""
    with cifar10_served(tmp_path / "server"):
        yield tmp_path / "server"


def load(folder, name="cifar10"):
    return tasks.load(name, folder)


def test_it_is_downloaded_once_and_split(server, tmp_path):
    folder = tmp_path / "data"
    task = load(folder)
    assert [len(examples) for examples in (task.train, task.validation, task.test)] == [300, 30, 30]
    ids = torch.cat([examples.image_id for examples in task.sets.values()])
    assert len(ids.unique()) == 360
    assert set(task.forget.image_id.tolist()) == set(np.load(OUR_FORGET_INDEX).tolist()) & set(range(300))
    server.joinpath(ARCHIVE).unlink()
    (folder / ARCHIVE).unlink()
    assert load(folder).digest() == task.digest()


def test_pictures_are_normalised_and_padded_with_black(server, tmp_path):
    task = load(tmp_path / "data")
    raw = CIFAR10(tmp_path / "data", train=True).data[task.forget.image_id[0]]
    expected = (raw / 255 - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(task.forget.inputs[0].permute(1, 2, 0), expected, atol=1e-5)
    np.testing.assert_allclose((0 - np.array(MEAN)) / np.array(STD), BLACK)
    assert task.recipe.augmentation.fill == BLACK


def test_our_forget_index_is_a_tenth():
    index = np.load(OUR_FORGET_INDEX)
    assert len(np.unique(index)) == len(index) == 5000
    assert 0 <= index.min() <= index.max() < 50_000


def test_our_forget_index_never_changes():
    """Scores on a different forget set would not be comparable."""
    index = np.load(OUR_FORGET_INDEX).astype("<i8")
    assert hashlib.sha256(index.tobytes()).hexdigest() == FORGET_SHA256


def test_the_starting_kits_forget_index_is_used_if_it_is_there(server, tmp_path):
    ours = load(tmp_path / "data")
    np.save(tmp_path / "data" / "forget_idx.npy", np.array([3, 1, 299]))
    theirs = load(tmp_path / "data")
    assert theirs.forget.image_id.tolist() == [1, 3, 299]
    assert theirs.digest() != ours.digest()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (np.array([1, 1]), "expected distinct whole numbers"),
        (np.array([0.5]), "expected distinct whole numbers"),
        (np.array([300]), "expected positions from 0 to 299"),
        (np.array([-1]), "expected positions from 0 to 299"),
        (np.arange(300), "expected some of the first 300 training pictures, but not all, to be forgotten; found 300"),
    ],
)
def test_a_malformed_forget_index(server, tmp_path, index, message):
    load(tmp_path / "data")
    np.save(tmp_path / "data" / "forget_idx.npy", index)
    with pytest.raises(TaskError, match=message):
        load(tmp_path / "data")


def test_the_first_pictures_of_it(server, tmp_path):
    task = load(tmp_path / "data", "cifar10:200")
    assert (task.name, len(task.train), len(task.test), len(task.validation)) == ("cifar10:200", 200, 20, 20)
    for size in (50, 301):
        with pytest.raises(TaskError, match=f"expected from 200 to 300 training pictures, found {size}"):
            load(tmp_path / "data", f"cifar10:{size}")


def test_without_a_connection(server, tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:1/none.tar.gz")
    with pytest.raises(TaskError, match=r"could not be downloaded: .*refused") as caught:
        load(tmp_path / "data")
    for word in (
        f"found in {tmp_path / 'data'}: nothing. Without a connection",
        "http://127.0.0.1:1/none.tar.gz",
        CIFAR10.tgz_md5,
        "DATA=",
    ):
        assert word in str(caught.value)


def test_an_interrupted_download_starts_again(server, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / ARCHIVE).write_bytes((server / ARCHIVE).read_bytes()[:1000])
    assert len(load(folder).train) == 300


def test_a_damaged_file_is_unpacked_again(server, tmp_path):
    folder = tmp_path / "data"
    digest = load(folder).digest()
    damaged = folder / CIFAR10.base_folder / "data_batch_3"
    damaged.write_bytes(damaged.read_bytes()[:-7])
    assert load(folder).digest() == digest


def test_an_archive_with_a_wrong_checksum(server, tmp_path):
    (server / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(TaskError, match="File not found or corrupted"):
        load(tmp_path / "data")


def test_a_folder_that_cannot_be_created(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TaskError, match=r"could not be downloaded: .*Not a directory"):
        load(tmp_path / "file" / "data")


def test_another_folder_is_reported_with_what_is_in_it(server, tmp_path):
    shutil.copy(__file__, tmp_path / "holiday.txt")
    server.joinpath(ARCHIVE).unlink()
    with pytest.raises(TaskError, match=r"Expected the folder .*cifar-10-batches-py.*found in .*: holiday.txt"):
        load(tmp_path)
