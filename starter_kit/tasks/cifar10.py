"""CIFAR-10 as in the challenge's starting kit: ResNet-18, and a random tenth of the training set to be forgotten.

Pictures are 3x32x32, normalised with the mean and the standard deviation of each channel. The test set is halved into
test and validation sets. The forget set is a fixed random draw that is stored beside this file. If the data folder
contains the starting kit's own ``forget_idx.npy``, that is used instead. The starting kit does not say how long its
model was trained; here it is 30 epochs, as in the competition.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10

from starter_kit.augmentation import CropAndFlip
from starter_kit.errors import TaskError, quoted
from starter_kit.examples import Examples
from starter_kit.networks.competition_resnet import competition_resnet
from starter_kit.task import DATA, Task
from starter_kit.training import Recipe

CLASSES = 10
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)
BLACK = tuple(-mean / std for mean, std in zip(MEAN, STD, strict=True))
"""The padding: pixels that are 0 before normalisation."""

RECIPE = Recipe(
    "sgd", epochs=30, batch_size=128, learning_rate=0.1, weight_decay=5e-4, augmentation=CropAndFlip(4, BLACK)
)
SPLIT_SEED = 0
OUR_FORGET_INDEX = Path(__file__).with_name("cifar10_forget_idx.npy")
SMALLEST = 200


def task(size: int | None = None, data: Path = DATA / "cifar10") -> Task:
    """The first ``size`` training pictures, or all of them, with a fifth as many held out.

    The data set is downloaded to ``data`` unless it is stored there already.

    Raises:
        TaskError: the data set is damaged or cannot be downloaded, the forget index is malformed, or ``size`` leaves a
            set empty or exceeds the training set.
    """
    training, held_out = _data_set(data, train=True), _data_set(data, train=False)
    total = len(training.targets)
    wanted = total if size is None else size
    if not min(SMALLEST, total) <= wanted <= total:
        raise TaskError(f"cifar10: expected from {SMALLEST} to {total} training pictures, found {size}")
    forget = np.isin(np.arange(wanted), _forget_index(data, total))
    if not 0 < forget.sum() < wanted:
        raise TaskError(
            f"cifar10: expected some of the first {wanted} training pictures, but not all, to be forgotten; "
            f"found {forget.sum()}"
        )
    order = np.random.default_rng(SPLIT_SEED).permutation(len(held_out.targets))[: wanted // 5]
    test, validation = np.split(order, [len(order) // 2])

    def examples(source: CIFAR10, index: np.ndarray, first_id: int) -> Examples:
        pictures = torch.tensor(source.data[index]).permute(0, 3, 1, 2) / 255
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        identity = torch.tensor(index) + first_id
        # Each picture counts as a person of its own.
        return Examples((pictures - mean) / std, torch.tensor(source.targets)[index], identity, identity)

    return Task(
        name="cifar10" if size is None else f"cifar10:{size}",
        network=competition_resnet,
        recipe=RECIPE,
        retain=examples(training, np.flatnonzero(~forget), 0),
        forget=examples(training, np.flatnonzero(forget), 0),
        validation=examples(held_out, validation, total),
        test=examples(held_out, test, total),
        licence="not stated by the authors of CIFAR-10",
    )


def _data_set(data: Path, train: bool) -> CIFAR10:
    """The training or test pictures of CIFAR-10, downloaded by torchvision, which verifies their checksums."""
    try:
        # With download=True, torchvision wants the archive even if its verified content is unpacked already.
        try:
            return CIFAR10(data, train)
        except RuntimeError:
            return CIFAR10(data, train, download=True)
    except (OSError, EOFError, RuntimeError) as error:
        folder = data / CIFAR10.base_folder
        found = ", ".join(sorted(path.name for path in data.iterdir())) if data.is_dir() else ""
        shown = quoted(data)
        raise TaskError(
            f"CIFAR-10 is not in {shown} and could not be downloaded: {quoted(error)}. Expected the folder "
            f"{quoted(folder)}, unpacked from {CIFAR10.filename} (MD5 {CIFAR10.tgz_md5}); found in {shown}: "
            f"{quoted(found) or 'nothing'}. Without a connection, download {CIFAR10.url} on another machine and copy "
            f"it to {shown}, or name another folder with DATA=. Delete an incomplete archive first."
        ) from error


def _forget_index(data: Path, total: int) -> np.ndarray:
    """The positions to be forgotten: the starting kit's if the data folder contains its file, else ours."""
    theirs = data / "forget_idx.npy"
    path = theirs if theirs.exists() else OUR_FORGET_INDEX
    try:
        index = np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise TaskError(
            f"{quoted(path)}: expected an array of positions, written by np.save; {quoted(error)}"
        ) from error
    if index.ndim != 1 or index.dtype.kind not in "iu" or len(np.unique(index)) != len(index):
        raise TaskError(f"{quoted(path)}: expected distinct whole numbers, found {index.dtype} of shape {index.shape}")
    if len(index) == 0 or index.min() < 0 or (path == theirs and index.max() >= total):
        raise TaskError(f"{quoted(path)}: expected positions from 0 to {total - 1}")
    return index
